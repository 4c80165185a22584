/** A linker that learns from one half of the people what gives two codes of one person away (SPEC §15.5). @module */

import { wipe } from '../base/bytes.ts'
import { LEARN, TEST } from './linkage-pairs.ts'
import type { PairCodes } from './linkage-scheme.ts'
import { STATISTICS, signsOf, spectrumOf, standardStatistics } from './linkers.ts'
import type { Pace } from './pace.ts'

/** Pairs of the half that is tested, in the order of the pairs, and their scores. */
export interface LearnedScores {
  readonly tested: Uint32Array
  readonly scores: Float64Array
}

const STEPS = 30

/**
 * Ridge regression on the products of the two codes' bits, of their spectra and of their statistics. Features have the mean 0
 * over the pairs learned from; a mated one counts N/2M, a non-mated one −N/2(N − M). The weights w solve (XᵀX ÷ N + 1)·w = Xᵀy ÷ N by
 * 30 steps of conjugate gradients. As there are about as many features as a code has bits twice over, that much shrinkage keeps
 * it from learning single pairs.
 */
export async function scoreLearned(codes: PairCodes, pace: Pace): Promise<LearnedScores> {
  const { half, count, mated } = codes.pairs
  const pairsOf = (wanted: number): Uint32Array =>
    Uint32Array.from({ length: count }, (_, pair) => pair).filter((pair) => half[pair] === wanted)
  const learned = pairsOf(LEARN)
  const tested = pairsOf(TEST)
  const features = new Features(codes)
  const rows = new Float32Array(learned.length * features.length)
  const row = new Float64Array(features.length)
  try {
    for (const [place, pair] of learned.entries()) {
      rows.set(features.of(pair, row), place * features.length)
      await pace.step(1)
    }
    const labels = labelsOf(learned, mated)
    centre(rows, features.length)
    const weights = await solve(rows, labels, features.length, pace)
    const scores = new Float64Array(tested.length)
    for (const [place, pair] of tested.entries()) {
      scores[place] = dot(features.of(pair, row), weights, 0)
      await pace.step(1)
    }
    return { tested, scores }
  } finally {
    wipe(rows, row)
  }
}

/** Products of what is known of the first code and of the second. */
class Features {
  readonly length: number
  readonly #codes: PairCodes
  readonly #statistics: Float64Array
  readonly #first: Float64Array
  readonly #second: Float64Array

  constructor(codes: PairCodes) {
    this.#codes = codes
    this.length = 2 * codes.bits + STATISTICS
    this.#statistics = standardStatistics(codes)
    this.#first = new Float64Array(codes.bits)
    this.#second = new Float64Array(codes.bits)
  }

  of(pair: number, into: Float64Array): Float64Array {
    const { bits } = this.#codes
    const a = signsOf(this.#codes.code(pair, 0), this.#first)
    const b = signsOf(this.#codes.code(pair, 1), this.#second)
    for (let j = 0; j < bits; j++) into[j] = (a[j] as number) * (b[j] as number)
    spectrumOf(a)
    spectrumOf(b)
    // A spectrum has the variance 2.
    for (let j = 0; j < bits; j++) into[bits + j] = ((a[j] as number) * (b[j] as number)) / 2
    const at = 2 * pair * STATISTICS
    for (let i = 0; i < STATISTICS; i++) {
      into[2 * bits + i] =
        (this.#statistics[at + i] as number) * (this.#statistics[at + STATISTICS + i] as number)
    }
    return into
  }
}

function labelsOf(learned: Uint32Array, mated: number): Float64Array {
  const n = learned.length
  const m = learned.filter((pair) => pair < mated).length
  return Float64Array.from(learned, (pair) => (pair < mated ? n / (2 * m) : -n / (2 * (n - m))))
}

function centre(rows: Float32Array, length: number): void {
  const means = new Float64Array(length)
  const count = rows.length / length
  for (let i = 0; i < rows.length; i++) {
    means[i % length] = (means[i % length] as number) + (rows[i] as number) / count
  }
  for (let i = 0; i < rows.length; i++) rows[i] = (rows[i] as number) - (means[i % length] as number)
}

/** Conjugate gradients (Hestenes and Stiefel 1952). */
async function solve(
  rows: Float32Array,
  labels: Float64Array,
  length: number,
  pace: Pace,
): Promise<Float64Array> {
  const weights = new Float64Array(length)
  const residual = fold(rows, labels, length)
  const direction = residual.slice()
  let square = dot(residual, residual, 0)
  for (let step = 0; step < STEPS && square > 0; step++) {
    const image = fold(rows, unfold(rows, direction, length), length)
    for (let i = 0; i < length; i++) image[i] = (image[i] as number) + (direction[i] as number)
    const stride = square / dot(direction, image, 0)
    for (let i = 0; i < length; i++) {
      weights[i] = (weights[i] as number) + stride * (direction[i] as number)
      residual[i] = (residual[i] as number) - stride * (image[i] as number)
    }
    const next = dot(residual, residual, 0)
    for (let i = 0; i < length; i++) {
      direction[i] = (residual[i] as number) + (next / square) * (direction[i] as number)
    }
    square = next
    await pace.step(0)
  }
  return weights
}

/** X·w. */
function unfold(rows: Float32Array, weights: Float64Array, length: number): Float64Array {
  return Float64Array.from({ length: rows.length / length }, (_, row) => dot(weights, rows, row * length))
}

/** Xᵀy ÷ N. */
function fold(rows: Float32Array, values: Float64Array, length: number): Float64Array {
  const sums = new Float64Array(length)
  for (let row = 0; row < values.length; row++) {
    const value = (values[row] as number) / values.length
    const at = row * length
    for (let i = 0; i < length; i++) sums[i] = (sums[i] as number) + value * (rows[at + i] as number)
  }
  return sums
}

function dot(a: Float64Array, b: Float64Array | Float32Array, from: number): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[from + i] as number)
  return sum
}
