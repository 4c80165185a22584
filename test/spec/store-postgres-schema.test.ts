/** SPEC §10.5: the schema of a store on PostgreSQL, made, brought up and refused, on a real server. @module */

import type { StoreStep } from 'guise'
import { migratePostgres, postgresSchema, postgresStore } from 'guise/postgres'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freshSchema, poolOf, type TestServer, testServer } from '../support/postgres.ts'
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

function put(expected: string | null): StoreStep {
  return { step: 'put', table: 'states', key: Uint8Array.of(5), bytes: Uint8Array.of(1), expected }
}

describe('STORE-18', () => {
  test('STORE-18 migrations that run at once do their work once, beside a store at work', async () => {
    const schema = freshSchema()
    const results = await Promise.all(Array.from({ length: 5 }, () => migratePostgres(pool, { schema })))
    expect(results.map(({ from }) => from).sort((a, b) => a - b)).toEqual([0, 3, 3, 3, 3])
    const store = await postgresStore({ pool, schema })
    const client = await pool.connect()
    let version: string | null = null
    for (let i = 0; i < 10; i++) {
      const [[next = '']] = (await Promise.all([
        store.commit([put(version)]),
        migratePostgres(client, { schema }),
      ])) as [readonly string[], unknown]
      version = next
    }
    client.release()
    await store.close()
  })

  test('STORE-18 the script makes what the function makes', async () => {
    const [made, scripted] = [freshSchema(), freshSchema()]
    await migratePostgres(pool, { schema: made })
    await pool.query(postgresSchema({ schema: scripted }))
    const columns = async (schema: string): Promise<unknown> => {
      const { rows } = await pool.query(
        `SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns
         WHERE table_schema = $1 ORDER BY table_name, ordinal_position`,
        [schema],
      )
      return rows
    }
    expect(await columns(scripted)).toEqual(await columns(made))
    expect(await migratePostgres(pool, { schema: scripted })).toEqual({ from: 3, to: 3 })
    await (await postgresStore({ pool, schema: scripted })).close()
    expect(postgresSchema({ from: 3 })).toBe('BEGIN;\nCOMMIT;\n')
  })

  test('STORE-18 a schema of the version before is refused, brought up, and keeps its rows', async () => {
    const schema = freshSchema()
    const record = `INSERT INTO "${schema}".migration (version) VALUES (1);\n`
    const [first = ''] = postgresSchema({ schema }).split(record)
    await pool.query(`${first}${record}COMMIT;`)
    await pool.query(`INSERT INTO ${schema}.states VALUES ('a', 'b', gen_random_uuid())`)
    expect(await codeOf(postgresStore({ pool, schema }))).toBe('ERR_STORE_UNSUPPORTED')
    expect(await migratePostgres(pool, { schema })).toEqual({ from: 1, to: 3 })
    const store = await postgresStore({ pool, schema })
    const [row] = (await store.getMany?.([{ table: 'states', key: new TextEncoder().encode('a') }])) ?? []
    expect(row?.bytes).toEqual(new TextEncoder().encode('b'))
    await store.close()
    const scripted = freshSchema()
    await pool.query(`${first.replaceAll(schema, scripted)}${record.replaceAll(schema, scripted)}COMMIT;`)
    await pool.query(postgresSchema({ schema: scripted, from: 1 }))
    expect(await migratePostgres(pool, { schema: scripted })).toEqual({ from: 3, to: 3 })
  })

  test('POLICY-75 nothing of a row is sampled for the planner, and what was sampled before goes', async () => {
    const schema = freshSchema()
    const record = `INSERT INTO "${schema}".migration (version) VALUES (2);\n`
    const [first = ''] = postgresSchema({ schema }).split(record)
    await pool.query(`${first}${record}COMMIT;`)
    await pool.query(
      `INSERT INTO ${schema}.secrets SELECT sha256(n::text::bytea), sha512(n::text::bytea), gen_random_uuid() FROM generate_series(1, 200) AS n`,
    )
    const sampled = async (): Promise<unknown> => {
      await pool.query(`ANALYZE ${schema}.secrets`)
      const { rows } = await pool.query('SELECT attname FROM pg_stats WHERE schemaname = $1 ORDER BY 1', [
        schema,
      ])
      return rows.map((row: { attname: string }) => row.attname)
    }
    expect(await sampled()).toEqual(['bytes', 'key', 'version'])
    expect(await migratePostgres(pool, { schema })).toEqual({ from: 2, to: 3 })
    expect(await sampled()).toEqual(['version'])
    const { rows } = await pool.query(
      `SELECT count(*)::int AS n, bool_and(attstorage = 'e') AS external FROM pg_attribute
       WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind = 'r') AND attname = 'bytes'`,
      [schema],
    )
    expect(rows).toEqual([{ n: 11, external: true }])
  })

  test('STORE-18 a schema that is missing, newer or older is refused', async () => {
    expect(await codeOf(postgresStore({ pool, schema: 'never_made' }))).toBe('ERR_STORE_UNSUPPORTED')
    const schema = freshSchema()
    await migratePostgres(pool, { schema })
    await pool.query(`INSERT INTO ${schema}.migration (version) VALUES (4)`)
    expect(await codeOf(postgresStore({ pool, schema }))).toBe('ERR_STORE_UNSUPPORTED')
    expect(await codeOf(migratePostgres(pool, { schema }))).toBe('ERR_STORE_UNSUPPORTED')
    await pool.query(`DELETE FROM ${schema}.migration`)
    expect(await codeOf(postgresStore({ pool, schema }))).toBe('ERR_STORE_UNSUPPORTED')
  })
})
