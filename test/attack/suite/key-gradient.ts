/** Descent to the signs of two rounds without permutations, from signs that are mostly right. @module */

import { type Matrix, row } from '../matrix.ts'
import { hadamard } from './rounds.ts'

const STEPS = 300
const RATE = 0.3
const MOMENTUM = 0.9
/** Of the logistic loss of a bit, in standard deviations of a coordinate. */
const SLOPE = 3
/** What a sign that is nearly settled can still move. */
const LOOSE = 0.05

/** Signs are tanh of a real number each, the steeper the later; the loss is logistic over all bits of all codes. */
export function settleSigns(
  [first, second]: readonly [Float64Array, Float64Array],
  faces: Matrix,
  codes: Matrix,
): readonly Float64Array[] {
  const n = faces.columns
  const real = [first, second].map((list) => list.map((sign) => sign / 2))
  const moves = [new Float64Array(n), new Float64Array(n)]
  for (let step = 0; step < STEPS; step++) {
    const steepness = 1 + (2 * step) / STEPS
    const soft = real.map((list) => list.map((value) => Math.tanh(steepness * value)))
    const slopes = slopesOf(soft, faces, codes)
    for (const [index, list] of real.entries()) {
      const move = moves[index] as Float64Array
      for (let i = 0; i < n; i++) {
        const free = 1 - (soft[index]?.[i] as number) ** 2 + LOOSE
        move[i] = MOMENTUM * (move[i] as number) + (slopes[index]?.[i] as number) * free
        list[i] = (list[i] as number) + RATE * (move[i] as number)
      }
    }
  }
  return real.map((list) => list.map((value) => (value >= 0 ? 1 : -1)))
}

function slopesOf(soft: readonly Float64Array[], faces: Matrix, codes: Matrix): readonly Float64Array[] {
  const n = faces.columns
  const [first, second] = soft as [Float64Array, Float64Array]
  const slopes = [new Float64Array(n), new Float64Array(n)] as const
  for (let pair = 0; pair < faces.rows; pair++) {
    const face = row(faces, pair)
    const inner = face.map((value, i) => value * (first[i] as number))
    hadamard(inner)
    const given = inner.map((value, i) => value * (second[i] as number))
    hadamard(given)
    const wrong = row(codes, pair).map(
      (bit, i) => bit / (1 + Math.exp(bit * (given[i] as number) * Math.sqrt(n) * SLOPE)),
    )
    hadamard(wrong)
    const outer = wrong.map((value, i) => value * (second[i] as number))
    hadamard(outer)
    for (let i = 0; i < n; i++) {
      slopes[0][i] = (slopes[0][i] as number) + (outer[i] as number) * (face[i] as number)
      slopes[1][i] = (slopes[1][i] as number) + (wrong[i] as number) * (inner[i] as number)
    }
  }
  return slopes
}
