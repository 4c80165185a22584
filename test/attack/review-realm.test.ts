/** Counters of the realm that dead writers, or nobody of the realm, left in the store. @module */
import type { Store } from 'guise'
import { expect, test } from 'vitest'
import type { Realm } from '../../src/base/brand.ts'
import { encodeRealmAttemptsRow } from '../../src/record/attempts-row.ts'
import { realmAttemptsKey, realmAttemptsStart } from '../../src/record/place.ts'
import { overwrite, rowsOf } from '../support/rows.ts'
import { realmOf } from '../support/secrets.ts'
import { basis, manualClock, sample, type TestVault, testVault } from '../support/vault.ts'

const REALM = 'clinic' as Realm
const HOUR_MS = 3_600_000

async function counters(store: Store): Promise<number> {
  const start = realmAttemptsStart(REALM)
  const rows = await rowsOf(store, 'attempts')
  return rows.filter(({ key }) => start.every((byte, i) => key[i] === byte)).length
}

async function count(
  made: TestVault,
  { windowMs, failures }: { readonly windowMs: number; readonly failures: number },
): Promise<void> {
  const { keys } = await realmOf(made.store, made.provider)
  const writer = crypto.getRandomValues(new Uint8Array(16))
  const row = { realm: REALM, writer, windowMs, count: failures, keyVersion: 1 }
  const bytes = encodeRealmAttemptsRow(row, keys.limiter)
  await overwrite(made.store, 'attempts', realmAttemptsKey(REALM, writer), bytes)
}

test('rows of writers that fell silent a day ago go, sixty-four at a time; younger ones stay', async () => {
  const clock = manualClock(1000 * HOUR_MS + 1)
  const made = await testVault({ clock })
  await made.vault.enroll({
    subject: 'anna',
    basis: basis({ grantedAt: new Date(0), expiresAt: new Date(1100 * HOUR_MS) }),
    ...sample(1),
  })
  for (let i = 0; i < 100; i++) await count(made, { windowMs: (976 - i) * HOUR_MS, failures: 3 })
  await count(made, { windowMs: 977 * HOUR_MS, failures: 3 })
  await count(made, { windowMs: 1000 * HOUR_MS, failures: 3 })
  const ask = async (): Promise<string> =>
    (await made.vault.verify({ subject: 'anna', ...sample(1) })).outcome
  expect(await ask()).toBe('match')
  expect(await counters(made.store)).toBe(102 - 64)
  clock.advance(1000)
  expect(await ask()).toBe('match')
  expect(await counters(made.store)).toBe(2)
})

test('a row that does not verify refuses nobody, and hides no other', async () => {
  const clock = manualClock(1000 * HOUR_MS + 1)
  const made = await testVault({ clock, attempts: { realmPerHour: 5 } })
  const { vault, store } = made
  await vault.enroll({
    subject: 'anna',
    basis: basis({ grantedAt: new Date(0), expiresAt: new Date(1100 * HOUR_MS) }),
    ...sample(1),
  })
  const start = realmAttemptsStart(REALM)
  for (const garbage of [new Uint8Array(40), Uint8Array.of(1), new Uint8Array(200).fill(0x81)]) {
    const writer = crypto.getRandomValues(new Uint8Array(16))
    await overwrite(store, 'attempts', realmAttemptsKey(REALM, writer), garbage)
  }
  await overwrite(store, 'attempts', Uint8Array.from([...start, 1]), new Uint8Array(40))
  expect((await vault.verify({ subject: 'anna', ...sample(1) })).outcome).toBe('match')
  await count(made, { windowMs: 1000 * HOUR_MS, failures: 5 })
  clock.advance(1000)
  expect(await vault.verify({ subject: 'anna', ...sample(1) })).toMatchObject({ reason: 'throttled' })
})
