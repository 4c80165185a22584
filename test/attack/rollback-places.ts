/** Where a vault works whose store is copied and put back: a directory of LMDB, a schema of PostgreSQL (I-21). @module */
/// <reference types="node" />

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Store } from 'guise'
import { lmdbStore, restoreLmdb } from 'guise/lmdb'
import { migratePostgres, postgresStore } from 'guise/postgres'
import type { Pool } from 'pg'
import { TABLES } from '../../src/store/store.ts'
import { freshSchema } from '../support/postgres.ts'

export interface Place {
  readonly store: Store
  /** Copies what the store holds now. */
  copy(number: number): Promise<Copy>
  end(): Promise<void>
}

/** Puts a copy back, as a store of its own beside the one at work. */
export type Copy = () => Promise<Restored>

export interface Restored {
  readonly store: Store
  end(): Promise<void>
}

/** Makes a place for one history; `base` is a folder of its own. */
export type Places = (base: string) => Promise<Place>

/** Copied with `backup`, put back with `restoreLmdb`. */
export async function lmdbPlace(base: string): Promise<Place> {
  const store = await lmdbStore({ path: join(base, 'store') })
  const copy = async (number: number): Promise<Copy> => {
    const path = join(base, `copy-${number}`)
    await store.backup(path)
    return async () => {
      const folder = join(base, 'put-back')
      await restoreLmdb(path, folder)
      const restored = await lmdbStore({ path: folder })
      const end = async (): Promise<void> => {
        await restored.close()
        rmSync(folder, { recursive: true })
      }
      return { store: restored, end }
    }
  }
  return { store, copy, end: () => store.close() }
}

/** What a dump of the schema holds beside the tables of the store. */
const DUMPED = [...TABLES, 'queue_pending', 'queue_head']

/** Copied like a dump: every row of one instant; put back into a schema that was made anew. */
export function postgresPlaces(pool: Pool): Places {
  return async () => {
    const schema = freshSchema()
    const schemas = [schema]
    await migratePostgres(pool, { schema })
    const store = await postgresStore({ pool, schema })
    const copy = async (): Promise<Copy> => {
      const dump = freshSchema()
      schemas.push(dump)
      const tables = DUMPED.map((table) => `CREATE TABLE ${dump}."${table}" AS TABLE ${schema}."${table}"`)
      await pool.query(
        `BEGIN ISOLATION LEVEL REPEATABLE READ; CREATE SCHEMA ${dump}; ${tables.join('; ')}; COMMIT`,
      )
      return () => putBack(pool, dump)
    }
    const end = async (): Promise<void> => {
      await store.close()
      for (const name of schemas) await pool.query(`DROP SCHEMA ${name} CASCADE`)
    }
    return { store, copy, end }
  }
}

async function putBack(pool: Pool, dump: string): Promise<Restored> {
  const schema = freshSchema()
  await migratePostgres(pool, { schema })
  const rows = DUMPED.map(
    (table) => `INSERT INTO ${schema}."${table}" OVERRIDING SYSTEM VALUE SELECT * FROM ${dump}."${table}"`,
  )
  const sequence = `pg_get_serial_sequence('${schema}.queue_pending', 'place')`
  await pool.query(
    `BEGIN; TRUNCATE ${schema}.queue_head; ${rows.join('; ')};
    SELECT setval(${sequence}, (SELECT coalesce(max(place), 0) + 1 FROM ${schema}.queue_pending)); COMMIT`,
  )
  const store = await postgresStore({ pool, schema })
  const end = async (): Promise<void> => {
    await store.close()
    await pool.query(`DROP SCHEMA ${schema} CASCADE`)
  }
  return { store, end }
}
