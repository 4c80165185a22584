/**
 * Scores of probes under the key of one reference, in AssemblyScript (SPEC §5–§7). `npm run kernels` compiles it into
 * pair-kernel.generated.ts; pair-kernel.ts is the same in JavaScript. Places are byte offsets.
 */

import { quantize, rotate } from '../transform/kernel'

/**
 * Rotates the reference in place and keeps the signs of its first `count` values, a multiple of 16: a byte each, 0 for
 * zero and above, −1 below.
 */
export function turnTo(values: usize, stream: usize, levels: i32, rounds: i32, signs: usize, count: i32): void {
  rotate(values, stream, levels, rounds)
  for (let i = 0; i < count; i += 16) {
    v128.store(signs, signsOf(values))
    values += 64
    signs += 16
  }
}

/**
 * Rotates a probe in place and scores it. `out` gets S, Q and the number of signs that differ over the first 64 values, the
 * first 128, and so on, up to `count`.
 *
 * @param steps room for `count` bytes
 * @param step Δ of the rotation's size
 */
export function score(
  values: usize, stream: usize, levels: i32, rounds: i32, signs: usize, steps: usize, count: i32, step: i32, out: usize,
): void {
  rotate(values, stream, levels, rounds)
  quantize(values, steps, count, step)
  // 16 bits hold the part of a sum: 14 for each of at most 64 turns.
  let sums = i16x8.splat(0), energies = i32x4.splat(0), differing = 0
  for (let i = 0; i < count; ) {
    const q = v128.load(steps + i), sign = v128.load(signs + i)
    sums = i16x8.add(sums, i16x8.extadd_pairwise_i8x16_s(i8x16.sub(v128.xor(q, sign), sign)))
    const low = i16x8.extend_low_i8x16_s(q), high = i16x8.extend_high_i8x16_s(q)
    energies = i32x4.add(energies, i32x4.add(i32x4.dot_i16x8_s(low, low), i32x4.dot_i16x8_s(high, high)))
    differing += popcnt(i8x16.bitmask(v128.xor(signsOf(values), sign)))
    values += 64
    i += 16
    if (i >= 64 && (i & (i - 1)) == 0) {
      store<i32>(out, total(i32x4.extadd_pairwise_i16x8_s(sums)))
      store<i32>(out, total(energies), 4)
      store<i32>(out, differing, 8)
      out += 12
    }
  }
}

/** Of sixteen values: a byte each, 0 for zero and above, −1 below. */
@inline
function signsOf(values: usize): v128 {
  const low = i16x8.narrow_i32x4_s(v128.load(values), v128.load(values, 16))
  const high = i16x8.narrow_i32x4_s(v128.load(values, 32), v128.load(values, 48))
  return i8x16.shr_s(i8x16.narrow_i16x8_s(low, high), 7)
}

/** The four values of a vector, added. */
@inline
function total(values: v128): i32 {
  const pairs = i32x4.add(values, v128.shuffle<i32>(values, values, 2, 3, 0, 1))
  return i32x4.extract_lane(pairs, 0) + i32x4.extract_lane(pairs, 1)
}
