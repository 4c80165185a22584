/** Thieves of a realm whose people hold a share: GUISE_STOLEN templates. */
import { expect, test } from 'vitest'
import { stealWithoutShares } from './holder-custody.ts'

const STOLEN = Number(process.env['GUISE_STOLEN'] ?? 10_000)

test('custody holder: with everything but the share decisions are those of chance', async () => {
  const { area, areaWithShare, ...counts } = await stealWithoutShares(STOLEN)
  console.info(`AUC ${area.toFixed(4)}, with the share ${areaWithShare.toFixed(4)}`)
  expect(counts).toEqual({ templates: STOLEN, alone: 0, withAnother: 0, withOwn: STOLEN })
  expect(Math.abs(area - 0.5)).toBeLessThanOrEqual(0.02)
  expect(areaWithShare).toBeGreaterThan(0.99)
}, 7_200_000)
