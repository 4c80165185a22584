/** A server that logs every statement with its values and keeps its whole WAL, to be searched for canaries (I-01). @module */
/// <reference types="node" />

import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migratePostgres } from 'guise/postgres'
import { TABLES } from '../../src/store/store.ts'
import { freshSchema, poolOf, testServer } from '../support/postgres.ts'
import type { CanaryServer } from './canary-search.ts'

const TELL_ALL = [
  'log_statement=all',
  'log_min_duration_statement=0',
  'log_parameter_max_length=-1',
  'log_parameter_max_length_on_error=-1',
  'log_error_verbosity=verbose',
  'log_min_messages=debug1',
  'log_min_error_statement=debug1',
  'log_lock_waits=on',
  'log_temp_files=0',
  'log_autovacuum_min_duration=0',
  'log_checkpoints=on',
]
/** No segment is used again before it has been searched. */
const KEEP_WAL = ['wal_keep_size=16GB', 'max_wal_size=16GB', 'checkpoint_timeout=1h']

/** `place` is what `POSTGRES_WORLD` takes. */
export async function withCanaryServer<Result>(
  work: (server: CanaryServer, place: string) => Promise<Result>,
): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'guise-canary-log-'))
  const log = join(folder, 'log')
  const wal = join(folder, 'wal')
  const server = await testServer([...TELL_ALL, ...KEEP_WAL], (text) => appendFileSync(log, text))
  const pool = poolOf(server.url, 1)
  try {
    if (server.own === undefined) throw new Error('the server must be of its own')
    const { dataDirectory } = server.own
    const schema = freshSchema()
    await migratePostgres(pool, { schema })
    const cut = async (): Promise<void> => {
      await pool.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`,
      )
    }
    const settle = async (into: string): Promise<void> => {
      let dump = ''
      for (const table of [...TABLES, 'queue_pending']) {
        const { rows } = await pool.query<Record<string, unknown>>(
          `SELECT t::text AS row FROM ${schema}."${table}" AS t`,
        )
        dump += rows.map(({ row }) => `${table} ${String(row)}\n`).join('')
      }
      writeFileSync(join(into, 'dump'), dump)
      await pool.query('CHECKPOINT')
      writeFileSync(wal, joinedWal(join(dataDirectory, 'pg_wal')))
    }
    const artefacts = [
      { name: 'server: tables', path: join(dataDirectory, 'base') },
      { name: 'server: WAL', path: wal },
      {
        name: 'server: other files',
        path: dataDirectory,
        without: ['base', 'pg_wal'],
        bystander: true,
      },
      { name: 'server: log', path: log, text: true },
    ] as const
    return await work({ artefacts, cut, settle }, `${schema} ${server.url}`)
  } finally {
    await pool.end()
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

const WAL_PAGE_BYTES = 8192
const LONG_HEADER = 2

/** What was written, without the headers of pages: a record that goes on in the next page has one in its middle. */
function joinedWal(directory: string): Uint8Array {
  const parts: Uint8Array[] = []
  for (const name of readdirSync(directory).sort()) {
    if (!/^[0-9A-F]{24}$/.test(name)) continue
    const segment = readFileSync(join(directory, name))
    for (let at = 0; at < segment.length; at += WAL_PAGE_BYTES) {
      const magic = segment.readUInt16LE(at)
      const headerBytes = (segment.readUInt16LE(at + 2) & LONG_HEADER) === 0 ? 24 : 40
      // A page that nobody wrote yet has no header.
      if (magic !== 0) parts.push(segment.subarray(at + headerBytes, at + WAL_PAGE_BYTES))
    }
  }
  return Buffer.concat(parts)
}
