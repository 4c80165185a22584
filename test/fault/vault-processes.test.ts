/** Four processes on one vault: exact counters, revocation at one instant (I-20, I-30); the full run is slow. @module */

import { beforeAll, expect, test } from 'vitest'
import { compile } from './compile.ts'
import { VAULT_FOLDERS } from './vault-folders.ts'
import { probeRounds, promoteAndLook, revokeUntilViolated, revokeWatched } from './vault-trials.ts'

const ROUNDS = Number(process.env['GUISE_PROBE_ROUNDS_SMOKE'] ?? 6)
const REVOKED = Number(process.env['GUISE_REVOKED_SMOKE'] ?? 24)
const PROMOTIONS = 2
const timeout = 240_000
let compiled = ''

beforeAll(() => {
  compiled = compile({ folders: VAULT_FOLDERS })
}, 120_000)

test(`POLICY-6 of 4 × 50 wrong probes at once exactly 5 are answered, in ${ROUNDS} of ${ROUNDS} rounds`, {
  timeout,
}, async () => {
  const rounds = await probeRounds({ compiled, rounds: ROUNDS })
  expect(rounds).toEqual(rounds.map(() => ({ match: 0, nonmatch: 5, refused: 195, errors: [] })))
  expect(rounds).toHaveLength(ROUNDS)
})

test('the control that counts without compare-and-set answers more', { timeout }, async () => {
  const rounds = await probeRounds({ compiled, rounds: 2, variant: 'lost' })
  console.info(`control: ${rounds.map(({ nonmatch }) => nonmatch).join(', ')} answers`)
  expect(Math.max(...rounds.map(({ nonmatch }) => nonmatch))).toBeGreaterThan(5)
})

test(`VAULT-6 no process matches after revoke has returned, ${REVOKED} times`, { timeout }, async () => {
  const result = await revokeWatched({ compiled, people: REVOKED, pauseMs: 20, seed: 37001 })
  console.info(`seed 37001: ${result.verifies} verifies, ${result.matches} of them matches`)
  expect(result.violations).toEqual([])
  expect(result.revocations).toBe(REVOKED)
  expect(result.matches).toBeGreaterThan(2 * REVOKED)
  expect(result.verifies - result.matches).toBeGreaterThan(REVOKED)
})

test('the control that reads what was true a second ago matches the revoked', { timeout }, async () => {
  const { violations, verifies } = await revokeUntilViolated({ compiled, seed: 37002, variant: 'cached' })
  console.info(`seed 37002, control: ${violations.length} violations in ${verifies} verifies`)
  expect(violations.length).toBeGreaterThan(0)
})

test('KEYS-12 four processes use a promoted epoch at their next verb', { timeout }, async () => {
  const looks = await promoteAndLook({ compiled, promotions: PROMOTIONS })
  expect(looks).toEqual(looks.map(({ primary }) => ({ primary, used: new Array(8).fill(primary) })))
})
