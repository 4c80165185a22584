/** What a thief knows of a population: mean and covariance of the faces of others (SPEC §15.6). @module */

import { wipe } from '../base/bytes.ts'
import { EvaluateError } from './errors.ts'
import {
  dotAt,
  solveTridiagonal,
  type Tridiagonal,
  traceOfInverse,
  tridiagonalise,
  turnIn,
} from './linear-algebra.ts'
import type { People } from './people.ts'

/** A Gaussian population. Matrices are d × d, row after row. */
export interface Population {
  readonly dimensions: number
  readonly mean: Float64Array
  /** Covariance, shrunk. */
  readonly covariance: Float64Array
  /** The covariance once more. */
  readonly reduced: Tridiagonal
  /** Share of the covariance that was replaced by its mean variance in every direction. */
  readonly shrinkage: number
  wipe(): void
}

/** Shares that are tried. */
const SHRINKAGES = [0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9] as const

/** From mean and covariance; `shrinkage` is taken as done when it is left out. */
export function population(mean: Float64Array, covariance: Float64Array, shrinkage = 0): Population {
  const dimensions = mean.length
  const shrunk = shrink(covariance, dimensions, shrinkage)
  const reduced = tridiagonalise(shrunk, dimensions)
  return {
    dimensions,
    mean,
    covariance: shrunk,
    reduced,
    shrinkage,
    wipe: () => wipe(mean, shrunk, reduced.reflections, reduced.diagonal, reduced.beside),
  }
}

/**
 * Mean and covariance of all unit vectors. The shrinkage is the one under which every second subject expects the others best, and
 * they them: the Gaussian likelihood of the unit vectors of one half under mean and covariance of the other, both ways added.
 */
export function populationOf(people: People): Population {
  const all = Uint32Array.from({ length: people.count }, (_, sample) => sample)
  const [even, odd] = [0, 1].map((parity) => all.filter((sample) => subjectOf(people, sample) % 2 === parity))
  const totals = new Float64Array(SHRINKAGES.length)
  if (even === undefined || odd === undefined || even.length < 2 || odd.length < 2) {
    throw new EvaluateError('ERR_EVALUATE_TOO_FEW', 'a population needs two subjects of two samples, or more')
  }
  addLikelihoods(people, even, odd, totals)
  addLikelihoods(people, odd, even, totals)
  let best = 0
  for (let i = 1; i < totals.length; i++) if ((totals[i] as number) > (totals[best] as number)) best = i
  const { mean, covariance } = momentsOf(people, all)
  const found = population(mean, covariance, SHRINKAGES[best] as number)
  wipe(covariance)
  return found
}

function subjectOf(people: People, sample: number): number {
  return people.subjectOf[sample] as number
}

function momentsOf(
  people: People,
  samples: Uint32Array,
): { readonly mean: Float64Array; readonly covariance: Float64Array } {
  const { dimensions, units } = people
  const mean = new Float64Array(dimensions)
  for (const sample of samples) {
    for (let i = 0; i < dimensions; i++) {
      mean[i] = (mean[i] as number) + (units[sample * dimensions + i] as number) / samples.length
    }
  }
  const covariance = new Float64Array(dimensions * dimensions)
  const off = new Float64Array(dimensions)
  for (const sample of samples) {
    for (let i = 0; i < dimensions; i++) {
      off[i] = (units[sample * dimensions + i] as number) - (mean[i] as number)
    }
    for (let i = 0; i < dimensions; i++) {
      const factor = (off[i] as number) / samples.length
      const from = i * dimensions
      for (let j = 0; j <= i; j++) {
        covariance[from + j] = (covariance[from + j] as number) + factor * (off[j] as number)
      }
    }
  }
  for (let i = 0; i < dimensions; i++) {
    for (let j = 0; j < i; j++) covariance[j * dimensions + i] = covariance[i * dimensions + j] as number
  }
  wipe(off)
  return { mean, covariance }
}

function shrink(covariance: Float64Array, dimensions: number, shrinkage: number): Float64Array {
  let trace = 0
  for (let i = 0; i < dimensions; i++) trace += covariance[i * dimensions + i] as number
  return covariance.map(
    (value, at) =>
      (1 - shrinkage) * value + (at % (dimensions + 1) === 0 ? (shrinkage * trace) / dimensions : 0),
  )
}

/** Adds the likelihoods (twice the logarithm, a sample, but for a constant) of `other` under `known`, by shrinkage. */
function addLikelihoods(people: People, known: Uint32Array, other: Uint32Array, totals: Float64Array): void {
  const { dimensions, units } = people
  const { mean, covariance } = momentsOf(people, known)
  const reduced = tridiagonalise(covariance, dimensions)
  const variance = reduced.diagonal.reduce((sum, value) => sum + value, 0) / dimensions
  const turned = new Float64Array(dimensions)
  const solved = new Float64Array(dimensions)
  SHRINKAGES.forEach((shrinkage, at) => {
    const { logDeterminant } = traceOfInverse(reduced, shrinkage * variance, 1 - shrinkage)
    totals[at] = (totals[at] as number) - other.length * logDeterminant
  })
  for (const sample of other) {
    for (let i = 0; i < dimensions; i++) {
      turned[i] = (units[sample * dimensions + i] as number) - (mean[i] as number)
    }
    turnIn(reduced, turned)
    SHRINKAGES.forEach((shrinkage, at) => {
      solved.set(turned)
      solveTridiagonal(reduced, shrinkage * variance, 1 - shrinkage, solved)
      totals[at] = (totals[at] as number) - dotAt(turned, 0, solved, 0, dimensions)
    })
  }
  wipe(mean, covariance, reduced.reflections, turned, solved)
}
