/** Identify: whose face a probe is, among the members of the realm's gallery (SPEC §16.5). @module */

import { checkInteger } from '../base/check.ts'
import { GalleryError } from '../gallery/errors.ts'
import { type IdentificationPoint, identificationPointId } from '../gallery/identification-point.ts'
import { unfitState } from './compare-template.ts'
import type { VaultContext, VaultEvent } from './context.ts'
import { rejectInput } from './errors.ts'
import type { Gallery } from './gallery.ts'
import { type Found, foundCheck, search, spendSearch } from './gallery-search.ts'
import { recordId, subjectId } from './lookup.ts'
import { type Provenance, policyText } from './provenance.ts'
import { checkFactor, readRequest, SAMPLE_FIELDS, withSample } from './sample.ts'
import { secondFactorConfirmed } from './symbols.ts'
import type { Candidate, IdentifyDecision, IdentifyRequest } from './types.ts'

const FIELDS = [...SAMPLE_FIELDS, 'limit', secondFactorConfirmed] as const
/** No more candidates are given. */
export const MOST_CANDIDATES = 32

/** Searches the gallery. See `IdentifyDecision`. */
export async function identify(ctx: VaultContext, request: IdentifyRequest): Promise<IdentifyDecision> {
  const { limit, [secondFactorConfirmed]: confirmed, ...samples } = readRequest(request, FIELDS)
  return withSample(ctx, samples, undefined, async ({ integers, point: { probeClass }, provenance }) => {
    const factor = checkFactor(confirmed)
    const most = checkInteger(limit, 'limit', [1, MOST_CANDIDATES], rejectInput)
    const gallery = requireGallery(ctx)
    const point = gallery.point(probeClass)
    const question = { integers, point, provenance, factor, most }
    const waitMs = await spendSearch(ctx, gallery)
    if (waitMs !== undefined) {
      await ctx.commitLogged([], eventOf(gallery, question, 'refused'))
      return { outcome: 'refused', reason: 'throttled', retryAfterMs: waitMs }
    }
    return await ctx.decide(() => identifyOnce(ctx, gallery, question))
  })
}

interface Question {
  readonly integers: Int32Array
  readonly point: IdentificationPoint
  readonly provenance: Provenance
  /** The caller asserts a second factor: no tripwire. */
  readonly factor: boolean
  readonly most: number
}

/** The gallery that the vault declares. Throws `ERR_GALLERY_UNDECLARED`. */
export function requireGallery(ctx: VaultContext): Gallery {
  if (ctx.gallery !== undefined) return ctx.gallery
  throw new GalleryError('ERR_GALLERY_UNDECLARED', 'the vault was opened without a gallery')
}

async function identifyOnce(
  ctx: VaultContext,
  gallery: Gallery,
  question: Question,
): Promise<IdentifyDecision> {
  const { integers, point, most, provenance, factor } = question
  const tripwire = factor ? undefined : provenance.tripwire
  const ring = ctx.ringStep()
  let found: readonly Found[]
  try {
    ;({ found } = await search(ctx, gallery, { integers, point, among: 'able', tripwire }))
  } catch (error) {
    if (!(error instanceof GalleryError) || error.code !== 'ERR_GALLERY_TOO_LARGE') throw error
    await ctx.ring.load()
    await ctx.commitLogged([ring], eventOf(gallery, question, 'refused'))
    return { outcome: 'refused', reason: 'gallery-too-large' }
  }
  if (found.some(({ tripped }) => tripped)) {
    await ctx.ring.load()
    await ctx.commitLogged([ring], eventOf(gallery, question, 'nonmatch', true))
    return { outcome: 'second-factor' }
  }
  const chosen = found.slice(0, most)
  const [first] = chosen
  await ctx.ring.load()
  const steps = [ring, ...chosen.map((one) => foundCheck(ctx, one))]
  const outcome = first === undefined ? 'nonmatch' : 'match'
  await ctx.commitLogged(steps, { ...eventOf(gallery, question, outcome), ...named(first) })
  // The basis of somebody may have ended while the store was waited for (POLICY-2).
  if (chosen.some(({ state }) => unfitState(state.row, ctx.now()) !== undefined)) {
    return identifyOnce(ctx, gallery, question)
  }
  const [head, ...rest] = chosen.map(candidateOf)
  return head === undefined ? { outcome: 'none' } : { outcome: 'candidates', candidates: [head, ...rest] }
}

/** What a caller learns of somebody whom a search found. */
export function candidateOf({ state }: Found, position: number): Candidate {
  const { record, handle, exposed } = state.row
  return { rank: position + 1, record: recordId(record), subject: subjectId(handle), exposed }
}

function eventOf(
  { settings }: Gallery,
  { point, provenance, factor }: Question,
  outcome: 'match' | 'nonmatch' | 'refused',
  tripped = false,
): VaultEvent {
  const id = `${settings.profile.purpose}/${identificationPointId(point)}`
  const policy = policyText(id, provenance, { tripped, factor })
  return { action: 'identify', outcome, basis: settings.basis, ...policy }
}

function named(found: Found | undefined): Partial<VaultEvent> {
  if (found === undefined) return {}
  const { handle, record, generation } = found.state.row
  return { handle, record, generation }
}
