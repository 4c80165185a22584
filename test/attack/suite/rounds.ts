/**
 * Rounds of permutation, signs and Walsh–Hadamard in doubles, with any number of rounds and three kinds of permutation: the weak relatives of
 * the library's rotation, for attacks that must work somewhere. At the library's parameters and key stream it gives the library's bits.
 *
 * @module
 */

import type { SeededRandom } from '../../../src/evaluate/random.ts'
import { keyStream } from '../../../src/transform/stream.ts'
import { type Suite, suiteParameters } from '../../../src/transform/suite.ts'
import { type Matrix, matrix, row } from '../matrix.ts'

export type Permutation = 'none' | 'butterfly' | 'fisher-yates'

/** One round: value i comes from place `from[i]`, then takes `signs[i]`. */
export interface Round {
  readonly from: Uint32Array
  readonly signs: Float64Array
}

export type Rounds = readonly Round[]

/** Bits one after another. */
type Draw = () => number

export function drawRounds(
  n: number,
  rounds: number,
  permutation: Permutation,
  random: SeededRandom,
): Rounds {
  const bit: Draw = () => random.below(2)
  return Array.from({ length: rounds }, () => {
    const from = Uint32Array.from({ length: n }, (_, i) => i)
    if (permutation === 'butterfly') butterfly(from, bit)
    if (permutation === 'fisher-yates') {
      for (let i = n - 1; i > 0; i--) exchange(from, i, random.below(i + 1))
    }
    return { from, signs: Float64Array.from({ length: n }, () => 1 - 2 * bit()) }
  })
}

/** What the library's key stream of a rotation key says (SPEC §5). */
export function roundsOf(suite: Suite, rotationKey: Uint8Array, n: number, bits: number): Rounds {
  const stream = keyStream(suite, rotationKey, n, bits)
  let at = 0
  const bit: Draw = () => {
    const value = ((stream[at >> 3] as number) >> (at & 7)) & 1
    at++
    return value
  }
  return Array.from({ length: suiteParameters(suite).rounds }, () => {
    const from = Uint32Array.from({ length: n }, (_, i) => i)
    butterfly(from, bit)
    return { from, signs: Float64Array.from({ length: n }, () => 1 - 2 * bit()) }
  })
}

/** Rotates a vector of length n; the norm stays. */
function forward(rounds: Rounds, vector: ArrayLike<number>): Float64Array {
  let values = Float64Array.from(vector)
  for (const { from, signs } of rounds) {
    const moved = new Float64Array(values.length)
    for (let i = 0; i < moved.length; i++) {
      moved[i] = (signs[i] as number) * (values[from[i] as number] as number)
    }
    hadamard(moved)
    values = moved
  }
  return values
}

/** The transpose, which is the inverse. */
export function backward(rounds: Rounds, vector: ArrayLike<number>): Float64Array {
  let values = Float64Array.from(vector)
  for (const { from, signs } of [...rounds].reverse()) {
    hadamard(values)
    const moved = new Float64Array(values.length)
    for (let i = 0; i < moved.length; i++) {
      moved[from[i] as number] = (signs[i] as number) * (values[i] as number)
    }
    values = moved
  }
  return values
}

/** The rotation as a matrix. */
export function rotationMatrix(rounds: Rounds): Matrix {
  const n = rounds[0]?.from.length ?? 0
  const rotation = matrix(n, n)
  const unit = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    unit[i] = 1
    row(rotation, i).set(backward(rounds, unit))
    unit[i] = 0
  }
  return rotation
}

/** Signs of rotated faces, a row a face; zero counts as positive. */
export function signsOf(rounds: Rounds, faces: Matrix): Matrix {
  const codes = matrix(faces.rows, faces.columns)
  for (let i = 0; i < faces.rows; i++) {
    row(codes, i).set(forward(rounds, row(faces, i)).map((value) => (value >= 0 ? 1 : -1)))
  }
  return codes
}

/** Walsh–Hadamard of natural order over √n, in place. */
export function hadamard(values: Float64Array): void {
  const n = values.length
  for (let h = 1; h < n; h <<= 1) {
    for (let block = 0; block < n; block += 2 * h) {
      for (let i = block; i < block + h; i++) {
        const a = values[i] as number
        const b = values[i + h] as number
        values[i] = a + b
        values[i + h] = a - b
      }
    }
  }
  const scale = 1 / Math.sqrt(n)
  for (let i = 0; i < n; i++) values[i] = (values[i] as number) * scale
}

/** H·M for a square M: the last step of a rotation, which is public, undone. */
export function hadamardTimes({ rows, columns, data }: Matrix): Matrix {
  const product = { rows, columns, data: data.slice() }
  const column = new Float64Array(rows)
  for (let j = 0; j < columns; j++) {
    for (let i = 0; i < rows; i++) column[i] = product.data[i * columns + j] as number
    hadamard(column)
    for (let i = 0; i < rows; i++) product.data[i * columns + j] = column[i] as number
  }
  return product
}

function butterfly(from: Uint32Array, bit: Draw): void {
  for (let h = from.length >> 1; h >= 1; h >>= 1) {
    for (let i = 0; i < from.length; i++) {
      if ((i & h) === 0 && bit() === 1) exchange(from, i, i + h)
    }
  }
}

function exchange(list: Uint32Array, i: number, j: number): void {
  const held = list[i] as number
  list[i] = list[j] as number
  list[j] = held
}
