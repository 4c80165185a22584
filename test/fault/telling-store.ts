/** A store that tells which templates were ever written to it (I-02, I-03). @module */
/// <reference types="node" />

import { writeSync } from 'node:fs'
import { readRows } from '../../src/store/read-rows.ts'
import type { Store } from '../../src/store/store.ts'

const TOLD: readonly string[] = ['states', 'references', 'secrets']

/** Writes the rows of templates into a journal as they are written, so that the searching side can open what was deleted since. */
export function telling(store: Store, journal: number): Store {
  return {
    durable: store.durable,
    get: (table, key, options) => store.get(table, key, options),
    getMany: (places, options) => readRows(store, places, options),
    commit(steps, options) {
      for (const step of steps) {
        if (step.step !== 'put' || !TOLD.includes(step.table)) continue
        const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
        const row = { table: step.table, key: hex(step.key), bytes: hex(step.bytes) }
        writeSync(journal, `${JSON.stringify(row)}\n`)
      }
      return store.commit(steps, options)
    },
    scan: (table, from, options) => store.scan(table, from, options),
    close: () => store.close(),
    [Symbol.asyncDispose]: () => store.close(),
  }
}
