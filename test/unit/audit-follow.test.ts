/** Reading a log while others integrate what waits in its queue (SPEC §14.7). @module */

import { memoryStore, type Store } from 'guise'
import { expect, test } from 'vitest'
import { Follower } from '../../src/audit/follower.ts'
import { integrateSome } from '../../src/audit/integrate.ts'
import { Journal } from '../../src/audit/journal.ts'
import { headKey } from '../../src/audit/log-rows.ts'
import type { Realm } from '../../src/base/brand.ts'
import { rowsOf } from '../support/rows.ts'
import { codeOf } from '../support/vault.ts'

const REALM = 'clinic' as Realm
const KEY = new Uint8Array(32).fill(1)
const KEYS = { newestVersion: 1, load: async () => undefined, refresh: async () => undefined, key: () => KEY }
/** Of entries, and of commits that move the log: more than a reader reads anew. */
const ENTRIES = 300

/** A store with so many entries of one writer in its queue. */
async function busyStore(entries: number): Promise<Store> {
  const store = memoryStore()
  const journal = new Journal(REALM)
  for (let i = 0; i < entries; i++) {
    await journal.commit(store, [], { action: 'verify', outcome: 'match', timeMs: 5 }, KEYS)
  }
  return store
}

/** The store as a reader sees it while somebody else integrates an entry behind each of its readings of the queue. */
function integratedMeanwhile(store: Store, other: Follower): Pick<Store, 'get' | 'scan'> {
  return {
    get: (...asked) => store.get(...asked),
    async *scan(table, from, options) {
      yield* store.scan(table, from, options)
      if (table === 'queue') await integrateSome({ store, realm: REALM, keys: KEYS }, other)
    },
  }
}

test('a log that others move all the while is read to its end, and nothing is said to be missing', async () => {
  const store = await busyStore(ENTRIES)
  const other = new Follower(store, REALM, KEYS)
  await other.follow()
  other.oldest = () => Follower.prototype.oldest.call(other, 1)
  const follower = new Follower(integratedMeanwhile(store, other), REALM, KEYS)
  await follower.follow()
  expect(follower.size + follower.queued).toBe(ENTRIES)
  expect(follower.frontier.root()).toEqual(other.frontier.root())
  expect(follower.strange).toBe(0)
})

test('a log whose head changes and does not grow is not waited for', async () => {
  const store = await busyStore(1)
  const other = new Follower(store, REALM, KEYS)
  await other.follow()
  await integrateSome({ store, realm: REALM, keys: KEYS }, other)
  const again = async (): Promise<void> => {
    const row = await store.get('log', headKey(REALM))
    if (row === undefined) throw new Error('no head')
    await store.commit([{ step: 'put', table: 'log', key: row.key, bytes: row.bytes, expected: row.version }])
  }
  const reader: Pick<Store, 'get' | 'scan'> = {
    get: (...asked) => store.get(...asked),
    async *scan(table, from, options) {
      yield* store.scan(table, from, options)
      await again()
    },
  }
  expect(await codeOf(new Follower(reader, REALM, KEYS).follow())).toBe('ERR_AUDIT_EDIT')
  expect(await rowsOf(store, 'queue')).toHaveLength(0)
})

test('a log whose head is gone has been put back', async () => {
  const store = await busyStore(1)
  const follower = new Follower(store, REALM, KEYS)
  await follower.follow()
  await integrateSome({ store, realm: REALM, keys: KEYS }, follower)
  const row = await store.get('log', headKey(REALM))
  await store.commit([
    { step: 'delete', table: 'log', key: headKey(REALM), expected: row?.version as string },
  ])
  expect(await codeOf(follower.follow())).toBe('ERR_AUDIT_ROLLBACK')
})
