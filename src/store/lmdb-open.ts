/** The environment of lmdb that a store works with (SPEC §10.1). @module */
/// <reference types="node" />

import * as lmdb from 'lmdb'
import { getLastVersion, open, type RootDatabase } from 'lmdb'
import { copyPublic } from '../base/bytes.ts'
import { rejectInput } from './errors.ts'
import {
  commitError,
  type Environment,
  type EnvironmentTable,
  type TransactionFailure,
} from './lmdb-environment.ts'
import { checkFiles, errorCode, FILE_MODE, freeBytes, isFull } from './lmdb-files.ts'
import { NewestTransaction } from './lmdb-newest.ts'
import { type StoredRow, TABLES, type Table } from './store.ts'

const FORMAT = 'guise-store-1'
const MAX_READERS = 512
const BINARY = { encoding: 'binary', keyEncoding: 'binary' } as const

/**
 * `overlappingSync` off: with it lmdb resolves a write before its flush. `noMemInit` off: with it freed memory of
 * the process reaches the unused parts of pages.
 */
export function openEnvironment(directory: string, mapSizeBytes: number): LmdbEnvironment {
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

/** An environment of lmdb that is open. */
export class LmdbEnvironment implements Environment {
  readonly #root: RootDatabase<unknown, Uint8Array>
  readonly #directory: string
  readonly #meta: Database
  readonly #newest: NewestTransaction
  #writing = 0
  #acknowledged = 0
  readonly #tables: ReadonlyMap<Table, EnvironmentTable>

  constructor(root: RootDatabase<unknown, Uint8Array>, directory: string) {
    this.#root = root
    this.#directory = directory
    const database = (name: string, useVersions: boolean): Database =>
      root.openDB({ ...BINARY, name, useVersions }) as unknown as Database
    this.#meta = database(FORMAT, false)
    this.#tables = new Map(TABLES.map((name) => [name, new LmdbTable(database(name, true))]))
    this.#newest = new NewestTransaction(directory)
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

  followsNewest(): boolean {
    this.#writing = (this.#root as unknown as Numbered).env.getWriteTxnId()
    return this.#newest.isFollowedBy(this.#writing)
  }

  acknowledge(): void {
    this.#acknowledged = this.#writing
  }

  refresh(): void {
    this.#root.resetReadTxn()
  }

  newest(): number {
    return this.#newest.read()
  }

  isBehind(): boolean {
    return isBefore(this.#seen(), this.#acknowledged)
  }

  isNewest(number: number): boolean {
    const seen = this.#seen()
    if (isBefore(seen, number)) return false
    // In a copy the pages keep the numbers of the original, which its own transactions may not have reached.
    return seen === (number | 0) || !isBefore(this.#newest.read(), seen)
  }

  /** The transaction that this snapshot shows. */
  #seen(): number {
    // lmdb tells of the row that it read last which transaction wrote its page: every one that changes anything writes this one.
    this.#meta.getBinaryFast(SEQUENCE)
    return (lmdb as unknown as Numbers).getLastTxnId()
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
    try {
      await this.#root.close()
    } finally {
      this.#newest.close()
    }
  }
}

/** lmdb tells of 32 bits of a transaction's number. */
function isBefore(number: number, other: number): boolean {
  return ((number - other) | 0) < 0
}

/** What lmdb has and does not declare. */
interface Numbers {
  getLastTxnId(): number
}
interface Numbered {
  readonly env: { getWriteTxnId(): number }
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
