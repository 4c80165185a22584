/** Asking the parts of a gallery: all of them or none (SPEC §16.9). @module */

import {
  mergeHits,
  openAnswer,
  type PartAnswer,
  type PartQuestion,
  questionHash,
  sealQuestion,
} from '../gallery/ask-part.ts'
import { GalleryError, partFailure } from '../gallery/errors.ts'
import type { GalleryPart } from '../gallery/part-place.ts'
import type { Hit } from '../gallery/scan.ts'
import type { VaultContext } from './context.ts'
import type { Gallery } from './gallery.ts'
import { headCheck, readOpenRows, refuseOlder, shardCheck } from './gallery-rows.ts'
import { type GalleryMoment, requireSame } from './gallery-sync.ts'

/** What all parts answered, as one index would. */
export interface Asked {
  readonly moment: GalleryMoment
  readonly shards: number
  readonly hits: readonly Hit[]
}

/** Asks for the numbers alone. */
export const NO_PROBE: PartQuestion = { integers: new Int32Array(0), threshold: 1 }

/** Throws `ERR_GALLERY_PART` unless every part answers. */
export async function askParts(
  ctx: VaultContext,
  gallery: Gallery,
  parts: readonly GalleryPart[],
  question: PartQuestion,
): Promise<Asked> {
  // Read first: parts look later, so whoever they did not see changes one of these rows afterwards (GALLERY-19).
  const { head, shards } = await readOpenRows(ctx, [...gallery.versions.keys()])
  requireSame(gallery.settings, head.row)
  if (head.row.version < gallery.headVersion) await refuseOlder(ctx, headCheck(ctx, head.version))
  const checks = [headCheck(ctx, head.version)]
  const versions = new Map<number, string>()
  for (const number of head.row.open) {
    const { version } = shards.get(number) ?? {}
    if (version === undefined) continue
    versions.set(number, version)
    checks.push(shardCheck(ctx, number, version))
  }
  // Where to look the next time.
  gallery.versions = versions
  gallery.headVersion = head.row.version
  const answers = await withinTime(ctx.signal, gallery.settings.partTimeoutMs, (signal) =>
    askAll(ctx, gallery, parts, question, signal),
  )
  const sum = (pick: (answer: PartAnswer) => number): number =>
    answers.reduce((total, answer) => total + pick(answer), 0)
  return {
    moment: {
      members: sum(({ members }) => members),
      unreadable: sum(({ unreadable }) => unreadable),
      checks,
    },
    shards: sum((answer) => answer.shards),
    hits: mergeHits(answers),
  }
}

async function askAll(
  ctx: VaultContext,
  { settings }: Gallery,
  parts: readonly GalleryPart[],
  question: PartQuestion,
  signal: AbortSignal,
): Promise<readonly PartAnswer[]> {
  await ctx.ring.load()
  const { profile } = settings
  const version = ctx.ring.newestVersion
  const key = ctx.ring.requireRealmKeys(version).part
  const asked = parts.map((part, index) => {
    const place = { index, of: parts.length }
    const sealed = sealQuestion({ profile, place }, question, version, key)
    return { part, place, sealed, hash: questionHash(sealed) }
  })
  return await Promise.all(
    asked.map(async ({ part, place, sealed, hash }) => {
      const answer = await reach(part, sealed, signal)
      await ctx.ring.load()
      const from = { profile, place, question: hash, threshold: question.threshold }
      return openAnswer(answer, from, (named) => ctx.ring.realmKeys(named)?.part)
    }),
  )
}

/** Whatever a transport fails with is one error; what it gives is copied, because it is the caller's. */
async function reach(part: GalleryPart, question: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
  let answer: unknown
  try {
    answer = await part(question, { signal })
  } catch (cause) {
    signal.throwIfAborted()
    throw partFailure('it was not reached', cause)
  }
  if (!(answer instanceof Uint8Array)) throw partFailure('it gave no bytes')
  return Uint8Array.from(answer)
}

/** Ends with the call's signal, when the time is over, or when one part fails: then nobody needs to wait for the others. */
async function withinTime<Result>(
  outer: AbortSignal | undefined,
  limitMs: number,
  task: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const ending = new AbortController()
  const ended = new Promise<never>((_, reject) => {
    ending.signal.addEventListener('abort', () => reject(ending.signal.reason as Error), { once: true })
  })
  // Nobody waits for it once the task has settled.
  ended.catch(() => undefined)
  const stop = (): void => ending.abort(outer?.reason)
  outer?.addEventListener('abort', stop, { once: true })
  const timer = setTimeout(() => ending.abort(partFailure('it did not answer in time')), limitMs)
  try {
    outer?.throwIfAborted()
    return await Promise.race([task(ending.signal), ended])
  } catch (error) {
    if (error instanceof GalleryError) ending.abort(error)
    throw error
  } finally {
    clearTimeout(timer)
    outer?.removeEventListener('abort', stop)
  }
}
