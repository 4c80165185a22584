/** Laws of CBOR and of the text forms of bytes, and a fuzz of the decoder. @module */
import { isDeepStrictEqual } from 'node:util'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  compareBytes,
  concatBytes,
  equalBytes,
  fromBase64,
  fromHex,
  readU32be,
  toBase64Url,
  toHex,
  u32be,
  utf8,
} from '../../src/base/bytes.ts'
import { type CborValue, decodeCbor, encodeCbor } from '../../src/base/cbor.ts'

class Refused extends Error {}
const reject = (why: string): Error => new Refused(why)
const MAX_BYTES = 65_536

/** Well-formed text, often with what decoders like to change. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.constantFrom('\ufeff', '\ufeffmark', 'a\u0301', '\u0000', '\uffff', '😀'.repeat(20)),
)

const { value } = fc.letrec<{ value: CborValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 6, withCrossShrink: true },
    fc.maxSafeNat(),
    fc.constantFrom(0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER),
    text,
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 30 }),
  ),
}))

describe('CBOR', () => {
  test('what is encoded decodes to the same value, and that to the same bytes', () => {
    fc.assert(
      fc.property(value, (one) => {
        const bytes = encodeCbor(one)
        const decoded = decodeCbor(bytes, bytes.length, reject)
        expect(decoded).toEqual(one)
        expect(equalBytes(encodeCbor(decoded), bytes)).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })

  test('different values have different encodings', () => {
    fc.assert(
      fc.property(value, value, (one, other) => {
        expect(equalBytes(encodeCbor(one), encodeCbor(other))).toBe(isDeepStrictEqual(one, other))
      }),
      { numRuns: 1000 },
    )
  })

  test('of any bytes, either the encoding of a value or the caller’s error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        decodesOrRefuses(bytes)
      }),
      { numRuns: 20_000 },
    )
  })
})

/** True when the bytes were accepted. Throws for anything but a canonical value or `Refused`. */
function decodesOrRefuses(bytes: Uint8Array): boolean {
  let decoded: CborValue
  try {
    decoded = decodeCbor(bytes, MAX_BYTES, reject)
  } catch (error) {
    if (error instanceof Refused) return false
    throw error
  }
  if (!equalBytes(encodeCbor(decoded), bytes)) throw new Error(`not canonical: ${toHex(bytes)}`)
  return true
}

/** A small generator with a printed seed, so that a failure can be repeated. */
function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
}

/** One to four changes: a bit, a byte, a cut, an insertion, a repeated piece. */
function mutate(bytes: Uint8Array, random: () => number): Uint8Array {
  let mutated: Uint8Array = Uint8Array.from(bytes)
  for (let changes = 1 + (random() % 4); changes > 0; changes--) {
    const at = random() % (mutated.length + 1)
    const kind = random() % 5
    if (kind === 0 && at < mutated.length) mutated[at] = (mutated[at] as number) ^ (1 << (random() % 8))
    else if (kind === 1 && at < mutated.length) mutated[at] = random() % 256
    else if (kind === 2) mutated = mutated.slice(0, at)
    else if (kind === 3) {
      mutated = concatBytes(mutated.subarray(0, at), Uint8Array.of(random() % 256), mutated.subarray(at))
    } else {
      mutated = concatBytes(mutated.subarray(0, at), mutated.subarray(at >> 1))
    }
  }
  return mutated
}

test('200,000 mutated encodings: a value or the caller’s error, in bounded time', () => {
  const seed = 20_261_121
  const random = mulberry32(seed)
  const seeds: readonly CborValue[] = [
    [1, 'realm', new Uint8Array(16), 'login', 'arcface-r100@1', new Uint8Array(32), 512, 'B4', 1.7e12],
    [[[[[[[[0]]]]]]]],
    ['x'.repeat(300), 'é水😀', '\ufeff'],
    [null, true, false, [], '', new Uint8Array(0)],
    Number.MAX_SAFE_INTEGER,
  ]
  const encodings = seeds.map(encodeCbor)
  const start = process.cpuUsage()
  let accepted = 0
  let refused = 0
  for (let i = 0; i < 200_000; i++) {
    const mutated = mutate(encodings[i % encodings.length] as Uint8Array, random)
    if (decodesOrRefuses(mutated)) accepted++
    else refused++
  }
  console.log(`seed ${seed}: ${accepted} accepted, ${refused} refused`)
  expect(accepted + refused).toBe(200_000)
  expect(accepted).toBeGreaterThan(1000)
  expect(refused).toBeGreaterThan(100_000)
  // Processor time: a busy machine is not a slow decoder.
  expect(process.cpuUsage(start).user).toBeLessThan(60_000_000)
}, 120_000)

describe('bytes', () => {
  const bytes = fc.uint8Array({ maxLength: 200 })

  test('hexadecimal and base64 agree with the platform and lead back', () => {
    fc.assert(
      fc.property(bytes, (one) => {
        const buffer = Buffer.from(one)
        expect(toHex(one)).toBe(buffer.toString('hex'))
        expect(toBase64Url(one)).toBe(buffer.toString('base64url'))
        expect(fromHex(toHex(one))).toEqual(one)
        expect(fromBase64(toBase64Url(one))).toEqual(one)
        expect(fromBase64(buffer.toString('base64'))).toEqual(one)
      }),
      { numRuns: 500 },
    )
  })

  test('a text is base64 for us only when it is the one text of its bytes', () => {
    const texts = fc.stringMatching(/^[A-Za-z0-9+/_=-]{0,12}$/)
    fc.assert(
      fc.property(texts, (one) => {
        const decoded = fromBase64(one)
        if (decoded === undefined) return
        const digits = one.replace(/=+$/, '')
        expect(digits.replaceAll('+', '-').replaceAll('/', '_')).toBe(toBase64Url(decoded))
        expect(one === digits || one.length % 4 === 0).toBe(true)
        expect(/[-_]/.test(one) && /[+/]/.test(one)).toBe(false)
      }),
      { numRuns: 5000 },
    )
  })

  test('compareBytes orders as Buffer does; equalBytes is its zero', () => {
    fc.assert(
      fc.property(bytes, bytes, (one, other) => {
        expect(compareBytes(one, other)).toBe(Buffer.compare(one, other))
        expect(equalBytes(one, other)).toBe(Buffer.compare(one, other) === 0)
        expect(equalBytes(one, Uint8Array.from(one))).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  test('u32be leads back', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (n) => readU32be(u32be(n)) === n))
  })

  test('utf8 agrees with the platform, or the text has a lone surrogate', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) }),
        (one) => {
          const encoded = utf8(one)
          const lone = Buffer.from(one).toString() !== one
          if (encoded === undefined) expect(lone).toBe(true)
          else expect(Buffer.from(encoded).toString()).toBe(one)
        },
      ),
      { numRuns: 2000 },
    )
  })
})
