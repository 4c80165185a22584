/** Rows that the log does not name: what comes of putting them back (SPEC §14.10). @module */
import { logElsewhere, memoryStore, openKeyring } from 'guise'
import { expect, test } from 'vitest'
import { checkpointKey } from '../../src/audit/log-rows.ts'
import type { Realm } from '../../src/base/brand.ts'
import { toHex } from '../../src/base/bytes.ts'
import { onlyRow, overwrite, remove, rowsOf } from '../support/rows.ts'
import { basis, codeOf, SIGNER, sample, testVault } from '../support/vault.ts'
import { ask, copyOf, enroll, entriesOf, memoryAnchor } from '../support/vault-log.ts'
import { rotate } from './rollback.ts'

test('an older wrap of the same secret opens the same template, until its epoch is destroyed', async () => {
  const made = await testVault()
  await enroll(made.vault)
  const old = await onlyRow(made.store, 'secrets')
  await rotate(made)
  await overwrite(made.store, 'secrets', old.key, old.bytes)
  expect(await made.vault.verify({ subject: 'anna', ...sample(1, 1) })).toMatchObject({
    outcome: 'match',
    epoch: 1,
  })
  await made.keyring.retire(2)
  expect(await codeOf(ask(made.vault, 'anna', 1))).toBe('ERR_KEYS_RETIRED')
})

test('code and wrap of an earlier generation fit no state row', async () => {
  const { vault, store } = await testVault()
  await enroll(vault)
  const code = await onlyRow(store, 'references')
  const wrap = await onlyRow(store, 'secrets')
  await vault.reissue({ subject: 'anna', basis: basis(), ...sample(1, 2) })
  await overwrite(store, 'secrets', wrap.key, wrap.bytes)
  // A wrap that no state row names is beside the point.
  expect(await ask(vault, 'anna', 1)).toBe('match')
  await overwrite(store, 'references', code.key, code.bytes)
  expect(await codeOf(ask(vault, 'anna', 1))).toBe('ERR_RECORD_BINDING')
  await vault.revoke('anna', 'withdrawn')
  await overwrite(store, 'references', code.key, code.bytes)
  await overwrite(store, 'secrets', wrap.key, wrap.bytes)
  expect(await ask(vault, 'anna', 1)).toBe('revoked')
})

test('all rows of somebody who was erased bring nobody back', async () => {
  const { vault, store } = await testVault()
  await enroll(vault)
  const tables = ['index', 'states', 'attempts', 'references', 'secrets'] as const
  const rows = await Promise.all(tables.map(async (table) => [table, await rowsOf(store, table)] as const))
  await vault.erase('anna')
  for (const [table, all] of rows) for (const { key, bytes } of all) await overwrite(store, table, key, bytes)
  expect(await codeOf(ask(vault, 'anna', 1))).toBe('ERR_AUDIT_ROLLBACK')
  // Without the state row there is nobody.
  for (const { key } of await rowsOf(store, 'states')) await remove(store, 'states', key)
  expect(await ask(vault, 'anna', 1)).toBe('unknown-subject')
})

test('counters of the realm’s limit may be put back: the hour is all that they bound', async () => {
  const made = await testVault({ attempts: { realmPerHour: 4, consecutive: 5 } })
  for (const [i, subject] of ['anna', 'bert', 'carl'].entries()) await enroll(made.vault, subject, i)
  for (const subject of ['anna', 'bert']) await ask(made.vault, subject, 9)
  await new Promise((resolve) => setTimeout(resolve, 300))
  const isCounter = ({ key }: { key: Uint8Array }): boolean => toHex(key).includes('ff'.repeat(16))
  const before = (await rowsOf(made.store, 'attempts')).filter(isCounter)
  expect(before.length).toBeLessThan(3)
  for (const { key } of before) await remove(made.store, 'attempts', key)
  expect(await ask(made.vault, 'carl', 2)).toBe('match')
})

test('a match whose process has gone before its entry was integrated can be cut from the queue; nothing rests on it', async () => {
  const made = await testVault({ logSigner: undefined as never, [logElsewhere]: true })
  await enroll(made.vault)
  expect(await ask(made.vault, 'anna', 1)).toBe('match')
  const store = memoryStore()
  for (const table of ['references', 'secrets', 'states', 'index', 'attempts', 'keyrings'] as const) {
    for (const { key, bytes } of await rowsOf(made.store, table)) await overwrite(store, table, key, bytes)
  }
  const queue = await rowsOf(made.store, 'queue')
  expect(queue).toHaveLength(3)
  for (const { bytes } of queue.slice(0, -1)) await store.commit([{ step: 'append', table: 'queue', bytes }])
  const keyring = await openKeyring({ realm: 'clinic', provider: made.provider, store })
  const other = await made.open({ store, keyring, logSigner: SIGNER })
  expect((await other.health()).log).toBe(true)
  expect((await entriesOf(store)).map(({ action }) => action)).toEqual(['key-add', 'enroll'])
})

test('the checkpoint of a longer fork, put into the store, neither stands for a revocation nor comes to the anchor', async () => {
  const anchor = memoryAnchor()
  const made = await testVault({ anchor })
  await enroll(made.vault)
  await made.vault.suspend('anna')
  await made.vault.resume('anna')
  // A copy that somebody opened with the log's key and another anchor.
  const store = await copyOf(made.store)
  const keyring = await openKeyring({ realm: 'clinic', provider: made.provider, store })
  const fork = await made.open({ store, keyring, anchor: memoryAnchor() })
  for (let i = 0; i < 6; i++) await ask(fork, 'anna', 1)
  await fork.close()
  const key = checkpointKey('clinic' as Realm)
  const { bytes } = (await store.get('log', key)) ?? { bytes: new Uint8Array(1) }
  await overwrite(made.store, 'log', key, bytes)
  const { size } = anchor.kept ?? { size: 0 }
  expect(await codeOf(made.vault.revoke('anna', 'withdrawn'))).toBe('ERR_AUDIT_PENDING')
  expect(anchor.kept?.size).toBe(size)
  expect((await made.vault.health()).log).toBe(false)
})
