/** What does it bring to divide a gallery over processes, with PostgreSQL as the shared truth? @module */

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { Pool } from 'pg'
import { type GalleryPart, openVault, type Vault } from '../../dist/index.js'
import { migratePostgres, postgresStore } from '../../dist/postgres.js'
import { syntheticPeople } from '../../dist/testing.js'
import { quantile } from './figures.ts'
import type { PartTask, PartTold } from './identify-parts-worker.ts'
import {
  enrollRequest,
  GALLERY_SHAPE,
  galleryOptions,
  type Person,
  pick,
  vaultOptions,
  verifyRequest,
} from './people.ts'
import { sharedKeyProvider, withServer } from './postgres-server.ts'
import type { Plan, Scenario, Series, Unit } from './scenario.ts'

const MEMBERS = 64_000
const QUICK_MEMBERS = 1000
/** 0: the vault keeps the gallery itself. */
const DIVISIONS = [0, 1, 2, 4] as const
const PROBES = 64
const IN_FLIGHT = 8

export const identifyPartsScenario: Scenario = {
  name: 'identify-parts',
  question: `a gallery of ${MEMBERS.toLocaleString('en')} in PostgreSQL, in one process and divided over 1, 2 and 4`,
  notes: [
    `256 bits of 512 dimensions, ${QUICK_MEMBERS.toLocaleString('en')} members with --quick; parts are processes of this machine, reached over pipes`,
    'a search is counted, scanned by all parts, confirmed, and in the log before it ends; memory: resident, of the largest part, when it has loaded',
  ],
  repeats: false,
  claims: [],
  variants: [{ name: 'guise', role: 'ours', run: ours }],
}

function ours(plan: Plan): Promise<readonly Series[]> {
  return withServer(plan.folder, async (url) => {
    const schema = `bench_${process.pid}`
    const pool = new Pool({ connectionString: url, max: 16 })
    // A server that ends takes idle connections with it: what failed before is what is told.
    pool.on('error', () => undefined)
    await migratePostgres(pool, { schema })
    const members = plan.calls >= 100 ? MEMBERS : QUICK_MEMBERS
    const { people, ms } = await enrolAll(pool, schema, plan, members)
    const series: Series[] = [single('enrolled', 'per second', (members * 1000) / ms)]
    for (const of of DIVISIONS) series.push(...(await divided({ pool, url, schema, plan, people, of })))
    await pool.query(`DROP SCHEMA "${schema}" CASCADE`)
    await pool.end()
    return series
  })
}

/** Enrols everybody; gives some of them, to be looked for. */
async function enrolAll(
  pool: Pool,
  schema: string,
  { seed }: Plan,
  members: number,
): Promise<{ readonly people: readonly Person[]; readonly ms: number }> {
  const vault = await openGallery(pool, schema, 'create')
  const people: Person[] = []
  const dataset = syntheticPeople({
    seed,
    subjects: members,
    samples: 1,
    dimensions: GALLERY_SHAPE.dimensions,
  })
  async function* requests() {
    let at = 0
    for await (const { subject, vector } of dataset.read()) {
      if (at++ % Math.ceil(members / PROBES) === 0) people.push({ subject, vector: vector.slice() })
      yield enrollRequest({ subject, vector })
    }
  }
  const begin = performance.now()
  for await (const result of vault.enrollMany(requests())) if (!result.ok) throw result.error
  const ms = performance.now() - begin
  await vault.close()
  return { people, ms }
}

async function openGallery(
  pool: Pool,
  schema: string,
  how: 'create' | 'open',
  parts?: readonly GalleryPart[],
): Promise<Vault> {
  const store = await postgresStore({ pool, schema })
  const options = await vaultOptions(store, GALLERY_SHAPE, sharedKeyProvider(), how)
  const gallery = { ...galleryOptions(), ...(parts === undefined ? {} : { parts }) }
  return await openVault({ ...options, gallery })
}

/** Times loading and searches with so many parts, all of them new processes. */
async function divided(call: {
  readonly pool: Pool
  readonly url: string
  readonly schema: string
  readonly plan: Plan
  readonly people: readonly Person[]
  readonly of: number
}): Promise<readonly Series[]> {
  const { pool, url, schema, plan, people, of } = call
  const name = of === 0 ? 'one process' : `${of} part${of === 1 ? '' : 's'}`
  const begin = performance.now()
  const parts = await Promise.all(
    Array.from({ length: of }, (_, index) => PartProcess.start({ url, schema, index, of })),
  )
  const vault = await openGallery(pool, schema, 'open', of === 0 ? undefined : parts.map((part) => part.ask))
  await vault.loadGallery()
  const loadMs = performance.now() - begin
  const searches = Math.max(8, plan.calls / 4)
  const search = async (turn: number): Promise<number> => {
    const person = pick(people, turn)
    const { subject: _, ...request } = verifyRequest('', person)
    const start = performance.now()
    const decision = await vault.identify({ limit: 1, ...request })
    if (decision.outcome !== 'candidates') throw new Error(decision.outcome)
    return performance.now() - start
  }
  for (let turn = 0; turn < searches / 4; turn++) await search(turn)
  const latencies: number[] = []
  for (let turn = 0; turn < searches; turn++) latencies.push(await search(turn))
  let next = 0
  const together = performance.now()
  const lane = async (): Promise<void> => {
    while (next < searches) await search(next++)
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane))
  const perSecond = (searches * 1000) / (performance.now() - together)
  await vault.close()
  const sizes = await Promise.all(parts.map((part) => part.end()))
  return [
    { name: `${name}: a search`, unit: 'ms', values: latencies },
    single(
      `${name}: a search, 99th of 100`,
      'ms',
      quantile(
        [...latencies].sort((a, b) => a - b),
        0.99,
      ),
    ),
    single(`${name}: searches, ${IN_FLIGHT} in flight`, 'per second', perSecond),
    single(`${name}: loading, processes started`, 's', loadMs / 1000),
    ...(of === 0 ? [] : [single(`${name}: memory of one`, 'MiB', Math.max(...sizes))]),
  ]
}

function single(name: string, unit: Unit, value: number): Series {
  return { name, unit, values: [value] }
}

/** A part in a process of its own, reached over the pipe to it. */
class PartProcess {
  readonly #child: ChildProcess
  readonly #waiting: Map<number, (answer: Uint8Array) => void> = new Map()
  #asked = 0
  #memoryMiB = 0

  private constructor(child: ChildProcess) {
    this.#child = child
    child.on('message', (message) => this.#take(message as PartTold))
  }

  static async start(task: PartTask): Promise<PartProcess> {
    const child = fork(new URL('./identify-parts-worker.js', import.meta.url), {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      serialization: 'advanced',
    })
    const part = new PartProcess(child)
    child.send(task)
    await once(child, 'message')
    return part
  }

  readonly ask: GalleryPart = (question) =>
    new Promise((resolve) => {
      this.#asked += 1
      this.#waiting.set(this.#asked, resolve)
      this.#child.send({ number: this.#asked, question })
    })

  /** Ends the process; gives its memory when it had loaded, in MiB. */
  async end(): Promise<number> {
    const ended = once(this.#child, 'exit')
    this.#child.disconnect()
    await ended
    return this.#memoryMiB
  }

  #take(told: PartTold): void {
    if ('memoryMiB' in told) {
      this.#memoryMiB = told.memoryMiB
      return
    }
    const resolve = this.#waiting.get(told.number)
    this.#waiting.delete(told.number)
    resolve?.(told.answer)
  }
}
