/** The gallery of an open vault: declared once, its index kept in step with the store (SPEC §16.1, §16.4). @module */

import { rolledBack } from '../audit/follower.ts'
import { equalBytes, wipe } from '../base/bytes.ts'
import { type GallerySettings, sameProfile } from '../gallery/declaration.ts'
import { rejectDeclaration } from '../gallery/errors.ts'
import { decodeHeadRow, encodeHeadRow, type GalleryHead, OPEN_PLACES } from '../gallery/head-row.ts'
import { isOwn, numberOf, ownShards, positionOf } from '../gallery/part-place.ts'
import { galleryHeadKey, shardKey } from '../gallery/place.ts'
import type { ShardRow } from '../gallery/shard-row.ts'
import { misplaced } from '../record/errors.ts'
import { StoreError } from '../store/errors.ts'
import { readRows } from '../store/read-rows.ts'
import type { StoredRow, StoreStep } from '../store/store.ts'
import type { VaultContext } from './context.ts'
import type { Gallery } from './gallery.ts'
import { loadMembers, stillNames } from './gallery-members.ts'
import {
  headCheck,
  loadShardKey,
  type OpenRows,
  openShard,
  readOpenRows,
  shardCheck,
} from './gallery-rows.ts'
import { isConflict } from './outcome.ts'
import type { GalleryLoad } from './types.ts'

/** What an index shows, and the rows that it rests on. */
export interface GalleryMoment {
  readonly members: number
  readonly unreadable: number
  /** Fail a commit when anybody was added since. */
  readonly checks: readonly StoreStep[]
}

/** Holes of full shards are looked for as often. */
const SWEEP_MS = 60_000
const PAGE = 64
const MOST_TRIES = 64

/** Brings the index up to date: it then shows every member whose enrolment had returned before this was called. */
export async function sync(
  ctx: VaultContext,
  gallery: Gallery,
  onProgress?: (loaded: GalleryLoad) => void,
): Promise<GalleryMoment> {
  return await gallery.turns.run(async () => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await syncOnce(gallery, ctx, onProgress)
      } catch (error) {
        if (!isConflict(error) || attempt >= MOST_TRIES) throw error
      }
    }
  })
}

async function syncOnce(
  gallery: Gallery,
  ctx: VaultContext,
  onProgress: ((loaded: GalleryLoad) => void) | undefined,
): Promise<GalleryMoment> {
  const { ms } = ctx.clock.steady()
  const rows = await readOpenRows(ctx, [...gallery.versions.keys()])
  const { head } = rows
  requireSame(gallery.settings, head.row)
  if (head.row.version < gallery.headVersion) await refuseOlder(ctx, headCheck(ctx, head.version))
  const { count, open } = head.row
  const own = ownShards(gallery.place, count)
  const sweeps = ms - gallery.sweptMs >= SWEEP_MS
  const numbers = sweeps ? ownRange(gallery, 1, own) : behind(gallery, own, open)
  for (let from = 0; from < numbers.length; from += PAGE) {
    ctx.signal?.throwIfAborted()
    const page = numbers.slice(from, from + PAGE)
    await readShards(gallery, ctx, page, rows)
    onProgress?.({ shards: gallery.table.shards, members: gallery.table.members, of: own })
  }
  const checks = [headCheck(ctx, head.version)]
  const versions = new Map<number, string>()
  for (const number of open) {
    const version = gallery.versions.get(number)
    if (version === undefined) continue
    versions.set(number, version)
    checks.push(shardCheck(ctx, number, version))
  }
  await ctx.store.commit(checks)
  gallery.versions = versions
  gallery.headVersion = head.row.version
  if (numbers.length === own) gallery.sweptMs = ms
  return { members: gallery.table.members, unreadable: gallery.unreadable.size, checks }
}

/** Shards that may have changed: those that took members when they were read last, that take some now, or are new. */
function behind(gallery: Gallery, own: number, open: readonly number[]): readonly number[] {
  const known = [...gallery.versions.keys(), ...open.filter((number) => isOwn(gallery.place, number))]
  const numbers = new Set([
    ...known.filter((number) => number > 0),
    ...ownRange(gallery, gallery.table.shards + 1, own),
  ])
  return [...numbers].sort((a, b) => a - b)
}

/** Numbers of the shards that have these positions. */
function ownRange({ place }: Gallery, from: number, to: number): readonly number[] {
  return range(from, to).map((position) => numberOf(place, position))
}

async function readShards(
  gallery: Gallery,
  ctx: VaultContext,
  numbers: readonly number[],
  { shards: read, head }: OpenRows,
): Promise<void> {
  const open = new Set(head.row.open)
  const missing = numbers.filter((number) => !read.has(number))
  const places = missing.map((number) => ({
    table: 'galleries' as const,
    key: shardKey(ctx.realm, number),
  }))
  const rows = places.length === 0 ? [] : await readRows(ctx.store, places)
  const fresh = new Map(missing.map((number, i) => [number, rows[i]]))
  for (const number of numbers) {
    const stored = read.get(number) ?? fresh.get(number)
    const known = gallery.versions.get(number) ?? gallery.full.get(number)
    if (stored !== undefined && known === stored.version) continue
    await takeShard(gallery, ctx, number, stored, open.has(number))
  }
}

async function takeShard(
  gallery: Gallery,
  ctx: VaultContext,
  number: number,
  stored: StoredRow | undefined,
  open: boolean,
): Promise<void> {
  const { row, version } = await openShard(ctx, number, stored)
  const { profile } = gallery.settings
  if (!sameProfile(row.profile, profile)) throw misplaced('a shard of another gallery')
  // Head and shard are not always read at one instant: a full shard is not read again.
  if (!open && row.slots.length < gallery.capacity) throw changed()
  const position = positionOf(gallery.place, number)
  const known = position <= gallery.table.shards
  const fill = known ? gallery.table.fill(position) : 0
  if (row.slots.length < fill) await refuseOlder(ctx, shardCheck(ctx, number, version))
  const key = known ? undefined : await loadShardKey(ctx, row)
  let codes: readonly (Uint8Array | undefined)[] = []
  try {
    codes = await loadMembers(ctx, profile, row, fill)
    const lost = await lostSlots(ctx, row, fill, codes)
    if (key !== undefined) gallery.table.addShard(key)
    clearHoles(gallery, row, fill)
    for (const [i, code] of codes.entries()) {
      const handle = row.slots[fill + i] ?? null
      gallery.table.addSlot(position, handle === null || code === undefined ? undefined : { handle, code })
    }
    for (const slot of lost) gallery.unreadable.add(`${number}:${slot}`)
  } finally {
    wipe(key, ...codes)
  }
  if (open) gallery.versions.set(number, version)
  else {
    gallery.versions.delete(number)
    gallery.full.set(number, version)
  }
}

/** Slots whose members are there and cannot be read. Who went between two readings is not lost. */
async function lostSlots(
  ctx: VaultContext,
  { number, slots }: ShardRow,
  fill: number,
  codes: readonly (Uint8Array | undefined)[],
): Promise<readonly number[]> {
  const lost: number[] = []
  for (const [i, code] of codes.entries()) {
    const handle = slots[fill + i] ?? null
    if (code !== undefined || handle === null) continue
    if (await stillNames(ctx, number, fill + i, handle)) lost.push(fill + i)
  }
  return lost
}

function clearHoles(gallery: Gallery, { number, slots }: ShardRow, fill: number): void {
  const position = positionOf(gallery.place, number)
  for (const [slot, handle] of slots.slice(0, fill).entries()) {
    const known = gallery.table.handle(position, slot)
    if (known !== undefined && (handle === null || !equalBytes(known, handle)))
      gallery.table.clear(position, slot)
    if (handle === null) gallery.unreadable.delete(`${number}:${slot}`)
  }
}

/** A row that is older than what this process has seen is an old reading, or somebody put it back (GALLERY-25). */
export async function refuseOlder(ctx: VaultContext, check: StoreStep): Promise<never> {
  await ctx.store.commit([check])
  throw rolledBack()
}

/** Rows that do not fit together were written meanwhile: read anew. */
function changed(): StoreError {
  return new StoreError('ERR_STORE_CONFLICT', 'the gallery changed while it was read')
}

/** Writes the declaration when there is none; another limit replaces the stored one (GALLERY-2). */
export async function declareGallery(ctx: VaultContext, gallery: Gallery): Promise<void> {
  const { profile, basis, limit } = gallery.settings
  await ctx.decide(async () => {
    const ring = ctx.ringStep()
    const stored = await ctx.store.get('galleries', galleryHeadKey(ctx.realm))
    await ctx.ring.load()
    const before = stored && decodeHeadRow(stored.bytes, ctx.realm, ctx.stateKey)
    if (before !== undefined) requireSame(gallery.settings, before)
    if (before?.limit === limit) return
    const keyVersion = ctx.ring.newestVersion
    const begun = {
      profile,
      basis,
      createdMs: ctx.now().nowMs,
      count: 0,
      open: range(1, OPEN_PLACES).fill(0),
    }
    const head = { ...(before ?? begun), limit, version: (before?.version ?? 0) + 1, keyVersion }
    const put: StoreStep = {
      step: 'put',
      table: 'galleries',
      key: galleryHeadKey(ctx.realm),
      bytes: encodeHeadRow(head, ctx.ring.requireRealmKeys(keyVersion).state),
      expected: stored?.version ?? null,
    }
    const event = { action: 'gallery', outcome: 'done', policy: profile.purpose, basis } as const
    await ctx.commitLogged([put, ring], event)
  })
}

/** Throws unless the head says what this vault was opened with (GALLERY-2). */
export function requireSame({ profile, basis }: GallerySettings, head: GalleryHead): void {
  if (basis === head.basis && sameProfile(profile, head.profile)) return
  throw rejectDeclaration('the realm has a gallery that was declared otherwise')
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i)
}
