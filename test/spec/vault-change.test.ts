/** Requirements VAULT-10 to VAULT-17 of SPEC.md. @module */
import {
  type ErasureReceipt,
  type Model,
  memoryStore,
  type RemoveDeviceRequest,
  secondFactorConfirmed,
  type Vault,
} from 'guise'
import { holderShare } from 'guise/holder'
import { describe, expect, test } from 'vitest'
import type { Millis } from '../../src/base/brand.ts'
import { toHex } from '../../src/base/bytes.ts'
import { readReceipt } from '../../src/record/receipt.ts'
import { hookedStore, onlyRow, overwrite, rowsOf } from '../support/rows.ts'
import {
  basis,
  codeOf,
  face,
  MODEL,
  manualClock,
  memoryProvider,
  point,
  sample,
  testVault,
} from '../support/vault.ts'

const ANNA = { subject: 'anna', basis: basis() }

function deviceOf(seed: number): (context: Parameters<typeof holderShare>[1]) => Promise<Uint8Array> {
  const secret = new Uint8Array(32).fill(seed)
  return async (context) => holderShare(secret, context)
}

test('VAULT-10 exposed survives reissue, and no other reason sets it', async () => {
  for (const reason of ['lost-device', 'withdrawn', 'fraud', 'superseded', 'other', 'breach'] as const) {
    const { vault } = await testVault()
    await vault.enroll({ ...ANNA, ...sample(1) })
    await vault.revoke('anna', reason)
    expect((await vault.describe('anna'))?.exposed).toBe(reason === 'breach')
    for (let i = 0; i < 2; i++) await vault.reissue({ ...ANNA, ...sample(1, i) })
    await vault.revoke('anna', 'other')
    await vault.reissue({ ...ANNA, ...sample(1) })
    expect((await vault.describe('anna'))?.exposed).toBe(reason === 'breach')
  }
})

describe('VAULT-11 erasure', () => {
  test('VAULT-11 nothing but a tombstone and the counters of the realm remain', async () => {
    const { vault, store } = await testVault()
    await vault.enroll({ ...ANNA, ...sample(1) })
    await vault.verify({ subject: 'anna', ...sample(2) })
    await vault.erase('anna')
    for (const table of ['references', 'secrets', 'index'] as const)
      expect(await rowsOf(store, table)).toEqual([])
    const counters = await rowsOf(store, 'attempts')
    expect(counters.every((row) => toHex(row.key).includes('ff'.repeat(16)))).toBe(true)
    expect(await rowsOf(store, 'states')).toHaveLength(1)
  })

  test('VAULT-11 irrecoverable once the provider confirmed the last epoch that ever wrapped it', async () => {
    const { vault, keyring } = await testVault({ erasureBoundMs: 1000 })
    await vault.enroll({ ...ANNA, ...sample(1) })
    await keyring.promote(await keyring.add())
    for await (const result of vault.rotate()) expect(result.ok).toBe(true)
    const receipt = await vault.erase('anna')
    const by = { by: receipt.unreachableAt + 1000 }
    expect(receipt.irrecoverable).toEqual(by)
    await keyring.promote(await keyring.add())
    await keyring.disable(1)
    await keyring.destroy(1)
    expect((await vault.renewReceipt(receipt)).irrecoverable).toEqual(by)
    await keyring.disable(2)
    await keyring.destroy(2)
    const [first, second] = keyring.epochs
    const at = Math.max(Number(first?.changedAt), Number(second?.changedAt), receipt.unreachableAt)
    expect((await vault.renewReceipt(receipt)).irrecoverable).toEqual({ at })
  })

  test('VAULT-11 an epoch that was primary for a while counts, also after going back', async () => {
    const { vault, keyring } = await testVault()
    await vault.enroll({ ...ANNA, ...sample(1) })
    await keyring.promote(await keyring.add())
    for await (const result of vault.rotate()) expect(result.ok).toBe(true)
    await keyring.promote(1)
    const moved = []
    for await (const result of vault.rotate()) moved.push(result)
    expect(moved).toEqual([])
    const receipt = await vault.erase('anna')
    await keyring.promote(2)
    await keyring.disable(1)
    await keyring.destroy(1)
    expect(Object.keys((await vault.renewReceipt(receipt)).irrecoverable)).toEqual(['by'])
  })

  test('VAULT-11 a wrap that lies about its epoch shortens nothing', async () => {
    const { vault, keyring, store } = await testVault()
    await vault.enroll({ ...ANNA, ...sample(1) })
    await keyring.promote(await keyring.add())
    const before = await onlyRow(store, 'secrets')
    for await (const result of vault.rotate()) expect(result.ok).toBe(true)
    // The insider keeps a copy under epoch 2 and puts the row of epoch 1 back, header altered or damaged.
    for (const bytes of [before.bytes.map((byte, i) => (i === 40 ? byte ^ 1 : byte)), new Uint8Array(10)]) {
      await overwrite(store, 'secrets', before.key, bytes)
    }
    const receipt = await vault.erase('anna')
    expect(await rowsOf(store, 'secrets')).toEqual([])
    await keyring.promote(await keyring.add())
    await keyring.disable(1)
    await keyring.destroy(1)
    expect(Object.keys((await vault.renewReceipt(receipt)).irrecoverable)).toEqual(['by'])
  })

  test('VAULT-11 a destruction that takes effect later is promised until then', async () => {
    const clock = manualClock()
    const inner = memoryProvider()
    const laterMs = clock.nowMs() + 7 * 86_400_000
    const provider = { ...inner, destroy: async () => ({ confirmedAt: laterMs as Millis }) }
    const { vault, keyring } = await testVault({ provider, clock })
    await vault.enroll({ ...ANNA, ...sample(1) })
    const receipt = await vault.erase('anna')
    await keyring.promote(await keyring.add())
    await keyring.disable(1)
    await keyring.destroy(1)
    expect((await vault.renewReceipt(receipt)).irrecoverable).toEqual({ by: laterMs })
    clock.advance(7 * 86_400_000)
    expect((await vault.renewReceipt(receipt)).irrecoverable).toEqual({ at: laterMs })
  })

  test('VAULT-11 never, when the provider cannot destroy', async () => {
    const { id, wrap, unwrap } = memoryProvider()
    const { vault } = await testVault({ provider: { id, wrap, unwrap } })
    await vault.enroll({ ...ANNA, ...sample(1) })
    expect((await vault.erase('anna')).irrecoverable).toBe('never')
  })
})

test('VAULT-12 a receipt verifies with the realm’s key; altered in any bit it does not', async () => {
  const { vault, keyring } = await testVault()
  await vault.enroll({ ...ANNA, ...sample(1) })
  const receipt = await vault.erase('anna')
  const key = await keyring.receiptPublicKey()
  const read = (statement: Uint8Array, signature: Uint8Array): unknown =>
    readReceipt(statement, signature, () => key)
  expect(read(receipt.statement, receipt.signature)).toMatchObject({ realm: 'clinic', since: 1, last: 1 })
  const bits = 8 * (receipt.statement.length + receipt.signature.length)
  for (let bit = 0; bit < bits; bit += 3) {
    const bytes = Uint8Array.of(...receipt.statement, ...receipt.signature)
    bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7))
    const altered: ErasureReceipt = {
      ...receipt,
      statement: bytes.subarray(0, receipt.statement.length),
      signature: bytes.subarray(receipt.statement.length),
    }
    expect(() => read(altered.statement, altered.signature)).toThrow()
    if (bit % 24 === 0)
      expect(await codeOf(vault.renewReceipt(altered))).toMatch(/^ERR_RECORD_(MAC|FORMAT|VERSION)$/)
  }
})

describe('VAULT-13 rotation', () => {
  test('VAULT-13 every wrap, once, while everybody matches; stopped anywhere it goes on', async () => {
    const { vault, open, keyring, store } = await testVault()
    const people = Array.from({ length: 70 }, (_, i) => `p${i}`)
    for (const [i, subject] of people.entries()) await vault.enroll({ subject, basis: basis(), ...sample(i) })
    await keyring.promote(await keyring.add())
    const dry = []
    for await (const result of vault.rotate({ dryRun: true })) dry.push(result)
    expect(dry).toHaveLength(70)
    let moved = 0
    for await (const result of vault.rotate()) {
      expect(result.ok).toBe(true)
      if (++moved === 5) break
    }
    const asking = people.map((subject, i) => vault.verify({ subject, ...sample(i, 1) }))
    const other = await open()
    const seen: number[] = []
    for await (const result of other.rotate({ onProgress: (count) => seen.push(count) })) {
      expect(result.ok).toBe(true)
      moved++
    }
    expect((await Promise.all(asking)).every((decision) => decision.outcome === 'match')).toBe(true)
    expect(seen.at(-1)).toBe(70)
    expect(moved).toBeLessThanOrEqual(70)
    await keyring.disable(1)
    await keyring.destroy(1)
    for (const [i, subject] of people.entries()) {
      expect((await vault.verify({ subject, ...sample(i, 2) })).outcome).toBe('match')
    }
    expect(await rowsOf(store, 'secrets')).toHaveLength(70)
  })

  test('VAULT-13 what is revoked, reissued or erased meanwhile stays so', async () => {
    const store = hookedStore(memoryStore())
    const { vault, open, keyring } = await testVault({ store })
    for (const [i, subject] of ['a', 'b', 'c'].entries()) {
      await vault.enroll({ subject, basis: basis(), ...sample(i) })
    }
    await keyring.promote(await keyring.add())
    const other = await open()
    let once = true
    store.fault = {
      before: async (call) => {
        if (!once || call.name !== 'commit') return
        once = false
        await other.revoke('a', 'other')
        await other.erase('b')
        await other.reissue({ subject: 'c', basis: basis(), ...sample(7) })
      },
    }
    for await (const result of vault.rotate()) expect(result.ok).toBe(true)
    expect(await rowsOf(store, 'secrets')).toHaveLength(1)
    expect((await vault.describe('a'))?.state).toBe('revoked')
    expect(await vault.describe('b')).toBeUndefined()
    expect((await vault.verify({ subject: 'c', ...sample(7, 1) })).outcome).toBe('match')
  })

  test('VAULT-13 a wrap that waits for its deletion is not carried over', async () => {
    const secrets = hookedStore(memoryStore())
    const { vault, keyring } = await testVault({ secrets })
    await vault.enroll({ ...ANNA, ...sample(1) })
    secrets.fault = {
      before: (call) => {
        if (call.name === 'commit') throw new Error('gone')
      },
    }
    expect(await codeOf(vault.erase('anna'))).toBe('ERR_VAULT_UNFINISHED')
    secrets.fault = {}
    const left = await onlyRow(secrets, 'secrets')
    await keyring.promote(await keyring.add())
    for await (const result of vault.rotate()) expect(result).toBeUndefined()
    expect(await onlyRow(secrets, 'secrets')).toEqual(left)
  })
})

describe('VAULT-14 load', () => {
  test('VAULT-14 one call too many is refused before it does anything', async () => {
    const store = hookedStore(memoryStore())
    const { vault } = await testVault({ store, maxInFlight: 2 })
    const embedding = sample(1).embedding
    const under = [vault.health(), vault.health()]
    const { calls } = store
    const error = await vault
      .verify({ ...sample(1), subject: 'anna', embedding })
      .catch((caught: unknown) => caught as { code: string; retryable: boolean })
    expect(error).toMatchObject({ code: 'ERR_VAULT_OVERLOADED', retryable: true })
    expect(store.calls).toBe(calls)
    expect(embedding.dimensions).toBe(128)
    await Promise.all(under)
    expect((await vault.verify({ ...sample(1), subject: 'anna', embedding })).outcome).toBe('refused')
  })

  test('VAULT-14 close waits for what is under way, and closes nothing that it was given', async () => {
    const { vault, store, keyring, open } = await testVault()
    const other = await open()
    const enrolling = vault.enroll({ ...ANNA, ...sample(1) })
    const rotation = vault.rotate()[Symbol.asyncIterator]()
    const closing = vault.close()
    expect(await codeOf(vault.verify({ subject: 'anna', ...sample(1) }))).toBe('ERR_VAULT_CLOSED')
    expect(await codeOf(rotation.next())).toBe('ERR_VAULT_CLOSED')
    await closing
    expect((await enrolling).generation).toBe(1)
    await vault.close()
    expect(await rowsOf(store, 'states')).toHaveLength(1)
    await keyring.refresh()
    expect((await other.verify({ subject: 'anna', ...sample(1, 1) })).outcome).toBe('match')
  })
})

describe('VAULT-15 retries', () => {
  test('VAULT-15 a verify is counted once for a probe, and again for another', async () => {
    const { vault } = await testVault()
    await vault.enroll({ ...ANNA, ...sample(1) })
    const ask = async (person: number, operationId: string): Promise<string> =>
      (await vault.verify({ subject: 'anna', ...sample(person) }, { operationId })).outcome
    for (let i = 0; i < 20; i++) expect(await ask(2, 'same')).toBe('nonmatch')
    for (let i = 3; i < 7; i++) expect(await ask(i, 'same')).toBe('nonmatch')
    expect(await ask(8, 'same')).toBe('refused')
    expect(await ask(1, 'same')).toBe('refused')
    expect(await ask(2, 'same')).toBe('nonmatch')
  })

  test('VAULT-15 a verb with the same id is done once, with another id again', async () => {
    const { vault } = await testVault()
    const once = { operationId: 'x' }
    const first = await vault.enroll({ ...ANNA, ...sample(1) }, once)
    expect(await vault.enroll({ ...ANNA, ...sample(1) }, once)).toEqual(first)
    expect(await codeOf(vault.enroll({ ...ANNA, ...sample(1) }, { operationId: 'y' }))).toBe(
      'ERR_VAULT_ENROLLED',
    )
    await vault.suspend('anna', once)
    await vault.suspend('anna', once)
    expect(await codeOf(vault.suspend('anna', { operationId: 'y' }))).toBe('ERR_VAULT_TRANSITION')
    await vault.resume('anna', once)
    const again = await vault.reissue({ ...ANNA, ...sample(1, 1) }, once)
    expect(await vault.reissue({ ...ANNA, ...sample(1, 1) }, once)).toEqual(again)
    expect(again.generation).toBe(2)
    // The proof that the log tells of it is as of the newest checkpoint.
    const { audit, ...receipt } = await vault.erase('anna', once)
    expect(await vault.erase('anna', once)).toMatchObject(receipt)
    await vault.enroll({ ...ANNA, ...sample(1) })
    // A retry that comes late does not erase whoever enrolled since.
    const late = await vault.erase('anna', once)
    expect(late).toMatchObject(receipt)
    expect([late.audit?.index, late.audit?.entry]).toEqual([audit?.index, audit?.entry])
    expect((await vault.describe('anna'))?.state).toBe('active')
  })
})

describe('VAULT-16 devices', () => {
  const present = deviceOf(1)
  const factor = { [secondFactorConfirmed]: true } as const

  async function withDevices(): Promise<{ readonly vault: Vault; readonly added: string }> {
    const { vault } = await testVault({ custody: { profile: 'holder' } })
    await vault.enroll({ ...ANNA, holderShare: present, ...sample(1) })
    const request = { subject: 'anna', holderShare: present, newShare: deviceOf(2), ...factor }
    const added = await vault.addDevice(request, { operationId: 'add' })
    expect(await vault.addDevice(request, { operationId: 'add' })).toBe(added)
    return { vault, added }
  }

  test('VAULT-16 a device more opens, a device less does not', async () => {
    const { vault, added } = await withDevices()
    const ask = async (seed: number): Promise<string> =>
      (await vault.verify({ subject: 'anna', holderShare: deviceOf(seed), ...sample(1, 1) })).outcome
    expect([await ask(1), await ask(2), await ask(3)]).toEqual(['match', 'match', 'refused'])
    const remove: RemoveDeviceRequest = { subject: 'anna', holderShare: present, device: added, ...factor }
    // The id of an addition does not stand for a removal.
    await vault.removeDevice(remove, { operationId: 'add' })
    expect([await ask(1), await ask(2)]).toEqual(['match', 'refused'])
    expect(await codeOf(vault.removeDevice(remove))).toBe('ERR_VAULT_DEVICE')
    expect((await vault.describe('anna'))?.devices).toHaveLength(1)
  })

  test('VAULT-16 neither without a share, nor without the second factor, nor beyond four', async () => {
    const { vault, added } = await withDevices()
    const change = { subject: 'anna', holderShare: present, newShare: deviceOf(3) }
    expect(await codeOf(vault.addDevice(change as never))).toBe('ERR_VAULT_INPUT')
    expect(await codeOf(vault.addDevice({ ...change, holderShare: deviceOf(9), ...factor }))).toBe(
      'ERR_SEAL_OPEN',
    )
    const without = { ...change, holderShare: undefined as never, ...factor }
    expect(await codeOf(vault.addDevice(without))).toBe('ERR_KEYS_MISSING')
    for (const seed of [3, 4]) await vault.addDevice({ ...change, newShare: deviceOf(seed), ...factor })
    expect(await codeOf(vault.addDevice({ ...change, ...factor }))).toBe('ERR_VAULT_DEVICE')
    for (const device of ['', 'x', 'AAAAAAAAAAAAAAAAAAAAAA', added.slice(1)]) {
      const call = vault.removeDevice({ subject: 'anna', holderShare: present, device, ...factor })
      expect(await codeOf(call)).toMatch(/^ERR_VAULT_(DEVICE|INPUT)$/)
    }
  })
})

test('VAULT-17 another profile, purpose, model or operating point is not compared', async () => {
  const clock = manualClock()
  const { vault, open, store } = await testVault({ clock })
  await vault.enroll({ ...ANNA, ...sample(1) })
  const other: Model = { ...MODEL, id: 'other@1' }
  const mean: Model = { ...MODEL, mean: face(99) }
  const probe = { subject: 'anna', ...sample(1, 1) }
  const holder = await open({ custody: { profile: 'holder' } })
  expect(await codeOf(holder.verify({ ...probe, holderShare: deviceOf(1) }))).toBe('ERR_RECORD_BINDING')
  const purposeful = await open({ purpose: 'payment' })
  expect(await codeOf(purposeful.verify({ subject: 'anna', ...sample(1, 1) }))).toBe('ERR_RECORD_BINDING')
  const narrow = await open({ bits: 64, operatingPoints: [point(MODEL, 64)] })
  expect(await codeOf(narrow.verify({ subject: 'anna', ...sample(1, 1) }))).toBe('ERR_RECORD_BINDING')
  for (const model of [other, mean]) {
    const strange = await open({ model, operatingPoints: [point(model)] })
    expect(await codeOf(strange.verify({ subject: 'anna', ...sample(1, 1, model) }))).toBe(
      'ERR_RECORD_BINDING',
    )
    expect(await codeOf(vault.verify({ subject: 'anna', ...sample(1, 1, model) }))).toBe('ERR_VAULT_INPUT')
    expect(await codeOf(open({ operatingPoints: [point(model)] }))).toBe('ERR_POLICY_OPERATING_POINT')
  }
  expect(await rowsOf(store, 'attempts')).toHaveLength(1)
})
