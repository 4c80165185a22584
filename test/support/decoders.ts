/** Decoders of rows, each with a row to alter (SPEC §9). @module */
import type { Realm } from '../../src/base/brand.ts'
import { concatBytes, labelBytes } from '../../src/base/bytes.ts'
import { encodeCbor } from '../../src/base/cbor.ts'
import { mac } from '../../src/crypto/kdf.ts'
import { decodeIndexRow, encodeIndexRow } from '../../src/keys/pseudonym.ts'
import { decodeRing } from '../../src/keys/ring.ts'
import {
  decodeAttemptsRow,
  decodeRealmAttemptsRow,
  encodeAttemptsRow,
  encodeRealmAttemptsRow,
} from '../../src/record/attempts-row.ts'
import { decodeEndingRow, encodeEndingRow } from '../../src/record/ending-row.ts'
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

const REALM = 'clinic' as Realm
const key = new Uint8Array(32).fill(6)

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

const STATE: StateRow = {
  ...NAME,
  version: 70_000,
  state: 'active',
  exposed: true,
  profile: 2,
  devices: Array.from({ length: 4 }, (_, i) => new Uint8Array(16).fill(i)),
  keyVersion: 1,
  model: 'test@1',
  bits: 128,
  basis: {
    kind: 'consent',
    purpose: 'login',
    grantedMs: 1e12,
    expiresMs: 2e12,
    noticeVersion: '2026-01',
    evidence: key,
    separateConsent: true,
    under14: true,
    guardianEvidence: key,
  },
  since: 1,
  last: 2,
  changedMs: 1e12,
  reason: 3,
  operations: [{ digest: NAME.handle, code: 8 }],
}

/** Any bytes, with a tag that fits for the rows that have one: what lies behind the tag is fuzzed too. */
export function tagged(label: string): (body: Uint8Array) => Uint8Array {
  return (body) => concatBytes(body, mac(key, concatBytes(labelBytes(label), body)))
}

/** A decoder, a row that it reads, and what lies between the bytes that are altered and the row. */
export interface Decoder {
  readonly seed: Uint8Array
  readonly wrap?: (body: Uint8Array) => Uint8Array
  readonly decode: (row: Uint8Array) => unknown
  /** The row of what was read, where it can be made: there is only one. */
  readonly encode?: (value: never) => Uint8Array
}

/** Decoders of everything that a vault keeps or gives out, but its log. */
export function rowDecoders(): Readonly<Record<string, Decoder>> {
  const place = {
    ...NAME,
    scope: 1,
    version: 1,
    keyVersion: 1,
    operations: [{ digest: NAME.handle, code: 1 }],
  }
  const count = { run: 1, failures: 2, lastMs: 3, origin: NAME.handle, steadyMs: 4 }
  const sealed = { nonce: new Uint8Array(24), commitment: key, ciphertext: new Uint8Array(32) }
  const body = (encoded: Uint8Array): Uint8Array => encoded.subarray(0, -32)
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
      seed: body(encodeStateRow(STATE, key)),
      wrap: tagged('guise/v1/state'),
      decode: (given) => decodeStateRow(given, NAME, () => key),
      encode: (value: StateRow) => encodeStateRow(value, key),
    },
    attempts: {
      seed: body(encodeAttemptsRow({ ...place, count }, key)),
      wrap: tagged('guise/v1/attempts'),
      decode: (given) => decodeAttemptsRow(given, place, () => key),
      encode: (value: Parameters<typeof encodeAttemptsRow>[0]) => encodeAttemptsRow(value, key),
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
      encode: (value: Parameters<typeof encodeRealmAttemptsRow>[0]) => encodeRealmAttemptsRow(value, key),
    },
    note: {
      seed: body(
        encodeUnfinishedRow({ ...NAME, timeMs: 1, origin: NAME.handle, steadyMs: 1, keyVersion: 1 }, key),
      ),
      wrap: tagged('guise/v1/unfinished'),
      decode: (given) => decodeUnfinishedRow(given, NAME, () => key),
      encode: (value: Parameters<typeof encodeUnfinishedRow>[0]) => encodeUnfinishedRow(value, key),
    },
    ending: {
      seed: body(encodeEndingRow({ ...NAME, keyVersion: 1 }, key)),
      wrap: tagged('guise/v1/ending'),
      decode: (given) => decodeEndingRow(given, NAME, () => key),
      encode: (value: Parameters<typeof encodeEndingRow>[0]) => encodeEndingRow(value, key),
    },
    receipt: {
      seed: body(encodeReceiptRow(kept, key)),
      wrap: tagged('guise/v1/receipt-row'),
      decode: (given) => decodeReceiptRow(given, kept, () => key),
    },
    index: {
      seed: encodeIndexRow({ realm: REALM, version: 1, tag: key }, key, NAME.handle),
      decode: (given) => decodeIndexRow(given, { realm: REALM, version: 1, tag: key }, key),
    },
    ring: {
      seed: concatBytes(encodeCbor(ring), key),
      decode: (given) => decodeRing(given, { realm: REALM, provider: 'p' }),
    },
    movedRing: {
      seed: concatBytes(encodeCbor([2, ...ring.slice(1), [['q', [1], [1], key]]]), key),
      decode: (given) => decodeRing(given, { realm: REALM, provider: 'p' }),
    },
  }
}

/** The statement of an erasure, whose signature is looked at for each: slow. */
export function statementDecoder(): Decoder {
  return {
    seed: encodeCbor([1, 10, REALM, NAME.record, NAME.generation, 1, 1, 1, 1, 1]),
    decode: (given) => readReceipt(given, concatBytes(key, key), () => key),
  }
}
