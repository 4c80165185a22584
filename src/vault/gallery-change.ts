/** Members come and go: what an enrolment, a reissue, a revocation and an erasure write to a gallery (SPEC §16.3). @module */

import { rolledBack } from '../audit/follower.ts'
import { equalBytes, readU32be, wipe } from '../base/bytes.ts'
import { randomBytes } from '../crypto/random.ts'
import { sameProfile } from '../gallery/declaration.ts'
import { GalleryError } from '../gallery/errors.ts'
import { encodeHeadRow, type GalleryHead, OPEN_PLACES } from '../gallery/head-row.ts'
import { decodeMemberRow, makeMemberRow } from '../gallery/member-row.ts'
import { galleryHeadKey, memberKey, shardKey, shardStart } from '../gallery/place.ts'
import { decodeShardRow, encodeShardRow, type ShardRow } from '../gallery/shard-row.ts'
import { wrapShardKey } from '../gallery/shard-wrap.ts'
import { misplaced, RecordError } from '../record/errors.ts'
import { type RecordName, startsWith } from '../record/place.ts'
import type { StoredRow, StoreStep } from '../store/store.ts'
import type { VaultContext } from './context.ts'
import type { Gallery } from './gallery.ts'
import {
  headCheck,
  loadShardKey,
  type OpenRows,
  openShard,
  readOpenRows,
  shardCheck,
} from './gallery-rows.ts'
import type { GalleryMoment } from './gallery-sync.ts'
import type { Versioned } from './lookup.ts'

/** A member that has to go. */
export interface Departure {
  readonly member: StoredRow
  /** Where the hole is left; `undefined` when no shard that can be read names the member. */
  readonly shard: (Versioned<ShardRow> & { readonly slot: number }) | undefined
}

/** A slot for a new member. Whoever has it wipes it. */
export interface Arrival {
  readonly head: Versioned<GalleryHead>
  /** As it will be: the new member in its last slot. `version` null for a new one. */
  readonly shard: ShardRow
  readonly before: string | null
  readonly place: number
  readonly rotationKey: Uint8Array
  readonly checks: readonly StoreStep[]
}

const NUMBER_BYTES = 4
/** Nobody can add more members than these while the head stays as it was read (GALLERY-9). */
const MOST_BESIDE = OPEN_PLACES * 32

/** The member of a handle, if there is one. */
export async function findDeparture(ctx: VaultContext, handle: Uint8Array): Promise<Departure | undefined> {
  const member = await ctx.store.get('galleries', memberKey(ctx.realm, handle))
  if (member === undefined) return undefined
  return { member, shard: (await namedShard(ctx, handle, member)) ?? (await searchShard(ctx, handle)) }
}

/** What the removal writes: the member row goes, and its slot is a hole. `next`: a shard row that says more than the hole. */
export function departureSteps(ctx: VaultContext, { member, shard }: Departure): readonly StoreStep[] {
  const gone: StoreStep = { step: 'delete', table: 'galleries', key: member.key, expected: member.version }
  if (shard === undefined) return [gone]
  return [gone, putShard(ctx, withHole(ctx, shard), shard.version)]
}

/** Wipes the slot in this process's index. */
export function forgetDeparture(ctx: VaultContext, departure: Departure | undefined): void {
  const shard = departure?.shard
  if (shard !== undefined) ctx.gallery?.drop(shard.row.number, shard.slot)
}

/** A slot in a shard drawn at random. `place`: of the 16, drawn by the caller. `seen`: fail when anybody came since. */
export async function arrive(
  ctx: VaultContext,
  gallery: Gallery,
  name: RecordName,
  call: {
    readonly place: number
    readonly seen: GalleryMoment | undefined
    readonly departure: Departure | undefined
  },
): Promise<Arrival> {
  const { place, seen, departure } = call
  const rows = await readOpenRows(ctx)
  const { head } = rows
  if (!sameProfile(head.row.profile, gallery.settings.profile)) throw misplaced('another gallery')
  const checks = [...(seen?.checks ?? []), ...(await requireRoom(ctx, rows, gallery.capacity))]
  const number = head.row.open[place] as number
  if (number === 0) {
    const rotationKey = randomBytes(32)
    await ctx.ring.load()
    const shard = newShard(ctx, gallery, head.row.count + 1, rotationKey, name.handle)
    return { head, shard, before: null, place, rotationKey, checks }
  }
  const { row, version } = await openShard(ctx, number, rows.shards.get(number))
  if (row.slots.length >= gallery.capacity) return await refuseFull(ctx, head, { row, version })
  const rotationKey = await loadShardKey(ctx, row)
  await ctx.ring.load()
  const hole = departure?.shard?.row.number === number ? departure.shard.slot : undefined
  const slots = [...row.slots.map((slot, i) => (i === hole ? null : slot)), name.handle]
  const shard = { ...row, slots, version: row.version + 1, keyVersion: ctx.ring.newestVersion }
  return { head, shard, before: version, place, rotationKey, checks }
}

/** Head and shard are not always read at one instant; a head that calls a full shard open was put back by somebody (GALLERY-4). */
async function refuseFull(
  ctx: VaultContext,
  head: Versioned<GalleryHead>,
  shard: Versioned<ShardRow>,
): Promise<never> {
  await ctx.store.commit([headCheck(ctx, head.version), shardCheck(ctx, shard.row.number, shard.version)])
  throw rolledBack()
}

/** What the enrolment writes beside the template; a member of before goes in the same steps. */
export function arrivalSteps(
  ctx: VaultContext,
  gallery: Gallery,
  arrival: Arrival,
  member: Uint8Array,
  departure: Departure | undefined,
): readonly StoreStep[] {
  const { shard, before, head } = arrival
  const handle = shard.slots.at(-1) as Uint8Array
  const key = memberKey(ctx.realm, handle)
  const expected = departure?.member.version ?? null
  const steps: StoreStep[] = [
    { step: 'put', table: 'galleries', key, bytes: member, expected },
    putShard(ctx, shard, before),
    ...arrival.checks,
  ]
  const old = departure?.shard
  if (old !== undefined && old.row.number !== shard.number) {
    steps.push(putShard(ctx, withHole(ctx, old), old.version))
  }
  const full = shard.slots.length >= gallery.capacity
  if (before !== null && !full) return [...steps, headCheck(ctx, head.version)]
  const keyVersion = ctx.ring.newestVersion
  const open = head.row.open.map((number, i) => (i !== arrival.place ? number : full ? 0 : shard.number))
  const count = Math.max(head.row.count, shard.number)
  const next = { ...head.row, version: head.row.version + 1, count, open, keyVersion }
  const bytes = encodeHeadRow(next, ctx.ring.requireRealmKeys(keyVersion).state)
  const put: StoreStep = {
    step: 'put',
    table: 'galleries',
    key: galleryHeadKey(ctx.realm),
    bytes,
    expected: head.version,
  }
  return [...steps, put]
}

/** The row of the member that an arrival makes room for. */
export function memberOf(
  gallery: Gallery,
  arrival: Arrival,
  name: RecordName,
  made: { readonly integers: Int32Array; readonly recordSecret: Uint8Array; readonly createdMs: number },
): Uint8Array {
  const { shard, rotationKey } = arrival
  const slot = shard.slots.length - 1
  const { profile } = gallery.settings
  const place = { profile, name, number: shard.number, slot, createdMs: made.createdMs }
  return makeMemberRow(place, made.integers, rotationKey, made.recordSecret)
}

/** Throws when one member more would be too many. Near the limit everybody is counted, and the checks keep the count true. */
async function requireRoom(
  ctx: VaultContext,
  { head, shards }: OpenRows,
  capacity: number,
): Promise<readonly StoreStep[]> {
  const { count, open, limit } = head.row
  const numbers = open.filter((number) => number > 0)
  let inserted = (count - numbers.length) * capacity
  const checks = [headCheck(ctx, head.version)]
  for (const number of numbers) {
    const { row, version } = await openShard(ctx, number, shards.get(number))
    inserted += row.slots.length
    checks.push(shardCheck(ctx, number, version))
  }
  if (inserted + MOST_BESIDE <= limit) return []
  if (inserted >= limit && (await countMembers(ctx)) >= limit) {
    await ctx.store.commit(checks)
    throw new GalleryError('ERR_GALLERY_FULL', 'the gallery has as many members as it was declared for')
  }
  return checks
}

/** Counts members by the rows of the shards. */
async function countMembers(ctx: VaultContext): Promise<number> {
  let members = 0
  for await (const { row } of scanShards(ctx)) members += row.slots.filter((slot) => slot !== null).length
  return members
}

/** All shards, one after the other. */
async function* scanShards(ctx: VaultContext): AsyncGenerator<Versioned<ShardRow>> {
  const start = shardStart(ctx.realm)
  for await (const stored of ctx.store.scan('galleries', start)) {
    if (!startsWith(stored.key, start) || stored.key.length !== start.length + NUMBER_BYTES) return
    const number = readU32be(stored.key.slice(start.length))
    yield await openShard(ctx, number, stored)
  }
}

/** The shard that the member row names, if it names the member too. */
async function namedShard(
  ctx: VaultContext,
  handle: Uint8Array,
  member: StoredRow,
): Promise<Departure['shard']> {
  try {
    const { number, slot } = decodeMemberRow(member.bytes, { profile: ctx, handle })
    const stored = await ctx.store.get('galleries', shardKey(ctx.realm, number))
    const shard = await openShard(ctx, number, stored)
    const named = shard.row.slots[slot]
    return named && equalBytes(named, handle) ? { ...shard, slot } : undefined
  } catch (error) {
    if (error instanceof RecordError) return undefined
    throw error
  }
}

/** Of an altered member row nothing is believed: every shard is asked. One that is altered itself keeps nobody from going. */
async function searchShard(ctx: VaultContext, handle: Uint8Array): Promise<Departure['shard']> {
  const start = shardStart(ctx.realm)
  for await (const { key, bytes, version } of ctx.store.scan('galleries', start)) {
    if (!startsWith(key, start)) return undefined
    if (key.length !== start.length + NUMBER_BYTES) continue
    const number = readU32be(key.slice(start.length))
    try {
      await ctx.ring.load()
      const row = decodeShardRow(bytes, { realm: ctx.realm, number }, ctx.stateKey)
      const slot = row.slots.findIndex((named) => named !== null && equalBytes(named, handle))
      if (slot >= 0) return { row, version, slot }
    } catch (error) {
      if (!(error instanceof RecordError)) throw error
    }
  }
  return undefined
}

function withHole(
  ctx: VaultContext,
  { row, slot }: { readonly row: ShardRow; readonly slot: number },
): ShardRow {
  const slots = row.slots.map((handle, i) => (i === slot ? null : handle))
  return { ...row, slots, version: row.version + 1, keyVersion: ctx.ring.newestVersion }
}

/** Needs loaded keys. */
function putShard(ctx: VaultContext, row: ShardRow, expected: string | null): StoreStep {
  const bytes = encodeShardRow(row, ctx.ring.requireRealmKeys(row.keyVersion).state)
  return { step: 'put', table: 'galleries', key: shardKey(ctx.realm, row.number), bytes, expected }
}

/** Needs loaded keys. */
function newShard(
  ctx: VaultContext,
  gallery: Gallery,
  number: number,
  rotationKey: Uint8Array,
  handle: Uint8Array,
): ShardRow {
  const epoch = ctx.ring.primary
  const keyVersion = ctx.ring.newestVersion
  const { profile } = gallery.settings
  const name = { profile, number, createdMs: ctx.now().nowMs, custodyVersion: keyVersion }
  const custody = ctx.ring.requireRealmKeys(keyVersion).preparedOperator
  const wrap = ctx.ring.withEpoch(epoch, (prepared) =>
    wrapShardKey(rotationKey, name, epoch, { custody, epoch: prepared }),
  )
  return { ...name, version: 1, epoch, since: epoch, wrap, slots: [handle], keyVersion }
}

/** Draws the place of a new member (GALLERY-5). */
export function drawPlace(): number {
  return (randomBytes(1)[0] as number) % OPEN_PLACES
}

/** Wipes what an arrival holds. */
export function endArrival(arrival: Arrival | undefined): void {
  wipe(arrival?.rotationKey)
}
