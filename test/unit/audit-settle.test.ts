/** Whoever waits until an entry is anchored does not wait for those of others that come later (SPEC §14.7). @module */
import { memoryStore, type Store } from 'guise'
import { expect, test } from 'vitest'
import { Follower } from '../../src/audit/follower.ts'
import { integrateSome } from '../../src/audit/integrate.ts'
import { Journal } from '../../src/audit/journal.ts'
import { Ledger } from '../../src/audit/ledger.ts'
import { Publisher } from '../../src/audit/publish.ts'
import type { LogKeys } from '../../src/audit/queue.ts'
import { storedLog } from '../../src/audit/stored-log.ts'
import type { Realm } from '../../src/base/brand.ts'
import { conflict } from '../../src/store/steps.ts'
import { SIGNER } from '../support/vault.ts'
import { memoryAnchor } from '../support/vault-log.ts'

const REALM = 'clinic' as Realm
const key = new Uint8Array(32).fill(6)
const KEYS: LogKeys = { newestVersion: 1, load: async () => {}, refresh: async () => {}, key: () => key }
/** More than one commit of integration takes. */
const OTHERS = 130
const MOST_TURNS = 40

test('settle ends although another process writes faster than the log is integrated', async () => {
  const store = memoryStore()
  const other = new Journal(REALM)
  const write = async (journal: Journal): Promise<void> => {
    const event = { action: 'verify', outcome: 'match', timeMs: 1_767_225_600_000 } as const
    await journal.commit(store, [], event, KEYS)
  }
  const follower = new Follower(store, REALM, KEYS)
  let turns = 0
  const busy: Store['commit'] = async (steps, options) => {
    if (steps.some(({ step, table }) => step === 'delete' && table === 'queue') && turns < MOST_TURNS) {
      turns++
      // The other is first each time, and has written more than it has integrated.
      for (let i = 0; i < OTHERS; i++) await write(other)
      await follower.follow()
      await integrateSome({ store, realm: REALM, keys: KEYS }, follower)
    }
    return await store.commit(steps, options)
  }
  const between = { get: store.get.bind(store), scan: store.scan.bind(store), commit: busy }
  const journal = new Journal(REALM)
  const anchor = memoryAnchor()
  const ledger = new Ledger({ store: between, realm: REALM, keys: KEYS, journal, signer: SIGNER, anchor })
  await ledger.open()
  await write(journal)
  await ledger.settle({})
  expect(anchor.kept?.size).toBeGreaterThanOrEqual(1)
  expect(turns).toBeLessThan(3)
  turns = MOST_TURNS
  await ledger.close()
})

const EVENT = { action: 'open', outcome: 'done', timeMs: 1_767_225_600_000 } as const

test('sequence ends when the entry is under a signed checkpoint, and waits for no anchor', async () => {
  const store = memoryStore()
  const journal = new Journal(REALM)
  let hangs = false
  const anchor = {
    ...memoryAnchor(),
    advance: () => (hangs ? new Promise<never>(() => undefined) : Promise.resolve()),
  }
  const ledger = new Ledger({ store, realm: REALM, keys: KEYS, journal, signer: SIGNER, anchor })
  await ledger.open()
  hangs = true
  for (let size = 1; size <= 3; size++) {
    await journal.commit(store, [], EVENT, KEYS)
    await ledger.sequence({})
    expect(await storedLog(store, REALM).checkpoint()).toMatchObject({ size })
  }
})

test('without the log’s key sequence waits for whoever has it', async () => {
  const store = memoryStore()
  const journal = new Journal(REALM)
  const parts = { store, realm: REALM, keys: KEYS, journal, anchor: undefined }
  const ledger = new Ledger({ ...parts, signer: undefined })
  await ledger.open()
  await journal.commit(store, [], EVENT, KEYS)
  const controller = new AbortController()
  const pending = ledger.sequence({ signal: controller.signal })
  setTimeout(() => controller.abort(), 120)
  await expect(pending).rejects.toMatchObject({ code: 'ERR_AUDIT_PENDING', retryable: true })
  // Integrated, and not signed yet.
  const follower = new Follower(store, REALM, KEYS)
  await follower.follow()
  await integrateSome({ store, realm: REALM, keys: KEYS }, follower)
  const again = new AbortController()
  setTimeout(() => again.abort(), 120)
  await expect(ledger.sequence({ signal: again.signal })).rejects.toMatchObject({ code: 'ERR_AUDIT_PENDING' })
  const waiting = ledger.sequence({})
  const signing = new Ledger({ ...parts, journal: new Journal(REALM), signer: SIGNER })
  await signing.open()
  await waiting
  expect(await storedLog(store, REALM).checkpoint()).toMatchObject({ size: 1 })
  await ledger.close()
  await signing.close()
})

test('a head is signed once, and what is said of the log goes forward alone', async () => {
  const store = memoryStore()
  const journal = new Journal(REALM)
  const follower = new Follower(store, REALM, KEYS)
  await follower.follow()
  const grow = async (): Promise<{ readonly size: number; readonly root: Uint8Array }> => {
    await journal.commit(store, [], EVENT, KEYS)
    await follower.follow()
    await integrateSome({ store, realm: REALM, keys: KEYS }, follower)
    return { size: follower.size, root: follower.frontier.root() }
  }
  let signatures = 0
  const sign = (bytes: Uint8Array) => {
    signatures++
    return SIGNER.sign(bytes)
  }
  const signer = { ...SIGNER, sign }
  const publisher = new Publisher({ store, realm: REALM, signer, anchor: undefined })
  const readOn = () => Promise.reject(new Error('nobody else wrote'))
  const first = await grow()
  await publisher.sign(first, readOn)
  await publisher.sign(first, readOn)
  expect(signatures).toBe(1)
  const second = await grow()
  await publisher.sign(second, readOn)
  expect(publisher.signed?.size).toBe(2)
  await publisher.sign(first, readOn)
  await publisher.idle()
  expect([publisher.signed?.size, publisher.checkpoint?.size, signatures]).toEqual([2, 2, 2])
})

test.each(['kept', 'removed'])('a conflict without end is a fault when what waits is %s', async (row) => {
  const store = memoryStore()
  const journal = new Journal(REALM)
  let met = 0
  const commit: Store['commit'] = async (steps, options) => {
    const queued = steps.find(({ step, table }) => step === 'delete' && table === 'queue')
    if (queued?.step !== 'delete') return await store.commit(steps, options)
    met++
    if (row === 'removed' && met === 1) {
      await store.commit([{ step: 'delete', table: 'queue', key: queued.key, expected: queued.expected }])
    }
    throw conflict(queued, 0)
  }
  const between = { get: store.get.bind(store), scan: store.scan.bind(store), commit }
  const parts = { store: between, realm: REALM, keys: KEYS, journal, signer: SIGNER, anchor: undefined }
  const ledger = new Ledger(parts)
  await journal.commit(store, [], EVENT, KEYS)
  const code = row === 'kept' ? 'ERR_AUDIT_EDIT' : 'ERR_AUDIT_DELETION'
  await expect(ledger.open()).rejects.toMatchObject({ code })
  expect(met).toBeGreaterThan(8)
  await ledger.close()
})
