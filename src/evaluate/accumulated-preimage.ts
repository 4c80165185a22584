/** Several stolen templates of one person, of captures of their own, made into one face (SPEC §15.6). @module */

import { wipe } from '../base/bytes.ts'
import type { Bits } from '../policy/operating-point.ts'
import type { Posterior } from './informed-preimage.ts'
import { conjugateGradients, timesVector } from './linear-algebra.ts'
import type { Population } from './population.ts'
import type { Theft } from './theft.ts'

/**
 * The mean of the person behind `thefts`, when every code tells what its sites tell, captures are person + noise, and a share
 * `coherence` of the population's covariance is that of persons, the rest that of captures.
 */
export function accumulatedPreimage(
  population: Population,
  thefts: readonly Theft[],
  bits: Bits,
  coherence: number,
): Float64Array {
  const { dimensions, mean, covariance } = population
  const parts = thefts.map(({ rotation, posteriors }) => ({
    rotation,
    ...(posteriors.get(bits) as Posterior),
  }))
  const values = new Float64Array(parts[0]?.rotation.n ?? 0)
  const faces = parts.map(() => new Float64Array(dimensions))
  const person = new Float64Array(dimensions)
  const mixed = new Float64Array(dimensions)
  /** WᵢᵀVᵢ into `faces`, and their sum into `person`. */
  const turnBack = (x: Float64Array): void => {
    person.fill(0)
    parts.forEach(({ rotation }, i) => {
      values.fill(0)
      values.set(x.subarray(i * bits, (i + 1) * bits))
      rotation.turnBack(values)
      const face = faces[i] as Float64Array
      face.set(values.subarray(0, dimensions))
      for (let k = 0; k < dimensions; k++) person[k] = (person[k] as number) + (face[k] as number)
    })
  }
  const apply = (x: Float64Array, into: Float64Array): void => {
    turnBack(x)
    parts.forEach(({ rotation, precision }, i) => {
      const face = faces[i] as Float64Array
      for (let k = 0; k < dimensions; k++) {
        mixed[k] = coherence * (person[k] as number) + (1 - coherence) * (face[k] as number)
      }
      timesVector(covariance, dimensions, mixed, face)
      values.fill(0)
      values.set(face)
      rotation.turn(values)
      for (let j = 0; j < bits; j++) {
        into[i * bits + j] = (values[j] as number) + (x[i * bits + j] as number) / precision
      }
    })
  }
  const off = new Float64Array(parts.length * bits)
  parts.forEach(({ rotation, sites, precision }, i) => {
    values.fill(0)
    values.set(mean)
    rotation.turn(values)
    for (let j = 0; j < bits; j++)
      off[i * bits + j] = (sites[j] as number) / precision - (values[j] as number)
  })
  turnBack(conjugateGradients(apply, off, { accuracy: 1e-3, most: 200 }))
  const found = new Float64Array(new ArrayBuffer(8 * dimensions))
  timesVector(covariance, dimensions, person, found)
  for (let k = 0; k < dimensions; k++) found[k] = (mean[k] as number) + coherence * (found[k] as number)
  wipe(values, person, mixed, off, ...faces)
  return found
}
