/** The head of a gallery: its declaration, and which shards take members (SPEC §16.1). @module */

import type { Realm } from '../base/brand.ts'
import { asUint, type CborValue } from '../base/cbor.ts'
import { BASIS_KINDS, type BasisKind } from '../policy/basis.ts'
import { malformed } from '../record/errors.ts'
import {
  authenticate,
  FORMAT,
  type KeyForVersion,
  MAX_MILLIS,
  MAX_U32,
  readAuthenticated,
} from '../record/row.ts'
import { type GalleryProfile, MOST_MEMBERS } from './declaration.ts'
import { GALLERY_KIND, profileFromCbor, profileToCbor, requireRealm } from './rows.ts'

/** The contents of a head row. */
export interface GalleryHead {
  readonly profile: GalleryProfile
  /** Grows by one with every change. */
  readonly version: number
  readonly basis: BasisKind
  readonly limit: number
  readonly createdMs: number
  /** Shards that were ever begun: they have the numbers from 1 to this. */
  readonly count: number
  /** Numbers of the shards that take members; 0 for a place without. */
  readonly open: readonly number[]
  readonly keyVersion: number
}

/** A new member's shard is drawn from so many places. */
export const OPEN_PLACES = 16

const SHAPE = { kind: GALLERY_KIND.head, arity: 16, label: 'guise/v1/gallery', versionAt: 15 } as const

/** The row's bytes under the state key of `head.keyVersion`. */
export function encodeHeadRow(head: GalleryHead, key: Uint8Array): Uint8Array {
  const { profile, version, basis, limit, createdMs, count, open, keyVersion } = head
  const [purpose, ...made] = profileToCbor(profile) as [CborValue, ...CborValue[]]
  const begin = [FORMAT, SHAPE.kind, profile.realm, version, purpose, BASIS_KINDS.indexOf(basis), limit]
  return authenticate([...begin, ...made, createdMs, count, open, keyVersion], SHAPE.label, key)
}

/** Reads a row and checks its tag. */
export function decodeHeadRow(bytes: Uint8Array, realm: Realm, keyFor: KeyForVersion): GalleryHead {
  const items = readAuthenticated(bytes, SHAPE, keyFor)
  const [, , realmItem, version, purpose, basis, limit] = items
  const [created, count, open, keyVersion] = items.slice(12)
  requireRealm(realmItem, realm)
  const shards = asUint(count, MAX_U32, malformed)
  return {
    profile: profileFromCbor(realm, [purpose, ...items.slice(7, 12)]),
    version: asUint(version, Number.MAX_SAFE_INTEGER, malformed),
    basis: BASIS_KINDS[asUint(basis, BASIS_KINDS.length - 1, malformed)] as BasisKind,
    limit: asUint(limit, MOST_MEMBERS, malformed),
    createdMs: asUint(created, MAX_MILLIS, malformed),
    count: shards,
    open: openList(open, shards),
    keyVersion: asUint(keyVersion, MAX_U32, malformed),
  }
}

function openList(value: CborValue | undefined, count: number): readonly number[] {
  if (!Array.isArray(value) || value.length !== OPEN_PLACES) throw malformed('a wrong number of open shards')
  return (value as readonly CborValue[]).map((number) => asUint(number, count, malformed))
}
