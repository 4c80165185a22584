/** A vault under a quorum whose holders fail: GUISE_QUORUM_VERIFIES verifies, GUISE_QUORUM_REFRESHES refreshes. */
import { expect, test } from 'vitest'
import { verifyUnderKills, verifyUnderRefreshes } from './quorum-custody-suite.ts'

const VERIFIES = Number(process.env['GUISE_QUORUM_VERIFIES'] ?? 10_000)
const REFRESHES = Number(process.env['GUISE_QUORUM_REFRESHES'] ?? 100)

test('QUORUM-34 ten thousand verifies while holders die, return and lie, none decided wrongly', async () => {
  const { wrong, right, unavailable, restarts } = await verifyUnderKills(VERIFIES, 2)
  console.info(`${VERIFIES} verifies: ${right} right, ${unavailable} unavailable, ${restarts} restarts`)
  expect(wrong).toEqual([])
  expect(right + unavailable).toBe(VERIFIES)
}, 7_200_000)

test('QUORUM-34 verifies go on through a hundred refreshes of all shares', async () => {
  const { wrong, right, unavailable, verifies } = await verifyUnderRefreshes(REFRESHES)
  console.info(`${REFRESHES} refreshes: ${verifies} verifies, ${unavailable} unavailable`)
  expect(wrong).toEqual([])
  expect(right + unavailable).toBe(verifies)
  expect(right).toBeGreaterThan(4 * unavailable)
}, 7_200_000)
