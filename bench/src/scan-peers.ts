/** What a search through a million codes is measured against: native loops, other indexes, a database, plain JavaScript. @module */

import { createRequire } from 'node:module'
import { PortableScan } from '../../dist/compare/scan.js'
import { C_SCAN, FAISS_SCAN, timeProgram } from './native.ts'
import { makePeople, pick } from './people.ts'
import { singleConnection, withServer } from './postgres-server.ts'
import type { Plan, Series, Variant } from './scenario.ts'
import { timeCalls } from './timing.ts'

const require = createRequire(import.meta.url)

/** All times are of so many rows, whatever was scanned. */
export const MILLION = 1_000_000
export const SCAN = 'a million'
/** How many nearest ones are asked for. */
export const NEAREST = 10
export const CODE_BITS = 512

export const C_LOOP = 'C, AVX2, count below a limit'
export const FAISS = 'faiss IndexBinaryFlat'
export const USEARCH = 'usearch, exact, float32 cosine'
export const POSTGRES = 'PostgreSQL, bit_count(code # probe)'
export const PLAIN = 'plain JavaScript'

/** Vectors of 2 KiB: fewer of them, as many as a machine of 4 GiB holds. */
const VECTORS = 100_000

export const scanPeers: readonly Variant[] = [
  { name: C_LOOP, role: 'peer', run: cLoop },
  { name: FAISS, role: 'peer', run: faiss },
  { name: USEARCH, role: 'peer', run: usearch },
  { name: POSTGRES, role: 'peer', run: postgres },
  { name: PLAIN, role: 'peer', run: plainJavaScript },
]

/** A million, and a fiftieth of them with --quick. */
export function rowsOf(plan: Plan): number {
  return plan.people >= 256 ? MILLION : MILLION / 50
}

/** Codes of nobody behind one another, and one more to look for. */
export function randomCodes(rows: number): { readonly codes: Uint8Array; readonly code: Uint8Array } {
  const bytes = CODE_BITS / 8
  const words = new Uint32Array(((rows + 1) * bytes) / 4)
  let state = 0x9e37_79b9
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[i] = state
  }
  const all = new Uint8Array(words.buffer)
  return { codes: all.subarray(0, rows * bytes), code: all.slice(rows * bytes) }
}

/** Milliseconds of single searches as those of a million rows. */
export async function timeScans(
  plan: Plan,
  rows: number,
  calls: number,
  scan: () => unknown,
): Promise<readonly Series[]> {
  // Calls until the compilers have settled: a scan takes milliseconds.
  for (let i = 0; i < Math.min(20, plan.batches); i++) await scan()
  const series = await timeCalls(SCAN, calls, () => undefined, scan)
  return [{ ...series, unit: 'ms', values: series.values.map((value) => (value * MILLION) / rows / 1000) }]
}

async function cLoop(plan: Plan): Promise<readonly Series[]> {
  const rows = rowsOf(plan)
  return timeProgram(C_SCAN, [rows, plan.batches], { name: SCAN, factor: MILLION / rows })
}

async function faiss(plan: Plan): Promise<readonly Series[]> {
  const rows = rowsOf(plan)
  return timeProgram(FAISS_SCAN, [rows, Math.ceil(plan.batches / 5)], { name: SCAN, factor: MILLION / rows })
}

async function plainJavaScript(plan: Plan): Promise<readonly Series[]> {
  const rows = rowsOf(plan)
  const { codes, code } = randomCodes(rows)
  const scan = new PortableScan(rows, CODE_BITS)
  for (let row = 0; row < rows; row++) scan.write(row, codes.subarray(64 * row, 64 * row + 64))
  return timeScans(plan, rows, Math.ceil(plan.batches / 5), () => scan.nearest(code, rows, NEAREST))
}

/** The part of usearch that is used. */
interface Usearch {
  readonly MetricKind: { readonly Cos: string }
  exactSearch(
    dataset: Float32Array,
    queries: Float32Array,
    dimensions: number,
    count: number,
    metric: string,
    threads: number,
  ): { readonly keys: BigUint64Array }
}

async function usearch(plan: Plan): Promise<readonly Series[]> {
  const { exactSearch, MetricKind } = require('usearch') as Usearch
  const rows = Math.min(VECTORS, rowsOf(plan))
  const people = await makePeople(plan.seed, 257)
  const vectors = new Float32Array(rows * CODE_BITS)
  // The same few people over and over: how long it takes does not depend on the values.
  for (let row = 0; row < rows; row++) vectors.set(pick(people, row).vector, row * CODE_BITS)
  // It reads a buffer from its beginning, wherever the view begins.
  const probe = Float32Array.from(pick(people, 256).vector)
  const search = (): ReturnType<Usearch['exactSearch']> =>
    exactSearch(vectors, probe, CODE_BITS, NEAREST, MetricKind.Cos, 1)
  if (Number(search().keys[0]) % people.length !== 256)
    throw new Error('the probe is not the nearest to itself')
  return timeScans(plan, rows, Math.ceil(plan.batches / 5), search)
}

const FILL = `
  CREATE TABLE codes AS SELECT id,
    ('x' || md5('a' || id) || md5('b' || id) || md5('c' || id) || md5('d' || id))::bit(${CODE_BITS}) AS code
  FROM generate_series(1, $rows) AS id`
const SEARCH = `SELECT id FROM codes ORDER BY bit_count(code # $1::bit(${CODE_BITS})) LIMIT ${NEAREST}`

function postgres(plan: Plan): Promise<readonly Series[]> {
  return withServer(plan.folder, async (url) => {
    const rows = rowsOf(plan)
    const pool = singleConnection(url)
    await pool.query('SET max_parallel_workers_per_gather = 0')
    await pool.query('SET jit = off')
    await pool.query('DROP TABLE IF EXISTS codes')
    await pool.query(FILL.replace('$rows', String(rows)))
    await pool.query('VACUUM ANALYZE codes')
    const probe = Array.from(randomCodes(1).code, (byte) => byte.toString(2).padStart(8, '0')).join('')
    const search = (): Promise<unknown> => pool.query({ name: 'search', text: SEARCH, values: [probe] })
    const fewer = { ...plan, batches: Math.min(3, plan.batches) }
    const series = await timeScans(fewer, rows, Math.ceil(plan.batches / 10), search)
    await pool.query('DROP TABLE codes')
    await pool.end()
    return series
  })
}
