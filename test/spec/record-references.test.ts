import { beforeAll, describe, expect, test } from 'vitest'
import type { Realm } from '../../src/base/brand.ts'
import { toHex } from '../../src/base/bytes.ts'
import { decodeCbor } from '../../src/base/cbor.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { malformed } from '../../src/record/errors.ts'
import { readReferenceHeader } from '../../src/record/reference-row.ts'
import {
  decodeStateRow,
  encodeStateRow,
  type FurtherReference,
  type StateRow,
} from '../../src/record/state-row.ts'
import { referenceWorld, shot, strangers } from '../support/references.ts'
import { rowsOf } from '../support/rows.ts'
import { basis, numbers } from '../support/vault.ts'

beforeAll(cryptoReady)

const KEY = new Uint8Array(32).fill(3)
const realm = 'clinic' as Realm
const random = numbers(41)
const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => 256 * random())
const reference = (probeClass: string): FurtherReference => ({
  probeClass,
  record: bytes(16),
  generation: bytes(20),
  bits: 64,
})

const ROW: StateRow = {
  realm,
  handle: bytes(16),
  record: bytes(16),
  generation: bytes(20),
  version: 1,
  state: 'active',
  exposed: false,
  profile: 0,
  devices: [],
  keyVersion: 1,
  model: 'test@1',
  bits: 128,
  basis: null,
  since: 1,
  last: 1,
  changedMs: 1,
  reason: 0,
  operations: [],
}

const read = (row: Uint8Array): StateRow => decodeStateRow(row, { realm, handle: ROW.handle }, () => KEY)
const codeOf = (references: readonly FurtherReference[]): string => {
  try {
    read(encodeStateRow({ ...ROW, references }, KEY))
  } catch (error) {
    return (error as { code: string }).code
  }
  return 'read'
}

describe('the state row of a subject with further references', () => {
  test('RECORD-8 without any it is the row that it was: 20 elements, none for them', () => {
    const row = encodeStateRow({ ...ROW, references: undefined }, KEY)
    expect(toHex(row)).toBe(toHex(encodeStateRow(ROW, KEY)))
    expect(decodeCbor(row.subarray(0, -32), 1024, malformed)).toHaveLength(20)
    expect(Object.keys(read(row))).not.toContain('references')
  })

  test('RECORD-8 with them it says each, in their order', () => {
    for (let number = 1; number <= 4; number++) {
      const references = ['a', 'b', 'c', 'd'].slice(0, number).map(reference)
      expect(read(encodeStateRow({ ...ROW, references }, KEY)).references).toEqual(references)
    }
  })

  test('RECORD-8 none, too many, and what stands twice is refused', () => {
    const one = reference('a')
    const wrong: readonly (readonly FurtherReference[])[] = [
      [],
      ['a', 'b', 'c', 'd', 'e'].map(reference),
      [reference('')],
      [reference('any')],
      [reference('c'.repeat(65))],
      [one, { ...reference('b'), probeClass: 'a' }],
      [one, { ...one, probeClass: 'b' }],
      [{ ...one, record: ROW.record }],
      [{ ...one, bits: 100 }],
    ]
    for (const references of wrong) expect(codeOf(references)).toBe('ERR_RECORD_FORMAT')
    expect(codeOf([one, reference('b')])).toBe('read')
  })
})

test('RECORD-9 the rows of a further reference are like those of a primary one', async () => {
  const { vault, store } = await referenceWorld()
  await vault.enroll({ subject: 'ada', ...shot(1), basis: basis(), references: strangers() })
  for (const [table, parts] of [
    ['references', [16]],
    ['secrets', [36]],
  ] as const) {
    const rows = await rowsOf(store, table)
    expect(rows).toHaveLength(3)
    expect(new Set(rows.map((row) => row.bytes.length)).size).toBe(1)
    expect(new Set(rows.map(({ key }) => key.length - 7))).toEqual(new Set(parts))
  }
  const codes = await rowsOf(store, 'references')
  const headers = codes.map((row) => readReferenceHeader(row.bytes))
  expect(new Set(headers.map(({ name }) => toHex(name.handle))).size).toBe(1)
  expect(new Set(headers.map(({ name }) => toHex(name.record))).size).toBe(3)
  expect(new Set(headers.map(({ profile }) => JSON.stringify(profile))).size).toBe(1)
})
