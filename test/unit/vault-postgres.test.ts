/** A vault lives on PostgreSQL as on the other stores: a whole life, and exact counters (SPEC §10.5, §11). @module */

import { migratePostgres, postgresStore } from 'guise/postgres'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freshSchema, poolOf, type TestServer, testServer } from '../support/postgres.ts'
import { basis, codeOf, sample, testVault } from '../support/vault.ts'

let server: TestServer
let pool: Pool

beforeAll(async () => {
  server = await testServer()
  pool = poolOf(server.url, 16)
}, 120_000)

afterAll(async () => {
  await server?.stop()
  await pool?.end()
}, 60_000)

async function fresh() {
  const schema = freshSchema()
  await migratePostgres(pool, { schema })
  return await postgresStore({ pool, schema })
}

test.each([false, true])('enrol, verify, revoke, reissue, rotate, erase; two stores: %s', async (split) => {
  const store = await fresh()
  const secrets = split ? await fresh() : undefined
  const { vault, keyring, open } = await testVault({ store, ...(secrets === undefined ? {} : { secrets }) })
  const outcome = async (person: number, subject: string): Promise<string> => {
    const decision = await vault.verify({ ...sample(person, 3), subject })
    return decision.outcome === 'refused' ? `refused ${decision.reason}` : decision.outcome
  }
  for (const person of [1, 2, 3]) {
    await vault.enroll({ ...sample(person), subject: `person-${person}`, basis: basis() })
  }
  expect(await outcome(1, 'person-1')).toBe('match')
  expect(await outcome(2, 'person-1')).toBe('nonmatch')
  await vault.revoke('person-1', 'lost-device')
  expect(await outcome(1, 'person-1')).toBe('refused revoked')
  await vault.reissue({ ...sample(1, 4), subject: 'person-1', basis: basis() })
  expect(await outcome(1, 'person-1')).toBe('match')
  await keyring.promote(await keyring.add())
  let moved = 0
  for await (const result of vault.rotate()) {
    expect(result.ok).toBe(true)
    moved++
  }
  expect(moved).toBeGreaterThanOrEqual(3)
  expect(await outcome(3, 'person-3')).toBe('match')
  await vault.erase('person-2')
  expect(await outcome(2, 'person-2')).toBe('refused unknown-subject')
  const again = await open()
  expect((await again.verify({ ...sample(3, 5), subject: 'person-3' })).outcome).toBe('match')
  await again.close()
  await vault.close()
})

test('of 40 wrong probes at once from two vaults, exactly as many are answered as the limit lets', async () => {
  const { vault, open } = await testVault({ store: await fresh() })
  await vault.enroll({ ...sample(1), subject: 'person', basis: basis() })
  const other = await open()
  const probes = Array.from({ length: 40 }, (_, i) =>
    (i % 2 === 0 ? vault : other).verify({ ...sample(2, i), subject: 'person' }),
  )
  const outcomes = (await Promise.all(probes)).map(({ outcome }) => outcome)
  expect(outcomes.filter((outcome) => outcome === 'nonmatch')).toHaveLength(5)
  expect(outcomes.filter((outcome) => outcome === 'refused')).toHaveLength(35)
  await other.close()
  expect(await codeOf(vault.verify({ ...sample(1), subject: 'nobody' }))).toBe('resolved')
  await vault.close()
})
