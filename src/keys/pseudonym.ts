/** External identifiers map to random handles through a keyed function (SPEC §4.5). @module */

import type { Realm } from '../base/brand.ts'
import { joinBytes, u32be, wipe } from '../base/bytes.ts'
import { asArray, asBytes, decodeCbor, encodeCbor } from '../base/cbor.ts'
import { checkSubject, realmPrefix } from '../base/identifier.ts'
import { mac, verifyMac } from '../crypto/kdf.ts'
import { randomBytes } from '../crypto/random.ts'
import { badInput, KeysError } from './errors.ts'

/** Where an index row lies and what authenticates it. */
export interface IndexPlace {
  readonly realm: Realm
  /** Version of the realm keys. */
  readonly version: number
  /** 32 bytes: `subjectTag`. */
  readonly tag: Uint8Array
}

const HANDLE_BYTES = 16

const TAG_BYTES = 32
const SUBJECT = Uint8Array.of(1)
const ROW = Uint8Array.of(2)
const MAX_BODY_BYTES = 128

/**
 * What stands for an external identifier under one version of the index key, 32 bytes. Nothing else of the
 * identifier is ever kept (KEYS-15). Throws `ERR_KEYS_INPUT` for an identifier outside SPEC §2.3.
 */
export function subjectTag(indexKey: Uint8Array, subject: string): Uint8Array {
  const identifier = checkSubject(subject, badInput)
  try {
    return mac(indexKey, [SUBJECT, identifier])
  } finally {
    wipe(identifier)
  }
}

/** The row's key in table `index`: `P ‖ u32be(version) ‖ tag`. */
export function indexRowKey(place: IndexPlace): Uint8Array {
  return joinBytes(realmPrefix(place.realm), u32be(place.version), place.tag)
}

/** 16 random bytes, never all 0xFF: those keys hold rows that belong to no subject. */
export function drawHandle(draw: (length: number) => Uint8Array = randomBytes): Uint8Array {
  for (;;) {
    const handle = draw(HANDLE_BYTES)
    if (handle.some((byte) => byte !== 0xff)) return handle
  }
}

/** Where a row holds the handle, counted from its end: for a reading that follows it before the tag is looked at. */
export const HANDLE_PIECE: { readonly at: number; readonly length: number } = {
  at: -(TAG_BYTES + HANDLE_BYTES),
  length: HANDLE_BYTES,
}

/** The row's bytes. */
export function encodeIndexRow(place: IndexPlace, indexKey: Uint8Array, handle: Uint8Array): Uint8Array {
  const body = encodeCbor([1, 5, place.realm, place.version, handle])
  return joinBytes(body, mac(indexKey, [ROW, place.tag, body]))
}

/** The handle that a row names. Throws `ERR_KEYS_INDEX` unless the row was written for this very place. */
export function decodeIndexRow(row: Uint8Array, place: IndexPlace, indexKey: Uint8Array): Uint8Array {
  if (row.length <= TAG_BYTES || row.length > MAX_BODY_BYTES + TAG_BYTES)
    throw badRow('it has the wrong length')
  const body = row.subarray(0, row.length - TAG_BYTES)
  if (!verifyMac(indexKey, [ROW, place.tag, body], row.subarray(body.length))) {
    throw badRow('its authentication tag does not fit')
  }
  const items = asArray(decodeCbor(body, MAX_BODY_BYTES, badRow), 5, badRow)
  const [format, kind, realm, version, handle] = items
  if (format !== 1 || kind !== 5) throw badRow('its format is unknown')
  if (realm !== place.realm || version !== place.version) throw badRow('it belongs elsewhere')
  return asBytes(handle, HANDLE_BYTES, badRow)
}

function badRow(why: string): KeysError {
  return new KeysError('ERR_KEYS_INDEX', `the index row is refused: ${why}`)
}
