/** What the group commit needs of LMDB, so that faults can be put in its place (SPEC §10). @module */

import type { StoredRow, Table } from './store.ts'

/** A table of an open environment. Inside a transaction every method sees and changes the transaction. */
export interface EnvironmentTable {
  /** Bytes and version of a row, or `undefined`. The bytes are a copy. */
  read(key: Uint8Array): StoredRow | undefined
  /** True when the row has this version; `null`: when there is no row. */
  matches(key: Uint8Array, expected: string | null): boolean
  put(key: Uint8Array, bytes: Uint8Array, version: number): void
  remove(key: Uint8Array): void
  /** At most `rows` rows with key ≥ `from` (> `from` when exclusive), of one snapshot. */
  page(from: Uint8Array, exclusive: boolean, rows: number): readonly StoredRow[]
}

/** An open environment of one process. */
export interface Environment {
  table(name: Table): EnvironmentTable
  /** The number of the last write, kept in the environment itself; only inside a transaction. */
  readSequence(): number
  /** For every transaction that changes something, also when the number stays. */
  writeSequence(sequence: number): void
  /**
   * Takes the write lock, runs `work` at once inside one transaction, flushes, and resolves when all of it is on the
   * disk, or with why it is not: then nothing may be asked of the environment but `close`. Never rejects.
   */
  transaction(work: () => void): Promise<TransactionFailure | undefined>
  /** Within a transaction: true when it follows the newest. Otherwise the next one will, and this one must write nothing. */
  followsNewest(): boolean
  /** The changes of the last transaction are durable: reads must see them from now on. */
  acknowledge(): void
  /** Lets the next read see what is committed at that moment, by any process. */
  refresh(): void
  /** The number of the newest transaction of any process. */
  newest(): number
  /** True when reads see an older state than the one that was acknowledged here last. */
  isBehind(): boolean
  /** True when reads surely see the state that transaction `number` left, or a later one. */
  isNewest(number: number): boolean
  /** Bytes that can still be written on the volume. */
  freeBytes(): number
  close(): Promise<void>
}

/** Why a transaction did not reach the disk as a whole. */
export interface TransactionFailure {
  /** True when the failure is known to be want of room, found before anything became visible. */
  readonly full: boolean
  /** What LMDB or the system said. */
  readonly cause: unknown
}

const COMMIT_ERROR_WAIT_MS = 1000

/**
 * lmdb rejects with an error whose `commitError` is a promise that rejects with the reason, and that ends the
 * process as an unhandled rejection unless someone listens.
 */
export async function commitError(error: unknown): Promise<unknown> {
  if (typeof error !== 'object' || error === null || !('commitError' in error)) return error
  const reason = Promise.resolve(error.commitError).then(
    () => error,
    (cause: unknown) => cause,
  )
  let timer: ReturnType<typeof setTimeout> | undefined
  const silence = new Promise<unknown>((resolve) => {
    timer = setTimeout(() => resolve(error), COMMIT_ERROR_WAIT_MS)
  })
  try {
    return await Promise.race([reason, silence])
  } finally {
    clearTimeout(timer)
  }
}
