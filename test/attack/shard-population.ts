/** What a thief knows of the population: mean and covariance of faces of others (SPEC §17.2). @module */

import type { People } from '../../src/evaluate/people.ts'
import { combine, type Matrix, matrix } from './matrix.ts'
import type { Prior } from './shard-estimators.ts'

/** The shrinkage whose prior the probit fit takes; the others gain as much with it, within a hundredth. */
const FITTED = '0.8'

/** Mean and covariance of faces, and the products with faces that were asked for. */
export interface Population {
  readonly mean: Float64Array
  readonly covariance: Matrix
  readonly spread: Map<number, Float64Array>
}

/** One for each shrinkage: how much of the covariance is taken for round. */
export function populationsOf(
  people: People,
  samples: readonly number[],
  shrinkages: readonly number[],
): ReadonlyMap<string, Population> {
  const { dimensions } = people
  const mean = new Float64Array(dimensions)
  for (const sample of samples) {
    for (let i = 0; i < dimensions; i++)
      mean[i] = (mean[i] as number) + unitAt(people, sample, i) / samples.length
  }
  const sums = new Float64Array(dimensions * dimensions)
  const off = new Float64Array(dimensions)
  for (const sample of samples) {
    for (let i = 0; i < dimensions; i++) off[i] = unitAt(people, sample, i) - (mean[i] as number)
    for (let i = 0; i < dimensions; i++) {
      const factor = (off[i] as number) / samples.length
      const from = i * dimensions
      for (let j = 0; j <= i; j++) sums[from + j] = (sums[from + j] as number) + factor * (off[j] as number)
    }
  }
  let trace = 0
  for (let i = 0; i < dimensions; i++) trace += sums[i * dimensions + i] as number
  return new Map(
    shrinkages.map((shrinkage) => {
      const covariance = matrix(dimensions, dimensions, (i, j) => {
        const value = sums[Math.max(i, j) * dimensions + Math.min(i, j)] as number
        return (1 - shrinkage) * value + (i === j ? (shrinkage * trace) / dimensions : 0)
      })
      return [String(shrinkage), { mean, covariance, spread: new Map() }]
    }),
  )
}

export function priorsFor(
  people: People,
  populations: ReadonlyMap<string, Population>,
  members: readonly number[],
): ReadonlyMap<string, Prior> {
  return new Map(
    [...populations].map(([name, { mean, covariance, spread }]) => {
      const rows = members.map((sample) => {
        const known = spread.get(sample) ?? combine(covariance, unitOf(people, sample))
        spread.set(sample, known)
        return known
      })
      const values = matrix(rows.length, people.dimensions, (i, j) => (rows[i] as Float64Array)[j] as number)
      return [name, { mean, spread: values, fitted: name === FITTED }]
    }),
  )
}

/** Products of doubles with doubles only are several times as quick. */
const doubles = new WeakMap<People, Float64Array>()

function unitsOf(people: People): Float64Array {
  const units = doubles.get(people) ?? Float64Array.from(people.units)
  doubles.set(people, units)
  return units
}

export function unitOf(people: People, sample: number): Float64Array {
  const { dimensions } = people
  return unitsOf(people).subarray(sample * dimensions, (sample + 1) * dimensions)
}

export function unitAt(people: People, sample: number, i: number): number {
  return unitsOf(people)[sample * people.dimensions + i] as number
}
