/** The PostgreSQL store passes the conformance suite on a real server (SPEC §10.5). @module */

import { migratePostgres, postgresStore } from 'guise/postgres'
import { storeConformance } from 'guise/testing'
import type pg from 'pg'
import { afterAll, beforeAll, test } from 'vitest'
import type { Store } from '../../src/store/store.ts'
import { freshSchema, poolOf, type TestServer, testServer } from '../support/postgres.ts'

let server: TestServer
let pool: pg.Pool
let other: pg.Pool
const schemas = new WeakMap<Store, string>()

beforeAll(async () => {
  server = await testServer()
  pool = poolOf(server.url)
  other = poolOf(server.url, 2)
}, 120_000)

afterAll(async () => {
  await server?.stop()
  await pool?.end()
  await other?.end()
}, 60_000)

async function openAt(schema: string, from = pool): Promise<Store> {
  const store = await postgresStore({ pool: from, schema })
  schemas.set(store, schema)
  return store
}

const checks = storeConformance(
  async () => {
    const schema = freshSchema()
    await migratePostgres(pool, { schema })
    return await openAt(schema)
  },
  {
    reopen: async (store) => {
      await store.close()
      return await openAt(schemas.get(store) ?? '')
    },
    second: (store) => openAt(schemas.get(store) ?? '', other),
  },
)

for (const { name, run } of checks) test(name, run, 60_000)
