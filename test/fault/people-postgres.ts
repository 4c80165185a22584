/** Puts the people of a fault test on PostgreSQL for a while, and copies the files of its tables. @module */
/// <reference types="node" />

import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { migratePostgres } from '../../src/store/postgres-migrate.ts'
import { freshSchema, poolOf, type TestServer } from '../support/postgres.ts'
import { POSTGRES_WORLD } from './postgres-world.ts'

export interface PeopleServer {
  /** Runs statements, has the server write its pages, and puts the files of its tables into a folder. */
  copyFiles(to: string, ...statements: readonly ('VACUUM' | 'VACUUM FULL' | 'ANALYZE')[]): Promise<void>
}

/**
 * Everything in `work`, child processes too, keeps its rows in a fresh schema of the server; without a server on LMDB. `sampled`: the
 * server's statistics hold bytes of rows, as they do where nobody forbids it.
 */
export async function withPeopleStore<Result>(
  server: TestServer | undefined,
  work: (server: PeopleServer | undefined) => Promise<Result>,
  sampled = false,
): Promise<Result> {
  if (server === undefined) return await work(undefined)
  const pool = poolOf(server.url, 1)
  const schema = freshSchema()
  try {
    await migratePostgres(pool, { schema })
    for (const table of sampled ? ['references', 'secrets', 'index'] : [])
      await pool.query(`ALTER TABLE ${schema}."${table}" ALTER COLUMN bytes SET STATISTICS 100`)
    process.env[POSTGRES_WORLD] = `${schema} ${server.url} 4`
    const copyFiles: PeopleServer['copyFiles'] = async (to, ...statements) => {
      if (server.own === undefined) throw new Error('the server must be of its own')
      for (const statement of [...statements, 'CHECKPOINT']) await pool.query(statement)
      cpSync(join(server.own.dataDirectory, 'base'), to, { recursive: true })
    }
    return await work({ copyFiles })
  } finally {
    delete process.env[POSTGRES_WORLD]
    await pool.query(`DROP SCHEMA ${schema} CASCADE`)
    await pool.end()
  }
}
