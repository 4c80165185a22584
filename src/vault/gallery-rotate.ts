/** Rotation of shards: each rotation key under the primary epoch, unopened (SPEC §16.2). @module */

import { readU32be } from '../base/bytes.ts'
import { GuiseError } from '../base/errors.ts'
import { shardStart } from '../gallery/place.ts'
import { startsWith } from '../record/place.ts'
import { type Rewrapper, rewrapShard } from './rewrap.ts'

/** Re-wraps every shard of a lower epoch; yields a typed error for each that it could not. */
export async function* rotateShards(
  ctx: Rewrapper,
  call: { readonly dryRun: boolean; readonly seen: () => void },
): AsyncGenerator<GuiseError> {
  const start = shardStart(ctx.realm)
  for await (const { key } of ctx.store.scan('galleries', start)) {
    if (!startsWith(key, start)) return
    const number = readU32be(key.slice(start.length))
    call.seen()
    if (call.dryRun) continue
    try {
      await rewrapShard(ctx, number, false)
    } catch (error) {
      if (!(error instanceof GuiseError)) throw error
      yield error
    }
  }
}
