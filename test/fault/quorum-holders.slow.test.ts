import { expect, test } from 'vitest'
import { openUnderKills } from './quorum-holders-suite.ts'

test('QUORUM-15 ten thousand openings under kills give no other output', async () => {
  const { good, unavailable, wrong, kills } = await openUnderKills(10_000, 2)
  expect(wrong).toEqual([])
  expect(good + unavailable).toBe(10_000)
  expect(good).toBeGreaterThan(9900)
  expect(kills).toBe(1000)
}, 5_400_000)
