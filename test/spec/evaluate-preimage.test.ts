/** SPEC §15.6: preimages of codes whose keys are known, beside the laws that they follow. @module */

import { beforeAll, describe, expect, test } from 'vitest'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import type { Model } from '../../src/embedding/model.ts'
import { DoubleRotation } from '../../src/evaluate/double-rotation.ts'
import { InformedThief } from '../../src/evaluate/informed-preimage.ts'
import { type Population, population } from '../../src/evaluate/population.ts'
import { integersOf, linearPreimage, unmask } from '../../src/evaluate/preimage.ts'
import { SeededRandom, seededKey } from '../../src/evaluate/random.ts'
import type { Bits } from '../../src/policy/operating-point.ts'
import { encodeReference } from '../../src/template/template.ts'
import { rotationSize } from '../../src/transform/suite.ts'
import { dot, matrix, row, solver } from '../attack/matrix.ts'

const SUITE = 'B4'

beforeAll(cryptoReady)

function modelOf(dimensions: number): Model {
  return { id: 'synthetic@1', dimensions, metric: 'cosine' }
}

/** Box and Muller. */
function normal(random: SeededRandom): number {
  const uniform = (): number => (random.below(2 ** 30) + 1) / 2 ** 30
  return Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform())
}

/** A unit vector of a normal distribution with these deviations. */
function drawFace(random: SeededRandom, deviations: readonly number[]): Float64Array {
  const face = Float64Array.from(deviations, (deviation) => deviation * normal(random))
  const length = Math.sqrt(dot(face, face))
  return face.map((value) => value / length)
}

/** Variances that sum to one. */
function spectrum(dimensions: number, exponent: number): readonly number[] {
  const variances = Array.from({ length: dimensions }, (_, i) => (i + 1) ** -exponent)
  const sum = variances.reduce((total, value) => total + value, 0)
  return variances.map((value) => value / sum)
}

function populationWith(variances: readonly number[], mean = new Float64Array(variances.length)): Population {
  const { data } = matrix(variances.length, variances.length, (i, j) =>
    i === j ? (variances[i] as number) : 0,
  )
  return population(mean, data)
}

function cosineOf(a: Float64Array, b: Float64Array): number {
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
}

interface Broken {
  readonly face: Float64Array
  readonly linear: Float64Array
  readonly prior: Float64Array
  readonly signs: Float64Array
  readonly rotation: DoubleRotation
}

/** Faces drawn, encoded by the library, stolen with their keys. */
function breakAll(
  variances: readonly number[],
  bits: Bits,
  count: number,
  known = populationWith(variances),
): Broken[] {
  const dimensions = variances.length
  const deviations = variances.map(Math.sqrt)
  const random = new SeededRandom('faces', 'test', dimensions, bits)
  return Array.from({ length: count }, (_, i) => {
    const face = drawFace(random, deviations)
    const key = seededKey('keys', bits, i)
    const code = encodeReference(integersOf(face, modelOf(dimensions)), SUITE, bits, key)
    const n = rotationSize(dimensions, bits)
    const rotation = new DoubleRotation(SUITE, key, n)
    const signs = unmask(code, key, SUITE, n)
    const { face: prior } = new InformedThief(known, rotation, [bits]).posterior(signs)
    return { face, linear: linearPreimage(code, key, { suite: SUITE, dimensions }), prior, signs, rotation }
  })
}

function meanCosine(broken: readonly Broken[], kind: 'linear' | 'prior'): number {
  return broken.reduce((sum, one) => sum + cosineOf(one[kind], one.face), 0) / broken.length
}

describe('EVALUATE-43', () => {
  test.each([
    [128, 0.399],
    [256, 0.564],
    [512, 0.798],
    [1024, 0.882],
  ] as const)('EVALUATE-43 isotropic faces, d = 512, m = %i: the linear preimage lies at %d', (bits, law) => {
    const broken = breakAll(spectrum(512, 0), bits, 40)
    expect(Math.abs(meanCosine(broken, 'linear') - law)).toBeLessThan(0.01)
    // Nothing is nearer as long as m ≤ d, and the posterior mean is the same direction.
    if (bits < 512)
      expect(cosineOf(broken[0]?.prior as Float64Array, broken[0]?.linear as Float64Array)).toBeGreaterThan(
        0.9999,
      )
    else expect(meanCosine(broken, 'prior')).toBeGreaterThan(law - 0.005)
  })
})

/** Cov(x, b)·Cov(b)⁻¹·b for a normal population of mean zero, plainly from its matrices. */
function linearEstimate({ signs, rotation }: Broken, variances: readonly number[]): Float64Array {
  const dimensions = variances.length
  const rows = matrix(signs.length, dimensions)
  for (let j = 0; j < signs.length; j++) {
    const unit = new Float64Array(rotation.n)
    unit[j] = 1
    rotation.turnBack(unit)
    rows.data.set(unit.subarray(0, dimensions), j * dimensions)
  }
  const spread = Array.from({ length: signs.length }, (_, j) =>
    row(rows, j).map((value, i) => value * (variances[i] as number)),
  )
  const deviations = spread.map((values, j) => Math.sqrt(dot(values, row(rows, j))))
  const agreement = matrix(signs.length, signs.length, (i, j) => {
    const correlation =
      dot(spread[i] as Float64Array, row(rows, j)) / ((deviations[i] as number) * (deviations[j] as number))
    return Math.asin(Math.max(-1, Math.min(1, correlation)))
  })
  const weights = solver(agreement, 0)(signs)
  const face = new Float64Array(dimensions)
  spread.forEach((values, j) => {
    for (let i = 0; i < dimensions; i++) {
      face[i] =
        (face[i] as number) + ((weights[j] as number) / (deviations[j] as number)) * (values[i] as number)
    }
  })
  return face
}

describe('EVALUATE-44', () => {
  test.each([
    [64, 0.416],
    [128, 0.535],
    [256, 0.665],
    [512, 0.828],
    [1024, 0.895],
  ] as const)(
    'EVALUATE-44 variances i^−0.66 known, d = 512, m = %i: %d, or somewhat better for m ≥ d',
    (bits, law) => {
      const found = meanCosine(breakAll(spectrum(512, 0.66), bits, 32), 'prior')
      expect(found).toBeGreaterThan(law - 0.02)
      expect(found).toBeLessThan(law + (bits < 512 ? 0.02 : 0.03))
    },
  )

  test.each([
    [128, 64, 0.66],
    [128, 128, 0.66],
    [128, 256, 0.66],
    [128, 64, 1.5],
    [128, 128, 1.5],
    [192, 128, 1],
  ] as const)(
    'EVALUATE-44 d = %i, m = %i, variances i^−%d: no farther than the best linear estimate',
    (dimensions, bits, exponent) => {
      const variances = spectrum(dimensions, exponent)
      const broken = breakAll(variances, bits, 40)
      const linear = broken.map((one) => cosineOf(linearEstimate(one, variances), one.face))
      const best = linear.reduce((sum, value) => sum + value, 0) / linear.length
      expect(meanCosine(broken, 'prior')).toBeGreaterThan(best - 0.001)
      expect(best).toBeGreaterThan(meanCosine(broken, 'linear') + 0.001)
    },
  )

  test('EVALUATE-44 the posterior mean is that of faces drawn until the signs fit, with a mean that is not zero', () => {
    const variances = spectrum(16, 0.66)
    const mean = Float64Array.from(variances, (_, i) => (i % 3 === 0 ? 0.2 : -0.05))
    const known = populationWith(variances, mean)
    const random = new SeededRandom('rejection', 'test')
    const rotation = new DoubleRotation(SUITE, seededKey('small', 1), 16)
    for (const bits of [4, 6]) {
      const one = mean.map((value, k) => value + Math.sqrt(variances[k] as number) * normal(random))
      rotation.turn(one)
      const signs = one.subarray(0, bits).map((value) => (value < 0 ? -1 : 1))
      const { face, precision, sites } = new InformedThief(known, rotation, [bits]).posterior(signs)
      const sum = new Float64Array(16)
      let kept = 0
      for (let i = 0; i < 100_000; i++) {
        const drawn = mean.map((value, k) => value + Math.sqrt(variances[k] as number) * normal(random))
        const turned = drawn.slice()
        rotation.turn(turned)
        if (!signs.every((sign, j) => sign * (turned[j] as number) > 0)) continue
        kept++
        for (let k = 0; k < 16; k++) sum[k] = (sum[k] as number) + (drawn[k] as number)
      }
      expect(kept).toBeGreaterThan(300)
      expect(cosineOf(face, sum)).toBeGreaterThan(0.97)
      expect(Math.sqrt(dot(face, face)) / (Math.sqrt(dot(sum, sum)) / kept)).toBeCloseTo(1, 0)
      expect(precision).toBeGreaterThan(0)
      expect(sites).toHaveLength(bits)
    }
  })
})
