/** What a store must do, as named checks that need no test framework; `guise/testing` exports it (SPEC §10). @module */

import { inputChecks } from './conformance-input.ts'
import {
  assert,
  bytesOf,
  type Check,
  type ConformanceContext,
  collect,
  expectCode,
  keyOf,
  put,
  sameBytes,
} from './conformance-kit.ts'
import { readingChecks } from './conformance-reading.ts'
import { scanChecks } from './conformance-scan.ts'
import { StoreError } from './errors.ts'
import type { Store } from './store.ts'

/**
 * `reopen`: closes the store and opens the same data again; leave it out when closing forgets the data.
 * `second`: another opening of the same data, by which commits through the first must be seen.
 */
export interface ConformanceOptions {
  readonly reopen?: (store: Store) => Promise<Store>
  readonly second?: (store: Store) => Promise<Store>
}

/** One requirement. `run` resolves when the store meets it and rejects with an error that says what it did. */
export interface ConformanceCheck {
  readonly name: string
  readonly run: () => Promise<void>
}

/**
 * The checks for one kind of store. Each opens its own empty store with `makeStore` and closes it.
 *
 * @example
 * for (const { name, run } of storeConformance(async () => memoryStore(), {})) test(name, run)
 */
export function storeConformance(
  makeStore: () => Promise<Store>,
  options: ConformanceOptions,
): readonly ConformanceCheck[] {
  const checks: readonly Check[] = [
    ...rowChecks,
    ...readingChecks,
    ...batchChecks,
    ...versionChecks,
    ...raceChecks,
    ...lifeChecks,
    ...inputChecks,
    ...scanChecks,
    ...(options.reopen === undefined ? [] : reopenChecks),
    ...(options.second === undefined ? [] : secondChecks),
  ]
  return checks.map(({ name, run }) => ({ name, run: () => runOnce(run, makeStore, options) }))
}

async function runOnce(
  run: Check['run'],
  makeStore: () => Promise<Store>,
  { reopen, second }: ConformanceOptions,
): Promise<void> {
  const opened: Store[] = []
  const keep = async (opening: Promise<Store>): Promise<Store> => {
    const store = await opening
    opened.push(store)
    return store
  }
  const missing = (): Promise<Store> =>
    Promise.reject(new StoreError('ERR_STORE_CONFORMANCE', 'this store offers no second opening'))
  const context: ConformanceContext = {
    reopen: (store) => keep(reopen?.(store) ?? missing()),
    second: (store) => keep(second?.(store) ?? missing()),
  }
  try {
    await run(await keep(makeStore()), context)
  } finally {
    for (const store of opened.reverse()) await store.close()
  }
}

const rowChecks: readonly Check[] = [
  {
    name: 'a row that was never written is undefined',
    async run(store) {
      assert((await store.get('states', keyOf(1))) === undefined, 'get answered a row')
    },
  },
  {
    name: 'a commit is seen by the next get, with the version it returned',
    async run(store) {
      for (let i = 0; i < 20; i++) {
        const [version] = await store.commit([put('states', keyOf(i), bytesOf(i))])
        const row = await store.get('states', keyOf(i))
        assert(row !== undefined && sameBytes(row.bytes, bytesOf(i)), 'the row is not what was written')
        assert(row.version === version && version !== '', 'the version is not the one that commit returned')
        assert(sameBytes(row.key, keyOf(i)), 'the key is not the one that was asked for')
      }
    },
  },
  {
    name: 'tables are apart',
    async run(store) {
      await store.commit([put('states', keyOf(1), bytesOf(1))])
      assert((await store.get('secrets', keyOf(1))) === undefined, 'a row shows in another table')
      assert(
        (await collect(store.scan('index', keyOf(0)))).length === 0,
        'a row shows in the scan of another table',
      )
    },
  },
  {
    name: 'put, check and delete demand the expected version',
    async run(store) {
      const [first = ''] = await store.commit([put('states', keyOf(1), bytesOf(1))])
      await expectCode(store.commit([put('states', keyOf(1), bytesOf(2))]), 'ERR_STORE_CONFLICT')
      const [second = ''] = await store.commit([put('states', keyOf(1), bytesOf(2), first)])
      await expectCode(store.commit([put('states', keyOf(1), bytesOf(3), first)]), 'ERR_STORE_CONFLICT')
      await expectCode(store.commit([put('states', keyOf(2), bytesOf(3), first)]), 'ERR_STORE_CONFLICT')
      const check = { step: 'check', table: 'states', key: keyOf(1) } as const
      await store.commit([{ ...check, expected: second }])
      await store.commit([{ ...check, key: keyOf(2), expected: null }])
      await expectCode(store.commit([{ ...check, expected: first }]), 'ERR_STORE_CONFLICT')
      await expectCode(store.commit([{ ...check, expected: null }]), 'ERR_STORE_CONFLICT')
      const remove = { step: 'delete', table: 'states', key: keyOf(1) } as const
      await expectCode(store.commit([{ ...remove, expected: first }]), 'ERR_STORE_CONFLICT')
      assert(
        sameBytes((await store.get('states', keyOf(1)))?.bytes, bytesOf(2)),
        'a refused step changed the row',
      )
      await store.commit([{ ...remove, expected: second }])
      assert((await store.get('states', keyOf(1))) === undefined, 'a deleted row is still there')
      await expectCode(store.commit([{ ...remove, expected: second }]), 'ERR_STORE_CONFLICT')
    },
  },
  {
    name: 'append gives rising keys and never conflicts',
    async run(store) {
      for (let i = 0; i < 5; i++) await store.commit([{ step: 'append', table: 'queue', bytes: bytesOf(i) }])
      const steps = Array.from(
        { length: 40 },
        (_, i) => ({ step: 'append', table: 'queue', bytes: bytesOf(5 + i) }) as const,
      )
      await Promise.all(steps.map((step) => store.commit([step])))
      const rows = await collect(store.scan('queue', new Uint8Array(0)))
      assert(rows.length === 45, 'rows of the queue are missing')
      for (let i = 0; i < 5; i++)
        assert(sameBytes(rows[i]?.bytes, bytesOf(i)), 'the queue is not in the order of commits')
      const last = rows.at(-1)
      assert(last !== undefined, 'the queue is empty')
      await store.commit([{ step: 'delete', table: 'queue', key: last.key, expected: last.version }])
      await store.commit([{ step: 'append', table: 'queue', bytes: bytesOf(99) }])
      const after = await collect(store.scan('queue', last.key))
      assert(after.length === 1 && !sameBytes(after[0]?.key, last.key), 'the key of a deleted row came back')
    },
  },
]

const batchChecks: readonly Check[] = [
  {
    name: 'a refused commit leaves nothing, wherever the refused step stands',
    async run(store) {
      const [version = ''] = await store.commit([put('states', keyOf(0), bytesOf(0))])
      const refused = put('states', keyOf(0), bytesOf(9))
      const others = [
        put('references', keyOf(1), bytesOf(1)),
        put('secrets', keyOf(2), bytesOf(2)),
        { step: 'append', table: 'queue', bytes: bytesOf(3) } as const,
      ]
      for (let at = 0; at <= others.length; at++) {
        const steps = [...others.slice(0, at), refused, ...others.slice(at)]
        await expectCode(store.commit(steps), 'ERR_STORE_CONFLICT')
        assert((await store.get('references', keyOf(1))) === undefined, 'a put of a refused commit stayed')
        assert((await store.get('secrets', keyOf(2))) === undefined, 'a put of a refused commit stayed')
        assert(
          (await collect(store.scan('queue', new Uint8Array(0)))).length === 0,
          'an append of a refused commit stayed',
        )
      }
      assert((await store.get('states', keyOf(0)))?.version === version, 'a refused commit changed a version')
    },
  },
  {
    name: 'a commit over several tables applies every step and returns one text a step',
    async run(store) {
      const [old = ''] = await store.commit([put('attempts', keyOf(4), bytesOf(4))])
      const versions = await store.commit([
        put('references', keyOf(1), bytesOf(1)),
        { step: 'check', table: 'states', key: keyOf(1), expected: null },
        { step: 'delete', table: 'attempts', key: keyOf(4), expected: old },
        { step: 'append', table: 'queue', bytes: bytesOf(5) },
        put('log', keyOf(6), bytesOf(6)),
      ])
      assert(versions.length === 5, 'commit did not return one text a step')
      assert(versions[1] === '' && versions[2] === '', 'check and delete must return empty texts')
      assert(
        (await store.get('references', keyOf(1)))?.version === versions[0],
        'the version of a put is wrong',
      )
      assert(
        (await collect(store.scan('queue', new Uint8Array(0))))[0]?.version === versions[3],
        'the version of an append is wrong',
      )
      assert((await store.get('log', keyOf(6)))?.version === versions[4], 'the version of a put is wrong')
      assert((await store.get('attempts', keyOf(4))) === undefined, 'the delete was not applied')
    },
  },
  {
    name: 'expectations speak of the state before the commit',
    async run(store) {
      await store.commit([
        put('states', keyOf(1), bytesOf(1)),
        { step: 'check', table: 'states', key: keyOf(1), expected: null },
      ])
      assert((await store.get('states', keyOf(1))) !== undefined, 'the put was not applied')
    },
  },
  {
    name: 'the largest commit is accepted, whole',
    async run(store) {
      const steps = Array.from({ length: 4096 }, (_, i) => put('index', keyOf(i), bytesOf(i)))
      await store.commit(steps)
      assert((await collect(store.scan('index', new Uint8Array(0)))).length === 4096, 'rows are missing')
    },
  },
]

const versionChecks: readonly Check[] = [
  {
    name: 'a version never comes back for a key, not after deletion either',
    async run(store) {
      const seen = new Set<string>()
      for (let i = 0; i < 60; i++) {
        const [version = ''] = await store.commit([put('states', keyOf(1), bytesOf(1))])
        assert(!seen.has(version), 'a version came back')
        seen.add(version)
        const [next = ''] = await store.commit([put('states', keyOf(1), bytesOf(1), version)])
        assert(!seen.has(next), 'a version came back')
        seen.add(next)
        await store.commit([{ step: 'delete', table: 'states', key: keyOf(1), expected: next }])
      }
    },
  },
  {
    name: 'an old version does not fit a row that was deleted and made again',
    async run(store) {
      const [old = ''] = await store.commit([put('states', keyOf(1), bytesOf(1))])
      await store.commit([{ step: 'delete', table: 'states', key: keyOf(1), expected: old }])
      await store.commit([put('states', keyOf(1), bytesOf(1))])
      await expectCode(store.commit([put('states', keyOf(1), bytesOf(2), old)]), 'ERR_STORE_CONFLICT')
    },
  },
]

const raceChecks: readonly Check[] = [
  {
    name: 'of 64 commits that expect one version exactly one wins',
    async run(store) {
      let [version = ''] = await store.commit([put('states', keyOf(1), bytesOf(0))])
      for (let round = 0; round < 10; round++) {
        const expected = version
        const racers = Array.from({ length: 64 }, (_, i) =>
          store.commit([put('states', keyOf(1), bytesOf(i), expected)]),
        )
        const outcomes = await Promise.allSettled(racers)
        const winners = outcomes.flatMap((outcome) =>
          outcome.status === 'fulfilled' ? [outcome.value[0] ?? ''] : [],
        )
        assert(winners.length === 1, `${winners.length} commits won`)
        const winner = outcomes.findIndex((outcome) => outcome.status === 'fulfilled')
        const row = await store.get('states', keyOf(1))
        assert(sameBytes(row?.bytes, bytesOf(winner)), 'the row is not the one of the winner')
        version = winners[0] ?? ''
      }
    },
  },
  {
    name: 'no update is lost between concurrent read-and-write loops',
    async run(store) {
      await store.commit([put('states', keyOf(1), Uint8Array.of(0))])
      const increment = async (): Promise<void> => {
        for (let done = 0; done < 8; ) {
          const row = await store.get('states', keyOf(1))
          assert(row !== undefined, 'the row is gone')
          const next = Uint8Array.of((row.bytes[0] ?? 0) + 1)
          const won = await store.commit([put('states', keyOf(1), next, row.version)]).then(
            () => true,
            () => false,
          )
          if (won) done += 1
        }
      }
      await Promise.all(Array.from({ length: 8 }, increment))
      assert((await store.get('states', keyOf(1)))?.bytes[0] === 64, 'an update was lost')
    },
  },
]

const lifeChecks: readonly Check[] = [
  {
    name: 'an aborted call rejects with the reason of its signal and writes nothing',
    async run(store) {
      const controller = new AbortController()
      controller.abort()
      const reason: unknown = controller.signal.reason
      const options = { signal: controller.signal }
      const failures = await Promise.allSettled([
        store.get('states', keyOf(1), options),
        store.commit([put('states', keyOf(1), bytesOf(1))], options),
        (async () => collect(store.scan('states', keyOf(0), options)))(),
      ])
      for (const failure of failures) {
        assert(
          failure.status === 'rejected' && failure.reason === reason,
          'the call did not reject with the reason',
        )
      }
      assert((await store.get('states', keyOf(1))) === undefined, 'an aborted commit wrote')
    },
  },
  {
    name: 'after close every call rejects with ERR_STORE_CLOSED, and close may be called again',
    async run(store) {
      const pending = store.commit([put('states', keyOf(1), bytesOf(1))])
      await Promise.all([pending, store.close()])
      await expectCode(store.get('states', keyOf(1)), 'ERR_STORE_CLOSED')
      await expectCode(store.commit([put('states', keyOf(2), bytesOf(1))]), 'ERR_STORE_CLOSED')
      await expectCode((async () => collect(store.scan('states', keyOf(0))))(), 'ERR_STORE_CLOSED')
      await store.close()
      await store[Symbol.asyncDispose]()
    },
  },
]

const reopenChecks: readonly Check[] = [
  {
    name: 'rows, versions and the order of the queue outlive the store object',
    async run(store, { reopen }) {
      const [version = '', , removed = ''] = await store.commit([
        put('states', keyOf(1), bytesOf(1)),
        { step: 'append', table: 'queue', bytes: bytesOf(1) },
        put('states', keyOf(2), bytesOf(2)),
      ])
      await store.commit([{ step: 'delete', table: 'states', key: keyOf(2), expected: removed }])
      const again = await reopen(store)
      const row = await again.get('states', keyOf(1))
      assert(row?.version === version && sameBytes(row.bytes, bytesOf(1)), 'a row was lost or changed')
      const [fresh] = await again.commit([put('states', keyOf(2), bytesOf(2))])
      assert(fresh !== removed && fresh !== version, 'a version came back after reopening')
      await again.commit([{ step: 'append', table: 'queue', bytes: bytesOf(2) }])
      const queue = await collect(again.scan('queue', new Uint8Array(0)))
      assert(
        sameBytes(queue[0]?.bytes, bytesOf(1)) && sameBytes(queue[1]?.bytes, bytesOf(2)),
        'the queue lost its order',
      )
    },
  },
]

const secondChecks: readonly Check[] = [
  {
    name: 'an acknowledged commit is decided upon by another opening of the same data',
    async run(store, { second }) {
      const other = await second(store)
      let [version = ''] = await store.commit([put('states', keyOf(1), bytesOf(0))])
      for (let i = 1; i < 20; i++) {
        const writer = i % 2 === 0 ? store : other
        await writer.commit([{ step: 'check', table: 'states', key: keyOf(1), expected: version }])
        const [next = ''] = await writer.commit([put('states', keyOf(1), bytesOf(i), version)])
        version = next
      }
    },
  },
]
