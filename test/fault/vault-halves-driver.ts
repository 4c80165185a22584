/** The control: the vault on a store whose commits are not all or nothing. @module */

import type { Store } from '../../src/store/store.ts'
import type { Driver } from './driver.ts'
import { vaultDriver } from './vault-work.ts'

export const driver: Driver = vaultDriver({ between: stepByStep, early: true })

function stepByStep(store: Store): Store {
  return {
    durable: store.durable,
    get: (table, key, options) => store.get(table, key, options),
    async commit(steps, options) {
      const versions: string[] = []
      for (const step of steps) versions.push(...(await store.commit([step], options)))
      return versions
    },
    scan: (table, from, options) => store.scan(table, from, options),
    close: () => store.close(),
    [Symbol.asyncDispose]: () => store.close(),
  }
}
