/** Realms beside each other in the same stores, clocks of other machines, calls that end at odd times. @module */
import {
  createKeyring,
  memoryStore,
  type ShareSource,
  type Store,
  secondFactorConfirmed,
  type Vault,
} from 'guise'
import { holderShare } from 'guise/holder'
import { expect, test } from 'vitest'
import { testClock } from '../../src/vault/symbols.ts'
import { dump, hookedStore, rowsOf, typedCode } from '../support/rows.ts'
import { basis, manualClock, memoryProvider, sample, testVault } from '../support/vault.ts'

const ANNA = { subject: 'anna', basis: basis() }
const device: ShareSource = async (context) => holderShare(new Uint8Array(32), context)

async function refill(vault: Vault): Promise<void> {
  for (const [i, subject] of ['anna', 'ben'].entries()) {
    await vault.enroll({ subject, basis: basis(), ...sample(i) })
    await vault.verify({ subject, ...sample(9, i) })
  }
}

test('three realms in two stores: none reads, moves, counts or cleans what is another’s', async () => {
  const stores: readonly [Store, Store] = [memoryStore(), memoryStore()]
  const [store, secrets] = stores
  const provider = memoryProvider()
  const worlds = []
  // In byte order a realm comes before, between and after the others.
  for (const realm of ['a', 'b', 'c']) {
    const made = await testVault({ realm, store, secrets, provider })
    await refill(made.vault)
    await made.vault.close()
    worlds.push(made)
  }
  const [, middle] = worlds
  if (middle === undefined) throw new Error('no realm')
  const rest = async (): Promise<readonly string[]> => {
    const rows = [...(await dump(store)), ...(await dump(secrets))].map(([name, row]) => `${name} ${row}`)
    return rows.filter((row) => !/^\w+ 0162/.test(row))
  }
  const before = await rest()
  const vault = await middle.open()
  expect((await vault.health()).unfinished).toBe(0)
  await middle.keyring.promote(await middle.keyring.add())
  let moved = 0
  for await (const result of vault.rotate()) {
    expect(result.ok).toBe(true)
    moved++
  }
  expect(moved).toBe(2)
  expect((await vault.verify({ subject: 'anna', ...sample(0, 1) })).outcome).toBe('match')
  await vault.erase('anna', { operationId: 'x' })
  await vault.revoke('ben', 'other')
  await vault.close()
  expect(await rest()).toEqual(before)
})

test('a note of another machine is as old as the wall clock says', async () => {
  const secrets = hookedStore(memoryStore())
  const { vault, open } = await testVault({ secrets, clock: manualClock() })
  secrets.fault = {
    after: (call) => {
      if (call.name === 'commit') throw new RangeError('dead')
    },
  }
  await vault
    .enroll({ ...ANNA, ...sample(1) })
    .catch((error: unknown) => expect(error).toBeInstanceOf(RangeError))
  secrets.fault = {}
  const origin = new Uint8Array(16).fill(77)
  const at = (ms: number): ReturnType<typeof open> =>
    open({ [testClock]: { nowMs: () => Date.now() + ms, steady: () => ({ origin, ms: 0 }) } })
  expect((await (await at(-3_600_000)).health()).unfinished).toBe(1)
  expect((await (await at(0)).health()).unfinished).toBe(1)
  expect((await (await at(3_600_000)).health()).unfinished).toBe(0)
  expect(await rowsOf(secrets, 'secrets')).toEqual([])
})

test('a removal that is retried is done once', async () => {
  const { vault } = await testVault({ custody: { profile: 'holder' } })
  await vault.enroll({ ...ANNA, holderShare: device, ...sample(1) })
  const second: ShareSource = async (context) => holderShare(new Uint8Array(32).fill(2), context)
  const change = { subject: 'anna', holderShare: device, [secondFactorConfirmed]: true } as const
  const added = await vault.addDevice({ ...change, newShare: second })
  const once = { operationId: 'remove' }
  await vault.removeDevice({ ...change, device: added }, once)
  await vault.removeDevice({ ...change, device: added }, once)
  expect((await vault.describe('anna'))?.devices).toHaveLength(1)
})

test('a late answer that is no share harms nobody', async () => {
  const { vault } = await testVault({ custody: { profile: 'holder' } })
  await vault.enroll({ ...ANNA, holderShare: device, ...sample(1) })
  const controller = new AbortController()
  let answer: (share: never) => void = () => undefined
  const source: ShareSource = () =>
    new Promise<Uint8Array>((give) => {
      answer = give
      controller.abort(new Error('gone'))
    })
  const asking = vault.verify(
    { subject: 'anna', holderShare: source, ...sample(1, 1) },
    { signal: controller.signal },
  )
  await expect(asking).rejects.toThrow('gone')
  answer('nothing' as never)
  expect((await vault.verify({ subject: 'anna', holderShare: device, ...sample(1, 1) })).outcome).toBe(
    'match',
  )
})

test('a vault that is closed between two results ends its rotation, typed', async () => {
  const { vault, keyring } = await testVault()
  for (const [i, subject] of ['a', 'b'].entries())
    await vault.enroll({ subject, basis: basis(), ...sample(i) })
  await keyring.promote(await keyring.add())
  const results = vault.rotate()[Symbol.asyncIterator]()
  expect((await results.next()).done).toBe(false)
  // Nobody has to finish the iteration for the vault to close.
  await vault.close()
  expect(await typedCode(results.next())).toBe('ERR_VAULT_CLOSED')
})

test('an erasure under an epoch that may not be used any more, and a store that breaks its contract', async () => {
  const store = hookedStore(memoryStore())
  const { vault, keyring } = await testVault({ store })
  await vault.enroll({ ...ANNA, ...sample(1) })
  await keyring.promote(await keyring.add())
  await keyring.disable(1)
  expect(await typedCode(vault.verify({ subject: 'anna', ...sample(1, 1) }))).toBe('ERR_KEYS_DISABLED')
  const receipt = await vault.erase('anna')
  expect(Object.keys(receipt.irrecoverable)).toEqual(['by'])
  store.fault = {
    before: () => {
      throw new RangeError('no store error')
    },
  }
  const results = vault.enrollMany([{ ...ANNA, ...sample(1) }])[Symbol.asyncIterator]()
  await expect(results.next()).rejects.toThrow('no store error')
})

test('a keyring of one epoch and many versions opens every row', async () => {
  const store = memoryStore()
  const keyring = await createKeyring({ realm: 'clinic', provider: memoryProvider(), store })
  const { open } = await testVault({ realm: 'unused', store: memoryStore() })
  const vault = await open({ keyring, store })
  for (let i = 0; i < 5; i++) {
    await vault.enroll({ subject: `p${i}`, basis: basis(), ...sample(i) })
    await keyring.renew()
  }
  for (let i = 0; i < 5; i++) {
    expect((await vault.verify({ subject: `p${i}`, ...sample(i, 1) })).outcome).toBe('match')
  }
})

test.each(['rebind', 'addDevice', 'removeDevice'] as const)(
  '%s decides anew when the template is issued anew, or the record erased, between two of its reads',
  async (verb) => {
    const store = hookedStore(memoryStore())
    const holder = verb !== 'rebind'
    const share = holder ? { holderShare: device } : {}
    const { vault, open } = await testVault({
      store,
      custody: { profile: holder ? 'holder' : 'operator' },
    })
    const other = await open()
    await vault.enroll({ ...ANNA, ...share, ...sample(1) })
    const asked = { subject: 'anna', holderShare: device, [secondFactorConfirmed]: true } as const
    const newShare: ShareSource = async (context) => holderShare(new Uint8Array(32).fill(2), context)
    const known = holder ? ((await vault.describe('anna'))?.devices[0] ?? '') : ''
    const carryOut = async (): Promise<unknown> => {
      if (verb === 'rebind') return await vault.rebind('anna')
      if (verb === 'addDevice') return await vault.addDevice({ ...asked, newShare })
      return await vault.removeDevice({ ...asked, device: known })
    }
    const meanwhile = (task: () => Promise<unknown>): void => {
      store.fault = {
        async before({ name, table }) {
          if (name !== 'get' || table !== (holder ? 'secrets' : 'attempts')) return
          store.fault = {}
          await task()
        },
      }
    }
    meanwhile(() => other.reissue({ ...ANNA, ...share, ...sample(1) }))
    // The device of the former template went with it.
    const expected = verb === 'removeDevice' ? 'ERR_VAULT_DEVICE' : /^resolved/
    expect(await typedCode(carryOut())).toMatch(expected)
    if (verb === 'removeDevice') return
    meanwhile(() => other.erase('anna'))
    expect(await typedCode(carryOut())).toBe('ERR_VAULT_UNKNOWN_SUBJECT')
  },
)
