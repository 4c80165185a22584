import { describe, expect, test } from 'vitest'
import { openDataset } from '../../src/dataset/open.ts'
import { D, expected, f32, failure, newFile, plain, rowsOf, values } from './dataset-support.ts'

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
    const barely = await failure(await newFile('a.csv', `${line('s', 0)}\n${'1'.repeat(256 * 1024 + 9)}\n`))
    expect(barely).toMatchObject({ code: 'ERR_DATASET_LINE', line: 2 })
    expect(barely.message).toContain('too long')
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
