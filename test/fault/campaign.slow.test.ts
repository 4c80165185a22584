/** Many records, many kills, and the time that comparisons take meanwhile (VAULT-40, VAULT-45, I-24). @module */

import { beforeAll, expect, test } from 'vitest'
import { campaignTrial, trialLine } from './campaign-suite.ts'
import { compile } from './compile.ts'
import { VAULT_FOLDERS } from './vault-folders.ts'

const RECORDS = Number(process.env['GUISE_CAMPAIGN_RECORDS'] ?? 100_000)
const KILLS = Number(process.env['GUISE_CAMPAIGN_KILLS'] ?? 20)
/** Wraps a second: an operator gives as much as his traffic can spare. */
const RATE = Number(process.env['GUISE_CAMPAIGN_RATE'] ?? 500)
const IDLE = 5000
let compiled = ''

beforeAll(() => {
  compiled = compile({ folders: VAULT_FOLDERS })
}, 120_000)

test(`VAULT-45 ${RECORDS} records, ${KILLS} kills: no wrong answer, 99 of 100 in twice the idle time at most`, {
  timeout: 7_200_000,
}, async () => {
  const trial = { records: RECORDS, kills: KILLS, seed: 42001, idle: IDLE, perSecond: RATE }
  const result = await campaignTrial({ compiled, ...trial })
  console.info(trialLine(result))
  const { wrong, torn, epochs, primary, minAccepted, idleP99Ms, busyP99Ms } = result
  expect({ wrong, torn }).toEqual({ wrong: [], torn: [] })
  expect(epochs).toEqual({ [primary]: RECORDS })
  expect(minAccepted).toBe(primary)
  expect(busyP99Ms).toBeLessThanOrEqual(2 * idleP99Ms)
})
