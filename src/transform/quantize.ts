/** Rotated values to sign bits and to probe steps (SPEC §6). @module */

import { TransformError } from './errors.ts'

/** Δ for n = 64, 128 … 4096: 0.335 of the standard deviation 2^20 / √n of a coordinate, rounded. */
const STEPS: readonly number[] = [43_909, 31_048, 21_955, 15_524, 10_977, 7762, 5489]

/** The quantiser's step Δ for rotations of size `n`. */
export function stepOf(n: number): number {
  const step = (n & (n - 1)) === 0 ? STEPS[25 - Math.clz32(n)] : undefined
  if (step === undefined) throw new TransformError('ERR_TRANSFORM_INPUT', 'no step belongs to this size')
  return step
}

/**
 * The first `m` values in steps of Δ, from −7 to 7: sgn(v) · min(7, ⌊(2|v| + Δ) / (2Δ)⌋).
 *
 * Instead of dividing, 2|v| is compared with 7Δ, then what is left with 3Δ, then with Δ: the three bits of the
 * result, most significant first. The values are biometric: no branch, no address and no division depends on them.
 *
 * @param values all n rotated values, |v| < 2^30; borrowed
 * @returns off-heap, owned by the caller, who wipes it
 */
export function quantize(values: Int32Array, m: number): Int8Array {
  const step = stepOf(values.length)
  const q = new Int8Array(new ArrayBuffer(m))
  for (let j = 0; j < m; j++) {
    const value = values[j] as number
    const sign = value >> 31
    let rest = ((value ^ sign) - sign) << 1
    const four = ~((rest - 7 * step) >> 31)
    rest = (rest - (four & (8 * step))) | 0
    const two = ~((rest - 3 * step) >> 31)
    rest = (rest - (two & (4 * step))) | 0
    const one = ~((rest - step) >> 31)
    q[j] = (((four & 4) | (two & 2) | (one & 1)) ^ sign) - sign
  }
  return q
}

/**
 * The signs of the first `m` values: bit j is 1 when the value is zero or above, least significant bit first.
 *
 * @returns m/8 bytes off-heap, owned by the caller, who wipes them
 */
export function signBits(values: Int32Array, m: number): Uint8Array {
  const bits = new Uint8Array(new ArrayBuffer(m >> 3))
  for (let j = 0; j < m; j++) {
    bits[j >> 3] = (bits[j >> 3] as number) | ((~(values[j] as number) >>> 31) << (j & 7))
  }
  return bits
}
