import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { createKeyring, openKeyring, ringAccess } from '../../src/keys/keyring.ts'
import { memoryStore } from '../../src/store/memory.ts'
import {
  bench,
  bringTo,
  FakeKms,
  failureOf,
  passOn,
  plantRing,
  preparedOf,
  REALM,
  ringRow,
} from '../unit/keys-support.ts'

beforeAll(cryptoReady)
afterEach(() => {
  vi.useRealTimers()
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
      expect(() => access.preparedEpoch(epoch)).toThrow(refused)
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
    expect(new Set(added)).toEqual(new Set([3, 4, 5, 6]))
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
    await preparedOf(keyring, 1)
    const first = access.preparedEpoch(1)
    for (let epoch = 2; epoch <= 7; epoch++) await preparedOf(keyring, epoch)
    expect(access.preparedEpoch(1)).toBeUndefined()
    expect(() => first?.use((prepared) => prepared)).toThrow(
      expect.objectContaining({ code: 'ERR_KEYS_DISPOSED' }),
    )
    const held = [1, 2, 3, 4, 5, 6, 7].filter((epoch) => access.preparedEpoch(epoch) !== undefined)
    expect(held.length).toBeLessThanOrEqual(4)
    const before = kms.count('unwrap')
    await preparedOf(keyring, 7)
    expect(kms.count('unwrap')).toBe(before)
    await preparedOf(keyring, 1)
    expect(kms.count('unwrap')).toBe(before + 1)
  })

  test('KEYS-14 unwrapped secrets are held for a bounded time', async () => {
    vi.useFakeTimers()
    const { keyring } = await bench({ cache: { lifetimeMs: 60_000 } })
    const access = ringAccess(keyring)
    await preparedOf(keyring, 1)
    const keys = await access.loadRealmKeys(1)
    const bytes = keys.custody
    vi.advanceTimersByTime(59_000)
    expect(access.preparedEpoch(1)).toBeDefined()
    vi.advanceTimersByTime(2000)
    expect(access.preparedEpoch(1)).toBeUndefined()
    expect(access.realmKeys(1)).toBeUndefined()
    expect(bytes.every((byte) => byte === 0)).toBe(true)
    expect(() => keys.custody).toThrow(expect.objectContaining({ code: 'ERR_KEYS_DISPOSED' }))
  })

  test('KEYS-14 nothing is usable after close', async () => {
    const { keyring } = await bench()
    const access = ringAccess(keyring)
    const keys = await access.loadRealmKeys(1)
    await preparedOf(keyring, 1)
    const prepared = access.preparedEpoch(1)
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
      () => keys.preparedOperator,
      () => prepared?.use((bytes) => bytes),
      () => access.check(),
      () => access.row(),
      () => access.preparedEpoch(1),
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

test('KEYS-12 a realm has one keyring', async () => {
  const { where } = await bench()
  expect(await failureOf(createKeyring(where))).toMatchObject({ code: 'ERR_KEYS_EXISTS' })
  expect(await failureOf(openKeyring({ ...where, store: memoryStore() }))).toMatchObject({
    code: 'ERR_KEYS_ABSENT',
  })
})
