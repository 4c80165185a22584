/** A shard: one rotation key, wrapped, and the members that it serves (SPEC §16.2). @module */

import type { Realm } from '../base/brand.ts'
import { asBytes, asUint, type CborValue, encodeCbor } from '../base/cbor.ts'
import { malformed, misplaced } from '../record/errors.ts'
import {
  authenticate,
  FORMAT,
  type KeyForVersion,
  MAX_MILLIS,
  MAX_U32,
  readAuthenticated,
} from '../record/row.ts'
import { type GalleryProfile, shardCapacity } from './declaration.ts'
import { GALLERY_KIND, profileFromCbor, profileToCbor, requireRealm, USE } from './rows.ts'

/** What never changes about a shard. */
export interface ShardName {
  readonly profile: GalleryProfile
  /** From 1. */
  readonly number: number
  readonly createdMs: number
  /** Version of the custody key inside the wrap. */
  readonly custodyVersion: number
}

/** The contents of a shard row. */
export interface ShardRow extends ShardName {
  /** Grows by one with every change. */
  readonly version: number
  /** The epoch whose key wraps the rotation key now. */
  readonly epoch: number
  /** The first epoch that ever wrapped it. */
  readonly since: number
  /** 176 bytes. */
  readonly wrap: Uint8Array
  /** Every insertion that there ever was: the member's handle, or `null` where it has gone. */
  readonly slots: readonly (Uint8Array | null)[]
  readonly keyVersion: number
}

const WRAP_BYTES = 176
const HANDLE_BYTES = 16
const SHAPE = { kind: GALLERY_KIND.shard, arity: 18, label: 'guise/v1/gallery-shard', versionAt: 17 } as const

/** The row's bytes under the state key of `row.keyVersion`. */
export function encodeShardRow(row: ShardRow, key: Uint8Array): Uint8Array {
  const { profile, number, version, createdMs, epoch, since, custodyVersion, wrap, slots, keyVersion } = row
  const made = profileToCbor(profile)
  const begin = [FORMAT, SHAPE.kind, profile.realm, number, version, ...made, createdMs]
  return authenticate(
    [...begin, epoch, since, custodyVersion, wrap, slots, keyVersion] as CborValue,
    SHAPE.label,
    key,
  )
}

/** Reads a row, checks its tag and that it is the shard of this number. */
export function decodeShardRow(
  bytes: Uint8Array,
  place: { readonly realm: Realm; readonly number: number },
  keyFor: KeyForVersion,
): ShardRow {
  const items = readAuthenticated(bytes, SHAPE, keyFor)
  const [, , realm, number, version] = items
  const [created, epoch, since, custody, wrap, slots, keyVersion] = items.slice(11)
  requireRealm(realm, place.realm)
  if (asUint(number, MAX_U32, malformed) !== place.number) throw misplaced('another shard')
  const profile = profileFromCbor(place.realm, items.slice(5, 11))
  return {
    profile,
    number: place.number,
    version: asUint(version, Number.MAX_SAFE_INTEGER, malformed),
    createdMs: asUint(created, MAX_MILLIS, malformed),
    epoch: asUint(epoch, MAX_U32, malformed),
    since: asUint(since, MAX_U32, malformed),
    custodyVersion: asUint(custody, MAX_U32, malformed),
    wrap: asBytes(wrap, WRAP_BYTES, malformed),
    slots: slotList(slots, shardCapacity(profile.dimensions, profile.bits)),
    keyVersion: asUint(keyVersion, MAX_U32, malformed),
  }
}

/** What the inner wrap of a rotation key is bound to. */
export function shardInnerHeader(name: ShardName): Uint8Array {
  const { profile, number, createdMs, custodyVersion } = name
  const begin = [FORMAT, GALLERY_KIND.shardInner, profile.realm, USE, ...profileToCbor(profile)]
  return encodeCbor([...begin, number, createdMs, custodyVersion])
}

/** What its outer wrap is bound to. */
export function shardOuterHeader(name: ShardName, epoch: number, since: number): Uint8Array {
  const { profile, number, createdMs, custodyVersion } = name
  const begin = [FORMAT, GALLERY_KIND.shardOuter, profile.realm, USE, ...profileToCbor(profile)]
  return encodeCbor([...begin, number, createdMs, custodyVersion, epoch, since])
}

function slotList(value: CborValue | undefined, most: number): readonly (Uint8Array | null)[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > most) {
    throw malformed('a wrong number of slots')
  }
  const items = value as readonly CborValue[]
  return items.map((slot) => (slot === null ? null : asBytes(slot, HANDLE_BYTES, malformed)))
}
