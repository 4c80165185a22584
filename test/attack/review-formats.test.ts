/** Rows that were moved, copied or made up by whoever can write a store but holds no key. @module */
import { memoryStore, type ShareSource, secondFactorConfirmed, type Vault } from 'guise'
import { describe, expect, test } from 'vitest'
import { hookedStore, onlyRow, overwrite, typedCode } from '../support/rows.ts'
import { basis, sample, testVault } from '../support/vault.ts'

const ANNA = { subject: 'anna', basis: basis() }
const share =
  (byte: number): ShareSource =>
  async () =>
    new Uint8Array(32).fill(byte)

describe('devices of a holder', () => {
  const open = (vault: Vault, byte: number): Promise<string> =>
    typedCode(vault.verify({ subject: 'anna', ...sample(1), holderShare: share(byte) }))
  const change = { subject: 'anna', holderShare: share(1), [secondFactorConfirmed]: true } as const
  const holder = { custody: { profile: 'holder' } } as const

  test('VAULT-16 a secret row from before a removal does not bring the device back', async () => {
    const { vault, store } = await testVault(holder)
    await vault.enroll({ ...ANNA, ...sample(1), holderShare: share(1) })
    const device = await vault.addDevice({ ...change, newShare: share(2) })
    const old = await onlyRow(store, 'secrets')
    expect(await open(vault, 2)).toContain('match')
    await vault.removeDevice({ ...change, device })
    await overwrite(store, 'secrets', old.key, old.bytes)
    expect(await open(vault, 2)).toBe('ERR_SEAL_OPEN')
    expect(await open(vault, 1)).toContain('match')
    // Neither does it come back when another device takes the slot and the row is put back again.
    await vault.addDevice({ ...change, newShare: share(3) })
    await overwrite(store, 'secrets', old.key, old.bytes)
    expect(await open(vault, 2)).toBe('ERR_SEAL_OPEN')
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
    expect(await open(vault, 3)).toContain('match')
    await vault.removeDevice({ ...change, device })
    expect(await open(vault, 3)).toBe('ERR_SEAL_OPEN')
    expect(await open(vault, 1)).toContain('match')
  })

  test('KEYS-8 one share is not given two slots, of which a removal would free one', async () => {
    const { vault } = await testVault(holder)
    await vault.enroll({ ...ANNA, ...sample(1), holderShare: share(1) })
    const device = await vault.addDevice({ ...change, newShare: share(2) })
    expect(await typedCode(vault.addDevice({ ...change, newShare: share(2) }))).toBe('ERR_KEYS_INPUT')
    expect(await typedCode(vault.addDevice({ ...change, newShare: share(1) }))).toBe('ERR_KEYS_INPUT')
    await vault.removeDevice({ ...change, device })
    expect(await open(vault, 2)).toBe('ERR_SEAL_OPEN')
    expect((await vault.describe('anna'))?.devices).toHaveLength(1)
  })
})
