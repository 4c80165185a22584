/** Rows read back as they were written, and any bytes at all are read or refused (SPEC §9). @module */
import * as fc from 'fast-check'
import { GuiseError } from 'guise'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Realm } from '../../src/base/brand.ts'
import { concatBytes } from '../../src/base/bytes.ts'
import { type CborValue, decodeCbor, encodeCbor } from '../../src/base/cbor.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { decodeIndexRow, encodeIndexRow } from '../../src/keys/pseudonym.ts'
import {
  decodeAttemptsRow,
  decodeRealmAttemptsRow,
  encodeAttemptsRow,
  encodeRealmAttemptsRow,
} from '../../src/record/attempts-row.ts'
import { malformed } from '../../src/record/errors.ts'
import { decodeReceiptRow, encodeReceiptRow } from '../../src/record/receipt.ts'
import { decodeStateRow, encodeStateRow, type StateRow } from '../../src/record/state-row.ts'
import { decodeUnfinishedRow, encodeUnfinishedRow } from '../../src/record/unfinished-row.ts'
import { type Decoder, rowDecoders, statementDecoder } from '../support/decoders.ts'
import { hostileRows, mutate } from '../support/fuzz.ts'
import { fastest } from '../support/rows.ts'
import { numbers } from '../support/vault.ts'

beforeAll(cryptoReady)

const REALM = 'clinic' as Realm
const key = new Uint8Array(32).fill(6)
const bytes = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((view) => Uint8Array.from(view))
const uint = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max })
const name = fc.record({
  realm: fc.constant(REALM),
  handle: bytes(16),
  record: bytes(16),
  generation: bytes(20),
})
const operations = (most: number): fc.Arbitrary<StateRow['operations']> =>
  fc.array(fc.record({ digest: bytes(16), code: uint(255) }), { maxLength: most })
const basis = fc.record({
  kind: fc.constantFrom('consent', 'contract', 'law', 'vital-interest'),
  purpose: fc.constant('login'),
  grantedMs: uint(8e15),
  expiresMs: uint(8e15),
  noticeVersion: fc.string({ minLength: 1, maxLength: 30, unit: 'grapheme-ascii' }),
  evidence: bytes(32),
  separateConsent: fc.boolean(),
  under14: fc.boolean(),
  guardianEvidence: fc.option(bytes(32)),
})
const state: fc.Arbitrary<StateRow> = fc
  .tuple(
    name,
    fc.record({
      version: uint(Number.MAX_SAFE_INTEGER),
      state: fc.constantFrom('pending', 'active', 'suspended', 'held', 'revoked', 'erased'),
      exposed: fc.boolean(),
      profile: uint(3),
      devices: fc
        .constantFrom(0, 4)
        .chain((length) => fc.array(bytes(16), { minLength: length, maxLength: length })),
      keyVersion: uint(0xffff_ffff),
      model: fc.constant('test@1'),
      bits: fc.constantFrom(64, 128, 256, 512, 1024),
      basis: fc.option(basis),
      since: uint(0xffff_ffff),
      last: uint(0xffff_ffff),
      changedMs: uint(8e15),
      reason: uint(6),
      operations: operations(4),
    }),
  )
  .map(([place, rest]) => ({ ...place, ...rest }))

describe('what is written is read back, and only one encoding of it', () => {
  test('state rows', () => {
    fc.assert(
      fc.property(state, (row) => {
        const encoded = encodeStateRow(row, key)
        expect(decodeStateRow(encoded, row, () => key)).toEqual(row)
        expect(
          encodeStateRow(
            decodeStateRow(encoded, row, () => key),
            key,
          ),
        ).toEqual(encoded)
      }),
      { numRuns: 300 },
    )
  })

  test('attempts rows', () => {
    const count = fc.record({
      run: uint(0xffff_ffff),
      failures: uint(0xffff_ffff),
      lastMs: uint(8e15),
      origin: bytes(16),
      steadyMs: uint(Number.MAX_SAFE_INTEGER),
    })
    fc.assert(
      fc.property(
        name,
        count,
        operations(8),
        uint(1000),
        ({ realm, handle, generation }, counted, list, version) => {
          const row = {
            realm,
            handle,
            generation,
            scope: 1,
            version,
            count: counted,
            keyVersion: 1,
            operations: list,
          }
          expect(decodeAttemptsRow(encodeAttemptsRow(row, key), row, () => key)).toEqual(row)
        },
      ),
      { numRuns: 200 },
    )
  })

  test('notes, receipts, index rows and counters', () => {
    fc.assert(
      fc.property(name, uint(8e15), bytes(16), uint(1e9), (place, timeMs, origin, steadyMs) => {
        const note = { ...place, timeMs, origin, steadyMs, keyVersion: 1 }
        expect(decodeUnfinishedRow(encodeUnfinishedRow(note, key), note, () => key)).toEqual(note)
        const signed = { bytes: place.generation, signature: concatBytes(key, key) }
        const receipt = { realm: REALM, digest: origin, ...signed, keyVersion: 1 }
        expect(decodeReceiptRow(encodeReceiptRow(receipt, key), receipt, () => key)).toEqual(receipt)
        const index = { realm: REALM, version: 1, tag: key }
        expect(decodeIndexRow(encodeIndexRow(index, key, place.handle), index, key)).toEqual(place.handle)
        const counter = { realm: REALM, writer: origin, windowMs: timeMs, count: steadyMs, keyVersion: 2 }
        expect(decodeRealmAttemptsRow(encodeRealmAttemptsRow(counter, key), REALM, () => key)).toEqual(
          counter,
        )
      }),
      { numRuns: 200 },
    )
  })
})

describe('any bytes are read or refused, typed and at once', () => {
  const names = [
    'reference',
    'secret',
    'state',
    'attempts',
    'counter',
    'note',
    'receipt',
    'statement',
    'index',
    'ring',
  ]
  test.each(names)('%s', (kind) => {
    const {
      seed,
      wrap = (body: Uint8Array) => body,
      decode,
    } = { ...rowDecoders(), statement: statementDecoder() }[kind] as Decoder
    const draw = numbers(names.indexOf(kind) + 1)
    let read = 0
    let refused = 0
    let longestMs = 0
    const attempt = (given: Uint8Array): unknown => {
      try {
        return decode(wrap(given))
      } catch (error) {
        return error
      }
    }
    const one = (given: Uint8Array): void => {
      const begun = performance.now()
      try {
        decode(wrap(given))
        read++
      } catch (error) {
        if (!(error instanceof GuiseError)) throw error
        expect(error.code).toMatch(/^ERR_(RECORD|KEYS)_/)
        refused++
      }
      const tookMs = performance.now() - begun
      // A busy machine only ever adds: what took long is timed again.
      if (tookMs > 20)
        longestMs = Math.max(
          longestMs,
          fastest(() => void attempt(given)),
        )
    }
    for (const row of hostileRows()) one(row)
    const heap = process.memoryUsage().rss
    for (let i = 0; i < 4000; i++) one(mutate(seed, draw))
    expect(read + refused).toBe(4000 + hostileRows().length)
    expect(refused).toBeGreaterThan(1000)
    expect(longestMs).toBeLessThan(50)
    expect(process.memoryUsage().rss - heap).toBeLessThan(256 * 2 ** 20)
  })

  test('no other encoding of the same row is read', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (given) => {
        let value: CborValue | undefined
        try {
          value = decodeCbor(Uint8Array.from(given), 64, malformed)
        } catch (error) {
          expect(error).toBeInstanceOf(GuiseError)
          return
        }
        expect(encodeCbor(value)).toEqual(Uint8Array.from(given))
      }),
      { numRuns: 3000 },
    )
  })
})
