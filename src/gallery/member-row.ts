/** A member: a code for searches, sealed under the person's own record secret (SPEC §16.3). @module */

import { equalBytes, wipe } from '../base/bytes.ts'
import { asArray, asBytes, asText, asUint, type CborValue, decodeCbor, encodeCbor } from '../base/cbor.ts'
import { CborCursor } from '../base/cbor-cursor.ts'
import { committingOpen, committingSeal } from '../crypto/committing.ts'
import { malformed, misplaced } from '../record/errors.ts'
import type { RecordName } from '../record/place.ts'
import { decodeStructure, FORMAT, MAX_MILLIS, MAX_ROW_BYTES, MAX_U32 } from '../record/row.ts'
import { sealFailure } from '../seal/errors.ts'
import { encodeReference } from '../template/template.ts'
import { GALLERY_SUITE, type GalleryProfile } from './declaration.ts'
import { GALLERY_KIND, profileFromCbor, profileToCbor, requireRealm, USE } from './rows.ts'

/** A parsed member row. Nothing of it is authentic before it is opened. */
export interface MemberRow {
  readonly profile: GalleryProfile
  readonly name: RecordName
  readonly number: number
  readonly slot: number
  readonly header: Uint8Array
  readonly nonce: Uint8Array
  readonly commitment: Uint8Array
  readonly ciphertext: Uint8Array
}

/** Where a member belongs. */
export interface MemberPlace {
  readonly profile: GalleryProfile
  readonly name: RecordName
  readonly number: number
  readonly slot: number
  readonly createdMs: number
}

const LABEL = 'guise/v1/gallery-member'
const ARITY = 16
const MAX_HEADER_BYTES = 1024
const AEAD_TAG_BYTES = 16
const MOST_SLOT = 31

/** The row of a new member. The code exists only meanwhile. `recordSecret`, `rotationKey` and `integers` are borrowed. */
export function makeMemberRow(
  place: MemberPlace,
  integers: Int32Array,
  rotationKey: Uint8Array,
  recordSecret: Uint8Array,
): Uint8Array {
  const header = memberHeader(place)
  const code = encodeReference(integers, GALLERY_SUITE, place.profile.bits, rotationKey)
  try {
    const { nonce, commitment, ciphertext } = committingSeal(recordSecret, LABEL, header, code)
    return encodeCbor([header, nonce, commitment, ciphertext])
  } finally {
    wipe(code)
  }
}

/** Parses a row and checks that it is in its place; the seal is not opened. */
export function decodeMemberRow(
  bytes: Uint8Array,
  place: { readonly profile: Pick<GalleryProfile, 'realm'>; readonly handle: Uint8Array },
): MemberRow {
  const [first, nonce, commitment, ciphertext] = asArray(
    decodeCbor(bytes, MAX_ROW_BYTES, malformed),
    4,
    malformed,
  )
  const header = asBytes(first, [1, MAX_HEADER_BYTES], malformed)
  const items = decodeStructure(header, GALLERY_KIND.member, ARITY)
  const [, , realmItem, use, handle, record, generation] = items
  const [number, slot, created] = items.slice(13)
  const { realm } = place.profile
  requireRealm(realmItem, realm)
  if (asText(use, 16, malformed) !== USE) throw misplaced('another use')
  if (!equalBytes(asBytes(handle, 16, malformed), place.handle)) throw misplaced('another subject')
  asUint(created, MAX_MILLIS, malformed)
  const profile = profileFromCbor(realm, items.slice(7, 13))
  return {
    profile,
    name: {
      realm,
      handle: place.handle,
      record: asBytes(record, 16, malformed),
      generation: asBytes(generation, 20, malformed),
    },
    number: asUint(number, MAX_U32, malformed),
    slot: asUint(slot, MOST_SLOT, malformed),
    header,
    nonce: asBytes(nonce, 24, malformed),
    commitment: asBytes(commitment, 32, malformed),
    ciphertext: asBytes(ciphertext, profile.bits / 8 + AEAD_TAG_BYTES, malformed),
  }
}

/** Reads the members of one gallery: the rows that fit to the last byte, which nearly all do, without building their values. */
export class MemberReader {
  readonly #profile: GalleryProfile
  readonly #begin: Uint8Array
  readonly #made: Uint8Array

  constructor(profile: GalleryProfile) {
    this.#profile = profile
    const head = 0x80 | ARITY
    this.#begin = Uint8Array.of(head, ...itemsOf([FORMAT, GALLERY_KIND.member, profile.realm, USE]))
    this.#made = itemsOf(profileToCbor(profile))
  }

  /** As `decodeMemberRow`; the bytes are windows on the row's. */
  read(bytes: Uint8Array, handle: Uint8Array): MemberRow {
    return this.#readFast(bytes, handle) ?? decodeMemberRow(bytes, { profile: this.#profile, handle })
  }

  #readFast(bytes: Uint8Array, handle: Uint8Array): MemberRow | undefined {
    const { realm, bits } = this.#profile
    const row = new CborCursor(bytes)
    row.array(4)
    const header = row.bytes(1, MAX_HEADER_BYTES)
    const sealed = {
      nonce: row.bytes(24),
      commitment: row.bytes(32),
      ciphertext: row.bytes(bits / 8 + AEAD_TAG_BYTES),
    }
    if (!row.done) return undefined
    const items = new CborCursor(header)
    items.expect(this.#begin)
    const named = items.bytes(16)
    const record = items.bytes(16)
    const generation = items.bytes(20)
    items.expect(this.#made)
    const number = items.uint()
    const slot = items.uint()
    const created = items.uint()
    if (!items.done || number > MAX_U32 || slot > MOST_SLOT || created > MAX_MILLIS) return undefined
    if (!equalBytes(named, handle)) return undefined
    return {
      profile: this.#profile,
      name: { realm, handle, record, generation },
      number,
      slot,
      header,
      ...sealed,
    }
  }
}

/** Items one after the other, without the head of an array. */
function itemsOf(items: readonly CborValue[]): Uint8Array {
  return encodeCbor(items).subarray(1)
}

/** The code, off the heap, or in `room` where the caller has one of its length; the caller wipes it. Throws `ERR_SEAL_OPEN`. */
export function openMember(
  row: MemberRow,
  recordSecret: Uint8Array,
  room?: Uint8Array<ArrayBuffer>,
): Uint8Array {
  const code = committingOpen(recordSecret, LABEL, row.header, row, room)
  if (code === undefined) throw sealFailure()
  return code
}

function memberHeader({ profile, name, number, slot, createdMs }: MemberPlace): Uint8Array {
  const { realm, handle, record, generation } = name
  const begin = [FORMAT, GALLERY_KIND.member, realm, USE, handle, record, generation]
  return encodeCbor([...begin, ...profileToCbor(profile), number, slot, createdMs])
}
