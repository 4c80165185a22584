/** How many bytes does a record take, row by row? @module */

import { type Bits, memoryStore, openVault, type Store, type Table } from '../../dist/index.js'
import { enrollRequest, makePeople, vaultOptions } from './people.ts'
import type { Plan, Scenario, Series } from './scenario.ts'

const SIZES: readonly Bits[] = [64, 128, 256, 512, 1024]
const CUSTODIES = ['operator', 'holder'] as const
const TABLES: readonly Table[] = ['references', 'secrets', 'states', 'attempts', 'index']
const PEOPLE = 20

/** One series each for the row of a table, and one for both parts of the template. */
export function seriesName(custody: string, bits: number, part: string): string {
  return `${custody}, m = ${bits}: ${part}`
}

/** Reference row and secret row. */
export const BOTH_PARTS = 'both template parts'

export const sizeScenario: Scenario = {
  name: 'size',
  question: 'stored bytes of a record: the values of its rows, without their keys',
  notes: [
    'realm "bench", purpose "login", model "synthetic@1", notice "2026-01": longer names make longer rows; no operation id',
    `dimensions 512, and 1,024 for m = 1,024; ${PEOPLE} people each: one number where all their rows have the same length`,
  ],
  repeats: false,
  claims: [{ series: seriesName('operator', 512, BOTH_PARTS), most: 640 }],
  variants: [{ name: 'guise', role: 'ours', run: measureSizes }],
}

async function measureSizes(plan: Plan): Promise<readonly Series[]> {
  const series: Series[] = []
  for (const custody of CUSTODIES) {
    for (const bits of SIZES) series.push(...(await measureRecord(plan.seed, bits, custody)))
  }
  return series
}

async function measureRecord(
  seed: string,
  bits: Bits,
  custody: 'operator' | 'holder',
): Promise<readonly Series[]> {
  const store = memoryStore()
  const dimensions = Math.max(512, bits)
  const vault = await openVault(await vaultOptions(store, { bits, dimensions, custody }))
  for (const person of await makePeople(seed, PEOPLE, dimensions)) {
    await vault.enroll(enrollRequest(person, { holder: custody === 'holder' }))
  }
  await vault.close()
  const rows = await Promise.all(TABLES.map((table) => lengthsOf(store, table)))
  const both = (rows[0] ?? []).map((length, i) => length + (rows[1]?.[i] ?? 0))
  const all = both.map((length, i) => rows.slice(2).reduce((sum, lengths) => sum + (lengths[i] ?? 0), length))
  const named: readonly (readonly [string, readonly number[]])[] = [
    [BOTH_PARTS, both],
    ...TABLES.map((table, i) => [table, rows[i] ?? []] as const),
    ['all rows', all],
  ]
  return named.map(([part, values]) => ({ name: seriesName(custody, bits, part), unit: 'bytes', values }))
}

async function lengthsOf(store: Store, table: Table): Promise<readonly number[]> {
  const lengths: number[] = []
  for await (const row of store.scan(table, new Uint8Array(0))) lengths.push(row.bytes.length)
  return lengths
}
