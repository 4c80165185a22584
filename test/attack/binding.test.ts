/** Genuine rows where they do not belong: other subjects, realms, generations, vaults, stores (SPEC RECORD-2, RECORD-3). @module */
import { createKeyring, memoryStore, type Store, type StoredRow, type Table, type Vault } from 'guise'
import { describe, expect, test } from 'vitest'
import { toHex } from '../../src/base/bytes.ts'
import { dump, overwrite, rowsOf, typedCode } from '../support/rows.ts'
import { REFUSED } from '../support/tamper.ts'
import { basis, faceOf, MODEL, memoryProvider, point, sample, testVault } from '../support/vault.ts'

const TABLES: readonly Table[] = ['references', 'secrets', 'states', 'attempts', 'index']
type Rows = ReadonlyMap<Table, StoredRow>

const enroll = (vault: Vault, subject: string, person: number): Promise<unknown> =>
  vault.enroll({ subject, basis: basis(), ...sample(person) })
const ask = (vault: Vault, subject: string, person: number): Promise<unknown> =>
  vault.verify({ subject, ...sample(person, 1) })

/** The rows that appeared since. */
async function rowsSince(store: Store, before: ReadonlySet<string> = new Set()): Promise<Rows> {
  const rows = new Map<Table, StoredRow>()
  for (const table of TABLES) {
    for (const row of await rowsOf(store, table)) if (!before.has(toHex(row.key))) rows.set(table, row)
  }
  return rows
}

async function keysOf(store: Store): Promise<ReadonlySet<string>> {
  const keys = new Set<string>()
  for (const table of TABLES) for (const row of await rowsOf(store, table)) keys.add(toHex(row.key))
  return keys
}

/** Puts every set of foreign rows, one to all of them, where the victim's lie; nobody may match as the victim. */
async function swapEverySet(victim: {
  readonly vault: Vault
  readonly store: Store
  readonly rows: Rows
  readonly foreign: Rows
  readonly intruder: number
}): Promise<void> {
  const { vault, store, rows, foreign } = victim
  for (let set = 1; set < 2 ** TABLES.length; set++) {
    const chosen = TABLES.filter((_, i) => (set >> i) % 2 === 1 && foreign.has(TABLES[i] as Table))
    if (chosen.length === 0) continue
    for (const table of chosen) {
      await overwrite(
        store,
        table,
        (rows.get(table) as StoredRow).key,
        (foreign.get(table) as StoredRow).bytes,
      )
    }
    const before = await dump(store)
    expect(await typedCode(ask(vault, 'anna', victim.intruder))).toMatch(REFUSED)
    expect(await dump(store)).toEqual(before)
    for (const table of chosen) {
      const { key, bytes } = rows.get(table) as StoredRow
      await overwrite(store, table, key, bytes)
    }
  }
  expect(await ask(vault, 'anna', 1)).toMatchObject({ outcome: 'match' })
}

describe('rows moved', () => {
  test('from another subject', async () => {
    const { vault, store } = await testVault()
    await enroll(vault, 'anna', 1)
    const rows = await rowsSince(store)
    const known = await keysOf(store)
    await enroll(vault, 'eve', 2)
    await swapEverySet({ vault, store, rows, foreign: await rowsSince(store, known), intruder: 2 })
  })

  test('from another realm of the same store and provider', async () => {
    const provider = memoryProvider()
    const { vault, store } = await testVault({ provider })
    await enroll(vault, 'anna', 1)
    const rows = await rowsSince(store)
    const known = await keysOf(store)
    const other = await testVault({ provider, store, realm: 'pharmacy' })
    await enroll(other.vault, 'anna', 2)
    await swapEverySet({ vault, store, rows, foreign: await rowsSince(store, known), intruder: 2 })
  })

  test('from another store with the same realm', async () => {
    const { vault, store } = await testVault()
    await enroll(vault, 'anna', 1)
    const other = await testVault()
    await enroll(other.vault, 'anna', 2)
    const rows = await rowsSince(store)
    await swapEverySet({ vault, store, rows, foreign: await rowsSince(other.store), intruder: 2 })
  })

  test('from a former generation', async () => {
    const { vault, store } = await testVault()
    await enroll(vault, 'anna', 2)
    const former = await rowsSince(store)
    await vault.reissue({ subject: 'anna', basis: basis(), ...sample(1) })
    const rows = await rowsSince(store)
    // A whole store put back is what no row can tell: the mapping is the same in both generations.
    const foreign = new Map(former)
    foreign.delete('index')
    foreign.delete('states')
    await swapEverySet({ vault, store, rows, foreign, intruder: 2 })
    const { key } = rows.get('states') as StoredRow
    await overwrite(store, 'states', key, (former.get('states') as StoredRow).bytes)
    expect(await typedCode(ask(vault, 'anna', 2))).toBe('ERR_AUDIT_ROLLBACK')
  })

  test('between tables', async () => {
    const { vault, store } = await testVault()
    await enroll(vault, 'anna', 1)
    const rows = await rowsSince(store)
    for (const to of TABLES) {
      for (const from of TABLES) {
        if (from === to) continue
        const { key, bytes } = rows.get(to) as StoredRow
        await overwrite(store, to, key, (rows.get(from) as StoredRow).bytes)
        expect(await typedCode(ask(vault, 'anna', 1))).toMatch(REFUSED)
        await overwrite(store, to, key, bytes)
      }
    }
  })
})

describe('vaults of another configuration', () => {
  test('neither compare nor change what they did not make, and count nothing', async () => {
    const { vault, store, open } = await testVault()
    await enroll(vault, 'anna', 1)
    const before = await dump(store)
    const other = { ...MODEL, id: 'test@2' } as const
    const vaults = [
      await open({ purpose: 'payment' }),
      await open({ bits: 64, operatingPoints: [point(MODEL, 64)] }),
      await open({ model: other, operatingPoints: [point(other)] }),
      await open({ custody: { profile: 'holder' } }),
    ]
    for (const [i, strange] of vaults.entries()) {
      const model = i === 2 ? other : MODEL
      const share = i === 3 ? { holderShare: async () => new Uint8Array(32) } : {}
      const call = strange.verify({ subject: 'anna', ...share, ...sample(1, 1, model) })
      expect(await typedCode(call)).toBe('ERR_RECORD_BINDING')
    }
    expect(await dump(store)).toEqual(before)
  })

  test('a keyring of another store or realm is refused at the door', async () => {
    const made = await testVault()
    const store = memoryStore()
    const keyring = await createKeyring({ realm: 'clinic', provider: memoryProvider(), store })
    expect(await typedCode(made.open({ keyring }))).toBe('ERR_VAULT_CONFIGURATION')
    expect(await typedCode(made.open({ keyring: { ...made.keyring } }))).toBe('ERR_KEYS_INPUT')
    const stranger = await createKeyring({ realm: 'pharmacy', provider: made.provider, store: made.store })
    await enroll(made.vault, 'anna', 1)
    const other = await made.open({ keyring: stranger })
    expect(await ask(other, 'anna', 1)).toEqual({ outcome: 'refused', reason: 'unknown-subject' })
    expect(await other.describe('anna')).toBeUndefined()
  })

  test('a test clock is refused by a store that keeps anything', async () => {
    const { testClock } = await import('../../src/vault/symbols.ts')
    const { open, store } = await testVault()
    const durable: Store = Object.create(store, { durable: { value: true } }) as Store
    const clock = { nowMs: () => 0, steady: () => ({ origin: new Uint8Array(16), ms: 0 }) }
    expect(await typedCode(open({ secrets: durable, [testClock]: clock }))).toBe('ERR_VAULT_CONFIGURATION')
    faceOf(1)[Symbol.dispose]()
  })
})
