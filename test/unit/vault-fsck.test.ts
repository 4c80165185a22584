/** Fsck finds whatever was done to rows, alters none, and raises no alarm about a sound store. @module */
import { memoryStore, type Store, type StoredRow, type Table } from 'guise'
import { type Fault, type FsckSummary, fsck } from 'guise/node'
import { beforeAll, describe, expect, test } from 'vitest'
import { concatBytes, toHex } from '../../src/base/bytes.ts'
import { isSubjectKey } from '../../src/record/place.ts'
import { decodeSecretRow, encodeSecretRow, secretHeader } from '../../src/record/secret-row.ts'
import { statePieces } from '../../src/record/state-row.ts'
import { dump, overwrite, remove, rowsOf } from '../support/rows.ts'
import { basis, memoryProvider, numbers, PURPOSE, sample, testVault } from '../support/vault.ts'

type World = Awaited<ReturnType<typeof populated>>

const TABLES = ['index', 'states', 'attempts', 'references', 'secrets'] as const

/** People in every state, work of every kind behind them. */
async function populated(seed: number, split: boolean) {
  const secrets = split ? memoryStore() : undefined
  const provider = memoryProvider()
  const made = await testVault({ provider, ...(secrets === undefined ? {} : { secrets }) })
  const { vault, keyring } = made
  const random = numbers(seed)
  for (let person = 0; person < 12; person++) {
    const subject = `person ${person}`
    await vault.enroll({
      subject,
      basis: basis(),
      ...(person % 6 === 5 ? { pending: true } : {}),
      ...sample(person),
    })
    if (random() < 0.5) await vault.verify({ subject, ...sample(person + (random() < 0.5 ? 0 : 50), 1) })
  }
  await vault.suspend('person 1')
  await vault.revoke('person 2', 'fraud')
  await vault.erase('person 3', { operationId: 'erase 3' })
  await vault.hold('person 4')
  await vault.reissue({ subject: 'person 6', basis: basis(), ...sample(6, 2) })
  await keyring.add()
  await keyring.promote(2)
  let moved = 0
  for await (const _ of vault.rotate()) if (++moved === 4) break
  return { ...made, secrets: secrets ?? made.store, split }
}

async function check(world: World): Promise<{ faults: readonly Fault[]; summary: FsckSummary }> {
  const { keyring, store, secrets, split } = world
  const faults: Fault[] = []
  const walk = fsck({ keyring, store, ...(split ? { secrets } : {}) })
  for (;;) {
    const next = await walk.next()
    if (next.done === true) return { faults, summary: next.value }
    faults.push(next.value)
  }
}

describe.each([false, true])('two stores: %s', (split) => {
  let world: World
  beforeAll(async () => {
    world = await populated(1, split)
  })
  const storeOf = (table: Table): Store => (table === 'secrets' ? world.secrets : world.store)

  test('VAULT-18 a sound store raises no alarm, and is not altered', async () => {
    const before = [await dump(world.store), await dump(world.secrets)]
    const { faults, summary } = await check(world)
    expect(faults).toEqual([])
    expect(summary).toMatchObject({ records: 11, faults: 0 })
    expect(summary.rows).toBeGreaterThan(11 * 4)
    expect([await dump(world.store), await dump(world.secrets)]).toEqual(before)
  })

  test('VAULT-18 100 random alterations of bytes are found, each in the row that was altered', async () => {
    const random = numbers(77)
    const kinds = new Set<string>()
    for (let i = 0; i < 100; i++) {
      const table = TABLES[Math.floor(random() * TABLES.length)] as Table
      const rows = await rowsOf(storeOf(table), table)
      const row = rows[Math.floor(random() * rows.length)]
      const other = rows[Math.floor(random() * rows.length)]
      if (row === undefined || other === undefined) throw new Error('an empty table')
      const altered = alter(row.bytes, other.bytes, random)
      if (toHex(altered) === toHex(row.bytes)) continue
      await overwrite(storeOf(table), table, row.key, altered)
      const { faults } = await check(world)
      const inner = toHex(row.key.subarray(1 + world.vault.realm.length))
      expect(faults.filter((fault) => fault.table === table && fault.row === inner)).toHaveLength(1)
      for (const { kind } of faults) kinds.add(kind)
      await overwrite(storeOf(table), table, row.key, row.bytes)
    }
    for (const kind of ['damaged', 'forged', 'misplaced', 'sealed']) expect(kinds).toContain(kind)
    expect((await check(world)).faults).toEqual([])
  }, 60_000)

  test('VAULT-18 a row of a live record that is gone is missed', async () => {
    let count = 0
    for (const table of TABLES) {
      for (const row of await rowsOf(storeOf(table), table)) {
        if (!isSubjectKey(world.vault.realm, row.key)) continue
        const erased = table === 'states' && (await isTombstone(row.key))
        if (erased) continue
        await remove(storeOf(table), table, row.key)
        const { faults } = await check(world)
        expect(faults.length).toBeGreaterThan(0)
        for (const { kind } of faults) expect(['missing', 'orphan']).toContain(kind)
        await overwrite(storeOf(table), table, row.key, row.bytes)
        count += 1
      }
    }
    expect(count).toBe(11 + 11 + 11 + 10 + 10)
    expect((await check(world)).faults).toEqual([])
  }, 60_000)

  test('VAULT-18 a row under a key of nobody is an orphan', async () => {
    for (const table of TABLES) {
      const [row] = await rowsOf(storeOf(table), table)
      if (row === undefined) throw new Error('an empty table')
      const prefixBytes = 1 + world.vault.realm.length
      for (const bytes of [1, row.key.length - prefixBytes + 1]) {
        const key = concatBytes(row.key.subarray(0, prefixBytes), new Uint8Array(bytes).fill(5))
        await overwrite(storeOf(table), table, key, row.bytes)
        const { faults } = await check(world)
        expect(faults).toHaveLength(1)
        await remove(storeOf(table), table, key)
      }
    }
  })

  test('a disabled epoch is told apart from damage', async () => {
    const { keyring, vault } = world
    await keyring.add()
    await keyring.promote(3)
    await vault.enroll({ subject: 'newcomer', basis: basis(), ...sample(40) })
    await keyring.disable(2)
    const { faults } = await check(world)
    expect(new Set(faults.map(({ kind, table }) => `${kind} ${table}`))).toEqual(new Set(['epoch secrets']))
    expect(faults).toHaveLength(10)
  })

  /** An erasure leaves a state row whose handle no other row knows. */
  async function isTombstone(key: Uint8Array): Promise<boolean> {
    const handle = toHex(key.subarray(1 + world.vault.realm.length))
    const attempts = await rowsOf(world.store, 'attempts')
    return !attempts.some((row) => toHex(row.key).includes(handle))
  }
})

/** Another content: one bit, one byte less, one more, or what another row of the table says. */
function alter(bytes: Uint8Array, other: Uint8Array, random: () => number): Uint8Array {
  const way = Math.floor(random() * 4)
  const place = Math.floor(random() * bytes.length)
  if (way === 0) return bytes.map((byte, i) => (i === place ? byte ^ (1 << Math.floor(random() * 8)) : byte))
  if (way === 1) return bytes.slice(0, place)
  if (way === 2) return concatBytes(bytes, Uint8Array.of(0))
  return other
}

test('twenty sound stores, no alarm', async () => {
  for (let seed = 2; seed < 22; seed++) {
    expect((await check(await populated(seed, seed % 2 === 0))).faults).toEqual([])
  }
}, 60_000)

test('a vault may be at work meanwhile', async () => {
  const world = await populated(30, false)
  const stop = new AbortController()
  const work = (async () => {
    for (let turn = 0; !stop.signal.aborted; turn++) {
      await world.vault.enroll({ subject: `new ${turn}`, basis: basis(), ...sample(100 + turn) })
      await world.vault.reissue({ subject: 'person 7', basis: basis(), ...sample(7) })
      await world.vault.erase(`new ${turn}`)
      await new Promise((resolve) => setImmediate(resolve))
    }
  })()
  const faults: Fault[] = []
  for (let pass = 0; pass < 10; pass++) faults.push(...(await check(world)).faults)
  stop.abort()
  await work
  expect(faults).toEqual([])
}, 60_000)

test('under custody holder the outer wrap is tried', async () => {
  const { vault, store, keyring } = await testVault({ custody: { profile: 'holder' } })
  const world = { vault, store, keyring, secrets: store, split: false } as World
  await vault.enroll({
    subject: 'anna',
    basis: basis(),
    ...sample(1),
    holderShare: async () => new Uint8Array(32).fill(3),
  })
  expect((await check(world)).faults).toEqual([])
  const [row] = await rowsOf(store, 'secrets')
  if (row === undefined) throw new Error('no wrap')
  await overwrite(
    store,
    'secrets',
    row.key,
    row.bytes.map((byte, i) => (i === row.bytes.length - 1 ? byte ^ 1 : byte)),
  )
  expect((await check(world)).faults.map(({ kind }) => kind)).toEqual(['sealed'])
})

test('a wrap that names keys that never were does not open', async () => {
  const { vault, store, keyring } = await testVault()
  await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
  const [[state], [wrap]] = [await rowsOf(store, 'states'), await rowsOf(store, 'secrets')]
  if (state === undefined || wrap === undefined) throw new Error('rows are missing')
  const { realm } = vault
  const { record, generation } = statePieces(realm)
  const piece = ({ at, length }: typeof record): Uint8Array => state.bytes.subarray(at, at + length)
  const row = decodeSecretRow(wrap.bytes, { realm, record: piece(record), generation: piece(generation) })
  const altered = encodeSecretRow({ ...row, header: secretHeader({ ...row, keyVersion: 99 }) })
  await overwrite(store, 'secrets', wrap.key, altered)
  const kinds: string[] = []
  for await (const { kind, table } of fsck({ keyring, store })) kinds.push(`${kind} ${table}`)
  expect(kinds).toEqual(['sealed secrets'])
  await expect(vault.verify({ subject: 'anna', ...sample(1, 1) })).rejects.toMatchObject({
    code: 'ERR_SEAL_OPEN',
  })
})

test('a reference row of another purpose is told apart from a wrap that does not open', async () => {
  const { vault, store, keyring } = await testVault()
  await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
  const row = (await rowsOf(store, 'references'))[0] as StoredRow
  const at = Buffer.from(row.bytes).indexOf(PURPOSE)
  await overwrite(store, 'references', row.key, row.bytes.with(at, 'm'.charCodeAt(0)))
  const found: string[] = []
  for await (const { kind, table } of fsck({ keyring, store })) found.push(`${kind} ${table}`)
  expect(found).toEqual(['sealed references'])
})

test('another store than that of the keyring is refused; an abort ends it', async () => {
  const { keyring, store } = await populated(40, false)
  const other = fsck({ keyring, store: memoryStore() }).next()
  await expect(other).rejects.toMatchObject({ code: 'ERR_VAULT_CONFIGURATION' })
  const aborted = fsck({ keyring, store, signal: AbortSignal.abort(new Error('enough')) }).next()
  await expect(aborted).rejects.toThrow('enough')
})

test('an old state, an old counter and a log that does not hold are found; a log at work is not', async () => {
  const { vault, store, keyring } = await testVault()
  await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
  const before = new Map<string, StoredRow>()
  for (const table of ['states', 'attempts'] as const) {
    for (const row of await rowsOf(store, table)) if (row.key.length <= 24) before.set(table, row)
  }
  await vault.verify({ subject: 'anna', ...sample(2, 1) })
  await vault.suspend('anna')
  const kinds = async (): Promise<readonly string[]> => {
    const found: string[] = []
    for await (const { kind, table } of fsck({ keyring, store })) found.push(`${kind} ${table}`)
    return found
  }
  expect(await kinds()).toEqual([])
  for (const table of ['states', 'attempts'] as const) {
    const { key, bytes } = before.get(table) as StoredRow
    const now = (await store.get(table, key)) as StoredRow
    await overwrite(store, table, key, bytes)
    expect(await kinds()).toEqual([`old ${table}`])
    await overwrite(store, table, key, now.bytes)
  }
  const head = (await rowsOf(store, 'log'))[0] as StoredRow
  await overwrite(store, 'log', head.key, head.bytes.with(20, 1))
  expect(await kinds()).toEqual(['log log'])
})
