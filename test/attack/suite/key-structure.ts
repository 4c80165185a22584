/** Attacks that use how the rotation is built: rank-one searches for keys without permutations, the Gram matrix of halves for butterflies. @module */

import { dot, type Matrix, matrix, row, timesTransposed } from '../matrix.ts'
import type { Inverter } from './key-estimates.ts'
import { settleSigns } from './key-gradient.ts'
import { backward, hadamard, hadamardTimes, type Rounds } from './rounds.ts'

const STEPS = 30

/** Signs of one round without a permutation: H·b points to D·x, pair by pair. */
export function oneRound(faces: Matrix, codes: Matrix): Rounds {
  const n = faces.columns
  const sums = new Float64Array(n)
  for (let pair = 0; pair < faces.rows; pair++) {
    const turned = row(codes, pair).slice()
    hadamard(turned)
    const face = row(faces, pair)
    for (let i = 0; i < n; i++) sums[i] = (sums[i] as number) + (turned[i] as number) * (face[i] as number)
  }
  return unpermuted([signs(sums)])
}

/** One round with any permutation, from an estimate of the rotation: H·Ŵ is a permutation with signs, whose largest entries stand out. */
export function permutedRound(rotation: Matrix): Rounds {
  const estimate = hadamardTimes(rotation)
  const from = new Uint32Array(estimate.rows)
  const turned = new Float64Array(estimate.rows)
  for (let i = 0; i < estimate.rows; i++) {
    const values = row(estimate, i)
    let best = 0
    for (let j = 1; j < values.length; j++) {
      if (Math.abs(values[j] as number) > Math.abs(values[best] as number)) best = j
    }
    from[i] = best
    turned[i] = (values[best] as number) >= 0 ? 1 : -1
  }
  return [{ from, signs: turned }]
}

/** Signs of two rounds without permutations: (H·b)ᵢ·xⱼ·Hᵢⱼ is d2ᵢ·d1ⱼ and noise, a matrix of rank one; then by descent. */
export function twoRounds(faces: Matrix, codes: Matrix): Rounds {
  const n = faces.columns
  const estimate = correlations(faces, codes)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      if (parity(i & j) === 1) estimate.data[i * n + j] = -(estimate.data[i * n + j] as number)
    }
  }
  const [second, first] = leadingPair(estimate)
  return unpermuted(settleSigns([signs(first), signs(second)], faces, codes))
}

/**
 * Signs of three rounds without permutations, from an estimate of the rotation: H·Ŵ is D3·C·D1 with Cᵢⱼ = c of i xor j, so that the products of
 * two entries of one row whose columns differ by δ are (d1ₐ·d1ₐ₊δ)·(cₖ·cₖ₊δ): of rank one again. Nine δ give d1; turns of least squares
 * over d1, d3 and c, whose transform is ±1, settle the rest.
 */
export function threeRounds(rotation: Matrix): Rounds {
  const n = rotation.columns
  const estimate = hadamardTimes(rotation)
  let first = firstSigns(estimate)
  let third = new Float64Array(n)
  let circular = firstCircular(estimate, first)
  for (let step = 0; step < STEPS; step++) {
    third = signs(vote(estimate, n, (i, j) => [i, (circular[i ^ j] as number) * (first[j] as number)]))
    first = signs(vote(estimate, n, (i, j) => [j, (circular[i ^ j] as number) * (third[i] as number)]))
    const soft = vote(estimate, n, (i, j) => [i ^ j, (third[i] as number) * (first[j] as number)])
    hadamard(soft)
    circular = signs(soft)
    hadamard(circular)
  }
  const second = circular.slice()
  hadamard(second)
  return unpermuted([first, signs(second), third])
}

/** What a found key makes of a code. */
export function inverterOf(rounds: Rounds): Inverter {
  return (code) => backward(rounds, code)
}

/** Share of signs that agree, all of them turned at once or not. */
export function agreement(found: readonly Float64Array[], truth: readonly Float64Array[]): number {
  let equal = 0
  let all = 0
  for (const [index, list] of truth.entries()) {
    const mine = found[index] as Float64Array
    for (let i = 0; i < list.length; i++) equal += Number(mine[i] === list[i])
    all += list.length
  }
  return Math.max(equal, all - equal) / all
}

/**
 * First exchanges of the first round, as signs, from an estimate of the rotation. The last butterfly of two rounds leaves the halves of the
 * columns of H apart: within the upper half of the rows, two columns are orthogonal when they come from one half, and are not when
 * they come from two. Column j and column j + n/2 tell whether they were exchanged.
 */
export function firstExchanges(rotation: Matrix): Float64Array {
  const half = rotation.columns >> 1
  const [upper, lower] = halfGrams(rotation)
  const at = (i: number, j: number): number =>
    (upper.data[i * upper.columns + j] as number) * (lower.data[i * upper.columns + j] as number)
  const folded = matrix(half, half, (i, j) =>
    i === j ? 0 : at(i, j) + at(i + half, j + half) - at(i, j + half) - at(i + half, j),
  )
  return signs(leadingPair(folded)[0])
}

/** The true first exchanges: 1 where column j stays in its half. */
export function trueFirstExchanges(rounds: Rounds): Float64Array {
  const from = (rounds[0] as Rounds[number]).from
  const half = from.length >> 1
  const stays = new Float64Array(half)
  from.forEach((source, place) => {
    if (source < half) stays[source] = place < half ? 1 : -1
  })
  return stays
}

/** Signatures of a rotation that is known whole. Of a random one both are about 3 and 1. */
export function signatures(rotation: Matrix): { readonly kurtosis: number; readonly covariation: number } {
  const [upper] = halfGrams(rotation)
  const n = upper.columns
  const half = n >> 1
  let squares = 0
  let fourths = 0
  let together = 0
  let count = 0
  for (let i = 0; i < half; i++) {
    for (let j = 0; j < half; j++) {
      if (i === j) continue
      const a = (upper.data[i * n + j] as number) ** 2
      const b = (upper.data[(i + half) * n + j + half] as number) ** 2
      squares += a + b
      fourths += a * a + b * b
      together += a * b
      count++
    }
  }
  const mean = squares / (2 * count)
  return { kurtosis: fourths / (2 * count) / mean ** 2, covariation: together / count / mean ** 2 }
}

/** Products of the columns over the upper and over the lower half of the rows of H·Ŵ. */
function halfGrams(rotation: Matrix): readonly [Matrix, Matrix] {
  const { data, columns: n } = hadamardTimes(rotation)
  const half = n >> 1
  return [0, half].map((from) => {
    const transposed = matrix(n, half, (i, j) => data[(from + j) * n + i] as number)
    return timesTransposed(transposed, transposed)
  }) as unknown as readonly [Matrix, Matrix]
}

/** Σ (H·b)ᵢ·xⱼ. */
function correlations(faces: Matrix, codes: Matrix): Matrix {
  const n = faces.columns
  const sums = matrix(n, n)
  for (let pair = 0; pair < faces.rows; pair++) {
    const turned = row(codes, pair).slice()
    hadamard(turned)
    const face = row(faces, pair)
    for (let i = 0; i < n; i++) {
      const factor = turned[i] as number
      const sum = row(sums, i)
      for (let j = 0; j < n; j++) sum[j] = (sum[j] as number) + factor * (face[j] as number)
    }
  }
  return sums
}

/** d1 up to what cannot be told, from the products at distances 1, 2, 4 …. */
function firstSigns(estimate: Matrix): Float64Array<ArrayBuffer> {
  const n = estimate.columns
  const first = new Float64Array(n)
  first[0] = 1
  for (let distance = 1; distance < n; distance <<= 1) {
    const products = matrix(n, n, (a, k) => {
      const from = (a ^ k) * n
      return (estimate.data[from + a] as number) * (estimate.data[from + (a ^ distance)] as number)
    })
    const [steps] = leadingPair(products)
    for (let a = 0; a < distance; a++) {
      first[a + distance] =
        (first[a] as number) * ((steps[a] as number) + (steps[a + distance] as number) >= 0 ? 1 : -1)
    }
  }
  return first
}

/** c once d1 is known: rows of the estimate, each up to the sign of d3, agree on it when row i is read at i xor k. */
function firstCircular(estimate: Matrix, first: Float64Array): Float64Array<ArrayBuffer> {
  const n = estimate.columns
  const rows = matrix(n, n, (i, k) => (estimate.data[i * n + (i ^ k)] as number) * (first[i ^ k] as number))
  return leadingPair(rows)[1]
}

function vote(
  estimate: Matrix,
  n: number,
  weigh: (i: number, j: number) => readonly [number, number],
): Float64Array<ArrayBuffer> {
  const sums = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const [index, weight] = weigh(i, j)
      sums[index] = (sums[index] as number) + weight * (estimate.data[i * n + j] as number)
    }
  }
  return sums
}

/** Left and right singular vectors of the largest singular value, by turns. */
function leadingPair(values: Matrix): readonly [Float64Array<ArrayBuffer>, Float64Array<ArrayBuffer>] {
  const { rows, columns } = values
  let right = Float64Array.from({ length: columns }, (_, j) => Math.cos(1 + j * 2.399963))
  let left = new Float64Array(rows)
  for (let step = 0; step < STEPS; step++) {
    left = Float64Array.from({ length: rows }, (_, i) => dot(row(values, i), right))
    const length = Math.sqrt(dot(left, left)) || 1
    const next = new Float64Array(columns)
    for (let i = 0; i < rows; i++) {
      const factor = (left[i] as number) / length
      const from = row(values, i)
      for (let j = 0; j < columns; j++) next[j] = (next[j] as number) + factor * (from[j] as number)
    }
    right = next
  }
  return [left, right]
}

function unpermuted(lists: readonly Float64Array[]): Rounds {
  return lists.map((list) => ({
    from: Uint32Array.from({ length: list.length }, (_, i) => i),
    signs: list,
  }))
}

function signs(values: ArrayLike<number>): Float64Array<ArrayBuffer> {
  return Float64Array.from(values, (value) => (value >= 0 ? 1 : -1))
}

function parity(value: number): number {
  let bits = value
  for (let shift = 16; shift >= 1; shift >>= 1) bits ^= bits >> shift
  return bits & 1
}
