import { createKeyring, type Keyring, openKeyring } from 'guise'
import { destroyFormerKeys, migrateKeyring } from 'guise/node'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { decodeEntry } from '../../src/audit/entry.ts'
import { ENTRY_AT } from '../../src/audit/queue.ts'
import { toHex } from '../../src/base/bytes.ts'
import { decodeCbor } from '../../src/base/cbor.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { ringAccess } from '../../src/keys/keyring.ts'
import { epochContext, realmContext } from '../../src/keys/provider.ts'
import { memoryStore } from '../../src/store/memory.ts'
import type { Store } from '../../src/store/store.ts'
import { rowsOf } from '../support/rows.ts'
import {
  FakeKms,
  failureOf,
  passOn,
  plantRing,
  preparedOf,
  REALM,
  ringRow,
  withoutDestroy,
} from '../unit/keys-support.ts'

beforeAll(cryptoReady)

const PAST_MS = 1_700_000_000_000

interface Move {
  readonly old: FakeKms
  readonly hsm: FakeKms
  readonly store: Store
  readonly keyring: Keyring
  readonly open: () => Promise<Keyring>
}

/** A ring under `old` with three epochs, one of them destroyed, and two versions; `hsm` is at hand. */
async function move(): Promise<Move> {
  const [old, hsm, store] = [new FakeKms('old'), new FakeKms('hsm'), memoryStore()]
  // Instants that have passed.
  for (const one of [old, hsm]) one.nowMs = PAST_MS
  const where = { realm: REALM, provider: old, otherProviders: [hsm], store }
  const keyring = await createKeyring(where)
  await keyring.add()
  await keyring.add()
  await keyring.disable(2)
  await keyring.destroy(2)
  await keyring.renew()
  return { old, hsm, store, keyring, open: () => openKeyring(where) }
}

function body(bytes: Uint8Array): readonly unknown[] {
  const decoded = decodeCbor(bytes.subarray(0, -32), 1_000_000, () => new Error('malformed'))
  return decoded as readonly unknown[]
}

describe('migration', () => {
  test('KEYS-24 every epoch key and realm secret is the same under the new provider, and one row changes', async () => {
    const { hsm, store, keyring, open } = await move()
    const before = await ringRow(store)
    const keys = [await preparedOf(keyring, 1), await preparedOf(keyring, 3)]
    const receipts = [1, 2].map((version) => keyring.receiptPublicKey({ version }))
    await migrateKeyring(keyring, 'hsm')
    expect(keyring.provider).toBe('hsm')
    expect(keyring.formerProviders).toEqual(['old'])
    const fresh = await open()
    expect(fresh.provider).toBe('hsm')
    expect([await preparedOf(fresh, 1), await preparedOf(fresh, 3)]).toEqual(keys)
    for (const [index, key] of receipts.entries()) {
      expect(await fresh.receiptPublicKey({ version: index + 1 })).toEqual(await key)
    }
    expect(fresh.epochs.map(({ status }) => status)).toEqual(['primary', 'destroyed', 'enabled'])
    const [was, is] = [body(before.bytes), body((await ringRow(store)).bytes)]
    expect(is[3]).toBe((was[3] as number) + 1)
    // Destroyed ones stay as they are, and are not wrapped anew.
    expect((is[7] as unknown[])[1]).toEqual((was[7] as unknown[])[1])
    expect(hsm.calls.filter(({ context }) => context === toHex(epochContext(REALM, 2)))).toEqual([])
  })

  test('KEYS-24 every process that has both at hand goes on without a restart; one that has not is told', async () => {
    const { old, store, keyring, open } = await move()
    const other = await open()
    const blind = await openKeyring({ realm: REALM, provider: old, store })
    await migrateKeyring(keyring, 'hsm')
    await other.add()
    expect(other.provider).toBe('hsm')
    expect(other.epochs).toHaveLength(4)
    expect(await preparedOf(other, 4)).toHaveLength(416)
    expect(await failureOf(blind.refresh())).toMatchObject({ code: 'ERR_KEYS_RING' })
  })

  test('KEYS-24 a cut at any call of a provider or the store leaves the ring as it was, or moved whole', async () => {
    let calls = 0
    const count = await move()
    const counting = passOn(count.store, {})
    const tick = (): void => {
      calls++
    }
    count.old.before = tick
    count.hsm.before = tick
    await migrateKeyring(
      await openKeyring({ realm: REALM, provider: count.old, otherProviders: [count.hsm], store: counting }),
      'hsm',
    )
    expect(calls).toBeGreaterThan(12)
    for (let cut = 1; cut <= calls; cut++) {
      const { old, hsm, store, open } = await move()
      const before = await ringRow(store)
      let at = 0
      const fail = (): void => {
        if (++at === cut) throw new Error('the process died')
      }
      old.before = fail
      hsm.before = fail
      const first = openKeyring({ realm: REALM, provider: old, otherProviders: [hsm], store })
      await failureOf(first.then((keyring) => migrateKeyring(keyring, 'hsm')))
      expect(await ringRow(store)).toEqual(before)
      old.before = () => undefined
      hsm.before = () => undefined
      const keyring = await open()
      await migrateKeyring(keyring, 'hsm')
      expect(keyring.provider).toBe('hsm')
      expect(await preparedOf(keyring, 3)).toHaveLength(416)
    }
  })

  test('KEYS-24 the loser of a race with another change begins anew, and two migrations are one', async () => {
    const { store, keyring, hsm, open } = await move()
    const other = await open()
    let raced = false
    hsm.before = async (call) => {
      if (call !== 'wrap' || raced) return
      raced = true
      await other.add()
    }
    await migrateKeyring(keyring, 'hsm')
    expect(keyring.epochs).toHaveLength(4)
    expect(await preparedOf(keyring, 4)).toHaveLength(416)
    const row = await ringRow(store)
    await migrateKeyring(other, 'hsm')
    expect(await ringRow(store)).toEqual(row)
  })

  test('KEYS-24 a provider that gives back something else takes over nothing', async () => {
    const { hsm, store, keyring } = await move()
    const before = await ringRow(store)
    hsm.answer = (call, value) => (call === 'unwrap' ? new Uint8Array(32) : value)
    expect(await failureOf(migrateKeyring(keyring, 'hsm'))).toMatchObject({ code: 'ERR_KEYS_PROVIDER' })
    expect(await ringRow(store)).toEqual(before)
  })

  test('KEYS-23 a ring without former providers has the bytes it always had; one with them is another format', async () => {
    const { store, keyring } = await move()
    const before = body((await ringRow(store)).bytes)
    expect([before[0], before.length]).toEqual([1, 9])
    await migrateKeyring(keyring, 'hsm')
    const moved = body((await ringRow(store)).bytes)
    expect([moved[0], moved.length, moved[4]]).toEqual([2, 10, 'hsm'])
    const [[provider, epochs, versions, proof]] = moved[9] as [[string, number[], number[], Uint8Array]]
    expect([provider, epochs, versions]).toEqual(['old', [1, 3], [1, 2]])
    expect(proof).toEqual((before[8] as [number, number, Uint8Array][])[1]?.[2])
    await destroyFormerKeys(keyring, 'old')
    const after = body((await ringRow(store)).bytes)
    expect([after[0], after.length]).toEqual([1, 9])
    expect(keyring.formerProviders).toEqual([])
  })
})

describe('the keys of a former provider', () => {
  test('KEYS-25 are destroyed on demand only, all of them, and nothing opens under it any more', async () => {
    const { old, store, keyring, open } = await move()
    const backup = await ringRow(store)
    await migrateKeyring(keyring, 'hsm')
    expect(old.count('destroy')).toBe(1)
    old.nowMs += 77
    expect(await destroyFormerKeys(keyring, 'old')).toEqual({ confirmedAt: old.nowMs })
    const contexts = [
      epochContext(REALM, 1),
      epochContext(REALM, 3),
      realmContext(REALM, 1),
      realmContext(REALM, 2),
    ]
    for (const context of contexts) expect(old.destroyed.has(toHex(context))).toBe(true)
    await (await open()).add()
    await plantRing(store, backup.bytes)
    expect(await failureOf(open())).toMatchObject({ code: 'ERR_KEYS_PROVIDER' })
  })

  test('KEYS-25 an epoch that is destroyed meanwhile is gone for good once it is gone from both', async () => {
    const { old, hsm, keyring } = await move()
    await migrateKeyring(keyring, 'hsm')
    await keyring.disable(3)
    hsm.nowMs = 1_700_000_100_000
    await keyring.destroy(3)
    const access = ringAccess(keyring)
    expect(keyring.epochs[2]).toMatchObject({ status: 'destroyed', changedAt: undefined })
    expect(access.destroyedAt(3)).toBeUndefined()
    // One that the old provider had destroyed is not held there.
    expect(access.destroyedAt(2)).toBe(1_700_000_000_000)
    old.nowMs = 1_700_000_200_000
    await destroyFormerKeys(keyring, 'old')
    expect(access.destroyedAt(3)).toBe(1_700_000_200_000)
    expect(keyring.epochs[2]?.changedAt).toBe(1_700_000_200_000)
  })

  test('KEYS-25 a former provider that waits before it destroys is named until then', async () => {
    const { old, keyring } = await move()
    await migrateKeyring(keyring, 'hsm')
    old.nowMs = Date.now() + 30 * 86_400_000
    expect(await destroyFormerKeys(keyring, 'old')).toEqual({ confirmedAt: old.nowMs })
    expect(keyring.formerProviders).toEqual(['old'])
    await keyring.disable(3)
    await keyring.destroy(3)
    expect(ringAccess(keyring).destroyedAt(3)).toBeUndefined()
    vi.useFakeTimers({ now: old.nowMs + 1, toFake: ['Date'] })
    await destroyFormerKeys(keyring, 'old').finally(() => vi.useRealTimers())
    expect(keyring.formerProviders).toEqual([])
    expect(ringAccess(keyring).destroyedAt(3)).toBe(old.nowMs)
  })

  test('KEYS-25 a former provider in another place proves nothing, and destroys nothing', async () => {
    const { hsm, store, keyring } = await move()
    await migrateKeyring(keyring, 'hsm')
    const elsewhere = new FakeKms('old')
    const wrong = await openKeyring({ realm: REALM, provider: hsm, otherProviders: [elsewhere], store })
    const before = await ringRow(store)
    expect(await failureOf(destroyFormerKeys(wrong, 'old'))).toMatchObject({ code: 'ERR_KEYS_PROVIDER' })
    elsewhere.unwrap = async () => new Uint8Array(32).fill(9)
    expect(await failureOf(destroyFormerKeys(wrong, 'old'))).toMatchObject({ code: 'ERR_KEYS_RING' })
    expect(elsewhere.count('destroy')).toBe(0)
    expect(await ringRow(store)).toEqual(before)
  })

  test('KEYS-25 a cut at any call is finished by the next one', async () => {
    const steps = 5
    for (let cut = 1; cut <= steps; cut++) {
      const { old, hsm, store, keyring, open } = await move()
      await migrateKeyring(keyring, 'hsm')
      let commits = 0
      const failing = passOn(store, {
        commit: async (...args) => {
          if (cut === steps && ++commits === 2) throw new Error('the process died')
          return await store.commit(...args)
        },
      })
      let asked = 0
      old.before = (call) => {
        if (call === 'destroy' && ++asked === cut) throw new Error('the process died')
      }
      const first = await openKeyring({ realm: REALM, provider: hsm, otherProviders: [old], store: failing })
      await failureOf(destroyFormerKeys(first, 'old'))
      old.before = () => undefined
      const second = await open()
      expect(second.formerProviders).toEqual(['old'])
      expect(await failureOf(migrateKeyring(second, 'old'))).toMatchObject({ code: 'ERR_KEYS_TRANSITION' })
      await destroyFormerKeys(second, 'old')
      expect(second.formerProviders).toEqual([])
      expect(old.destroyed.size).toBe(5)
    }
  })

  test('KEYS-25 who cannot destroy is refused, and no erasure is called irrecoverable while it is named', async () => {
    const { old, hsm, store, keyring } = await move()
    await migrateKeyring(keyring, 'hsm')
    const other = await openKeyring({
      realm: REALM,
      provider: hsm,
      otherProviders: [withoutDestroy(old)],
      store,
    })
    expect(await failureOf(destroyFormerKeys(other, 'old'))).toMatchObject({ code: 'ERR_KEYS_INPUT' })
    expect(ringAccess(other).canDestroy).toBe(false)
    expect(ringAccess(keyring).canDestroy).toBe(true)
  })
})

describe('the table of providers:', () => {
  type State = 'current' | 'former' | 'held' | 'ending' | 'unnamed'
  /** Brings provider `old` into a state of the ring. */
  async function bring(state: State): Promise<Move> {
    const made = await move()
    if (state === 'current') return made
    await migrateKeyring(made.keyring, 'hsm')
    if (state === 'held') {
      await made.keyring.disable(3)
      await made.keyring.destroy(3)
    }
    if (state === 'ending') {
      made.old.before = (call) => {
        if (call === 'destroy') throw new Error('down')
      }
      await failureOf(destroyFormerKeys(made.keyring, 'old'))
      made.old.before = () => undefined
    }
    if (state === 'unnamed') await destroyFormerKeys(made.keyring, 'old')
    return made
  }
  const table = [
    ['current', 'migrate', 'nothing'],
    ['current', 'destroy', 'refused'],
    ['former', 'migrate', 'old'],
    ['former', 'destroy', 'hsm'],
    ['held', 'migrate', 'refused'],
    ['held', 'destroy', 'hsm'],
    ['ending', 'migrate', 'refused'],
    ['ending', 'destroy', 'hsm'],
    ['unnamed', 'destroy', 'refused'],
  ] as const
  for (const [state, verb, result] of table) {
    test(`KEYS-26 ${verb} on ${state}: ${result}`, async () => {
      const { keyring, store } = await bring(state)
      const before = await ringRow(store)
      const act = (): Promise<unknown> =>
        verb === 'migrate' ? migrateKeyring(keyring, 'old') : destroyFormerKeys(keyring, 'old')
      if (result === 'refused') {
        expect(await failureOf(act())).toMatchObject({ code: 'ERR_KEYS_TRANSITION', retryable: false })
      } else {
        await act()
      }
      if (result === 'refused' || result === 'nothing') {
        expect(await ringRow(store)).toEqual(before)
        return
      }
      expect(keyring.provider).toBe(result)
      expect(keyring.formerProviders).toEqual(result === 'old' ? ['hsm'] : [])
    })
  }

  test('KEYS-26 migrate on unnamed: third', async () => {
    const { hsm, store } = await bring('unnamed')
    const wide = await openKeyring({
      realm: REALM,
      provider: hsm,
      otherProviders: [new FakeKms('third')],
      store,
    })
    await migrateKeyring(wide, 'third')
    expect(wide.provider).toBe('third')
    expect(wide.formerProviders).toEqual(['hsm'])
  })

  test('providers that are no list, or have the same id, are refused', async () => {
    const { hsm, store } = await bring('former')
    const where = { realm: REALM, provider: hsm, store }
    for (const otherProviders of [hsm, [hsm], [new FakeKms('hsm')], [{ id: 'x' }], [null]]) {
      const opened = openKeyring({ ...where, otherProviders: otherProviders as unknown as FakeKms[] })
      expect(await failureOf(opened)).toMatchObject({ code: 'ERR_KEYS_INPUT' })
    }
  })

  test('a seventeenth former provider is one too many', async () => {
    const store = memoryStore()
    const providers = Array.from({ length: 18 }, (_, i) => new FakeKms(`kms-${i}`))
    const [provider, ...otherProviders] = providers
    const keyring = await createKeyring({ realm: REALM, provider: provider!, otherProviders, store })
    for (let at = 1; at <= 16; at++) await migrateKeyring(keyring, `kms-${at}`)
    expect(keyring.formerProviders).toHaveLength(16)
    expect(await failureOf(migrateKeyring(keyring, 'kms-17'))).toMatchObject({ code: 'ERR_KEYS_FULL' })
    expect(keyring.provider).toBe('kms-16')
  })

  test('a provider that is not at hand is an input that is wrong', async () => {
    const { keyring } = await bring('former')
    for (const call of [migrateKeyring(keyring, 'nobody'), destroyFormerKeys(keyring, 'nobody')]) {
      expect(await failureOf(call)).toMatchObject({ code: 'ERR_KEYS_INPUT' })
    }
  })
})

test('KEYS-27 a provider that looks in the wrong place confirms no destruction', async () => {
  const { old, hsm, store, keyring } = await move()
  const elsewhere = new FakeKms('hsm')
  const wrong = await openKeyring({ realm: REALM, provider: old, otherProviders: [elsewhere], store })
  await migrateKeyring(keyring, 'hsm')
  await keyring.disable(3)
  await wrong.refresh()
  expect(wrong.provider).toBe('hsm')
  expect(await failureOf(wrong.destroy(3))).toMatchObject({ code: 'ERR_KEYS_PROVIDER' })
  expect(elsewhere.count('destroy')).toBe(0)
  await keyring.destroy(3)
  expect(hsm.count('destroy')).toBe(1)
})

test('KEYS-24 the log tells of the migration and of each step of the destruction, refused ones too', async () => {
  const { keyring, store } = await move()
  await migrateKeyring(keyring, 'hsm', { actor: 'ann' })
  await destroyFormerKeys(keyring, 'old', { actor: 'bob' })
  await failureOf(destroyFormerKeys(keyring, 'old', { actor: 'eve' }))
  // Of epoch none: the keys of all of them.
  const entries = (await rowsOf(store, 'queue')).map(({ bytes }) =>
    decodeEntry(bytes.subarray(ENTRY_AT, -32)),
  )
  expect(entries.slice(-4).map(({ actor, action, outcome }) => `${actor} ${action} ${outcome}`)).toEqual([
    'ann key-migrate done',
    'bob key-destroy done',
    'bob key-destroy done',
    'eve key-destroy refused',
  ])
})
