/** The store port: opaque bytes, compare-and-set, atomic durable batches (SPEC §10.1). @module */

import type { CallOptions } from '../base/errors.ts'

/** The closed list of tables. `queue` takes rows by `append` only. */
export type Table =
  | 'references'
  | 'secrets'
  | 'states'
  | 'index'
  | 'attempts'
  | 'challenges'
  | 'galleries'
  | 'keyrings'
  | 'queue'
  | 'log'

/** The same list as a value, in the order of SPEC §10.1. */
export const TABLES: readonly Table[] = Object.freeze([
  'references',
  'secrets',
  'states',
  'index',
  'attempts',
  'challenges',
  'galleries',
  'keyrings',
  'queue',
  'log',
])

/** A key has 1 to 256 bytes. */
export const MAX_KEY_BYTES = 256
/** A row has 0 to 65,536 bytes. */
export const MAX_ROW_BYTES = 65_536
/** A commit has at most 4,096 steps. */
export const MAX_COMMIT_STEPS = 4096

/** Where a row lies. */
export interface RowPlace {
  readonly table: Table
  readonly key: Uint8Array
}

/** Part of a key: bytes of a row that stands earlier in the same reading. */
export interface KeyPiece {
  /** Which place of the reading, from 0. */
  readonly row: number
  /** Where in its bytes; below zero counted from their end. */
  readonly at: number
  readonly length: number
}

/**
 * A place that a row read before it names: bytes and pieces of rows, one after the other. What a missing or too short row would have
 * given is zeros, so that a reading asks for equally many rows whatever is there.
 */
export interface LinkedPlace {
  readonly table: Table
  readonly key: readonly (Uint8Array | KeyPiece)[]
}

/** A linked key has at most 8 parts. */
export const MAX_KEY_PARTS = 8
/** One reading has at most 64 places. */
export const MAX_READ_ROWS = 64

/** A row as it was when it was read. Key and bytes belong to the caller; `version` is opaque. */
export interface StoredRow {
  readonly key: Uint8Array
  readonly bytes: Uint8Array
  readonly version: string
}

/**
 * One step of a commit. Every `expected` speaks of the state before the commit: the version the row must have, or
 * `null` when the row must not exist. At most one `put` or `delete` per row and commit; a `check` may stand beside it.
 * `append` adds a row to the queue under a key greater than every key the queue ever had, so it never conflicts.
 */
export type StoreStep =
  | {
      readonly step: 'check'
      readonly table: Table
      readonly key: Uint8Array
      readonly expected: string | null
    }
  | {
      readonly step: 'put'
      readonly table: Exclude<Table, 'queue'>
      readonly key: Uint8Array
      readonly bytes: Uint8Array
      readonly expected: string | null
    }
  | { readonly step: 'delete'; readonly table: Table; readonly key: Uint8Array; readonly expected: string }
  | { readonly step: 'append'; readonly table: 'queue'; readonly bytes: Uint8Array }

/**
 * Where a vault keeps its rows. An adapter that passes `storeConformance` (`guise/testing`) fits.
 *
 * Arguments are checked and copied before anything happens; what is returned is a copy.
 */
export interface Store extends AsyncDisposable {
  /** False when an acknowledged commit can be lost with the power, as in a memory store. */
  readonly durable: boolean

  /**
   * The row under a key, `undefined` when there is none.
   *
   * It sees every commit that was acknowledged before the call, to whatever process; afterwards anything may change: decide
   * by the expectations of a commit, never by an earlier read alone.
   *
   * @throws {StoreError} the reason of `options.signal` when that is aborted.
   */
  get(table: Table, key: Uint8Array, options?: CallOptions): Promise<StoredRow | undefined>

  /**
   * Rows of several places, in their order, all as of one instant; it sees what `get` would. Optional: where it is missing, rows are
   * asked for side by side, and one after the other where one names the next. At most `MAX_READ_ROWS` places.
   */
  getMany?(
    places: readonly (RowPlace | LinkedPlace)[],
    options?: CallOptions,
  ): Promise<readonly (StoredRow | undefined)[]>

  /**
   * Decides all expectations and applies all steps at one instant, or nothing; durable when it resolves. A commit of
   * checks only is a linearizable read and costs no flush. A commit of no steps does nothing.
   *
   * An abort before the commit is decided rejects with the reason of the signal, and nothing was written. A later
   * one has no effect: the outcome is reported as it is.
   *
   * @returns one text a step: for `put` and `append` the version of the new row, for `check` and `delete` `''`.
   * @throws {StoreError} see the codes there; after every one but `ERR_STORE_INDETERMINATE` nothing was written.
   */
  commit(steps: readonly StoreStep[], options?: CallOptions): Promise<readonly string[]>

  /**
   * The rows with key ≥ `from`, in ascending byte order. Read in pages: a page shows one instant, and every row
   * that exists throughout the scan appears once. Rows written meanwhile may appear or not.
   */
  scan(table: Table, from: Uint8Array, options?: CallOptions): AsyncIterable<StoredRow>

  /** Waits for the commits under way, then frees everything. Later calls reject with `ERR_STORE_CLOSED`. */
  close(): Promise<void>
}
