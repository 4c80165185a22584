/** The decision, in integers (SPEC §7). @module */

import { CompareError } from './errors.ts'

/** Thresholds are similarities in ten-thousandths. */
const SCALE = 10_000

/**
 * True exactly when S > 0 and S² · 10^8 >= T² · m · Q.
 *
 * Both sides stay below 2^53 for m up to 1024 (7168² · 10^8 and 10^8 · 1024 · 50176, each about 5.1 · 10^15), so
 * doubles hold them exactly. Both conditions are always computed.
 *
 * @param threshold T, an integer from 1 to 10000
 */
export function accepts(sum: number, energy: number, m: number, threshold: number): boolean {
  if (!Number.isInteger(threshold) || threshold < 1 || threshold > SCALE) {
    throw new CompareError('ERR_COMPARE_THRESHOLD', `a threshold must be an integer from 1 to ${SCALE}`)
  }
  const positive = Number(sum > 0)
  const near = Number(sum * sum * (SCALE * SCALE) >= threshold * threshold * m * energy)
  return (positive & near) === 1
}
