/** Small tools of the conformance checks (SPEC §10). @module */

import { equalBytes } from '../base/bytes.ts'
import { StoreError, type StoreErrorCode } from './errors.ts'
import type { Store, StoredRow, StoreStep, Table } from './store.ts'

/** A check as written: it gets an empty store, and the other openings when the adapter offers them. */
export interface Check {
  readonly name: string
  readonly run: (store: Store, context: ConformanceContext) => Promise<void>
}

export interface ConformanceContext {
  readonly reopen: (store: Store) => Promise<Store>
  readonly second: (store: Store) => Promise<Store>
}

export function assert(holds: boolean, why: string): asserts holds {
  if (!holds) throw new StoreError('ERR_STORE_CONFORMANCE', why)
}

/** A key of the realm `conformance` whose byte order is the order of `number`. */
export function keyOf(number: number): Uint8Array {
  const prefix = new TextEncoder().encode('\u000bconformance')
  const key = new Uint8Array(prefix.length + 4)
  key.set(prefix)
  new DataView(key.buffer).setUint32(prefix.length, number)
  return key
}

/** 40 bytes that tell the number. */
export function bytesOf(number: number): Uint8Array {
  const bytes = new Uint8Array(40).fill(number)
  new DataView(bytes.buffer).setUint32(0, number)
  return bytes
}

export function put(
  table: Exclude<Table, 'queue'>,
  key: Uint8Array,
  bytes: Uint8Array,
  expected: string | null = null,
): StoreStep {
  return { step: 'put', table, key, bytes, expected }
}

export function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a !== undefined && b !== undefined && equalBytes(a, b)
}

export async function collect(rows: AsyncIterable<StoredRow>): Promise<readonly StoredRow[]> {
  const all: StoredRow[] = []
  for await (const row of rows) all.push(row)
  return all
}

/** Resolves when the call rejects with this code, and with `retryable` as the code demands. */
export async function expectCode(call: Promise<unknown>, code: StoreErrorCode): Promise<void> {
  const outcome = await call.then(
    () => 'no error',
    (error: unknown) => error,
  )
  assert(outcome instanceof Error && 'code' in outcome, `expected ${code}, got ${String(outcome)}`)
  assert(outcome.code === code, `expected ${code}, got ${String(outcome.code)}`)
  const retryable =
    code === 'ERR_STORE_CONFLICT' || code === 'ERR_STORE_INDETERMINATE' || code === 'ERR_STORE_BUSY'
  assert(
    'retryable' in outcome && outcome.retryable === retryable,
    `${code} must have retryable ${retryable}`,
  )
}
