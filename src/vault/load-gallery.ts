/** Loading the index of a gallery ahead of the first search (SPEC §16.4). @module */

import { checkFunction } from '../base/check.ts'
import { readFields } from '../policy/fields.ts'
import type { VaultContext } from './context.ts'
import { rejectInput } from './errors.ts'
import { askParts, NO_PROBE } from './gallery-ask.ts'
import { sync } from './gallery-sync.ts'
import { requireGallery } from './identify.ts'
import type { GalleryLoad, LoadedGallery, LoadGalleryOptions } from './types.ts'

type Progress = LoadGalleryOptions['onProgress']

/** The callback of the options, checked. */
export function checkLoad(options: unknown): Progress {
  if (options === undefined) return undefined
  const { onProgress } = readFields(options, 'options', ['onProgress'], rejectInput)
  if (onProgress === undefined) return undefined
  return checkFunction(onProgress, 'onProgress', rejectInput) as (loaded: GalleryLoad) => void
}

/** Loads the index, or brings it up to date; where parts keep it, theirs. */
export async function loadGallery(ctx: VaultContext, onProgress: Progress): Promise<LoadedGallery> {
  const gallery = requireGallery(ctx)
  const { parts } = gallery.settings
  if (parts !== undefined) {
    const { moment, shards } = await ctx.decide(() => askParts(ctx, gallery, parts, NO_PROBE))
    onProgress?.({ shards, of: shards, members: moment.members })
    return { shards, of: shards, members: moment.members, unreadable: moment.unreadable }
  }
  const { members, unreadable } = await ctx.decide(() => sync(ctx, gallery, onProgress))
  const { shards, engine } = gallery.table
  await engine?.warm(gallery.settings.profile.dimensions, shards)
  return { shards, of: shards, members, unreadable }
}
