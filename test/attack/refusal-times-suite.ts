/** The tests of refusal times, for the small counts and the great ones. @module */

import { expect, test } from 'vitest'
import { compareTimes, KINDS, refusalTimes } from './refusal-times.ts'

const MOST_T = 4.5
const MOST_EFFECT = 0.01

/** @param plantedUs how long the answer of the control is kept back: it must be seen */
export function refusalTimesSuite(rounds: number, plantedUs: number): void {
  test(`VAULT-7 ${rounds} refusals of each kind are alike, and take as long`, {
    timeout: 3_600_000,
  }, async () => {
    const { times, answers } = await refusalTimes(rounds, plantedUs)
    expect([...answers]).toEqual(['{"outcome":"refused"}'])
    const seen: string[] = []
    for (const kind of KINDS.slice(1)) {
      const { t, effect, spread } = compareTimes(times.unknown, times[kind])
      console.info(
        `${kind} beside unknown: t ${t.toFixed(1)}, effect ${(100 * effect).toFixed(2)} ± ${(100 * spread).toFixed(2)} %`,
      )
      if (Math.abs(t) >= MOST_T && Math.abs(effect) >= MOST_EFFECT) seen.push(kind)
    }
    expect(seen).toEqual(['planted'])
  })
}
