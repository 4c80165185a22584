/** Byte strings: allocation, wiping, comparison and text forms. @module */
import { describe, expect, test } from 'vitest'
import {
  compareBytes,
  concatBytes,
  equalBytes,
  fromBase64,
  fromHex,
  labelBytes,
  readU32be,
  secretBytes,
  toBase64Url,
  toHex,
  u32be,
  utf8,
  utf8Length,
  wipe,
} from '../../src/base/bytes.ts'

describe('secretBytes', () => {
  test('is zeroed and sits on an ArrayBuffer of its own', () => {
    const secret = secretBytes(32)
    expect(secret).toEqual(new Uint8Array(32))
    expect(secret.buffer.byteLength).toBe(32)
  })
})

describe('wipe', () => {
  test('zeroes exactly the bytes of each view', () => {
    const buffer = Uint8Array.from({ length: 16 }, () => 255)
    wipe(buffer.subarray(2, 5), new DataView(buffer.buffer, 8, 2), undefined)
    expect(toHex(buffer)).toBe('ffff000000ffffff0000ffffffffffff')
    const doubles = Float64Array.of(1.5, -2.5)
    wipe(doubles)
    expect([...doubles]).toEqual([0, 0])
    const long = BigUint64Array.of(5n, 7n)
    wipe(long, new Uint8Array(0))
    expect([...long]).toEqual([0n, 0n])
  })

  test('does not use what the view has of its own', () => {
    class Stubborn extends Uint8Array {
      override fill(): this {
        return this
      }
    }
    const stubborn = Stubborn.of(1, 2, 3)
    wipe(stubborn)
    expect([...stubborn]).toEqual([0, 0, 0])
  })

  test('does not throw for a detached buffer', () => {
    const gone = new Uint8Array(8)
    const view = new DataView(gone.buffer)
    structuredClone(gone.buffer, { transfer: [gone.buffer] })
    wipe(gone, view)
    expect(gone.length).toBe(0)
  })
})

describe('concatBytes', () => {
  test('joins in order into new memory', () => {
    const first = Uint8Array.of(1, 2)
    const joined = concatBytes(first, new Uint8Array(0), Uint8Array.of(3))
    first[0] = 9
    expect([...joined]).toEqual([1, 2, 3])
    expect(concatBytes()).toHaveLength(0)
  })
})

describe('equalBytes', () => {
  test('sees a difference in any bit and in length', () => {
    const a = Uint8Array.from({ length: 32 }, (_, i) => i)
    expect(equalBytes(a, Uint8Array.from(a))).toBe(true)
    for (let bit = 0; bit < 256; bit++) {
      const b = Uint8Array.from(a)
      b[bit >> 3] = (b[bit >> 3] as number) ^ (1 << (bit & 7))
      expect(equalBytes(a, b)).toBe(false)
    }
    expect(equalBytes(a, a.subarray(1))).toBe(false)
    expect(equalBytes(new Uint8Array(0), new Uint8Array(0))).toBe(true)
  })
})

describe('compareBytes', () => {
  test.each([
    ['', '', 0],
    ['', '00', -1],
    ['00', '', 1],
    ['01', '00ff', 1],
    ['00ff', '01', -1],
    ['7f', '80', -1],
    ['abcd', 'abcd', 0],
    ['abcd', 'abce', -1],
  ] as const)('%j against %j is %i', (a, b, order) => {
    expect(compareBytes(fromHex(a) as Uint8Array, fromHex(b) as Uint8Array)).toBe(order)
  })
})

describe('hexadecimal', () => {
  test('both ways for every byte', () => {
    const all = Uint8Array.from({ length: 256 }, (_, i) => i)
    expect(toHex(all.subarray(250))).toBe('fafbfcfdfeff')
    expect(fromHex(toHex(all))).toEqual(all)
  })

  test.each(['0', '0g', 'g0', 'AB', ' 0', '0x', '\u0660\u0660'])('refuses %j', (text) => {
    expect(fromHex(text)).toBeUndefined()
  })
})

describe('base64', () => {
  // RFC 4648 §10
  test.each([
    ['', ''],
    ['66', 'Zg=='],
    ['666f', 'Zm8='],
    ['666f6f', 'Zm9v'],
    ['666f6f62', 'Zm9vYg=='],
    ['666f6f6261', 'Zm9vYmE='],
    ['666f6f626172', 'Zm9vYmFy'],
    ['fbff', '+/8='],
  ])('%s is %s, with padding and without, in both alphabets', (hex, base64) => {
    const bytes = fromHex(hex) as Uint8Array
    const unpadded = base64.replaceAll('=', '')
    const url = unpadded.replaceAll('+', '-').replaceAll('/', '_')
    expect(toBase64Url(bytes)).toBe(url)
    for (const text of [base64, unpadded, url]) expect(fromBase64(text)).toEqual(bytes)
  })

  test.each([
    ['one digit left over', 'Z'],
    ['one digit left over', 'Zm9vY'],
    ['padding in the middle', 'Zg==Zg=='],
    ['padding too short', 'Zg='],
    ['padding too long', 'Zm9v===='],
    ['padding alone', '='],
    ['padding alone', '===='],
    ['unused bits', 'Zh=='],
    ['unused bits', 'Zm9='],
    ['white space', 'Zm 9v'],
    ['line break', 'Zm9v\n'],
    ['both alphabets', '+_8='],
    ['both alphabets', '-/8='],
    ['another alphabet', 'Zm9v.'],
    ['beyond ASCII', 'Zm9\u0416'],
  ])('refuses %s: %j', (_, text) => {
    expect(fromBase64(text)).toBeUndefined()
  })
})

describe('utf8', () => {
  test('encodes well-formed text and nothing else', () => {
    expect(toHex(utf8('aé€𐍈') as Uint8Array)).toBe('61c3a9e282acf0908d88')
    expect(utf8('')).toHaveLength(0)
    expect(utf8('\ud800')).toBeUndefined()
    expect(utf8('a\udc00b')).toBeUndefined()
    expect(toHex(utf8('x'.repeat(128)) as Uint8Array)).toBe('78'.repeat(128))
    expect(toHex(utf8('x'.repeat(129)) as Uint8Array)).toBe('78'.repeat(129))
    for (const text of ['', 'plain', 'aé€𐍈', 'x'.repeat(500), '\t']) {
      expect(utf8Length(text)).toBe(new TextEncoder().encode(text).length)
    }
    expect(utf8Length('\ud800')).toBeUndefined()
  })
})

describe('labelBytes', () => {
  test('puts the length before the text', () => {
    expect(toHex(labelBytes('ab/1'))).toBe('0461622f31')
    expect(labelBytes('x'.repeat(255))[0]).toBe(255)
  })

  test.each(['', 'x'.repeat(256), 'a b', 'a\n', 'é', '\x7f'])('refuses %j', (label) => {
    expect(() => labelBytes(label)).toThrow(RangeError)
  })
})

describe('u32be', () => {
  test.each([
    [0, '00000000'],
    [1, '00000001'],
    [0x01020304, '01020304'],
    [0xffffffff, 'ffffffff'],
  ])('%i both ways', (value, hex) => {
    expect(toHex(u32be(value))).toBe(hex)
    expect(readU32be(u32be(value))).toBe(value)
    expect(readU32be(concatBytes(Uint8Array.of(7), u32be(value)).subarray(1))).toBe(value)
    expect(readU32be(concatBytes(Uint8Array.of(7), u32be(value)), 1)).toBe(value)
  })

  test.each([-1, 2 ** 32, 0.5, Number.NaN])('refuses %d', (value) => {
    expect(() => u32be(value)).toThrow(RangeError)
  })

  test('does not read past the end of the view', () => {
    expect(() => readU32be(new Uint8Array(8).subarray(0, 3))).toThrow(RangeError)
    expect(() => readU32be(new Uint8Array(4), 1)).toThrow(RangeError)
    expect(() => readU32be(new Uint8Array(8), -1)).toThrow(RangeError)
  })
})
