/** Damaged rows at length: twenty rows of each kind, and ten thousand random alterations (SPEC RECORD-1). @module */
import type { StoredRow, Table } from 'guise'
import { describe, expect, test } from 'vitest'
import { damageEverywhere, REFUSED, tell, world } from '../support/tamper.ts'
import { numbers } from '../support/vault.ts'

const TABLES: readonly Table[] = ['references', 'secrets', 'states', 'attempts', 'index', 'keyrings']

describe.each(TABLES)('%s', (table) => {
  test('every bit and every length of twenty rows', async () => {
    let tried = 0
    let expected = 0
    for (let seed = 10; seed < 30; seed++) {
      const made = await world(seed)
      tried += await damageEverywhere(made, table)
      expected += 9 * (made.rows.get(table)?.bytes.length ?? 0)
    }
    expect(tried).toBe(expected)
    console.log(`${table}: ${tried} alterations, none taken`)
  })
})

test('ten thousand random splices, swaps, inserts and deletes', async () => {
  const draw = numbers(4242)
  const pick = (below: number): number => Math.floor(draw() * below)
  const worlds = await Promise.all([40, 41, 42, 43].map(world))
  let tried = 0
  while (tried < 10_000) {
    const made = worlds[pick(worlds.length)]
    const other = worlds[pick(worlds.length)]
    const table = TABLES[pick(TABLES.length)] as Table
    const from = TABLES[pick(TABLES.length)] as Table
    const row = made?.rows.get(table) as StoredRow
    const donor = other?.rows.get(draw() < 0.7 ? table : from) as StoredRow
    const [a, b] = [pick(row.bytes.length + 1), pick(donor.bytes.length + 1)]
    const length = pick(40)
    const altered = [
      () => [...row.bytes.subarray(0, a), ...donor.bytes.subarray(b)],
      () => [...row.bytes.subarray(0, a), ...donor.bytes.subarray(b, b + length), ...row.bytes.subarray(a)],
      () => [...row.bytes.subarray(0, a), ...row.bytes.subarray(a + 1 + length)],
      () => [
        ...row.bytes.subarray(0, a),
        ...donor.bytes.subarray(a, a + length),
        ...row.bytes.subarray(a + length),
      ],
      () => [...donor.bytes],
    ][pick(5)]
    const bytes = Uint8Array.from(altered?.() ?? [])
    if (bytes.length === row.bytes.length && bytes.every((byte, index) => byte === row.bytes[index])) continue
    if (made === undefined) continue
    expect(await tell(made, { table, key: row.key, bytes })).toMatch(REFUSED)
    tried++
  }
})
