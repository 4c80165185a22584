/** Requirements of SPEC §4, one test each and more. @module */
import { readFileSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Realm } from '../../src/base/brand.ts'
import { concatBytes, toHex, utf8 } from '../../src/base/bytes.ts'
import { keysCommand } from '../../src/cli/keys.ts'
import { committingOpenWithPrk } from '../../src/crypto/committing.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { custodyPrk, type Profile } from '../../src/keys/custody.ts'
import { KeysError } from '../../src/keys/errors.ts'
import { holderShare } from '../../src/keys/holder.ts'
import { createKeyring, openKeyring, ringAccess } from '../../src/keys/keyring.ts'
import { localKeyProvider } from '../../src/keys/local.ts'
import { epochContext, realmContext } from '../../src/keys/provider.ts'
import {
  decodeIndexRow,
  drawHandle,
  encodeIndexRow,
  indexRowKey,
  subjectTag,
} from '../../src/keys/pseudonym.ts'
import { RealmKeys } from '../../src/keys/realm-keys.ts'
import {
  addSlot,
  drawRecordSecret,
  openWrap,
  removeSlot,
  rotateOuter,
  SLOT_BYTES,
  type WrapBinding,
  wrapSecret,
} from '../../src/keys/wraps.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { hmac } from '../reference/hashes.ts'
import * as reference from '../reference/keys.ts'
import {
  bench,
  bringTo,
  FakeKms,
  failureOf,
  passOn,
  plantRing,
  prkOf,
  REALM,
  ringRow,
} from '../unit/keys-support.ts'

const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value)
const HEADER = utf8('the header of a secret row') as Uint8Array
const OTHER_HEADER = utf8('the header under another epoch') as Uint8Array

function binding(profile: Profile = 0): WrapBinding {
  return {
    realm: REALM,
    record: filled(16, 1),
    handle: filled(16, 2),
    generation: filled(20, 3),
    purpose: 'door',
    profile,
    keyVersion: 1,
  }
}

const custodyKey = filled(32, 7)
const outer = { prk: filled(64, 9), header: HEADER }
const device = (n: number): Uint8Array =>
  custodyPrk(2, {
    custodyKey,
    share: holderShare(filled(32, n), { realm: REALM, record: filled(16, 1), generation: filled(20, 3) }),
  })

const folders: string[] = []
async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'guise-keys-'))
  folders.push(path)
  return path
}

beforeAll(cryptoReady)
afterEach(async () => {
  vi.useRealTimers()
  for (const path of folders.splice(0)) await rm(path, { recursive: true, force: true })
})

describe('provider', () => {
  test('KEYS-1 every secret is wrapped under its own context', async () => {
    const { kms, keyring } = await bench()
    await keyring.add()
    await keyring.renew()
    const wrapped = kms.calls.filter(({ call }) => call === 'wrap').map(({ context }) => context)
    const expected = [
      epochContext(REALM, 1),
      realmContext(REALM, 1),
      epochContext(REALM, 2),
      realmContext(REALM, 2),
    ]
    expect(wrapped.toSorted()).toEqual(expected.map(toHex).toSorted())
    expect(new Set(wrapped).size).toBe(4)
    expect(expected.map(toHex)).toEqual(
      [
        reference.epochContext(REALM, 1),
        reference.realmContext(REALM, 1),
        reference.epochContext(REALM, 2),
        reference.realmContext(REALM, 2),
      ].map(toHex),
    )
  })

  test('KEYS-1 destroying one context makes exactly that secret unrecoverable', async () => {
    const provider = localKeyProvider({ path: await folder(), key: filled(32, 5) })
    const contexts = [epochContext(REALM, 1), epochContext(REALM, 2), realmContext(REALM, 1)] as const
    const secrets = contexts.map((_, i) => filled(32, 100 + i))
    const wrapped = await Promise.all(contexts.map((context, i) => provider.wrap(secrets[i]!, context)))
    await provider.destroy(contexts[1])
    expect(await provider.unwrap(wrapped[0]!, contexts[0])).toEqual(secrets[0])
    expect(await provider.unwrap(wrapped[2]!, contexts[2])).toEqual(secrets[2])
    await expect(provider.unwrap(wrapped[1]!, contexts[1])).rejects.toMatchObject({
      code: 'ERR_KEYS_DESTROYED',
    })
    provider.close()
  })

  test.each(['add', 'promote', 'enable', 'destroy', 'renew'] as const)(
    'KEYS-2 an outage during %s is retryable and leaves the ring as it was',
    async (verb) => {
      const { kms, store, keyring } = await bench()
      await bringTo(keyring, verb === 'promote' ? 'enabled' : 'disabled')
      const before = await ringRow(store)
      const run = () => (verb === 'add' || verb === 'renew' ? keyring[verb]() : keyring[verb](2))
      kms.before = () => {
        throw new TypeError('connect ECONNREFUSED')
      }
      const error = await failureOf(run())
      expect(error).toBeInstanceOf(KeysError)
      expect(error).toMatchObject({
        code: 'ERR_KEYS_PROVIDER',
        retryable: true,
        cause: expect.any(TypeError),
      })
      expect(await ringRow(store)).toEqual(before)
      kms.before = () => undefined
      await run()
      expect((await ringRow(store)).version).not.toBe(before.version)
    },
  )

  test('KEYS-2 an outage while opening is retryable', async () => {
    const { kms, where } = await bench()
    kms.before = () => Promise.reject(new Error('down'))
    expect(await failureOf(openKeyring(where))).toMatchObject({ code: 'ERR_KEYS_PROVIDER', retryable: true })
    kms.before = () => undefined
    expect((await openKeyring(where)).primary).toBe(1)
  })
})

describe('realm keys', () => {
  test('KEYS-3 realm keys outlive every epoch they were used with', async () => {
    const { keyring, where } = await bench()
    const before = await ringAccess(keyring).loadRealmKeys(1)
    const kept = [before.index, before.custody, before.state].map(toHex)
    await keyring.add()
    await keyring.promote(2)
    await keyring.disable(1)
    await keyring.destroy(1)
    const after = await ringAccess(await openKeyring(where)).loadRealmKeys(1)
    expect([after.index, after.custody, after.state].map(toHex)).toEqual(kept)
  })

  test('KEYS-3 the six keys are those of the specification', () => {
    const secret = filled(32, 77)
    const keys = new RealmKeys(REALM, 3, secret)
    const expected = reference.realmKeys(secret, REALM, 3)
    for (const name of ['index', 'custody', 'state', 'limiter', 'ring', 'receipt'] as const) {
      expect(keys[name]).toEqual(expected[name])
    }
  })
})

describe('wraps', () => {
  const custody = (): Uint8Array => custodyPrk(0, { custodyKey })

  test('KEYS-4 the record secret is random and lies in the outer wrap only', () => {
    const drawn = new Set(Array.from({ length: 200 }, () => toHex(drawRecordSecret())))
    expect(drawn.size).toBe(200)
    const secret = drawRecordSecret()
    const sealed = wrapSecret(secret, { custody: custody(), binding: binding(), outer })
    const stored = toHex(concatBytes(sealed.nonce, sealed.commitment, sealed.ciphertext))
    const slots = committingOpenWithPrk(outer.prk, 'guise/v1/outer', HEADER, sealed) as Uint8Array
    expect(slots).toHaveLength(SLOT_BYTES)
    expect(stored).not.toContain(toHex(slots.subarray(0, 24)))
    expect(openWrap(sealed, { custody: custody(), binding: binding(), outer })?.recordSecret).toEqual(secret)
    const gone = { prk: filled(64, 10), header: HEADER }
    expect(openWrap(sealed, { custody: custody(), binding: binding(), outer: gone })).toBeUndefined()
  })

  test('KEYS-4 an independent implementation opens both wraps', () => {
    const epochKey = filled(32, 21)
    const prk = hmac(filled(64, 0), epochKey)
    const secret = drawRecordSecret()
    const sealed = wrapSecret(secret, {
      custody: custody(),
      binding: binding(),
      outer: { prk, header: HEADER },
    })
    const slots = reference.openOuter(epochKey, HEADER, sealed)
    const { keyVersion: v, ...rest } = binding()
    expect(reference.openSlot(reference.custodyIkm(custodyKey), { ...rest, v }, 0, slots)).toEqual(secret)
  })

  test('KEYS-5 rotation moves the same slots and never needs the custody key', () => {
    const secret = drawRecordSecret()
    const sealed = wrapSecret(secret, { custody: device(1), binding: binding(2), outer })
    const to = { prk: filled(64, 11), header: OTHER_HEADER }
    const rotated = rotateOuter(sealed, { profile: 2, from: outer, to })
    if (rotated === undefined) throw new Error('it did not open')
    const slotsBefore = committingOpenWithPrk(outer.prk, 'guise/v1/outer', HEADER, sealed)
    const slotsAfter = committingOpenWithPrk(to.prk, 'guise/v1/outer', OTHER_HEADER, rotated)
    expect(slotsAfter).toEqual(slotsBefore)
    expect(openWrap(rotated, { custody: device(1), binding: binding(2), outer: to })?.recordSecret).toEqual(
      secret,
    )
    expect(openWrap(rotated, { custody: device(1), binding: binding(2), outer })).toBeUndefined()
    expect(rotateOuter(sealed, { profile: 2, from: to, to: outer })).toBeUndefined()
  })

  test('KEYS-6 inputs that read alike derive different keys', () => {
    const share = (realm: string, record: number, generation: number): string =>
      toHex(
        holderShare(filled(32, 1), { realm, record: filled(16, record), generation: filled(20, generation) }),
      )
    const twins = [
      share('a.b', 1, 1),
      share('a-b', 1, 1),
      share('ab', 1, 1),
      share('a.b', 2, 1),
      share('a.b', 1, 2),
    ]
    expect(new Set(twins).size).toBe(twins.length)
    const parts = [
      custodyPrk(0, { custodyKey }),
      custodyPrk(1, { custodyKey, quorum: filled(64, 0) }),
      custodyPrk(2, { custodyKey, share: filled(32, 0) }),
      custodyPrk(3, { custodyKey, quorum: filled(64, 0), share: filled(32, 0) }),
      custodyPrk(3, { custodyKey, quorum: filled(64, 1), share: filled(32, 0) }),
    ].map(toHex)
    expect(new Set(parts).size).toBe(parts.length)
  })

  test('KEYS-6 contexts of the provider are injective', () => {
    const realm = fc.stringMatching(/^[a-z0-9](?:[a-z0-9._-]{0,10}[a-z0-9])?$/)
    const place = fc.record({ kind: fc.boolean(), realm, n: fc.nat() })
    const encode = (at: { kind: boolean; realm: string; n: number }): string =>
      toHex((at.kind ? epochContext : realmContext)(at.realm as Realm, at.n))
    fc.assert(
      fc.property(place, place, (a, b) => {
        const same = a.kind === b.kind && a.realm === b.realm && a.n === b.n
        expect(encode(a) === encode(b)).toBe(same)
      }),
    )
  })
})

describe('custody', () => {
  test.each([
    [1, {}],
    [2, {}],
    [3, { quorum: filled(64, 1) }],
    [3, { share: filled(32, 1) }],
  ] as const)('KEYS-7 profile %i does not open without its parts', (profile, parts) => {
    expect(() => custodyPrk(profile, { custodyKey, ...parts })).toThrow(
      expect.objectContaining({ code: 'ERR_KEYS_MISSING', retryable: false }),
    )
  })

  test('KEYS-7 everything but the share opens nothing', () => {
    const sealed = wrapSecret(drawRecordSecret(), { custody: device(1), binding: binding(2), outer })
    const tries = [
      custodyPrk(0, { custodyKey }),
      custodyPrk(2, { custodyKey, share: filled(32, 0) }),
      custodyPrk(2, { custodyKey, share: filled(32, 0xff) }),
      device(2),
      filled(64, 0),
    ]
    for (const custody of tries) {
      expect(openWrap(sealed, { custody, binding: binding(2), outer })).toBeUndefined()
      expect(openWrap(sealed, { custody, binding: binding(0), outer })).toBeUndefined()
    }
    expect(openWrap(sealed, { custody: device(1), binding: binding(2), outer })).toBeDefined()
  })

  test('KEYS-7 a share has 32 bytes', () => {
    for (const length of [0, 31, 33, 64]) {
      expect(() => custodyPrk(2, { custodyKey, share: filled(length, 1) })).toThrow(
        expect.objectContaining({ code: 'ERR_KEYS_INPUT' }),
      )
    }
    const context = { realm: REALM, record: filled(16, 1), generation: filled(20, 3) }
    expect(holderShare(filled(32, 1), context)).toHaveLength(32)
    expect(holderShare(filled(32, 1), context)).toEqual(
      reference.holderShare(filled(32, 1), REALM, filled(16, 1), filled(20, 3)),
    )
  })

  test('KEYS-8 a device is added and removed only by a share that opens', () => {
    const secret = drawRecordSecret()
    const sealed = wrapSecret(secret, { custody: device(1), binding: binding(2), outer })
    const change = { binding: binding(2), from: outer, to: outer }
    expect(addSlot(sealed, { ...change, present: device(9), slot: 1, added: device(2) })).toBeUndefined()
    expect(removeSlot(sealed, { ...change, present: device(9), slot: 0 })).toBeUndefined()
    const both = addSlot(sealed, { ...change, present: device(1), slot: 1, added: device(2) })
    if (both === undefined) throw new Error('it did not open')
    const open = (wrap: typeof sealed, n: number) =>
      openWrap(wrap, { custody: device(n), binding: binding(2), outer })
    expect(open(both, 1)).toEqual({ recordSecret: secret, slot: 0 })
    expect(open(both, 2)).toEqual({ recordSecret: secret, slot: 1 })
    const second = removeSlot(both, { ...change, present: device(2), slot: 0 })
    if (second === undefined) throw new Error('it did not open')
    expect(open(second, 1)).toBeUndefined()
    expect(open(second, 2)).toEqual({ recordSecret: secret, slot: 1 })
  })

  test('KEYS-8 the present device can neither be removed nor overwritten', () => {
    const sealed = wrapSecret(drawRecordSecret(), { custody: device(1), binding: binding(2), outer, slot: 2 })
    const change = { binding: binding(2), from: outer, to: outer, present: device(1), slot: 2 }
    expect(() => removeSlot(sealed, change)).toThrow(expect.objectContaining({ code: 'ERR_KEYS_INPUT' }))
    expect(() => addSlot(sealed, { ...change, added: device(2) })).toThrow(
      expect.objectContaining({ code: 'ERR_KEYS_INPUT' }),
    )
  })
})

describe('ring', () => {
  const statuses = ['primary', 'enabled', 'disabled', 'destroyed'] as const
  const verbs = ['promote', 'disable', 'enable', 'destroy'] as const
  const allowed: Record<string, string> = {
    'enabled promote': 'primary',
    'enabled disable': 'disabled',
    'disabled enable': 'enabled',
    'disabled destroy': 'destroyed',
  }

  test('KEYS-9 exactly one epoch is primary and adding one does not change it', async () => {
    const { keyring } = await bench()
    for (let epoch = 2; epoch <= 5; epoch++) {
      expect(await keyring.add()).toBe(epoch)
      expect(keyring.primary).toBe(1)
    }
    await keyring.promote(4)
    expect(keyring.primary).toBe(4)
    expect(keyring.epochs.filter(({ status }) => status === 'primary')).toMatchObject([{ epoch: 4 }])
    expect(ringAccess(keyring).primary).toBe(4)
  })

  for (const status of statuses) {
    for (const verb of verbs) {
      const result = allowed[`${status} ${verb}`]
      test(`KEYS-10 ${verb} on ${status}: ${result ?? 'refused'}`, async () => {
        const { kms, store, keyring } = await bench()
        await bringTo(keyring, status)
        const before = await ringRow(store)
        const calls = kms.calls.length
        if (result === undefined) {
          expect(await failureOf(keyring[verb](2))).toMatchObject({
            code: 'ERR_KEYS_TRANSITION',
            retryable: false,
          })
          expect(await ringRow(store)).toEqual(before)
          expect(kms.calls.length).toBe(calls)
        } else {
          await keyring[verb](2)
          expect(keyring.epochs[1]).toMatchObject({ epoch: 2, status: result })
          if (verb === 'promote') expect(keyring.epochs[0]).toMatchObject({ status: 'enabled' })
        }
      })
    }
  }

  test('KEYS-11 wraps of retired, disabled, destroyed and unknown epochs are refused', async () => {
    const { keyring } = await bench()
    const access = ringAccess(keyring)
    for (let i = 0; i < 4; i++) await keyring.add()
    await keyring.promote(5)
    await keyring.retire(2)
    await keyring.disable(3)
    await keyring.disable(4)
    await keyring.destroy(4)
    const codes = [
      [1, 'ERR_KEYS_RETIRED'],
      [3, 'ERR_KEYS_DISABLED'],
      [4, 'ERR_KEYS_DESTROYED'],
      [6, 'ERR_KEYS_UNKNOWN_EPOCH'],
      [0, 'ERR_KEYS_UNKNOWN_EPOCH'],
    ] as const
    for (const [epoch, code] of codes) {
      const refused = expect.objectContaining({ code, retryable: false })
      expect(() => access.requireOpenable(epoch)).toThrow(refused)
      expect(() => access.epochPrk(epoch)).toThrow(refused)
      expect(await failureOf(access.useEpoch(epoch, () => undefined))).toEqual(refused)
    }
    await access.useEpoch(2, () => undefined)
  })

  test('KEYS-11 the lowest accepted epoch only grows and never passes the primary', async () => {
    const { store, keyring } = await bench()
    for (let i = 0; i < 3; i++) await keyring.add()
    await keyring.promote(3)
    await keyring.retire(2)
    expect(keyring.minAccepted).toBe(2)
    const before = await ringRow(store)
    expect(await failureOf(keyring.retire(1))).toMatchObject({ code: 'ERR_KEYS_TRANSITION' })
    expect(await failureOf(keyring.retire(4))).toMatchObject({ code: 'ERR_KEYS_TRANSITION' })
    expect(await failureOf(keyring.retire(9))).toMatchObject({ code: 'ERR_KEYS_UNKNOWN_EPOCH' })
    expect(await failureOf(keyring.promote(1))).toMatchObject({ code: 'ERR_KEYS_RETIRED' })
    await keyring.retire(2)
    expect(await ringRow(store)).toEqual(before)
  })

  test('KEYS-12 a ring with another MAC, realm or provider is refused', async () => {
    const { kms, store, where } = await bench()
    const { bytes } = await ringRow(store)
    const refused = { code: 'ERR_KEYS_RING', retryable: false }
    const forged = Uint8Array.from(bytes)
    forged[forged.length - 1]! ^= 1
    await plantRing(store, forged)
    expect(await failureOf(openKeyring(where))).toMatchObject(refused)
    await plantRing(store, bytes)
    await plantRing(store, bytes, 'other')
    expect(await failureOf(openKeyring({ ...where, realm: 'other' }))).toMatchObject(refused)
    const provider = Object.assign(new FakeKms('another-kms'), { unwrap: kms.unwrap.bind(kms) })
    expect(await failureOf(openKeyring({ ...where, provider }))).toMatchObject(refused)
    expect((await openKeyring(where)).realm).toBe(REALM)
  })

  test('KEYS-12 every process sees a change at its next verb, and concurrent changes do not undo each other', async () => {
    const { where, keyring } = await bench()
    const others = await Promise.all([openKeyring(where), openKeyring(where), openKeyring(where)])
    await keyring.add()
    await keyring.promote(2)
    for (const other of others) {
      expect(other.primary).toBe(1)
      await ringAccess(other).refresh()
      expect(other.primary).toBe(2)
    }
    const added = await Promise.all([keyring, ...others].map((ring) => ring.add()))
    expect(added.toSorted()).toEqual([3, 4, 5, 6])
    await keyring.refresh()
    expect(keyring.epochs).toHaveLength(6)
  })

  test('KEYS-12 a commit that checks the ring fails when the ring has changed', async () => {
    const { where, store, keyring } = await bench()
    const access = ringAccess(keyring)
    const check = access.check()
    await (await openKeyring(where)).add()
    expect(await failureOf(store.commit([check]))).toMatchObject({ code: 'ERR_STORE_CONFLICT' })
    await access.refresh()
    expect(access.row().version).toBe(access.check().expected)
    await store.commit([access.check()])
  })

  test('KEYS-13 destroying needs a prior disable', async () => {
    const { kms, keyring } = await bench()
    await keyring.add()
    expect(await failureOf(keyring.destroy(2))).toMatchObject({ code: 'ERR_KEYS_TRANSITION' })
    expect(kms.count('destroy')).toBe(0)
    await keyring.disable(2)
    kms.nowMs = 1_900_000_000_123
    await keyring.destroy(2)
    expect(ringAccess(keyring).destroyedAt(2)).toBe(1_900_000_000_123)
    expect(keyring.epochs[1]).toMatchObject({ status: 'destroyed', changedAt: 1_900_000_000_123 })
  })

  test('KEYS-13 a retry finishes a destruction that was cut off after the provider', async () => {
    const { kms, store, where, keyring } = await bench()
    await bringTo(keyring, 'disabled')
    let cut = true
    const failing = passOn(store, {
      commit: async (steps) => {
        if (cut) throw new Error('the process died')
        return await store.commit(steps)
      },
    })
    const first = await openKeyring({ ...where, store: failing })
    await failureOf(first.destroy(2))
    expect(kms.count('destroy')).toBe(1)
    const second = await openKeyring(where)
    expect(second.epochs[1]).toMatchObject({ status: 'disabled' })
    // What the provider has destroyed does not come back.
    expect(await failureOf(second.enable(2))).toMatchObject({ code: 'ERR_KEYS_PROVIDER' })
    kms.nowMs += 60_000
    cut = false
    await second.destroy(2)
    expect(second.epochs[1]).toMatchObject({ status: 'destroyed', changedAt: 1_800_000_000_000 })
  })

  test('KEYS-14 unwrapped secrets are bounded in number and wiped when dropped', async () => {
    const { kms, keyring } = await bench({ cache: { maxSecrets: 4 } })
    const access = ringAccess(keyring)
    for (let i = 0; i < 6; i++) await keyring.add()
    await prkOf(keyring, 1)
    const first = access.epochPrk(1)
    for (let epoch = 2; epoch <= 7; epoch++) await prkOf(keyring, epoch)
    expect(access.epochPrk(1)).toBeUndefined()
    expect(() => first?.use((prk) => prk)).toThrow(expect.objectContaining({ code: 'ERR_KEYS_DISPOSED' }))
    const held = [1, 2, 3, 4, 5, 6, 7].filter((epoch) => access.epochPrk(epoch) !== undefined)
    expect(held.length).toBeLessThanOrEqual(4)
    const before = kms.count('unwrap')
    await prkOf(keyring, 7)
    expect(kms.count('unwrap')).toBe(before)
    await prkOf(keyring, 1)
    expect(kms.count('unwrap')).toBe(before + 1)
  })

  test('KEYS-14 unwrapped secrets are held for a bounded time', async () => {
    vi.useFakeTimers()
    const { keyring } = await bench({ cache: { lifetimeMs: 60_000 } })
    const access = ringAccess(keyring)
    await prkOf(keyring, 1)
    const keys = await access.loadRealmKeys(1)
    const bytes = keys.custody
    vi.advanceTimersByTime(59_000)
    expect(access.epochPrk(1)).toBeDefined()
    vi.advanceTimersByTime(2000)
    expect(access.epochPrk(1)).toBeUndefined()
    expect(access.realmKeys(1)).toBeUndefined()
    expect(bytes.every((byte) => byte === 0)).toBe(true)
    expect(() => keys.custody).toThrow(expect.objectContaining({ code: 'ERR_KEYS_DISPOSED' }))
  })

  test('KEYS-14 nothing is usable after close', async () => {
    const { keyring } = await bench()
    const access = ringAccess(keyring)
    const keys = await access.loadRealmKeys(1)
    await prkOf(keyring, 1)
    const prk = access.epochPrk(1)
    const borrowed = keys.ring
    keyring.close()
    keyring.close()
    const refused = expect.objectContaining({ code: 'ERR_KEYS_DISPOSED' })
    expect(borrowed.every((byte) => byte === 0)).toBe(true)
    for (const use of [
      () => keyring.primary,
      () => keyring.epochs,
      () => keyring.minAccepted,
      () => keyring.version,
      () => keys.operatorPrk,
      () => prk?.use((bytes) => bytes),
      () => access.check(),
      () => access.row(),
      () => access.epochPrk(1),
      () => access.realmKeys(1),
    ]) {
      expect(use).toThrow(refused)
    }
    for (const verb of ['add', 'renew', 'refresh', 'receiptPublicKey'] as const) {
      expect(await failureOf(keyring[verb]())).toEqual(refused)
    }
    for (const verb of ['promote', 'disable', 'enable', 'destroy', 'retire'] as const) {
      expect(await failureOf(keyring[verb](1))).toEqual(refused)
    }
    expect(keyring.realm).toBe(REALM)
  })
})

describe('pseudonyms', () => {
  const SUBJECT = 'Ada.Lovelace@example.org'

  test('KEYS-15 no row and no error holds the external identifier', () => {
    const keys = new RealmKeys(REALM, 1, filled(32, 3))
    const tag = subjectTag(keys.index, SUBJECT)
    const place = { realm: REALM, version: 1, tag }
    const handle = drawHandle()
    const row = encodeIndexRow(place, keys.index, handle)
    const text = new TextDecoder('latin1').decode(concatBytes(indexRowKey(place), row))
    expect(text).not.toContain('Ada')
    expect(tag).toEqual(reference.subjectTag(keys.index, SUBJECT))
    expect(decodeIndexRow(row, place, keys.index)).toEqual(handle)
    for (const subject of ['', `${SUBJECT}\uD800`, SUBJECT.repeat(20)]) {
      const error = (() => {
        try {
          subjectTag(keys.index, subject)
        } catch (thrown) {
          return thrown as Error
        }
        throw new Error('it was accepted')
      })()
      expect(error).toMatchObject({ code: 'ERR_KEYS_INPUT' })
      expect(`${error.stack}`).not.toContain('Ada')
    }
  })

  test('KEYS-15 versions are offered newest first and every version gives another tag', async () => {
    const { keyring } = await bench()
    expect(await keyring.renew()).toBe(2)
    expect(await keyring.renew()).toBe(3)
    const access = ringAccess(keyring)
    expect(access.versions).toEqual([3, 2, 1])
    expect(access.newestVersion).toBe(3)
    const tags = new Set<string>()
    for (const version of access.versions) {
      tags.add(toHex(subjectTag((await access.loadRealmKeys(version)).index, SUBJECT)))
    }
    expect(tags.size).toBe(3)
  })
})

describe('local provider', () => {
  test('KEYS-16 no secret is taken from the command line or the environment', async () => {
    const lines: string[] = []
    const io = {
      out: (text: string) => lines.push(text),
      err: (text: string) => lines.push(text),
      interactive: false,
    }
    const where = [
      '--realm',
      REALM,
      '--store',
      join(await folder(), 's'),
      '--provider',
      join(await folder(), 'p'),
    ]
    vi.stubEnv('GUISE_PASSPHRASE', 'from the environment')
    vi.stubEnv('GUISE_KEY', '00'.repeat(32))
    for (const given of [['--passphrase', 'x'], ['--key', '00'.repeat(32)], []]) {
      expect(await keysCommand(['init', ...where, ...given], io)).toBe(2)
    }
    vi.unstubAllEnvs()
    for (const path of ['../../src/keys/local.ts', '../../src/keys/local-root.ts', '../../src/cli/keys.ts']) {
      const source = readFileSync(new URL(path, import.meta.url), 'utf8')
      expect(source).not.toMatch(/process\s*\.\s*(?:env|argv)/)
    }
  })

  test('KEYS-16 nothing in the directory opens without the passphrase', async () => {
    const path = await folder()
    const secret = filled(32, 0xa5)
    const context = epochContext(REALM, 1)
    const argon = { memoryKiB: 64, passes: 1 }
    const provider = localKeyProvider({ path, passphrase: 'correct horse', argon })
    const wrapped = await provider.wrap(secret, context)
    provider.close()
    for (const name of await readdir(path)) {
      expect(toHex(await readFile(join(path, name)))).not.toContain(toHex(secret))
    }
    const wrong = localKeyProvider({ path, passphrase: 'wrong horse' })
    expect(await failureOf(wrong.unwrap(wrapped, context))).toMatchObject({
      code: 'ERR_KEYS_PASSPHRASE',
      retryable: false,
    })
    const right = localKeyProvider({ path, passphrase: utf8('correct horse') as Uint8Array })
    expect(await right.unwrap(wrapped, context)).toEqual(secret)
  })
})

test('KEYS-12 a realm has one keyring', async () => {
  const { where } = await bench()
  expect(await failureOf(createKeyring(where))).toMatchObject({ code: 'ERR_KEYS_EXISTS' })
  expect(await failureOf(openKeyring({ ...where, store: memoryStore() }))).toMatchObject({
    code: 'ERR_KEYS_ABSENT',
  })
})
