/** Realms whose wraps lie under two epochs, and those wraps unopened. @module */
import type { Store } from 'guise'
import type { Realm } from '../../src/base/brand.ts'
import { realmPrefix } from '../../src/base/identifier.ts'
import { decodeSecretRow, type SecretRow } from '../../src/record/secret-row.ts'
import { rowsOf } from './rows.ts'
import { basis, sample, type TestVault, testVault } from './vault.ts'

export const REALM: Realm = 'clinic' as Realm

async function people(world: TestVault, count: number): Promise<void> {
  for (let person = 0; person < count; person++) {
    await world.vault.enroll({ subject: `person-${person}`, basis: basis(), ...sample(person) })
  }
}

/** The wraps of records, as their rows say. */
export async function secretRows(store: Store): Promise<readonly SecretRow[]> {
  const length = realmPrefix(REALM).length
  return (await rowsOf(store, 'secrets')).map(({ key, bytes }) =>
    decodeSecretRow(bytes, {
      realm: REALM,
      record: key.slice(length, length + 16),
      generation: key.slice(length + 16),
    }),
  )
}

/** A realm of which everything lies under epoch 1 and epoch 2 is primary. */
export async function twoEpochs(count: number, secrets?: Store): Promise<TestVault> {
  const world = await testVault(secrets === undefined ? {} : { secrets })
  await people(world, count)
  await world.keyring.promote(await world.keyring.add())
  return world
}
