/** Stores that break the contract in one way each: the controls of the vault's fault tests. @module */

import type { Store, StoredRow, StoreStep } from '../../src/store/store.ts'

const LATE_MS = 4

/** Answers at once and commits a little later; reads wait for what was answered, so that the lie does not show. */
export function acknowledgeEarly(store: Store): Store {
  let late: Promise<unknown> = Promise.resolve()
  return {
    ...forwarding(store),
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
    ...forwarding(store),
    async commit(steps, options) {
      const versions: string[] = []
      for (const [i, half] of steps.flatMap(halves).entries()) {
        if (i > 0) await new Promise((resolve) => setTimeout(resolve, LATE_MS))
        versions.push(...(await store.commit([half], options)))
      }
      return versions
    },
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

/** Writes counters without compare-and-set: whatever version is there now is taken for the one that was read. */
export function ignoreVersions(store: Store): Store {
  const commit: Store['commit'] = async (steps, options) => {
    for (let tries = 1; ; tries++) {
      const blind: StoreStep[] = []
      for (const step of steps) {
        const counter = (step.step === 'put' || step.step === 'check') && step.table === 'attempts'
        const row = counter && step.expected !== null ? await store.get(step.table, step.key) : undefined
        blind.push(row === undefined ? step : ({ ...step, expected: row.version } as StoreStep))
      }
      try {
        return await store.commit(blind, options)
      } catch (error) {
        const counters = steps.every((step) => step.step !== 'put' || step.table === 'attempts')
        // A conflict that stays is about something else than counters.
        const gone = tries > MOST_BLIND || !counters
        if ((error as { code?: unknown }).code !== 'ERR_STORE_CONFLICT' || gone) throw error
      }
    }
  }
  return { ...forwarding(store), commit }
}

const MOST_BLIND = 50
const CACHE_MS = 1000

/** Deletes a wrap some time before it writes the one that comes in its place; everything else is done as it should be. */
export function wrapsInHalves(store: Store): Store {
  const isWrap = (step: StoreStep): boolean =>
    step.step === 'put' && step.table === 'secrets' && step.expected !== null
  const commit: Store['commit'] = async (steps, options) => {
    const wraps = steps.filter(isWrap)
    if (wraps.length === 0) return await store.commit(steps, options)
    await store.commit(wraps.flatMap((step) => halves(step).slice(0, 1)))
    await new Promise((resolve) => setTimeout(resolve, LATE_MS))
    return await store.commit(steps.flatMap((step) => (isWrap(step) ? halves(step).slice(1) : [step])))
  }
  return { ...forwarding(store), commit }
}

/** Writes rows over whatever is there, and takes for granted what was to be checked. The keyring is spared. */
export function blindPuts(store: Store): Store {
  const commit: Store['commit'] = async (steps, options) => {
    const blind: StoreStep[] = []
    for (const step of steps) {
      if (step.step === 'append' || step.table === 'keyrings' || step.table === 'log') blind.push(step)
      else if (step.step === 'put') {
        const row = await store.get(step.table, step.key)
        blind.push({ ...step, expected: row?.version ?? null })
      }
    }
    return await store.commit(blind, options)
  }
  return { ...forwarding(store), commit }
}

/** Remembers what it read for a second, and takes checks for granted. */
export function cacheReads(store: Store): Store {
  const cache = new Map<string, { readonly untilMs: number; readonly row: StoredRow | undefined }>()
  return {
    ...forwarding(store),
    async get(table, key, options) {
      const name = `${table}/${Buffer.from(key).toString('hex')}`
      const known = cache.get(name)
      if (known !== undefined && known.untilMs > performance.now()) return known.row
      const row = await store.get(table, key, options)
      cache.set(name, { untilMs: performance.now() + CACHE_MS, row })
      return row
    },
    async commit(steps, options) {
      const written = steps.filter(({ step }) => step !== 'check')
      const versions = written.length === 0 ? [] : [...(await store.commit(written, options))]
      return steps.map(({ step }) => (step === 'check' ? '' : (versions.shift() ?? '')))
    },
  }
}

function forwarding(store: Store): Store {
  return {
    durable: store.durable,
    get: (table, key, options) => store.get(table, key, options),
    commit: (steps, options) => store.commit(steps, options),
    scan: (table, from, options) => store.scan(table, from, options),
    close: () => store.close(),
    [Symbol.asyncDispose]: () => store.close(),
  }
}
