import { truncateSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { openDataset } from '../../src/dataset/open.ts'
import {
  D,
  expected,
  f32,
  failure,
  folder,
  labels,
  newFolder,
  plain,
  rowsOf,
  valueAt,
} from './dataset-support.ts'

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
