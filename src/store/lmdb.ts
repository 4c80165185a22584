/** The embedded durable store on LMDB (optional peer `lmdb`), one directory a store (SPEC §10). @module */
/// <reference types="node" />

import { getLastVersion, open, type RootDatabase } from 'lmdb'
import { copyPublic } from '../base/bytes.ts'
import { checkInteger, checkObject, checkText } from '../base/check.ts'
import { systemClock } from '../base/clock.ts'
import type { CallOptions } from '../base/errors.ts'
import { rejectInput, StoreError } from './errors.ts'
import { makeCopy } from './lmdb-backup.ts'
import {
  commitError,
  type Environment,
  type EnvironmentTable,
  type TransactionFailure,
} from './lmdb-environment.ts'
import {
  checkFiles,
  errorCode,
  FILE_MODE,
  freeBytes,
  guarded,
  isFull,
  openFailure,
  prepareDirectory,
} from './lmdb-files.ts'
import { CommitGroups, decideChecks } from './lmdb-group.ts'
import { ownKey, ownPlaces, ownSteps, ownTable, placeKey } from './steps.ts'
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
 * `path`: a directory on a local file system, made with mode 0700 when missing. `mapSizeBytes`: address space
 * reserved at opening (default 16 GiB; not disk space and no limit: the map grows by itself).
 * `lockTimeoutMs`: how long a commit waits for other processes before `ERR_STORE_BUSY` (default 10,000).
 */
export interface LmdbStoreOptions {
  readonly path: string
  readonly mapSizeBytes?: number
  readonly lockTimeoutMs?: number
}

/** A store on LMDB. */
export interface LmdbStore extends Store {
  /**
   * Copies the store as it is at one instant, while others go on writing, into a new directory `path`: whole or not at
   * all, flushed, and without the unused pages in which deleted rows may still lie. `ERR_STORE_INPUT` when `path` exists.
   */
  backup(path: string): Promise<void>
}

/**
 * Opens a store, and makes it when it is missing.
 *
 * Many processes of one machine (and of one PID namespace: the lock file tells processes apart by their number) may
 * open a directory at once; one process opens it once and shares the object. A killed process leaves nothing to
 * repair. A commit is acknowledged after fdatasync of its pages and a synchronous write of the page that makes them
 * the state. Waiting commits share a flush.
 *
 * @throws {StoreError} `ERR_STORE_INPUT`, `ERR_STORE_BUSY`, `ERR_STORE_UNSUPPORTED`, `ERR_STORE_READONLY`,
 *   `ERR_STORE_FULL`, `ERR_STORE_FAILED`.
 */
export async function lmdbStore(options: LmdbStoreOptions): Promise<LmdbStore> {
  const checked = checkOptions(options)
  const create = async (directory: string): Promise<void> => {
    const fresh = openEnvironment(directory, checked.mapSizeBytes)
    const failure = await fresh.transaction(() => fresh.writeSequence(0))
    await fresh.close()
    if (failure !== undefined) throw openFailure(failure.cause)
  }
  const { directory, durable } = await prepareDirectory(checked.path, create)
  if (OPEN.has(directory)) {
    throw new StoreError('ERR_STORE_BUSY', 'this process has the store open already; share the object')
  }
  OPEN.add(directory)
  try {
    const environment = openEnvironment(directory, checked.mapSizeBytes)
    return new OpenLmdbStore(environment, directory, durable, checked.lockTimeoutMs)
  } catch (error) {
    OPEN.delete(directory)
    throw openFailure(error)
  }
}

/** LMDB allows an environment once a process; a second opening would also wait for itself on the write lock. */
const OPEN: Set<string> = new Set()
const PAGE_ROWS = 256
const FORMAT = 'guise-store-1'
const DEFAULT_MAP_BYTES = 2 ** 34
const DEFAULT_LOCK_TIMEOUT_MS = 10_000
const MAX_READERS = 512
const YIELD_EVERY_MS = 5

class OpenLmdbStore implements LmdbStore {
  readonly durable: boolean
  readonly #environment: LmdbEnvironment
  readonly #directory: string
  readonly #groups: CommitGroups
  #closed: Promise<void> | undefined
  readonly #copies = new Set<Promise<void>>()
  #yieldedMs = 0

  constructor(environment: LmdbEnvironment, directory: string, durable: boolean, lockTimeoutMs: number) {
    this.durable = durable
    this.#environment = environment
    this.#directory = directory
    this.#groups = new CommitGroups(environment, lockTimeoutMs)
  }

  async get(table: Table, key: Uint8Array, options: CallOptions = {}): Promise<StoredRow | undefined> {
    const name = ownTable(table)
    const owned = ownKey(key)
    this.#enter(options)
    return guarded(() => this.#environment.table(name).read(owned))
  }

  async getMany(
    places: readonly (RowPlace | LinkedPlace)[],
    options: CallOptions = {},
  ): Promise<readonly (StoredRow | undefined)[]> {
    const owned = ownPlaces(places)
    this.#enter(options)
    // One snapshot serves all that is read without a pause.
    return guarded(() => {
      const rows: (StoredRow | undefined)[] = []
      for (const place of owned) rows.push(this.#environment.table(place.table).read(placeKey(place, rows)))
      return rows
    })
  }

  async commit(steps: readonly StoreStep[], options: CallOptions = {}): Promise<readonly string[]> {
    const owned = ownSteps(steps)
    this.#enter(options)
    if (owned.every((step) => step.step === 'check')) {
      const decided = guarded(() => decideChecks(this.#environment, owned))
      await this.#yieldWhenDue()
      return decided
    }
    return await this.#groups.commit(owned, options.signal)
  }

  scan(table: Table, from: Uint8Array, options: CallOptions = {}): AsyncIterable<StoredRow> {
    const name = ownTable(table)
    const start = ownKey(from, 'from', 0)
    this.#enter(options)
    return this.#pages(name, start, options)
  }

  async backup(path: string): Promise<void> {
    checkText(path, 'path', { maxBytes: 4096, pattern: /^[^\0]+$/ }, rejectInput)
    this.#enter({})
    const copying = makeCopy(path, (directory) => this.#environment.copy(directory))
    this.#copies.add(copying)
    try {
      await copying
    } finally {
      this.#copies.delete(copying)
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async *#pages(name: Table, from: Uint8Array, options: CallOptions): AsyncGenerator<StoredRow, void> {
    let after: Uint8Array | undefined
    while (true) {
      this.#enter(options)
      const page: readonly StoredRow[] = guarded(() => {
        this.#environment.refresh()
        return this.#environment.table(name).page(after ?? from, after !== undefined, PAGE_ROWS)
      })
      const last = page.at(-1)
      if (last === undefined) return
      // The row goes to the caller, who may change it: the place to go on from is a copy.
      after = new Uint8Array(last.key)
      for (const row of page) {
        options.signal?.throwIfAborted()
        yield row
      }
      if (page.length < PAGE_ROWS) return
    }
  }

  /** Checks are decided without waiting: a loop of them would keep every timer and socket of the process waiting. */
  async #yieldWhenDue(): Promise<void> {
    const now = systemClock.steady().ms
    if (now - this.#yieldedMs < YIELD_EVERY_MS) return
    await new Promise((resolve) => setImmediate(resolve))
    this.#yieldedMs = systemClock.steady().ms
  }

  #enter(options: CallOptions): void {
    options.signal?.throwIfAborted()
    if (this.#closed !== undefined) throw new StoreError('ERR_STORE_CLOSED', 'the store is closed')
    if (this.#groups.failed !== undefined) throw this.#groups.failed
  }

  async #close(): Promise<void> {
    await this.#groups.idle()
    // The environment must outlive whoever copies it.
    await Promise.allSettled(this.#copies)
    try {
      await this.#environment.close()
    } finally {
      OPEN.delete(this.#directory)
    }
  }
}

function checkOptions(options: LmdbStoreOptions): Required<LmdbStoreOptions> {
  const given = checkObject(options, 'options', rejectInput)
  const path = checkText(given['path'], 'path', { maxBytes: 4096, pattern: /^[^\0]+$/ }, rejectInput)
  const mapSizeBytes = given['mapSizeBytes'] ?? DEFAULT_MAP_BYTES
  const lockTimeoutMs = given['lockTimeoutMs'] ?? DEFAULT_LOCK_TIMEOUT_MS
  return {
    path,
    mapSizeBytes: checkInteger(mapSizeBytes, 'mapSizeBytes', [2 ** 20, 2 ** 46], rejectInput),
    lockTimeoutMs: checkInteger(lockTimeoutMs, 'lockTimeoutMs', [1, 2 ** 31 - 1], rejectInput),
  }
}

const BINARY = { encoding: 'binary', keyEncoding: 'binary' } as const

/**
 * `overlappingSync` off: with it lmdb resolves a write before its flush. `noMemInit` off: with it freed memory of
 * the process reaches the unused parts of pages.
 */
function openEnvironment(directory: string, mapSizeBytes: number): LmdbEnvironment {
  checkFiles(directory)
  const root = open<unknown, Uint8Array>({
    ...BINARY,
    path: directory,
    noSubdir: false,
    overlappingSync: false,
    noMemInit: false,
    noSync: false,
    mapSize: mapSizeBytes,
    maxDbs: TABLES.length + 2,
    maxReaders: MAX_READERS,
    permissionsMode: FILE_MODE,
  } as Parameters<typeof open>[0])
  try {
    return new LmdbEnvironment(root, directory)
  } catch (error) {
    root.close().catch(() => undefined)
    throw error
  }
}

type Database = RootDatabase<Uint8Array, Uint8Array>

class LmdbEnvironment implements Environment {
  readonly #root: RootDatabase<unknown, Uint8Array>
  readonly #directory: string
  readonly #meta: Database
  readonly #tables: ReadonlyMap<Table, EnvironmentTable>

  constructor(root: RootDatabase<unknown, Uint8Array>, directory: string) {
    this.#root = root
    this.#directory = directory
    const database = (name: string, useVersions: boolean): Database =>
      root.openDB({ ...BINARY, name, useVersions }) as unknown as Database
    this.#meta = database(FORMAT, false)
    this.#tables = new Map(TABLES.map((name) => [name, new LmdbTable(database(name, true))]))
  }

  table(name: Table): EnvironmentTable {
    const table = this.#tables.get(name)
    if (table === undefined) throw rejectInput('the table is unknown')
    return table
  }

  readSequence(): number {
    const bytes = this.#meta.getBinary(SEQUENCE)
    if (bytes === undefined) return 0
    return Number(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(0))
  }

  writeSequence(sequence: number): void {
    const bytes = new Uint8Array(8)
    new DataView(bytes.buffer).setBigUint64(0, BigInt(sequence))
    void this.#meta.put(SEQUENCE, bytes)
  }

  async transaction(work: () => void): Promise<TransactionFailure | undefined> {
    const thrown: unknown[] = []
    try {
      await this.#root.transaction(() => {
        try {
          work()
        } catch (error) {
          thrown.push(error)
        }
      })
    } catch (error) {
      const cause = thrown.length > 0 ? thrown[0] : await commitError(error)
      return { full: isFull(errorCode(cause)), cause }
    }
    // An operation that fails spoils its transaction, so that its commit fails too; this is the belt to the braces.
    return thrown.length > 0 ? { full: false, cause: thrown[0] } : undefined
  }

  refresh(): void {
    this.#root.resetReadTxn()
  }

  freeBytes(): number {
    try {
      return freeBytes(this.#directory)
    } catch {
      // The commit itself will tell what is wrong.
      return Number.POSITIVE_INFINITY
    }
  }

  /** A snapshot without unused pages. */
  async copy(directory: string): Promise<void> {
    await this.#root.backup(directory, true)
  }

  async close(): Promise<void> {
    await this.#root.close()
  }
}

const SEQUENCE = new TextEncoder().encode('sequence')

/** Rows as lmdb keeps them: before the bytes stands the version, a double, which lmdb reads and writes itself. */
class LmdbTable implements EnvironmentTable {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  read(key: Uint8Array): StoredRow | undefined {
    // The answer lies in a buffer that lmdb uses again; a slice of it as a Buffer would cost four times as much.
    const shared = this.#database.getBinaryFast(key)
    if (shared === undefined) return undefined
    const version = String(getLastVersion())
    return {
      key,
      bytes: copyPublic(new Uint8Array(shared.buffer, shared.byteOffset, shared.length)),
      version,
    }
  }

  matches(key: Uint8Array, expected: string | null): boolean {
    if (expected === null) return this.#database.getBinaryFast(key) === undefined
    return this.#database.getBinaryFast(key) !== undefined && String(getLastVersion()) === expected
  }

  // Inside a transaction lmdb writes at once and throws at once; the promise says nothing more.
  put(key: Uint8Array, bytes: Uint8Array, version: number): void {
    void this.#database.put(key, bytes, version)
  }

  remove(key: Uint8Array): void {
    void this.#database.remove(key)
  }

  page(from: Uint8Array, exclusive: boolean, rows: number): readonly StoredRow[] {
    // The least key after `from` is `from` with a zero byte behind.
    const start = exclusive ? Uint8Array.of(...from, 0) : from
    const range = { start, limit: rows, versions: true } as { start: Uint8Array; limit: number }
    const page: StoredRow[] = []
    for (const { key, value, version } of this.#database.getRange(range)) {
      page.push({ key: plainBytes(key), bytes: plainBytes(value), version: String(version) })
    }
    return page
  }
}

/** lmdb answers with Buffers that own their memory; callers get a plain array on the same memory. */
function plainBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
