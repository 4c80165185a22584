/** Deterministic CBOR: one encoding per value, everything else refused with the caller's error. @module */
import { describe, expect, test } from 'vitest'
import { concatBytes, fromHex, toHex } from '../../src/base/bytes.ts'
import {
  asArray,
  asBoolean,
  asBytes,
  asText,
  asUint,
  type CborValue,
  decodeCbor,
  encodeCbor,
} from '../../src/base/cbor.ts'

class Refused extends Error {}
const reject = (why: string): Error => new Refused(why)

function hex(text: string): Uint8Array {
  const bytes = fromHex(text.replaceAll(' ', ''))
  if (bytes === undefined) throw new Error(`not hexadecimal: ${text}`)
  return bytes
}

function nested(depth: number): Uint8Array {
  return concatBytes(new Uint8Array(depth).fill(0x81), Uint8Array.of(0))
}

describe('encodings of RFC 8949 appendix A', () => {
  test.each<readonly [CborValue, string]>([
    [0, '00'],
    [23, '17'],
    [24, '1818'],
    [255, '18ff'],
    [256, '190100'],
    [65_535, '19ffff'],
    [65_536, '1a00010000'],
    [1_000_000_000_000, '1b000000e8d4a51000'],
    [Number.MAX_SAFE_INTEGER, '1b001fffffffffffff'],
    [true, 'f5'],
    [false, 'f4'],
    [null, 'f6'],
    ['', '60'],
    ['IETF', '6449455446'],
    ['ü水', '65c3bce6b0b4'],
    ['\ufeffa', '64efbbbf61'],
    [new Uint8Array(0), '40'],
    [Uint8Array.of(1, 2, 3, 4), '4401020304'],
    [[], '80'],
    [[1, [2, 3], [4, 5]], '8301820203820405'],
    ['x'.repeat(40), `7828${'78'.repeat(40)}`],
  ])('%j', (value, expected) => {
    const bytes = encodeCbor(value)
    expect(toHex(bytes)).toBe(expected)
    expect(decodeCbor(bytes, 64, reject)).toEqual(value)
  })

  test('no encoding shares a byte with another', () => {
    const values = [1, ['realm', 1], ['x'.repeat(300), new Uint8Array(300)], 'x'.repeat(3000), 2]
    const encoded = values.map((value) => encodeCbor(value))
    const before = encoded.map((bytes) => toHex(bytes))
    for (const [i, bytes] of encoded.entries()) {
      expect(bytes.constructor).toBe(Uint8Array)
      bytes.fill(0xff)
      for (const [j, other] of encoded.entries()) if (j > i) expect(toHex(other)).toBe(before[j])
    }
    expect(encodeCbor(1)).toEqual(Uint8Array.of(1))
  })

  test('byte strings in the result are copies, also out of a Buffer', () => {
    const input = Buffer.from('43010203', 'hex')
    const value = decodeCbor(input, 64, reject)
    input.fill(0)
    expect(value).toEqual(Uint8Array.of(1, 2, 3))
  })
})

describe('what is not a CborValue is not encoded', () => {
  const cycle: CborValue[] = []
  cycle.push(cycle)
  test.each<readonly [string, unknown]>([
    ['a negative number', -1],
    ['minus zero', -0],
    ['a fraction', 0.5],
    ['NaN', Number.NaN],
    ['infinity', Number.POSITIVE_INFINITY],
    ['2^53', 2 ** 53],
    ['undefined', undefined],
    ['a bigint', 1n],
    ['a symbol', Symbol('s')],
    ['a function', () => 1],
    ['a map', new Map()],
    ['an object', { a: 1 }],
    ['a date', new Date(0)],
    ['a lone surrogate', '\ud800'],
    ['doubles', new Float64Array(1)],
    ['a cycle', cycle],
    ['undefined inside', [1, undefined]],
    ['depth 17', decodedNest(17)],
  ])('%s', (_, value) => {
    expect(() => encodeCbor(value as CborValue)).toThrow(TypeError)
  })

  test('depth 16 is', () => {
    expect(encodeCbor(decodedNest(16))).toEqual(nested(16))
  })
})

function decodedNest(depth: number): CborValue {
  let value: CborValue = 0
  for (let i = 0; i < depth; i++) value = [value]
  return value
}

/** One fault each; the limit is generous, so that the fault and not the length is what is refused. */
const MALFORMED: readonly (readonly [fault: string, bytes: Uint8Array])[] = [
  ['nothing at all', hex('')],
  ['a byte string that claims 2^32 - 1 bytes', hex('5affffffff')],
  ['a text that claims 2^53 bytes', hex('7b0020000000000000')],
  ['a byte string that claims 2^64 - 1 bytes', hex('5bffffffffffffffff')],
  ['an array that claims 2^32 - 1 items', hex('9affffffff')],
  ['an array that claims 2^64 - 1 items', hex('9bffffffffffffffff')],
  ['an array that claims one item more than there is', hex('820102').subarray(0, 2)],
  ['a map that claims 2^32 - 1 entries', hex('baffffffff')],
  ['depth 17', nested(17)],
  ['depth 20,000', nested(20_000)],
  ['depth 60,000 without an end', new Uint8Array(60_000).fill(0x81)],
  ['a map', hex('a10102')],
  ['a map with a duplicate key', hex('a201020103')],
  ['a map with unsorted keys', hex('a202010102')],
  ['an indefinite byte string', hex('5f4101ff')],
  ['an indefinite text', hex('7f6161ff')],
  ['an indefinite array', hex('9f01ff')],
  ['an indefinite map', hex('bf0102ff')],
  ['a break alone', hex('ff')],
  ['a break inside an array', hex('82ff01')],
  ['0 in two bytes', hex('1800')],
  ['23 in three bytes', hex('190017')],
  ['255 in five bytes', hex('1a000000ff')],
  ['255 in nine bytes', hex('1b00000000000000ff')],
  ['a length in two bytes that fits into one', hex('580101')],
  ['a text length in three bytes that fits into one', hex('79000161')],
  ['an array length in two bytes that fits into one', hex('980101')],
  ['reserved additional information 28', hex('1c')],
  ['reserved additional information 30', hex('5e')],
  ['trailing bytes', hex('0100')],
  ['trailing bytes after an array', hex('8101f6')],
  ['half an integer', hex('1901')],
  ['half a text', hex('6461')],
  ['bad UTF-8: a lone continuation byte', hex('6180')],
  ['bad UTF-8: overlong', hex('62c080')],
  ['bad UTF-8: a surrogate', hex('63eda080')],
  ['bad UTF-8: cut short', hex('62e282')],
  ['bad UTF-8 in a long text', concatBytes(hex('7828'), new Uint8Array(39).fill(0x61), hex('ff'))],
  ['half precision', hex('f93c00')],
  ['single precision', hex('fa3f800000')],
  ['double precision', hex('fb3ff0000000000000')],
  ['double precision with a fraction', hex('fb3ff199999999999a')],
  ['minus zero', hex('f98000')],
  ['NaN', hex('f97e00')],
  ['infinity', hex('f97c00')],
  ['minus infinity', hex('f9fc00')],
  ['a negative integer', hex('20')],
  ['the most negative integer', hex('3bffffffffffffffff')],
  ['a tag', hex('c100')],
  ['a bignum', hex('c249010000000000000000')],
  ['self-described CBOR', hex('d9d9f700')],
  ['undefined', hex('f7')],
  ['undefined inside', hex('8201f7')],
  ['a simple value', hex('f0')],
  ['a simple value in two bytes', hex('f8ff')],
  ['false in two bytes', hex('f814')],
  ['2^53', hex('1b0020000000000000')],
  ['2^64 - 1', hex('1bffffffffffffffff')],
]

describe('CONVENTIONS-1 a decoder accepts deterministic CBOR only', () => {
  test.each(MALFORMED)('refuses %s', (_, bytes) => {
    expect(() => decodeCbor(bytes, 65_536, reject)).toThrow(Refused)
  })

  test('CONVENTIONS-1 a decoder bounds the length of its input before it decodes', () => {
    const bytes = encodeCbor('x'.repeat(100))
    expect(decodeCbor(bytes, bytes.length, reject)).toHaveLength(100)
    expect(() => decodeCbor(bytes, bytes.length - 1, reject)).toThrow(/longer than 101 bytes/)
    expect(() => decodeCbor(new Uint8Array(2 ** 26).fill(0x81), 4096, reject)).toThrow(/longer than 4096/)
  })

  test('the bombs cost no time', () => {
    const start = process.cpuUsage()
    for (let i = 0; i < 200; i++) {
      for (const [, bytes] of MALFORMED) {
        expect(() => decodeCbor(bytes, 65_536, reject)).toThrow(Refused)
      }
    }
    expect(process.cpuUsage(start).user).toBeLessThan(20_000_000)
  }, 120_000)
})

describe('readers', () => {
  test('asArray', () => {
    expect(asArray([1, 2], 2, reject)).toEqual([1, 2])
    for (const value of [[1], 1, null, undefined, 'ab', Uint8Array.of(1, 2)] as const) {
      expect(() => asArray(value, 2, reject)).toThrow(Refused)
    }
  })

  test('asBytes', () => {
    const two = Uint8Array.of(1, 2)
    expect(asBytes(two, 2, reject)).toBe(two)
    expect(asBytes(two, [1, 2], reject)).toBe(two)
    expect(() => asBytes(two, 3, reject)).toThrow('expected 3 bytes')
    expect(() => asBytes(two, [3, 9], reject)).toThrow('expected 3 to 9 bytes')
    expect(() => asBytes(two, [0, 1], reject)).toThrow(Refused)
    for (const value of ['ab', [1, 2], undefined] as const) {
      expect(() => asBytes(value, 2, reject)).toThrow(Refused)
    }
  })

  test('asUint', () => {
    expect(asUint(5, 5, reject)).toBe(5)
    for (const value of [6, '5', true, null, undefined] as const) {
      expect(() => asUint(value, 5, reject)).toThrow(Refused)
    }
  })

  test('asText counts bytes, not characters', () => {
    expect(asText('éé', 4, reject)).toBe('éé')
    for (const value of ['éé€', '\ud800', 1, undefined] as const) {
      expect(() => asText(value, 4, reject)).toThrow(Refused)
    }
  })

  test('asBoolean', () => {
    expect(asBoolean(false, reject)).toBe(false)
    for (const value of [0, 'false', null, undefined] as const) {
      expect(() => asBoolean(value, reject)).toThrow(Refused)
    }
  })
})
