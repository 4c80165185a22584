/** Estimates of a face for a thief who knows the population: of least error among the linear ones, for normal faces. @module */

import { rotationSize } from '../../../src/transform/suite.ts'
import { combine, dot, type Matrix, matrix, row, solver } from '../matrix.ts'
import { type CodeOptions, setSigns, withMask } from './faces.ts'
import { forward, roundsOf } from './rounds.ts'

/**
 * From a stored code and its key: Σ Wᵀ D (2/π · arcsin R)⁻¹ y with R the correlations of WΣWᵀ, D one over its deviations, y the code as −1 and 1.
 */
export function informedPreimage(
  code: Uint8Array,
  rotationKey: Uint8Array,
  moments: Matrix,
  { suite, bits }: CodeOptions,
): Float64Array {
  const dimensions = moments.rows
  const n = rotationSize(dimensions, bits)
  const signs = new Float64Array(bits)
  setSigns(withMask(code, rotationKey, suite, dimensions), signs)
  const rounds = roundsOf(suite, rotationKey, n, bits)
  // Row i of `crossed` is ΣWᵀ at dimension i, of which the first m columns are kept.
  const crossed = matrix(dimensions, bits)
  const padded = new Float64Array(n)
  for (let i = 0; i < dimensions; i++) {
    padded.set(row(moments, i))
    row(crossed, i).set(forward(rounds, padded).subarray(0, bits))
  }
  const rotated = matrix(bits, bits)
  for (let j = 0; j < bits; j++) {
    for (let i = 0; i < dimensions; i++) padded[i] = crossed.data[i * bits + j] as number
    row(rotated, j).set(forward(rounds, padded).subarray(0, bits))
  }
  const deviations = Float64Array.from({ length: bits }, (_, j) =>
    Math.sqrt(rotated.data[j * bits + j] as number),
  )
  const correlations = matrix(bits, bits, (i, j) => {
    const value =
      (rotated.data[i * bits + j] as number) / ((deviations[i] as number) * (deviations[j] as number))
    return (2 / Math.PI) * Math.asin(Math.max(-1, Math.min(1, value)))
  })
  const weights = solver(correlations, 1e-6)(signs).map((value, j) => value / (deviations[j] as number))
  return Float64Array.from({ length: dimensions }, (_, i) => dot(row(crossed, i), weights))
}

/** From inner products with known vectors, each with noise of that variance: ΣQᵀ(QΣQᵀ + noise)⁻¹s. */
export function informedByProducts(
  queries: Matrix,
  moments: Matrix,
  noise: number,
): (products: Float64Array) => Float64Array {
  const crossed = matrix(queries.rows, queries.columns)
  for (let i = 0; i < queries.rows; i++) row(crossed, i).set(combine(moments, row(queries, i)))
  const inner = matrix(queries.rows, queries.rows, (i, j) => dot(row(crossed, i), row(queries, j)))
  const solve = solver(inner, noise)
  return (products) => combine(crossed, solve(products))
}
