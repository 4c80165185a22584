/** Conformance: scans are in order, complete, and stand writes beside them (STORE-9). @module */

import { compareBytes } from '../base/bytes.ts'
import { assert, bytesOf, type Check, collect, keyOf, put, sameBytes } from './conformance-kit.ts'
import type { Store, StoredRow } from './store.ts'

export const scanChecks: readonly Check[] = [
  {
    name: 'a scan yields every row with key ≥ from, in ascending byte order',
    async run(store) {
      const keys = [[0], [0, 0], [0, 1], [1], [1, 0, 0], [0x7f], [0x80], [0x80, 0xff], [0xff], [0xff, 0xff]]
      const shuffled = [7, 2, 9, 0, 5, 3, 8, 1, 6, 4].map((i) => keys[i] ?? [])
      for (const key of shuffled) await store.commit([put('states', Uint8Array.from(key), bytesOf(1))])
      assertKeys(await collect(store.scan('states', new Uint8Array(0))), keys)
      assertKeys(await collect(store.scan('states', Uint8Array.of(0x7f))), keys.slice(5))
      assertKeys(await collect(store.scan('states', Uint8Array.of(1, 0))), keys.slice(4))
      assertKeys(await collect(store.scan('states', Uint8Array.of(0xff, 0xff, 0))), [])
    },
  },
  {
    name: 'a scan of many rows misses none and doubles none',
    async run(store) {
      await fill(store, 3000, 1)
      const rows = await collect(store.scan('states', new Uint8Array(0)))
      assertRising(rows)
      assert(rows.length === 3000, `${rows.length} of 3000 rows came`)
      rows.forEach((row, i) => {
        assert(sameBytes(row.bytes, bytesOf(i)), 'a row came with the bytes of another')
      })
      assert(
        (await collect(store.scan('states', keyOf(2990)))).length === 10,
        'a scan from the middle is wrong',
      )
    },
  },
  {
    name: 'a scan beside writes yields each row that exists throughout, once, in order',
    async run(store) {
      await fill(store, 1500, 2)
      const seen: StoredRow[] = []
      for await (const row of store.scan('states', new Uint8Array(0))) {
        seen.push(row)
        if (seen.length % 100 !== 0) continue
        const base = seen.length
        await store.commit([
          put('states', keyOf(2 * base + 1), bytesOf(1)),
          put('states', keyOf(9000 + base), bytesOf(1)),
        ])
        const gone = await store.get('states', keyOf(2 * (base - 50)))
        if (gone !== undefined) {
          await store.commit([{ step: 'delete', table: 'states', key: gone.key, expected: gone.version }])
        }
      }
      assertRising(seen)
      const even = seen.filter(
        (row) =>
          sameBytes(row.key, keyOf(numberOf(row.key))) &&
          numberOf(row.key) < 3000 &&
          numberOf(row.key) % 2 === 0,
      )
      assert(even.length === 1500, `${even.length} of the 1500 rows that were there throughout came`)
    },
  },
  {
    name: 'a scan that is left early or aborted midway harms nothing',
    async run(store) {
      await fill(store, 1000, 1)
      for await (const row of store.scan('states', new Uint8Array(0))) {
        assert(sameBytes(row.bytes, bytesOf(0)), 'the first row is wrong')
        break
      }
      const controller = new AbortController()
      let count = 0
      const outcome = await (async () => {
        for await (const _ of store.scan('states', new Uint8Array(0), { signal: controller.signal })) {
          count += 1
          if (count === 10) controller.abort()
        }
      })().then(
        () => 'ran to its end',
        (error: unknown) => error,
      )
      assert(outcome === controller.signal.reason && count < 1000, 'the scan went on after the abort')
      await store.commit([put('states', keyOf(5000), bytesOf(1))])
    },
  },
]

async function fill(store: Store, count: number, stride: number): Promise<void> {
  const order = Array.from({ length: count }, (_, i) => (i * 7919) % count)
  await store.commit(order.map((i) => put('states', keyOf(stride * i), bytesOf(i))))
}

function numberOf(key: Uint8Array): number {
  return new DataView(key.buffer, key.byteOffset).getUint32(key.length - 4)
}

function assertRising(rows: readonly StoredRow[]): void {
  for (let i = 1; i < rows.length; i++) {
    const [before, after] = [rows[i - 1], rows[i]]
    assert(
      before !== undefined && after !== undefined && compareBytes(before.key, after.key) < 0,
      'the rows are out of order',
    )
  }
}

function assertKeys(rows: readonly StoredRow[], keys: readonly (readonly number[])[]): void {
  assert(rows.length === keys.length, `${rows.length} rows came, ${keys.length} were due`)
  rows.forEach((row, i) => {
    assert(sameBytes(row.key, Uint8Array.from(keys[i] ?? [])), 'the rows are out of order')
  })
}
