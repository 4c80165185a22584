/** Four processes with four connections each, every verb on the same few people (I-26). @module */
/// <reference types="node" />

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type Fault, fsck } from 'guise/node'
import { migratePostgres } from 'guise/postgres'
import type { Pool } from 'pg'
import { freshSchema, poolOf, type TestServer } from '../support/postgres.ts'
import type { ContentionTally } from './contention-child.ts'
import { POSTGRES_WORLD } from './postgres-world.ts'
import { openWorld } from './vault-world.ts'

const PROCESSES = 4
const CONNECTIONS = 4
const LOCK_MS = 5000
/** Longer than the ten seconds that no call may take. */
const HELD_MS = 12_000

export interface ContentionOptions {
  readonly compiled: string
  readonly server: TestServer
  readonly durationMs: number
  readonly seed: number
  /**
   * Controls: `raw` lets errors through that are not the library's; `held` lets somebody hold every state row for
   * twelve seconds, and nobody give up before; `given up` does so with the time for a lock as it is.
   */
  readonly variant?: 'raw' | 'held' | 'given up'
}

export interface ContentionResult extends ContentionTally {
  /** Faults that fsck finds at the end. */
  readonly faults: readonly Fault[]
  /** The server's count of deadlocks. */
  readonly deadlocks: number
  /** The slowest commit of a row of its own, that nobody else wants, meanwhile: what the machine itself takes. */
  readonly bareMs: number
}

export async function contend(options: ContentionOptions): Promise<ContentionResult> {
  const { server, variant } = options
  const base = mkdtempSync(join(tmpdir(), 'guise-contention-'))
  const directory = join(base, 'store')
  mkdirSync(directory, { mode: 0o700 })
  const pool = poolOf(server.url, 2)
  const schema = freshSchema()
  await migratePostgres(pool, { schema })
  const lockMs = variant === 'held' ? 10 * HELD_MS : LOCK_MS
  process.env[POSTGRES_WORLD] = `${schema} ${server.url} ${CONNECTIONS} ${lockMs}`
  try {
    // The keys are made before anybody else opens them.
    await (await openWorld(directory)).close()
    const deadlocks = await deadlocksOf(pool)
    const work = Array.from({ length: PROCESSES }, (_, i) => new Worker(options, directory, i))
    await Promise.all(work.map((worker) => worker.ready))
    if (variant === 'held' || variant === 'given up') await holdRows(pool, schema)
    const state = { ended: false }
    const bare = slowestBareCommit(pool, schema, state)
    const tallies = await Promise.all(work.map((worker) => worker.tally))
    state.ended = true
    const bareMs = await bare
    const faults: Fault[] = []
    for await (const fault of checked(directory)) faults.push(fault)
    return { ...sum(tallies), faults, bareMs, deadlocks: (await deadlocksOf(pool)) - deadlocks }
  } finally {
    delete process.env[POSTGRES_WORLD]
    await pool.end()
    rmSync(base, { recursive: true, force: true })
  }
}

class Worker {
  readonly ready: Promise<unknown>
  readonly tally: Promise<ContentionTally>

  constructor({ compiled, durationMs, seed, variant }: ContentionOptions, directory: string, number: number) {
    const script = join(compiled, 'test', 'fault', 'contention-child.js')
    const child = spawn(
      process.execPath,
      [script, directory, `${seed + number}`, `${durationMs}`, variant ?? ''],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    const closed = once(child, 'close')
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    this.ready = lines.next()
    this.tally = this.ready.then(async () => {
      const { value, done } = await lines.next()
      if (done === true) throw new Error('a process ended before its time')
      await closed
      return JSON.parse(value) as ContentionTally
    })
  }
}

/** Somebody else holds the rows of all people who are there, a second after everybody has begun. */
async function holdRows(pool: Pool, schema: string): Promise<void> {
  const client = await pool.connect()
  for (let held = 0; held < 2; ) {
    await new Promise((resolve) => setTimeout(resolve, 1000))
    await client.query('BEGIN')
    held = (await client.query(`SELECT key FROM ${schema}.states FOR UPDATE`)).rows.length
    if (held < 2) await client.query('ROLLBACK')
  }
  await new Promise((resolve) => setTimeout(resolve, HELD_MS))
  await client.query('ROLLBACK')
  client.release()
}

async function slowestBareCommit(pool: Pool, schema: string, state: { ended: boolean }): Promise<number> {
  let slowestMs = 0
  await pool.query(`CREATE TABLE ${schema}.bare (number bigint)`)
  while (!state.ended) {
    const begunMs = performance.now()
    await pool.query(`INSERT INTO ${schema}.bare VALUES (1)`)
    slowestMs = Math.max(slowestMs, Math.round(performance.now() - begunMs))
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return slowestMs
}

async function* checked(directory: string): AsyncGenerator<Fault> {
  const world = await openWorld(directory)
  try {
    yield* fsck({ keyring: world.keyring, store: world.ctx.store as never })
  } finally {
    await world.close()
  }
}

function sum(tallies: readonly ContentionTally[]): ContentionTally {
  const outcomes: Record<string, number> = {}
  for (const tally of tallies) {
    for (const [name, count] of Object.entries(tally.outcomes)) {
      outcomes[name] = (outcomes[name] ?? 0) + count
    }
  }
  return {
    calls: tallies.reduce((total, { calls }) => total + calls, 0),
    slowestMs: Math.max(...tallies.map(({ slowestMs }) => slowestMs)),
    late: tallies.flatMap(({ late }) => late),
    outcomes,
    untyped: tallies.flatMap(({ untyped }) => untyped),
  }
}

async function deadlocksOf(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ deadlocks: string }>(
    'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()',
  )
  return Number(rows[0]?.deadlocks)
}
