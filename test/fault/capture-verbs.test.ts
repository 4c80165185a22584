/** A capture enters one verb, on each store that lasts (SPEC §20.8); the control is of a store that spends nothing. @module */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryStore, type Store } from 'guise'
import { lmdbStore } from 'guise/lmdb'
import { migratePostgres, postgresStore } from 'guise/postgres'
import { expect, test } from 'vitest'
import { freshSchema, poolOf, testServer } from '../support/postgres.ts'
import { raceVerbs } from './capture-verbs-suite.ts'

const ROUNDS = 1

test('CAPTURE-21 on LMDB a capture enters one verb of 64', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'guise-capture-'))
  const store = await lmdbStore({ path: join(folder, 'store') })
  try {
    await raceVerbs(store, ROUNDS)
  } finally {
    await store.close()
    rmSync(folder, { recursive: true, force: true })
  }
}, 60_000)

test('CAPTURE-21 on PostgreSQL a capture enters one verb of 64', async () => {
  const server = await testServer()
  const pool = poolOf(server.url, 20)
  try {
    const schema = freshSchema()
    await migratePostgres(pool, { schema })
    const store = await postgresStore({ pool, schema })
    await raceVerbs(store, ROUNDS)
    await store.close()
  } finally {
    await pool.end()
    await server.stop()
  }
}, 120_000)

/** Spends no challenge and remembers no probe, and says that it did: the seeded bug. */
function spendsNothing(store: Store): Store {
  const commit: Store['commit'] = async (steps, options) => {
    const spends = steps.some(({ step, table }) => step === 'delete' && table === 'challenges')
    return spends ? steps.map(() => '') : await store.commit(steps, options)
  }
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'commit') return commit
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

test('CAPTURE-21 control: where nothing is spent, more than one verb is entered', async () => {
  await expect(raceVerbs(spendsNothing(memoryStore()), 1)).rejects.toThrow(/deeply equal/)
}, 60_000)
