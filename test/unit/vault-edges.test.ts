/** Corners of the verbs: bulk calls, health, small caches, damaged neighbours, calls out of order (SPEC §11). @module */
import {
  createKeyring,
  type EnrollRequest,
  expectMatch,
  memoryStore,
  openKeyring,
  StoreError,
  secondFactorConfirmed,
  type Table,
  VaultError,
} from 'guise'
import { holderShare } from 'guise/holder'
import { describe, expect, test } from 'vitest'
import { effectiveState } from '../../src/policy/states.ts'
import { hookedStore, overwrite, remove, rowsOf, typedCode } from '../support/rows.ts'
import { basis, memoryProvider, point, sample, testVault } from '../support/vault.ts'

const ANNA = { subject: 'anna', basis: basis() }

async function collect<Item>(items: AsyncIterable<Item>): Promise<readonly Item[]> {
  const all: Item[] = []
  for await (const item of items) all.push(item)
  return all
}

const requests = (many: number): EnrollRequest[] =>
  Array.from({ length: many }, (_, i) => ({ subject: `p${i % (many - 1)}`, basis: basis(), ...sample(i) }))

describe('enrollMany', () => {
  test('gives one result for each, typed errors among them, from any source', async () => {
    const { vault } = await testVault({ maxInFlight: 8 })
    const results = await collect(vault.enrollMany(requests(30)))
    expect(results).toHaveLength(30)
    expect(results.filter((result) => !result.ok)).toMatchObject([{ error: { code: 'ERR_VAULT_ENROLLED' } }])
    expect([...results].map((result) => result.index).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 30 }, (_, i) => i),
    )
    async function* source(): AsyncGenerator<EnrollRequest> {
      yield { subject: 'late', basis: basis(), ...sample(99) }
    }
    expect(await collect(vault.enrollMany(source()))).toMatchObject([{ ok: true, index: 0 }])
  })

  test('stops with its consumer, its signal or its source, and leaves nothing under way', async () => {
    const { vault, store } = await testVault()
    for await (const result of vault.enrollMany(requests(100))) {
      expect(result.ok).toBe(true)
      break
    }
    expect((await vault.health()).inFlight).toBe(0)
    const enrolled = (await rowsOf(store, 'states')).length
    expect(enrolled).toBeLessThanOrEqual(64)
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(collect(vault.enrollMany(requests(3), { signal }))).rejects.toThrow('enough')
    function* broken(): Generator<EnrollRequest> {
      yield { subject: 'one', basis: basis(), ...sample(1) }
      throw new RangeError('no more')
    }
    await expect(collect(vault.enrollMany(broken()))).rejects.toThrow('no more')
    expect((await vault.describe('one'))?.state).toBe('active')
    const controller = new AbortController()
    const late = async (): Promise<unknown> => {
      const items = vault.enrollMany(requests(3), { signal: controller.signal })
      controller.abort(new Error('later'))
      return collect(items)
    }
    await expect(late()).rejects.toThrow('later')
  })
})

test('expectMatch gives a match and throws anything else', async () => {
  const { vault } = await testVault()
  await vault.enroll({ ...ANNA, ...sample(1) })
  expect(expectMatch(await vault.verify({ subject: 'anna', ...sample(1, 1) })).exposed).toBe(false)
  const nonmatch = await vault.verify({ subject: 'anna', ...sample(2, 1) })
  expect(() => expectMatch(nonmatch)).toThrow(VaultError)
})

test('a vault says where it belongs, and what works', async () => {
  const store = hookedStore(memoryStore())
  const { vault, keyring } = await testVault({ store, secrets: memoryStore() })
  expect([vault.realm, (vault as { toString: () => string }).toString(), vault.rollbackProtection]).toEqual([
    'clinic',
    '[Vault]',
    false,
  ])
  expect(await vault.health()).toEqual({
    ok: true,
    store: true,
    keyring: true,
    inFlight: 0,
    unfinished: 0,
    log: true,
    queued: 0,
    unanchored: 1,
    people: [],
  })
  store.fault = {
    before: (call) => {
      if (call.name === 'commit') throw new StoreError('ERR_STORE_FAILED', 'made by a test')
    },
  }
  expect(await vault.health()).toMatchObject({ ok: false, store: false, keyring: true })
  store.fault = {
    before: () => {
      throw new RangeError('no store error')
    },
  }
  await expect(vault.health()).rejects.toThrow('no store error')
  store.fault = {}
  keyring.close()
  expect(await vault.health()).toMatchObject({ ok: false, keyring: false })
  await vault[Symbol.asyncDispose]()
})

describe('keys', () => {
  test('a cache too small for the versions of a realm is said, not waited for', async () => {
    const store = memoryStore()
    const provider = memoryProvider()
    const keyring = await createKeyring({ realm: 'clinic', provider, store, cache: { maxSecrets: 4 } })
    const { open } = await testVault({ realm: 'unused', store: memoryStore() })
    const vault = await open({ keyring, store })
    await vault.enroll({ ...ANNA, ...sample(1) })
    expect(await typedCode(keyring.renew())).toBe('ERR_KEYS_FULL')
    // Another process has a larger cache.
    const other = await openKeyring({ realm: 'clinic', provider, store })
    for (let version = 2; version <= 3; version++) await other.renew()
    expect((await vault.verify({ subject: 'anna', ...sample(1, 1) })).outcome).toBe('match')
    await other.renew()
    expect(await typedCode(vault.verify({ subject: 'anna', ...sample(1, 1) }))).toBe('ERR_KEYS_DISPOSED')
    expect(await typedCode(open({ keyring, store }))).toBe('ERR_KEYS_DISPOSED')
  })

  test('rows of an older version are read, and rewritten under the newest', async () => {
    const { vault, keyring, store } = await testVault()
    await vault.enroll({ ...ANNA, ...sample(1) })
    await keyring.renew()
    expect(await typedCode(vault.enroll({ ...ANNA, ...sample(1) }))).toBe('ERR_VAULT_ENROLLED')
    expect((await vault.verify({ subject: 'anna', ...sample(1, 1) })).outcome).toBe('match')
    await vault.suspend('anna')
    await vault.resume('anna')
    await vault.erase('anna')
    expect(await rowsOf(store, 'index')).toEqual([])
  })

  test('an enrolment that looked under fewer versions than there are begins anew', async () => {
    const store = hookedStore(memoryStore())
    const { vault, keyring, open } = await testVault({ store })
    const other = await open()
    store.fault = {
      before: async (call) => {
        if (call.name !== 'commit') return
        store.fault = {}
        await keyring.renew()
        await other.enroll({ ...ANNA, ...sample(1) })
        await vault.describe('nobody')
      },
    }
    expect(await typedCode(vault.enroll({ ...ANNA, ...sample(1) }))).toBe('ERR_VAULT_ENROLLED')
    expect(await rowsOf(store, 'states')).toHaveLength(1)
  })
})

describe('rows that are gone or damaged', () => {
  test('a mapping without a state is typed, and an enrolment is refused', async () => {
    const { vault, store } = await testVault()
    await vault.enroll({ ...ANNA, ...sample(1) })
    const [state] = await rowsOf(store, 'states')
    await remove(store, 'states', state?.key ?? new Uint8Array(1))
    expect(await typedCode(vault.suspend('anna'))).toBe('ERR_RECORD_MISSING')
    expect(await typedCode(vault.describe('anna'))).toBe('ERR_RECORD_MISSING')
    expect(await typedCode(vault.enroll({ ...ANNA, ...sample(1) }, { operationId: 'x' }))).toBe(
      'ERR_VAULT_ENROLLED',
    )
  })

  test.each(['references', 'secrets', 'attempts'] as const)(
    '%s: revoke and erase work all the same',
    async (table) => {
      for (const damage of ['gone', 'short', 'bit'] as const) {
        for (const verb of ['revoke', 'reissue', 'erase'] as const) {
          const { vault, store } = await testVault()
          await vault.enroll({ ...ANNA, ...sample(1) })
          await spoil(store, table, damage)
          if (verb === 'revoke') await vault.revoke('anna', 'breach')
          else if (verb === 'reissue') await vault.reissue({ ...ANNA, ...sample(1, 1) })
          else await vault.erase('anna')
          const left = verb === 'reissue' ? 1 : 0
          for (const kind of ['references', 'secrets'] as const)
            expect(await rowsOf(store, kind)).toHaveLength(left)
          if (verb === 'reissue')
            expect(await vault.verify({ subject: 'anna', ...sample(1, 2) })).toMatchObject({
              outcome: 'match',
            })
        }
      }
    },
  )

  async function spoil(
    store: Awaited<ReturnType<typeof testVault>>['store'],
    table: Table,
    damage: 'gone' | 'short' | 'bit',
  ): Promise<void> {
    const [row] = await rowsOf(store, table)
    if (row === undefined) throw new Error('no row')
    if (damage === 'gone') await remove(store, table, row.key)
    else if (damage === 'short') await overwrite(store, table, row.key, row.bytes.subarray(0, 9))
    else
      await overwrite(
        store,
        table,
        row.key,
        row.bytes.map((byte, i) => (i === row.bytes.length - 20 ? byte ^ 1 : byte)),
      )
  }

  test('a damaged wrap is one failed result of a rotation, and what stands beside it is moved', async () => {
    for (const secrets of [undefined, memoryStore()]) {
      const { vault, keyring, store } = await testVault(secrets === undefined ? {} : { secrets })
      for (const [i, subject] of ['a', 'b', 'c'].entries())
        await vault.enroll({ subject, basis: basis(), ...sample(i) })
      const [first] = await rowsOf(secrets ?? store, 'secrets')
      const altered = first?.bytes.map((byte, i) => (i === first.bytes.length - 1 ? byte ^ 1 : byte))
      await overwrite(
        secrets ?? store,
        'secrets',
        first?.key ?? new Uint8Array(1),
        altered ?? new Uint8Array(1),
      )
      await keyring.promote(await keyring.add())
      const results = await collect(vault.rotate())
      expect(results.filter((result) => result.ok)).toHaveLength(2)
      expect(results.filter((result) => !result.ok)).toMatchObject([{ error: { code: 'ERR_SEAL_OPEN' } }])
    }
  })

  test('a store that breaks its contract ends a rotation', async () => {
    const store = hookedStore(memoryStore())
    const { vault, keyring } = await testVault({ store })
    await vault.enroll({ ...ANNA, ...sample(1) })
    await keyring.promote(await keyring.add())
    store.fault = {
      before: (call) => {
        if (call.name === 'commit') throw new RangeError('no store error')
      },
    }
    await expect(collect(vault.rotate())).rejects.toThrow('no store error')
    const signal = AbortSignal.timeout(60_000)
    store.fault = {}
    expect(await collect(vault.rotate({ signal }))).toHaveLength(1)
  })
})

test('rebind and devices need a record that lives', async () => {
  const holder = {
    holderShare: async (context: Parameters<typeof holderShare>[1]) =>
      holderShare(new Uint8Array(32), context),
  }
  const { vault } = await testVault({ custody: { profile: 'holder' } })
  await vault.enroll({ ...ANNA, ...holder, ...sample(1) })
  const request = {
    subject: 'anna',
    ...holder,
    newShare: holder.holderShare,
    [secondFactorConfirmed]: true,
  } as const
  await vault.hold('anna')
  await vault.release('anna')
  await vault.revoke('anna', 'other')
  expect(await typedCode(vault.rebind('anna'))).toBe('ERR_VAULT_TRANSITION')
  expect(await typedCode(vault.addDevice(request))).toBe('ERR_VAULT_TRANSITION')
})

test('a wrap that is gone: no device is added, and a retried probe is refused as erased', async () => {
  const holder = {
    holderShare: async (context: Parameters<typeof holderShare>[1]) =>
      holderShare(new Uint8Array(32), context),
  }
  const { vault, store } = await testVault({ custody: { profile: 'holder' } })
  await vault.enroll({ ...ANNA, ...holder, ...sample(1) })
  const retried = { operationId: 'once' }
  const probe = { subject: 'anna', ...holder }
  expect((await vault.verify({ ...probe, ...sample(1, 1) }, retried)).outcome).toBe('match')
  const [wrap] = await rowsOf(store, 'secrets')
  await remove(store, 'secrets', wrap?.key ?? new Uint8Array(1))
  expect(await vault.verify({ ...probe, ...sample(1, 1) }, retried)).toMatchObject({ reason: 'erased' })
  const request = { ...probe, newShare: holder.holderShare, [secondFactorConfirmed]: true } as const
  expect(await typedCode(vault.addDevice(request))).toBe('ERR_VAULT_TRANSITION')
})

test('limits that contradict each other, and points whose hash is none', async () => {
  const { open } = await testVault()
  expect(await typedCode(open({ attempts: { consecutive: 60 } }))).toBe('ERR_POLICY_ATTEMPTS')
  expect(await typedCode(open({ attempts: { generation: 10 } }))).toBe('ERR_POLICY_ATTEMPTS')
  const wrong = { ...point(), meanHash: 'x'.repeat(64) }
  expect(await typedCode(open({ operatingPoints: [wrong] }))).toBe('ERR_POLICY_OPERATING_POINT')
  expect(effectiveState('active', null, 0)).toBe('active')
})
