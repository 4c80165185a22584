/** What holds for every key and every vector (SPEC §5). @module */
import * as fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { portableKernel } from '../../src/transform/kernel.ts'
import { quantize, signBits, stepOf } from '../../src/transform/quantize.ts'
import { rotate } from '../../src/transform/rotate.ts'
import { keyStream } from '../../src/transform/stream.ts'
import type { Suite } from '../../src/transform/suite.ts'
import { bytesOf, faceOf } from '../faces.ts'
import * as template from '../reference/template.ts'
import * as reference from '../reference/transform.ts'

beforeAll(() => cryptoReady())

const SIZES = [64, 128, 256, 512, 1024, 2048, 4096] as const
const suites = fc.constantFrom<Suite>('B4', 'B6')
const keys = fc.uint8Array({ minLength: 32, maxLength: 32 })

/** Integers of norm 2^20. */
function integersOf(label: string, dimensions: number): Int32Array {
  const face = faceOf(label, dimensions)
  const norm = Math.sqrt(face.reduce((sum, value) => sum + value * value, 0))
  return Int32Array.from(face, (value) => Math.round((2 ** 20 * value) / norm))
}

const normOf = (values: ArrayLike<number>): number =>
  Math.sqrt(Array.from(values).reduce((sum, value) => sum + value * value, 0))

/** Undoes the rounds last to first in doubles: everything but the rounding comes back. */
function unrotate(values: Int32Array, rounds: number, stream: Uint8Array): number[] {
  const n = values.length
  const levels = reference.log2(n)
  const bit = (at: number): boolean => (((stream[at >> 3] ?? 0) >> (at & 7)) & 1) === 1
  let v = Array.from(values)
  for (let round = rounds; round >= 1; round--) {
    const start = (round - 1) * ((n / 2) * levels + n)
    const shift = Math.floor((round * levels) / 2) - Math.floor(((round - 1) * levels) / 2)
    for (let h = 1; h < n; h *= 2) {
      v = v.map((value, i) => ((i & h) === 0 ? value + (v[i + h] ?? 0) : (v[i - h] ?? 0) - value))
    }
    v = v.map((value) => (value * 2 ** shift) / n)
    v = v.map((value, i) => (bit(start + (n / 2) * levels + i) ? -value : value))
    for (let stage = levels - 1; stage >= 0; stage--) {
      const h = n >> (stage + 1)
      let at = start + (n / 2) * stage
      for (let i = 0; i < n; i++) {
        if ((i & h) === 0 && bit(at++)) [v[i], v[i + h]] = [v[i + h] ?? 0, v[i] ?? 0]
      }
    }
  }
  return v
}

describe.each(SIZES)('n = %i', (n) => {
  test('the kernel computes the integers of the reference', () => {
    fc.assert(
      fc.property(suites, keys, fc.nat(), (suite, key, label) => {
        const z = integersOf(`z ${label}`, n)
        const stream = keyStream(suite, key, n, 64)
        expect(Array.from(stream)).toEqual(Array.from(reference.keyStream(suite, key, n, 64)))
        const expected = reference.rotate(Array.from(z), suite, n, stream).values
        expect(Array.from(rotate(z, suite, n, stream))).toEqual(expected.map((value) => value + 0))
      }),
      { numRuns: n > 1000 ? 5 : 20 },
    )
  })

  test('the kernel agrees with the reference for any number of rounds', () => {
    for (const rounds of [1, 2, 3, 5]) {
      // The reference knows suites only: as many of its six rounds as are asked for.
      const stream = keyStream('B6', bytesOf(`rounds ${rounds}`, 32), n, 64)
      const z = integersOf(`rounds ${rounds}`, n)
      const expected = reference.rotate(Array.from(z), 'B6', n, stream).rounds[rounds - 1]
      portableKernel.rotate(z, rounds, stream)
      expect(Array.from(z)).toEqual(expected?.scaled.map((value) => value + 0))
    }
  })

  test('the norm stays but for rounding, and the rotation can be undone', () => {
    fc.assert(
      fc.property(suites, keys, fc.nat(), (suite, key, label) => {
        const rounds = suite === 'B4' ? 4 : 6
        const z = integersOf(`norm ${label}`, n)
        const stream = keyStream(suite, key, n, 64)
        const values = rotate(z, suite, n, stream)
        // Each round rounds n values by a half at most; odd rounds may be √2 too long or too short.
        const rounding = rounds * 0.5 * Math.sqrt(n) * Math.SQRT2
        expect(Math.abs(normOf(values) - normOf(z))).toBeLessThanOrEqual(rounding)
        const back = unrotate(values, rounds, stream)
        expect(normOf(back.map((value, i) => value - (z[i] ?? 0)))).toBeLessThanOrEqual(rounding)
      }),
      { numRuns: n > 1000 ? 3 : 10 },
    )
  })

  test('the largest sums fit: a single value, equal values, alternating signs', () => {
    const patterns = [
      (i: number) => (i === 0 ? 2 ** 20 : 0),
      () => Math.round(2 ** 20 / Math.sqrt(n)),
      (i: number) => Math.round(2 ** 20 / Math.sqrt(n)) * (i % 2 === 0 ? 1 : -1),
    ]
    for (const pattern of patterns) {
      const z = Int32Array.from({ length: n }, (_, i) => pattern(i))
      for (const stream of [
        new Uint8Array(60_000),
        new Uint8Array(60_000).fill(255),
        keyStream('B6', bytesOf('sums', 32), n, 64),
      ]) {
        const expected = reference.rotate(Array.from(z), 'B6', n, stream).values
        expect(Array.from(rotate(z, 'B6', n, stream))).toEqual(expected.map((value) => value + 0))
      }
    }
  })

  test('the quantiser and the sign bits are those of the reference', () => {
    const step = stepOf(n)
    const coordinates = fc.oneof(
      fc.integer({ min: -(2 ** 26), max: 2 ** 26 }),
      fc.integer({ min: -9 * step, max: 9 * step }),
    )
    fc.assert(
      fc.property(fc.array(coordinates, { minLength: 64, maxLength: 64 }), (first) => {
        const values = new Int32Array(n)
        values.set(first)
        expect(Array.from(quantize(values, 64))).toEqual(
          template.quantise(Array.from(values), 64).map((q) => q + 0),
        )
        expect(signBits(values, 64)).toEqual(template.signBits(Array.from(values), 64))
      }),
    )
  })
})

test('padding with zeros changes nothing', () => {
  fc.assert(
    fc.property(keys, fc.integer({ min: 64, max: 511 }), (key, d) => {
      const z = integersOf('padding', d)
      const padded = new Int32Array(512)
      padded.set(z)
      const stream = keyStream('B4', key, 512, 64)
      expect(rotate(z, 'B4', 512, stream)).toEqual(rotate(padded, 'B4', 512, stream))
    }),
    { numRuns: 20 },
  )
})
