/** Score and decision, in integers of any size (SPEC §7). @module */
import { Refused, xor } from './bytes.ts'
import type { Probe } from './template.ts'

export interface Score {
  /** S. */
  readonly sum: number
  /** Q. */
  readonly energy: number
}

export function score(code: Uint8Array, probe: Probe): Score {
  const b = xor(code, probe.mask)
  let sum = 0
  let energy = 0
  probe.q.forEach((q, j) => {
    const bit = Math.floor((b[Math.floor(j / 8)] as number) / 2 ** (j % 8)) % 2
    sum = bit === 1 ? sum + q : sum - q
    energy = energy + q * q
  })
  return { sum, energy }
}

/** Accept exactly when S > 0 and S² × 10^8 ≥ T² × m × Q. */
export function accepts({ sum, energy }: Score, m: number, T: number): boolean {
  if (!Number.isInteger(T) || T < 1 || T > 10_000) throw new Refused('ERR_COMPARE_THRESHOLD', 'threshold')
  const S = BigInt(sum)
  return S > 0n && S * S * 10n ** 8n >= BigInt(T) * BigInt(T) * BigInt(m) * BigInt(energy)
}

/** The largest threshold that accepts, 0 when none does. */
export function strictest(found: Score, m: number): number {
  let best = 0
  for (let T = 1; T <= 10_000; T++) if (accepts(found, m, T)) best = T
  return best
}
