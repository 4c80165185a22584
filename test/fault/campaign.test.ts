/** Campaigns killed at work beside comparisons (VAULT-40, VAULT-45, I-24); many records are slow. @module */

import { beforeAll, expect, test } from 'vitest'
import { campaignTrial, trialLine } from './campaign-suite.ts'
import { compile } from './compile.ts'
import { VAULT_FOLDERS } from './vault-folders.ts'

const RECORDS = 200
const KILLS = 2
let compiled = ''

beforeAll(() => {
  compiled = compile({ folders: VAULT_FOLDERS })
}, 120_000)

test(`VAULT-45 ${RECORDS} records, ${KILLS} kills: no wrong answer, one wrap each under the primary epoch`, {
  timeout: 240_000,
}, async () => {
  const result = await campaignTrial({ compiled, records: RECORDS, kills: KILLS, seed: 41001, idle: 100 })
  console.info(trialLine(result))
  const { wrong, torn, epochs, primary, minAccepted, verifies } = result
  expect({ wrong, torn }).toEqual({ wrong: [], torn: [] })
  expect(epochs).toEqual({ [primary]: RECORDS })
  expect(minAccepted).toBe(primary)
  expect(result.kills).toBe(KILLS)
  expect(verifies).toBeGreaterThan(100)
})

test('the control that raises the lowest accepted epoch before its wraps are moved is caught', {
  timeout: 240_000,
}, async () => {
  const early = compile({
    folders: VAULT_FOLDERS,
    mutation: {
      file: 'src/vault/campaign.ts',
      from: '  let last: Pass =',
      to: '  await kind.finish?.()\n  let last: Pass =',
    },
  })
  const trial = { records: RECORDS, kills: 2, seed: 41002, idle: 10, control: true } as const
  const result = await campaignTrial({ compiled: early, ...trial })
  console.info(`control: ${result.wrong[0]}`)
  expect(result.wrong.some((line) => line.includes('ERR_KEYS_RETIRED'))).toBe(true)
})
