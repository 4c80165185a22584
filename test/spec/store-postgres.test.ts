/** SPEC §10.5: the store on PostgreSQL, on a real server. @module */

import type { Store, StoreStep, Table } from 'guise'
import { migratePostgres, type PostgresPool, postgresRoles, postgresStore } from 'guise/postgres'
import { storeConformance } from 'guise/testing'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { collect } from '../../src/store/conformance-kit.ts'
import { freshSchema, poolOf, type TestServer, testServer } from '../support/postgres.ts'
import { recordingPool, type Sent, scatteringPool } from '../support/postgres-pools.ts'
import { codeOf } from '../support/vault.ts'

let server: TestServer
let pool: pg.Pool

beforeAll(async () => {
  server = await testServer()
  pool = poolOf(server.url, 20)
}, 120_000)

afterAll(async () => {
  await server?.stop()
  await pool?.end()
}, 60_000)

const key = (...bytes: number[]): Uint8Array => Uint8Array.of(5, ...bytes)
const append = (byte: number): StoreStep => ({ step: 'append', table: 'queue', bytes: Uint8Array.of(byte) })

function put(number: number, expected: string | null, table: Exclude<Table, 'queue'> = 'states'): StoreStep {
  return { step: 'put', table, key: key(number), bytes: Uint8Array.of(number), expected }
}

function check(number: number, expected: string | null, table: Table = 'states'): StoreStep {
  return { step: 'check', table, key: key(number), expected }
}

async function freshStore(from: PostgresPool = pool): Promise<{ store: Store; schema: string }> {
  const schema = freshSchema()
  await migratePostgres(pool, { schema })
  return { store: await postgresStore({ pool: from, schema }), schema }
}

/** The address of the server for sessions with a setting of their own. */
function withOption(option: string): string {
  return `${server.url}?options=${encodeURIComponent(`-c ${option}`)}`
}

async function queueOf(store: Store, from: Uint8Array = new Uint8Array(0)): Promise<number[]> {
  const rows: number[] = []
  for await (const row of store.scan('queue', from)) rows.push(row.bytes[0] ?? 0)
  return rows
}

/** How many of two commits, sent at once, were carried out. */
async function race(store: Store, ...commits: readonly (readonly StoreStep[])[]): Promise<number> {
  const outcomes = await Promise.all(commits.map((steps) => codeOf(store.commit(steps))))
  for (const outcome of outcomes) expect(['resolved', 'ERR_STORE_CONFLICT']).toContain(outcome)
  return outcomes.filter((outcome) => outcome === 'resolved').length
}

describe('STORE-12', () => {
  test('STORE-12 a commit is one statement, and leaves nothing in the session', async () => {
    const sent: Sent[] = []
    const single = poolOf(server.url, 1)
    const { store } = await freshStore(recordingPool(single, sent))
    const state = async (): Promise<unknown> => {
      const { rows } =
        await single.query(`SELECT pg_backend_pid() AS pid, current_setting('lock_timeout') AS wait,
        current_setting('synchronous_commit') AS flush, (SELECT count(*) FROM pg_prepared_statements) AS prepared,
        (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype <> 'virtualxid'
          AND relation IS DISTINCT FROM 'pg_locks'::regclass AND mode <> 'AccessShareLock') AS locks`)
      return rows[0]
    }
    const before = await state()
    sent.length = 0
    const [version = ''] = await store.commit([put(1, null), check(2, null), append(1)])
    await store.commit([check(1, version)])
    expect(sent).toHaveLength(2)
    expect(await queueOf(store)).toEqual([1])
    for (const { text } of sent)
      expect(text).not.toMatch(/\b(?:SET|LISTEN|PREPARE|advisory\w*|DECLARE|TEMP)\b/i)
    expect(await state()).toEqual(before)
    await store.close()
    await single.end()
  })

  test('STORE-12 a store works when every statement has another session', async () => {
    const names = [
      'put, check and delete demand the expected version',
      'append gives rising keys and never conflicts',
      'of 64 commits that expect one version exactly one wins',
      'a scan beside writes yields each row that exists throughout, once, in order',
    ]
    const sessions = await Promise.all([0, 1, 2, 3].map(() => pool.connect()))
    const checks = storeConformance(async () => (await freshStore(scatteringPool(sessions))).store, {})
    for (const name of names) await checks.find((one) => one.name === name)?.run()
    expect(checks.filter(({ name }) => names.includes(name))).toHaveLength(names.length)
    for (const session of sessions) session.release()
  })
})

describe('STORE-13', () => {
  test('STORE-13 of commits that rest on what the other writes, one is refused', async () => {
    const { store } = await freshStore()
    for (let i = 0; i < 120; i += 4) {
      expect(await race(store, [check(i, null), put(i + 1, null)], [check(i + 1, null), put(i, null)])).toBe(
        1,
      )
      const [version = ''] = await store.commit([put(i + 2, null)])
      const won = await race(
        store,
        [check(i + 2, version), put(i + 3, null)],
        [check(i + 3, null), put(i + 2, version)],
      )
      expect(won).toBe(1)
    }
    await store.close()
  })

  test('STORE-13 a commit that checks a keyring and one that writes it do not both rest on the old', async () => {
    const { store } = await freshStore()
    for (let i = 0; i < 40; i++) {
      const [version = ''] = await store.commit([put(i, null, 'keyrings')])
      const won = await race(
        store,
        [check(i, version, 'keyrings'), put(i, null)],
        [check(i, null), put(i, version, 'keyrings')],
      )
      expect(won).toBe(1)
    }
    await store.close()
  })

  test('STORE-13 a writer of a keyring is not kept waiting by those who check it', async () => {
    const { store } = await freshStore()
    let [version = ''] = await store.commit([put(0, null, 'keyrings')])
    const work = { busy: true }
    const checkers = Array.from({ length: 8 }, async (_, number) => {
      let [mine = ''] = await store.commit([put(number + 1, null)])
      while (work.busy) {
        const expected = version
        const steps = [check(0, expected, 'keyrings'), put(number + 1, mine)]
        const done = await store.commit(steps).catch((error: unknown) => error)
        if (Array.isArray(done)) mine = done[1] as string
      }
    })
    for (let i = 0; i < 20; i++) {
      const [next = ''] = await store.commit([put(0, version, 'keyrings')])
      version = next
    }
    work.busy = false
    await Promise.all(checkers)
    await store.close()
  })

  test('STORE-13 commits that name the same rows in any order do not lock each other out', async () => {
    const { store } = await freshStore()
    const deadlocks = async (): Promise<number> => {
      const { rows } = await pool.query<{ n: string }>(
        'SELECT deadlocks AS n FROM pg_stat_database WHERE datname = current_database()',
      )
      return Number(rows[0]?.n)
    }
    const before = await deadlocks()
    const outcomes = new Map<string, number>()
    const worker = async (turn: number): Promise<void> => {
      for (let round = 0; round < 25; round++) {
        const numbers = [0, 1, 2, 3, 4, 5].sort(() => Math.random() - 0.5).slice(0, 3)
        const rows = await Promise.all(numbers.map((number) => store.get('states', key(number))))
        const steps = numbers.map((number, i) => {
          const version = rows[i]?.version ?? null
          return (turn + i) % 3 === 0 ? check(number, version) : put(number, version)
        })
        const code = await codeOf(store.commit(steps))
        outcomes.set(code, (outcomes.get(code) ?? 0) + 1)
      }
    }
    await Promise.all(Array.from({ length: 12 }, (_, turn) => worker(turn)))
    expect([...outcomes.keys()].sort()).toEqual(['ERR_STORE_CONFLICT', 'resolved'])
    expect(await deadlocks()).toBe(before)
    await store.close()
  })

  test.each(['repeatable read', 'serializable'])('STORE-13 a session at %s is refused', async (level) => {
    const { schema } = await freshStore()
    const isolated = poolOf(withOption(`default_transaction_isolation=${level.replace(' ', '\\ ')}`))
    expect(await codeOf(postgresStore({ pool: isolated, schema }))).toBe('ERR_STORE_UNSUPPORTED')
    const client = await isolated.connect()
    const call = client.query(`SELECT ${schema}.commit_1('{}', '{}', '{}', '', 0, 1000, 1000, true)`)
    expect(await codeOf(call)).toBe('GU003')
    client.release()
    await isolated.end()
  })
})

describe('STORE-14', () => {
  test('STORE-14 checks alone see one instant, and wait for nobody', async () => {
    const { store, schema } = await freshStore()
    const old = await store.commit([put(1, null), put(2, null, 'secrets')])
    let versions: readonly string[] = old
    const work = { done: false }
    const writer = (async () => {
      for (let i = 0; i < 60; i++) {
        const next = await store.commit([put(1, versions[0] ?? ''), put(2, versions[1] ?? '', 'secrets')])
        versions = next
        await new Promise((resolve) => setTimeout(resolve, 4))
      }
      work.done = true
    })()
    let held = 0
    while (!work.done) {
      const [one, two] = [await store.get('states', key(1)), await store.get('secrets', key(2))]
      const code = await codeOf(
        store.commit([check(1, one?.version ?? ''), check(2, two?.version ?? '', 'secrets')]),
      )
      if (code === 'resolved') {
        // Both rows of a commit have its version, so half of one never passes.
        expect(one?.version).toBe(two?.version)
        held++
      }
    }
    await writer
    expect(held).toBeGreaterThan(0)
    expect(await codeOf(store.commit([check(1, old[0] ?? '')]))).toBe('ERR_STORE_CONFLICT')
    const other = await pool.connect()
    await other.query('BEGIN')
    await other.query(`SELECT 1 FROM ${schema}.states FOR UPDATE`)
    await store.commit([check(1, versions[0] ?? ''), check(9, null)])
    await other.query('ROLLBACK')
    other.release()
    await store.close()
  })
})

describe('STORE-15', () => {
  test('STORE-15 a row appended by a transaction that ends later is not missed by a reader', async () => {
    const { store, schema } = await freshStore()
    const other = await pool.connect()
    await other.query('BEGIN')
    await other.query(
      `SELECT ${schema}.commit_1('{69}', '{0,1}', '{00000000-0000-0000-0000-000000000000}', '\\x07', 0, 1000, 1000, true)`,
    )
    // Nor does the other wait for it.
    await store.commit([append(8)])
    const [first] = await collect(store.scan('queue', new Uint8Array(0)))
    expect(first?.bytes).toEqual(Uint8Array.of(8))
    await other.query('COMMIT')
    other.release()
    expect(await queueOf(store, first?.key)).toEqual([8, 7])
    await store.commit([append(9)])
    expect(await queueOf(store)).toEqual([8, 7, 9])
    await store.close()
  })

  test('STORE-15 readers that go on from their last key see every row, in one order', async () => {
    const { store } = await freshStore()
    const [writers, each, readers] = [6, 20, 3]
    let writing = true
    const follow = async (): Promise<readonly string[]> => {
      const seen: string[] = []
      let from = new Uint8Array(0)
      for (let last = false; !last; ) {
        last = !writing
        for await (const row of store.scan('queue', from)) {
          const text = `${row.key.join()}/${row.bytes.join()}`
          if (seen.at(-1) !== text) seen.push(text)
          from = new Uint8Array(row.key)
        }
      }
      return seen
    }
    const following = Array.from({ length: readers }, follow)
    await Promise.all(
      Array.from({ length: writers }, async (_, writer) => {
        for (let i = 0; i < each; i++) {
          await store.commit([{ step: 'append', table: 'queue', bytes: Uint8Array.of(writer, i) }])
        }
      }),
    )
    writing = false
    const [first = [], ...others] = await Promise.all(following)
    expect(first).toHaveLength(writers * each)
    for (const other of others) expect(other).toEqual(first)
    for (let writer = 0; writer < writers; writer++) {
      const mine = first
        .map((text) => text.split('/')[1] ?? '')
        .filter((text) => text.startsWith(`${writer},`))
      expect(mine).toEqual(Array.from({ length: each }, (_, i) => `${writer},${i}`))
    }
    await store.close()
  })
})

test('STORE-19 each role may do its own and nothing else', async () => {
  const { store, schema } = await freshStore()
  await store.commit([put(1, null), put(1, null, 'log'), append(1)])
  await pool.query(postgresRoles({ schema }))
  await pool.query(postgresRoles({ schema }))
  const as = async (role: string, sql: string): Promise<string> => {
    const client = await pool.connect()
    try {
      await client.query(`SET ROLE ${schema}_${role}`)
      return await codeOf(client.query(sql))
    } finally {
      client.release(true)
    }
  }
  const denied = '42501'
  const loginPool = (role: string): pg.Pool => poolOf(withOption(`role=${schema}_${role}`))
  const working = loginPool('vault')
  const worker = await postgresStore({ pool: working, schema })
  const [version = ''] = await worker.commit([put(2, null), append(2), check(3, null)])
  await worker.commit([{ step: 'delete', table: 'states', key: key(2), expected: version }])
  const [ring = ''] = await worker.commit([put(4, null, 'keyrings'), check(5, null, 'keyrings')])
  await worker.commit([put(4, null), check(4, ring, 'keyrings'), check(5, null, 'keyrings')])
  expect(await codeOf(worker.commit([put(5, null), check(4, null, 'keyrings')]))).toBe('ERR_STORE_CONFLICT')
  expect(await queueOf(worker)).toEqual([1, 2])
  expect((await worker.getMany?.([{ table: 'states', key: key(4) }]))?.[0]?.bytes).toBeDefined()
  for (const sql of [
    `DROP TABLE ${schema}.states`,
    `TRUNCATE ${schema}.states`,
    `CREATE TABLE ${schema}.more (a int)`,
    `UPDATE ${schema}.migration SET version = 2`,
    `ALTER TABLE ${schema}.states ADD COLUMN a int`,
  ])
    expect(await as('vault', sql)).toBe(denied)
  const reading = loginPool('auditor')
  const auditor = await postgresStore({ pool: reading, schema })
  await store.commit([append(3)])
  expect(await queueOf(auditor)).toEqual([1, 2])
  expect(await codeOf(auditor.commit([put(9, null)]))).toBe('ERR_STORE_READONLY')
  expect(await codeOf(auditor.get('states', key(1)))).toBe('ERR_STORE_READONLY')
  expect(await as('auditor', `SELECT * FROM ${schema}.log`)).toBe('resolved')
  for (const table of ['references', 'secrets', 'states', 'index', 'attempts', 'keyrings', 'queue_head']) {
    expect(await as('auditor', `SELECT * FROM ${schema}."${table}"`)).toBe(denied)
  }
  expect(await as('auditor', `DELETE FROM ${schema}.queue`)).toBe(denied)
  expect(await as('migrator', `ALTER TABLE ${schema}.states ADD COLUMN a int`)).toBe('resolved')
  await Promise.all([worker.close(), auditor.close(), store.close()])
  await Promise.all([working.end(), reading.end()])
  const roles = ['vault', 'auditor', 'migrator'].map((role) => `${schema}_${role}`).join(', ')
  await pool.query(`DROP SCHEMA ${schema} CASCADE; DROP ROLE ${roles}`)
})
