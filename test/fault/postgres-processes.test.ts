/** Four processes on one vault on PostgreSQL: exact counters, revocation at one instant (I-20, I-30). @module */

import { migratePostgres } from 'guise/postgres'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freshSchema, poolOf, type TestServer, testServer } from '../support/postgres.ts'
import { compile } from './compile.ts'
import { POSTGRES_WORLD } from './postgres-world.ts'
import { VAULT_FOLDERS } from './vault-folders.ts'
import { probeRounds, revokeWatched } from './vault-trials.ts'

const ROUNDS = Number(process.env['GUISE_PROBE_ROUNDS_SMOKE'] ?? 1)
const REVOKED = Number(process.env['GUISE_REVOKED_SMOKE'] ?? 8)
const timeout = 240_000
let server: TestServer
let compiled = ''

beforeAll(async () => {
  compiled = compile({ folders: VAULT_FOLDERS })
  server = await testServer()
}, 120_000)

afterAll(async () => {
  delete process.env[POSTGRES_WORLD]
  await server?.stop()
}, 60_000)

/** A schema that this process and its children find. */
async function fresh(): Promise<void> {
  const schema = freshSchema()
  const pool = poolOf(server.url, 1)
  await migratePostgres(pool, { schema })
  await pool.end()
  process.env[POSTGRES_WORLD] = `${schema} ${server.url}`
}

test(`POLICY-6 on PostgreSQL of 4 × 50 wrong probes at once exactly 5 are answered, ${ROUNDS} times`, {
  timeout,
}, async () => {
  await fresh()
  const rounds = await probeRounds({ compiled, rounds: ROUNDS })
  expect(rounds).toEqual(rounds.map(() => ({ match: 0, nonmatch: 5, refused: 195, errors: [] })))
  expect(rounds).toHaveLength(ROUNDS)
})

test(`VAULT-6 on PostgreSQL no process matches after revoke has returned, ${REVOKED} times`, {
  timeout,
}, async () => {
  await fresh()
  const result = await revokeWatched({ compiled, people: REVOKED, pauseMs: 40, seed: 37011 })
  console.info(`seed 37011: ${result.verifies} verifies, ${result.matches} of them matches`)
  expect(result.violations).toEqual([])
  expect(result.revocations).toBe(REVOKED)
  expect(result.matches).toBeGreaterThan(REVOKED)
})

test('the control that counts without compare-and-set answers more on PostgreSQL too', {
  timeout,
}, async () => {
  await fresh()
  const rounds = await probeRounds({ compiled, rounds: 1, variant: 'lost' })
  expect(Math.max(...rounds.map(({ nonmatch }) => nonmatch))).toBeGreaterThan(5)
})
