/** Requirements POLICY-40, POLICY-41 and POLICY-45 of SPEC.md on PostgreSQL: the same purge, the same count. @module */
import { countPeople } from 'guise/node'
import { migratePostgres, postgresStore } from 'guise/postgres'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { purged } from '../support/people.ts'
import { freshSchema, poolOf, type TestServer, testServer } from '../support/postgres.ts'
import { rowsOf } from '../support/rows.ts'
import { basis, PURPOSE, SIGNER, sample, testVault } from '../support/vault.ts'

let server: TestServer

beforeAll(async () => {
  server = await testServer()
}, 120_000)

afterAll(() => server.stop())

test('POLICY-41 on PostgreSQL what is due goes, what is not stays, people are counted', {
  timeout: 120_000,
}, async () => {
  const pool = poolOf(server.url)
  const schema = freshSchema()
  await migratePostgres(pool, { schema })
  const store = await postgresStore({ pool, schema })
  const { vault, keyring } = await testVault({ store })
  for (const subject of ['anna', 'ben', 'cleo', 'dora']) {
    await vault.enroll({ subject, basis: basis(), ...sample(1) })
  }
  await vault.revoke('anna', 'other')
  await vault.withdraw('ben')
  await vault.hold('cleo')
  expect(await countPeople(keyring)).toBe(2)
  const policies = [{ purpose: PURPOSE, afterRevocationDays: 0, afterExpiryDays: 1 }]
  const { summary } = await purged({ keyring, store, logSigner: SIGNER, policies })
  expect(summary).toMatchObject({ records: 4, held: 1, due: 2, erased: 2, failed: 0, people: 2 })
  for (const table of ['index', 'attempts', 'references', 'secrets'] as const)
    expect(await rowsOf(store, table)).toHaveLength(2)
  expect(await countPeople(keyring)).toBe(2)
  await vault.close()
  await store.close()
  await pool.end()
})
