/** A store that fails when it is told to, for tests of what depends on it. @module */

import type { CallOptions } from '../base/errors.ts'
import { StoreError, type StoreErrorCode } from './errors.ts'
import type { Store, StoredRow, StoreStep, Table } from './store.ts'

/**
 * What the next call does: `fail` throws before anything happens; `lose` carries a commit out and then throws, as a cut
 * line does; `pass` goes on.
 */
export type StoreFault =
  | { readonly fault: 'pass' }
  | { readonly fault: 'fail'; readonly code: StoreErrorCode }
  | { readonly fault: 'lose' }

/** `plan` is asked before every call, which are counted from 1. */
export function failingStore(
  store: Store,
  plan: (call: number, verb: 'get' | 'commit' | 'scan') => StoreFault,
): Store {
  let calls = 0
  const next = (verb: 'get' | 'commit' | 'scan'): StoreFault => {
    const fault = plan(++calls, verb)
    if (fault.fault === 'fail') throw new StoreError(fault.code, 'a fault that a test asked for')
    return fault
  }
  return {
    durable: store.durable,
    async get(table: Table, key: Uint8Array, options?: CallOptions): Promise<StoredRow | undefined> {
      next('get')
      return store.get(table, key, options)
    },
    async commit(steps: readonly StoreStep[], options?: CallOptions): Promise<readonly string[]> {
      const { fault } = next('commit')
      const versions = await store.commit(steps, options)
      if (fault === 'lose') throw new StoreError('ERR_STORE_INDETERMINATE', 'the answer to a commit was lost')
      return versions
    },
    scan(table: Table, from: Uint8Array, options?: CallOptions): AsyncIterable<StoredRow> {
      next('scan')
      return store.scan(table, from, options)
    },
    close: () => store.close(),
    [Symbol.asyncDispose]: () => store.close(),
  }
}
