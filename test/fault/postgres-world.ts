/** The store of a fault test's vault on PostgreSQL, in a pool of its own. @module */
/// <reference types="node" />

import { Pool } from 'pg'
import { postgresStore } from '../../src/store/postgres.ts'
import { readRows } from '../../src/store/read-rows.ts'
import type { Store } from '../../src/store/store.ts'

/**
 * Where vaults of fault tests and their child processes keep their rows, as `<schema> <address>`, which the most
 * connections of a process and the time for a lock in milliseconds may follow; unset: on LMDB.
 */
export const POSTGRES_WORLD = 'GUISE_FAULT_POSTGRES'

/** Closing the store ends its pool. */
export async function postgresWorldStore(place: string): Promise<Store> {
  const [schema = '', connectionString = '', max = '8', lockMs = '5000'] = place.split(' ')
  const pool = new Pool({ connectionString, max: Number(max) })
  pool.on('error', () => undefined)
  const store = await postgresStore({ pool, schema, lockTimeoutMs: Number(lockMs) })
  const close = async (): Promise<void> => {
    await store.close()
    await pool.end()
  }
  return {
    durable: store.durable,
    get: (table, key, options) => store.get(table, key, options),
    getMany: (places, options) => readRows(store, places, options),
    commit: (steps, options) => store.commit(steps, options),
    scan: (table, from, options) => store.scan(table, from, options),
    close,
    [Symbol.asyncDispose]: close,
  }
}
