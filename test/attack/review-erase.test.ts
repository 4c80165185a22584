/** Receipts must not promise what is not so, and nothing may survive what they say. @module */
import { type Keyring, memoryStore, type Vault } from 'guise'
import { expect, test } from 'vitest'
import { hookedStore, rowsOf } from '../support/rows.ts'
import { basis, sample, testVault } from '../support/vault.ts'

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
