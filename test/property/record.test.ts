/** Rows read back as they were written, and any bytes at all are read or refused (SPEC §9). @module */
import * as fc from 'fast-check'
import { GuiseError } from 'guise'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Realm } from '../../src/base/brand.ts'
import { concatBytes, labelBytes } from '../../src/base/bytes.ts'
import { type CborValue, decodeCbor, encodeCbor } from '../../src/base/cbor.ts'
import { mac } from '../../src/crypto/kdf.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { decodeIndexRow, encodeIndexRow } from '../../src/keys/pseudonym.ts'
import { decodeRing } from '../../src/keys/ring.ts'
import {
  decodeAttemptsRow,
  decodeRealmAttemptsRow,
  encodeAttemptsRow,
  encodeRealmAttemptsRow,
} from '../../src/record/attempts-row.ts'
import { malformed } from '../../src/record/errors.ts'
import { decodeReceiptRow, encodeReceiptRow, readReceipt } from '../../src/record/receipt.ts'
import {
  decodeReferenceRow,
  encodeReferenceRow,
  readReferenceName,
  referenceHeader,
  type TemplateProfile,
} from '../../src/record/reference-row.ts'
import { decodeSecretRow, encodeSecretRow, secretHeader } from '../../src/record/secret-row.ts'
import { decodeStateRow, encodeStateRow, type StateRow } from '../../src/record/state-row.ts'
import { decodeUnfinishedRow, encodeUnfinishedRow } from '../../src/record/unfinished-row.ts'
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

const PROFILE: TemplateProfile = {
  realm: REALM,
  purpose: 'login',
  model: 'test@1',
  meanHash: key,
  dimensions: 128,
  bits: 128,
  suite: 'B4',
}
const NAME = {
  realm: REALM,
  handle: new Uint8Array(16).fill(1),
  record: new Uint8Array(16).fill(2),
  generation: new Uint8Array(20).fill(3),
}

/** Any bytes, with a tag that fits for the rows that have one: what lies behind the tag is fuzzed too. */
function tagged(label: string): (body: Uint8Array) => Uint8Array {
  return (body) => concatBytes(body, mac(key, concatBytes(labelBytes(label), body)))
}

interface Decoder {
  readonly seed: Uint8Array
  readonly wrap?: (body: Uint8Array) => Uint8Array
  readonly decode: (row: Uint8Array) => unknown
}

function decoders(): Readonly<Record<string, Decoder>> {
  const [row] = fc.sample(state, { numRuns: 1, seed: 5 })
  if (row === undefined) throw new Error('no sample')
  const place = {
    ...NAME,
    scope: 1,
    version: 1,
    keyVersion: 1,
    operations: [{ digest: NAME.handle, code: 1 }],
  }
  const count = { run: 1, failures: 2, lastMs: 3, origin: NAME.handle, steadyMs: 4 }
  const sealed = { nonce: new Uint8Array(24), commitment: key, ciphertext: new Uint8Array(32) }
  const stated = { ...row, ...NAME }
  const body = (encoded: Uint8Array): Uint8Array => encoded.subarray(0, -32)
  const receipt = { realm: REALM, record: NAME.record, generation: NAME.generation, unreachableMs: 1 }
  const signed = { bytes: key, signature: concatBytes(key, key) }
  const kept = { realm: REALM, digest: NAME.handle, ...signed, keyVersion: 1 }
  const ring = [1, 7, 'clinic', 3, 'p', 1, 1, [[1, 0, 1, 1, key]], [[1, 1, key]]] as const
  return {
    reference: {
      seed: encodeReferenceRow({ header: referenceHeader(PROFILE, NAME, 1e12), ...sealed }),
      decode: (given) => [decodeReferenceRow(given, PROFILE, NAME), readReferenceName(given)],
    },
    secret: {
      seed: encodeSecretRow({
        header: secretHeader({ ...NAME, epoch: 1, since: 1, profile: 0, keyVersion: 1 }),
        ...sealed,
        ciphertext: new Uint8Array(120),
      }),
      decode: (given) => decodeSecretRow(given, NAME),
    },
    state: {
      seed: body(encodeStateRow(stated, key)),
      wrap: tagged('guise/v1/state'),
      decode: (given) => decodeStateRow(given, NAME, () => key),
    },
    attempts: {
      seed: body(encodeAttemptsRow({ ...place, count }, key)),
      wrap: tagged('guise/v1/attempts'),
      decode: (given) => decodeAttemptsRow(given, place, () => key),
    },
    counter: {
      seed: body(
        encodeRealmAttemptsRow(
          { realm: REALM, writer: key.subarray(16), windowMs: 1, count: 1, keyVersion: 1 },
          key,
        ),
      ),
      wrap: tagged('guise/v1/realm-attempts'),
      decode: (given) => decodeRealmAttemptsRow(given, REALM, () => key),
    },
    note: {
      seed: body(
        encodeUnfinishedRow({ ...NAME, timeMs: 1, origin: NAME.handle, steadyMs: 1, keyVersion: 1 }, key),
      ),
      wrap: tagged('guise/v1/unfinished'),
      decode: (given) => decodeUnfinishedRow(given, NAME, () => key),
    },
    receipt: {
      seed: body(encodeReceiptRow(kept, key)),
      wrap: tagged('guise/v1/receipt-row'),
      decode: (given) => decodeReceiptRow(given, kept, () => key),
    },
    statement: {
      seed: encodeCbor([1, 10, receipt.realm, receipt.record, receipt.generation, 1, 1, 1, 1, 1]),
      decode: (given) => readReceipt(given, concatBytes(key, key), () => key),
    },
    index: {
      seed: encodeIndexRow({ realm: REALM, version: 1, tag: key }, key, NAME.handle),
      decode: (given) => decodeIndexRow(given, { realm: REALM, version: 1, tag: key }, key),
    },
    ring: {
      seed: concatBytes(encodeCbor(ring), key),
      decode: (given) => decodeRing(given, { realm: REALM, provider: 'p' }),
    },
  }
}

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
    const { seed, wrap = (body: Uint8Array) => body, decode } = decoders()[kind] as Decoder
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
