/** Trials of the store on PostgreSQL: connections cut at random bytes, servers that end at once (I-15, I-16). @module */
/// <reference types="node" />

import type { Store } from 'guise'
import { migratePostgres, type PostgresPool, postgresStore } from 'guise/postgres'
import { freshSchema, type OwnServer, poolOf, type TestServer } from '../support/postgres.ts'
import { codeOf } from '../support/vault.ts'
import { seeded } from './driver.ts'
import { CuttingProxy } from './proxy.ts'

export interface CutResult {
  readonly cuts: number
  readonly commits: number
  readonly indeterminate: number
  /** Of those, how many turned out to have been carried out. */
  readonly carriedOut: number
  readonly untyped: readonly string[]
  /** How far the rows are from what was added to them. */
  readonly off: number
  /** Rows of the queue that are out of order, twice there, or missing. */
  readonly torn: number
  readonly slowestMs: number
}

/** A server of the test itself, which it may break. */
type Server = TestServer & { readonly own: OwnServer }

const WAIT_MS = 150
const LANES = 4

/**
 * Four lanes add one to rows of their own through a proxy that cuts a connection again and again, and append a row of
 * the queue in the same commit. After a lost answer a lane looks, and tries again with what it finds as expectation.
 * `blind` is the control: it takes every lost answer for a commit that did not happen, and adds one more.
 */
export async function cutTrial(
  server: Server,
  options: { readonly cuts: number; readonly seed: number; readonly blind?: true },
): Promise<CutResult> {
  const random = seeded(options.seed)
  const proxy = await CuttingProxy.start(server.own.port)
  const direct = poolOf(server.url, 6)
  const schema = freshSchema()
  await migratePostgres(direct, { schema })
  // Without a limit a connection that falls silent while it is made would keep its place for ever.
  const pool = poolOf(server.url.replace(`:${server.own.port}/`, `:${proxy.port}/`), LANES, WAIT_MS)
  const store = await postgresStore({ pool, schema, lockTimeoutMs: WAIT_MS, statementTimeoutMs: WAIT_MS })
  const truth = await postgresStore({ pool: direct, schema })
  const counts = { commits: 0, indeterminate: 0, carriedOut: 0, off: 0, torn: 0, slowestMs: 0 }
  const untyped: string[] = []
  const arm = (): void =>
    proxy.arm({
      side: random() < 0.5 ? 'request' : 'answer',
      afterBytes: Math.floor(random() * 900),
      how: random() < 0.8 ? 'reset' : 'silence',
    })
  const add = async (key: Uint8Array, target: number): Promise<void> => {
    for (let unsure = false; ; ) {
      const row = await truth.get('states', key)
      const have = row === undefined ? 0 : countOf(row.bytes)
      if (options.blind !== true && have === target) {
        if (unsure) counts.carriedOut++
        else untyped.push('a commit that wrote nothing wrote')
        return
      }
      const bytes = countBytes(key, have + 1)
      const begun = performance.now()
      const outcome = await codeOf(
        store.commit([
          { step: 'put', table: 'states', key, bytes, expected: row?.version ?? null },
          { step: 'append', table: 'queue', bytes },
        ]),
      )
      counts.slowestMs = Math.max(counts.slowestMs, Math.round(performance.now() - begun))
      counts.commits++
      if (outcome === 'resolved') return
      if (outcome === 'ERR_STORE_INDETERMINATE') {
        counts.indeterminate++
        unsure = true
      } else if (outcome !== 'ERR_STORE_BUSY' && !(unsure && outcome === 'ERR_STORE_CONFLICT')) {
        untyped.push(outcome)
      }
    }
  }
  const lane = async (number: number): Promise<void> => {
    const key = Uint8Array.of(7, number)
    let added = 0
    while (proxy.cuts < options.cuts) {
      if (random() < 0.3) arm()
      await add(key, ++added)
    }
    proxy.disarm()
    const row = await truth.get('states', key)
    counts.off += Math.abs(added - (row === undefined ? 0 : countOf(row.bytes)))
  }
  try {
    await Promise.all(Array.from({ length: LANES }, (_, number) => lane(number)))
    counts.torn = await tornRows(truth)
    return { ...counts, cuts: proxy.cuts, untyped }
  } finally {
    await proxy.close()
    await pool.end()
    await direct.query(`DROP SCHEMA ${schema} CASCADE`)
    await direct.end()
  }
}

/** Each count of a lane stands once in the queue, in order, up to the count of its row. */
async function tornRows(truth: Store): Promise<number> {
  let torn = 0
  const last = new Map<number, number>()
  for await (const { bytes } of truth.scan('queue', new Uint8Array(0))) {
    const lane = bytes[0] ?? 0
    const count = countOf(bytes)
    if (count !== (last.get(lane) ?? 0) + 1) torn++
    last.set(lane, count)
  }
  for (let lane = 0; lane < LANES; lane++) {
    const row = await truth.get('states', Uint8Array.of(7, lane))
    if ((row === undefined ? 0 : countOf(row.bytes)) !== (last.get(lane) ?? 0)) torn++
  }
  return torn
}

function countBytes(key: Uint8Array, count: number): Uint8Array {
  const bytes = new Uint8Array(5).fill(key[1] ?? 0)
  new DataView(bytes.buffer).setUint32(1, count)
  return bytes
}

function countOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(1)
}

export interface CrashResult {
  readonly crashes: number
  readonly acknowledged: number
  readonly lost: number
}

/**
 * Writers, each time as many as chance says, add rows while the server is ended at once, again and again; after each
 * start every acknowledged row is looked for. The control `unsafe` works on a server that acknowledges before it flushes.
 */
export async function crashTrial(
  server: Server,
  options: {
    readonly crashes: number
    readonly writers: readonly [least: number, most: number]
    readonly seed: number
    /** Commits that are acknowledged between two crashes, on an average. */
    readonly acknowledged: number
    readonly unsafe?: true
  },
): Promise<CrashResult> {
  const random = seeded(options.seed)
  const [least, most] = options.writers
  const pool = poolOf(server.url, most + 2)
  const schema = freshSchema()
  await migratePostgres(pool, { schema })
  const result = { crashes: 0, acknowledged: 0, lost: 0 }
  const open = (): Promise<Store> => openSoon(pool, schema, options.unsafe === true)
  let number = 0
  for (; result.crashes < options.crashes; result.crashes++) {
    const store = await open()
    const acknowledged: number[] = []
    const state = { ended: false }
    const wanted = Math.floor(2 * options.acknowledged * random())
    const writers = Array.from({ length: least + Math.floor((most - least + 1) * random()) }, async () => {
      while (!state.ended) {
        const mine = number++
        const step = {
          step: 'put',
          table: 'log',
          key: keyOf(mine),
          bytes: keyOf(mine),
          expected: null,
        } as const
        try {
          await store.commit([step, { step: 'append', table: 'queue', bytes: keyOf(mine) }])
          acknowledged.push(mine)
        } catch {
          return
        }
      }
    })
    do await new Promise((resolve) => setTimeout(resolve, 5 + random() * 20))
    while (acknowledged.length < wanted)
    await server.own.crash()
    state.ended = true
    await Promise.all(writers)
    await server.own.start()
    const reopened = await open()
    const queued = await numbersIn(reopened, 'queue')
    const logged = await numbersIn(reopened, 'log')
    for (const mine of acknowledged) if (!logged.has(mine) || !queued.has(mine)) result.lost++
    result.acknowledged += acknowledged.length
    await pool.query(`TRUNCATE ${schema}.log, ${schema}.queue`)
  }
  await pool.end()
  return result
}

async function numbersIn(store: Store, table: 'queue' | 'log'): Promise<ReadonlySet<number>> {
  const numbers = new Set<number>()
  for await (const { bytes } of store.scan(table, new Uint8Array(0))) numbers.add(numberOf(bytes))
  return numbers
}

async function openSoon(pool: PostgresPool, schema: string, unsafe: boolean): Promise<Store> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await postgresStore({ pool, schema, allowUnsafeDurability: unsafe })
    } catch (error) {
      if (attempt > 100 || (error as { code?: unknown }).code !== 'ERR_STORE_BUSY') throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

function keyOf(number: number): Uint8Array {
  const bytes = new Uint8Array(5).fill(9)
  new DataView(bytes.buffer).setUint32(1, number)
  return bytes
}

function numberOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(1)
}
