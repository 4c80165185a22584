/** Connections that break and servers that end at once: the store on PostgreSQL, in small counts (I-15, I-16). @module */

import { migratePostgres, postgresStore } from 'guise/postgres'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freshSchema, type OwnServer, poolOf, type TestServer, testServer } from '../support/postgres.ts'
import { codeOf } from '../support/vault.ts'
import { crashTrial, cutTrial } from './postgres-trials.ts'

const CUTS = Number(process.env['GUISE_POSTGRES_CUTS_SMOKE'] ?? 60)
const CRASHES = Number(process.env['GUISE_POSTGRES_CRASHES_SMOKE'] ?? 3)
const SETTINGS = ['max_connections=60']
const timeout = 120_000
let server: TestServer & { readonly own: OwnServer }

beforeAll(async () => {
  server = (await testServer(SETTINGS)) as typeof server
}, 120_000)

afterAll(async () => {
  await server?.stop()
}, 60_000)

test(`STORE-17 of ${CUTS} connections cut at random bytes none leaves half a commit or a doubled one`, {
  timeout,
}, async () => {
  const result = await cutTrial(server, { cuts: CUTS, seed: 41001 })
  console.info('seed 41001', result)
  expect(result).toMatchObject({ untyped: [], off: 0, torn: 0 })
  expect(result.cuts).toBeGreaterThanOrEqual(CUTS)
  expect(result.indeterminate).toBeGreaterThan(CUTS / 10)
  expect(result.carriedOut).toBeGreaterThan(0)
  expect(result.slowestMs).toBeLessThan(5000)
})

test('the control that takes a lost answer for nothing written writes twice', { timeout }, async () => {
  const result = await cutTrial(server, { cuts: CUTS, seed: 41002, blind: true })
  console.info('seed 41002, control', result)
  expect(result.off).toBeGreaterThan(0)
})

test(`STORE-16 ${CRASHES} servers ended at once lose nothing that was acknowledged`, {
  timeout,
}, async () => {
  const result = await crashTrial(server, {
    crashes: CRASHES,
    writers: [4, 16],
    acknowledged: 60,
    seed: 41003,
  })
  console.info('seed 41003', result)
  expect(result.lost).toBe(0)
  expect(result.acknowledged).toBeGreaterThan(10)
})

test('STORE-17 a commit whose wait for a standby is called off is not acknowledged', {
  timeout,
}, async () => {
  const pool = poolOf(server.url, 4)
  const schema = freshSchema()
  await migratePostgres(pool, { schema })
  const store = await postgresStore({ pool, schema })
  const standby = async (name: string): Promise<void> => {
    await pool.query(`ALTER SYSTEM SET synchronous_standby_names = '${name}'`)
    await pool.query('SELECT pg_reload_conf()')
  }
  await standby('nowhere')
  for (let taken = false; !taken; ) {
    const { rows } = await pool.query<{ name: string }>(
      `SELECT current_setting('synchronous_standby_names') AS name`,
    )
    taken = rows[0]?.name === 'nowhere'
  }
  const key = Uint8Array.of(5, 1)
  const outcome = codeOf(store.commit([{ step: 'put', table: 'states', key, bytes: key, expected: null }]))
  for (let cancelled = 0; cancelled === 0; ) {
    const { rows } = await pool.query(
      `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`,
    )
    cancelled = rows.length
  }
  expect(await outcome).toBe('ERR_STORE_INDETERMINATE')
  expect((await store.get('states', key))?.bytes).toEqual(key)
  await standby('')
  await store.close()
  await pool.end()
})
