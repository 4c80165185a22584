/** Rows of captures: where they lie, and the macs over them (SPEC §20). @module */

import type { Realm } from '../base/brand.ts'
import { concatBytes, equalBytes, joinBytes, labelBytes, u32be, utf8, wipe } from '../base/bytes.ts'
import { asArray, asBytes, type CborValue, decodeCbor, encodeCbor } from '../base/cbor.ts'
import { realmPrefix } from '../base/identifier.ts'
import { hkdfPortable, hmacSha512Portable } from '../crypto/kdf-portable.ts'
import { rejectRow } from './errors.ts'

export const FORMAT = 1
export const TABLE = 'challenges'
export const SECRET_BYTES = 32
export const NONCE_BYTES = 32
/** Ids of keys, hashes, tags. */
export const HASH_BYTES = 32
const MAC_BYTES = 32
const MAX_BODY_BYTES = 4096
const MAX_ROW_BYTES: number = MAX_BODY_BYTES + 64

/** What lies behind the realm's prefix. */
export const CHALLENGES = 1
export const REPEATS = 2
const DEVICES = 3
const FAMILIES = 4
const RING = 5

/** The keys of a realm's captures, off-heap. */
export interface CaptureKeys {
  readonly challenge: Uint8Array
  readonly repeat: Uint8Array
  readonly device: Uint8Array
  readonly transport: Uint8Array
  wipe(): void
}

/** One expand of the realm's capture secret. */
export function captureKeys(secret: Uint8Array, realm: Realm): CaptureKeys {
  const info = joinBytes(labelBytes('guise/v1/capture'), labelBytes(realm))
  const okm = hkdfPortable(secret, info, 4 * SECRET_BYTES)
  const part = (index: number): Uint8Array => okm.subarray(index * SECRET_BYTES, (index + 1) * SECRET_BYTES)
  return {
    challenge: part(0),
    repeat: part(1),
    device: part(2),
    transport: part(3),
    wipe: () => wipe(okm),
  }
}

/** `mac(key, lp(label) ‖ …parts)`. */
export function tagOf(key: Uint8Array, label: string, ...parts: readonly Uint8Array[]): Uint8Array {
  const message = concatBytes(labelBytes(label), ...parts)
  const full = hmacSha512Portable(key, message)
  wipe(message)
  return full.slice(0, MAC_BYTES)
}

/** An authenticated row. */
export function writeRow(key: Uint8Array, label: string, body: readonly CborValue[]): Uint8Array {
  const bytes = encodeCbor(body)
  return encodeCbor([bytes, tagOf(key, label, bytes)])
}

/** The body of a row that verifies, an array of `arity` that begins with format and `kind`. Throws `ERR_CAPTURE_ROW`. */
export function readRow(
  row: Uint8Array,
  key: Uint8Array,
  label: string,
  kind: number,
  arity: number,
): readonly CborValue[] {
  const parts = asArray(decodeCbor(row, MAX_ROW_BYTES, rejectRow), 2, rejectRow)
  const bytes = asBytes(parts[0], [1, MAX_BODY_BYTES], rejectRow)
  const tag = asBytes(parts[1], MAC_BYTES, rejectRow)
  if (!equalBytes(tag, tagOf(key, label, bytes))) throw rejectRow('a row does not verify')
  const body = asArray(decodeCbor(bytes, MAX_BODY_BYTES, rejectRow), arity, rejectRow)
  if (body[0] !== FORMAT || body[1] !== kind) throw rejectRow('a row is of another format or kind')
  return body
}

/** Where the rows of one kind begin. */
export function areaKey(realm: Realm, area: number): Uint8Array {
  return joinBytes(realmPrefix(realm), Uint8Array.of(area))
}

export function challengeRowKey(realm: Realm, nonce: Uint8Array): Uint8Array {
  return joinBytes(areaKey(realm, CHALLENGES), nonce)
}

export function repeatRowKey(realm: Realm, period: number, tag: Uint8Array): Uint8Array {
  return joinBytes(areaKey(realm, REPEATS), u32be(period), tag)
}

export function deviceRowKey(realm: Realm, device: Uint8Array): Uint8Array {
  return joinBytes(areaKey(realm, DEVICES), device)
}

export function familyRowKey(realm: Realm, family: string): Uint8Array {
  return joinBytes(areaKey(realm, FAMILIES), utf8(family) as Uint8Array)
}

export function ringRowKey(realm: Realm): Uint8Array {
  return areaKey(realm, RING)
}
