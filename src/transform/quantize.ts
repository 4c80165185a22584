/** Rotated values to sign bits and to probe steps (SPEC §6). @module */

import { secretBytes } from '../base/bytes.ts'
import { TransformError } from './errors.ts'
import { kernel } from './rotate.ts'

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
 * @param values all n rotated values, |v| < 2^30; borrowed
 * @param m an allowed number of bits, at most n
 * @param q room for as many steps; off-heap room of its own unless given
 * @returns `q`, owned by the caller, who wipes it
 */
export function quantize(
  values: Int32Array,
  m: number,
  q: Int8Array = new Int8Array(new ArrayBuffer(m)),
): Int8Array {
  kernel().quantize(values, stepOf(values.length), q)
  return q
}

/**
 * The signs of the first `m` values: bit j is 1 when the value is zero or above, least significant bit first.
 *
 * @returns m/8 bytes off-heap, owned by the caller, who wipes them
 */
export function signBits(values: Int32Array, m: number): Uint8Array {
  const bits = secretBytes(m >> 3)
  kernel().signs(values, bits)
  return bits
}
