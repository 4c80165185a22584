/** A long history of many processes on one store, some stopped and killed on the way (I-20, STORE-2). @module */

import { beforeAll, expect, test } from 'vitest'
import { compile } from './compile.ts'
import { historyTrial } from './history-trial.ts'

const REVOCATIONS = Number(process.env['GUISE_STORE_REVOCATIONS'] ?? 20_000)
const SEED = 20_002
let compiled = ''

beforeAll(() => {
  compiled = compile()
}, 120_000)

test(`STORE-2 no verify sees what was revoked before it began, ${REVOCATIONS} times`, async () => {
  const result = await historyTrial({ compiled, revocations: REVOCATIONS, seed: SEED })
  console.info(
    `seed ${SEED}: ${result.made} verifies, ${result.revocations} revocations, ${result.killed} killed, ${result.stopped} stopped`,
  )
  expect(result.violations).toEqual([])
  expect(result.made).toBeGreaterThan(10 * REVOCATIONS)
})

test('the control that reads what was true 50 ms ago is caught', async () => {
  const result = await historyTrial({ compiled, revocations: 500, seed: SEED, variant: 'cached' })
  console.info(`control: ${result.violations.length} kinds of violations in ${result.made} verifies`)
  expect(result.violations.length).toBeGreaterThan(0)
})
