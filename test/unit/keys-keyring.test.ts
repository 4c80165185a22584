/** The keyring: arguments, what it shows, races between processes. @module */
import { inspect } from 'node:util'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { toHex } from '../../src/base/bytes.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { createKeyring, type KeyringOptions, openKeyring, ringAccess } from '../../src/keys/keyring.ts'
import { RealmKeys } from '../../src/keys/realm-keys.ts'
import { StoreError } from '../../src/store/errors.ts'
import { memoryStore } from '../../src/store/memory.ts'
import type { StoredRow } from '../../src/store/store.ts'
import { ed25519PublicKey } from '../reference/hashes.ts'
import {
  bench,
  bringTo,
  FakeKms,
  failureOf,
  passOn,
  plantRing,
  REALM,
  ringRow,
  withoutDestroy,
} from './keys-support.ts'

beforeAll(cryptoReady)
afterEach(() => {
  vi.useRealTimers()
})

/** A promise that a test settles. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

const input = expect.objectContaining({ code: 'ERR_KEYS_INPUT', retryable: false })

describe('arguments', () => {
  const kms = new FakeKms()
  const store = memoryStore()
  const good: KeyringOptions = { realm: REALM, provider: kms, store }
  const wrap = kms.wrap.bind(kms)
  const unwrap = kms.unwrap.bind(kms)
  const bad: Record<string, unknown> = {
    nothing: undefined,
    'a realm in capitals': { ...good, realm: 'Clinic' },
    'no realm': { provider: kms, store },
    'no provider': { realm: REALM, store },
    'a provider without id': { ...good, provider: { wrap, unwrap } },
    'a provider with a long id': { ...good, provider: { id: 'x'.repeat(257), wrap, unwrap } },
    'a provider that cannot wrap': { ...good, provider: { id: 'x', unwrap } },
    'a provider that cannot unwrap': { ...good, provider: { id: 'x', wrap } },
    'a provider whose destroy is no function': { ...good, provider: { id: 'x', wrap, unwrap, destroy: 1 } },
    'no store': { realm: REALM, provider: kms },
    'a store that cannot read': { ...good, store: { commit: store.commit.bind(store) } },
    'a store that cannot write': { ...good, store: { get: store.get.bind(store) } },
    'a cache for too few': { ...good, cache: { maxSecrets: 3 } },
    'a cache for too many': { ...good, cache: { maxSecrets: 1025 } },
    'a cache for too short': { ...good, cache: { lifetimeMs: 999 } },
    'a cache for too long': { ...good, cache: { lifetimeMs: 86_400_001 } },
    'no time to answer': { ...good, cache: { timeoutMs: 9 } },
  }

  test.each(Object.entries(bad))('%s is refused', async (_, options) => {
    expect(await failureOf(createKeyring(options as KeyringOptions))).toEqual(input)
    expect(await failureOf(openKeyring(options as KeyringOptions))).toEqual(input)
    expect(kms.calls).toEqual([])
  })

  test.each([0, -1, 1.5, Number.NaN, 2 ** 32, '2', undefined])('epoch %s is refused', async (epoch) => {
    const { keyring, store } = await bench()
    const before = await ringRow(store)
    for (const verb of ['promote', 'disable', 'enable', 'destroy', 'retire'] as const) {
      expect(await failureOf(keyring[verb](epoch as number))).toEqual(input)
    }
    expect(await ringRow(store)).toEqual(before)
  })

  test('an epoch that the ring does not know is refused', async () => {
    const { keyring } = await bench()
    for (const verb of ['promote', 'disable', 'enable', 'destroy', 'retire'] as const) {
      expect(await failureOf(keyring[verb](2))).toMatchObject({ code: 'ERR_KEYS_UNKNOWN_EPOCH' })
    }
  })

  test('a keyring of another making is refused', async () => {
    const { keyring } = await bench()
    expect(() => ringAccess({ ...keyring })).toThrow(input)
  })

  test('an aborted call does nothing', async () => {
    const { kms: provider, where, keyring, store } = await bench()
    const signal = AbortSignal.abort(new Error('not now'))
    const calls = provider.calls.length
    const before = await ringRow(store)
    for (const verb of ['add', 'renew', 'refresh', 'receiptPublicKey'] as const) {
      expect(await failureOf(keyring[verb]({ signal }))).toMatchObject({ message: 'not now' })
    }
    expect(await failureOf(openKeyring({ ...where, signal }))).toMatchObject({ message: 'not now' })
    expect(await failureOf(createKeyring({ ...where, realm: 'new', signal }))).toMatchObject({
      message: 'not now',
    })
    expect(provider.calls.length).toBe(calls)
    expect(await ringRow(store)).toEqual(before)
  })
})

describe('what it shows', () => {
  test('prints no secret', async () => {
    const { keyring } = await bench()
    const keys = await ringAccess(keyring).loadRealmKeys(1)
    for (const text of [inspect(keys), String(keys), inspect(keyring), `${keyring}`]) {
      expect(text).not.toContain(toHex(keys.custody))
      expect(text.length).toBeLessThan(200)
    }
    expect(() => JSON.stringify(keys)).toThrow(input)
  })

  test('using ends a keyring and realm keys', async () => {
    const { where, keyring } = await bench()
    {
      using other = await openKeyring(where)
      expect(other.primary).toBe(1)
      using keys = new RealmKeys(REALM, 1, new Uint8Array(32))
      expect(keys.version).toBe(1)
    }
    expect(keyring.primary).toBe(1)
  })

  test('epochs with their instants', async () => {
    vi.useFakeTimers({ now: 1_800_000_000_000 })
    const { keyring } = await bench()
    vi.setSystemTime(1_800_000_001_000)
    await keyring.add()
    vi.setSystemTime(1_800_000_002_000)
    await keyring.disable(2)
    expect(keyring.epochs).toEqual([
      { epoch: 1, status: 'primary', createdAt: 1_800_000_000_000, changedAt: 1_800_000_000_000 },
      { epoch: 2, status: 'disabled', createdAt: 1_800_000_001_000, changedAt: 1_800_000_002_000 },
    ])
    vi.setSystemTime(1_800_000_003_000)
    await keyring.enable(2)
    expect(keyring.epochs[1]).toMatchObject({ status: 'enabled', changedAt: 1_800_000_003_000 })
  })

  test('the key that verifies receipts, of any version', async () => {
    const { keyring } = await bench()
    const first = await keyring.receiptPublicKey()
    const keys = await ringAccess(keyring).loadRealmKeys(1)
    expect(first).toEqual(ed25519PublicKey(keys.receipt))
    await keyring.renew()
    expect(await keyring.receiptPublicKey()).not.toEqual(first)
    expect(await keyring.receiptPublicKey({ version: 1 })).toEqual(first)
    expect(await failureOf(keyring.receiptPublicKey({ version: 3 }))).toMatchObject({
      code: 'ERR_KEYS_UNKNOWN_VERSION',
    })
    expect(() => ringAccess(keyring).realmKeys(0)).toThrow(
      expect.objectContaining({ code: 'ERR_KEYS_UNKNOWN_VERSION' }),
    )
  })

  test('a provider that cannot destroy confirms nothing', async () => {
    const kms = new FakeKms()
    const { keyring } = await bench({ provider: withoutDestroy(kms) })
    const access = ringAccess(keyring)
    expect(access.canDestroy).toBe(false)
    await bringTo(keyring, 'destroyed')
    expect(keyring.epochs[1]).toMatchObject({ status: 'destroyed', changedAt: undefined })
    expect(access.destroyedAt(2)).toBeUndefined()
    expect(access.destroyedAt(1)).toBeUndefined()
    expect(access.destroyedAt(3)).toBeUndefined()
    expect(ringAccess((await bench()).keyring).canDestroy).toBe(true)
  })
})

describe('races', () => {
  test('of two creations one wins', async () => {
    const where = { realm: REALM, provider: new FakeKms(), store: memoryStore() }
    const results = await Promise.allSettled([createKeyring(where), createKeyring(where)])
    const [lost] = results.filter((result) => result.status === 'rejected')
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1)
    expect(lost?.reason).toMatchObject({ code: 'ERR_KEYS_EXISTS' })
    expect((await openKeyring(where)).primary).toBe(1)
  })

  test('two processes that renew at once get two versions, each readable by both', async () => {
    const { where, keyring } = await bench()
    const other = await openKeyring(where)
    const versions = await Promise.all([keyring.renew(), other.renew()])
    expect(new Set(versions)).toEqual(new Set([2, 3]))
    for (const version of [1, 2, 3]) {
      const [ours, theirs] = await Promise.all(
        [keyring, other].map(async (ring) => {
          await ring.refresh()
          return toHex((await ringAccess(ring).loadRealmKeys(version)).custody)
        }),
      )
      expect(ours).toBe(theirs)
    }
  })

  test('two processes that destroy the same epoch at once are both done', async () => {
    const { where, keyring } = await bench()
    await bringTo(keyring, 'disabled')
    const other = await openKeyring(where)
    await Promise.all([keyring.destroy(2), other.destroy(2)])
    expect(keyring.epochs[1]).toMatchObject({ status: 'destroyed' })
    expect(await failureOf(other.destroy(2))).toMatchObject({ code: 'ERR_KEYS_TRANSITION' })
  })

  test('an epoch enabled while it is destroyed in the provider stays in the ring as it is', async () => {
    const { kms, where, keyring, store } = await bench()
    await bringTo(keyring, 'disabled')
    const other = await openKeyring(where)
    kms.before = async (call) => {
      if (call !== 'destroy') return
      kms.before = () => undefined
      await other.enable(2)
    }
    expect(await failureOf(keyring.destroy(2))).toMatchObject({ code: 'ERR_KEYS_TRANSITION' })
    expect((await ringRow(store)).version).toBe(ringAccess(keyring).row().version)
  })

  test('endless conflicts end as a retryable error', async () => {
    const { where, store } = await bench()
    let commits = 0
    const contested = passOn(store, {
      commit: async () => {
        commits++
        throw new StoreError('ERR_STORE_CONFLICT', 'somebody was first')
      },
    })
    const keyring = await openKeyring({ ...where, store: contested })
    expect(await failureOf(keyring.add())).toMatchObject({ code: 'ERR_KEYS_CONFLICT', retryable: true })
    expect(commits).toBe(8)
  })

  test('an outcome that cannot be known is passed on, and what happened is seen afterwards', async () => {
    const { where, store } = await bench()
    const cut = passOn(store, {
      commit: async (steps) => {
        await store.commit(steps)
        throw new StoreError('ERR_STORE_INDETERMINATE', 'the line was cut')
      },
    })
    const keyring = await openKeyring({ ...where, store: cut })
    expect(await failureOf(keyring.renew())).toMatchObject({ code: 'ERR_STORE_INDETERMINATE' })
    await keyring.refresh()
    expect(keyring.version).toBe(2)
    expect(await failureOf(createKeyring({ ...where, realm: 'other', store: cut }))).toMatchObject({
      code: 'ERR_STORE_INDETERMINATE',
    })
  })

  test('a read that answers after a later one changes nothing', async () => {
    const { where, store, keyring } = await bench()
    const slow = gate()
    let reads = 0
    const delayed = passOn(store, {
      get: async (...args) => {
        const row = await store.get(...args)
        if (++reads === 2) await slow.opened
        return row
      },
    })
    const other = await openKeyring({ ...where, store: delayed })
    await keyring.add()
    const late = ringAccess(other).refresh()
    await keyring.promote(2)
    await ringAccess(other).refresh()
    expect(other.primary).toBe(2)
    slow.open()
    await late
    expect(other.primary).toBe(2)
  })

  test('a read that shows an older state than was seen is not a restored backup', async () => {
    const { where, store, keyring } = await bench()
    let stale: StoredRow | undefined
    const lagging = passOn(store, { get: async (...args) => stale ?? (await store.get(...args)) })
    const other = await openKeyring({ ...where, store: lagging })
    const old = await store.get('keyrings', ringAccess(keyring).row().key)
    await keyring.add()
    await other.refresh()
    stale = old
    await other.refresh()
    expect(other.epochs).toHaveLength(2)
    const broken = passOn(store, {
      get: lagging.get.bind(lagging),
      commit: () => Promise.reject(new StoreError('ERR_STORE_BUSY', 'later')),
    })
    stale = undefined
    const third = await openKeyring({ ...where, store: broken })
    stale = old
    expect(await failureOf(third.refresh())).toMatchObject({ code: 'ERR_STORE_BUSY' })
  })

  test('a change that is closed over is refused', async () => {
    const { where, store } = await bench()
    const closing = passOn(store, {
      commit: async (steps) => {
        const versions = await store.commit(steps)
        keyring.close()
        return versions
      },
    })
    const keyring = await openKeyring({ ...where, store: closing })
    expect(await failureOf(keyring.renew())).toMatchObject({ code: 'ERR_KEYS_DISPOSED' })
    expect((await openKeyring(where)).version).toBe(2)
    const silent = passOn(store, {
      get: async (...args) => {
        const row = await store.get(...args)
        reader?.close()
        return row
      },
    })
    let reader: Awaited<ReturnType<typeof openKeyring>> | undefined
    reader = await openKeyring({ ...where, store: silent })
    expect(await failureOf(reader.refresh())).toMatchObject({ code: 'ERR_KEYS_DISPOSED' })
  })

  test('a store that gives no version is read again', async () => {
    const { where, store } = await bench()
    const mute = passOn(store, {
      commit: async (steps) => {
        await store.commit(steps)
        return []
      },
    })
    const keyring = await openKeyring({ ...where, store: mute })
    await keyring.add()
    expect(await keyring.add()).toBe(3)
  })
})

test('a ring planted by somebody with no key does not reach the cache', async () => {
  const { keyring, store, kms } = await bench()
  await keyring.add()
  const foreign = await bench({ provider: kms })
  await foreign.keyring.renew()
  await plantRing(store, (await ringRow(foreign.store)).bytes)
  expect(await failureOf(keyring.refresh())).toMatchObject({ code: 'ERR_KEYS_RING' })
  expect(await failureOf(keyring.renew())).toMatchObject({ code: 'ERR_KEYS_RING' })
})
