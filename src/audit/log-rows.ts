/** Rows of the log: its head, pages of entries, blocks of hashes, the newest checkpoint (SPEC §14.7). @module */

import type { Realm } from '../base/brand.ts'
import { concatBytes, joinBytes, labelBytes, readU32be, u32be } from '../base/bytes.ts'
import { asArray, asBytes, asText, asUint, decodeCbor, encodeCbor } from '../base/cbor.ts'
import { realmPrefix } from '../base/identifier.ts'
import { mac, verifyMac } from '../crypto/kdf.ts'
import { MAX_ENTRY_BYTES } from './entry.ts'
import { AuditError, malformed } from './errors.ts'
import { HASH_BYTES } from './tree.ts'

/** How many entries a page holds: with the longest entries it still fits a row. */
export const PAGE_ENTRIES = 60
/** How many hashes of the tree's list stand in a row. */
export const BLOCK_HASHES = 512

const HEAD = 0
const CHECKPOINT = 1
const PAGE = 2
const BLOCK = 3
const FORMAT = 1
const KIND = 13
const TAG_BYTES = 32
const HEAD_LABEL = labelBytes('guise/v1/log-head')
const MAX_VERSION = 0xffff_ffff

export function headKey(realm: Realm): Uint8Array {
  return joinBytes(realmPrefix(realm), Uint8Array.of(HEAD))
}

export function checkpointKey(realm: Realm): Uint8Array {
  return joinBytes(realmPrefix(realm), Uint8Array.of(CHECKPOINT))
}

/** Where the page with the entry at `index` lies. */
export function pageKey(realm: Realm, index: number): Uint8Array {
  return numbered(realm, PAGE, Math.floor(index / PAGE_ENTRIES))
}

/** Where the block with the hash at `place` lies. */
export function blockKey(realm: Realm, place: number): Uint8Array {
  return numbered(realm, BLOCK, Math.floor(place / BLOCK_HASHES))
}

/** How long the log is, and under which root. */
export interface LogHead {
  readonly size: number
  readonly root: Uint8Array
}

/** The head's bytes under the log key of `version`. */
export function encodeHead(
  realm: Realm,
  { size, root }: LogHead,
  version: number,
  key: Uint8Array,
): Uint8Array {
  const body = encodeCbor([FORMAT, KIND, realm, size, root, version])
  return joinBytes(body, mac(key, [HEAD_LABEL, body]))
}

/** Reads a head whose tag is yet to be checked. Throws `ERR_AUDIT_FORMAT`. */
export function decodeHead(
  row: Uint8Array,
  expected: Realm,
): LogHead & { readonly version: number; isGenuine(key: Uint8Array): boolean } {
  const body = row.subarray(0, Math.max(0, row.length - TAG_BYTES))
  const items = asArray(decodeCbor(body, MAX_ENTRY_BYTES, malformed), 6, malformed)
  const [format, kind, realm, size, root, version] = items
  if (format !== FORMAT || kind !== KIND)
    throw malformed('the format or kind of the head of the log is unknown')
  if (asText(realm, 64, malformed) !== expected) throw malformed('the head is of another log')
  return {
    size: asUint(size, Number.MAX_SAFE_INTEGER, malformed),
    root: asBytes(root, HASH_BYTES, malformed),
    version: asUint(version, MAX_VERSION, malformed),
    isGenuine: (key) => verifyMac(key, [HEAD_LABEL, body], row.subarray(body.length)),
  }
}

/** The row of a page. */
export function encodePage(entries: readonly Uint8Array[]): Uint8Array {
  return joinBytes(...entries.flatMap((entry) => [u32be(entry.length), entry]))
}

/** The entries of a page, as windows on it. Throws `ERR_AUDIT_EDIT`. */
export function decodePage(row: Uint8Array): readonly Uint8Array[] {
  const entries: Uint8Array[] = []
  for (let at = 0; at < row.length; ) {
    const length = at + 4 <= row.length ? readU32be(row, at) : 0
    at += 4 + length
    if (length === 0 || length > MAX_ENTRY_BYTES || at > row.length || entries.length === PAGE_ENTRIES)
      throw damaged()
    entries.push(row.subarray(at - length, at))
  }
  return entries
}

/** The row of a block. */
export function encodeBlock(hashes: readonly Uint8Array[]): Uint8Array {
  return concatBytes(...hashes)
}

/** Makes the error of rows of the log that are not those that were written. */
export function damaged(index?: number): AuditError {
  return new AuditError(
    'ERR_AUDIT_EDIT',
    'a row of the log is not the one that was written',
    index === undefined ? {} : { index },
  )
}

function numbered(realm: Realm, kind: number, number: number): Uint8Array {
  const high = Math.floor(number / 2 ** 32)
  return joinBytes(realmPrefix(realm), Uint8Array.of(kind), u32be(high), u32be(number % 2 ** 32))
}
