/** Reading the rows of a gallery: head, shards, and the keys of shards (SPEC §16). @module */

import { rolledBack } from '../audit/follower.ts'
import { decodeHeadRow, type GalleryHead } from '../gallery/head-row.ts'
import { galleryHeadKey, shardKey } from '../gallery/place.ts'
import { decodeShardRow, type ShardRow } from '../gallery/shard-row.ts'
import { openShardKey } from '../gallery/shard-wrap.ts'
import { RecordError } from '../record/errors.ts'
import { readRows } from '../store/read-rows.ts'
import type { StoredRow, StoreStep } from '../store/store.ts'
import type { VaultContext } from './context.ts'
import type { Versioned } from './lookup.ts'

/** Rows of a head and of its open shards, by their numbers. */
export interface OpenRows {
  readonly head: Versioned<GalleryHead>
  readonly shards: ReadonlyMap<number, StoredRow>
}

/** The rotation key of a shard; the caller wipes it. */
export async function loadShardKey(ctx: VaultContext, row: ShardRow): Promise<Uint8Array> {
  await ctx.ring.loadEpoch(row.epoch)
  const custody = ctx.ring.requireRealmKeys(row.custodyVersion).preparedOperator
  return ctx.ring.withEpoch(row.epoch, (epoch) => openShardKey(row, { custody, epoch }))
}

/** A shard row that was read under its number. */
export async function openShard(
  ctx: VaultContext,
  number: number,
  stored: StoredRow | undefined,
): Promise<Versioned<ShardRow>> {
  if (stored === undefined) throw new RecordError('ERR_RECORD_MISSING', 'the row of a shard is missing')
  await ctx.ring.load()
  const row = decodeShardRow(stored.bytes, { realm: ctx.realm, number }, ctx.stateKey)
  return { row, version: stored.version }
}

/** The head and the shards that it calls open. `guess`: numbers that are read in the same reading. */
export async function readOpenRows(ctx: VaultContext, guess: readonly number[] = []): Promise<OpenRows> {
  const places = guess.map((number) => ({ table: 'galleries' as const, key: shardKey(ctx.realm, number) }))
  const key = galleryHeadKey(ctx.realm)
  const [stored, ...rows] = await readRows(ctx.store, [{ table: 'galleries', key }, ...places])
  if (stored === undefined) throw new RecordError('ERR_RECORD_MISSING', 'the head of the gallery is missing')
  await ctx.ring.load()
  const row = decodeHeadRow(stored.bytes, ctx.realm, ctx.stateKey)
  const shards = new Map<number, StoredRow>()
  for (const [i, number] of guess.entries()) {
    const shard = rows[i]
    if (shard !== undefined) shards.set(number, shard)
  }
  const rest = row.open.filter((number) => number > 0 && !shards.has(number))
  const more = rest.map((number) => ({ table: 'galleries' as const, key: shardKey(ctx.realm, number) }))
  const found = more.length === 0 ? [] : await readRows(ctx.store, more)
  for (const [i, number] of rest.entries()) {
    const shard = found[i]
    if (shard !== undefined) shards.set(number, shard)
  }
  return { head: { row, version: stored.version }, shards }
}

export function headCheck(ctx: VaultContext, version: string): StoreStep {
  return { step: 'check', table: 'galleries', key: galleryHeadKey(ctx.realm), expected: version }
}

export function shardCheck(ctx: VaultContext, number: number, version: string): StoreStep {
  return { step: 'check', table: 'galleries', key: shardKey(ctx.realm, number), expected: version }
}

/** A row that is older than what this process has seen is an old reading, or somebody put it back (GALLERY-25). */
export async function refuseOlder(ctx: VaultContext, check: StoreStep): Promise<never> {
  await ctx.store.commit([check])
  throw rolledBack()
}
