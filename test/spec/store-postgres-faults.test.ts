/** SPEC §10.5: what the store on PostgreSQL refuses, waits for, and knows of an outcome. @module */

import type { Store, StoreStep } from 'guise'
import {
  migratePostgres,
  type PostgresPool,
  postgresRoles,
  postgresSchema,
  postgresStore,
} from 'guise/postgres'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
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

const freshKey = (): Uint8Array => Uint8Array.of(5, number >> 8, number++ & 255)

function put(key: Uint8Array, expected: string | null = null): StoreStep {
  return { step: 'put', table: 'states', key, bytes: Uint8Array.of(1, 2, 3), expected }
}

const open = (from: PostgresPool = pool, waits = {}): Promise<Store> =>
  postgresStore({ pool: from, schema, ...waits })

function sqlError(code: string, more: object = {}): Error {
  return Object.assign(new Error('as a test wants it'), { code, severity: 'ERROR', ...more })
}

const isCommit = (text: string): boolean => text.includes('commit_1')

/** A pool whose server claims other settings. */
function claiming(claim: object): PostgresPool {
  return answeringPool(pool, async (text, _values, ask) => {
    const { rows } = await ask()
    return text.includes('server_version_num') ? { rows: [{ ...(rows[0] as object), ...claim }] } : { rows }
  })
}

describe('STORE-16', () => {
  test.each([
    [{ fsync: 'off' }, 'ERR_STORE_UNSUPPORTED', false],
    [{ full_page_writes: 'off' }, 'ERR_STORE_UNSUPPORTED', false],
    [{ synchronous_commit: 'off' }, 'ERR_STORE_UNSUPPORTED', false],
    [{ server_version_num: '130014' }, 'ERR_STORE_UNSUPPORTED', undefined],
    [{ standby: true }, 'ERR_STORE_READONLY', undefined],
    [{ default_transaction_read_only: 'on' }, 'ERR_STORE_READONLY', undefined],
    [{ synchronous_commit: 'local' }, 'resolved', true],
    [{}, 'resolved', true],
  ])('STORE-16 a server with %j: %s', async (claim, outcome, durable) => {
    expect(await codeOf(open(claiming(claim)))).toBe(outcome)
    const unsafe = open(claiming(claim), { allowUnsafeDurability: true })
    if (durable === undefined) expect(await codeOf(unsafe)).toBe(outcome)
    else expect((await unsafe).durable).toBe(durable)
  })

  test('STORE-16 a session that does not flush is found, and a commit waits for the flush whatever the session says', async () => {
    const withOption = (option: string): pg.Pool =>
      poolOf(`${server.url}?options=${encodeURIComponent(`-c ${option}`)}`)
    const careless = withOption('synchronous_commit=off')
    expect(await codeOf(open(careless))).toBe('ERR_STORE_UNSUPPORTED')
    for (const durable of [true, false]) {
      const client = await careless.connect()
      await client.query('BEGIN')
      await client.query(`SELECT ${schema}.commit_1('{}', '{}', '{}', '', 0, 1000, 1000, $1)`, [durable])
      const { rows } = await client.query('SHOW synchronous_commit')
      expect(rows).toEqual([{ synchronous_commit: durable ? 'on' : 'off' }])
      await client.query('COMMIT')
      expect((await client.query('SHOW synchronous_commit')).rows).toEqual([{ synchronous_commit: 'off' }])
      client.release()
    }
    const sent: Sent[] = []
    const unsafe = await open(recordingPool(careless, sent), { allowUnsafeDurability: true })
    await unsafe.commit([put(freshKey())])
    expect(sent.at(-1)?.values.at(-1)).toBe(false)
    await careless.end()
  })
})

describe('STORE-17', () => {
  test('STORE-17 a commit that waits for a lock too long is busy, and wrote nothing', async () => {
    const store = await open(pool, { lockTimeoutMs: 400 })
    const [held, other] = [freshKey(), freshKey()]
    const [version = ''] = await store.commit([put(held)])
    const client = await pool.connect()
    await client.query('BEGIN')
    await client.query(`SELECT 1 FROM ${schema}.states WHERE key = $1 FOR UPDATE`, [held])
    expect(await codeOf(store.commit([put(other), put(held, version)]))).toBe('ERR_STORE_BUSY')
    expect(await store.get('states', other)).toBeUndefined()
    // Many locks, each free in time, are together too late.
    const hasty = await open(pool, { lockTimeoutMs: 3000, statementTimeoutMs: 100 })
    const later = freshKey()
    const waiting = codeOf(hasty.commit([put(held, version), put(later)]))
    await new Promise((resolve) => setTimeout(resolve, 120))
    await client.query('ROLLBACK')
    client.release()
    expect(await waiting).toBe('ERR_STORE_BUSY')
    expect(await store.get('states', later)).toBeUndefined()
    await store.commit([put(other), put(held, version)])
  })

  test('STORE-17 a session that is ended during a commit leaves the outcome open', async () => {
    const store = await open()
    const held = freshKey()
    const [version = ''] = await store.commit([put(held)])
    const client = await pool.connect()
    await client.query('BEGIN')
    await client.query(`SELECT 1 FROM ${schema}.states WHERE key = $1 FOR UPDATE`, [held])
    const outcome = codeOf(store.commit([put(held, version)]))
    for (let ended = 0; ended === 0; ) {
      // Within a transaction the list of sessions would stay as it was seen first.
      const { rows } = await pool.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND query LIKE '%${schema}%commit_1%'`)
      ended = rows.length
    }
    expect(await outcome).toBe('ERR_STORE_INDETERMINATE')
    await client.query('ROLLBACK')
    client.release()
    expect((await store.get('states', held))?.version).toBe(version)
  })

  test.each([
    // What the server raises, whether the session lives on, and what a commit makes of it.
    ['53100', true, 'ERR_STORE_FULL'],
    ['53100', false, 'ERR_STORE_INDETERMINATE'],
    ['58030', true, 'ERR_STORE_FAILED'],
    ['58030', false, 'ERR_STORE_INDETERMINATE'],
    ['53200', true, 'ERR_STORE_BUSY'],
    ['57014', true, 'ERR_STORE_BUSY'],
    ['55P03', true, 'ERR_STORE_BUSY'],
    ['25006', true, 'ERR_STORE_READONLY'],
    ['42501', true, 'ERR_STORE_READONLY'],
    ['42883', true, 'ERR_STORE_UNSUPPORTED'],
    ['XX001', true, 'ERR_STORE_FAILED'],
    ['XX001', false, 'ERR_STORE_INDETERMINATE'],
    ['57P01', true, 'ERR_STORE_INDETERMINATE'],
    ['08P01', true, 'ERR_STORE_INDETERMINATE'],
    ['08006', false, 'ERR_STORE_INDETERMINATE'],
    ['EPIPE', false, 'ERR_STORE_INDETERMINATE'],
    ['ECONNRESET', false, 'ERR_STORE_INDETERMINATE'],
  ])('STORE-17 %s, session alive: %s, is %s', async (code, alive, expected) => {
    const store = await open(
      answeringPool(pool, async (text, _values, ask) => {
        if (isCommit(text)) throw sqlError(code)
        if (text === 'SELECT 1' && !alive) throw sqlError('ECONNRESET')
        return await ask()
      }),
    )
    expect(await codeOf(store.commit([put(freshKey())]))).toBe(expected)
  })

  test('STORE-17 what only reads is busy when its connection is lost', async () => {
    let cut = false
    const store = await open(
      answeringPool(pool, async (_text, _values, ask) => {
        if (cut) throw sqlError('ECONNRESET')
        return await ask()
      }),
    )
    cut = true
    const key = freshKey()
    const check: StoreStep = { step: 'check', table: 'states', key, expected: null }
    expect(await codeOf(store.get('states', key))).toBe('ERR_STORE_BUSY')
    expect(await codeOf(store.commit([check]))).toBe('ERR_STORE_BUSY')
    const scan = async (): Promise<void> => {
      for await (const _ of store.scan('queue', key)) break
    }
    expect(await codeOf(scan())).toBe('ERR_STORE_BUSY')
  })

  test('STORE-17 no connection, or none in time, is busy', async () => {
    const refusing = { connect: () => Promise.reject(sqlError('ECONNREFUSED')) }
    expect(await codeOf(open(refusing))).toBe('ERR_STORE_BUSY')
    expect(await codeOf(open({ connect: () => Promise.reject(sqlError('28P01')) }))).toBe('ERR_STORE_FAILED')
    const narrow = poolOf(server.url, 1)
    const store = await open(narrow, { lockTimeoutMs: 400 })
    const client = await narrow.connect()
    expect(await codeOf(store.commit([put(freshKey())]))).toBe('ERR_STORE_BUSY')
    const controller = new AbortController()
    const aborted = store
      .commit([put(freshKey())], { signal: controller.signal })
      .catch((error: unknown) => error)
    controller.abort()
    expect(await aborted).toBe(controller.signal.reason)
    client.release()
    // What came too late went back.
    await store.commit([put(freshKey())])
    await narrow.end()
  })

  test('STORE-17 a server that does not answer holds nobody up', async () => {
    let silent = false
    const released: unknown[] = []
    const quiet = answeringPool(pool, (_text, _values, ask) =>
      silent ? new Promise(() => undefined) : ask(),
    )
    const watched: PostgresPool = {
      connect: async () => {
        const client = await quiet.connect()
        return {
          ...client,
          release: (error) => {
            released.push(error)
            client.release(error)
          },
        }
      },
    }
    // A connection may take its time to be made; the statement may not.
    const store = await open(watched, { statementTimeoutMs: 60, lockTimeoutMs: 3000 })
    silent = true
    expect(await codeOf(store.commit([put(freshKey())]))).toBe('ERR_STORE_INDETERMINATE')
    expect(await codeOf(store.get('states', freshKey()))).toBe('ERR_STORE_BUSY')
    expect(released).toEqual([false, true, true])
  })

  test('STORE-17 collisions are tried again, a bounded number of times', async () => {
    let collisions = 0
    let calls = 0
    const store = await open(
      answeringPool(pool, async (text, _values, ask) => {
        if (!isCommit(text)) return await ask()
        calls++
        if (collisions-- > 0) throw sqlError(calls % 2 === 0 ? '40001' : '40P01')
        return await ask()
      }),
    )
    collisions = 3
    await store.commit([put(freshKey())])
    expect(calls).toBe(4)
    collisions = 1000
    calls = 0
    expect(await codeOf(store.commit([put(freshKey())]))).toBe('ERR_STORE_BUSY')
    expect(calls).toBe(8)
  })

  test('STORE-17 a wait for a standby that was called off leaves the outcome open', async () => {
    const listeners = new Map<string, (value: unknown) => void>()
    const noticing = answeringPool(
      pool,
      async (text, _values, ask) => {
        const answer = await ask()
        if (isCommit(text)) listeners.get('notice')?.({ routine: 'SyncRepWaitForLSN' })
        listeners.get('error')?.(new Error('heard'))
        return answer
      },
      listeners,
    )
    const store = await open(noticing)
    expect(await codeOf(store.commit([put(freshKey())]))).toBe('ERR_STORE_INDETERMINATE')
  })
})

test('STORE-20 keys and rows travel as parameters only, and no error of the server repeats them', async () => {
  const sent: Sent[] = []
  const store = await open(recordingPool(pool, sent))
  const secret = new TextEncoder().encode('realm-and-subject')
  const marks = ['realm-and-subject', Buffer.from(secret).toString('hex'), [...secret].join()]
  const [version = ''] = await store.commit([put(secret)])
  await store.get('states', secret)
  await store.commit([{ step: 'check', table: 'states', key: secret, expected: version }])
  for await (const _ of store.scan('states', secret)) break
  const errors: unknown[] = []
  const race = Array.from({ length: 6 }, () => store.commit([put(freshKey()), put(secret, version)]))
  for (const outcome of await Promise.allSettled(race)) {
    if (outcome.status === 'rejected') errors.push(outcome.reason)
  }
  errors.push(await store.commit([put(freshKey()), put(secret)]).catch((error: unknown) => error))
  expect(errors.length).toBeGreaterThan(4)
  const told = errors.map((error) => {
    const { message, cause } = error as Error & { cause?: object }
    return JSON.stringify([message, cause, cause instanceof Error ? cause.message : ''])
  })
  expect(sent.length).toBeGreaterThan(8)
  for (const text of [...sent.map((one) => one.text), ...told]) {
    for (const mark of marks) expect(text).not.toContain(mark)
  }
})

test('STORE-6 options are checked before anything happens', async () => {
  const bad: readonly unknown[] = [
    undefined,
    null,
    {},
    { pool: {} },
    { pool, schema: 'Guise' },
    { pool, schema: 'a"b' },
    { pool, schema: '' },
    { pool, schema: 'a'.repeat(49) },
    { pool, lockTimeoutMs: 0 },
    { pool, statementTimeoutMs: 1.5 },
    { pool, allowUnsafeDurability: 1 },
  ]
  for (const options of bad) {
    expect(await codeOf(postgresStore(options as { pool: pg.Pool }))).toBe('ERR_STORE_INPUT')
  }
  for (const schema of ['a"b', 'A', 'a'.repeat(49)]) {
    expect(await codeOf(migratePostgres(pool, { schema }))).toBe('ERR_STORE_INPUT')
    expect(() => postgresSchema({ schema })).toThrow('schema')
    expect(() => postgresRoles({ schema })).toThrow('schema')
  }
  expect(await codeOf(migratePostgres({} as pg.Pool))).toBe('ERR_STORE_INPUT')
  expect(await codeOf(migratePostgres({ connect: () => Promise.reject(new Error('no')) }))).toBe(
    'ERR_STORE_BUSY',
  )
})
