/** The store of a fault test's vault on PostgreSQL, in a pool of its own. @module */
/// <reference types="node" />

import { Pool } from 'pg'
import { postgresStore } from '../../src/store/postgres.ts'
import type { Store } from '../../src/store/store.ts'

/** Where vaults of fault tests and their child processes keep their rows, as `<schema> <address>`; unset: on LMDB. */
export const POSTGRES_WORLD = 'GUISE_FAULT_POSTGRES'

/** Closing the store ends its pool. */
export async function postgresWorldStore(place: string): Promise<Store> {
  const [schema = '', connectionString = ''] = place.split(' ')
  const pool = new Pool({ connectionString, max: 8 })
  pool.on('error', () => undefined)
  const store = await postgresStore({ pool, schema })
  const close = async (): Promise<void> => {
    await store.close()
    await pool.end()
  }
  return {
    durable: store.durable,
    get: (table, key, options) => store.get(table, key, options),
    commit: (steps, options) => store.commit(steps, options),
    scan: (table, from, options) => store.scan(table, from, options),
    close,
    [Symbol.asyncDispose]: close,
  }
}
