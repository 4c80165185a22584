/** Rows of the log that are not as they were written, and anchors that lag or run ahead (SPEC §14.7). @module */
import { logElsewhere, memoryStore, openKeyring, type Store } from 'guise'
import { type Checkpoint, memoryTreeHashes, openTree, storedLog, witnessAnchor } from 'guise/audit'
import { describe, expect, test } from 'vitest'
import { encodeEntry } from '../../src/audit/entry.ts'
import { AuditError } from '../../src/audit/errors.ts'
import { Follower } from '../../src/audit/follower.ts'
import { integrateSome } from '../../src/audit/integrate.ts'
import { Journal } from '../../src/audit/journal.ts'
import { Ledger } from '../../src/audit/ledger.ts'
import {
  blockKey,
  checkpointKey,
  decodeHead,
  decodePage,
  encodeHead,
  encodePage,
  headKey,
  pageKey,
} from '../../src/audit/log-rows.ts'
import { sealQueueRow } from '../../src/audit/queue.ts'
import { readSnapshot, type SnapshotPlace } from '../../src/audit/snapshot.ts'
import { logStanding } from '../../src/audit/standing.ts'
import { hashLeaf } from '../../src/audit/tree.ts'
import type { Realm } from '../../src/base/brand.ts'
import { encodeCbor } from '../../src/base/cbor.ts'
import { ringAccess } from '../../src/keys/keyring.ts'
import { VaultKeys } from '../../src/vault/keys.ts'
import { hookedStore, overwrite, remove, rowsOf } from '../support/rows.ts'
import { basis, codeOf, SIGNER, sample, type TestVault, testVault } from '../support/vault.ts'
import { enroll, memoryAnchor } from '../support/vault-log.ts'

const REALM = 'clinic' as Realm
const KEY = new Uint8Array(32).fill(1)
const KEYS = { newestVersion: 1, load: async () => undefined, refresh: async () => undefined, key: () => KEY }
const QUIET = { logSigner: undefined as never, [logElsewhere]: true } as const

const entry = (sequence: number, more: object = {}): Uint8Array =>
  encodeEntry({
    realm: REALM,
    writer: new Uint8Array(16).fill(7),
    sequence,
    previous: new Uint8Array(32),
    timeMs: 5,
    actor: null,
    action: 'verify',
    handle: null,
    record: null,
    generation: null,
    outcome: 'match',
    epoch: null,
    policy: null,
    basis: null,
    state: null,
    attempts: null,
    ring: null,
    ...more,
  })

function queued(bytes: Uint8Array): Uint8Array {
  const room = new Uint8Array(bytes.length + 36)
  room.set(bytes, 4)
  return sealQueueRow(room, 4 + bytes.length, 1, KEY)
}

const append = (store: Store, bytes: Uint8Array): Promise<unknown> =>
  store.commit([{ step: 'append', table: 'queue', bytes: queued(bytes) }])

/** A log of one entry, integrated, and a reader that has read it. */
async function logOfOne(): Promise<{ readonly store: Store; readonly follower: Follower }> {
  const store = memoryStore()
  await append(store, entry(0))
  const follower = new Follower(store, REALM, KEYS)
  await follower.follow()
  await integrateSome({ store, realm: REALM, keys: KEYS }, follower)
  return { store, follower }
}

async function putHead(store: Store, entries: readonly Uint8Array[], size = entries.length): Promise<void> {
  const tree = await openTree(memoryTreeHashes())
  await tree.append(entries)
  await overwrite(store, 'log', pageKey(REALM, 0), encodePage(entries))
  await overwrite(store, 'log', headKey(REALM), encodeHead(REALM, { size, root: tree.root() }, 1, KEY))
}

const read = (store: Store): Promise<string> => codeOf(new Follower(store, REALM, KEYS).follow())

describe('rows of the log', () => {
  test('a head or a page of another form is refused', () => {
    const head = (items: readonly unknown[]): Uint8Array =>
      Uint8Array.of(...encodeCbor(items as never), ...new Uint8Array(32))
    const root = new Uint8Array(32)
    for (const items of [
      [2, 13, REALM, 1, root, 1],
      [1, 12, REALM, 1, root, 1],
      [1, 13, 'pharmacy', 1, root, 1],
    ]) {
      expect(() => decodeHead(head(items), REALM)).toThrow(/head/)
    }
    expect(() => decodeHead(new Uint8Array(5), REALM)).toThrow()
    const page = encodePage([entry(0)])
    for (const bytes of [
      page.subarray(0, 3),
      page.subarray(0, 9),
      new Uint8Array(4),
      encodePage([new Uint8Array(2000)]),
    ]) {
      expect(() => decodePage(bytes)).toThrow('not the one that was written')
    }
    expect(() => decodePage(encodePage(Array.from({ length: 61 }, () => entry(0))))).toThrow()
  })

  test('a log that went back, lacks a page, or names an entry twice is a fault', async () => {
    const one = await logOfOne()
    await putHead(one.store, [], 0)
    expect(await codeOf(one.follower.follow())).toBe('ERR_AUDIT_ROLLBACK')
    const two = await logOfOne()
    await remove(two.store, 'log', pageKey(REALM, 0))
    expect(await read(two.store)).toBe('ERR_AUDIT_EDIT')
    const three = await logOfOne()
    await putHead(three.store, [entry(0), entry(0)])
    expect(await read(three.store)).toBe('ERR_AUDIT_DUPLICATION')
    expect(await codeOf(three.follower.follow())).toBe('ERR_AUDIT_DUPLICATION')
    const four = await logOfOne()
    await putHead(four.store, [entry(0), entry(2)])
    expect(await read(four.store)).toBe('ERR_AUDIT_DELETION')
    for (const bytes of [entry(0, { realm: 'pharmacy' }), Uint8Array.of(1, 2, 3)]) {
      const other = await logOfOne()
      await putHead(other.store, [bytes])
      expect(await read(other.store)).toBe('ERR_AUDIT_EDIT')
    }
  })

  test('an entry that waits here and is another in the log is a fault', async () => {
    const { store, follower } = await logOfOne()
    const next = entry(1, { previous: hashLeaf(entry(0)) })
    await append(store, next)
    await follower.follow()
    await putHead(store, [entry(0), entry(1, { previous: hashLeaf(entry(0)), timeMs: 6 })])
    expect(await codeOf(follower.follow())).toBe('ERR_AUDIT_EDIT')
    // One that cannot be integrated although nobody did it, and that still waits: rows of the log stand in the way.
    const again = await logOfOne()
    await append(again.store, next)
    await again.follower.follow()
    expect(await codeOf(again.follower.requireWaiting())).toBe('ERR_AUDIT_EDIT')
  })

  test('a queue of more rows than are read at once, under keys that are loaded late', async () => {
    const store = memoryStore()
    const journal = new Journal(REALM)
    for (let i = 0; i < 4200; i++) {
      await journal.commit(store, [], { action: 'verify', outcome: 'match', timeMs: 5 }, KEYS)
    }
    let loads = 0
    let refreshed = false
    const late = {
      newestVersion: 1,
      load: async () => void loads++,
      refresh: async () => {
        refreshed = true
      },
      key: () => (loads === 0 || (loads === 1 && !refreshed) ? undefined : KEY),
    }
    const follower = new Follower(store, REALM, late)
    await follower.follow()
    expect([follower.queued, loads, refreshed]).toEqual([4200, 2, true])
    loads = 0
    const loaded = { ...late, key: () => (loads === 0 ? undefined : KEY) }
    const other = new Follower(store, REALM, loaded)
    await other.follow()
    expect([other.queued, loads]).toEqual([4200, 1])
  })

  test('hashes and pages that are missing fail proofs, exports and searches', async () => {
    const made = await testVault()
    await enroll(made.vault)
    await made.vault.suspend('anna')
    const log = storedLog(made.store, REALM)
    expect(await log.prove(({ action }) => action === 'erase', 10)).toBeUndefined()
    expect(await storedLog(made.store, 'pharmacy').prove(() => true, 10)).toBeUndefined()
    await remove(made.store, 'log', blockKey(REALM, 0))
    expect(await codeOf(log.inclusion(0))).toBe('ERR_AUDIT_FORMAT')
    await remove(made.store, 'log', pageKey(REALM, 0))
    expect(await codeOf(log.prove(() => true, 10))).toBe('ERR_AUDIT_EDIT')
    const drain = async (): Promise<void> => {
      for await (const _ of log.export()) expect(_.length).toBeGreaterThan(0)
    }
    expect(await codeOf(drain())).toBe('ERR_AUDIT_EDIT')
  })

  test('the standing of a log counts what can be read', async () => {
    const made = await testVault(QUIET)
    expect(await logStanding(made.store, REALM)).toMatchObject({ entries: 0, signed: 0, queued: 1 })
    await made.open({ logSigner: SIGNER })
    expect(await logStanding(made.store, REALM)).toMatchObject({ entries: 1, signed: 1, queued: 0 })
    for (const key of [headKey(REALM), checkpointKey(REALM)]) {
      await overwrite(made.store, 'log', key, new Uint8Array(3))
    }
    const start = queued(entry(0)).subarray(0, 60)
    await made.store.commit([{ step: 'append', table: 'queue', bytes: start }])
    await made.store.commit([{ step: 'append', table: 'queue', bytes: new Uint8Array(9) }])
    const found = await logStanding(made.store, REALM)
    expect(found).toEqual({ entries: 0, signed: 0, queued: 1, oldestMs: undefined })
  })
})

describe('ledgers', () => {
  test('a long log is opened from a snapshot', { timeout: 120_000 }, async () => {
    const made = await testVault()
    await enroll(made.vault)
    await made.vault.close()
    const access = ringAccess(made.keyring)
    const keys = new VaultKeys(access)
    const { store, realm, journal } = access
    const parts = { store, realm, keys, journal, signer: SIGNER, anchor: undefined }
    const ledger = new Ledger(parts)
    await ledger.open()
    await keys.load()
    for (let i = 0; i < 33_000; i++) {
      await journal.commit(store, [], { action: 'verify', outcome: 'match', timeMs: i }, keys)
    }
    await ledger.settle({})
    await ledger.close()
    await ledger.close()
    const place: SnapshotPlace = { store, realm, keys }
    const follower = new Follower(store, realm, keys)
    expect(await readSnapshot(place, follower)).toBe(true)
    expect(follower.size).toBeGreaterThan(33_000)
    const vault = await made.open()
    expect((await vault.verify({ subject: 'anna', ...sample(1, 1) })).outcome).toBe('match')
    await vault.close()
    const [part] = (await rowsOf(store, 'log')).filter(({ key }) => key[7] === 5)
    await remove(store, 'log', part?.key as Uint8Array)
    expect(await readSnapshot(place, new Follower(store, realm, keys))).toBe(false)
  })

  test('an anchor that is away keeps nobody out who knows what it kept, and everybody else', async () => {
    const anchor = memoryAnchor()
    const made = await testVault({ anchor })
    await enroll(made.vault)
    await made.vault.suspend('anna')
    await made.vault.close()
    const quiet = await made.open(QUIET)
    await quiet.resume('anna')
    await quiet.close()
    anchor.down = true
    const vault = await made.open()
    expect((await vault.health()).unanchored).toBeGreaterThan(0)
    anchor.down = false
    await vault.close()
    const fresh = memoryAnchor()
    fresh.down = true
    expect(await codeOf(made.open({ anchor: fresh }))).toBe('ERR_AUDIT_ANCHOR')
    const broken = {
      origin: SIGNER.origin,
      publicKey: SIGNER.publicKey,
      sign: () => Promise.reject(new TypeError('no')),
    }
    await quiet.close()
    const next = await made.open(QUIET)
    await next.enroll({ subject: 'bert', basis: basis(), ...sample(2) })
    expect(await codeOf(made.open({ logSigner: broken }))).toContain('TypeError')
  })

  test('an anchor that another process has advanced meanwhile is believed when the log continues it', async () => {
    const truth = memoryAnchor()
    const made = await testVault({ anchor: truth })
    await enroll(made.vault)
    let behind = false
    const racing = {
      read: () => truth.read(),
      advance: async (next: Checkpoint) => {
        if (!behind) return truth.advance(next)
        await made.vault.suspend('anna').catch(() => undefined)
        throw new AuditError('ERR_AUDIT_ROLLBACK', 'older')
      },
    }
    const keyring = await openKeyring({ realm: REALM, provider: made.provider, store: made.store })
    const vault = await made.open({ keyring, anchor: racing })
    await vault.enroll({ subject: 'bert', basis: basis(), ...sample(2) })
    behind = true
    await vault.suspend('bert')
    expect((await vault.health()).log).toBe(true)
    await vault.close()
    // One that says so and keeps nothing contradicts itself.
    const empty = {
      read: () => Promise.resolve(undefined),
      advance: () => Promise.reject(new AuditError('ERR_AUDIT_ROLLBACK', 'older')),
    }
    expect(await codeOf(made.open({ anchor: empty }))).toBe('ERR_AUDIT_ROLLBACK')
  })

  test('an anchor, or a stored checkpoint, of another log under the same key is a fork', async () => {
    const other = await testVault()
    for (let person = 0; person < 4; person++) await enroll(other.vault, `p${person}`, person)
    await other.vault.suspend('p1')
    const foreign = (await storedLog(other.store, REALM).checkpoint()) as Checkpoint
    const anchor = memoryAnchor()
    anchor.kept = foreign
    const made = await testVault()
    for (let person = 0; person < 8; person++) await enroll(made.vault, `p${person}`, person)
    await made.vault.suspend('p1')
    expect(await codeOf(made.open({ anchor }))).toBe('ERR_AUDIT_FORK')
    const short = await testVault()
    await enroll(short.vault)
    await overwrite(short.store, 'log', checkpointKey(REALM), new TextEncoder().encode(foreign.note))
    expect(await codeOf(short.vault.suspend('anna'))).toBe('ERR_AUDIT_PENDING')
    expect((await short.vault.health()).log).toBe(false)
  })

  test('a ledger that is closed while it reads stops', async () => {
    const store = hookedStore(memoryStore())
    const made = await testVault({ store, ...QUIET })
    let reads = 0
    let begins: () => void = () => undefined
    const begun = new Promise<void>((resolve) => {
      begins = resolve
    })
    store.fault = {
      before: async (call) => {
        if (call.table !== 'log') return
        reads++
        begins()
        await new Promise((resolve) => setTimeout(resolve, 200))
      },
    }
    await begun
    await made.vault.close()
    await new Promise((resolve) => setTimeout(resolve, 800))
    const before = reads
    await new Promise((resolve) => setTimeout(resolve, 1300))
    expect(reads).toBe(before)
  })

  test('a witness takes the proof from whoever asks', async () => {
    const options = {
      url: 'https://witness.example/submit',
      witnessKey: 'witness.example/w1+3b02353c+BFxfHWNvGGkRQ/YcmU1gpqKYahdM/uZtmuf9BJu7R38p',
      origin: SIGNER.origin,
    }
    const anchor = memoryAnchor()
    const made: TestVault = await testVault({ anchor })
    await enroll(made.vault)
    await made.vault.suspend('anna')
    const kept = anchor.kept as Checkpoint
    const bodies: string[] = []
    const fetch = async (_: string, init: RequestInit): Promise<Response> => {
      bodies.push(new TextDecoder().decode(init.body as Uint8Array))
      return bodies.length % 2 === 1
        ? new Response('1\n', { status: 409, headers: { 'content-type': 'text/x.tlog.size' } })
        : new Response('', { status: 503 })
    }
    const consistency = async (): Promise<readonly Uint8Array[]> => [new Uint8Array(32)]
    expect(await codeOf(witnessAnchor({ ...options, fetch }).advance(kept, { consistency }))).toBe(
      'ERR_AUDIT_ANCHOR',
    )
    expect(bodies[1]).toContain('AAAAAAAA')
    bodies.length = 0
    expect(await codeOf(witnessAnchor({ ...options, fetch }).advance(kept))).toBe('ERR_AUDIT_INPUT')
  })
})
