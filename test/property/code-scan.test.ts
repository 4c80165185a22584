/** The nearest codes, by WebAssembly and in plain JavaScript, are those that a sort finds. @module */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CompareError } from '../../src/compare/errors.ts'
import { codeScan, PortableScan } from '../../src/compare/scan.ts'
import { BITS } from '../../src/transform/suite.ts'
import { compileWith } from '../support/kernels.ts'

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })

/** Few values a byte, so that equal distances are common. */
const rowsOf = (bits: number) =>
  fc.array(
    fc.oneof(
      bytes(bits / 8),
      bytes(bits / 8).map((row) => row.fill(3)),
    ),
    { minLength: 1, maxLength: 60 },
  )

function distanceOf(a: Uint8Array, b: Uint8Array): number {
  return a.reduce((sum, byte, i) => sum + (byte ^ (b[i] as number)).toString(2).replaceAll('0', '').length, 0)
}

describe.each(BITS)('m = %i', (bits) => {
  test('both find what a sort finds', () => {
    fc.assert(
      fc.property(
        rowsOf(bits),
        bytes(bits / 8),
        fc.integer({ min: 1, max: 70 }),
        fc.nat(),
        (rows, query, most, cut) => {
          const count = cut % (rows.length + 1)
          const expected = rows
            .slice(0, count)
            .map((row, i) => ({ row: i, distance: distanceOf(row, query) }))
            .sort((a, b) => a.distance - b.distance || a.row - b.row)
            .slice(0, most)
          for (const scan of [codeScan(rows.length, bits), new PortableScan(rows.length, bits)]) {
            rows.forEach((row, i) => scan.write(i, row))
            expect(scan.nearest(query, count, most)).toEqual(expected)
            scan.wipe()
            const all = scan.nearest(new Uint8Array(bits / 8), rows.length, 4096)
            expect(all.length).toBe(rows.length)
            expect(all.every(({ distance }) => distance === 0)).toBe(true)
          }
        },
      ),
      { numRuns: 60 },
    )
  })
})

test('40,000 rows, in several chunks: both agree', () => {
  const count = 40_000
  const [fast, plain] = [codeScan(count, 512), new PortableScan(count, 512)]
  expect(fast).not.toBeInstanceOf(PortableScan)
  const row = new Uint8Array(64)
  let state = 1
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < 64; j++) {
      state = Math.imul(state ^ (state >>> 15), 0x2c1b_3c6d) + 0x9e37_79b9
      row[j] = state >>> 24
    }
    fast.write(i, row)
    plain.write(i, row)
  }
  for (const most of [1, 10, 4096])
    expect(fast.nearest(row, count, most)).toEqual(plain.nearest(row, count, most))
  expect(fast.nearest(row, count, 1)).toEqual([{ row: count - 1, distance: 0 }])
})

test('without WebAssembly it is the plain one', () => {
  expect(codeScan(10, 64, 'AAAA')).toBeInstanceOf(PortableScan)
})

test('sizes that do not fit are refused', () => {
  for (const capacity of [0, -1, 1.5, Number.NaN, 2 ** 23])
    expect(() => codeScan(capacity, 64)).toThrow(CompareError)
  const scan = codeScan(4, 64)
  const code = new Uint8Array(8)
  for (const row of [-1, 4, 0.5, Number.NaN]) expect(() => scan.write(row, code)).toThrow(CompareError)
  expect(() => scan.write(0, new Uint8Array(16))).toThrow(CompareError)
  for (const [count, most] of [
    [5, 1],
    [-1, 1],
    [4, 0],
    [4, 4097],
    [1.5, 1],
  ] as const) {
    expect(() => scan.nearest(code, count, most)).toThrow(CompareError)
  }
  expect(() => scan.nearest(new Uint8Array(16), 4, 1)).toThrow(CompareError)
})

test.each([
  [
    64,
    'load<u64>(query + at))\n    if (distance < limit)',
    'load<u64>(query + at))\n    if (distance <= limit)',
  ],
  [512, '^ q7)\n    if (distance < limit)', '^ q7)\n    if (distance <= limit)'],
] as const)(
  'a fault in the source is seen, m = %i: an equal row takes the place of an earlier one',
  {
    timeout: 60_000,
  },
  (bits, text, replacement) => {
    const module = compileWith(text, replacement, 'src/compare/scan.as')
    const [faulty, plain] = [codeScan(3, bits, module), new PortableScan(3, bits)]
    const code = new Uint8Array(bits / 8)
    expect(faulty).not.toBeInstanceOf(PortableScan)
    expect(faulty.nearest(code, 3, 2)).not.toEqual(plain.nearest(code, 3, 2))
  },
)

test('a fault in the source is seen: a word of the code twice', { timeout: 60_000 }, () => {
  const module = compileWith('load<u64>(row, 40) ^ q5', 'load<u64>(row, 40) ^ q4', 'src/compare/scan.as')
  const scan = codeScan(1, 512, module)
  scan.write(0, new Uint8Array(64).fill(7, 40, 48))
  expect(scan.nearest(new Uint8Array(64).fill(7, 40, 48), 1, 1)).not.toEqual([{ row: 0, distance: 0 }])
})
