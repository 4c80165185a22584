/** What a thief who lacks the keys reads off two codes: distance, spectra, statistics (SPEC §15.5). @module */

import type { PairCodes } from './linkage-scheme.ts'
import type { Pace } from './pace.ts'

/** Bits that agree, less bits that differ, a bit. */
export function hammingScore(a: Uint8Array, b: Uint8Array): number {
  const bits = 8 * a.length
  return (bits - 2 * distance(a, b)) / bits
}

/** Bits that differ. */
export function distance(a: Uint8Array, b: Uint8Array): number {
  let count = 0
  for (let i = 0; i < a.length; i++) {
    let byte = (a[i] as number) ^ (b[i] as number)
    byte -= (byte >> 1) & 0x55
    byte = (byte & 0x33) + ((byte >> 2) & 0x33)
    count += (byte + (byte >> 4)) & 0x0f
  }
  return count
}

/** The bits as −1 and 1, in the order of SPEC §6. */
export function signsOf(code: Uint8Array, into: Float64Array): Float64Array {
  for (let j = 0; j < into.length; j++) into[j] = (((code[j >> 3] as number) >> (j & 7)) & 1) === 1 ? 1 : -1
  return into
}

/** |WHT|² of the signs, divided by m, less its mean 1; in place. */
export function spectrumOf(signs: Float64Array): Float64Array {
  const m = signs.length
  for (let h = 1; h < m; h <<= 1) {
    for (let block = 0; block < m; block += 2 * h) {
      for (let i = block; i < block + h; i++) {
        const a = signs[i] as number
        const b = signs[i + h] as number
        signs[i] = a + b
        signs[i + h] = a - b
      }
    }
  }
  for (let i = 0; i < m; i++) signs[i] = (signs[i] as number) ** 2 / m - 1
  return signs
}

/** Pearson's correlation; 0 where either has no spread. */
export function correlation(a: Float64Array, b: Float64Array): number {
  const n = a.length
  let [sumA, sumB, squaresA, squaresB, products] = [0, 0, 0, 0, 0]
  for (let i = 0; i < n; i++) {
    const x = a[i] as number
    const y = b[i] as number
    sumA += x
    sumB += y
    squaresA += x * x
    squaresB += y * y
    products += x * y
  }
  const spread = (squaresA - (sumA * sumA) / n) * (squaresB - (sumB * sumB) / n)
  return spread > 0 ? (products - (sumA * sumB) / n) / Math.sqrt(spread) : 0
}

const LAGS = 8
const RUNS = 3
/** Weight, products of neighbours at eight distances, the longest run, and how many runs have a length of 1, 2 and 3. */
export const STATISTICS: number = 1 + LAGS + 1 + RUNS

/** The statistics of a code as signs. The number of runs is the sum of products at distance 1 in other words. */
export function statisticsOf(signs: Float64Array, into: Float64Array): void {
  into.fill(0)
  let run = 0
  let longest = 0
  for (let j = 0; j < signs.length; j++) {
    const sign = signs[j] as number
    into[0] = (into[0] as number) + sign
    for (let lag = 1; lag <= LAGS && lag <= j; lag++) {
      into[lag] = (into[lag] as number) + sign * (signs[j - lag] as number)
    }
    run++
    if (j + 1 < signs.length && signs[j + 1] === sign) continue
    longest = Math.max(longest, run)
    if (run <= RUNS) into[LAGS + 1 + run] = (into[LAGS + 1 + run] as number) + 1
    run = 0
  }
  into[LAGS + 1] = longest
}

/** Statistics of both codes of every pair, standardised over all codes of the setting: pair after pair, side after side. */
export function standardStatistics(codes: PairCodes): Float64Array {
  const { count } = codes.pairs
  const rows = 2 * count
  const values = new Float64Array(rows * STATISTICS)
  const signs = new Float64Array(codes.bits)
  for (let row = 0; row < rows; row++) {
    signsOf(codes.code(row >> 1, (row & 1) as 0 | 1), signs)
    statisticsOf(signs, values.subarray(row * STATISTICS, (row + 1) * STATISTICS))
  }
  for (let column = 0; column < STATISTICS; column++) standardise(values, column, STATISTICS)
  return values
}

/** Mean 0 and variance 1 for every `step`-th value from `column` on; all 0 where they do not differ. */
export function standardise(values: Float64Array, column: number, step: number): void {
  const rows = values.length / step
  let sum = 0
  for (let at = column; at < values.length; at += step) sum += values[at] as number
  const mean = sum / rows
  let squares = 0
  for (let at = column; at < values.length; at += step) squares += ((values[at] as number) - mean) ** 2
  const deviation = Math.sqrt(squares / rows)
  for (let at = column; at < values.length; at += step) {
    values[at] = deviation > 0 ? ((values[at] as number) - mean) / deviation : 0
  }
}

/** Scores of the linkers that look at two codes and nothing else. */
export interface CodeScores {
  readonly hamming: Float64Array
  readonly spectrum: Float64Array
  readonly statistics: Float64Array
}

export async function scoreCodes(codes: PairCodes, pace: Pace): Promise<CodeScores> {
  const { count } = codes.pairs
  const scores = {
    hamming: new Float64Array(count),
    spectrum: new Float64Array(count),
    statistics: new Float64Array(count),
  }
  const statistics = standardStatistics(codes)
  const [a, b] = [new Float64Array(codes.bits), new Float64Array(codes.bits)]
  for (let pair = 0; pair < count; pair++) {
    const [first, second] = [codes.code(pair, 0), codes.code(pair, 1)]
    scores.hamming[pair] = hammingScore(first, second)
    scores.spectrum[pair] = correlation(spectrumOf(signsOf(first, a)), spectrumOf(signsOf(second, b)))
    const at = 2 * pair * STATISTICS
    let product = 0
    for (let i = at; i < at + STATISTICS; i++) {
      product += (statistics[i] as number) * (statistics[i + STATISTICS] as number)
    }
    scores.statistics[pair] = product / STATISTICS
    await pace.step(1)
  }
  return scores
}
