/** Whether the rows of a gallery fit together, and open (SPEC §16.3). @module */

import { equalBytes, readU32be, wipe } from '../base/bytes.ts'
import { decodeBudgetRow } from '../gallery/budget-row.ts'
import { sameProfile } from '../gallery/declaration.ts'
import { decodeHeadRow, type GalleryHead } from '../gallery/head-row.ts'
import { decodeMemberRow, type MemberRow, openMember } from '../gallery/member-row.ts'
import { galleryHeadKey, memberKey, shardKey } from '../gallery/place.ts'
import { decodeShardRow, type ShardRow } from '../gallery/shard-row.ts'
import { openShardKey } from '../gallery/shard-wrap.ts'
import { misplaced, RecordError } from '../record/errors.ts'
import { referenceKey, secretKey } from '../record/place.ts'
import { readReferenceHeader } from '../record/reference-row.ts'
import type { KeyForVersion } from '../record/row.ts'
import { decodeSecretRow } from '../record/secret-row.ts'
import type { StateRow } from '../record/state-row.ts'
import { type FsckPlace, openSecret } from './fsck-template.ts'

const SHARD_BYTES = 5
const MEMBER_BYTES = 17

/** A row that is not there, by its key. */
export interface MissingRow {
  readonly key: Uint8Array
}

/**
 * Throws what is wrong with a row of table `galleries`; gives the rows that it names and that are missing, and `orphan` for a row that
 * nobody has. `inner`: the key behind the realm's prefix. `owner`: the live state row of a handle.
 */
export async function galleryFaults(
  place: FsckPlace,
  inner: Uint8Array,
  bytes: Uint8Array,
  owner: (handle: Uint8Array) => Promise<StateRow | 'unreadable' | undefined>,
): Promise<readonly MissingRow[] | 'orphan'> {
  const { realm, ring } = place
  const stateKeyFor: KeyForVersion = (version) => ring.realmKeys(version)?.state
  const [kind] = inner
  if (kind === 0 && inner.length === 1) {
    return missingShards(place, decodeHeadRow(bytes, realm, stateKeyFor))
  }
  if (kind === 3 && inner.length === 1) {
    decodeBudgetRow(bytes, realm, (version) => ring.realmKeys(version)?.limiter)
    return []
  }
  if (kind === 1 && inner.length === SHARD_BYTES) {
    const number = readU32be(inner.slice(1))
    return await shardFaults(place, decodeShardRow(bytes, { realm, number }, stateKeyFor))
  }
  if (kind !== 2 || inner.length !== MEMBER_BYTES) return 'orphan'
  const handle = inner.slice(1)
  const state = await owner(handle)
  if (state === undefined) return 'orphan'
  const member = decodeMemberRow(bytes, { profile: { realm }, handle })
  await requireSlot(place, member)
  if (state === 'unreadable') return []
  const { record, generation } = member.name
  if (!equalBytes(record, state.record) || !equalBytes(generation, state.generation)) {
    throw misplaced('another generation')
  }
  await openOne(place, member, state)
  return []
}

async function missingShards(place: FsckPlace, { count }: GalleryHead): Promise<readonly MissingRow[]> {
  const missing: MissingRow[] = []
  for (let number = 1; number <= count; number++) {
    const key = shardKey(place.realm, number)
    if ((await place.store.get('galleries', key)) === undefined) missing.push({ key })
  }
  return missing
}

/** The head must know the shard, its key must open, and every member that it names must be there. */
async function shardFaults(place: FsckPlace, shard: ShardRow): Promise<readonly MissingRow[]> {
  const { realm, ring, store } = place
  const missing: MissingRow[] = []
  const key = galleryHeadKey(realm)
  const stored = await store.get('galleries', key)
  await ring.load()
  if (stored === undefined) missing.push({ key })
  else {
    const head = decodeHeadRow(stored.bytes, realm, (version) => ring.realmKeys(version)?.state)
    if (shard.number > head.count || !sameProfile(head.profile, shard.profile)) {
      throw misplaced('a shard that the head does not know')
    }
  }
  await ring.loadEpoch(shard.epoch)
  const custody = ring.requireRealmKeys(shard.custodyVersion).preparedOperator
  wipe(ring.withEpoch(shard.epoch, (epoch) => openShardKey(shard, { custody, epoch })))
  for (const handle of shard.slots) {
    if (handle === null) continue
    const member = memberKey(realm, handle)
    if ((await store.get('galleries', member)) === undefined) missing.push({ key: member })
  }
  return missing
}

async function requireSlot({ realm, ring, store }: FsckPlace, member: MemberRow): Promise<void> {
  const stored = await store.get('galleries', shardKey(realm, member.number))
  if (stored === undefined) throw misplaced('a shard that is not there')
  await ring.load()
  let shard: ShardRow
  try {
    const place = { realm, number: member.number }
    shard = decodeShardRow(stored.bytes, place, (version) => ring.realmKeys(version)?.state)
  } catch (error) {
    // Its own fault is told where it is met itself.
    if (error instanceof RecordError) return
    throw error
  }
  const named = shard.slots[member.slot]
  const fits = named && equalBytes(named, member.name.handle) && sameProfile(shard.profile, member.profile)
  if (!fits) throw misplaced('a slot of somebody else')
}

/** Opens the member where its record secret opens; a fault of the wrap is told of the wrap. */
async function openOne(place: FsckPlace, member: MemberRow, state: StateRow): Promise<void> {
  const { realm, ring, store, secrets } = place
  const wrap = await secrets.get('secrets', secretKey(realm, state.record, state.generation))
  const reference = await store.get('references', referenceKey(realm, state.record))
  if (wrap === undefined || reference === undefined) return
  let recordSecret: Uint8Array | undefined
  try {
    const { purpose } = readReferenceHeader(reference.bytes).profile
    const row = decodeSecretRow(wrap.bytes, state)
    await ring.loadEpoch(row.epoch)
    recordSecret = openSecret(place, state, row, purpose)?.recordSecret
  } catch {
    return
  }
  try {
    if (recordSecret !== undefined) wipe(openMember(member, recordSecret))
  } finally {
    wipe(recordSecret)
  }
}
