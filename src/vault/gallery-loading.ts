/** Bringing shards into the index: pages of rows are read, opened here or in threads, and placed in their order (SPEC §16.4). @module */

import { equalBytes, wipe } from '../base/bytes.ts'
import { type GalleryProfile, sameProfile } from '../gallery/declaration.ts'
import { positionOf } from '../gallery/part-place.ts'
import { shardKey } from '../gallery/place.ts'
import type { ShardRow } from '../gallery/shard-row.ts'
import { defaultThreads } from '../gallery/threads.ts'
import { misplaced } from '../record/errors.ts'
import { StoreError } from '../store/errors.ts'
import { readRows } from '../store/read-rows.ts'
import type { StoredRow } from '../store/store.ts'
import type { VaultContext } from './context.ts'
import type { Gallery } from './gallery.ts'
import { openMembers, readMembers, type StoredMember, stillNames } from './gallery-members.ts'
import { loadShardKey, type OpenRows, openShard, refuseOlder, shardCheck } from './gallery-rows.ts'
import { Openers } from './openers.ts'
import { openInThread } from './opening.ts'

/** Shards that are read, and opened, together: few, so that what waits for its turn is not moved to where the collector seldom looks. */
const PAGE = 8
/** Fewer are loaded before a thread has begun. */
const FEWEST_SHARDS = 512
/** Pages beside those that threads have. */
const MOST_AHEAD = 2

/** A shard that was read and is not in the index yet. */
interface ReadShard {
  readonly row: ShardRow
  readonly version: string
  readonly open: boolean
  /** How many of its slots the index has. */
  readonly fill: number
  /** The rotation key of a shard that the index has not. */
  readonly key: Uint8Array | undefined
  readonly slots: SlotRows
}

type Members = readonly (StoredMember | undefined)[]

/** Slots of a shard that the index has not, and the rows of their members until these are opened or on their way to a thread. */
interface SlotRows {
  readonly count: number
  rows: Members
  readonly again: () => Promise<Members>
}

type Codes = readonly (Uint8Array | undefined)[]

/** Shards, and the codes of all their members in their order, part by part as they were opened. */
interface Opened {
  readonly shards: readonly Pick<ReadShard, 'slots'>[]
  readonly parts: Promise<Codes>[]
}

/** Shards that are read, and opened, together. */
interface Page extends Opened {
  readonly shards: readonly ReadShard[]
}

/** Reads the shards of these numbers, ascending, that changed since they were read; `onPage` is called after every page. */
export async function loadShards(
  gallery: Gallery,
  ctx: VaultContext,
  numbers: readonly number[],
  rows: OpenRows,
  onPage: () => void,
): Promise<void> {
  const openers = numbers.length < FEWEST_SHARDS ? undefined : startOpeners(gallery, ctx)
  const pages: Page[] = []
  try {
    for (let from = 0; from < numbers.length; from += PAGE) {
      ctx.signal?.throwIfAborted()
      const shards = await readShards(gallery, ctx, numbers.slice(from, from + PAGE), rows)
      const page: Page = { shards, parts: [] }
      pages.push(page)
      await openShards(ctx, gallery.settings.profile, openers, page)
      while (pages.length > MOST_AHEAD + (openers?.most ?? 0)) await placeNext(gallery, ctx, pages, onPage)
    }
    while (pages.length > 0) await placeNext(gallery, ctx, pages, onPage)
  } finally {
    await openers?.close()
    for (const page of pages) await wipePage(page)
  }
}

function startOpeners({ settings }: Gallery, ctx: VaultContext): Openers | undefined {
  const threads = (settings.threads ?? defaultThreads()) - 1
  const { purpose } = ctx.settings.profile
  return threads < 1 ? undefined : new Openers(threads, { profile: settings.profile, purpose })
}

/**
 * Gives the members of a page to a thread that is free; while none is, opens them here, shard after shard, with a turn for the event
 * loop between them. Adds what is opened, or will be, to `parts`.
 */
export async function openShards(
  ctx: VaultContext,
  profile: GalleryProfile,
  openers: Openers | undefined,
  { shards, parts }: Opened,
): Promise<void> {
  for (let next = 0; next < shards.length; ) {
    const rest = shards.slice(next).map(({ slots }) => slots)
    const elsewhere = openers && (await sendSlots(ctx, profile, openers, rest))
    const [first] = rest as [SlotRows]
    const codes = elsewhere?.codes ?? openMembers(ctx, first.rows)
    // Whoever waits for an earlier page must not leave this one's failure unheard.
    codes.catch(() => undefined)
    parts.push(codes)
    const opened = elsewhere === undefined ? [first] : rest
    for (const slots of opened) slots.rows = []
    next += opened.length
    if (elsewhere !== undefined) continue
    await codes
    await pause()
  }
}

function sendSlots(
  ctx: VaultContext,
  profile: GalleryProfile,
  openers: Openers,
  rest: readonly SlotRows[],
): ReturnType<typeof openInThread> {
  const again = async (): Promise<Members> => {
    const members: Members[] = []
    for (const slots of rest) members.push(await slots.again())
    return members.flat()
  }
  const members = rest.flatMap(({ rows }) => rows)
  return openInThread(ctx, openers, profile, members, again)
}

async function wipePage({ shards, parts }: Page): Promise<void> {
  wipe(...shards.map(({ key }) => key))
  for (const codes of parts) wipe(...(await codes.catch(() => [])))
}

async function readShards(
  gallery: Gallery,
  ctx: VaultContext,
  numbers: readonly number[],
  { shards: read, head }: OpenRows,
): Promise<readonly ReadShard[]> {
  const open = new Set(head.row.open)
  const missing = numbers.filter((number) => !read.has(number))
  const places = missing.map((number) => ({
    table: 'galleries' as const,
    key: shardKey(ctx.realm, number),
  }))
  const rows = places.length === 0 ? [] : await readRows(ctx.store, places)
  const fresh = new Map(missing.map((number, i) => [number, rows[i]]))
  const shards: ReadShard[] = []
  try {
    for (const number of numbers) {
      const stored = read.get(number) ?? fresh.get(number)
      const known = gallery.versions.get(number) ?? gallery.full.get(number)
      if (stored !== undefined && known === stored.version) continue
      shards.push(await readShard(gallery, ctx, number, stored, open.has(number)))
    }
  } catch (error) {
    wipe(...shards.map(({ key }) => key))
    throw error
  }
  return shards
}

async function readShard(
  gallery: Gallery,
  ctx: VaultContext,
  number: number,
  stored: StoredRow | undefined,
  open: boolean,
): Promise<ReadShard> {
  const { row, version } = await openShard(ctx, number, stored)
  const { profile } = gallery.settings
  if (!sameProfile(row.profile, profile)) throw misplaced('a shard of another gallery')
  // Head and shard are not always read at one instant: a full shard is not read again.
  if (!open && row.slots.length < gallery.capacity) throw changed()
  const position = positionOf(gallery.place, number)
  const known = position <= gallery.table.shards
  const fill = known ? gallery.table.fill(position) : 0
  if (row.slots.length < fill) await refuseOlder(ctx, shardCheck(ctx, number, version))
  const again = (): Promise<Members> => readMembers(ctx, profile, row, fill)
  const rows = await again()
  const key = known ? undefined : await loadShardKey(ctx, row)
  return { row, version, open, fill, key, slots: { count: rows.length, rows, again } }
}

/** Puts the first page into the index. */
async function placeNext(
  gallery: Gallery,
  ctx: VaultContext,
  pages: Page[],
  onPage: () => void,
): Promise<void> {
  const [page] = pages
  if (page === undefined) return
  const codes = (await Promise.all(page.parts)).flat()
  try {
    let from = 0
    for (const shard of page.shards) {
      const to = from + shard.slots.count
      await placeShard(gallery, ctx, shard, codes.slice(from, to))
      from = to
    }
  } finally {
    pages.shift()
    wipe(...page.shards.map(({ key }) => key), ...codes)
  }
  onPage()
}

async function placeShard(
  gallery: Gallery,
  ctx: VaultContext,
  { row, version, open, fill, key }: ReadShard,
  codes: Codes,
): Promise<void> {
  const { number } = row
  const position = positionOf(gallery.place, number)
  const lost = await lostSlots(ctx, row, fill, codes)
  if (key !== undefined) gallery.table.addShard(key)
  clearHoles(gallery, row, fill)
  for (const [i, code] of codes.entries()) {
    const handle = row.slots[fill + i] ?? null
    gallery.table.addSlot(position, handle === null || code === undefined ? undefined : { handle, code })
  }
  for (const slot of lost) gallery.unreadable.add(`${number}:${slot}`)
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
  codes: Codes,
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

/** A timer would wait a millisecond or more. */
function pause(): Promise<void> {
  const { setImmediate } = globalThis as { readonly setImmediate?: (resume: () => void) => void }
  return setImmediate === undefined ? Promise.resolve() : new Promise((resolve) => setImmediate(resolve))
}

/** Rows that do not fit together were written meanwhile: read anew. */
function changed(): StoreError {
  return new StoreError('ERR_STORE_CONFLICT', 'the gallery changed while it was read')
}
