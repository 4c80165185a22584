/** From known pairs of face and code to an estimate of the rotation that knows nothing of its structure. @module */

import { combine, dot, type Matrix, matrix, row, solver, timesTransposed } from '../matrix.ts'

/** The noise of a sign about a normal value, over the variance of the value: the ridge of least error for round faces. */
const RIDGE = Math.PI / 2 - 1

/** From a code of −1 and 1 to a face of no particular length. */
export type Inverter = (code: ArrayLike<number>) => Float64Array

export interface LinearEstimate {
  /** Ŵᵀc with Ŵ = CᵀGX, G = (XXᵀ + ridge·I)⁻¹. */
  readonly ridge: Inverter
  /** Ŵ itself, a row a bit. */
  readonly rotation: () => Matrix
}

/** Ridge regression of the codes on the faces: the linear baseline. */
export function linearEstimate(faces: Matrix, codes: Matrix): LinearEstimate {
  const solve = solver(timesTransposed(faces, faces), RIDGE)
  const agreements = (code: ArrayLike<number>): Float64Array =>
    Float64Array.from({ length: codes.rows }, (_, i) => dot(row(codes, i), code))
  return {
    ridge: (code) => combine(faces, solve(agreements(code))),
    rotation: () => {
      const rotation = matrix(codes.columns, faces.columns)
      const column = new Float64Array(codes.rows)
      for (let bit = 0; bit < codes.columns; bit++) {
        for (let i = 0; i < codes.rows; i++) column[i] = codes.data[i * codes.columns + bit] as number
        row(rotation, bit).set(combine(faces, solve(column)))
      }
      return rotation
    },
  }
}

/**
 * The estimate with all its singular values made one: the rotation nearest to it, by Procrustes. Faces and codes are brought to orthonormal
 * rows, so that only as many rows and columns as there are pairs are turned.
 */
export function procrustesInverter(faces: Matrix, codes: Matrix): Inverter {
  const count = faces.rows
  const faceGram = timesTransposed(faces, faces)
  const codeGram = timesTransposed(codes, codes)
  const faceRoot = cholesky(faceGram)
  const codeRoot = cholesky(codeGram)
  const solve = solver(faceGram, RIDGE)
  const middle = matrix(count, count)
  // Column by column: Lcᵀ G Lx.
  for (let j = 0; j < count; j++) {
    const column = Float64Array.from({ length: count }, (_, i) => faceRoot.data[i * count + j] as number)
    const solved = solve(column)
    for (let i = 0; i < count; i++) {
      let sum = 0
      for (let k = i; k < count; k++) sum += (codeRoot.data[k * count + i] as number) * (solved[k] as number)
      middle.data[i * count + j] = sum
    }
  }
  const turned = polar(middle)
  return (code) => {
    const agreements = Float64Array.from({ length: count }, (_, i) => dot(row(codes, i), code))
    const inner = combine(turned, lowerSolve(codeRoot, agreements))
    return combine(faces, upperSolve(faceRoot, inner))
  }
}

/** The orthogonal factor, by the Newton–Schulz iteration. */
function polar(square: Matrix): Matrix {
  const n = square.rows
  const frobenius = Math.sqrt(dot(square.data, square.data))
  let now: Matrix = { ...square, data: square.data.map((value) => value / frobenius) }
  for (let step = 0; step < 40; step++) {
    const transposed = matrix(n, n, (i, j) => now.data[j * n + i] as number)
    const inner = timesTransposed(transposed, transposed)
    let error = 0
    const factor = matrix(n, n, (i, j) => {
      const value = inner.data[i * n + j] as number
      error = Math.max(error, Math.abs(value - Number(i === j)))
      return (i === j ? 1.5 : 0) - 0.5 * value
    })
    if (error < 1e-6) break
    now = timesTransposed(now, factor)
  }
  return now
}

function cholesky(symmetric: Matrix): Matrix {
  const n = symmetric.rows
  const lower = matrix(n, n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = symmetric.data[i * n + j] as number
      for (let k = 0; k < j; k++) {
        sum -= (lower.data[i * n + k] as number) * (lower.data[j * n + k] as number)
      }
      if (i === j && sum <= 0) throw new RangeError('more pairs than dimensions')
      lower.data[i * n + j] = i === j ? Math.sqrt(sum) : sum / (lower.data[j * n + j] as number)
    }
  }
  return lower
}

function lowerSolve(lower: Matrix, right: Float64Array): Float64Array {
  const n = lower.rows
  const x = right.slice()
  for (let i = 0; i < n; i++) {
    let sum = x[i] as number
    for (let k = 0; k < i; k++) sum -= (lower.data[i * n + k] as number) * (x[k] as number)
    x[i] = sum / (lower.data[i * n + i] as number)
  }
  return x
}

function upperSolve(lower: Matrix, right: Float64Array): Float64Array {
  const n = lower.rows
  const x = right.slice()
  for (let i = n - 1; i >= 0; i--) {
    let sum = x[i] as number
    for (let k = i + 1; k < n; k++) sum -= (lower.data[k * n + i] as number) * (x[k] as number)
    x[i] = sum / (lower.data[i * n + i] as number)
  }
  return x
}
