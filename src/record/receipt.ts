/** Erasure receipts: what was erased, and when it became unreachable, signed (SPEC §11.3). @module */

import type { Realm } from '../base/brand.ts'
import { equalBytes } from '../base/bytes.ts'
import { asBytes, asText, asUint, encodeCbor } from '../base/cbor.ts'
import { signEd25519, verifyEd25519 } from '../crypto/sign.ts'
import { malformed, misplaced, RecordError } from './errors.ts'
import {
  authenticate,
  decodeStructure,
  FORMAT,
  type KeyForVersion,
  KIND,
  MAX_MILLIS,
  MAX_U32,
  readAuthenticated,
} from './row.ts'

/** The signed statement of an erasure. */
export interface ReceiptBody {
  readonly realm: Realm
  readonly record: Uint8Array
  readonly generation: Uint8Array
  readonly unreachableMs: number
  /** First and last epoch that ever wrapped the secret. */
  readonly since: number
  readonly last: number
  /** How long the realm takes at most to destroy those epochs, in milliseconds. */
  readonly boundMs: number
  readonly keyVersion: number
}

const MAX_RECEIPT_BYTES = 256

/** The statement's bytes and their Ed25519 signature. `seed` (32 bytes) is borrowed. */
export function signReceipt(
  body: ReceiptBody,
  seed: Uint8Array,
): { bytes: Uint8Array; signature: Uint8Array } {
  const { realm, record, generation, unreachableMs, since, last, boundMs, keyVersion } = body
  const bytes = encodeCbor([
    FORMAT,
    KIND.receipt,
    realm,
    record,
    generation,
    unreachableMs,
    since,
    last,
    boundMs,
    keyVersion,
  ])
  return { bytes, signature: signEd25519(bytes, seed) }
}

/**
 * The statement, after strict verification under the realm's receipt key of the version that it names: RFC 8032 with the
 * cofactor in the equation, points and scalars in non-canonical form and public keys of low order refused. Throws `ERR_RECORD_MAC` when the signature does not fit, `ERR_RECORD_FORMAT` when the bytes are not a receipt.
 *
 * @param keyFor gives the public key of a version, 32 bytes
 */
export function readReceipt(bytes: Uint8Array, signature: Uint8Array, keyFor: KeyForVersion): ReceiptBody {
  if (bytes.length > MAX_RECEIPT_BYTES) throw malformed('too long')
  const [, , realm, record, generation, unreachable, since, last, bound, keyVersion] = decodeStructure(
    bytes,
    KIND.receipt,
    10,
  )
  const publicKey = keyFor(asUint(keyVersion, MAX_U32, malformed))
  if (publicKey === undefined || !verifyEd25519(signature, bytes, publicKey)) {
    throw new RecordError('ERR_RECORD_MAC', 'the signature of a receipt does not fit')
  }
  return {
    realm: asText(realm, 64, malformed) as Realm,
    record: asBytes(record, 16, malformed),
    generation: asBytes(generation, 20, malformed),
    unreachableMs: asUint(unreachable, MAX_MILLIS, malformed),
    since: asUint(since, MAX_U32, malformed),
    last: asUint(last, MAX_U32, malformed),
    boundMs: asUint(bound, MAX_MILLIS, malformed),
    keyVersion: asUint(keyVersion, MAX_U32, malformed),
  }
}

/** A receipt that a repeated call gets again, and whose call that is (SPEC §9.6). */
export interface ReceiptRow {
  readonly realm: Realm
  /** Of the operation: 16 bytes. */
  readonly digest: Uint8Array
  readonly bytes: Uint8Array
  readonly signature: Uint8Array
  readonly keyVersion: number
}

const ROW = { kind: KIND.receiptRow, arity: 7, label: 'guise/v1/receipt-row', versionAt: 6 } as const

/** The row's bytes under the limiter key of `row.keyVersion`. */
export function encodeReceiptRow(row: ReceiptRow, key: Uint8Array): Uint8Array {
  const { realm, digest, bytes, signature, keyVersion } = row
  return authenticate([FORMAT, KIND.receiptRow, realm, digest, bytes, signature, keyVersion], ROW.label, key)
}

/** Reads a row, checks its tag and that it is this operation's; the statement itself is checked by `readReceipt`. */
export function decodeReceiptRow(
  row: Uint8Array,
  place: { readonly realm: Realm; readonly digest: Uint8Array },
  keyFor: KeyForVersion,
): ReceiptRow {
  const [, , realm, digest, bytes, signature, keyVersion] = readAuthenticated(row, ROW, keyFor)
  if (asText(realm, 64, malformed) !== place.realm) throw misplaced('another realm')
  if (!equalBytes(asBytes(digest, 16, malformed), place.digest)) throw misplaced('another operation')
  return {
    realm: place.realm,
    digest: place.digest,
    keyVersion: asUint(keyVersion, MAX_U32, malformed),
    bytes: asBytes(bytes, [1, MAX_RECEIPT_BYTES], malformed),
    signature: asBytes(signature, 64, malformed),
  }
}
