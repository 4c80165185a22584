/** What four processes see of a store is a history in which nothing revoked comes back (I-20, STORE-2); the full run is slow. @module */

import { beforeAll, expect, test } from 'vitest'
import { compile } from './compile.ts'
import { historyTrial } from './history-trial.ts'

const SEED = 20_001
let compiled = ''

beforeAll(() => {
  compiled = compile()
}, 120_000)

test('STORE-2 no verify that begins after a revoke sees what was revoked', { timeout: 60_000 }, async () => {
  const result = await historyTrial({ compiled, revocations: 200, seed: SEED })
  console.info(`seed ${SEED}: ${result.made} verifies, ${result.killed} killed, ${result.stopped} stopped`)
  expect(result.violations).toEqual([])
  expect(result.made).toBeGreaterThan(2000)
  expect([result.killed, result.stopped]).toEqual([2, 2])
})

test('the control that reads what was true 50 ms ago is caught', { timeout: 60_000 }, async () => {
  const result = await historyTrial({ compiled, revocations: 50, seed: SEED, variant: 'cached' })
  console.info(`control: ${result.violations.length} kinds of violations in ${result.made} verifies`)
  expect(result.violations.length).toBeGreaterThan(0)
})
