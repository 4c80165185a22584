/** Rows that were moved, copied or made up by whoever can write a store but holds no key. @module */
import { memoryStore, type ShareSource, type Store, secondFactorConfirmed, type Vault } from 'guise'
import { describe, expect, test } from 'vitest'
import type { Realm } from '../../src/base/brand.ts'
import { concatBytes } from '../../src/base/bytes.ts'
import { type CborValue, decodeCbor, encodeCbor } from '../../src/base/cbor.ts'
import { receiptKey, startsWith, unfinishedKey } from '../../src/record/place.ts'
import { hookedStore, onlyRow, overwrite, rowsOf, typedCode } from '../support/rows.ts'
import { basis, manualClock, sample, testVault } from '../support/vault.ts'

const ANNA = { subject: 'anna', basis: basis() }
const share =
  (byte: number): ShareSource =>
  async () =>
    new Uint8Array(32).fill(byte)

describe('devices of a holder', () => {
  /** Whether a share opens the template; a wrong one is an answer or an error, and no match either way. */
  const open = async (vault: Vault, byte: number): Promise<boolean> => {
    const asked = vault.verify({ subject: 'anna', ...sample(1), holderShare: share(byte) })
    return (await typedCode(asked)).includes('"match"')
  }
  const change = { subject: 'anna', holderShare: share(1), [secondFactorConfirmed]: true } as const
  const holder = { custody: { profile: 'holder' } } as const

  test('VAULT-16 a secret row from before a removal does not bring the device back', async () => {
    const { vault, store } = await testVault(holder)
    await vault.enroll({ ...ANNA, ...sample(1), holderShare: share(1) })
    const device = await vault.addDevice({ ...change, newShare: share(2) })
    const old = await onlyRow(store, 'secrets')
    expect(await open(vault, 2)).toBe(true)
    await vault.removeDevice({ ...change, device })
    await overwrite(store, 'secrets', old.key, old.bytes)
    expect(await open(vault, 2)).toBe(false)
    expect(await open(vault, 1)).toBe(true)
    // Neither does it come back when another device takes the slot and the row is put back again.
    await vault.addDevice({ ...change, newShare: share(3) })
    await overwrite(store, 'secrets', old.key, old.bytes)
    expect(await open(vault, 2)).toBe(false)
  })

  test('VAULT-16 of two additions at once, each device opens by its own slot or not at all', async () => {
    const store = hookedStore(memoryStore())
    const secrets = hookedStore(memoryStore())
    const { vault, open: reopen } = await testVault({ ...holder, store, secrets })
    const other = await reopen()
    await vault.enroll({ ...ANNA, ...sample(1), holderShare: share(1) })
    // The first writes its wrap; before its state row follows, the second writes a wrap over it.
    let reached = (): void => undefined
    let release = (): void => undefined
    const atGate = new Promise<void>((resolve) => {
      reached = resolve
    })
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    let first = true
    store.fault = {
      before: async ({ steps }) => {
        if (!first || !steps.some((step) => step.step === 'put' && step.table === 'states')) return
        first = false
        reached()
        await gate
      },
    }
    const one = vault.addDevice({ ...change, newShare: share(2) })
    await atGate
    secrets.fault = {
      after: async ({ name }) => {
        if (name !== 'commit') return
        secrets.fault = {}
        release()
        await one
      },
    }
    const device = await other.addDevice({ ...change, newShare: share(3) })
    await one
    expect(await open(vault, 3)).toBe(true)
    await vault.removeDevice({ ...change, device })
    expect(await open(vault, 3)).toBe(false)
    expect(await open(vault, 1)).toBe(true)
  })

  test('KEYS-8 one share is not given two slots, of which a removal would free one', async () => {
    const { vault } = await testVault(holder)
    await vault.enroll({ ...ANNA, ...sample(1), holderShare: share(1) })
    const device = await vault.addDevice({ ...change, newShare: share(2) })
    expect(await typedCode(vault.addDevice({ ...change, newShare: share(2) }))).toBe('ERR_KEYS_INPUT')
    expect(await typedCode(vault.addDevice({ ...change, newShare: share(1) }))).toBe('ERR_KEYS_INPUT')
    await vault.removeDevice({ ...change, device })
    expect(await open(vault, 2)).toBe(false)
    expect((await vault.describe('anna'))?.devices).toHaveLength(1)
  })
})

describe('notes of unfinished work', () => {
  const REALM = 'clinic' as Realm
  const NOBODY = new Uint8Array(16).fill(9)

  /** What the state row says to somebody without a key. */
  async function overheard(
    store: Store,
  ): Promise<{ readonly record: Uint8Array; readonly generation: Uint8Array }> {
    const { bytes } = await onlyRow(store, 'states')
    const items = decodeCbor(bytes.subarray(0, -32), 65_536, (why) => new Error(why)) as readonly CborValue[]
    return { record: items[4] as Uint8Array, generation: items[5] as Uint8Array }
  }

  test('STORE-11 a note that was made up destroys no wrap and keeps no vault from opening', async () => {
    const [store, secrets, clock] = [memoryStore(), memoryStore(), manualClock()]
    const { vault, open } = await testVault({ store, secrets, clock })
    await vault.enroll({ ...ANNA, ...sample(1) })
    const { record, generation } = await overheard(store)
    const key = unfinishedKey(REALM, record, generation)
    const body = encodeCbor([1, 9, REALM, NOBODY, record, generation, 1, new Uint8Array(16), 1, 1])
    const old = encodeCbor([1, 9, REALM, NOBODY, record, generation, 1, new Uint8Array(16), 1])
    const forged = [
      body,
      concatBytes(body, new Uint8Array(32)),
      old,
      new Uint8Array(5),
      new Uint8Array(60_000),
    ]
    for (const bytes of forged) {
      await overwrite(store, 'states', key, bytes)
      await overwrite(secrets, 'secrets', key, bytes)
      clock.advance(3_600_000)
      const again = await open()
      expect((await again.verify({ subject: 'anna', ...sample(1) })).outcome).toBe('match')
      expect((await again.health()).unfinished).toBe(2)
    }
  })

  test('STORE-11 a genuine note under the key of another generation destroys no wrap', async () => {
    const [store, secrets] = [hookedStore(memoryStore()), hookedStore(memoryStore())]
    const { vault, open } = await testVault({ store, secrets })
    await vault.enroll({ ...ANNA, ...sample(1) })
    const { record, generation } = await overheard(store)
    await vault.enroll({ subject: 'bert', basis: basis(), ...sample(2) })
    // Bert's revocation stops before his wrap is deleted: its note is genuine.
    secrets.fault = {
      before: ({ name }) => {
        if (name === 'commit') throw new Error('gone')
      },
    }
    expect(await typedCode(vault.revoke('bert', 'other'))).toBe('ERR_VAULT_UNFINISHED')
    secrets.fault = {}
    const note = (await rowsOf(store, 'states')).find(({ key }) => key.length === 7 + 16 + 36)
    if (note === undefined) throw new Error('no note')
    await overwrite(store, 'states', unfinishedKey(REALM, record, generation), note.bytes)
    const again = await open()
    expect((await again.verify({ subject: 'anna', ...sample(1) })).outcome).toBe('match')
    expect(await rowsOf(secrets, 'secrets')).toHaveLength(1)
    expect((await again.health()).unfinished).toBe(1)
  })

  test('a state row that cannot be read keeps no vault from opening', async () => {
    const [store, secrets] = [hookedStore(memoryStore()), hookedStore(memoryStore())]
    const { vault, open } = await testVault({ store, secrets })
    await vault.enroll({ ...ANNA, ...sample(1) })
    const { key, bytes } = await onlyRow(store, 'states')
    secrets.fault = {
      before: ({ name }) => {
        if (name === 'commit') throw new Error('gone')
      },
    }
    expect(await typedCode(vault.revoke('anna', 'other'))).toBe('ERR_VAULT_UNFINISHED')
    secrets.fault = {}
    const tombstone = await store.get('states', key)
    if (tombstone === undefined) throw new Error('no tombstone')
    await overwrite(
      store,
      'states',
      key,
      bytes.map((byte, i) => (i === 60 ? byte ^ 1 : byte)),
    )
    expect((await (await open()).health()).unfinished).toBe(1)
    expect(await rowsOf(secrets, 'secrets')).toHaveLength(1)
    await overwrite(store, 'states', key, tombstone.bytes)
    expect((await (await open()).health()).unfinished).toBe(0)
    expect(await rowsOf(secrets, 'secrets')).toEqual([])
  })
})

test('VAULT-15 receipts that changed places are refused', async () => {
  const { vault, store } = await testVault()
  const once = { operationId: 'erase' }
  for (const subject of ['anna', 'bert']) await vault.enroll({ subject, basis: basis(), ...sample(1) })
  const [anna, bert] = [await vault.erase('anna', once), await vault.erase('bert', once)]
  const start = receiptKey('clinic' as Realm, new Uint8Array(0))
  const [first, second] = (await rowsOf(store, 'states')).filter(({ key }) => startsWith(key, start))
  if (first === undefined || second === undefined) throw new Error('no receipts')
  await overwrite(store, 'states', first.key, second.bytes)
  await overwrite(store, 'states', second.key, first.bytes)
  for (const subject of ['anna', 'bert'])
    expect(await typedCode(vault.erase(subject, once))).toBe('ERR_RECORD_BINDING')
  await overwrite(store, 'states', first.key, first.bytes)
  await overwrite(store, 'states', second.key, second.bytes)
  expect((await vault.erase('anna', once)).record).toBe(anna.record)
  expect((await vault.erase('bert', once)).record).toBe(bert.record)
})
