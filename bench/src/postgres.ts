/** What does a verify on PostgreSQL cost beside reading a plaintext vector and counting the attempt? @module */

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Pool } from 'pg'
import { openVault } from '../../dist/index.js'
import { migratePostgres, postgresStore } from '../../dist/postgres.js'
import { enrollRequest, makePeople, type Person, pick, vaultOptions, verifyRequest } from './people.ts'
import { selectThenCount, sharedKeyProvider, singleConnection, withServer } from './postgres-server.ts'
import type { Crowd, Share } from './postgres-worker.ts'
import type { Plan, Scenario, Series } from './scenario.ts'

const SHAPE = { bits: 512, dimensions: 512, custody: 'operator' } as const
const PROCESSES = 4
const PLAIN = 'plaintext: select, then count'
const CROWD = `${PROCESSES} processes of 16 connections`
const TOGETHER = `match, ${CROWD}`
const PLAIN_TOGETHER = `${PLAIN}, ${CROWD}`

export const postgresScenario: Scenario = {
  name: 'postgres',
  question:
    'vault.verify on PostgreSQL, beside a plaintext select and a durable counter on the same connection',
  notes: [
    'single calls: one connection for both, turn by turn; one reading and one commit on both sides',
    'together: one realm, other subjects each; processor time of the server not counted',
  ],
  repeats: true,
  claims: [
    { series: 'match', over: { variant: 'guise', series: PLAIN }, most: 1.3 },
    { series: 'nonmatch', over: { variant: 'guise', series: PLAIN }, most: 1.3 },
    { series: TOGETHER, most: 1e6 / 3000 },
  ],
  variants: [{ name: 'guise', role: 'ours', run: ours }],
}

function ours(plan: Plan): Promise<readonly Series[]> {
  return withServer(plan.folder, async (url) => {
    const schema = `bench_${process.pid}`
    const pool = singleConnection(url)
    await migratePostgres(pool, { schema })
    const people = await makePeople(plan.seed, Math.max(plan.people, 16))
    await enrolAll(url, schema, people)
    const single = await oneConnection(pool, schema, people, plan.calls)
    const crowd = { url, schema, plan, processes: PROCESSES, people: people.length }
    const together = [
      ...(await manyProcesses({ ...crowd, kind: 'guise' })),
      ...(await manyProcesses({ ...crowd, kind: 'plaintext' })),
    ]
    await pool.query(`DROP SCHEMA "${schema}" CASCADE`)
    await pool.end()
    return [...single, ...together]
  })
}

async function enrolAll(url: string, schema: string, people: readonly Person[]): Promise<void> {
  const pool = new Pool({ connectionString: url, max: 8 })
  const store = await postgresStore({ pool, schema })
  const vault = await openVault(await vaultOptions(store, SHAPE, sharedKeyProvider()))
  for await (const result of vault.enrollMany(people.map((person) => enrollRequest(person)))) {
    if (!result.ok) throw result.error
  }
  await vault.close()
  await store.close()
  await pool.end()
}

/** All kinds turn by turn, so that whatever slows the machine down meets all of them. */
async function oneConnection(
  pool: Pool,
  schema: string,
  people: readonly Person[],
  calls: number,
): Promise<readonly Series[]> {
  const plain = `"${schema}".plain`
  await pool.query(
    `CREATE TABLE ${plain} (subject text PRIMARY KEY, embedding bytea NOT NULL, attempts integer NOT NULL DEFAULT 0)
     WITH (fillfactor = 70)`,
  )
  for (const { subject, vector } of people) {
    await pool.query(`INSERT INTO ${plain} VALUES ($1, $2)`, [subject, Buffer.from(vector.slice().buffer)])
  }
  const store = await postgresStore({ pool, schema })
  const vault = await openVault(await vaultOptions(store, SHAPE, sharedKeyProvider(), 'open'))
  const kinds: Record<string, (turn: number) => Promise<unknown>> = {
    match: (turn) => vault.verify(verifyRequest(pick(people, turn).subject, pick(people, turn))),
    nonmatch: (turn) => vault.verify(verifyRequest(pick(people, turn).subject, pick(people, turn + 1))),
    [PLAIN]: (turn) => selectThenCount(pool, schema, pick(people, turn).subject),
  }
  const values = new Map(Object.keys(kinds).map((kind) => [kind, [] as number[]]))
  const warm = Math.ceil(calls / 2)
  for (let turn = 0; turn < warm + calls; turn++) {
    for (const [kind, call] of Object.entries(kinds)) {
      const begin = performance.now()
      await call(turn)
      if (turn >= warm) values.get(kind)?.push((performance.now() - begin) * 1000)
    }
  }
  await vault.close()
  await store.close()
  return [...values].map(([name, of]) => ({ name, unit: 'µs', values: of }))
}

/** Microseconds of wall time for each verify of all processes together, and of processor time in the processes. */
async function manyProcesses(crowd: Omit<Crowd, 'number'>): Promise<readonly Series[]> {
  const children = Array.from({ length: crowd.processes }, () =>
    fork(new URL('./postgres-worker.js', import.meta.url), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] }),
  )
  const ready = children.map((child) => once(child, 'message'))
  for (const [number, child] of children.entries()) child.send({ ...crowd, number })
  await Promise.all(ready)
  const answers = children.map((child) => once(child, 'message'))
  for (const child of children) child.send('go')
  const shares = (await Promise.all(answers)).map(([share]) => share as Share)
  const perSecond = shares.reduce((sum, { calls, ms }) => sum + (calls * 1000) / ms, 0)
  const calls = shares.reduce((sum, share) => sum + share.calls, 0)
  const processorMs = shares.reduce((sum, share) => sum + share.processorMs, 0)
  const name = crowd.kind === 'guise' ? TOGETHER : PLAIN_TOGETHER
  return [
    { name, unit: 'µs', values: [1e6 / perSecond] },
    { name: `${name}: processor time`, unit: 'µs', values: [(processorMs * 1000) / calls] },
  ]
}
