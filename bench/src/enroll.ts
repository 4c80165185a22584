/** What does a durable enrolment cost, alone and by the thousand? @module */

import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { openVault } from '../../dist/index.js'
import { lmdbStore } from '../../dist/lmdb.js'
import { openSqlite } from './peers.ts'
import { enrollRequest, makePeople, type Person, pick, vaultOptions, withFolder } from './people.ts'
import { oursTwice, type Plan, type Scenario, type Series } from './scenario.ts'
import { timeCalls } from './timing.ts'

const SHAPE = { bits: 512, dimensions: 512, custody: 'operator' } as const
const BATCH = 1000
const BATCHES = 5
/** About what an enrolment writes. */
const RECORD_BYTES = 880
const APPEND = 'append and fdatasync'
const SQLITE = 'plaintext in SQLite'

export const enrollScenario: Scenario = {
  name: 'enroll',
  question:
    'enrolling on LMDB: both template parts, state, attempts and index, on the disk when the call resolves',
  notes: [
    `batch: enrollMany of ${BATCH} people (fewer with --quick); SQLite takes as many vectors of 2 KiB in one transaction, WAL, synchronous=FULL`,
    `the bare peer appends ${RECORD_BYTES} bytes to a file`,
  ],
  repeats: true,
  claims: [
    { series: 'single', over: { variant: APPEND, series: 'single' }, most: 2.5 },
    { series: 'batch, each', over: { variant: SQLITE, series: 'batch, each' }, most: 3 },
  ],
  variants: [
    ...oursTwice(ours),
    { name: APPEND, role: 'peer', run: append },
    { name: SQLITE, role: 'peer', run: sqlite },
  ],
}

/** A plan with few people takes small batches. */
function batchSize(plan: Plan): number {
  return Math.min(BATCH, 5 * plan.people)
}

function ours(plan: Plan): Promise<readonly Series[]> {
  return withFolder(plan.folder, async (folder) => {
    const store = await lmdbStore({ path: folder })
    const vault = await openVault(await vaultOptions(store, SHAPE))
    const faces = await makePeople(plan.seed, plan.people)
    const person = (name: string, turn: number): Person => ({
      subject: `${name}-${turn}`,
      vector: pick(faces, turn).vector,
    })
    const single = await timeCalls(
      'single',
      plan.calls,
      (turn) => enrollRequest(person('single', turn)),
      (request) => vault.enroll(request),
    )
    const size = batchSize(plan)
    const values: number[] = []
    for (let batch = 0; batch <= BATCHES; batch++) {
      const requests = Array.from({ length: size }, (_, i) => enrollRequest(person(`batch-${batch}`, i)))
      const begin = performance.now()
      for await (const result of vault.enrollMany(requests)) if (!result.ok) throw result.error
      // The first batch meets code that no compiler has settled yet.
      if (batch > 0) values.push(((performance.now() - begin) * 1000) / size)
    }
    await vault.close()
    await store.close()
    return [single, { name: 'batch, each', unit: 'µs', values }]
  })
}

function append(plan: Plan): Promise<readonly Series[]> {
  return withFolder(plan.folder, async (folder) => {
    const file = openSync(join(folder, 'log'), 'a')
    const record = Buffer.alloc(RECORD_BYTES, 7)
    const series = await timeCalls(
      'single',
      plan.calls,
      () => undefined,
      () => {
        writeSync(file, record)
        fdatasyncSync(file)
      },
    )
    closeSync(file)
    return [series]
  })
}

function sqlite(plan: Plan): Promise<readonly Series[]> {
  return withFolder(plan.folder, async (folder) => {
    const faces = await makePeople(plan.seed, plan.people)
    const database = openSqlite(join(folder, 'vectors.db'))
    const insert = database.prepare('INSERT INTO vectors VALUES (?, ?)')
    const fill = database.transaction((rows: readonly (readonly [Buffer, Buffer])[]) => {
      for (const [id, vector] of rows) insert.run(id, vector)
    })
    const size = batchSize(plan)
    const values: number[] = []
    for (let batch = 0; batch <= BATCHES; batch++) {
      const rows = Array.from({ length: size }, (_, i) => rowOf(batch * size + i, pick(faces, i)))
      const begin = performance.now()
      fill(rows)
      if (batch > 0) values.push(((performance.now() - begin) * 1000) / size)
    }
    database.close()
    return [{ name: 'batch, each', unit: 'µs', values }]
  })
}

/** Identifiers in no order, as random ones are. */
function rowOf(turn: number, { vector }: Person): readonly [Buffer, Buffer] {
  const id = Buffer.alloc(16)
  id.writeUInt32BE(Math.imul(turn, 2_654_435_761) >>> 0)
  id.writeUInt32BE(turn, 12)
  return [id, Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength)]
}
