/** Opening the members of a shard for the index (SPEC §16.4). @module */

import { equalBytes, wipe } from '../base/bytes.ts'
import { type GalleryProfile, sameProfile } from '../gallery/declaration.ts'
import { MemberReader, type MemberRow, openMember } from '../gallery/member-row.ts'
import { memberKey, shardKey } from '../gallery/place.ts'
import type { ShardRow } from '../gallery/shard-row.ts'
import { misplaced } from '../record/errors.ts'
import { secretKey } from '../record/place.ts'
import type { SecretRow } from '../record/secret-row.ts'
import { readRows } from '../store/read-rows.ts'
import type { StoredRow } from '../store/store.ts'
import type { VaultContext } from './context.ts'
import { kindOf } from './fsck-fault.ts'
import { openShard } from './gallery-rows.ts'
import { NOBODY, openSecret, withRecordSecret } from './wrap.ts'

/** Devices of a record under custody `operator`. */
const NO_DEVICES: readonly Uint8Array[] = []

/** A member's row, its bytes, and the wrap of its record secret as it lies in the store. */
export interface StoredMember {
  readonly row: MemberRow
  readonly bytes: Uint8Array
  readonly wrap: StoredRow | undefined
}

/** The rows of a shard's slots from `from` on; `undefined` for a hole and for a member that cannot be read. */
export async function readMembers(
  ctx: VaultContext,
  profile: GalleryProfile,
  shard: ShardRow,
  from: number,
): Promise<readonly (StoredMember | undefined)[]> {
  const members = await readRowsOf(ctx, profile, shard, from)
  const named = members.filter((member) => member !== undefined)
  const places = named.map(({ row }) => ({
    table: 'secrets' as const,
    key: secretKey(ctx.realm, row.name.record, row.name.generation),
  }))
  const wraps = places.length === 0 ? [] : [...(await readRows(ctx.secrets, places))]
  return members.map((member) => member && { row: member.row, bytes: member.bytes, wrap: wraps.shift() })
}

/** Their codes, `undefined` for whoever cannot be opened. The caller wipes them. */
export async function openMembers(
  ctx: VaultContext,
  members: readonly (StoredMember | undefined)[],
): Promise<readonly (Uint8Array | undefined)[]> {
  const codes: (Uint8Array | undefined)[] = members.map(() => undefined)
  try {
    const secrets = members.map(readSecretRow)
    for (const epoch of new Set(secrets.map((secret) => secret?.epoch))) {
      if (epoch === undefined || !(await mayUse(ctx, epoch))) continue
      // The key that is lent stays valid until the next pause: all its members are opened without one.
      for (const [i, secret] of secrets.entries()) {
        if (secret?.epoch === epoch) codes[i] = openOne(ctx, members[i]?.row, secret)
      }
    }
  } catch (error) {
    wipe(...codes)
    throw error
  }
  return codes
}

async function readRowsOf(
  ctx: VaultContext,
  profile: GalleryProfile,
  shard: ShardRow,
  from: number,
): Promise<readonly (Omit<StoredMember, 'wrap'> | undefined)[]> {
  const handles = shard.slots.slice(from)
  const live = handles.filter((handle) => handle !== null)
  const places = live.map((handle) => ({ table: 'galleries' as const, key: memberKey(ctx.realm, handle) }))
  const rows = places.length === 0 ? [] : [...(await readRows(ctx.store, places))]
  const reader = new MemberReader(profile)
  return handles.map((handle, i) => {
    const stored = handle === null ? undefined : rows.shift()
    if (handle === null || stored === undefined) return undefined
    return unlessUnreadable(() => {
      const row = reader.read(stored.bytes, handle)
      const inPlace = row.number === shard.number && row.slot === from + i
      if (!inPlace || !sameProfile(row.profile, profile)) throw misplaced('another slot')
      return { row, bytes: stored.bytes }
    })
  })
}

function readSecretRow(member: StoredMember | undefined): SecretRow | undefined {
  return unlessUnreadable(() => member && openSecret(member.row.name, member.wrap)?.row)
}

/** Members of an epoch that may not be used cannot be read. */
async function mayUse(ctx: VaultContext, epoch: number): Promise<boolean> {
  try {
    await ctx.ring.loadEpoch(epoch)
    return true
  } catch (error) {
    kindOf(error)
    return false
  }
}

function openOne(
  ctx: VaultContext,
  member: MemberRow | undefined,
  secret: SecretRow,
): Uint8Array | undefined {
  if (member === undefined) return undefined
  return unlessUnreadable(() => {
    const { realm, record, handle, generation } = member.name
    const name = { realm, record, handle, generation, devices: NO_DEVICES }
    return withRecordSecret(ctx, name, secret, NOBODY, (recordSecret) => openMember(member, recordSecret))
  })
}

/** Whatever is no fault of a row is thrown on. */
function unlessUnreadable<Result>(read: () => Result): Result | undefined {
  try {
    return read()
  } catch (error) {
    kindOf(error)
    return undefined
  }
}

/** True when the slot still names the handle: what was read was no moment between two commits. */
export async function stillNames(
  ctx: VaultContext,
  number: number,
  slot: number,
  handle: Uint8Array,
): Promise<boolean> {
  const stored = await ctx.store.get('galleries', shardKey(ctx.realm, number))
  const named = (await openShard(ctx, number, stored)).row.slots[slot]
  return named !== undefined && named !== null && equalBytes(named, handle)
}
