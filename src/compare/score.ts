/** The integer score of a code and a probe (SPEC §7). @module */

import type { Probe } from '../template/probe.ts'
import { CompareError } from './errors.ts'

/** What a comparison computes. It stays inside the comparison: results carry the decision only. */
export interface Score {
  /** S: the probe's steps, added where the code's bit is 1 and subtracted where it is 0. */
  readonly sum: number
  /** Q: the squares of the probe's steps, added. */
  readonly energy: number
}

/**
 * Compares a masked code with a probe. The work depends on their length only.
 *
 * The key's mask is taken off the code bit by bit on the way: the unmasked code exists nowhere in memory.
 */
export function score(code: Uint8Array, probe: Probe): Score {
  const { q, mask } = probe
  if (code.length << 3 !== q.length || mask.length !== code.length) {
    throw new CompareError('ERR_COMPARE_LENGTH', 'code and probe must have the same number of bits')
  }
  // S = 2 · (steps where the bit is 1) − (all steps), which needs one operation a coordinate less.
  let ones = 0
  let all = 0
  let energy = 0
  // biome-ignore format: one line is one coordinate
  for (let byte = 0, j = 0; byte < code.length; byte++, j += 8) {
    const bits = (code[byte] as number) ^ (mask[byte] as number)
    const a = q[j] as number; const b = q[j + 1] as number; const c = q[j + 2] as number; const d = q[j + 3] as number
    const e = q[j + 4] as number; const f = q[j + 5] as number; const g = q[j + 6] as number; const h = q[j + 7] as number
    all = (all + a + b + c + d + e + f + g + h) | 0
    ones = (ones + (a & ((bits << 31) >> 31)) + (b & ((bits << 30) >> 31)) +
      (c & ((bits << 29) >> 31)) + (d & ((bits << 28) >> 31)) +
      (e & ((bits << 27) >> 31)) + (f & ((bits << 26) >> 31)) +
      (g & ((bits << 25) >> 31)) + (h & ((bits << 24) >> 31))) | 0
    energy = (energy + Math.imul(a, a) + Math.imul(b, b) + Math.imul(c, c) + Math.imul(d, d) +
      Math.imul(e, e) + Math.imul(f, f) + Math.imul(g, g) + Math.imul(h, h)) | 0
  }
  return { sum: 2 * ones - all, energy }
}

/**
 * S / √(m · Q), from −1 to 1, and 0 for a probe without energy. For evaluation on development data only: a
 * decision takes the integer rule.
 */
export function similarity(sum: number, energy: number, m: number): number {
  return energy === 0 ? 0 : sum / Math.sqrt(m * energy)
}
