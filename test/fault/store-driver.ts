/** The store under faults: workers that add and remove batches, each bound to a counter row. @module */
/// <reference types="node" />

import { lmdbStore } from '../../src/store/lmdb.ts'
import type { Store, StoredRow, StoreStep, Table } from '../../src/store/store.ts'
import type { Driver, RunOptions, Verdict } from './driver.ts'
import { seeded } from './driver.ts'

/**
 * Batch n of a worker moves the counter row of the worker from n − 1 to n, adds 2 to 6 rows in three tables and one
 * to the queue, and removes those of batch n − KEPT, so that pages are freed and used again. Hence a store is whole
 * exactly when each worker's rows are those of the last KEPT batches up to its counter, byte by byte.
 */
export const driver: Driver = {
  async run(directory, options, acknowledge) {
    const store = await lmdbStore({ path: directory })
    acknowledge('ready')
    await Promise.all(
      Array.from({ length: WORKERS }, (_, worker) => work(store, worker, options, acknowledge)),
    )
    await store.close()
  },

  async verify(directory, acknowledged) {
    const store = await lmdbStore({ path: directory })
    try {
      return await inspect(store, acknowledged)
    } finally {
      await store.close()
    }
  },
}

const WORKERS = 6
const KEPT = 12
const SPREAD: readonly Exclude<Table, 'queue'>[] = ['references', 'secrets', 'attempts']

async function work(
  store: Store,
  worker: number,
  options: RunOptions,
  acknowledge: (token: string) => void,
): Promise<void> {
  const random = seeded(options.seed * WORKERS + worker)
  const counter = await counterOf(store, worker)
  let version = counter.version
  const first = counter.batch + 1
  for (let batch = first; batch < first + options.rounds; batch++) {
    const steps = await batchSteps(store, worker, batch, version)
    const committed = store.commit(steps)
    if (options.early) await new Promise((resolve) => setImmediate(resolve))
    if (options.early) acknowledge(`${worker}:${batch}`)
    version = (await committed)[0] ?? null
    if (!options.early) acknowledge(`${worker}:${batch}`)
    if (random() < 0.1) await new Promise((resolve) => setTimeout(resolve, random() * 4))
  }
}

/** What moves a worker from batch − 1 to `batch`; `version` is that of its counter row. */
export async function batchSteps(
  store: Store,
  worker: number,
  batch: number,
  version: string | null,
): Promise<readonly StoreStep[]> {
  const removed = batch > KEPT ? await removals(store, worker, batch - KEPT) : []
  return [
    { step: 'put', table: 'states', key: counterKey(worker), bytes: numberBytes(batch), expected: version },
    ...additions(worker, batch),
    ...removed,
  ]
}

/** The counter of a worker: the number of its last batch, and the version of the row. */
export async function counterOf(
  store: Store,
  worker: number,
): Promise<{ readonly batch: number; readonly version: string | null }> {
  const row = await store.get('states', counterKey(worker))
  return { batch: readCounter(row), version: row?.version ?? null }
}

function additions(worker: number, batch: number): readonly StoreStep[] {
  const rows: StoreStep[] = batchRows(worker, batch).map(({ table, key, bytes }) => ({
    step: 'put',
    table,
    key,
    bytes,
    expected: null,
  }))
  return [...rows, { step: 'append', table: 'queue', bytes: queueBytes(worker, batch) }]
}

async function removals(store: Store, worker: number, batch: number): Promise<readonly StoreStep[]> {
  const steps: StoreStep[] = []
  for (const { table, key } of batchRows(worker, batch)) {
    const row = await store.get(table, key)
    if (row !== undefined) steps.push({ step: 'delete', table, key, expected: row.version })
  }
  const mine = Buffer.from(queueBytes(worker, batch))
  for await (const row of store.scan('queue', new Uint8Array(0))) {
    if (mine.equals(row.bytes))
      steps.push({ step: 'delete', table: 'queue', key: row.key, expected: row.version })
  }
  return steps
}

/** The rows of a batch follow from its number, so that verification can rebuild them. */
function batchRows(
  worker: number,
  batch: number,
): readonly { table: Exclude<Table, 'queue'>; key: Uint8Array; bytes: Uint8Array }[] {
  const random = seeded(batch * 64 + worker)
  return Array.from({ length: 2 + Math.floor(random() * 5) }, (_, i) => {
    const key = Uint8Array.of(1, worker, i, ...numberBytes(batch))
    // Some rows need pages of their own.
    const length = random() < 0.15 ? 3000 + Math.floor(random() * 9000) : 20 + Math.floor(random() * 400)
    const bytes = Uint8Array.from({ length }, () => Math.floor(random() * 256))
    return { table: SPREAD[i % SPREAD.length] ?? 'references', key, bytes }
  })
}

function queueBytes(worker: number, batch: number): Uint8Array {
  return Uint8Array.of(worker, ...numberBytes(batch))
}

async function inspect(store: Store, acknowledged: readonly string[]): Promise<Verdict> {
  const found = new Map<string, string>()
  for (const table of ['queue', ...SPREAD] as const) {
    for await (const row of store.scan(table, new Uint8Array(0))) {
      const name = table === 'queue' ? queueName(row.bytes) : `${table}/${hex(row.key)}`
      found.set(name, table === 'queue' ? '' : hex(row.bytes))
    }
  }
  const counters: number[] = []
  for (let worker = 0; worker < WORKERS; worker++) {
    counters.push(readCounter(await store.get('states', counterKey(worker))))
  }
  const torn: string[] = []
  for (const [name, bytes] of expected(counters)) {
    if (found.get(name) !== bytes) torn.push(`${name} is ${found.has(name) ? 'changed' : 'missing'}`)
    found.delete(name)
  }
  for (const name of found.keys()) torn.push(`${name} should be gone`)
  const lost = acknowledged.filter((token) => {
    const [worker = 0, batch = 0] = token.split(':').map(Number)
    return token !== 'ready' && (counters[worker] ?? 0) < batch
  })
  return { lost, torn }
}

function expected(counters: readonly number[]): ReadonlyMap<string, string> {
  const rows = new Map<string, string>()
  for (const [worker, last] of counters.entries()) {
    for (let batch = Math.max(1, last - KEPT + 1); batch <= last; batch++) {
      for (const { table, key, bytes } of batchRows(worker, batch))
        rows.set(`${table}/${hex(key)}`, hex(bytes))
      rows.set(queueName(queueBytes(worker, batch)), '')
    }
  }
  return rows
}

function counterKey(worker: number): Uint8Array {
  return Uint8Array.of(0, worker)
}

function numberBytes(number: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, number)
  return bytes
}

function readCounter(row: StoredRow | undefined): number {
  return row === undefined ? 0 : new DataView(row.bytes.buffer, row.bytes.byteOffset).getUint32(0)
}

function queueName(bytes: Uint8Array): string {
  return `queue of ${hex(bytes)}`
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
