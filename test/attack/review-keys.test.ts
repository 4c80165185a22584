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

test('KEYS-14 a version of the realm keys that the cache could not hold is refused before it is made', async () => {
  const store = memoryStore()
  const provider = memoryProvider()
  const keyring = await createKeyring({ realm: 'clinic', provider, store, cache: { maxSecrets: 6 } })
  for (const version of [2, 3]) expect(await keyring.renew()).toBe(version)
  const calls = provider.calls
  expect(await codeOf(keyring.renew())).toBe('ERR_KEYS_FULL')
  expect([keyring.version, provider.calls]).toEqual([3, calls])
})

test('a vault is of the realm that its keyring was made for, whatever is written on it', async () => {
  const { keyring, open } = await testVault()
  expect(() => {
    ;(keyring as { realm: string }).realm = 'other'
  }).toThrow(TypeError)
  Object.defineProperty(keyring, 'realm', { value: 'other' })
  expect((await open()).realm).toBe('clinic')
  expect(await keyring.add()).toBe(2)
  await keyring.promote(2)
})

test('health asks the provider itself, and not what it gave before', async () => {
  const provider = memoryProvider()
  const { vault } = await testVault({ provider })
  expect(await vault.health()).toMatchObject({ ok: true, keyring: true })
  const kept = new Map(provider.keys)
  provider.keys.clear()
  expect(await vault.health()).toMatchObject({ ok: false, store: true, keyring: false })
  for (const [name, key] of kept) provider.keys.set(name, key)
  expect(await vault.health()).toMatchObject({ ok: true, keyring: true })
})
