/** Stores that break the contract in one way each: the controls of the vault's fault tests. @module */

import type { Store, StoreStep } from '../../src/store/store.ts'

const LATE_MS = 4

/** Answers at once and commits a little later; reads wait for what was answered, so that the lie does not show. */
export function acknowledgeEarly(store: Store): Store {
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

/** Commits step by step, and overwrites a row by deleting it first. The keyring is spared: nothing would open. */
export function commitInHalves(store: Store): Store {
  return {
    durable: store.durable,
    get: (table, key, options) => store.get(table, key, options),
    async commit(steps, options) {
      const versions: string[] = []
      for (const [i, half] of steps.flatMap(halves).entries()) {
        if (i > 0) await new Promise((resolve) => setTimeout(resolve, LATE_MS))
        versions.push(...(await store.commit([half], options)))
      }
      return versions
    },
    scan: (table, from, options) => store.scan(table, from, options),
    close: () => store.close(),
    [Symbol.asyncDispose]: () => store.close(),
  }
}

function halves(step: StoreStep): readonly StoreStep[] {
  if (step.step !== 'put' || step.expected === null || step.table === 'keyrings') return [step]
  const { table, key, expected } = step
  return [
    { step: 'delete', table, key, expected },
    { ...step, expected: null },
  ]
}
