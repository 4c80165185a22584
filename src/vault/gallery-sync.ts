/** The gallery of an open vault: declared once, its index kept in step with the store (SPEC §16.1, §16.4). @module */

import { type GallerySettings, sameProfile } from '../gallery/declaration.ts'
import { rejectDeclaration } from '../gallery/errors.ts'
import { decodeHeadRow, encodeHeadRow, type GalleryHead, OPEN_PLACES } from '../gallery/head-row.ts'
import { isOwn, numberOf, ownShards } from '../gallery/part-place.ts'
import { galleryHeadKey } from '../gallery/place.ts'
import type { StoreStep } from '../store/store.ts'
import type { VaultContext } from './context.ts'
import type { Gallery } from './gallery.ts'
import { loadShards } from './gallery-loading.ts'
import { headCheck, readOpenRows, refuseOlder, shardCheck } from './gallery-rows.ts'
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
  await loadShards(gallery, ctx, numbers, rows, () => {
    onProgress?.({ shards: gallery.table.shards, members: gallery.table.members, of: own })
  })
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
