/** What all rows share: bounds, format and kind, and the tag of authenticated rows (SPEC §9). @module */

import { fixedLabel, joinBytes } from '../base/bytes.ts'
import { asArray, asUint, type CborValue, decodeCbor, encodeCbor } from '../base/cbor.ts'
import { mac, verifyMac } from '../crypto/kdf.ts'
import { malformed, RecordError } from './errors.ts'

/** No row is longer (RECORD-7). */
export const MAX_ROW_BYTES = 65_536

/** The format that this version writes and reads. */
export const FORMAT = 1

/** Second element of every structure. */
export const KIND = {
  reference: 1,
  secret: 2,
  inner: 3,
  state: 4,
  attempts: 6,
  realmAttempts: 8,
  unfinished: 9,
  receipt: 10,
  receiptRow: 11,
  ending: 44,
  liveAttempts: 68,
  model: 50,
} as const

/** Length of the tag at the end of an authenticated row. */
export const TAG_BYTES = 32

/** A version of the realm keys, or an epoch. */
export const MAX_U32 = 0xffff_ffff

/** The largest instant that a `Date` holds. */
export const MAX_MILLIS = 8_640_000_000_000_000

/** Gives the key for a version of the realm keys, borrowed; `undefined` when there is none. */
export type KeyForVersion = (version: number) => Uint8Array | undefined

/** Decodes one structure and checks format, kind and arity; `longer`: one more element may stand at its end. `other`: a second kind that is read. */
export function decodeStructure(
  bytes: Uint8Array,
  kind: number,
  arity: number,
  { other = kind, longer = false }: { readonly other?: number; readonly longer?: boolean } = {},
): readonly CborValue[] {
  const value = decodeCbor(bytes, MAX_ROW_BYTES, malformed)
  if (!Array.isArray(value)) throw malformed('expected an array')
  const items = value as readonly CborValue[]
  if (items[0] !== FORMAT || (items[1] !== kind && items[1] !== other)) {
    throw new RecordError('ERR_RECORD_VERSION', 'the format or kind of a row is unknown')
  }
  return asArray(items, longer && items.length === arity + 1 ? arity + 1 : arity, malformed)
}

/** `body ‖ mac(key, lp(label) ‖ body)`. */
export function authenticate(body: CborValue, label: string, key: Uint8Array): Uint8Array {
  const bytes = encodeCbor(body)
  return joinBytes(bytes, mac(key, [fixedLabel(label), bytes]))
}

/**
 * Reads an authenticated row: decodes the body, finds the key by the version that it names, compares the tag in
 * constant time. Nothing of the body may be used before this returns.
 *
 * @param versionAt index of the key version within the body
 */
export function readAuthenticated(
  row: Uint8Array,
  shape: {
    readonly kind: number
    readonly arity: number
    readonly label: string
    readonly versionAt: number
    /** The second kind that is read, where there is one. */
    readonly other?: number
    readonly longer?: true
  },
  keyFor: KeyForVersion,
): readonly CborValue[] {
  if (row.length > MAX_ROW_BYTES) throw malformed('too long')
  if (row.length <= TAG_BYTES) throw malformed('too short')
  const bytes = row.subarray(0, row.length - TAG_BYTES)
  const items = decodeStructure(bytes, shape.kind, shape.arity, shape)
  const key = keyFor(asUint(items[shape.versionAt], MAX_U32, malformed))
  const tag = row.subarray(row.length - TAG_BYTES)
  if (key === undefined || !verifyMac(key, [fixedLabel(shape.label), bytes], tag)) {
    throw new RecordError('ERR_RECORD_MAC', 'the authentication tag of a row does not fit')
  }
  return items
}
