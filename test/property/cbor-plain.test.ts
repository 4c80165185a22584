/** Values that are read and written without the codec are those that the codec reads and writes, and mean the same (RFC 8949 §4.2.1). @module */
import { decode, encode } from 'cborg'
import {
  array,
  assert,
  boolean,
  constant,
  constantFrom,
  letrec,
  maxSafeNat,
  nat,
  oneof,
  property,
  record,
  string,
  uint8Array,
} from 'fast-check'
import { expect, test } from 'vitest'
import { type CborValue, decodeCbor, encodeCbor } from '../../src/base/cbor.ts'
import { PlainReader } from '../../src/base/cbor-plain.ts'

const DEPTH = 16
const edges = constantFrom(23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER)
const { value } = letrec<{ value: CborValue; list: CborValue[] }>((tie) => ({
  list: array(tie('value'), { maxLength: 5, depthIdentifier: 'list' }),
  value: oneof(
    { depthIdentifier: 'list', maxDepth: 4 },
    maxSafeNat(),
    edges,
    string({ unit: 'binary-ascii', maxLength: 300 }),
    string({ unit: 'grapheme', maxLength: 40 }),
    boolean(),
    constant(null),
    uint8Array({ maxLength: 300 }),
    tie('list'),
  ),
}))

/** The judgement of the codec on a reading without it. */
function agree(bytes: Uint8Array): boolean {
  const read = new PlainReader(bytes, DEPTH).whole()
  if (read === undefined) return false
  expect(encode(read)).toEqual(bytes)
  expect(read).toEqual(decode(bytes, { strict: true, allowIndefinite: false }))
  return true
}

test('what is written is what the codec writes, and read again', () => {
  let plain = 0
  assert(
    property(value, (one) => {
      const bytes = encodeCbor(one)
      expect(bytes).toEqual(new Uint8Array(encode(one)))
      expect(decodeCbor(bytes, bytes.length, () => new Error('refused'))).toEqual(one)
      if (agree(bytes)) plain += 1
    }),
    { numRuns: 2000 },
  )
  expect(plain).toBeGreaterThan(500)
})

test('whatever is read of any bytes has no other encoding, and the codec reads it so', () => {
  let plain = 0
  assert(
    property(uint8Array({ maxLength: 12 }), (bytes) => {
      if (agree(bytes)) plain += 1
    }),
    { numRuns: 20_000 },
  )
  expect(plain).toBeGreaterThan(100)
})

test('a byte that is changed, cut off or added leads to no other value than the codec’s', () => {
  const change = record({ byte: nat(300), to: nat(255), how: constantFrom('set', 'cut', 'add') })
  assert(
    property(value, change, (one, { byte, to, how }) => {
      const bytes = encodeCbor(one)
      if (how === 'set') bytes[byte % bytes.length] = to
      agree(how === 'cut' ? bytes.slice(0, -1) : how === 'add' ? Uint8Array.of(...bytes, to) : bytes)
    }),
    { numRuns: 5000 },
  )
})

test('bytes that are read are copies, also those of a Buffer', () => {
  for (const length of [0, 16, 64, 65, 300]) {
    const source = Buffer.from(encodeCbor([new Uint8Array(length).fill(1)]))
    const [bytes] = new PlainReader(source, DEPTH).whole() as [Uint8Array]
    source.fill(2)
    expect(bytes).toEqual(new Uint8Array(length).fill(1))
  }
})
