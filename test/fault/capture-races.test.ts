/** One challenge, 64 openings at once, on each store that lasts (SPEC §20.1). @module */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryStore } from 'guise'
import { lmdbStore } from 'guise/lmdb'
import { migratePostgres, postgresStore } from 'guise/postgres'
import { expect, test } from 'vitest'
import { freshSchema, poolOf, testServer } from '../support/postgres.ts'
import { raceCaptures, winnersAll } from './capture-races-suite.ts'

const ROUNDS = 1

test('CAPTURE-2 CAPTURE-18 on LMDB one of 64 wins', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'guise-capture-'))
  const store = await lmdbStore({ path: join(folder, 'store') })
  try {
    await raceCaptures(store, store, ROUNDS)
  } finally {
    await store.close()
    rmSync(folder, { recursive: true, force: true })
  }
}, 60_000)

test('CAPTURE-2 CAPTURE-18 on PostgreSQL one of 64 wins', async () => {
  const server = await testServer()
  const pools = [poolOf(server.url, 20), poolOf(server.url, 20)] as const
  try {
    const schema = freshSchema()
    await migratePostgres(pools[0], { schema })
    const [first, second] = await Promise.all(pools.map((pool) => postgresStore({ pool, schema })))
    if (first === undefined || second === undefined) throw new Error('two stores')
    await raceCaptures(first, second, ROUNDS)
    await Promise.all([first.close(), second.close()])
  } finally {
    await Promise.all(pools.map((pool) => pool.end()))
    await server.stop()
  }
}, 120_000)

test('control: a store where everybody wins is noticed', async () => {
  const store = winnersAll(memoryStore())
  await expect(raceCaptures(store, store, 1)).rejects.toThrow('accepted')
})
