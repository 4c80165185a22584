/** Conformance: several rows are read as of one instant (STORE-21). @module */

import { assert, bytesOf, type Check, expectCode, keyOf, put, sameBytes } from './conformance-kit.ts'
import { readRows } from './read-rows.ts'

const ROUNDS = 50

/** Of stores that have `getMany`; the others pass. */
export const readingChecks: readonly Check[] = [
  {
    name: 'getMany answers every place in its order, and what get answers',
    async run(store) {
      await store.commit([put('states', keyOf(1), bytesOf(1)), put('index', keyOf(2), bytesOf(2))])
      const places = [
        { table: 'index', key: keyOf(2) },
        { table: 'states', key: keyOf(2) },
        { table: 'states', key: keyOf(1) },
        { table: 'index', key: keyOf(2) },
      ] as const
      const rows =
        (await store.getMany?.(places)) ??
        (await Promise.all(places.map((place) => store.get(place.table, place.key))))
      assert(rows.length === places.length, 'getMany does not answer every place')
      for (const [i, { table, key }] of places.entries()) {
        const row = await store.get(table, key)
        assert(rows[i]?.version === row?.version, 'getMany answers another version than get')
        assert(
          row === undefined || sameBytes(rows[i]?.bytes, row.bytes),
          'getMany answers other bytes than get',
        )
        assert(row === undefined || sameBytes(rows[i]?.key, key), 'getMany answers another key')
      }
      assert(((await store.getMany?.([])) ?? []).length === 0, 'getMany answers rows for no places')
      await expectCode(
        store.getMany?.([{ table: 'states', key: new Uint8Array(0) }]) ??
          store.get('states', new Uint8Array(0)),
        'ERR_STORE_INPUT',
      )
    },
  },
  {
    name: 'getMany follows what a row says of the next one’s place',
    async run(store) {
      const names = bytesOf(7)
      await store.commit([
        put('index', keyOf(1), names),
        put('states', new Uint8Array([9, ...names.subarray(1, 4)]), bytesOf(2)),
        put('attempts', new Uint8Array([...names.slice(-2), 5]), bytesOf(3)),
        put('secrets', new Uint8Array([8, 0, 0, 0]), bytesOf(4)),
      ])
      const missing = { row: 4, at: 0, length: 3 }
      const rows = await readRows(store, [
        { table: 'index', key: keyOf(1) },
        { table: 'states', key: [Uint8Array.of(9), { row: 0, at: 1, length: 3 }] },
        { table: 'attempts', key: [{ row: 0, at: -2, length: 2 }, Uint8Array.of(5)] },
        { table: 'references', key: [{ row: 1, at: 0, length: 2 }] },
        { table: 'index', key: keyOf(99) },
        { table: 'secrets', key: [Uint8Array.of(8), missing] },
        { table: 'secrets', key: [Uint8Array.of(8), { row: 0, at: names.length - 2, length: 3 }] },
        { table: 'secrets', key: [Uint8Array.of(8), { row: 0, at: -names.length - 1, length: 3 }] },
      ])
      const told = rows.map((row) => row?.bytes)
      const expected = [
        names,
        bytesOf(2),
        bytesOf(3),
        undefined,
        undefined,
        bytesOf(4),
        bytesOf(4),
        bytesOf(4),
      ]
      for (const [i, bytes] of expected.entries()) {
        const alike = bytes === undefined ? told[i] === undefined : sameBytes(told[i], bytes)
        assert(alike, `getMany follows place ${i} elsewhere`)
      }
      assert(
        sameBytes(rows[5]?.key, new Uint8Array([8, 0, 0, 0])),
        'getMany does not say the key it followed',
      )
    },
  },
  {
    name: 'getMany shows one instant, beside commits',
    async run(store) {
      const places = Array.from(
        { length: 8 },
        (_, i) => ({ table: i % 2 === 0 ? 'states' : 'attempts', key: keyOf(i) }) as const,
      )
      const write = async (round: number, expected: readonly (string | null)[]): Promise<readonly string[]> =>
        await store.commit(
          places.map(({ table, key }, i) => put(table, key, bytesOf(round), expected[i] ?? null)),
        )
      let versions = await write(0, [])
      const writing = async (): Promise<void> => {
        for (let round = 1; round <= ROUNDS; round++) versions = await write(round, versions)
      }
      const reading = async (): Promise<void> => {
        for (let round = 1; round <= ROUNDS && store.getMany !== undefined; round++) {
          const rows = await store.getMany(places)
          const alike = rows.every((row) => sameBytes(row?.bytes, rows[0]?.bytes))
          assert(alike, 'getMany shows one commit in part')
          await new Promise((resolve) => setTimeout(resolve, 0))
        }
      }
      // Both end before the store is closed.
      const ends = await Promise.allSettled([reading(), writing()])
      for (const end of ends) if (end.status === 'rejected') throw end.reason
      const last = await store.getMany?.(places)
      assert(
        last === undefined || last.every((row, i) => row?.version === versions[i]),
        'getMany misses a commit',
      )
    },
  },
]
