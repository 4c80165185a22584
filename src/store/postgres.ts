/** The store on a PostgreSQL server, over a pool that the caller keeps (SPEC §10.5). @module */

import { fromHex } from '../base/bytes.ts'
import { checkBoolean, checkFunction, checkInteger, checkObject } from '../base/check.ts'
import type { CallOptions } from '../base/errors.ts'
import { rejectInput, StoreError } from './errors.ts'
import { keyArray, orderSteps, type PlacedStep } from './postgres-commit.ts'
import { Commits } from './postgres-commits.ts'
import { Connections, type PostgresPool } from './postgres-connection.ts'
import { Readings } from './postgres-readings.ts'
import {
  checkSchema,
  DEFAULT_SCHEMA,
  openingSql,
  SCHEMA_VERSION,
  type Setting,
  versionsSql,
} from './postgres-schema.ts'
import { conflict, keyText, ownKey, ownPlaces, ownSteps, ownTable, placeKey } from './steps.ts'
import {
  type LinkedPlace,
  type RowPlace,
  type Store,
  type StoredRow,
  type StoreStep,
  TABLES,
  type Table,
} from './store.ts'

/**
 * `pool`: stays the caller's; the store never ends it. `schema`: where `migratePostgres` made the tables (default
 * `guise`). `lockTimeoutMs`: how long a commit waits for one lock, and any call for a free connection (default
 * 5,000). `statementTimeoutMs`: how long a statement may take (default 30,000); a commit is given up by the server
 * then, and by the caller one `lockTimeoutMs` later, when the server does not answer. `allowUnsafeDurability`: opens on
 * a server that forgets acknowledged commits, with `durable: false`.
 */
export interface PostgresStoreOptions {
  readonly pool: PostgresPool
  readonly schema?: string
  readonly statementTimeoutMs?: number
  readonly lockTimeoutMs?: number
  readonly allowUnsafeDurability?: boolean
}

/**
 * Opens a store on a schema that `migratePostgres` made. Any number of processes may; a commit is one statement and
 * one transaction, and nothing is kept in the session, so a pooler in transaction mode may stand between.
 *
 * @throws {StoreError} `ERR_STORE_INPUT`; `ERR_STORE_UNSUPPORTED` for a server before 14, one that does not flush,
 *   another isolation level, or a schema of another version; `ERR_STORE_READONLY` for a standby; `ERR_STORE_BUSY`
 *   when there is no connection.
 */
export async function postgresStore(options: PostgresStoreOptions): Promise<Store> {
  const checked = checkOptions(options)
  const connections = new Connections(checked.pool, checked.lockTimeoutMs)
  const { statementTimeoutMs: timeoutMs } = checked
  const statement = { text: openingSql(checked.schema), values: [], writes: false, timeoutMs }
  const [server] = (await connections.run(statement)) as readonly Server[]
  if (server === undefined) throw new StoreError('ERR_STORE_FAILED', 'the server gave no answer')
  const durable = checkServer(server, checked.allowUnsafeDurability)
  return new PostgresStore(connections, checked, durable, Number.parseInt(server.seed.slice(0, 8), 16))
}

interface Server extends Readonly<Record<Setting, string>> {
  readonly standby: boolean
  readonly seed: string
  readonly schema_version: number | null
}

type CheckedOptions = Required<PostgresStoreOptions>

const LEAST_SERVER = 140_000
const PAGE_ROWS = 256
const MOST_MS = 3_600_000

/** True when what the server acknowledges is on its disk. */
function checkServer(server: Server, allowUnsafe: boolean): boolean {
  const refuse = (why: string): never => {
    throw new StoreError('ERR_STORE_UNSUPPORTED', why)
  }
  if (Number(server.server_version_num) < LEAST_SERVER) refuse('the server is older than PostgreSQL 14')
  if (server.default_transaction_isolation !== 'read committed') {
    refuse('default_transaction_isolation must be read committed')
  }
  if (server.schema_version !== SCHEMA_VERSION) {
    refuse(`the schema has version ${server.schema_version ?? 0}, not ${SCHEMA_VERSION}: migrate it`)
  }
  if (server.standby || server.default_transaction_read_only === 'on') {
    throw new StoreError('ERR_STORE_READONLY', 'the server is a standby, or the role may only read')
  }
  const unsafe = DURABILITY.filter((name) => server[name] === 'off')
  if (unsafe.length > 0 && !allowUnsafe) refuse(`the server runs with ${unsafe.join(', ')} off`)
  return unsafe.length === 0
}

const DURABILITY = ['fsync', 'full_page_writes', 'synchronous_commit'] as const

class PostgresStore implements Store {
  readonly durable: boolean
  readonly #connections: Connections
  readonly #schema: string
  readonly #lockMs: number
  readonly #timeoutMs: number
  readonly #running: Set<Promise<unknown>> = new Set()
  readonly #readings: Readings
  readonly #commits: Commits
  #closed = false

  constructor(connections: Connections, options: CheckedOptions, durable: boolean, seed: number) {
    const { schema, lockTimeoutMs: lockMs, statementTimeoutMs: timeoutMs } = options
    this.durable = durable
    this.#connections = connections
    this.#schema = schema
    this.#lockMs = lockMs
    this.#timeoutMs = timeoutMs
    this.#readings = new Readings(connections, schema, timeoutMs)
    this.#commits = new Commits(connections, { schema, lockMs, timeoutMs, durable }, seed)
  }

  async get(table: Table, key: Uint8Array, options: CallOptions = {}): Promise<StoredRow | undefined> {
    const name = ownTable(table)
    const owned = ownKey(key)
    this.#enter(options)
    const text = `SELECT bytes, version::text AS version FROM "${this.#schema}"."${name}" WHERE key = $1`
    const [row] = (await this.#read(text, [owned], options)) as readonly RawRow[]
    return row === undefined ? undefined : { key: owned, bytes: plain(row.bytes), version: row.version }
  }

  async getMany(
    places: readonly (RowPlace | LinkedPlace)[],
    options: CallOptions = {},
  ): Promise<readonly (StoredRow | undefined)[]> {
    const owned = ownPlaces(places)
    this.#enter(options)
    if (owned.length === 0) return []
    const found = await this.#readings.read(owned, options.signal)
    const rows: (StoredRow | undefined)[] = []
    for (const [i, place] of owned.entries()) {
      const row = found.get(i)
      const key = placeKey(place, rows)
      rows.push(row && { key, bytes: plain(row.bytes), version: row.version })
    }
    return rows
  }

  async commit(steps: readonly StoreStep[], options: CallOptions = {}): Promise<readonly string[]> {
    const owned = ownSteps(steps)
    this.#enter(options)
    if (owned.length === 0) return []
    const placed = orderSteps(owned)
    const work = placed.every(({ step }) => step.step === 'check')
      ? this.#check(placed, options)
      : this.#commits.commit(owned, options.signal)
    this.#running.add(work)
    try {
      const version = await work
      return owned.map(({ step }) => (step === 'put' || step === 'append' ? version : ''))
    } finally {
      this.#running.delete(work)
    }
  }

  scan(table: Table, from: Uint8Array, options: CallOptions = {}): AsyncIterable<StoredRow> {
    const name = ownTable(table)
    const start = ownKey(from, 'from', 0)
    this.#enter(options)
    return this.#pages(name, start, options)
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.allSettled(this.#running)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #enter(options: CallOptions): void {
    options.signal?.throwIfAborted()
    if (this.#closed) throw new StoreError('ERR_STORE_CLOSED', 'the store is closed')
  }

  async #read(text: string, values: unknown[], { signal }: CallOptions): Promise<readonly unknown[]> {
    const statement = { text, values, writes: false, timeoutMs: this.#timeoutMs }
    return await this.#connections.run(statement, signal)
  }

  /**
   * Linearizable without a lock: one statement has one snapshot for all tables, taken after the call began, in which
   * every commit that was acknowledged before is seen whole, and none that is not on the disk.
   */
  async #check(placed: readonly PlacedStep[], options: CallOptions): Promise<string> {
    const tables = TABLES.filter((table) => placed.some(({ step }) => step.table === table))
    const keys = tables.map((table) =>
      keyArray(placed.filter(({ step }) => step.table === table).map(({ step }) => step.key)),
    )
    const rows = (await this.#read(versionsSql(this.#schema, tables), keys, options)) as readonly VersionRow[]
    const found = new Map<string, string>()
    for (const { place, key, version } of rows) {
      if (place >= 0) found.set(`${tables[place]}/${keyText(plain(key))}`, version)
      else if (version === 'true') throw new StoreError('ERR_STORE_READONLY', 'the server became a standby')
    }
    for (const { step, index } of placed) {
      const version = found.get(`${step.table}/${keyText(step.key)}`) ?? null
      if (version !== step.expected) throw conflict(step, index)
    }
    return ''
  }

  async *#pages(name: Table, from: Uint8Array, options: CallOptions): AsyncGenerator<StoredRow, void> {
    let after: Uint8Array | undefined
    while (true) {
      this.#enter(options)
      if (name === 'queue') await this.#sequence(options)
      const text = `SELECT key, bytes, version::text AS version FROM "${this.#schema}"."${name}"
        WHERE key ${after === undefined ? '>=' : '>'} $1 ORDER BY key LIMIT ${PAGE_ROWS}`
      const page = (await this.#read(text, [after ?? from], options)) as readonly KeyedRow[]
      for (const row of page) {
        options.signal?.throwIfAborted()
        const key = plain(row.key)
        // The row goes to the caller, who may change it: the place to go on from is a copy.
        after = new Uint8Array(key)
        yield { key, bytes: plain(row.bytes), version: row.version }
      }
      if (page.length < PAGE_ROWS) return
    }
  }

  /** Gives keys to the rows appended so far. A role that may only read sees those that have one already. */
  async #sequence(options: CallOptions): Promise<void> {
    const some = `SELECT EXISTS (SELECT 1 FROM "${this.#schema}".queue_pending)
      AND has_table_privilege('"${this.#schema}".queue_head', 'UPDATE') AS waiting`
    const [row] = (await this.#read(some, [], options)) as readonly { readonly waiting: boolean }[]
    if (row?.waiting !== true) return
    const text = `SELECT "${this.#schema}".sequence_1($1::integer, $2::boolean)`
    await this.#read(text, [this.#lockMs, this.durable], options)
  }
}

interface RawRow {
  readonly bytes: unknown
  readonly version: string
}

interface KeyedRow extends RawRow {
  readonly key: unknown
}

interface VersionRow {
  readonly place: number
  readonly key: unknown
  readonly version: string
}

/** A copy of a bytea, which drivers give as bytes, in memory that may be shared, or as a text. */
function plain(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return new Uint8Array(value)
  const bytes = typeof value === 'string' && value.startsWith('\\x') ? fromHex(value.slice(2)) : undefined
  if (bytes === undefined)
    throw new StoreError('ERR_STORE_FAILED', 'the driver gave something else than bytes')
  return bytes
}

function checkOptions(options: PostgresStoreOptions): CheckedOptions {
  const given = checkObject(options, 'options', rejectInput)
  const pool = checkObject(given['pool'], 'pool', rejectInput)
  checkFunction(pool['connect'], 'pool.connect', rejectInput)
  const milliseconds = (name: string, value: unknown): number =>
    checkInteger(value, name, [1, MOST_MS], rejectInput)
  return {
    pool: options.pool,
    schema: checkSchema(given['schema'] ?? DEFAULT_SCHEMA),
    lockTimeoutMs: milliseconds('lockTimeoutMs', given['lockTimeoutMs'] ?? 5000),
    statementTimeoutMs: milliseconds('statementTimeoutMs', given['statementTimeoutMs'] ?? 30_000),
    allowUnsafeDurability: checkBoolean(
      given['allowUnsafeDurability'] ?? false,
      'allowUnsafeDurability',
      rejectInput,
    ),
  }
}
