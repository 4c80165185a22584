/** Requirements POLICY-40, 41, 45, 53 and 56 of SPEC.md on PostgreSQL: the same purge, count, events and export. @module */
import { openKeyring, type Store, type Vault } from 'guise'
import { countPeople, exportSubject, watchPeople } from 'guise/node'
import { migratePostgres, postgresStore } from 'guise/postgres'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { crossingsOf, logOf, purged } from '../support/people.ts'
import { freshSchema, poolOf, type TestServer, testServer } from '../support/postgres.ts'
import { rowsOf } from '../support/rows.ts'
import { basis, numbers, PURPOSE, SIGNER, sample, testVault } from '../support/vault.ts'

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

test('POLICY-56 on PostgreSQL two vaults cross three thresholds at once, two watch: every crossing is told of', {
  timeout: 120_000,
}, async () => {
  const schema = freshSchema()
  const pools = [poolOf(server.url), poolOf(server.url)] as const
  await migratePostgres(pools[0], { schema })
  const stores = [
    await postgresStore({ pool: pools[0], schema }),
    await postgresStore({ pool: pools[1], schema }),
  ] as const
  const { vault, keyring, open, provider } = await testVault({ store: stores[0] })
  const other = await openKeyring({ realm: 'clinic', provider, store: stores[1] })
  const beside = await open({ keyring: other, store: stores[1] })
  const thresholds = [4, 8, 12]
  const watchers = [keyring, other].map((ring, i) =>
    watchPeople({ keyring: ring, store: stores[i] as Store, thresholds, everyMs: 10 }),
  )
  const told = new Set<number>()
  const state = { over: false }
  const watching = watchers.map(async (walk) => {
    while (!state.over) for (const { threshold } of (await walk.next()).value.reached) told.add(threshold)
  })
  const random = numbers(56)
  const live = async (each: Vault, name: string): Promise<void> => {
    for (let person = 0; person < 8; person++) {
      const subject = `${name} ${person}`
      await each.enroll({ subject, basis: basis(), ...sample(1) })
      if (random() < 0.3) await each.erase(subject)
    }
  }
  await Promise.all([live(vault, 'a'), live(vault, 'b'), live(beside, 'c'), live(beside, 'd')])
  state.over = true
  await Promise.all(watching)
  for (const walk of watchers) await walk.next()
  await vault.enroll({ subject: 'zoe', basis: basis(), ...sample(1) })
  const zoe = await exportSubject({ keyring, store: stores[0], logSigner: SIGNER, subject: 'zoe' })
  expect(zoe.held).toBe('template')
  expect(zoe.events.map(({ what }) => what)).toEqual(['enroll', 'export'])
  await beside.close()
  await vault.close()
  const entries = await logOf(stores[0])
  for (const threshold of thresholds) {
    const { crossings, events, missed } = crossingsOf(entries, threshold)
    expect(crossings).toBeGreaterThan(0)
    expect({ missed, told: told.has(threshold), events: events > 0 }).toEqual({
      missed: 0,
      told: true,
      events: true,
    })
  }
  for (const store of stores) await store.close()
  for (const pool of pools) await pool.end()
})
