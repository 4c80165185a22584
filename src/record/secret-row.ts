/** The secret row: the record secret, wrapped twice (SPEC §9.2). @module */

import type { Realm } from '../base/brand.ts'
import { equalBytes, readU32be, u32be } from '../base/bytes.ts'
import { asArray, asBytes, asText, asUint, decodeCbor, encodeCbor } from '../base/cbor.ts'
import { CborCursor } from '../base/cbor-cursor.ts'
import { malformed, misplaced, RecordError } from './errors.ts'
import { decodeStructure, FORMAT, KIND, MAX_ROW_BYTES } from './row.ts'

/** What the outer wrap binds. */
export interface SecretHeader {
  readonly realm: Realm
  /** 16 bytes. */
  readonly record: Uint8Array
  /** 20 bytes. */
  readonly generation: Uint8Array
  /** The epoch whose key wraps it now. */
  readonly epoch: number
  /** The first epoch that ever wrapped it. */
  readonly since: number
  /** 0 operator, 1 quorum, 2 holder, 3 quorum and holder. */
  readonly profile: number
  /** Version of the custody key inside. */
  readonly keyVersion: number
  /** The quorum epoch whose output is inside: of profiles 1 and 3, and of no other. */
  readonly quorumEpoch?: number | undefined
}

/** A parsed secret row. */
export interface SecretRow extends SecretHeader {
  readonly header: Uint8Array
  readonly nonce: Uint8Array
  readonly commitment: Uint8Array
  readonly ciphertext: Uint8Array
}

/** Length of one slot: nonce, commitment, wrapped record secret and tag. */
const SLOT_BYTES = 104
const TAG_BYTES = 16
const PROFILES = 4

/** Slots of a profile: four where the person's devices hold shares, one elsewhere. */
function slotsOf(profile: number): 1 | 4 {
  return profile >= 2 ? 4 : 1
}

/** Items of a header, without and with the quorum's epoch. */
const ITEMS = 9
const QUORUM_ITEMS = 10
const QUORUM_HEAD = 0x80 | QUORUM_ITEMS

/** The header's bytes: associated data of the outer wrap. */
export function secretHeader(header: SecretHeader): Uint8Array {
  const { realm, record, generation, epoch, since, profile, keyVersion, quorumEpoch } = header
  return encodeCbor([
    FORMAT,
    KIND.secret,
    realm,
    record,
    generation,
    u32be(epoch),
    u32be(since),
    profile,
    u32be(keyVersion),
    ...(quorumEpoch === undefined ? [] : [u32be(quorumEpoch)]),
  ])
}

/** The row's bytes. */
export function encodeSecretRow(
  row: Pick<SecretRow, 'header' | 'nonce' | 'commitment' | 'ciphertext'>,
): Uint8Array {
  return encodeCbor([row.header, row.nonce, row.commitment, row.ciphertext])
}

/**
 * Parses a row and checks that it lies where it belongs. Until the wrap has been opened nothing of it is authentic.
 *
 * @param place what the key says; `generation` is left out by whoever reads every row of a realm
 */
export function decodeSecretRow(bytes: Uint8Array, place: SecretPlace): SecretRow {
  return readFast(bytes, place) ?? readStrict(bytes, place)
}

/** Reads a row that fits to the last byte, which nearly all do, without building its values. */
function readFast(bytes: Uint8Array, place: SecretPlace): SecretRow | undefined {
  const row = new CborCursor(bytes)
  row.array(4)
  const header = row.bytes(1, 512)
  const nonce = row.bytes(24)
  const commitment = row.bytes(32)
  const ciphertext = row.bytes(1, 4 * SLOT_BYTES + TAG_BYTES)
  if (!row.done) return undefined
  const items = new CborCursor(header)
  const named = header[0] === QUORUM_HEAD
  items.array(named ? QUORUM_ITEMS : ITEMS)
  items.expect(beginOf(place.realm))
  const [record, generation] = [items.bytes(16), items.bytes(20)]
  const [epoch, since] = [items.bytes(4), items.bytes(4)]
  const profile = items.uint()
  const keyVersion = items.bytes(4)
  const quorumItem = named ? items.bytes(4) : undefined
  if (!items.done || profile >= PROFILES) return undefined
  const quorumEpoch = quorumItem && readU32be(quorumItem)
  if (!fitsProfile(quorumEpoch, profile)) return undefined
  if (ciphertext.length !== slotsOf(profile) * SLOT_BYTES + TAG_BYTES) return undefined
  if (!equalBytes(record, place.record) || !equalBytes(generation, place.generation)) return undefined
  return {
    header,
    nonce,
    commitment,
    ciphertext,
    realm: place.realm,
    record: place.record,
    generation: place.generation,
    epoch: readU32be(epoch),
    since: readU32be(since),
    profile,
    keyVersion: readU32be(keyVersion),
    quorumEpoch,
  }
}

/** An epoch from 1 on where a quorum takes part, none elsewhere. */
function fitsProfile(quorumEpoch: number | undefined, profile: number): boolean {
  return profile % 2 === 1 ? quorumEpoch !== undefined && quorumEpoch > 0 : quorumEpoch === undefined
}

let begun: { readonly realm: Realm; readonly items: Uint8Array } | undefined

/** The first items of a header, without the head of the array; a process has few realms. */
function beginOf(realm: Realm): Uint8Array {
  if (begun?.realm !== realm) begun = { realm, items: encodeCbor([FORMAT, KIND.secret, realm]).subarray(1) }
  return begun.items
}

interface SecretPlace {
  readonly realm: Realm
  readonly record: Uint8Array
  readonly generation: Uint8Array
}

function readStrict(bytes: Uint8Array, place: SecretPlace): SecretRow {
  const [first, nonce, commitment, ciphertext] = asArray(
    decodeCbor(bytes, MAX_ROW_BYTES, malformed),
    4,
    malformed,
  )
  const header = asBytes(first, [1, 512], malformed)
  const items = decodeStructure(header, KIND.secret, header[0] === QUORUM_HEAD ? QUORUM_ITEMS : ITEMS)
  const [, , realm, record, generation, epoch, since, profileItem, keyVersion, quorumItem] = items
  if (asText(realm, 64, malformed) !== place.realm) throw misplaced('another realm')
  if (!equalBytes(asBytes(record, 16, malformed), place.record)) throw misplaced('another record')
  if (!equalBytes(asBytes(generation, 20, malformed), place.generation)) throw misplaced('another generation')
  const profile = asUint(profileItem, 255, malformed)
  if (profile >= PROFILES)
    throw new RecordError('ERR_RECORD_VERSION', 'the custody profile of a wrap is unknown')
  const quorumEpoch = quorumItem === undefined ? undefined : readU32be(asBytes(quorumItem, 4, malformed))
  if (!fitsProfile(quorumEpoch, profile)) throw malformed('a quorum epoch that does not fit the profile')
  return {
    header,
    nonce: asBytes(nonce, 24, malformed),
    commitment: asBytes(commitment, 32, malformed),
    ciphertext: asBytes(ciphertext, slotsOf(profile) * SLOT_BYTES + TAG_BYTES, malformed),
    realm: place.realm,
    record: place.record,
    generation: place.generation,
    epoch: readU32be(asBytes(epoch, 4, malformed)),
    since: readU32be(asBytes(since, 4, malformed)),
    profile,
    keyVersion: readU32be(asBytes(keyVersion, 4, malformed)),
    quorumEpoch,
  }
}
