/** The parts of an inversion: rotation in doubles, linear algebra, population (SPEC §15.6). @module */

import { beforeAll, describe, expect, test } from 'vitest'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { syntheticPeople } from '../../src/dataset/synthetic.ts'
import { DoubleRotation } from '../../src/evaluate/double-rotation.ts'
import { inversionReport } from '../../src/evaluate/inversion.ts'
import {
  conjugateGradients,
  solveTridiagonal,
  timesVector,
  traceOfInverse,
  tridiagonalise,
  turnIn,
  turnOut,
} from '../../src/evaluate/linear-algebra.ts'
import { loadPeople, type People } from '../../src/evaluate/people.ts'
import { populationOf } from '../../src/evaluate/population.ts'
import { SeededRandom, seededKey } from '../../src/evaluate/random.ts'
import { rotate } from '../../src/transform/rotate.ts'
import { keyStream } from '../../src/transform/stream.ts'
import { dot, matrix, solver } from '../attack/matrix.ts'

beforeAll(cryptoReady)

function uniform(random: SeededRandom): number {
  return random.below(2 ** 30) / 2 ** 29 - 1
}

async function load(subjects: number, samples: number, dimensions: number): Promise<People> {
  const dataset = syntheticPeople({ seed: 'parts', subjects, samples, dimensions })
  return loadPeople(dataset, { model: { id: 'synthetic@1', dimensions, metric: 'cosine' } })
}

describe('the rotation in doubles', () => {
  test.each([
    [64, 'B4'],
    [512, 'B4'],
    [1024, 'B6'],
  ] as const)('is that of the library, but for its scale and rounding: n = %i, %s', (n, suite) => {
    const random = new SeededRandom('rotation', 'test', n)
    const key = seededKey('rotation', n)
    const z = Int32Array.from({ length: n }, () => Math.floor((uniform(random) * 2 ** 20) / Math.sqrt(n)))
    const turned = Float64Array.from(z)
    const rotation = new DoubleRotation(suite, key, n)
    rotation.turn(turned)
    const exact = rotate(z, suite, n, keyStream(suite, key, n, 0))
    const length = (values: ArrayLike<number>): number => Math.sqrt(dot(values, values))
    expect(length(turned) / length(z)).toBeCloseTo(1, 12)
    const scale = length(exact) / length(turned)
    for (let i = 0; i < n; i++) {
      expect(Math.abs((exact[i] as number) - scale * (turned[i] as number))).toBeLessThan(40)
    }
    rotation.turnBack(turned)
    for (let i = 0; i < n; i++) expect(turned[i]).toBeCloseTo(z[i] as number, 6)
    rotation.wipe()
    rotation.turn(turned)
    expect(turned.every((value) => value === 0)).toBe(true)
  })
})

describe('linear algebra', () => {
  const n = 23
  const random = (): SeededRandom => new SeededRandom('algebra', 'test')
  /** Symmetric, positive definite; within rows of 30. */
  function example(): Float64Array {
    const draw = random()
    const parts = Array.from({ length: n }, () => Float64Array.from({ length: n }, () => uniform(draw)))
    const wide = new Float64Array(n * 30).fill(99)
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        wide[i * 30 + j] = dot(parts[i] as Float64Array, parts[j] as Float64Array) + Number(i === j)
      }
    }
    return wide
  }

  test('a matrix is Q·T·Qᵀ', () => {
    const a = example()
    const reduced = tridiagonalise(a, n, 30)
    for (let column = 0; column < n; column++) {
      const x = new Float64Array(n)
      x[column] = 1
      turnIn(reduced, x)
      expect(dot(x, x)).toBeCloseTo(1, 12)
      const image = x.map(
        (value, i) =>
          value * (reduced.diagonal[i] as number) +
          (i > 0 ? (reduced.beside[i - 1] as number) * (x[i - 1] as number) : 0) +
          (i + 1 < n ? (reduced.beside[i] as number) * (x[i + 1] as number) : 0),
      )
      turnOut(reduced, image)
      for (let i = 0; i < n; i++) expect(image[i]).toBeCloseTo(a[i * 30 + column] as number, 10)
    }
  })

  test('solutions, traces and determinants agree with those of plain elimination', () => {
    const a = example()
    const reduced = tridiagonalise(a, n, 30)
    const plain = solver(
      matrix(n, n, (i, j) => 0.7 * (a[i * 30 + j] as number)),
      0.3,
    )
    const draw = random()
    const b = Float64Array.from({ length: n }, () => uniform(draw))
    const x = b.slice()
    turnIn(reduced, x)
    solveTridiagonal(reduced, 0.3, 0.7, x)
    turnOut(reduced, x)
    const expected = plain(b)
    const found = conjugateGradients(
      (vector, into) => {
        timesVector(a, 30, vector, into)
        for (let i = 0; i < n; i++) into[i] = 0.7 * (into[i] as number) + 0.3 * (vector[i] as number)
      },
      b,
      { accuracy: 1e-12, most: 500 },
    )
    let trace = 0
    for (let i = 0; i < n; i++) {
      expect(x[i]).toBeCloseTo(expected[i] as number, 9)
      expect(found[i]).toBeCloseTo(expected[i] as number, 9)
      const unit = new Float64Array(n)
      unit[i] = 1
      trace += plain(unit)[i] as number
    }
    const { trace: told, logDeterminant } = traceOfInverse(reduced, 0.3, 0.7)
    expect(told).toBeCloseTo(trace, 9)
    // The determinant's slope by the first number is the trace of the inverse.
    const slope = (traceOfInverse(reduced, 0.3 + 1e-6, 0.7).logDeterminant - logDeterminant) / 1e-6
    expect(slope).toBeCloseTo(trace, 2)
    expect(traceOfInverse(reduced, 5, 0).logDeterminant).toBeCloseTo(n * Math.log(5), 9)
  })

  test('conjugate gradients stop after as many steps as they may take', () => {
    let steps = 0
    conjugateGradients(
      (x, into) => {
        steps++
        for (let i = 0; i < x.length; i++) into[i] = (i + 1) * (x[i] as number)
      },
      new Float64Array(9).fill(1),
      { accuracy: 1e-15, most: 3 },
    )
    expect(steps).toBe(3)
  })
})

describe('the population', () => {
  test('few people are shrunk more than many; the trace stays that of unit vectors', async () => {
    const [few, many] = [await load(10, 3, 64), await load(600, 3, 64)]
    const [poor, rich] = [populationOf(few), populationOf(many)]
    expect(poor.shrinkage).toBeGreaterThan(rich.shrinkage)
    for (const { mean, reduced, covariance } of [poor, rich]) {
      let trace = 0
      for (let i = 0; i < 64; i++) trace += covariance[i * 65] as number
      expect(trace + dot(mean, mean)).toBeCloseTo(1, 5)
      expect(reduced.diagonal.reduce((sum, value) => sum + value, 0)).toBeCloseTo(trace, 10)
    }
    rich.wipe()
    expect([...rich.covariance, ...rich.mean].every((value) => value === 0)).toBe(true)
  })
})

describe('the task', () => {
  test('tells of its progress to the end, and stops when told', async () => {
    const people = await load(30, 2, 64)
    const told: [number, number][] = []
    const options = { bits: [64, 128], keys: 4, replicates: 200 } as const
    await inversionReport(people, { ...options, onProgress: (done, total) => told.push([done, total]) })
    expect(told.length).toBeGreaterThan(0)
    const totals = new Set(told.map(([, total]) => total))
    expect([...totals]).toEqual([2 * (30 * 7 + 30 * 5)])
    expect(told.every(([done, total]) => done <= total)).toBe(true)
    const stopped = AbortSignal.abort(new Error('enough'))
    await expect(inversionReport(people, { ...options, signal: stopped })).rejects.toThrow('enough')
  })
})
