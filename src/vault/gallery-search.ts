/** A search: budget, scan, and confirmation under each record's own key (SPEC §16.5). @module */

import { toHex } from '../base/bytes.ts'
import { accepts } from '../compare/decide.ts'
import { similarity } from '../compare/score.ts'
import { type BudgetRow, decodeBudgetRow, encodeBudgetRow, takeSearch } from '../gallery/budget-row.ts'
import { GalleryError } from '../gallery/errors.ts'
import type { IdentificationPoint } from '../gallery/identification-point.ts'
import { budgetKey } from '../gallery/place.ts'
import { type Hit, scanTable } from '../gallery/scan.ts'
import { RecordError } from '../record/errors.ts'
import { stateKey } from '../record/place.ts'
import { decodeReferenceRow } from '../record/reference-row.ts'
import type { StateRow } from '../record/state-row.ts'
import type { StoreStep } from '../store/store.ts'
import { unfitState, withScore } from './compare-template.ts'
import type { VaultContext } from './context.ts'
import { PROFILE } from './custody.ts'
import type { Gallery } from './gallery.ts'
import { askParts } from './gallery-ask.ts'
import { type GalleryMoment, sync } from './gallery-sync.ts'
import { openState, readTemplate, stale, type Versioned } from './lookup.ts'
import { NOBODY, openSecret } from './wrap.ts'

/** What is asked of a gallery. */
export interface GalleryQuestion {
  readonly integers: Int32Array
  readonly point: IdentificationPoint
  /** `able`: only who can match now; `kept`: whoever has a template. */
  readonly among: 'able' | 'kept'
  /** Similarity in ten-thousandths from which a second factor is needed. */
  readonly tripwire?: number | undefined
}

/** A record that the search found and its own template confirmed. */
export interface Found {
  readonly state: Versioned<StateRow>
  /** Orders what was found; leaves no verb. */
  readonly rank: number
  /** The tripwire of the question was met. */
  readonly tripped: boolean
}

/** Records that resemble the probe, the most alike first; and what the search saw. */
export interface Search {
  readonly moment: GalleryMoment
  readonly found: readonly Found[]
}

/** Counts a search before anything is searched; gives how long to wait when none is left (GALLERY-18). */
export async function spendSearch(ctx: VaultContext, gallery: Gallery): Promise<number | undefined> {
  const { realm } = ctx
  const key = budgetKey(realm)
  const spend = (): Promise<number | undefined> =>
    ctx.decide(async () => {
      const stored = await ctx.store.get('galleries', key)
      await ctx.ring.load()
      const now = ctx.now()
      const none = {
        realm,
        version: 0,
        count: 0,
        timeMs: now.nowMs,
        origin: now.origin,
        steadyMs: now.steadyMs,
      }
      const row: Omit<BudgetRow, 'keyVersion'> =
        stored === undefined ? none : decodeBudgetRow(stored.bytes, realm, ctx.limiterKey)
      const { next, waitMs } = takeSearch(row, gallery.settings.queriesPerHour, now)
      if (next !== undefined) {
        const keyVersion = ctx.ring.newestVersion
        const bytes = encodeBudgetRow({ ...next, keyVersion }, ctx.ring.requireRealmKeys(keyVersion).limiter)
        const expected = stored?.version ?? null
        await ctx.store.commit([{ step: 'put', table: 'galleries', key, bytes, expected }])
      }
      return waitMs
    })
  return await gallery.places.run('budget', spend, ctx.signal)
}

/** Scans and confirms. Throws `ERR_GALLERY_TOO_LARGE` when the point was measured with fewer people. */
export async function search(
  ctx: VaultContext,
  gallery: Gallery,
  question: GalleryQuestion,
): Promise<Search> {
  const { point, integers } = question
  // What was integrated until now must be known: no row that was put back makes a candidate (AUDIT-21).
  await ctx.ledger.follow()
  const { parts, profile } = gallery.settings
  const probe = { integers, threshold: point.scanThreshold }
  const asked = parts && (await askParts(ctx, gallery, parts, probe))
  const moment = asked?.moment ?? (await sync(ctx, gallery))
  if (moment.members > point.gallerySize) {
    throw new GalleryError(
      'ERR_GALLERY_TOO_LARGE',
      'the gallery is larger than the one that the identification point was measured with',
    )
  }
  const { bits } = profile
  const hits = asked?.hits ?? (await scanTable(gallery.table, { ...probe, bits, signal: ctx.signal }))
  const found: Found[] = []
  const met = new Set<string>()
  for (const hit of hits) {
    const name = toHex(hit.handle)
    if (met.has(name)) continue
    met.add(name)
    const confirmed = await confirm(ctx, gallery, question, hit)
    if (confirmed !== undefined) found.push(confirmed)
  }
  return { moment, found: found.sort((a, b) => b.rank - a.rank) }
}

/** Fails a commit when the record is not as it was confirmed. */
export function foundCheck(ctx: VaultContext, { state }: Found): StoreStep {
  const key = stateKey(ctx.realm, state.row.handle)
  return { step: 'check', table: 'states', key, expected: state.version }
}

/** The record behind a hit when its own template accepts the probe. */
async function confirm(
  ctx: VaultContext,
  gallery: Gallery,
  question: GalleryQuestion,
  { handle, number, slot, sum: scanSum, energy: scanEnergy }: Hit,
): Promise<Found | undefined> {
  const ring = ctx.ringStep()
  const stored = await ctx.store.get('states', stateKey(ctx.realm, handle))
  const state = await openState(ctx, handle, stored)
  if (state === undefined || GONE.has(state.row.state)) {
    gallery.drop(number, slot)
    return undefined
  }
  if (question.among === 'able' && unfitState(state.row, ctx.now()) !== undefined) return undefined
  // A record that a holder took into custody since has left the gallery.
  if (state.row.profile !== PROFILE.operator) return undefined
  const recheck = stale(ctx, { state, ring })
  const { bits } = ctx.settings.profile
  const { tripwire } = question
  const scanned = similarity(scanSum, scanEnergy, gallery.settings.profile.bits)
  try {
    const { reference, secret } = await readTemplate(ctx, state.row)
    const wrap = openSecret(state.row, secret)
    if (reference === undefined || wrap === undefined) {
      throw new RecordError('ERR_RECORD_MISSING', 'a row of a template is missing')
    }
    const row = decodeReferenceRow(reference.bytes, ctx.settings.profile, state.row)
    await ctx.ring.loadEpoch(wrap.row.epoch)
    const parts = { name: state.row, reference: row, secret: wrap, presented: NOBODY }
    return withScore(ctx, question.integers, parts, (sum, energy) =>
      accepts(sum, energy, bits, question.point.threshold)
        ? {
            state,
            rank: scanned + similarity(sum, energy, bits),
            tripped: tripwire !== undefined && accepts(sum, energy, bits, tripwire),
          }
        : undefined,
    )
  } catch (error) {
    return await recheck(error)
  }
}

const GONE: ReadonlySet<StateRow['state']> = new Set(['revoked', 'erased'])
