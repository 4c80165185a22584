/** What holds for every template: agreement with the reference, independence of keys (SPEC §6). @module */
import * as fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { embedding, toIntegers } from '../../src/embedding/embedding.ts'
import type { Bits } from '../../src/policy/operating-point.ts'
import { encodeProbe, encodeReference } from '../../src/template/template.ts'
import type { Suite } from '../../src/transform/suite.ts'
import { bytesOf, captureOf, faceOf } from '../faces.ts'
import * as reference from '../reference/template.ts'

beforeAll(() => cryptoReady())

const suites = fc.constantFrom<Suite>('B4', 'B6')
const sizes = fc.constantFrom<Bits>(64, 128, 256, 512, 1024)
const keys = fc.uint8Array({ minLength: 32, maxLength: 32 })

function integersOf(vector: Float32Array): Int32Array {
  return toIntegers(embedding(vector, { id: 'test-net@1', dimensions: vector.length, metric: 'cosine' }))
}

const ones = (bytes: Uint8Array): number =>
  bytes.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0)
const differing = (a: Uint8Array, b: Uint8Array): number => ones(a.map((byte, i) => byte ^ (b[i] ?? 0)))

/** The bits of a code before they were masked. */
function bitsOf(z: Int32Array, suite: Suite, m: Bits, key: Uint8Array): Uint8Array {
  const { mask } = encodeProbe(z, suite, m, key)
  return encodeReference(z, suite, m, key).map((byte, i) => byte ^ (mask[i] ?? 0))
}

/** Standard deviations between a count of heads among fair coins and its mean. */
const deviations = (heads: number, coins: number): number => (heads - coins / 2) / Math.sqrt(coins / 4)

test('codes, masks and probes are those of the reference', () => {
  fc.assert(
    fc.property(suites, sizes, keys, fc.integer({ min: 64, max: 700 }), (suite, m, key, d) => {
      const z = integersOf(faceOf(`face ${d}`, d))
      const plain = Array.from(z)
      expect(encodeReference(z, suite, m, key)).toEqual(reference.referenceCode(plain, suite, m, key))
      const probe = encodeProbe(z, suite, m, key)
      const expected = reference.probeCode(plain, suite, m, key)
      expect(Array.from(probe.q)).toEqual(expected.q.map((q) => q + 0))
      expect(probe.mask).toEqual(expected.mask)
    }),
    { numRuns: 40 },
  )
})

test('the sign of every step but zero is the bit of the reference', () => {
  fc.assert(
    fc.property(keys, fc.nat(), (key, label) => {
      const z = integersOf(faceOf(`signs ${label}`, 512))
      const bits = bitsOf(z, 'B4', 512, key)
      for (const [j, q] of encodeProbe(z, 'B4', 512, key).q.entries()) {
        if (q !== 0) expect(q > 0).toBe((((bits[j >> 3] ?? 0) >> (j & 7)) & 1) === 1)
      }
    }),
    { numRuns: 20 },
  )
})

test('a shorter template is the beginning of a longer one of the same size of rotation', () => {
  fc.assert(
    fc.property(suites, keys, fc.integer({ min: 257, max: 512 }), (suite, key, d) => {
      const z = integersOf(faceOf('prefix', d))
      const longest = encodeReference(z, suite, 512, key)
      const longestProbe = encodeProbe(z, suite, 512, key)
      for (const m of [64, 128, 256] as const) {
        expect(encodeReference(z, suite, m, key)).toEqual(longest.slice(0, m / 8))
        expect(encodeProbe(z, suite, m, key).q).toEqual(longestProbe.q.slice(0, m))
      }
    }),
    { numRuns: 20 },
  )
})

describe('codes of one face under different keys are independent', () => {
  const KEYS = 120
  const d = 512

  test.each([
    ['stored codes', (z: Int32Array, key: Uint8Array) => encodeReference(z, 'B4', 512, key)],
    ['unmasked bits', (z: Int32Array, key: Uint8Array) => bitsOf(z, 'B4', 512, key)],
    ['unmasked bits of six rounds', (z: Int32Array, key: Uint8Array) => bitsOf(z, 'B6', 512, key)],
  ])('%s', (name, encode) => {
    const z = integersOf(faceOf('independent', d))
    const codes = Array.from({ length: KEYS }, (_, i) => encode(z, bytesOf(`${name} ${i}`, 32)))
    let heads = 0
    let coins = 0
    let worst = 0
    let squares = 0
    codes.forEach((a, i) => {
      for (const b of codes.slice(i + 1)) {
        const found = differing(a, b)
        heads += found
        coins += 512
        worst = Math.max(worst, Math.abs(deviations(found, 512)))
        squares += deviations(found, 512) ** 2
      }
    })
    const pairs = coins / 512
    // 7140 pairs: the sum within 4.5 deviations, the worst pair within 5.5, the mean square within 10 % of 1.
    expect(Math.abs(deviations(heads, coins))).toBeLessThan(4.5)
    expect(worst).toBeLessThan(5.5)
    expect(Math.abs(squares / pairs - 1)).toBeLessThan(0.1)
  })

  test('each bit is 1 about as often as 0', () => {
    const z = integersOf(faceOf('balanced', d))
    const counts = new Array<number>(512).fill(0)
    for (let i = 0; i < 400; i++) {
      const bits = bitsOf(z, 'B4', 512, bytesOf(`balanced ${i}`, 32))
      for (let j = 0; j < 512; j++) counts[j] = (counts[j] ?? 0) + (((bits[j >> 3] ?? 0) >> (j & 7)) & 1)
    }
    for (const count of counts) expect(Math.abs(deviations(count, 400))).toBeLessThan(5)
  })
})

test('one bit of the key changes half of the code', () => {
  const z = integersOf(faceOf('avalanche', 512))
  const key = bytesOf('avalanche', 32)
  const code = encodeReference(z, 'B4', 512, key)
  const bits = bitsOf(z, 'B4', 512, key)
  let heads = 0
  for (let flipped = 0; flipped < 256; flipped++) {
    const other = key.slice()
    other[flipped >> 3] = (other[flipped >> 3] ?? 0) ^ (1 << (flipped & 7))
    const masked = differing(code, encodeReference(z, 'B4', 512, other))
    const unmasked = differing(bits, bitsOf(z, 'B4', 512, other))
    expect(Math.abs(deviations(masked, 512))).toBeLessThan(5)
    expect(Math.abs(deviations(unmasked, 512))).toBeLessThan(5)
    heads += masked
  }
  expect(Math.abs(deviations(heads, 256 * 512))).toBeLessThan(4.5)
})

test('captures of one face under one key agree, of two faces they do not', () => {
  const key = bytesOf('captures', 32)
  const code = bitsOf(integersOf(captureOf('a', 512, '1', 0.5)), 'B4', 512, key)
  const same = bitsOf(integersOf(captureOf('a', 512, '2', 0.5)), 'B4', 512, key)
  const other = bitsOf(integersOf(captureOf('b', 512, '1', 0.5)), 'B4', 512, key)
  expect(differing(code, same)).toBeLessThan(160)
  expect(differing(code, other)).toBeGreaterThan(200)
})
