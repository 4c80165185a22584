/** Just enough linear algebra for the attacks: dense matrices of doubles, row after row. @module */

export interface Matrix {
  readonly rows: number
  readonly columns: number
  readonly data: Float64Array
}

export function matrix(rows: number, columns: number, value?: (i: number, j: number) => number): Matrix {
  const data = new Float64Array(rows * columns)
  if (value !== undefined) {
    for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) data[i * columns + j] = value(i, j)
  }
  return { rows, columns, data }
}

export function row({ columns, data }: Matrix, i: number): Float64Array {
  return data.subarray(i * columns, (i + 1) * columns)
}

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number)
  return sum
}

/** A·Bᵀ. */
export function timesTransposed(a: Matrix, b: Matrix): Matrix {
  const rowsOfB = Array.from({ length: b.rows }, (_, j) => row(b, j))
  const product = matrix(a.rows, b.rows)
  for (let i = 0; i < a.rows; i++) {
    const left = row(a, i)
    rowsOfB.forEach((right, j) => {
      product.data[i * b.rows + j] = dot(left, right)
    })
  }
  return product
}

/** Σ wᵢ rowᵢ. */
export function combine(rows: Matrix, weights: ArrayLike<number>): Float64Array {
  const sum = new Float64Array(rows.columns)
  for (let i = 0; i < rows.rows; i++) {
    const weight = weights[i] as number
    const values = row(rows, i)
    for (let j = 0; j < sum.length; j++) sum[j] = (sum[j] as number) + weight * (values[j] as number)
  }
  return sum
}

/** Solves with a symmetric positive definite matrix, to whose diagonal `ridge` is added. */
export function solver(symmetric: Matrix, ridge: number): (right: ArrayLike<number>) => Float64Array {
  const n = symmetric.rows
  const lower = symmetric.data.slice()
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = (lower[i * n + j] as number) + (i === j ? ridge : 0)
      for (let k = 0; k < j; k++) sum -= (lower[i * n + k] as number) * (lower[j * n + k] as number)
      if (i === j && sum <= 0) throw new RangeError('the matrix is not positive definite')
      lower[i * n + j] = i === j ? Math.sqrt(sum) : sum / (lower[j * n + j] as number)
    }
  }
  return (right) => {
    const x = Float64Array.from(right)
    for (let i = 0; i < n; i++) {
      let sum = x[i] as number
      for (let k = 0; k < i; k++) sum -= (lower[i * n + k] as number) * (x[k] as number)
      x[i] = sum / (lower[i * n + i] as number)
    }
    for (let i = n - 1; i >= 0; i--) {
      let sum = x[i] as number
      for (let k = i + 1; k < n; k++) sum -= (lower[k * n + i] as number) * (x[k] as number)
      x[i] = sum / (lower[i * n + i] as number)
    }
    return x
  }
}
