/** Whether the bits of many codes look like coins (SPEC §15.2). @module */

import { checkBytes, checkInteger } from '../base/check.ts'
import { EvaluateError, inputError } from './errors.ts'

export interface BitStatistics {
  readonly codes: number
  readonly bits: number
  /** The share of codes whose bit is 1 is at most this far from ½ over all bits. */
  readonly worstBias: number
  /** Four standard deviations of a fair coin's share, 2 ÷ √codes. */
  readonly biasBound: number
  readonly fair: boolean
  /** Largest absolute correlation of two bits over the codes; `null` when fewer than two bits vary. */
  readonly worstCorrelation: number | null
  /** Bits that are the same in all codes; they correlate with nothing. */
  readonly constant: number
  /** Σ −log2 max(share, 1 − share): at most this if bits are independent. */
  readonly minEntropyBits: number
}

/**
 * Bias, correlation and entropy of the bits of codes.
 *
 * @param codes At least two, of `bits` ÷ 8 bytes each; bit j is bit j mod 8, least significant first, of byte ⌊j ÷ 8⌋.
 * @param bits A multiple of 8, 8 to 4,096.
 * @throws {EvaluateError} `ERR_EVALUATE_TOO_FEW` for fewer than two codes; `ERR_EVALUATE_INPUT`.
 * @example
 * const codes = [Uint8Array.of(0b0000_1111), Uint8Array.of(0b1111_0000)]
 * console.log(bitStatistics(codes, 8).worstCorrelation) // 1
 */
export function bitStatistics(codes: readonly Uint8Array[], bits: number): BitStatistics {
  checkInteger(bits, 'bits', [8, 4096], inputError)
  if (bits % 8 !== 0) throw inputError('bits must be a multiple of 8')
  for (const code of codes) checkBytes(code, 'a code', bits / 8, inputError)
  if (codes.length < 2) throw new EvaluateError('ERR_EVALUATE_TOO_FEW', 'two codes are needed')
  const columns = columnsOf(codes, bits)
  const ones = columns.map(countOnes)
  const count = codes.length
  let worstBias = 0
  let minEntropyBits = 0
  for (const one of ones) {
    worstBias = Math.max(worstBias, Math.abs(one / count - 0.5))
    minEntropyBits -= Math.log2(Math.max(one, count - one) / count)
  }
  const biasBound = 2 / Math.sqrt(count)
  return {
    codes: count,
    bits,
    worstBias,
    biasBound,
    fair: worstBias <= biasBound,
    worstCorrelation: worstOf(columns, ones, count),
    constant: ones.filter((one) => one === 0 || one === count).length,
    minEntropyBits: Math.max(0, minEntropyBits),
  }
}

/** For each bit its value in every code, 32 codes a word. */
function columnsOf(codes: readonly Uint8Array[], bits: number): readonly Uint32Array[] {
  const columns = Array.from({ length: bits }, () => new Uint32Array(Math.ceil(codes.length / 32)))
  for (const [i, code] of codes.entries()) {
    for (const [j, column] of columns.entries()) {
      const bit = ((code[j >> 3] as number) >> (j & 7)) & 1
      column[i >> 5] = (column[i >> 5] as number) | (bit << (i & 31))
    }
  }
  return columns
}

function worstOf(columns: readonly Uint32Array[], ones: readonly number[], count: number): number | null {
  let worst: number | null = null
  for (const [j, a] of columns.entries()) {
    const onesOfA = ones[j] as number
    if (onesOfA === 0 || onesOfA === count) continue
    for (let k = j + 1; k < columns.length; k++) {
      const onesOfB = ones[k] as number
      if (onesOfB === 0 || onesOfB === count) continue
      const covariance = count * countBoth(a, columns[k] as Uint32Array) - onesOfA * onesOfB
      const spread = Math.sqrt(onesOfA * (count - onesOfA)) * Math.sqrt(onesOfB * (count - onesOfB))
      worst = Math.max(worst ?? 0, Math.min(1, Math.abs(covariance) / spread))
    }
  }
  return worst
}

function countOnes(column: Uint32Array): number {
  return countBoth(column, column)
}

function countBoth(a: Uint32Array, b: Uint32Array): number {
  let count = 0
  for (let i = 0; i < a.length; i++) count += popcount((a[i] as number) & (b[i] as number))
  return count
}

function popcount(word: number): number {
  let x = word - ((word >>> 1) & 0x5555_5555)
  x = (x & 0x3333_3333) + ((x >>> 2) & 0x3333_3333)
  x = (x + (x >>> 4)) & 0x0f0f_0f0f
  return Math.imul(x, 0x0101_0101) >>> 24
}
