/** Rotation of shards: each rotation key under the primary epoch, unopened (SPEC §16.2). @module */

import { readU32be } from '../base/bytes.ts'
import { GuiseError } from '../base/errors.ts'
import { shardKey, shardStart } from '../gallery/place.ts'
import { rewrapShardKey } from '../gallery/shard-wrap.ts'
import { startsWith } from '../record/place.ts'
import type { VaultContext } from './context.ts'
import { putShard } from './gallery-change.ts'
import { openShard } from './gallery-rows.ts'

/** Re-wraps every shard of a lower epoch; yields a typed error for each that it could not. */
export async function* rotateShards(
  ctx: VaultContext,
  call: { readonly dryRun: boolean; readonly seen: () => void },
): AsyncGenerator<GuiseError> {
  const start = shardStart(ctx.realm)
  for await (const { key } of ctx.store.scan('galleries', start)) {
    if (!startsWith(key, start)) return
    const number = readU32be(key.slice(start.length))
    call.seen()
    if (call.dryRun) continue
    try {
      await ctx.decide(() => rotateShard(ctx, number))
    } catch (error) {
      if (!(error instanceof GuiseError)) throw error
      yield error
    }
  }
}

async function rotateShard(ctx: VaultContext, number: number): Promise<void> {
  const stored = await ctx.store.get('galleries', shardKey(ctx.realm, number))
  if (stored === undefined) return
  const ring = ctx.ringStep()
  const { row, version } = await openShard(ctx, number, stored)
  const { primary } = ctx.ring
  if (row.epoch >= primary) return
  await ctx.ring.loadEpoch(row.epoch)
  if (ctx.ring.primary !== primary) return rotateShard(ctx, number)
  const wrap = ctx.ring.withEpoch(row.epoch, (from) =>
    ctx.ring.withEpoch(primary, (prepared) => rewrapShardKey(row, from, { epoch: primary, prepared })),
  )
  const keyVersion = ctx.ring.newestVersion
  const next = { ...row, epoch: primary, wrap, version: row.version + 1, keyVersion }
  const event = { action: 'rotate', outcome: 'done', epoch: primary } as const
  await ctx.commitLogged([putShard(ctx, next, version), ring], event)
}
