/** One of several processes that verify at once on one realm in PostgreSQL. @module */

import { Pool } from 'pg'
import { openVault } from '../../dist/index.js'
import { postgresStore } from '../../dist/postgres.js'
import { makePeople, type Person, pick, vaultOptions, verifyRequest } from './people.ts'
import { selectThenCount, sharedKeyProvider } from './postgres-server.ts'
import type { Plan } from './scenario.ts'

/** What a process is told. */
export interface Crowd {
  readonly url: string
  readonly schema: string
  readonly plan: Plan
  readonly processes: number
  readonly people: number
  readonly number: number
  /** Verifies, or selects a plaintext vector and counts. */
  readonly kind: 'guise' | 'plaintext'
}

/** What a process found out. */
export interface Share {
  readonly calls: number
  readonly ms: number
  readonly processorMs: number
}

const CONNECTIONS = 16
/** Enough that no connection waits for a comparison. */
const WIDTH = 2 * CONNECTIONS
/** Compilers settle only after some thousands of calls. */
const LONG = 20

process.once('message', (message) => {
  work(message as Crowd).then(
    (share) => process.send?.(share, () => process.exit(0)),
    (error: unknown) => {
      console.error(error)
      process.exit(1)
    },
  )
})

/** What one of them does for a person, and how it ends. */
interface Worker {
  readonly one: (person: Person) => Promise<void>
  readonly end: () => Promise<void>
}

async function verifier({ schema }: Crowd, pool: Pool): Promise<Worker> {
  const store = await postgresStore({ pool, schema })
  const shape = { bits: 512, dimensions: 512, custody: 'operator' } as const
  const vault = await openVault(await vaultOptions(store, shape, sharedKeyProvider(), 'open'))
  const one = async (person: Person): Promise<void> => {
    const { outcome } = await vault.verify(verifyRequest(person.subject, person))
    if (outcome !== 'match') throw new Error(outcome)
  }
  return {
    one,
    end: async () => {
      await vault.close()
      await store.close()
    },
  }
}

function selector({ schema }: Crowd, pool: Pool): Worker {
  return { one: ({ subject }) => selectThenCount(pool, schema, subject), end: async () => undefined }
}

async function work(crowd: Crowd): Promise<Share> {
  const { url, plan, processes, people: count, number } = crowd
  const pool = new Pool({ connectionString: url, max: CONNECTIONS })
  const worker = crowd.kind === 'guise' ? await verifier(crowd, pool) : selector(crowd, pool)
  const people = (await makePeople(plan.seed, count)).filter((_, at) => at % processes === number)
  const run = async (calls: number): Promise<void> => {
    let next = 0
    const lane = async (): Promise<void> => {
      while (next < calls) await worker.one(pick(people, next++))
    }
    await Promise.all(Array.from({ length: WIDTH }, lane))
  }
  await run(LONG * plan.calls)
  process.send?.('ready')
  await new Promise((resolve) => process.once('message', resolve))
  const used = process.cpuUsage()
  const begin = performance.now()
  const calls = LONG * plan.calls
  await run(calls)
  const ms = performance.now() - begin
  const { user, system } = process.cpuUsage(used)
  await worker.end()
  await pool.end()
  return { calls, ms, processorMs: (user + system) / 1000 }
}
