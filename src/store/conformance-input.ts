/** Conformance: bounds before anything happens, copies in and out (STORE-6). @module */

import { assert, bytesOf, type Check, collect, expectCode, keyOf, put, sameBytes } from './conformance-kit.ts'
import type { StoreStep } from './store.ts'

export const inputChecks: readonly Check[] = [
  {
    name: 'what is committed is copied at the call',
    async run(store) {
      const key = keyOf(1)
      const bytes = bytesOf(1)
      const steps = [put('states', key, bytes)]
      const pending = store.commit(steps)
      key.fill(0xee)
      bytes.fill(0xee)
      steps.length = 0
      await pending
      assert(
        sameBytes((await store.get('states', keyOf(1)))?.bytes, bytesOf(1)),
        'the store kept the buffer of its caller',
      )
    },
  },
  {
    name: 'what is returned is a copy',
    async run(store) {
      await store.commit([put('states', keyOf(1), bytesOf(1))])
      const row = await store.get('states', keyOf(1))
      row?.bytes.fill(0xee)
      row?.key.fill(0xee)
      for (const scanned of await collect(store.scan('states', keyOf(0)))) {
        scanned.bytes.fill(0xee)
        scanned.key.fill(0xee)
      }
      const again = await store.get('states', keyOf(1))
      assert(sameBytes(again?.bytes, bytesOf(1)), 'a caller changed the stored bytes')
      assert((await collect(store.scan('states', keyOf(0)))).length === 1, 'a caller changed the stored key')
    },
  },
  {
    name: 'the largest key and row and the smallest row are kept as they are',
    async run(store) {
      const key = new Uint8Array(256).fill(0xff)
      const bytes = Uint8Array.from({ length: 65_536 }, (_, i) => i * 31)
      await store.commit([put('states', key, bytes), put('states', Uint8Array.of(0), new Uint8Array(0))])
      assert(sameBytes((await store.get('states', key))?.bytes, bytes), 'the largest row came back changed')
      assert((await store.get('states', Uint8Array.of(0)))?.bytes.length === 0, 'the empty row is missing')
      assert((await collect(store.scan('states', new Uint8Array(0)))).length === 2, 'the scan misses a row')
    },
  },
  {
    name: 'what is out of bounds is refused with ERR_STORE_INPUT before anything happens',
    async run(store) {
      const good = put('references', keyOf(1), bytesOf(1))
      for (const bad of badSteps()) {
        await expectCode(store.commit([good, bad]), 'ERR_STORE_INPUT')
        assert((await store.get('references', keyOf(1))) === undefined, 'a refused commit wrote')
      }
      const many = Array.from({ length: 4097 }, (_, i) => put('index', keyOf(i), bytesOf(i)))
      await expectCode(store.commit(many), 'ERR_STORE_INPUT')
      await expectCode(store.commit('none' as unknown as StoreStep[]), 'ERR_STORE_INPUT')
      await expectCode(store.get('states', new Uint8Array(0)), 'ERR_STORE_INPUT')
      await expectCode(store.get('states', new Uint8Array(257)), 'ERR_STORE_INPUT')
      await expectCode(store.get('faces' as 'states', keyOf(1)), 'ERR_STORE_INPUT')
      await expectCode((async () => collect(store.scan('states', new Uint8Array(257))))(), 'ERR_STORE_INPUT')
      await expectCode((async () => collect(store.scan('faces' as 'states', keyOf(1))))(), 'ERR_STORE_INPUT')
    },
  },
  {
    name: 'two writes to one row in one commit are refused',
    async run(store) {
      const [version = ''] = await store.commit([put('states', keyOf(1), bytesOf(1))])
      const write = put('states', keyOf(1), bytesOf(2), version)
      await expectCode(store.commit([write, write]), 'ERR_STORE_INPUT')
      const remove: StoreStep = { step: 'delete', table: 'states', key: keyOf(1), expected: version }
      await expectCode(store.commit([write, remove]), 'ERR_STORE_INPUT')
      assert(sameBytes((await store.get('states', keyOf(1)))?.bytes, bytesOf(1)), 'a refused commit wrote')
    },
  },
]

function badSteps(): readonly StoreStep[] {
  const good = { step: 'put', table: 'states', key: keyOf(2), bytes: bytesOf(2), expected: null }
  const bad: readonly unknown[] = [
    undefined,
    null,
    { ...good, step: 'merge' },
    { ...good, table: 'faces' },
    { ...good, table: 'queue' },
    { ...good, table: '__proto__' },
    { ...good, key: new Uint8Array(0) },
    { ...good, key: new Uint8Array(257) },
    { ...good, key: 'key' },
    { ...good, bytes: new Uint8Array(65_537) },
    { ...good, bytes: [1, 2, 3] },
    { ...good, expected: undefined },
    { ...good, expected: 1 },
    { ...good, expected: 'x'.repeat(4096) },
    { step: 'delete', table: 'states', key: keyOf(2), expected: null },
    { step: 'append', table: 'log', bytes: bytesOf(2) },
    { step: 'append', table: 'queue', bytes: new Uint8Array(65_537) },
  ]
  return bad as readonly StoreStep[]
}
