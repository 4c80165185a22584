/** The realm's migration of models as a vault follows it: what may be compared and made now (SPEC §11.14). @module */

import type { Realm } from '../base/brand.ts'
import { equalBytes } from '../base/bytes.ts'
import type { CheckStep } from '../keys/ring-access.ts'
import { type OperatingPoint, operatingPointId } from '../policy/operating-point.ts'
import type { ModelRow, ModelSide } from '../record/model-row.ts'
import { modelPlace } from '../record/place.ts'
import { rejectModel } from './errors.ts'

/** How far a migration is. `none`: there is none. */
export type ModelStage = 'none' | 'announced' | 'dual' | 'closed' | 'finished'

/** What a vault says of one of its models. */
export interface ModelUse {
  readonly profile: ModelSide
  readonly points: ReadonlyMap<string, OperatingPoint>
}

/** The stage at an instant. */
export function stageOf(row: ModelRow | undefined, nowMs: number): ModelStage {
  if (row === undefined) return 'none'
  if (row.finished) return 'finished'
  // What an operator has ended is so by every clock.
  if (row.closesMs <= row.opensMs) return 'closed'
  if (nowMs < row.opensMs) return 'announced'
  return nowMs < row.closesMs ? 'dual' : 'closed'
}

/** The row as last read by this process. Every decision reads it anew; it is opened when it changed. */
export class ModelWindow {
  #row: ModelRow | undefined
  #version: string | null = null

  /** `undefined` without a migration. */
  get row(): ModelRow | undefined {
    return this.#row
  }

  /** True when the stored row is the one that was taken. */
  holds(version: string | null): boolean {
    return version !== null && version === this.#version
  }

  /** Takes the row that was read and found to be the newest. */
  take(row: ModelRow | undefined, version: string | null): void {
    this.#row = row
    this.#version = version
  }

  /** The step that fails a batch when the migration is no longer as it was read. */
  check(ctx: { readonly realm: Realm }): CheckStep {
    return { step: 'check', ...modelPlace(ctx), expected: this.#version }
  }

  /** True when probes of the model are compared with nothing any more: until a migration that leads back to it has opened. */
  hasEnded(model: string, nowMs: number): boolean {
    const row = this.#row
    if (row === undefined) return false
    if (row.to.model === model && stageOf(row, nowMs) !== 'announced') return false
    return (row.finished && row.from.model === model) || isAmong(row.ended, model)
  }

  /** True when a template of the model may be made. */
  allows(model: string, nowMs: number): boolean {
    const row = this.#row
    const stage = stageOf(row, nowMs)
    if (row === undefined) return true
    if (model === row.from.model) return stage === 'announced' || stage === 'dual'
    if (model === row.to.model) return stage !== 'announced'
    return stage === 'finished' && !isAmong(row.ended, model)
  }

  /** True when a template of the one model may become one of the other. */
  moves(from: string, to: string, nowMs: number): boolean {
    const row = this.#row
    return stageOf(row, nowMs) === 'dual' && row?.from.model === from && row.to.model === to
  }

  /** Throws `ERR_VAULT_MODEL` unless a template of the model may be made now. */
  requireAllowed(model: string, nowMs: number): void {
    if (!this.allows(model, nowMs)) {
      throw rejectModel("the realm's migration of models lets no template of this model be made now")
    }
  }

  /** Refuses to open a vault on models that are not those of the realm's migration. */
  requireFit({ profile, points }: ModelUse, next: ModelUse | undefined): void {
    const row = this.#row
    if (next !== undefined) {
      if (row === undefined) throw rejectModel('nextModel is not announced in this realm')
      if (!isSide(row.from, profile)) throw rejectModel('model is not the one that the realm migrates from')
      requireTarget(row, next)
      return
    }
    if (row === undefined) return
    if (isSide(row.to, profile)) {
      if (!row.finished) requireTarget(row, { profile, points })
    } else if (
      isAmong(row.ended, profile.model) ||
      (row.finished ? isSide(row.from, profile) : !isSide(row.from, profile))
    ) {
      throw rejectModel('model is not one that the realm has now')
    }
  }
}

function isAmong(ended: readonly ModelSide[] | undefined, model: string): boolean {
  return ended?.some((side) => side.model === model) === true
}

function requireTarget(row: ModelRow, { profile, points }: ModelUse): void {
  if (!isSide(row.to, profile)) throw rejectModel('nextModel is not the model that was announced')
  for (const point of points.values()) {
    if (!row.points.includes(operatingPointId(point)))
      throw rejectModel('an operating point is none of those that were announced')
  }
}

function isSide(side: ModelSide, profile: ModelUse['profile']): boolean {
  return (
    side.model === profile.model &&
    equalBytes(side.meanHash, profile.meanHash) &&
    side.dimensions === profile.dimensions &&
    side.bits === profile.bits
  )
}
