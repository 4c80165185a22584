/** A holder's rows: one for each generation it was asked about, and a head over all of them (SPEC §13.5). @module */

import { HASH_BYTES } from '../audit/tree.ts'
import type { Realm } from '../base/brand.ts'
import { concatBytes, fixedLabel, joinBytes } from '../base/bytes.ts'
import { asArray, asBoolean, asBytes, asUint, decodeCbor, encodeCbor } from '../base/cbor.ts'
import { checkRealm, realmPrefix } from '../base/identifier.ts'
import { MAC_BYTES, mac, verifyMac } from '../crypto/kdf.ts'
import { malformed } from './errors.ts'
import { epochOf, FORMAT, indexOf, MAX_EPOCH, requireKind } from './key.ts'
import { GENERATION_BYTES, RECORD_BYTES } from './messages.ts'

const KIND = { record: 32, head: 33 } as const
const MAX_UINT = Number.MAX_SAFE_INTEGER
const MAX_BODY_BYTES = 512

/** Whose rows they are. */
export interface HolderName {
  readonly realm: Realm
  readonly index: number
}

export interface RecordRow {
  readonly record: Uint8Array
  readonly generation: Uint8Array
  readonly revoked: boolean
  /** Answers in all. */
  readonly total: number
  readonly hour: number
  /** Answers in that hour. */
  readonly count: number
  /** The smallest place of a log entry that may still be answered. */
  readonly next: number
}

/** The refresh below which shares of an epoch are not served any more. */
export interface Floor {
  readonly epoch: number
  readonly refresh: number
}

export interface HeadRow {
  /** Commits so far. */
  readonly sequence: number
  /** Of the log, as far as it was seen. */
  readonly size: number
  readonly root: Uint8Array
  readonly hour: number
  readonly count: number
  /** How many record rows and acceptances there are. */
  readonly rows: number
  readonly leastEpoch: number
  readonly floors: readonly Floor[]
}

/** A row's bytes and the tag in them. */
export interface SealedRow {
  readonly bytes: Uint8Array
  readonly tag: Uint8Array
}

export function recordKey({ realm }: HolderName, record: Uint8Array, generation: Uint8Array): Uint8Array {
  return joinBytes(realmPrefix(realm), record, generation)
}

export function sealRecord(name: HolderName, row: RecordRow, key: Uint8Array): SealedRow {
  const { record, generation, revoked, total, hour, count, next } = row
  const said = [record, generation, revoked, total, hour, count, next]
  const body = encodeCbor([FORMAT, KIND.record, name.realm, name.index, ...said])
  const tag = mac(key, [fixedLabel('guise/v1/quorum-record'), body])
  return { bytes: joinBytes(body, tag), tag }
}

/** Reads a record row of this holder. Throws `ERR_QUORUM_FORMAT` for whatever it did not write. */
export function openRecord(
  name: HolderName,
  bytes: Uint8Array,
  key: Uint8Array,
): RecordRow & { readonly tag: Uint8Array } {
  const { body, tag } = split(bytes)
  if (!verifyMac(key, [fixedLabel('guise/v1/quorum-record'), body], tag))
    throw malformed('the row is not genuine')
  const items = asArray(decodeCbor(body, MAX_BODY_BYTES, malformed), 11, malformed)
  const [format, kind, realm, index, record, generation, revoked, total, hour, count, next] = items
  requireKind(format, kind, KIND.record)
  requireName(name, checkRealm(realm, malformed), indexOf(index))
  return {
    record: asBytes(record, RECORD_BYTES, malformed),
    generation: asBytes(generation, GENERATION_BYTES, malformed),
    revoked: asBoolean(revoked, malformed),
    total: asUint(total, MAX_UINT, malformed),
    hour: asUint(hour, MAX_UINT, malformed),
    count: asUint(count, MAX_UINT, malformed),
    next: asUint(next, MAX_UINT, malformed),
    tag: Uint8Array.from(tag),
  }
}

/** `sum`: of the tags of all record rows and acceptances. */
export function sealHead(name: HolderName, row: HeadRow, sum: Uint8Array, key: Uint8Array): SealedRow {
  const { sequence, size, root, hour, count, rows, leastEpoch, floors } = row
  const pairs = floors.map(({ epoch, refresh }) => [epoch, refresh])
  const said = [sequence, size, root, hour, count, rows, leastEpoch, pairs]
  const body = encodeCbor([FORMAT, KIND.head, name.realm, name.index, ...said])
  const tag = mac(key, [fixedLabel('guise/v1/quorum-head'), body, sum])
  return { bytes: joinBytes(body, tag), tag }
}

export function openHead(
  name: HolderName,
  bytes: Uint8Array,
  sum: Uint8Array,
  key: Uint8Array,
): HeadRow & { readonly tag: Uint8Array } {
  const { body, tag } = split(bytes)
  if (!verifyMac(key, [fixedLabel('guise/v1/quorum-head'), body, sum], tag))
    throw malformed('the rows are not those of the head')
  const items = asArray(decodeCbor(body, MAX_BODY_BYTES, malformed), 12, malformed)
  const [format, kind, realm, index, sequence, size, root, hour, count, rows, least, floors] = items
  requireKind(format, kind, KIND.head)
  requireName(name, checkRealm(realm, malformed), indexOf(index))
  const pairs = asArray(floors, Array.isArray(floors) ? Math.min(floors.length, 2) : 0, malformed)
  return {
    sequence: asUint(sequence, MAX_UINT, malformed),
    size: asUint(size, MAX_UINT, malformed),
    root: asBytes(root, HASH_BYTES, malformed),
    hour: asUint(hour, MAX_UINT, malformed),
    count: asUint(count, MAX_UINT, malformed),
    rows: asUint(rows, MAX_UINT, malformed),
    leastEpoch: epochOf(least),
    floors: pairs.map((pair) => {
      const [epoch, refresh] = asArray(pair, 2, malformed)
      return { epoch: epochOf(epoch), refresh: asUint(refresh, MAX_EPOCH, malformed) }
    }),
    tag: Uint8Array.from(tag),
  }
}

/** Tags added as numbers modulo 2^256, most significant byte first; it tells which rows there are and is never stored. */
export class TagSum {
  #value = 0n

  add(tag: Uint8Array): void {
    this.#value = BigInt.asUintN(256, this.#value + numberOf(tag))
  }

  remove(tag: Uint8Array): void {
    this.#value = BigInt.asUintN(256, this.#value - numberOf(tag))
  }

  clone(): TagSum {
    const copy = new TagSum()
    copy.#value = this.#value
    return copy
  }

  bytes(): Uint8Array {
    const out = concatBytes(new Uint8Array(MAC_BYTES))
    const view = new DataView(out.buffer)
    for (let word = 0; word < 4; word++) view.setBigUint64(8 * word, this.#value >> BigInt(192 - 64 * word))
    return out
  }
}

function numberOf(tag: Uint8Array): bigint {
  const view = new DataView(tag.buffer, tag.byteOffset, tag.length)
  let value = 0n
  for (let at = 0; at < tag.length; at += 8) value = (value << 64n) | view.getBigUint64(at)
  return value
}

export function split(bytes: Uint8Array): { readonly body: Uint8Array; readonly tag: Uint8Array } {
  if (bytes.length < MAC_BYTES) throw malformed('the row is too short')
  const end = bytes.length - MAC_BYTES
  return { body: bytes.subarray(0, end), tag: bytes.subarray(end) }
}

export function requireName(name: HolderName, realm: string, index: number): void {
  if (realm !== name.realm || index !== name.index) throw malformed('the row is of another holder')
}
