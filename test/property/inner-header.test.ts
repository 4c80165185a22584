/** The header of an inner wrap, written over the one before, is the encoding of its fields (SPEC §4.3). @module */
import { assert, constantFrom, integer, property, record, uint8Array } from 'fast-check'
import { expect, test } from 'vitest'
import type { Realm } from '../../src/base/brand.ts'
import { encodeCbor } from '../../src/base/cbor.ts'
import { innerHeader } from '../../src/keys/inner-header.ts'

const bytes = (length: number): ReturnType<typeof uint8Array> =>
  uint8Array({ minLength: length, maxLength: length })

test('whatever came before', () => {
  const bindings = record({
    realm: constantFrom('clinic', 'a', 'r'.repeat(64)).map((realm) => realm as Realm),
    // Of other lengths too: nothing else may come of what no row holds.
    record: constantFrom(16, 15, 24).chain(bytes),
    handle: bytes(16),
    generation: constantFrom(20, 21).chain(bytes),
    purpose: constantFrom('login', 'p'.repeat(24)),
    profile: integer({ min: 0, max: 3 }),
    keyVersion: constantFrom(1, 24, 4_000_000_000),
  })
  assert(
    property(bindings, integer({ min: 0, max: 3 }), bytes(16), (binding, slot, device) => {
      const { realm, record, handle, generation, purpose, profile, keyVersion } = binding
      const fields = [1, 3, realm, record, handle, generation, purpose, profile, keyVersion, slot, device]
      expect(innerHeader(binding, slot, device)).toEqual(encodeCbor(fields))
    }),
    { numRuns: 500 },
  )
})
