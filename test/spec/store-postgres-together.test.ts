/** SPEC §10.5: calls that share a statement in PostgreSQL, on a real server. @module */

import type { Store, StoreStep } from 'guise'
import { migratePostgres, type PostgresPool, postgresStore } from 'guise/postgres'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readRows } from '../../src/store/read-rows.ts'
import { freshSchema, poolOf, type TestServer, testServer } from '../support/postgres.ts'
import { answeringPool, recordingPool, type Sent } from '../support/postgres-pools.ts'
import { codeOf } from '../support/vault.ts'

let server: TestServer
let pool: pg.Pool
let schema = ''
let number = 0

beforeAll(async () => {
  server = await testServer()
  pool = poolOf(server.url, 12)
  schema = freshSchema()
  await migratePostgres(pool, { schema })
}, 120_000)

afterAll(async () => {
  await server?.stop()
  await pool?.end()
}, 60_000)

const CALLS = 48
const numbers: readonly number[] = Array.from({ length: CALLS }, (_, i) => i)
const freshKey = (): Uint8Array => Uint8Array.of(9, number >> 8, number++ & 255)
const isCommit = ({ text }: Sent): boolean => text.includes('commit_1')

function put(key: Uint8Array, expected: string | null = null): StoreStep {
  return { step: 'put', table: 'states', key, bytes: Uint8Array.of(1, ...key), expected }
}

function open(from: PostgresPool = pool, waits = {}): Promise<Store> {
  return postgresStore({ pool: from, schema, ...waits })
}

test('STORE-24 commits that come at once share statements, and each gives the version of its own row', async () => {
  const sent: Sent[] = []
  const store = await open(recordingPool(pool, sent))
  const keys = numbers.map(freshKey)
  const shared = freshKey()
  const [version = ''] = await store.commit([put(shared)])
  sent.length = 0
  const check: StoreStep = { step: 'check', table: 'states', key: shared, expected: version }
  const append: StoreStep = { step: 'append', table: 'queue', bytes: Uint8Array.of(7) }
  const answers = await Promise.all(keys.map((key) => store.commit([check, put(key), append])))
  expect(sent.filter(isCommit).length).toBeLessThan(CALLS / 4)
  for (const [i, key] of keys.entries()) {
    const row = await store.get('states', key)
    expect(row?.bytes).toEqual(Uint8Array.of(1, ...key))
    expect(answers[i]).toEqual(['', row?.version, row?.version])
  }
  let appended = 0
  for await (const _ of store.scan('queue', new Uint8Array(0))) appended += 1
  expect(appended).toBe(CALLS)
  await store.close()
})

test('STORE-24 an expectation that fails stops nobody else, and is told by its own step', async () => {
  const store = await open()
  const keys = numbers.map(freshKey)
  const taken = new Set([3, 11, 12, 40])
  for (const i of taken) await store.commit([put(keys[i] as Uint8Array)])
  const commit = (key: Uint8Array): Promise<unknown> =>
    store.commit([put(freshKey()), put(key)]).catch((error: unknown) => error)
  const outcomes = await Promise.all(keys.map(commit))
  for (const [i, outcome] of outcomes.entries()) {
    if (!taken.has(i)) expect(outcome).toHaveLength(2)
    else {
      expect(outcome).toMatchObject({ code: 'ERR_STORE_CONFLICT' })
      expect((outcome as Error).message).toContain('steps[1] (put in states)')
    }
  }
  await store.close()
})

test('STORE-24 a row that another session holds keeps only those waiting who name it', async () => {
  const store = await open(pool, { lockTimeoutMs: 2500 })
  const held = freshKey()
  const [version = ''] = await store.commit([put(held)])
  const client = await pool.connect()
  await client.query('BEGIN')
  await client.query(`SELECT 1 FROM ${schema}.states WHERE key = $1 FOR UPDATE`, [held])
  const begin = performance.now()
  const waiting = codeOf(store.commit([put(held, version)]))
  const others = await Promise.all(numbers.map(() => codeOf(store.commit([put(freshKey())]))))
  expect(performance.now() - begin).toBeLessThan(2000)
  expect(new Set(others)).toEqual(new Set(['resolved']))
  expect(await waiting).toBe('ERR_STORE_BUSY')
  expect(performance.now() - begin).toBeGreaterThan(2400)
  await client.query('ROLLBACK')
  client.release()
  expect((await store.get('states', held))?.version).toBe(version)
  await store.close()
})

test('STORE-24 a fault after which nothing was written makes nobody fail who would not have failed alone', async () => {
  const poison = freshKey()
  const hex = Buffer.from(poison).toString('hex')
  const store = await open(
    answeringPool(pool, async (_text, values, ask) => {
      const block = values[3]
      if (block instanceof Uint8Array && Buffer.from(block).toString('hex').includes(hex)) {
        throw Object.assign(new Error('as a test wants it'), { code: 'XX001' })
      }
      return await ask()
    }),
  )
  const keys = [...numbers.map(freshKey), poison]
  const outcomes = await Promise.all(keys.map((key) => codeOf(store.commit([put(key)]))))
  expect(outcomes.pop()).toBe('ERR_STORE_FAILED')
  expect(new Set(outcomes)).toEqual(new Set(['resolved']))
  await store.close()
})

test('STORE-24 a lost answer leaves all open that shared the statement, and none of them half done', async () => {
  let lost = 0
  const store = await open(
    answeringPool(pool, async (text, values, ask) => {
      const answer = await ask()
      if (text.includes('commit_1') && String(values[0]).split(',').length > 4 && lost++ === 0) {
        throw Object.assign(new Error('as a test wants it'), { code: 'ECONNRESET' })
      }
      return answer
    }),
  )
  const pairs = numbers.map(() => [freshKey(), freshKey()] as const)
  const outcomes = await Promise.all(pairs.map(([a, b]) => codeOf(store.commit([put(a), put(b)]))))
  const open_ = outcomes.filter((outcome) => outcome === 'ERR_STORE_INDETERMINATE')
  expect(open_.length).toBeGreaterThan(1)
  expect(outcomes.filter((outcome) => outcome === 'resolved')).toHaveLength(CALLS - open_.length)
  for (const [a, b] of pairs) {
    const [first, second] = [await store.get('states', a), await store.get('states', b)]
    expect(first?.version).toBe(second?.version)
  }
  await store.close()
})

test('STORE-24 a commit that is called off while it waits writes nothing; the others go on', async () => {
  const store = await open()
  const keys = numbers.map(freshKey)
  const controller = new AbortController()
  const outcomes = keys.map((key, i) =>
    codeOf(store.commit([put(key)], i % 8 === 7 ? { signal: controller.signal } : {})),
  )
  controller.abort()
  for (const [i, outcome] of (await Promise.all(outcomes)).entries()) {
    const written = (await store.get('states', keys[i] as Uint8Array)) !== undefined
    expect(written).toBe(i % 8 !== 7)
    expect(outcome === 'resolved').toBe(written)
  }
  await store.close()
})

test('STORE-24 readings that come at once share statements, and each follows its own rows', async () => {
  const sent: Sent[] = []
  const store = await open(recordingPool(pool, sent))
  const keys = numbers.map(freshKey)
  await store.commit(keys.map((key) => put(key)))
  sent.length = 0
  // The bytes of a row are a one and its key: read on from there.
  const readings = await Promise.all(
    keys.map((key, i) =>
      readRows(store, [
        { table: 'states', key: i % 5 === 0 ? freshKey() : key },
        { table: 'states', key: [{ row: 0, at: 1, length: 3 }] },
      ]),
    ),
  )
  expect(sent.length).toBeLessThan(CALLS / 4)
  for (const [i, rows] of readings.entries()) {
    const [first, second] = rows
    if (i % 5 === 0) expect([first, second]).toEqual([undefined, undefined])
    else {
      expect(first?.key).toEqual(keys[i])
      expect(second).toEqual(first)
    }
  }
  await store.close()
})

test('STORE-24 large commits share no statement that is larger than a mebibyte', async () => {
  const sent: Sent[] = []
  const store = await open(recordingPool(pool, sent))
  const size = 60_000
  const commit = (): Promise<unknown> =>
    store.commit([
      { step: 'put', table: 'states', key: freshKey(), bytes: new Uint8Array(size), expected: null },
    ])
  await Promise.all(Array.from({ length: 60 }, commit))
  const sizes = sent.filter(isCommit).map(({ values }) => (values[3] as Uint8Array).length)
  expect(sizes.reduce((sum, bytes) => sum + bytes, 0)).toBeGreaterThan(60 * size)
  expect(Math.max(...sizes)).toBeLessThan(1_100_000)
  expect(Math.max(...sizes)).toBeGreaterThan(size + 100)
  await store.close()
})
