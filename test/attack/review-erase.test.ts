/** Receipts must not promise what is not so, and nothing may survive what they say. @module */
import { type Keyring, memoryStore, StoreError, type Vault } from 'guise'
import { describe, expect, test } from 'vitest'
import { type Call, hookedStore, overwrite, rowsOf } from '../support/rows.ts'
import { basis, codeOf, sample, testVault } from '../support/vault.ts'

const ANNA = { subject: 'anna', basis: basis() }

async function rotateAll(vault: Vault): Promise<void> {
  for await (const result of vault.rotate()) expect(result.ok).toBe(true)
}

async function promoteNew(keyring: Keyring): Promise<number> {
  const epoch = await keyring.add()
  await keyring.promote(epoch)
  return epoch
}

test('VAULT-11 a wrap whose epoch cannot be asked counts as wrapped up to the newest one', async () => {
  const { vault, keyring, store } = await testVault()
  await vault.enroll({ ...ANNA, ...sample(1) })
  await promoteNew(keyring)
  await rotateAll(vault)
  const backup = await rowsOf(store, 'secrets')
  await keyring.promote(1)
  await keyring.disable(2)
  const receipt = await vault.erase('anna')
  await promoteNew(keyring)
  await keyring.disable(1)
  await keyring.destroy(1)
  // The wrap in the backup still opens once epoch 2 is enabled again.
  expect((await vault.renewReceipt(receipt)).irrecoverable).toHaveProperty('by')
  expect(backup).toHaveLength(1)
  await keyring.destroy(2)
  expect((await vault.renewReceipt(receipt)).irrecoverable).toHaveProperty('at')
})

test('VAULT-13 a rotation that waits while another epoch becomes the primary one uses that one', async () => {
  const store = hookedStore(memoryStore())
  const secrets = hookedStore(memoryStore())
  const { vault, keyring } = await testVault({ store, secrets })
  await vault.enroll({ ...ANNA, ...sample(1) })
  await promoteNew(keyring)
  const seen = { changed: false }
  store.fault = {
    after: async (call) => {
      if (seen.changed || call.name !== 'get' || call.table !== 'references') return
      seen.changed = true
      await promoteNew(keyring)
    },
  }
  await rotateAll(vault)
  store.fault = {}
  expect(seen.changed).toBe(true)
  await keyring.retire(3)
  expect((await vault.verify({ subject: 'anna', ...sample(1, 1) })).outcome).toBe('match')
})

describe('VAULT-9 with wraps in a second store that was out, a retry first deletes what is left', () => {
  test.each(['revoke', 'reissue', 'erase'] as const)('%s', async (verb) => {
    const secrets = hookedStore(memoryStore())
    const { vault } = await testVault({ secrets })
    await vault.enroll({ ...ANNA, ...sample(1) })
    const id = { operationId: 'once' }
    const run = {
      revoke: () => vault.revoke('anna', 'lost-device', id),
      reissue: () => vault.reissue({ ...ANNA, ...sample(1, 1) }, id),
      erase: () => vault.erase('anna', id),
    }[verb]
    const [old] = await rowsOf(secrets, 'secrets')
    const deletes = (call: Call): boolean => call.steps.some(({ step }) => step === 'delete')
    secrets.fault = {
      before: (call) => {
        if (deletes(call)) throw new StoreError('ERR_STORE_FULL', 'out')
      },
    }
    expect(await codeOf(run())).toBe('ERR_VAULT_UNFINISHED')
    expect(await codeOf(run())).toBe('ERR_VAULT_UNFINISHED')
    secrets.fault = {}
    expect(await secrets.get('secrets', old?.key as Uint8Array)).toBeDefined()
    expect(await codeOf(run())).toBe('resolved')
    expect(await secrets.get('secrets', old?.key as Uint8Array)).toBeUndefined()
    // The note of the new wrap stays until the next opening, which sees that the wrap is in use.
    expect((await vault.health()).unfinished).toBe(verb === 'reissue' ? 1 : 0)
  })

  test('an erasure of what was revoked does so before it signs', async () => {
    const secrets = hookedStore(memoryStore())
    const { vault } = await testVault({ secrets })
    await vault.enroll({ ...ANNA, ...sample(1) })
    secrets.fault = {
      before: (call) => {
        if (call.name === 'commit') throw new StoreError('ERR_STORE_FULL', 'out')
      },
    }
    expect(await codeOf(vault.revoke('anna', 'lost-device'))).toBe('ERR_VAULT_UNFINISHED')
    expect(await codeOf(vault.erase('anna'))).toBe('ERR_VAULT_UNFINISHED')
    secrets.fault = {}
    expect(await codeOf(vault.erase('anna'))).toBe('resolved')
    expect(await rowsOf(secrets, 'secrets')).toEqual([])
  })
})

test.each([false, true])(
  'VAULT-9 a wrap put back after a revoke goes with the erasure (second store: %s)',
  async (two) => {
    const store = memoryStore()
    const secrets = two ? memoryStore() : store
    const { vault } = await testVault({ store, secrets })
    await vault.enroll({ ...ANNA, ...sample(1) })
    const [old] = await rowsOf(secrets, 'secrets')
    if (old === undefined) throw new Error('no wrap')
    await vault.revoke('anna', 'lost-device')
    await overwrite(secrets, 'secrets', old.key, old.bytes)
    await vault.erase('anna')
    expect(await rowsOf(secrets, 'secrets')).toEqual([])
  },
)

test('VAULT-10 a breach that comes to light later marks what is revoked or held', async () => {
  const { vault } = await testVault()
  for (const subject of ['anna', 'ben']) await vault.enroll({ subject, basis: basis(), ...sample(1) })
  await vault.revoke('anna', 'lost-device')
  await vault.hold('ben')
  for (const subject of ['anna', 'ben']) {
    const before = await vault.describe(subject)
    expect(await codeOf(vault.revoke(subject, 'other'))).toBe('ERR_VAULT_TRANSITION')
    await vault.revoke(subject, 'breach', { operationId: 'once' })
    await vault.revoke(subject, 'breach', { operationId: 'once' })
    const after = await vault.describe(subject)
    expect({ ...after, changedAt: 0 }).toEqual({ ...before, exposed: true, changedAt: 0 })
  }
  await vault.reissue({ ...ANNA, ...sample(1) })
  expect(await vault.verify({ subject: 'anna', ...sample(1) })).toMatchObject({
    outcome: 'match',
    exposed: true,
  })
})
