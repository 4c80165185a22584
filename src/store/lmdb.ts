/** The embedded durable store on LMDB (optional peer `lmdb`), one directory a store (SPEC §10). @module */
/// <reference types="node" />

import { checkInteger, checkObject, checkText } from '../base/check.ts'
import { systemClock } from '../base/clock.ts'
import type { CallOptions } from '../base/errors.ts'
import { rejectInput, StoreError } from './errors.ts'
import { makeCopy } from './lmdb-backup.ts'
import { guarded, openFailure, prepareDirectory } from './lmdb-files.ts'
import { CommitGroups, decideChecks } from './lmdb-group.ts'
import { type LmdbEnvironment, openEnvironment } from './lmdb-open.ts'
import { ownKey, ownPlaces, ownSteps, ownTable, placeKey } from './steps.ts'
import type { LinkedPlace, RowPlace, Store, StoredRow, StoreStep, Table } from './store.ts'

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
const DEFAULT_MAP_BYTES = 2 ** 34
const DEFAULT_LOCK_TIMEOUT_MS = 10_000
const YIELD_EVERY_MS = 5
/** Each needs a process that opens the store at the very moment. */
const MOST_READINGS = 64

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
    // What opening may have undone is put right at once: whoever only reads would see an older state until somebody writes.
    this.#groups.commit([], undefined).catch(() => undefined)
  }

  async get(table: Table, key: Uint8Array, options: CallOptions = {}): Promise<StoredRow | undefined> {
    const name = ownTable(table)
    const owned = ownKey(key)
    this.#enter(options)
    return await this.#read(() => this.#environment.table(name).read(owned))
  }

  async getMany(
    places: readonly (RowPlace | LinkedPlace)[],
    options: CallOptions = {},
  ): Promise<readonly (StoredRow | undefined)[]> {
    const owned = ownPlaces(places)
    this.#enter(options)
    // One snapshot serves all that is read without a pause.
    return await this.#read(() => {
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
      if (decided !== undefined) return decided
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
    // The newest state: see `NewestTransaction`.
    await this.#groups.commit([], undefined)
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
      const page = await this.#read(() =>
        this.#environment.table(name).page(after ?? from, after !== undefined, PAGE_ROWS),
      )
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

  /** Reads what is committed at this moment, by any process; in any case what this store object acknowledged. */
  async #read<Result>(read: () => Result): Promise<Result> {
    for (let attempt = 1; attempt <= MOST_READINGS; attempt++) {
      const [result, behind] = guarded(() => {
        // Left alone, lmdb keeps a snapshot for a turn of the event loop.
        this.#environment.refresh()
        return [read(), this.#environment.isBehind()] as const
      })
      if (!behind) return result
      // A transaction that changes nothing puts right where the others begin.
      await this.#groups.commit([], undefined)
      this.#enter({})
    }
    throw new StoreError('ERR_STORE_FAILED', 'the store keeps falling back to an older state')
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
