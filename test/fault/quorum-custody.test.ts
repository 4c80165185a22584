/** A vault under a quorum whose holders fail, for a short while: `quorum-custody.slow.test.ts` goes on for long. */
import { expect, test } from 'vitest'
import { exchanged, verifyUnderKills, verifyUnderRefreshes } from './quorum-custody-suite.ts'

test('QUORUM-34 of 40 verifies while holders die, return and lie none is decided wrongly', async () => {
  const { wrong, right, unavailable, verifies } = await verifyUnderKills(40, 1)
  expect(wrong).toEqual([])
  expect(right + unavailable).toBe(verifies)
  expect(right).toBeGreaterThan(20)
  expect(unavailable).toBeGreaterThan(0)
}, 120_000)

test('the control whose quorum gives outputs of other generations is caught', async () => {
  const { wrong } = await verifyUnderKills(8, 1, exchanged)
  expect(wrong.length).toBeGreaterThan(0)
}, 60_000)

test('QUORUM-34 verifies go on through 3 refreshes of all shares', async () => {
  const { wrong, right, unavailable, verifies } = await verifyUnderRefreshes(3)
  expect(wrong).toEqual([])
  expect(right + unavailable).toBe(verifies)
  expect(right).toBeGreaterThan(4 * unavailable)
  expect(verifies).toBeGreaterThanOrEqual(12)
}, 120_000)
