/** The realm's migration of models as a vault follows it: what may be compared and made now (SPEC §11.14). @module */

import { equalBytes } from '../base/bytes.ts'
import type { CheckStep } from '../keys/ring-access.ts'
import { operatingPointId } from '../policy/operating-point.ts'
import { decodeModelRow, type ModelRow, type ModelSide } from '../record/model-row.ts'
import { MODEL_HANDLE, modelPlace } from '../record/place.ts'
import type { StoredRow } from '../store/store.ts'
import { requireNewest, rowTag, type VaultContext, type VaultSettings } from './context.ts'
import { rejectModel } from './errors.ts'

/** How far a migration is. `none`: there is none. */
export type ModelStage = 'none' | 'announced' | 'dual' | 'closed' | 'finished'

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

  /** Reads the row on its own. */
  async read(ctx: VaultContext): Promise<void> {
    const { table, key } = modelPlace(ctx)
    await this.take(ctx, await ctx.store.get(table, key))
  }

  /** Takes a row that was read just now. One that is not the newest that the log knows is refused (AUDIT-21). Needs loaded keys. */
  async take(ctx: VaultContext, stored: StoredRow | undefined): Promise<void> {
    const version = stored?.version ?? null
    if (version !== null && version === this.#version) return
    const row = stored && decodeModelRow(stored.bytes, ctx.realm, ctx.stateKey)
    await requireNewest(ctx, {
      isNewest: () => isNewest(ctx, stored),
      check: { step: 'check', ...modelPlace(ctx), expected: version },
    })
    this.#row = row
    this.#version = version
  }

  /** The step that fails a batch when the migration is no longer as it was read. */
  check(ctx: VaultContext): CheckStep {
    return { step: 'check', ...modelPlace(ctx), expected: this.#version }
  }

  /** True when probes of the model are compared with nothing any more. */
  hasEnded(model: string): boolean {
    return this.#row?.finished === true && this.#row.from.model === model
  }

  /** True when a template of the model may be made. */
  allows(model: string, nowMs: number): boolean {
    const row = this.#row
    const stage = stageOf(row, nowMs)
    if (row === undefined) return true
    if (model === row.from.model) return stage === 'announced' || stage === 'dual'
    if (model === row.to.model) return stage !== 'announced'
    return stage === 'finished'
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
  requireFit({ profile, points }: VaultSettings, next: VaultSettings | undefined): void {
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
    } else if (row.finished ? isSide(row.from, profile) : !isSide(row.from, profile)) {
      throw rejectModel('model is not one that the realm has now')
    }
  }
}

function requireTarget(row: ModelRow, { profile, points }: Pick<VaultSettings, 'profile' | 'points'>): void {
  if (!isSide(row.to, profile)) throw rejectModel('nextModel is not the model that was announced')
  for (const point of points.values()) {
    if (!row.points.includes(operatingPointId(point)))
      throw rejectModel('an operating point is none of those that were announced')
  }
}

function isNewest({ ledger }: VaultContext, stored: StoredRow | undefined): boolean {
  if (stored !== undefined) return ledger.isLast(MODEL_HANDLE, 'state', rowTag(stored.bytes))
  return !ledger.knows(MODEL_HANDLE) || ledger.isLast(MODEL_HANDLE, 'state', NO_TAG)
}

const NO_TAG: Uint8Array = new Uint8Array(16)

function isSide(side: ModelSide, profile: VaultSettings['profile']): boolean {
  return (
    side.model === profile.model &&
    equalBytes(side.meanHash, profile.meanHash) &&
    side.dimensions === profile.dimensions &&
    side.bits === profile.bits
  )
}
