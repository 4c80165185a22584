/** Brings the schema of a store in PostgreSQL to the version of this release (SPEC §10.5). @module */

import { checkFunction, checkObject } from '../base/check.ts'
import { rejectInput, StoreError } from './errors.ts'
import type { PostgresClient, PostgresPool, PostgresSession } from './postgres-connection.ts'
import { busy, isLost, statementFailure, stateOf } from './postgres-failure.ts'
import { checkSchema, DEFAULT_SCHEMA, ledgerSql, migrations, SCHEMA_VERSION } from './postgres-schema.ts'
import { recordSql } from './postgres-script.ts'

/**
 * Makes what is missing, in one transaction, and changes nothing when all is there; vaults may be at work. Two that
 * run at once do it once: the second waits for the first. Takes a pool, or a client of one outside a transaction.
 *
 * @returns the version before and after.
 * @throws {StoreError} `ERR_STORE_UNSUPPORTED` when the schema is newer than this release.
 */
export async function migratePostgres(
  target: PostgresPool | PostgresClient,
  options: { readonly schema?: string } = {},
): Promise<{ readonly from: number; readonly to: number }> {
  const given = checkObject(options, 'options', rejectInput)
  const schema = checkSchema(given['schema'] ?? DEFAULT_SCHEMA)
  const methods = checkObject(target, 'target', rejectInput)
  if (typeof methods['release'] === 'function') return await migrateOn(target as PostgresClient, schema)
  checkFunction(methods['connect'], 'target.connect', rejectInput)
  const client = await connect(target as PostgresPool)
  const ignore = (): void => undefined
  client.on?.('error', ignore)
  let failed = true
  try {
    const result = await migrateOn(client, schema)
    failed = false
    return result
  } finally {
    client.removeListener?.('error', ignore)
    client.release(failed)
  }
}

async function connect(pool: PostgresPool): Promise<PostgresClient> {
  try {
    return await pool.connect()
  } catch (error) {
    throw busy('no connection to the server', error)
  }
}

const ATTEMPTS = 20
const PAUSE_MS = 50

/** IF NOT EXISTS does not keep two that make one thing at once from colliding: the loser tries again. */
const RACES: ReadonlySet<string> = new Set(['23505', '42710', '42P06', '42P07', '40P01', '40001', 'XX000'])

async function migrateOn(
  session: PostgresSession,
  schema: string,
): Promise<{ readonly from: number; readonly to: number }> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await migrateOnce(session, schema)
    } catch (error) {
      if (isLost(error)) throw error instanceof StoreError ? error : busy('the connection was lost', error)
      await session.query('ROLLBACK')
      if (!RACES.has(stateOf(error) ?? '') || attempt === ATTEMPTS) throw statementFailure(error)
      await new Promise((resolve) => setTimeout(resolve, attempt * PAUSE_MS))
    }
  }
}

async function migrateOnce(
  session: PostgresSession,
  schema: string,
): Promise<{ readonly from: number; readonly to: number }> {
  await session.query('BEGIN ISOLATION LEVEL READ COMMITTED')
  await session.query("SET LOCAL lock_timeout = '30s'")
  await session.query('SET LOCAL synchronous_commit = on')
  await session.query("SET LOCAL client_min_messages = 'warning'")
  const { rows } = await session.query('SELECT to_regnamespace($1) IS NULL AS missing', [`"${schema}"`])
  // Making a schema that is there would still ask for the right to make one.
  if ((rows[0] as { missing: boolean }).missing) await session.query(`CREATE SCHEMA "${schema}"`)
  await session.query(ledgerSql(schema))
  await session.query(`LOCK TABLE "${schema}".migration IN SHARE ROW EXCLUSIVE MODE`)
  const from = await versionOf(session, schema)
  if (from > SCHEMA_VERSION) {
    await session.query('ROLLBACK')
    throw new StoreError('ERR_STORE_UNSUPPORTED', 'the schema is newer than this release')
  }
  for (const [i, sql] of migrations(schema).entries()) {
    if (i >= from) await session.query(`${sql}${recordSql(schema, i + 1)}`)
  }
  await session.query('COMMIT')
  return { from, to: SCHEMA_VERSION }
}

async function versionOf(session: PostgresSession, schema: string): Promise<number> {
  const { rows } = await session.query(`SELECT max(version) AS version FROM "${schema}".migration`)
  return (rows[0] as { version: number | null }).version ?? 0
}
