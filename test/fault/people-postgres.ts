/** Puts the people of a fault test on PostgreSQL for a while, and copies the files of its tables. @module */
/// <reference types="node" />

import { cpSync } from 'node:fs'
import { join } from 'node:path'
import type { Pool } from 'pg'
import { migratePostgres } from '../../src/store/postgres-migrate.ts'
import { freshSchema, poolOf, type TestServer } from '../support/postgres.ts'
import { POSTGRES_WORLD } from './postgres-world.ts'

export interface PeopleServer {
  /** The tables vacuumed, the server's pages written, and its files put into a folder. */
  copyFiles(to: string, vacuum: 'VACUUM' | 'VACUUM FULL'): Promise<void>
}

/** Everything in `work`, child processes too, keeps its rows in a fresh schema of the server; without a server on LMDB. */
export async function withPeopleStore<Result>(
  server: TestServer | undefined,
  work: (server: PeopleServer | undefined) => Promise<Result>,
): Promise<Result> {
  if (server === undefined) return await work(undefined)
  const pool = poolOf(server.url, 1)
  const schema = freshSchema()
  try {
    await migratePostgres(pool, { schema })
    process.env[POSTGRES_WORLD] = `${schema} ${server.url} 4`
    const copyFiles: PeopleServer['copyFiles'] = async (to, vacuum) => {
      if (server.own === undefined) throw new Error('the server must be of its own')
      await noOlderSnapshots(pool)
      await pool.query(vacuum)
      await pool.query('CHECKPOINT')
      cpSync(join(server.own.dataDirectory, 'base'), to, { recursive: true })
    }
    return await work({ copyFiles })
  } finally {
    delete process.env[POSTGRES_WORLD]
    await pool.query(`DROP SCHEMA ${schema} CASCADE`)
    await pool.end()
  }
}

const MOST_WAITS = 1200

/** What a session may still see outlives a vacuum, a full one too: an ANALYZE that began before the last deletions ended. */
async function noOlderSnapshots(pool: Pool): Promise<void> {
  for (let wait = 0; ; wait++) {
    const { rows } = await pool.query(
      `SELECT backend_type, state, query FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_xmin IS NOT NULL`,
    )
    if (rows.length === 0) return
    if (wait === 0) console.info(JSON.stringify(rows))
    if (wait === MOST_WAITS) throw new Error('sessions keep their snapshots')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
