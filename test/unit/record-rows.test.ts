/** State rows that no vault writes, under a tag that fits (SPEC §9.3). @module */
import { beforeAll, expect, test } from 'vitest'
import type { Realm } from '../../src/base/brand.ts'
import { concatBytes, labelBytes } from '../../src/base/bytes.ts'
import { type CborValue, encodeCbor } from '../../src/base/cbor.ts'
import { mac } from '../../src/crypto/kdf.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { decodeAttemptsRow } from '../../src/record/attempts-row.ts'
import { decodeStateRow } from '../../src/record/state-row.ts'

beforeAll(cryptoReady)

const key = new Uint8Array(32).fill(1)
const place = { realm: 'clinic' as Realm, handle: new Uint8Array(16) }

function read(change: Readonly<Record<number, CborValue>>): string {
  const fields: CborValue[] = [
    1,
    4,
    'clinic',
    new Uint8Array(16),
    new Uint8Array(16),
    new Uint8Array(20),
    1,
    1,
  ]
  fields.push(false, 0, [], 1, 'test@1', 128, null, 1, 1, 0, 0, [])
  const body = encodeCbor(fields.map((field, at) => change[at] ?? field))
  const row = concatBytes(body, mac(key, concatBytes(labelBytes('guise/v1/state'), body)))
  try {
    return decodeStateRow(row, place, () => key).state
  } catch (error) {
    return (error as { readonly code: string }).code
  }
}

test('a state that is never stored, a number of bits that none has, a wrong number of devices', () => {
  const device = new Uint8Array(16)
  expect(read({})).toBe('active')
  expect(read({ 7: 5 })).toBe('ERR_RECORD_FORMAT')
  expect(read({ 7: 7 })).toBe('ERR_RECORD_FORMAT')
  expect(read({ 13: 100 })).toBe('ERR_RECORD_FORMAT')
  expect(read({ 9: 4 })).toBe('ERR_RECORD_VERSION')
  expect(read({ 10: [device, device, device, device] })).toBe('active')
  for (let length = 1; length < 4; length++) {
    expect(read({ 10: Array.from({ length }, () => device) })).toBe('ERR_RECORD_FORMAT')
  }
})

test('no row counts a live run without a failure', () => {
  const generation = new Uint8Array(20)
  const where = { ...place, scope: 1, generation }
  const decode = (kind: number, run: number): unknown => {
    const fields: CborValue[] = [
      1,
      kind,
      'clinic',
      place.handle,
      1,
      generation,
      1,
      run,
      0,
      0,
      place.handle,
      0,
      1,
      [],
    ]
    const body = encodeCbor(fields)
    const row = concatBytes(body, mac(key, concatBytes(labelBytes('guise/v1/attempts'), body)))
    return decodeAttemptsRow(row, where, () => key).count
  }
  expect(decode(68, 1)).toMatchObject({ run: 1, live: true })
  expect(decode(6, 0)).toMatchObject({ run: 0 })
  expect(() => decode(68, 0)).toThrow(expect.objectContaining({ code: 'ERR_RECORD_FORMAT' }))
})
