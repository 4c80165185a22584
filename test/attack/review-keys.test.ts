/** Keyrings that are behind, full, or handed over with another name on them. @module */
import { createKeyring, memoryStore, openKeyring } from 'guise'
import { expect, test } from 'vitest'
import { ringAccess } from '../../src/keys/keyring.ts'
import { VaultKeys } from '../../src/vault/keys.ts'
import { codeOf, memoryProvider, testVault } from '../support/vault.ts'

test('KEYS-12 a process whose primary epoch another one has destroyed reads the ring again', async () => {
  const store = memoryStore()
  const provider = memoryProvider()
  const first = await createKeyring({ realm: 'clinic', provider, store })
  const second = await openKeyring({ realm: 'clinic', provider, store })
  const keys = new VaultKeys(ringAccess(second))
  await first.add()
  await first.promote(2)
  await first.disable(1)
  await first.destroy(1)
  expect(keys.primary).toBe(1)
  await keys.load()
  expect(keys.primary).toBe(2)
})
