/** Estimates of a face for a thief who knows the population: of least error among the linear ones, for normal faces. @module */

import { combine, dot, type Matrix, matrix, row, solver } from '../matrix.ts'

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
