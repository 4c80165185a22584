/** Just enough linear algebra for what a thief computes: symmetric matrices of doubles, row after row. @module */

import { wipe } from '../base/bytes.ts'

/** A symmetric matrix as Q·T·Qᵀ: T tridiagonal, Q a product of reflections I − 2vvᵀ. */
export interface Tridiagonal {
  readonly n: number
  /** Row k holds v of reflection k from column k + 1 on. */
  readonly reflections: Float64Array
  readonly diagonal: Float64Array
  /** Beside the diagonal; n − 1 values. */
  readonly beside: Float64Array
}

/** Σ aᵢbᵢ over `length` values from the given places. Four sums run side by side, which is twice as quick. */
export function dotAt(
  a: Float64Array,
  fromA: number,
  b: Float64Array,
  fromB: number,
  length: number,
): number {
  let s0 = 0
  let s1 = 0
  let s2 = 0
  let s3 = 0
  const whole = length - (length & 3)
  for (let i = 0; i < whole; i += 4) {
    s0 += (a[fromA + i] as number) * (b[fromB + i] as number)
    s1 += (a[fromA + i + 1] as number) * (b[fromB + i + 1] as number)
    s2 += (a[fromA + i + 2] as number) * (b[fromB + i + 2] as number)
    s3 += (a[fromA + i + 3] as number) * (b[fromB + i + 3] as number)
  }
  for (let i = whole; i < length; i++) s0 += (a[fromA + i] as number) * (b[fromB + i] as number)
  return s0 + s1 + (s2 + s3)
}

/** `into` = A·x for a matrix whose rows are `stride` apart; as many of its rows and columns as `into` is long. */
export function timesVector(a: Float64Array, stride: number, x: Float64Array, into: Float64Array): void {
  for (let i = 0; i < into.length; i++) into[i] = dotAt(a, i * stride, x, 0, into.length)
}

/**
 * Solves A·x = b by conjugate gradients for a symmetric positive definite A, given as `apply(x, into)`, until the remainder is
 * `accuracy` of b by its length, or `most` steps are done.
 */
export function conjugateGradients(
  apply: (x: Float64Array, into: Float64Array) => void,
  b: Float64Array,
  { accuracy, most }: { readonly accuracy: number; readonly most: number },
): Float64Array {
  const n = b.length
  const x = new Float64Array(n)
  const rest = b.slice()
  const way = b.slice()
  const image = new Float64Array(n)
  let square = dotAt(rest, 0, rest, 0, n)
  const enough = accuracy ** 2 * square
  for (let step = 0; step < most && square > enough; step++) {
    apply(way, image)
    const length = square / dotAt(way, 0, image, 0, n)
    for (let i = 0; i < n; i++) {
      x[i] = (x[i] as number) + length * (way[i] as number)
      rest[i] = (rest[i] as number) - length * (image[i] as number)
    }
    const next = dotAt(rest, 0, rest, 0, n)
    for (let i = 0; i < n; i++) way[i] = (rest[i] as number) + (next / square) * (way[i] as number)
    square = next
  }
  return x
}

/** Householder's reduction of the leading n rows and columns of a matrix whose rows are `stride` apart. */
export function tridiagonalise(symmetric: Float64Array, n: number, stride: number = n): Tridiagonal {
  const a = new Float64Array(n * n)
  for (let i = 0; i < n; i++) a.set(symmetric.subarray(i * stride, i * stride + n), i * n)
  const beside = new Float64Array(Math.max(0, n - 1))
  const v = new Float64Array(n)
  const w = new Float64Array(n)
  for (let k = 0; k + 1 < n; k++) {
    const size = n - k - 1
    for (let i = 0; i < size; i++) v[i] = a[(k + 1 + i) * n + k] as number
    const norm = Math.sqrt(dotAt(v, 0, v, 0, size))
    const first = v[0] as number
    const turned = first > 0 ? -norm : norm
    v[0] = first - turned
    const length = Math.sqrt(dotAt(v, 0, v, 0, size))
    for (let i = 0; i < size; i++) v[i] = length === 0 ? 0 : (v[i] as number) / length
    reflect(a, n, k, v, w)
    beside[k] = turned
    a.set(v.subarray(0, size), k * n + k + 1)
  }
  const diagonal = Float64Array.from({ length: n }, (_, i) => a[i * n + i] as number)
  wipe(v, w)
  return { n, reflections: a, diagonal, beside }
}

/** `x` becomes Qᵀx. */
export function turnIn({ n, reflections }: Tridiagonal, x: Float64Array): void {
  for (let k = 0; k + 1 < n; k++) reflectVector(reflections, n, k, x)
}

/** `x` becomes Qx. */
export function turnOut({ n, reflections }: Tridiagonal, x: Float64Array): void {
  for (let k = n - 2; k >= 0; k--) reflectVector(reflections, n, k, x)
}

function reflectVector(reflections: Float64Array, n: number, k: number, x: Float64Array): void {
  const from = k * n + k + 1
  const size = n - k - 1
  const share = 2 * dotAt(reflections, from, x, k + 1, size)
  for (let i = 0; i < size; i++) {
    x[k + 1 + i] = (x[k + 1 + i] as number) - share * (reflections[from + i] as number)
  }
}

/** The block behind row and column k becomes H·A·H with H = I − 2vvᵀ. */
function reflect(a: Float64Array, n: number, k: number, v: Float64Array, w: Float64Array): void {
  const size = n - k - 1
  for (let i = 0; i < size; i++) w[i] = dotAt(a, (k + 1 + i) * n + k + 1, v, 0, size)
  const along = dotAt(v, 0, w, 0, size)
  for (let i = 0; i < size; i++) w[i] = (w[i] as number) - along * (v[i] as number)
  for (let i = 0; i < size; i++) {
    const from = (k + 1 + i) * n + k + 1
    const vi = 2 * (v[i] as number)
    const wi = 2 * (w[i] as number)
    for (let j = 0; j < size; j++) {
      a[from + j] = (a[from + j] as number) - vi * (w[j] as number) - wi * (v[j] as number)
    }
  }
}

/** `x` becomes (αI + βT)⁻¹x, positive definite. */
export function solveTridiagonal(
  { n, diagonal, beside }: Tridiagonal,
  alpha: number,
  beta: number,
  x: Float64Array,
): void {
  const pivots = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    const own = alpha + beta * (diagonal[i] as number)
    if (i === 0) {
      pivots[i] = own
      continue
    }
    const side = beta * (beside[i - 1] as number)
    const share = side / (pivots[i - 1] as number)
    pivots[i] = own - share * side
    x[i] = (x[i] as number) - share * (x[i - 1] as number)
  }
  for (let i = n - 1; i >= 0; i--) {
    const above = i + 1 < n ? beta * (beside[i] as number) * (x[i + 1] as number) : 0
    x[i] = ((x[i] as number) - above) / (pivots[i] as number)
  }
}

/** Trace of (αI + βT)⁻¹ and logarithm of the determinant of αI + βT, positive definite. */
export function traceOfInverse(
  { n, diagonal, beside }: Tridiagonal,
  alpha: number,
  beta: number,
): { readonly trace: number; readonly logDeterminant: number } {
  const below = new Float64Array(n)
  for (let i = n - 1; i >= 0; i--) {
    const side = i + 1 < n ? (beta * (beside[i] as number)) ** 2 / (below[i + 1] as number) : 0
    below[i] = alpha + beta * (diagonal[i] as number) - side
  }
  let trace = 0
  let logDeterminant = 0
  let above = 0
  for (let i = 0; i < n; i++) {
    const own = alpha + beta * (diagonal[i] as number)
    const pivot = i === 0 ? own : own - (beta * (beside[i - 1] as number)) ** 2 / above
    trace += 1 / (pivot + (below[i] as number) - own)
    logDeterminant += Math.log(pivot)
    above = pivot
  }
  return { trace, logDeterminant }
}
