/** SPEC §10.2: realms of one store keep to themselves. @module */
import { type Keyring, logElsewhere, memoryStore, type Store } from 'guise'
import { expect, test } from 'vitest'
import { rowsOf } from '../support/rows.ts'
import { basis, memoryProvider, sample, testVault } from '../support/vault.ts'

/** Every key that a store is asked for, and every row that its scans hand out. */
function recorder(store: Store): Store & { readonly touched: Uint8Array[] } {
  const touched: Uint8Array[] = []
  return {
    touched,
    durable: store.durable,
    get: (table, key, options) => {
      touched.push(key)
      return store.get(table, key, options)
    },
    commit: (steps, options) => {
      for (const step of steps) if (step.table !== 'queue') touched.push(step.key)
      return store.commit(steps, options)
    },
    scan: (table, from, options) => {
      if (table !== 'queue') touched.push(from)
      return store.scan(table, from, options)
    },
    close: () => store.close(),
    [Symbol.asyncDispose]: () => store.close(),
  }
}

test('STORE-10 a vault reads and writes no key outside its realm, in any verb', async () => {
  const shared = memoryStore()
  // A realm whose name begins with the other's, with people of the same identifiers.
  const other = await testVault({ store: shared, realm: 'clinic-2', provider: memoryProvider() })
  await other.vault.close()
  // Nobody integrates what the other realm has in the queue from now on.
  const outside = await other.open({ logSigner: undefined as never, [logElsewhere]: true })
  await outside.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
  const queued = await rowsOf(shared, 'queue')
  expect(queued).toHaveLength(1)
  const store = recorder(shared)
  const { vault, keyring } = await testVault({ store, realm: 'clinic' })
  await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
  await vault.verify({ subject: 'anna', ...sample(1, 1) })
  await vault.verify({ subject: 'nobody', ...sample(1, 1) })
  await vault.suspend('anna')
  await vault.resume('anna')
  await vault.reissue({ subject: 'anna', basis: basis(), ...sample(1, 2) })
  await promoteNew(keyring)
  const rotated = []
  for await (const result of vault.rotate()) rotated.push(result)
  expect(rotated).toHaveLength(1)
  await vault.revoke('anna', 'other')
  await vault.erase('anna', { operationId: 'erase-1' })
  await vault.health()
  await vault.close()
  const prefix = Uint8Array.of('clinic'.length, ...new TextEncoder().encode('clinic'))
  expect(store.touched.length).toBeGreaterThan(40)
  for (const key of store.touched) expect(key.subarray(0, prefix.length)).toEqual(prefix)
  expect(await rowsOf(shared, 'queue')).toEqual(queued)
  expect((await outside.verify({ subject: 'anna', ...sample(1, 1) })).outcome).toBe('match')
})

async function promoteNew(keyring: Keyring): Promise<void> {
  await keyring.promote(await keyring.add())
}
