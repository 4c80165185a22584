import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Dataset, LabelledVector, ReadOptions } from '../../src/dataset/dataset.ts'
import { DatasetError } from '../../src/dataset/errors.ts'
import { type OpenDatasetOptions, openDataset } from '../../src/dataset/open.ts'

/** All vectors are counted out: nothing here comes from a face. */
const D = 64
let folder: string
let made = 0

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'guise-dataset-'))
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

async function newFolder(files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const path = join(folder, String(made++))
  await mkdir(path)
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content)
  return path
}

async function newFile(name: string, content: string | Uint8Array): Promise<string> {
  return join(await newFolder({ [name]: content }), name)
}

/** Value i of row r is r + i/64: exact in every float format. */
function valueAt(row: number, i: number): number {
  return row + i / 64
}

function values(row: number, dimensions = D): number[] {
  return Array.from({ length: dimensions }, (_, i) => valueAt(row, i))
}

function f32(rows: number, dimensions = D): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * rows * dimensions))
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < dimensions; i++) view.setFloat32(4 * (r * dimensions + i), valueAt(r, i), true)
  }
  return new Uint8Array(view.buffer)
}

function labels(rows: number): string {
  return `row,subject,image\n${Array.from({ length: rows }, (_, r) => `${r},s${r >> 1},${r & 1}\n`).join('')}`
}

function npy(header: string, body: Uint8Array, version = 1): Uint8Array {
  const start = version === 1 ? 10 : 12
  const bytes = new Uint8Array(start + header.length + body.length)
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0])
  const view = new DataView(bytes.buffer)
  if (version === 1) view.setUint16(8, header.length, true)
  else view.setUint32(8, header.length, true)
  bytes.set(new TextEncoder().encode(header), start)
  bytes.set(body, start + header.length)
  return bytes
}

function npyHeader(type: string, rows: number, order = 'False'): string {
  return `{'descr': '<${type}', 'fortran_order': ${order}, 'shape': (${rows}, ${D}), }          \n`
}

async function rowsOf(dataset: Dataset, options?: ReadOptions): Promise<LabelledVector[]> {
  const rows: LabelledVector[] = []
  for await (const row of dataset.read(options)) rows.push(row)
  return rows
}

function plain(rows: readonly LabelledVector[]): unknown {
  return rows.map(({ row, subject, vector }) => ({ row, subject, vector: [...vector] }))
}

function expected(rows: number, from = 0): unknown {
  return Array.from({ length: rows - from }, (_, k) => ({
    row: from + k,
    subject: `s${(from + k) >> 1}`,
    vector: values(from + k),
  }))
}

/** Opens and reads; resolves with the error. */
async function failure(path: string, options?: OpenDatasetOptions): Promise<DatasetError> {
  try {
    await rowsOf(await openDataset(path, options))
  } catch (error) {
    expect(error).toBeInstanceOf(DatasetError)
    return error as DatasetError
  }
  throw new Error('nothing was refused')
}

describe('a folder with a matrix and labels', () => {
  test('gives every row with its subject, again and again', async () => {
    const path = await newFolder({ 'embeddings.f32': f32(5), 'labels.csv': labels(5) })
    const dataset = await openDataset(path, { dimensions: D })
    expect(dataset).toMatchObject({ dimensions: D, rows: 5, synthetic: false })
    expect(plain(await rowsOf(dataset))).toEqual(expected(5))
    expect(plain(await rowsOf(dataset))).toEqual(expected(5))
  })

  test('takes dimensions and name from meta.json', async () => {
    const path = await newFolder({
      'embeddings.f32': f32(4),
      'labels.csv': labels(4),
      'meta.json': JSON.stringify({ name: 'counted', dims: D, normalised: false }),
    })
    expect(await openDataset(path)).toMatchObject({ name: 'counted', dimensions: D, rows: 4 })
  })

  test('finds the dimensions from size and labels when nobody says them', async () => {
    const path = await newFolder({ 'embeddings.f32': f32(4), 'labels.csv': labels(4) })
    expect(await openDataset(path)).toMatchObject({ dimensions: D, rows: 4 })
  })

  test('goes on at any row', async () => {
    const path = await newFolder({ 'embeddings.f32': f32(5), 'labels.csv': labels(5) })
    const dataset = await openDataset(path)
    for (let from = 0; from <= 5; from++)
      expect(plain(await rowsOf(dataset, { from }))).toEqual(expected(5, from))
    expect(await rowsOf(dataset, { from: 99 })).toEqual([])
    for (const from of [-1, 0.5, Number.NaN]) {
      await expect(rowsOf(dataset, { from })).rejects.toMatchObject({ code: 'ERR_DATASET_OPTIONS' })
    }
  })

  test('reads more rows than a block holds', async () => {
    const rows = 9000
    const path = await newFolder({ 'embeddings.f32': f32(rows), 'labels.csv': labels(rows) })
    const read = await rowsOf(await openDataset(path), { from: 4000 })
    expect(read).toHaveLength(5000)
    for (const { row, vector } of read) expect(vector[1]).toBe(Math.fround(valueAt(row, 1)))
  })

  test('stops when aborted', async () => {
    const path = await newFolder({ 'embeddings.f32': f32(2), 'labels.csv': labels(2) })
    const dataset = await openDataset(path)
    await expect(rowsOf(dataset, { signal: AbortSignal.abort() })).rejects.toThrow('aborted')
  })

  test.each([
    ['a heading in other order', 'Image,Subject,Row\n1,a,0\n2,b,1\n'],
    ['no heading', '0,a,1\n1,b,2\n'],
    ['one label a line', 'a\nb\n'],
    ['one label a line under a heading', 'subject\na\nb'],
    ['quotes, CRLF and a byte order mark', '\ufeffrow,subject\r\n0,"a"\r\n1,"b"\r\n'],
  ])('labels with %s', async (_, text) => {
    const path = await newFolder({ 'embeddings.f32': f32(2), 'labels.csv': text })
    expect((await rowsOf(await openDataset(path))).map(({ subject }) => subject)).toEqual(['a', 'b'])
  })

  test('labels elsewhere, with a column of another name', async () => {
    const path = await newFolder({ 'm.f32': f32(2), 'people.txt': 'who\nx\ny\n' })
    const dataset = await openDataset(join(path, 'm.f32'), {
      labels: join(path, 'people.txt'),
      subject: 'who',
    })
    expect((await rowsOf(dataset)).map(({ subject }) => subject)).toEqual(['x', 'y'])
    expect(dataset.name).toBe('m.f32')
  })

  test.each([
    ['too few labels', { 'embeddings.f32': f32(3), 'labels.csv': labels(2) }, 'ERR_DATASET_LENGTH'],
    [
      'half a row',
      { 'embeddings.f32': f32(2).subarray(0, 300), 'labels.csv': labels(2) },
      'ERR_DATASET_LENGTH',
    ],
    ['no labels', { 'embeddings.f32': f32(2) }, 'ERR_DATASET_FILE'],
    ['empty labels', { 'embeddings.f32': f32(2), 'labels.csv': '' }, 'ERR_DATASET_LENGTH'],
    ['no matrix', { 'labels.csv': labels(2) }, 'ERR_DATASET_FILE'],
    ['two arrays', { 'a.npy': '', 'b.npy': '', 'labels.csv': labels(2) }, 'ERR_DATASET_FILE'],
    ['a folder of that name', { 'labels.csv': labels(2) }, 'ERR_DATASET_FILE'],
    [
      'meta that is not JSON',
      { 'embeddings.f32': f32(2), 'labels.csv': labels(2), 'meta.json': '{' },
      'ERR_DATASET_FORMAT',
    ],
    [
      'meta that is too long',
      { 'embeddings.f32': f32(2), 'labels.csv': labels(2), 'meta.json': ' '.repeat(70_000) },
      'ERR_DATASET_FORMAT',
    ],
    [
      'meta with wild dimensions',
      { 'embeddings.f32': f32(2), 'labels.csv': labels(2), 'meta.json': '{"dims":1e9}' },
      'ERR_DATASET_DIMENSIONS',
    ],
    [
      'row numbers that jump',
      { 'embeddings.f32': f32(2), 'labels.csv': 'row,subject\n0,a\n2,b\n' },
      'ERR_DATASET_SUBJECT',
    ],
    [
      'a missing subject',
      { 'embeddings.f32': f32(2), 'labels.csv': 'row,subject\n0,a\n1\n' },
      'ERR_DATASET_SUBJECT',
    ],
    [
      'an endless subject',
      { 'embeddings.f32': f32(2), 'labels.csv': `row,subject\n0,a\n1,${'b'.repeat(257)}\n` },
      'ERR_DATASET_SUBJECT',
    ],
    ['a blank line', { 'embeddings.f32': f32(2), 'labels.csv': 'a\n\nb\n' }, 'ERR_DATASET_LINE'],
  ] as const)('%s is refused', async (_, files, code) => {
    const error = await failure(await newFolder(files), { dimensions: D })
    expect(error.code).toBe(code)
  })

  test('a bad label carries row and line, and nothing of the text', async () => {
    const path = await newFolder({
      'embeddings.f32': f32(2),
      'labels.csv': 'row,subject\n0,a\n7,secret-name\n',
    })
    const error = await failure(path, { dimensions: D })
    expect(error).toMatchObject({ row: 1, line: 3, retryable: false })
    expect(error.message).not.toContain('secret')
  })

  test('a value that is not finite is refused with its row, never repaired; the next rows can be read', async () => {
    const bytes = f32(3)
    new DataView(bytes.buffer).setFloat32(4 * (D + 7), Number.NaN, true)
    const path = await newFolder({ 'embeddings.f32': bytes, 'labels.csv': labels(3) })
    expect(await failure(path)).toMatchObject({ code: 'ERR_DATASET_VALUE', row: 1 })
    expect(plain(await rowsOf(await openDataset(path), { from: 2 }))).toEqual(expected(3, 2))
  })

  test('a file that shrinks between opening and reading is refused', async () => {
    const path = await newFolder({ 'embeddings.f32': f32(3), 'labels.csv': labels(3) })
    const dataset = await openDataset(path)
    truncateSync(join(path, 'embeddings.f32'), 4 * D + 1)
    await expect(rowsOf(dataset)).rejects.toMatchObject({ code: 'ERR_DATASET_LENGTH', row: 1 })
  })

  test('what is not there, and what is no file, is refused', async () => {
    expect(await failure(join(folder, 'none'))).toMatchObject({ code: 'ERR_DATASET_FILE' })
    const path = await newFolder({ 'embeddings.f32': f32(1) })
    await mkdir(join(path, 'labels.csv'))
    expect(await failure(path)).toMatchObject({ code: 'ERR_DATASET_FILE' })
  })
})

describe('NumPy arrays', () => {
  const half = new Uint8Array(2 * 2 * D)
  const double = new Uint8Array(8 * 2 * D)
  beforeAll(() => {
    const doubles = new DataView(double.buffer)
    const halves = new DataView(half.buffer)
    for (let r = 0; r < 2; r++) {
      for (let i = 0; i < D; i++) {
        doubles.setFloat64(8 * (r * D + i), valueAt(r, i), true)
        halves.setUint16(2 * (r * D + i), toHalf(valueAt(r, i)), true)
      }
    }
  })

  /** Of numbers in [0, 2) that are multiples of 1/64. */
  function toHalf(value: number): number {
    if (value === 0) return 0
    let exponent = 15
    while (value < 1) {
      value *= 2
      exponent--
    }
    return (exponent << 10) | Math.round((value - 1) * 1024)
  }

  test.each(['f4', 'f8', 'f2'])('%s', async (type) => {
    const body = { f4: f32(2), f8: double, f2: half }[type] as Uint8Array
    const path = await newFolder({ 'a.npy': npy(npyHeader(type, 2), body), 'labels.csv': labels(2) })
    expect(plain(await rowsOf(await openDataset(path)))).toEqual(expected(2))
  })

  test('header version 2', async () => {
    const path = await newFolder({ 'a.npy': npy(npyHeader('f4', 2), f32(2), 2), 'labels.csv': labels(2) })
    expect(plain(await rowsOf(await openDataset(path)))).toEqual(expected(2))
  })

  test.each([
    ['column order', npy(npyHeader('f4', 2, 'True'), f32(2))],
    ['integers', npy(npyHeader('i4', 2), f32(2))],
    ['an unknown version', npy(npyHeader('f4', 2), f32(2), 9)],
    ['another file', new TextEncoder().encode('not an array at all')],
    ['a few bytes', new Uint8Array(5)],
    ['a header that runs past the file', npy(npyHeader('f4', 2), f32(2)).subarray(0, 40)],
    ['a header that is too long', npy(npyHeader('f4', 2).padEnd(5000), f32(2))],
    ['one dimension', npy(`{'descr': '<f4', 'fortran_order': False, 'shape': (${D},), }\n`, f32(1))],
  ])('%s is refused', async (_, bytes) => {
    const path = await newFolder({ 'a.npy': bytes, 'labels.csv': labels(2) })
    expect(await failure(path)).toMatchObject({ code: 'ERR_DATASET_FORMAT' })
  })

  test('a size that does not fit, and too many dimensions, are refused', async () => {
    const short = await newFolder({ 'a.npy': npy(npyHeader('f4', 3), f32(2)), 'labels.csv': labels(3) })
    expect(await failure(short)).toMatchObject({ code: 'ERR_DATASET_LENGTH' })
    const wide = npy(`{'descr': '<f4', 'fortran_order': False, 'shape': (1, 99999), }\n`, f32(1))
    expect(await failure(await newFolder({ 'a.npy': wide, 'labels.csv': 'a\n' }))).toMatchObject({
      code: 'ERR_DATASET_DIMENSIONS',
    })
  })
})

describe('CSV', () => {
  const line = (subject: string, row: number): string => [subject, ...values(row)].join(',')

  test.each([
    ['no heading', `${line('s0', 0)}\n${line('s0', 1)}\n`, {}],
    [
      'a heading',
      `name,${values(0)
        .map((_, i) => `e${i}`)
        .join(',')}\n${line('s0', 0)}\n${line('s0', 1)}\n`,
      {},
    ],
    ['a heading that is named so', `${line('subject', 7)}\n${line('s0', 0)}\n${line('s0', 1)}`, {}],
    [
      'a heading that is said to be one',
      `${line('x', 7)}\n${line('s0', 0)}\n${line('s0', 1)}`,
      { header: true },
    ],
    ['spaces around the numbers', `s0, ${values(0).join(' , ')}\r\ns0, ${values(1).join(' , ')}\r\n`, {}],
    [
      'columns by name',
      `id,who,${values(0)
        .map((_, i) => `e${i}`)
        .join(',')}\n7,${line('s0', 0)}\n8,${line('s0', 1)}\n`,
      { subject: 'WHO', vector: 'e0' },
    ],
    ['columns by number', `7,${line('s0', 0)}\n8,${line('s0', 1)}\n`, { subject: 1, vector: 2 }],
    ['more columns behind', `${line('s0', 0)},x\n${line('s0', 1)},y\n`, { dimensions: D }],
    [
      'a bracketed vector',
      `subject,embedding\ns0,"[${values(0).join(', ')}]"\n"s0","[${values(1).join(',')}]"\n`,
      {},
    ],
    [
      'a bracketed vector without heading',
      `s0,"[${values(0).join(', ')}]"\ns0,"[${values(1).join(',')}]"\n`,
      {},
    ],
  ] as const)('%s', async (_, text, options) => {
    const dataset = await openDataset(await newFile('a.csv', text), options)
    expect(dataset).toMatchObject({ name: 'a.csv', dimensions: D, rows: undefined })
    expect(plain(await rowsOf(dataset))).toEqual([
      { row: 0, subject: 's0', vector: values(0) },
      { row: 1, subject: 's0', vector: values(1) },
    ])
    expect(plain(await rowsOf(dataset, { from: 1 }))).toEqual([{ row: 1, subject: 's0', vector: values(1) }])
  })

  test('quoted subjects keep commas and quotes', async () => {
    const dataset = await openDataset(await newFile('a.csv', `"a, ""b""",${values(0).join(',')}\n`))
    expect((await rowsOf(dataset))[0]?.subject).toBe('a, "b"')
  })

  test('numbers as tools write them', async () => {
    const forms = ['1', '-1', '+1', '.5', '5.', '1e3', '1E-3', '-2.5e+2']
    const text = `s,${[...forms, ...values(0).slice(forms.length)].join(',')}\n`
    const [row] = await rowsOf(await openDataset(await newFile('a.csv', text)))
    expect([...(row?.vector ?? [])].slice(0, forms.length)).toEqual([
      1,
      -1,
      1,
      0.5,
      5,
      1000,
      Math.fround(1e-3),
      -250,
    ])
  })

  test.each(['', 'x', 'NaN', 'Infinity', '0x10', '1_000', '1e400', '1e39', '--1', '1 2'])(
    'the value %j is refused with row and line',
    async (value) => {
      const bad = [...values(1)].map(String)
      bad[5] = value
      const error = await failure(
        await newFile('a.csv', `h,${bad.map((_, i) => `e${i}`)}\n${line('s', 0)}\ns,${bad}\n`),
      )
      expect(error).toMatchObject({ code: 'ERR_DATASET_VALUE', row: 1, line: 3 })
      if (value.length > 2) expect(error.message).not.toContain(value)
    },
  )

  test.each([
    ['an empty file', '', {}, 'ERR_DATASET_LENGTH'],
    ['a heading alone', `subject,${values(0).map((_, i) => `e${i}`)}\n`, {}, 'ERR_DATASET_LENGTH'],
    ['too few columns', `s,1,2,3\n`, {}, 'ERR_DATASET_DIMENSIONS'],
    ['one column', `s\n`, {}, 'ERR_DATASET_OPTIONS'],
    ['a column that is not there', `a,b\ns,1\n`, { subject: 'c' }, 'ERR_DATASET_OPTIONS'],
    ['a column outside', `${line('s', 0)}\n`, { vector: 99 }, 'ERR_DATASET_OPTIONS'],
    ['lines of other lengths', `${line('s', 0)}\n${line('s', 1)},1\n`, {}, 'ERR_DATASET_LINE'],
    ['more dimensions than numbers', `${line('s', 0)}\n`, { dimensions: 65 }, 'ERR_DATASET_DIMENSIONS'],
    ['wild dimensions', `${line('s', 0)}\n`, { dimensions: 5 }, 'ERR_DATASET_DIMENSIONS'],
    ['vectors of other lengths', `s,"[${values(0)}]"\ns,"[${values(0)},1]"\n`, {}, 'ERR_DATASET_DIMENSIONS'],
    ['an open bracket', `s,"[${values(0)}]"\ns,"[${values(0)}"\n`, {}, 'ERR_DATASET_DIMENSIONS'],
    ['an open quote', `${line('s', 0)}\n"s,${values(0)}\n`, {}, 'ERR_DATASET_LINE'],
    ['a quote that is not doubled', `${line('"a"b', 0)}\n`, {}, 'ERR_DATASET_LINE'],
    ['a quote in the middle', `${line('a"b', 0)}\n`, {}, 'ERR_DATASET_LINE'],
    ['no subject', `${line('', 0)}\n`, {}, 'ERR_DATASET_SUBJECT'],
  ] as const)('%s is refused', async (_, text, options, code) => {
    expect(await failure(await newFile('a.csv', text), options)).toMatchObject({ code })
  })

  test('bytes that are not UTF-8 and lines without end are refused with their number', async () => {
    const bytes = new TextEncoder().encode(`${line('s', 0)}\n${line('s', 1)}\n`)
    const second = bytes.indexOf(10) + 1
    const broken = Uint8Array.from(bytes)
    broken[second] = 0xff
    expect(await failure(await newFile('a.csv', broken))).toMatchObject({ code: 'ERR_DATASET_LINE', line: 2 })
    const long = `${line('s', 0)}\n${'1,'.repeat(200_000)}`
    expect(await failure(await newFile('a.csv', long))).toMatchObject({ code: 'ERR_DATASET_LINE', line: 2 })
    expect(await failure(await newFile('a.csv', `${long}\n`))).toMatchObject({
      code: 'ERR_DATASET_LINE',
      line: 2,
    })
    const barely = `${line('s', 0)}\n${'1'.repeat(256 * 1024 + 9)}\n`
    expect(await failure(await newFile('a.csv', barely))).toMatchObject({ code: 'ERR_DATASET_LINE', line: 2 })
  })

  test('a file of many chunks', async () => {
    const text = Array.from({ length: 3000 }, (_, r) => `${line(`s${r >> 1}`, r)}\n`).join('')
    const read = await rowsOf(await openDataset(await newFile('a.csv', text)))
    expect(plain(read)).toEqual(expected(3000))
  })
})

describe('JSON lines', () => {
  const base64 = (row: number): string => Buffer.from(f32(row + 1).subarray(4 * D * row)).toString('base64')

  test('arrays, base64, numbered subjects, extra fields', async () => {
    const text = [
      JSON.stringify({ subject: 's0', vector: values(0), basis: { kind: 'consent' } }),
      JSON.stringify({ vector: base64(1), subject: 's0' }),
      JSON.stringify({
        subject: 17,
        vector: base64(2).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', ''),
      }),
    ].join('\n')
    const dataset = await openDataset(await newFile('a.jsonl', text))
    expect(dataset).toMatchObject({ dimensions: D, rows: undefined })
    expect(plain(await rowsOf(dataset))).toEqual([
      { row: 0, subject: 's0', vector: values(0) },
      { row: 1, subject: 's0', vector: values(1) },
      { row: 2, subject: '17', vector: values(2) },
    ])
    expect(await rowsOf(dataset, { from: 2 })).toHaveLength(1)
  })

  test('fields of other names', async () => {
    const path = await newFile('a.ndjson', JSON.stringify({ id: 'x', embedding: values(0) }))
    expect(await rowsOf(await openDataset(path, { subject: 'id', vector: 'embedding' }))).toHaveLength(1)
  })

  test.each([
    ['an empty file', '', 'ERR_DATASET_LENGTH'],
    ['no JSON', '{"subject":"secret', 'ERR_DATASET_LINE'],
    ['an array', '[1]', 'ERR_DATASET_LINE'],
    ['null', 'null', 'ERR_DATASET_LINE'],
    ['no subject', JSON.stringify({ vector: values(0) }), 'ERR_DATASET_SUBJECT'],
    ['a fraction as subject', JSON.stringify({ subject: 1.5, vector: values(0) }), 'ERR_DATASET_SUBJECT'],
    ['no vector', '{"subject":"s"}', 'ERR_DATASET_LINE'],
    ['a vector from the prototype', '{"subject":"s","__proto__":{"vector":[1]}}', 'ERR_DATASET_LINE'],
    ['bad base64', '{"subject":"s","vector":"***"}', 'ERR_DATASET_LINE'],
    ['base64 of odd bytes', '{"subject":"s","vector":"AAAAAAA="}', 'ERR_DATASET_DIMENSIONS'],
    ['an empty vector', '{"subject":"s","vector":[]}', 'ERR_DATASET_DIMENSIONS'],
    [
      'a text among numbers',
      JSON.stringify({ subject: 's', vector: ['1', ...values(0).slice(1)] }),
      'ERR_DATASET_VALUE',
    ],
    [
      'a huge number',
      JSON.stringify({ subject: 's', vector: [1e39, ...values(0).slice(1)] }),
      'ERR_DATASET_VALUE',
    ],
  ])('%s is refused', async (_, text, code) => {
    const error = await failure(await newFile('a.jsonl', text))
    expect(error).toMatchObject({ code })
    expect(`${error.message}${error.cause}`).not.toContain('secret')
  })

  test('another length in a later row is refused with its place', async () => {
    const text = [values(0), values(1, 65)]
      .map((vector) => JSON.stringify({ subject: 's', vector }))
      .join('\n')
    expect(await failure(await newFile('a.jsonl', text))).toMatchObject({
      code: 'ERR_DATASET_DIMENSIONS',
      row: 1,
      line: 2,
    })
  })

  test('names of formats', async () => {
    const path = await newFile('people.data', JSON.stringify({ subject: 's', vector: values(0) }))
    expect(await failure(path)).toMatchObject({ code: 'ERR_DATASET_FORMAT' })
    expect(await rowsOf(await openDataset(path, { format: 'jsonl' }))).toHaveLength(1)
    expect(await failure(path, { format: 'jsonl', subject: 3 })).toMatchObject({
      code: 'ERR_DATASET_OPTIONS',
    })
  })
})
