/** Thieves of a realm whose people hold a share, few of them: `holder-custody.slow.test.ts` has many. */
import { expect, test } from 'vitest'
import { stealWithoutShares } from './holder-custody.ts'

test('custody holder: of 200 stolen templates none opens without its share, and what is sealed tells nobody apart', async () => {
  const { area, areaWithShare, ...counts } = await stealWithoutShares(200)
  expect(counts).toEqual({ templates: 200, alone: 0, withAnother: 0, withOwn: 200 })
  // Four standard errors of 200 pairs.
  expect(Math.abs(area - 0.5)).toBeLessThan(4 * Math.sqrt(1 / (6 * 200)))
  expect(areaWithShare).toBeGreaterThan(0.99)
}, 60_000)
