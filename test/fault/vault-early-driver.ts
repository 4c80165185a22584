/** The control: the vault on a store that acknowledges before it commits. @module */

import type { Store } from '../../src/store/store.ts'
import type { Driver } from './driver.ts'
import { vaultDriver } from './vault-work.ts'

export const driver: Driver = vaultDriver({ between: acknowledgeEarly, early: true })

const LATE_MS = 4

/** Answers at once and commits a little later; reads wait for what was answered, so that the lie does not show. */
function acknowledgeEarly(store: Store): Store {
  let late: Promise<unknown> = Promise.resolve()
  return {
    durable: store.durable,
    async get(table, key, options) {
      await late
      return await store.get(table, key, options)
    },
    async commit(steps, options) {
      if (steps.every((step) => step.step === 'check' || step.table === 'keyrings')) {
        return await store.commit(steps, options)
      }
      await late
      late = new Promise((resolve) => setTimeout(resolve, LATE_MS))
        .then(() => store.commit(steps))
        .catch(() => undefined)
      return steps.map(() => '')
    },
    async *scan(table, from, options) {
      await late
      yield* store.scan(table, from, options)
    },
    close: () => late.then(() => store.close()),
    [Symbol.asyncDispose]: () => late.then(() => store.close()),
  }
}
