/** Damaged rows: every bit and every length of three rows of each kind (SPEC RECORD-1). @module */
import { createKeyring, memoryStore, openKeyring, type Table } from 'guise'
import { beforeAll, describe, expect, test } from 'vitest'
import { onlyRow, typedCode } from '../support/rows.ts'
import { damageEverywhere, lyingStore, REFUSED, tell, type World, world } from '../support/tamper.ts'
import { memoryProvider } from '../support/vault.ts'

const TABLES: readonly Table[] = ['references', 'secrets', 'states', 'attempts', 'index', 'keyrings']

describe.each([3, 1, 2])('world %i', (seed) => {
  let made: World
  beforeAll(async () => {
    made = await world(seed)
  })

  test.each(TABLES)('no bit and no length of a row of %s is taken for another', async (table) => {
    const length = made.rows.get(table)?.bytes.length ?? 0
    expect(await damageEverywhere(made, table)).toBe(9 * length)
    expect(await made.ask()).toMatchObject({ outcome: 'match' })
  })

  test('bytes put in or left out anywhere are refused', async () => {
    for (const table of TABLES) {
      const { key, bytes } = made.rows.get(table) ?? { key: new Uint8Array(1), bytes: new Uint8Array(0) }
      for (let at = 0; at <= bytes.length; at++) {
        const longer = Uint8Array.of(...bytes.subarray(0, at), at & 255, ...bytes.subarray(at))
        const shorter = Uint8Array.of(...bytes.subarray(0, at), ...bytes.subarray(at + 1))
        expect(await tell(made, { table, key, bytes: longer })).toMatch(REFUSED)
        if (at < bytes.length) expect(await tell(made, { table, key, bytes: shorter })).toMatch(REFUSED)
      }
    }
  })

  test('a row that is missing is refused: a wrap as an erasure leaves it', async () => {
    for (const table of TABLES) {
      const key = made.rows.get(table)?.key ?? new Uint8Array(1)
      const said = await tell(made, { table, key, bytes: undefined })
      if (table === 'secrets') expect(said).toContain('"reason":"erased"')
      else if (table === 'index' || table === 'states') expect(said).toContain('"reason":"unknown-subject"')
      else expect(said).toMatch(REFUSED)
    }
  })
})

test('a damaged ring is refused by a process that opens it', async () => {
  const provider = memoryProvider()
  const store = lyingStore(memoryStore())
  await createKeyring({ realm: 'clinic', provider, store })
  const row = await onlyRow(store, 'keyrings')
  for (let bit = 0; bit < 8 * row.bytes.length; bit += 3) {
    const bytes = Uint8Array.from(row.bytes)
    bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7))
    store.lie = { table: 'keyrings', key: row.key, bytes }
    expect(await typedCode(openKeyring({ realm: 'clinic', provider, store }))).toMatch(
      /^ERR_KEYS_(RING|PROVIDER|UNKNOWN_VERSION)$/,
    )
  }
})
