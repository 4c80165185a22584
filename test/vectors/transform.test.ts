/** Rotation, templates, score and decision against the vectors (SPEC §5–§7). @module */
import { beforeAll, describe, expect, test } from 'vitest'
import { accepts } from '../../src/compare/decide.ts'
import { score } from '../../src/compare/score.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { embedding, toIntegers } from '../../src/embedding/embedding.ts'
import type { Bits } from '../../src/policy/operating-point.ts'
import { checkBits, defaultBits } from '../../src/template/bits.ts'
import { encodeProbe, encodeReference } from '../../src/template/template.ts'
import { portableKernel } from '../../src/transform/kernel.ts'
import { quantize, signBits } from '../../src/transform/quantize.ts'
import { rotate } from '../../src/transform/rotate.ts'
import { keyStream, streamMask } from '../../src/transform/stream.ts'
import { checkSuite, rotationSize } from '../../src/transform/suite.ts'
import { expectRefused, hex, int32Bytes, sampleOf, suiteOf, unhex } from './read.ts'
import file from './transform.json' with { type: 'json' }

beforeAll(cryptoReady)

interface Against {
  readonly seed: number
  readonly noise?: number
  readonly integersSha256: string
  readonly rotatedSha256: string
  readonly q: string
  readonly sum: number
  readonly energy: number
  readonly decisions: readonly { readonly threshold: number; readonly accept: boolean }[]
}

interface Rotated {
  readonly name: string
  readonly dimensions: number
  readonly bits: Bits
  readonly suite: string
  readonly rotationKey: string
  readonly seed: number
  readonly expected: {
    readonly n: number
    readonly integers: readonly number[]
    readonly integersSha256: string
    readonly stream: { readonly length: number; readonly first: string; readonly sha256: string }
    readonly rounds: readonly { readonly values: readonly number[]; readonly valuesSha256: string }[]
    readonly mask: string
    readonly code: string
    readonly probes: readonly Against[]
  }
}

interface Decided {
  readonly name: string
  readonly bits: number
  readonly sum: number
  readonly energy: number
  readonly threshold: number
  readonly accept: boolean
}

interface Refused {
  readonly name: string
  readonly code: string
  readonly dimensions?: number
  readonly bits?: unknown
  readonly suite?: string
  readonly threshold?: number | null
}

const having = <Shape extends object>(list: readonly object[], field: keyof Shape): Shape[] =>
  list.filter((vector) => field in vector) as unknown as Shape[]

function integersOf(seeds: readonly number[], d: number): Int32Array {
  return toIntegers(embedding(sampleOf(seeds, d), { id: 'example@1', dimensions: d, metric: 'cosine' }))
}

const digest = (values: Int32Array): string => hex(sha256(int32Bytes(values)))

describe('rotation and template', () => {
  const vectors = having<Rotated>(file.positive, 'rotationKey')

  test('every d, m and suite is there', () => {
    expect(new Set(vectors.map(({ dimensions, bits, suite }) => `${dimensions} ${bits} ${suite}`)).size).toBe(
      50,
    )
  })

  test.each(vectors)('$name', ({ dimensions, bits, suite: name, rotationKey, seed, expected }) => {
    const suite = suiteOf(name)
    const key = unhex(rotationKey)
    const n = rotationSize(dimensions, bits)
    const z = integersOf([seed], dimensions)
    const stream = keyStream(suite, key, n, bits)
    expect(n).toBe(expected.n)
    expect(digest(z)).toBe(expected.integersSha256)
    expect(Array.from(z.subarray(0, expected.integers.length))).toEqual(expected.integers)
    expect(stream).toHaveLength(expected.stream.length)
    expect(hex(stream.slice(0, 32))).toBe(expected.stream.first)
    expect(hex(sha256(stream))).toBe(expected.stream.sha256)
    expected.rounds.forEach(({ values, valuesSha256 }, r) => {
      const after = new Int32Array(n)
      after.set(z)
      portableKernel.rotate(after, r + 1, stream)
      expect(Array.from(after.subarray(0, values.length)), `round ${r + 1}`).toEqual(values)
      expect(digest(after), `round ${r + 1}`).toBe(valuesSha256)
    })
    expect(digest(rotate(z, suite, n, stream))).toBe(expected.rounds.at(-1)?.valuesSha256)
    expect(hex(streamMask(stream, bits))).toBe(expected.mask)
    const code = encodeReference(z, suite, bits, key)
    expect(hex(code)).toBe(expected.code)

    for (const against of expected.probes) {
      const seeds = against.noise === undefined ? [against.seed] : [against.seed, against.noise]
      const fresh = integersOf(seeds, dimensions)
      expect(digest(fresh)).toBe(against.integersSha256)
      expect(digest(rotate(fresh, suite, n, stream))).toBe(against.rotatedSha256)
      const probe = encodeProbe(fresh, suite, bits, key)
      expect(hex(new Uint8Array(probe.q))).toBe(against.q)
      expect(hex(probe.mask)).toBe(expected.mask)
      const found = score(code, probe)
      expect(found).toEqual({ sum: against.sum, energy: against.energy })
      for (const { threshold, accept } of against.decisions)
        expect(accepts(found.sum, found.energy, bits, threshold), `T ${threshold}`).toBe(accept)
    }
  })
})

interface Quantised {
  readonly name: string
  readonly n: number
  readonly values: readonly number[]
  readonly q: readonly number[]
  readonly bits: string
}

test.each(having<Quantised>(file.positive, 'values'))('$name', ({ n, values, q, bits }) => {
  const v = new Int32Array(n)
  v.set(values)
  expect(Array.from(quantize(v, 64)).slice(0, values.length)).toEqual(q)
  expect(hex(signBits(v, 64))).toBe(bits)
})

describe('sizes, suites and thresholds', () => {
  test.each(having<{ name: string; dimensions: number; defaultBits: number }>(file.positive, 'defaultBits'))(
    '$name',
    (vector) => {
      expect(defaultBits(vector.dimensions)).toBe(vector.defaultBits)
    },
  )

  test.each([...having<Decided>(file.positive, 'accept'), ...having<Decided>(file.negative, 'accept')])(
    '$name',
    ({ sum, energy, bits, threshold, accept }) => {
      expect(accepts(sum, energy, bits, threshold)).toBe(accept)
    },
  )

  test.each(having<Refused>(file.negative, 'code'))('refuses $name', (vector) => {
    const { name, code, dimensions, bits, suite, threshold } = vector
    if (dimensions !== undefined) expectRefused(() => checkBits(dimensions, bits, false), code, name)
    else if (suite === undefined)
      expectRefused(() => accepts(100, 100, 64, threshold ?? Number.NaN), code, name)
    else {
      expectRefused(() => checkSuite(suite), code, name)
      expectRefused(() => keyStream(suiteOf(suite), new Uint8Array(32), 64, 64), code, name)
    }
  })
})
