import { assert, boolean, nat, property, record, stringMatching } from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Realm } from '../../src/base/brand.ts'
import { concatBytes, toHex, utf8 } from '../../src/base/bytes.ts'
import { committingOpenPrepared } from '../../src/crypto/committing.ts'
import { hkdfPrepare } from '../../src/crypto/kdf.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { type Profile, preparedCustody } from '../../src/keys/custody.ts'
import { KeysError } from '../../src/keys/errors.ts'
import { holderShare } from '../../src/keys/holder.ts'
import { openKeyring, ringAccess } from '../../src/keys/keyring.ts'
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
import * as reference from '../reference/keys.ts'
import { bench, bringTo, failureOf, REALM, ringRow } from '../unit/keys-support.ts'

await cryptoReady()

const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value)
const HEADER = utf8('the header of a secret row') as Uint8Array
const OTHER_HEADER = utf8('the header under another epoch') as Uint8Array

/** The identifier of the device of a slot. */
const deviceName = (slot: number): Uint8Array => filled(16, 0x40 + slot)
const FREE = filled(16, 0)

/** @param named which slots the state row gives to a device */
function binding(profile: Profile = 0, named: readonly boolean[] = [true, false, false, false]): WrapBinding {
  return {
    realm: REALM,
    record: filled(16, 1),
    handle: filled(16, 2),
    generation: filled(20, 3),
    purpose: 'door',
    profile,
    keyVersion: 1,
    devices: profile < 2 ? [] : named.map((yes, slot) => (yes ? deviceName(slot) : FREE)),
  }
}

const custodyKey = filled(32, 7)
const outer = { prepared: hkdfPrepare(filled(32, 9)), header: HEADER }
const device = (n: number): Uint8Array =>
  preparedCustody(2, {
    custodyKey,
    share: holderShare(filled(32, n), { realm: REALM, record: filled(16, 1), generation: filled(20, 3) }),
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
  const custody = (): Uint8Array => preparedCustody(0, { custodyKey })

  test('KEYS-4 the record secret is random and lies in the outer wrap only', () => {
    const drawn = new Set(Array.from({ length: 200 }, () => toHex(drawRecordSecret())))
    expect(drawn.size).toBe(200)
    const secret = drawRecordSecret()
    const sealed = wrapSecret(secret, { custody: custody(), binding: binding(), outer })
    const stored = toHex(concatBytes(sealed.nonce, sealed.commitment, sealed.ciphertext))
    const slots = committingOpenPrepared(outer.prepared, 'guise/v1/outer', HEADER, sealed) as Uint8Array
    expect(slots).toHaveLength(SLOT_BYTES)
    expect(stored).not.toContain(toHex(slots.subarray(0, 24)))
    expect(openWrap(sealed, { custody: custody(), binding: binding(), outer })?.recordSecret).toEqual(secret)
    const gone = { prepared: hkdfPrepare(filled(32, 10)), header: HEADER }
    expect(openWrap(sealed, { custody: custody(), binding: binding(), outer: gone })).toBeUndefined()
  })

  test('KEYS-4 an independent implementation opens both wraps', () => {
    const epochKey = filled(32, 21)
    const prepared = hkdfPrepare(epochKey)
    const secret = drawRecordSecret()
    const sealed = wrapSecret(secret, {
      custody: custody(),
      binding: binding(),
      outer: { prepared, header: HEADER },
    })
    const slots = reference.openOuter(epochKey, HEADER, sealed)
    const { keyVersion: v, ...rest } = binding()
    expect(reference.openSlot(reference.custodyIkm(custodyKey), { ...rest, v }, 0, slots)).toEqual(secret)
  })

  test('KEYS-5 rotation moves the same slots and never needs the custody key', () => {
    const secret = drawRecordSecret()
    const sealed = wrapSecret(secret, { custody: device(1), binding: binding(2), outer })
    const to = { prepared: hkdfPrepare(filled(32, 11)), header: OTHER_HEADER }
    const rotated = rotateOuter(sealed, { profile: 2, from: outer, to })
    if (rotated === undefined) throw new Error('it did not open')
    const slotsBefore = committingOpenPrepared(outer.prepared, 'guise/v1/outer', HEADER, sealed)
    const slotsAfter = committingOpenPrepared(to.prepared, 'guise/v1/outer', OTHER_HEADER, rotated)
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
      preparedCustody(0, { custodyKey }),
      preparedCustody(1, { custodyKey, quorum: filled(64, 0) }),
      preparedCustody(2, { custodyKey, share: filled(32, 0) }),
      preparedCustody(3, { custodyKey, quorum: filled(64, 0), share: filled(32, 0) }),
      preparedCustody(3, { custodyKey, quorum: filled(64, 1), share: filled(32, 0) }),
    ].map(toHex)
    expect(new Set(parts).size).toBe(parts.length)
  })

  test('KEYS-6 contexts of the provider are injective', () => {
    const realm = stringMatching(/^[a-z0-9](?:[a-z0-9._-]{0,10}[a-z0-9])?$/)
    const place = record({ kind: boolean(), realm, n: nat() })
    const encode = (at: { kind: boolean; realm: string; n: number }): string =>
      toHex((at.kind ? epochContext : realmContext)(at.realm as Realm, at.n))
    assert(
      property(place, place, (a, b) => {
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
    expect(() => preparedCustody(profile, { custodyKey, ...parts })).toThrow(
      expect.objectContaining({ code: 'ERR_KEYS_MISSING', retryable: false }),
    )
  })

  test('KEYS-7 everything but the share opens nothing', () => {
    const sealed = wrapSecret(drawRecordSecret(), { custody: device(1), binding: binding(2), outer })
    const tries = [
      preparedCustody(0, { custodyKey }),
      preparedCustody(2, { custodyKey, share: filled(32, 0) }),
      preparedCustody(2, { custodyKey, share: filled(32, 0xff) }),
      device(2),
      hkdfPrepare(filled(32, 0)),
    ]
    for (const custody of tries) {
      expect(openWrap(sealed, { custody, binding: binding(2), outer })).toBeUndefined()
      expect(openWrap(sealed, { custody, binding: binding(0), outer })).toBeUndefined()
    }
    expect(openWrap(sealed, { custody: device(1), binding: binding(2), outer })).toBeDefined()
  })

  test('KEYS-7 a share has 32 bytes', () => {
    for (const length of [0, 31, 33, 64]) {
      expect(() => preparedCustody(2, { custodyKey, share: filled(length, 1) })).toThrow(
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
    const addition = { ...change, slot: 1, device: deviceName(1), added: device(2) }
    expect(addSlot(sealed, { ...addition, present: device(9) })).toBeUndefined()
    expect(removeSlot(sealed, { ...change, present: device(9), slot: 0 })).toBeUndefined()
    const both = addSlot(sealed, { ...addition, present: device(1) })
    if (both === undefined) throw new Error('it did not open')
    const two = binding(2, [true, true, false, false])
    const open = (wrap: typeof sealed, n: number) =>
      openWrap(wrap, { custody: device(n), binding: two, outer })
    expect(open(both, 1)).toEqual({ recordSecret: secret, slot: 0 })
    expect(open(both, 2)).toEqual({ recordSecret: secret, slot: 1 })
    const second = removeSlot(both, { ...change, binding: two, present: device(2), slot: 0 })
    if (second === undefined) throw new Error('it did not open')
    expect(open(second, 1)).toBeUndefined()
    expect(open(second, 2)).toEqual({ recordSecret: secret, slot: 1 })
  })

  test('KEYS-8 a slot opens for the device that the state row names, and for no other', () => {
    const secret = drawRecordSecret()
    const sealed = wrapSecret(secret, { custody: device(1), binding: binding(2), outer })
    const addition = { from: outer, to: outer, present: device(1), slot: 1, added: device(2) }
    const both = addSlot(sealed, { ...addition, binding: binding(2), device: deviceName(1) })
    if (both === undefined) throw new Error('it did not open')
    const open = (devices: readonly Uint8Array[]) =>
      openWrap(both, { custody: device(2), binding: { ...binding(2), devices }, outer })
    const [first, second] = [deviceName(0), deviceName(1)]
    expect(open([first, second, FREE, FREE])).toEqual({ recordSecret: secret, slot: 1 })
    for (const devices of [
      [first, FREE, FREE, FREE],
      [first, deviceName(2), FREE, FREE],
      [second, first, FREE, FREE],
      [FREE, FREE, second, FREE],
      [first],
      [],
    ]) {
      expect(open(devices)).toBeUndefined()
    }
  })

  test('KEYS-8 a share that opens the template already is not added again', () => {
    const sealed = wrapSecret(drawRecordSecret(), { custody: device(1), binding: binding(2), outer })
    const addition = { from: outer, to: outer, present: device(1) }
    const first = { ...addition, binding: binding(2), slot: 1, device: deviceName(1) }
    const refused = expect.objectContaining({ code: 'ERR_KEYS_INPUT' })
    expect(() => addSlot(sealed, { ...first, added: device(1) })).toThrow(refused)
    const both = addSlot(sealed, { ...first, added: device(2) })
    if (both === undefined) throw new Error('it did not open')
    const two = binding(2, [true, true, false, false])
    const second = { ...addition, binding: two, slot: 2, device: deviceName(2) }
    expect(() => addSlot(both, { ...second, added: device(2) })).toThrow(refused)
    // A slot that the state row does not name is none: whoever was interrupted there may begin again.
    expect(addSlot(both, { ...first, added: device(2) })).toBeDefined()
  })

  test('KEYS-8 the present device can neither be removed nor overwritten', () => {
    const third = binding(2, [false, false, true, false])
    const sealed = wrapSecret(drawRecordSecret(), { custody: device(1), binding: third, outer, slot: 2 })
    const change = { binding: third, from: outer, to: outer, present: device(1), slot: 2 }
    expect(() => removeSlot(sealed, change)).toThrow(expect.objectContaining({ code: 'ERR_KEYS_INPUT' }))
    expect(() => addSlot(sealed, { ...change, added: device(2), device: deviceName(2) })).toThrow(
      expect.objectContaining({ code: 'ERR_KEYS_INPUT' }),
    )
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
