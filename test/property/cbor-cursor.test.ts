/** Rows that are read without building their values are those that the strict decoder takes, and mean the same (SPEC §9, §16.3). @module */
import { assert, boolean, constantFrom, nat, oneof, property, record, uint8Array } from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import type { Realm } from '../../src/base/brand.ts'
import { decodeCbor, encodeCbor } from '../../src/base/cbor.ts'
import { CborCursor } from '../../src/base/cbor-cursor.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import type { GalleryProfile } from '../../src/gallery/declaration.ts'
import { decodeMemberRow, MemberReader, makeMemberRow } from '../../src/gallery/member-row.ts'

const profile: GalleryProfile = {
  realm: 'clinic' as Realm,
  purpose: 'one-record',
  model: 'model@1',
  meanHash: new Uint8Array(32).fill(3),
  dimensions: 128,
  bits: 64,
}
const handle = new Uint8Array(16).fill(5)
const integers = new Int32Array(128).fill(9000)

beforeAll(cryptoReady)

function outcome(read: () => unknown): unknown {
  try {
    return read()
  } catch (error) {
    return (error as { readonly code: string }).code
  }
}

const places = record({
  number: oneof(nat(30), constantFrom(255, 256, 65_535, 65_536, 2 ** 32 - 1)),
  slot: nat(31),
  createdMs: constantFrom(0, 23, 24, 1000, 1_700_000_000_000, 8_640_000_000_000_000),
  byte: nat(400),
  value: nat(255),
  change: constantFrom('none', 'set', 'cut', 'add'),
})

test('a member row, whole or with one byte changed, cut off or added', () => {
  let taken = 0
  assert(
    property(places, ({ number, slot, createdMs, byte, value, change }) => {
      const name = {
        realm: profile.realm,
        handle,
        record: new Uint8Array(16).fill(1),
        generation: new Uint8Array(20).fill(2),
      }
      const secret = new Uint8Array(32).fill(7)
      const row = makeMemberRow({ profile, name, number, slot, createdMs }, integers, secret, secret)
      let bytes = Uint8Array.from(row)
      if (change === 'set') bytes[byte % bytes.length] = value
      if (change === 'cut') bytes = bytes.slice(0, -1)
      if (change === 'add') bytes = Uint8Array.from([...bytes, value])
      const fast = outcome(() => new MemberReader(profile).read(bytes, handle))
      const strict = outcome(() => decodeMemberRow(bytes, { profile, handle }))
      expect(fast).toEqual(strict)
      if (typeof fast !== 'string') taken += 1
    }),
    { numRuns: 3000 },
  )
  expect(taken).toBeGreaterThan(700)
})

test('whatever the cursor takes is what the strict decoder takes', () => {
  const reject = (why: string): Error => new Error(why)
  let taken = 0
  assert(
    property(uint8Array({ maxLength: 12 }), nat(2 ** 40), boolean(), (noise, integer, genuine) => {
      const bytes = genuine ? encodeCbor([integer, noise]) : Uint8Array.of(0x82, ...noise)
      const cursor = new CborCursor(bytes)
      cursor.array(2)
      const first = cursor.uint()
      const second = cursor.bytes(0, 20)
      if (!cursor.done) {
        expect(genuine).toBe(false)
        return
      }
      taken += 1
      expect(decodeCbor(bytes, 100, reject)).toEqual([first, Uint8Array.from(second)])
    }),
    { numRuns: 5000 },
  )
  expect(taken).toBeGreaterThan(2000)
})

test.each([
  ['an integer in a longer form', [0x18, 5], 'uint'],
  ['two bytes for one', [0x19, 0, 200], 'uint'],
  ['an integer beyond 2^53', [0x1b, 0, 0x20, 0, 0, 0, 0, 0, 0], 'uint'],
  ['an integer cut off', [0x1a, 1, 2], 'uint'],
  ['an indefinite string', [0x5f, 0xff], 'bytes'],
  ['a string that is too short', [0x42, 1], 'bytes'],
  ['text for bytes', [0x61, 65], 'bytes'],
  ['nothing', [], 'uint'],
] as const)('%s is not taken', (_, bytes, kind) => {
  const cursor = new CborCursor(Uint8Array.from(bytes))
  if (kind === 'uint') cursor.uint()
  else cursor.bytes(0, 10)
  expect(cursor.done).toBe(false)
})
