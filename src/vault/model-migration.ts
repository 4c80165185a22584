/** Announcing, withdrawing and finishing a realm's migration from one model to another (SPEC §11.14). @module */

import type { TransformId } from '../base/brand.ts'
import { equalBytes } from '../base/bytes.ts'
import { checkModel, type Model } from '../embedding/model.ts'
import {
  type Bits,
  fitOperatingPoints,
  type OperatingPoint,
  operatingPointId,
} from '../policy/operating-point.ts'
import { encodeModelRow, MOST_ENDED, type ModelRow, type ModelSide } from '../record/model-row.ts'
import { MODEL_HANDLE, modelPlace } from '../record/place.ts'
import { checkBits, defaultBits } from '../template/bits.ts'
import type { CampaignProgress, CampaignReport } from './campaign.ts'
import { runCampaign } from './campaign.ts'
import { settle } from './change.ts'
import type { VaultContext, VaultEvent } from './context.ts'
import { rejectInput, VaultError } from './errors.ts'
import { describeModels, type ModelMigration, readModels } from './model-report.ts'
import { type Rest, restCampaign } from './model-rest.ts'
import { type ModelStage, stageOf } from './model-window.ts'
import { openRealm, type RealmOptions } from './realm-context.ts'
import { allowHighFalseMatchRate, allowOvercomplete } from './symbols.ts'

export interface AnnounceModelOptions extends RealmOptions {
  /** The model of the realm's templates, as its vaults have it. */
  readonly from: { readonly model: Model; readonly bits?: Bits }
  /** The model that they get, and the points that vaults compare with. */
  readonly to: {
    readonly model: Model
    readonly bits?: Bits
    readonly operatingPoints: readonly OperatingPoint[]
  }
  /** From when on templates of the new model are made. Default: at once. */
  readonly opensAt?: Date
  /** Until when people are moved, and templates of the old model may be made. */
  readonly closesAt: Date
  readonly [allowOvercomplete]?: true
  readonly [allowHighFalseMatchRate]?: true
}

export interface FinishModelOptions extends RealmOptions {
  /** What becomes of those who have not moved: they are suspended, or their templates end. Without it nobody may be left. */
  readonly rest?: Rest
  /** At most so many of the rest a second, 1 to 1,000,000. */
  readonly perSecond?: number
  readonly onProgress?: (progress: CampaignProgress) => void
}

/** What became of `finishModel`. */
export interface ModelFinish {
  /** `left`: people are, so nothing was changed but what `rest` asked for. */
  readonly outcome: 'finished' | 'left'
  readonly migration: ModelMigration
  /** Of the rest, when it was asked for. */
  readonly rest?: CampaignReport
}

/**
 * Announces that the realm's templates move to another model, and when; called again with another end, moves the end. From then on vaults
 * open with `nextModel`. Throws `ERR_VAULT_TRANSITION` where SPEC §11.14 does not allow it.
 *
 * @example
 * ```ts
 * const closesAt = new Date(Date.now() + 90 * 86_400_000)
 * await announceModel({ keyring, store, logSigner, from: { model }, to: { model: nextModel, operatingPoints }, closesAt })
 * ```
 */
export async function announceModel(options: AnnounceModelOptions): Promise<ModelMigration> {
  const { from, to, points } = checkSides(options)
  const opensMs = options.opensAt === undefined ? undefined : checkInstant(options.opensAt, 'opensAt')
  const closesMs = checkInstant(options.closesAt, 'closesAt')
  return await withModels(options, async (ctx, row, nowMs) => {
    const stage = stageOf(row, nowMs)
    const fresh = stage === 'none' || stage === 'finished'
    if (row !== undefined && !mayFollow(row, stage, { from, to, points })) throw illegal('announce', stage)
    const opens = fresh || stage === 'announced' ? (opensMs ?? nowMs) : row?.opensMs
    const window = { opensMs: opens ?? nowMs, closesMs }
    if (window.closesMs <= Math.max(nowMs, window.opensMs)) {
      throw rejectInput('closesAt must lie ahead, and behind opensAt')
    }
    const ended = fresh && row !== undefined ? endedBefore(row) : row?.ended
    const next = {
      ...bumped(ctx, row),
      realm: ctx.realm,
      from,
      to,
      points,
      ...window,
      finished: false,
      changedMs: nowMs,
      ...(ended === undefined ? {} : { ended }),
    }
    await putRow(ctx, next, {
      action: 'model-announce',
      outcome: 'done',
      policy: fresh ? 'announced' : 'window',
    })
  })
}

/** Takes an announcement back before its window has opened. `ERR_VAULT_TRANSITION` afterwards: somebody may have moved. */
export async function withdrawModel(options: RealmOptions): Promise<ModelMigration> {
  return await withModels(options, async (ctx, row, nowMs) => {
    const stage = stageOf(row, nowMs)
    if (row === undefined || stage !== 'announced') throw illegal('withdraw', stage)
    const former = row.ended?.at(-1)
    if (former !== undefined) return await putRow(ctx, finishedBefore(ctx, row, former, nowMs), WITHDRAWN)
    const check = ctx.models.check(ctx)
    await ctx.commitLogged(
      [{ ...check, step: 'delete', expected: check.expected as string }, ctx.ringStep()],
      {
        ...WITHDRAWN,
        handle: MODEL_HANDLE,
      },
    )
  })
}

/**
 * Ends a migration: from then on probes of the old model are compared with nothing. Refused while people are left, unless `rest` says what
 * becomes of them. Ends the window first, so that nobody comes meanwhile; one that was killed is resumed by another call.
 *
 * @example
 * ```ts
 * const { outcome, migration } = await finishModel({ keyring, store, logSigner })
 * if (outcome === 'left') console.info(`${migration.left} people have not moved`)
 * ```
 */
export async function finishModel(options: FinishModelOptions): Promise<ModelFinish> {
  const ctx = await openRealm(options)
  try {
    const row = await refreshed(ctx)
    const stage = stageOf(row, ctx.now().nowMs)
    if (stage === 'finished') return { outcome: 'finished', migration: await readModels(ctx) }
    if (row === undefined || stage === 'announced') {
      await decideRow(ctx, async () => refuse(ctx))
      throw illegal('finish', stage)
    }
    const before = await readModels(ctx)
    if (options.rest === undefined && isLeft(before)) {
      await decideRow(ctx, async () => refuse(ctx))
      return { outcome: 'left', migration: before }
    }
    // Nobody makes a template of the old model any more: what is counted now stays so.
    await setWindow(ctx, row.opensMs)
    const rest =
      options.rest === undefined
        ? undefined
        : await runCampaign(restCampaign(ctx, row.from.model, options.rest), paceOf(options))
    const left = await readModels(ctx)
    if (options.rest === undefined ? isLeft(left) : rest?.complete !== true || left.unreadable > 0) {
      if (options.rest === undefined) await setWindow(ctx, row.closesMs)
      await decideRow(ctx, async () => refuse(ctx))
      return { outcome: 'left', migration: await readModels(ctx), ...(rest === undefined ? {} : { rest }) }
    }
    const outcome = await endRow(ctx, options.rest ?? 'moved')
    if (options.logSigner !== undefined) await settle(ctx)
    return { outcome, migration: await readModels(ctx), ...(rest === undefined ? {} : { rest }) }
  } finally {
    await ctx.ledger.close()
  }
}

/** The last step, unless somebody has opened the window again: then whoever came meanwhile was not counted. */
async function endRow(ctx: VaultContext, policy: string): Promise<ModelFinish['outcome']> {
  let outcome: ModelFinish['outcome'] = 'finished'
  await decideRow(ctx, async (row, nowMs) => {
    if (row === undefined || row.finished) return
    outcome = row.closesMs > row.opensMs ? 'left' : 'finished'
    if (outcome === 'left') return await refuse(ctx)
    const event = { action: 'model-finish', outcome: 'done', policy } as const
    await putRow(ctx, { ...row, ...bumped(ctx, row), finished: true, changedMs: nowMs }, event)
  })
  return outcome
}

/** Of whom nothing can be read, nobody knows that they have moved. */
function isLeft({ left, unreadable }: ModelMigration): boolean {
  return left + unreadable > 0
}

/** How far the realm's migration is, and who has not moved. */
export async function modelStatus(options: RealmOptions): Promise<ModelMigration> {
  const ctx = await openRealm(options)
  try {
    await refreshed(ctx)
    return await readModels(ctx)
  } finally {
    await ctx.ledger.close()
  }
}

async function withModels(
  options: RealmOptions,
  change: (ctx: VaultContext, row: ModelRow | undefined, nowMs: number) => Promise<void>,
): Promise<ModelMigration> {
  const ctx = await openRealm(options)
  try {
    await decideRow(ctx, (row, nowMs) => change(ctx, row, nowMs))
    if (options.logSigner !== undefined) await settle(ctx)
    await refreshed(ctx)
    return describeModels(ctx.models.row, ctx.now().nowMs)
  } finally {
    await ctx.ledger.close()
  }
}

async function refreshed(ctx: VaultContext): Promise<ModelRow | undefined> {
  return await ctx.decide(async () => ctx.models.row)
}

/** Runs a decision about the row until the row is the one that it was decided on. */
async function decideRow(
  ctx: VaultContext,
  decision: (row: ModelRow | undefined, nowMs: number) => Promise<void>,
): Promise<void> {
  await ctx.decide(() => decision(ctx.models.row, ctx.now().nowMs))
}

async function setWindow(ctx: VaultContext, closesMs: number): Promise<void> {
  await decideRow(ctx, async (row, nowMs) => {
    if (row === undefined || row.finished || row.closesMs === closesMs) return
    const event = { action: 'model-announce', outcome: 'done', policy: 'window' } as const
    await putRow(ctx, { ...row, ...bumped(ctx, row), closesMs, changedMs: nowMs }, event)
  })
}

async function refuse(ctx: VaultContext): Promise<void> {
  await ctx.commitLogged([ctx.ringStep()], { action: 'model-finish', outcome: 'refused' })
}

function bumped(ctx: VaultContext, row: ModelRow | undefined): Pick<ModelRow, 'version' | 'keyVersion'> {
  return { version: (row?.version ?? 0) + 1, keyVersion: ctx.ring.newestVersion }
}

async function putRow(ctx: VaultContext, row: ModelRow, event: VaultEvent): Promise<void> {
  await ctx.ring.load()
  const { expected } = ctx.models.check(ctx)
  const bytes = encodeModelRow(row, ctx.ring.requireRealmKeys(row.keyVersion).state)
  await ctx.commitLogged([{ step: 'put', ...modelPlace(ctx), bytes, expected }, ctx.ringStep()], {
    ...event,
    handle: MODEL_HANDLE,
  })
}

const WITHDRAWN = { action: 'model-withdraw', outcome: 'done' } as const

/** The models that have ended once another migration follows: all but the one that templates are of now (VAULT-100). */
function endedBefore({ ended = [], from, to }: ModelRow): readonly ModelSide[] {
  const all = [...ended.filter(({ model }) => model !== to.model), from]
  if (all.length > MOST_ENDED) throw rejectInput('a realm has at most 64 models that have ended')
  return all
}

/** The migration that was finished before one that is withdrawn. */
function finishedBefore(ctx: VaultContext, row: ModelRow, former: ModelSide, nowMs: number): ModelRow {
  const { ended = [], ...rest } = row
  const earlier = ended.slice(0, -1)
  return {
    ...rest,
    ...bumped(ctx, row),
    finished: true,
    from: former,
    to: row.from,
    opensMs: nowMs,
    closesMs: nowMs,
    changedMs: nowMs,
    ...(earlier.length === 0 ? {} : { ended: earlier }),
  }
}

type Sides = Pick<ModelRow, 'from' | 'to' | 'points'>

/** The same models again, or those that follow a migration that is finished. */
function mayFollow(row: ModelRow, stage: ModelStage, { from, to, points }: Sides): boolean {
  if (stage === 'finished') return sameSide(row.to, from)
  const same = points.length === row.points.length && points.every((id) => row.points.includes(id))
  return same && sameSide(row.from, from) && sameSide(row.to, to)
}

function sameSide(a: ModelSide, b: ModelSide): boolean {
  return (
    a.model === b.model &&
    equalBytes(a.meanHash, b.meanHash) &&
    a.dimensions === b.dimensions &&
    a.bits === b.bits
  )
}

const SUITE = 'B4'

function checkSides(options: AnnounceModelOptions): Sides {
  const { from, to } = options
  const overcomplete = options[allowOvercomplete] === true
  const sides = [checkSide(from, overcomplete), checkSide(to, overcomplete)] as const
  if (sides[0].model === sides[1].model) throw rejectInput('to must be another model than from')
  const { model, meanHash, bits } = sides[1]
  const context = { model, meanHash, suite: SUITE as string as TransformId, bits } as Parameters<
    typeof fitOperatingPoints
  >[1]
  const points = fitOperatingPoints(to.operatingPoints, context, options[allowHighFalseMatchRate] === true)
  return { from: sides[0], to: sides[1], points: [...points.values()].map(operatingPointId) }
}

function checkSide(
  { model, bits }: { readonly model: Model; readonly bits?: Bits },
  overcomplete: boolean,
): ModelSide {
  const { id, meanHash, dimensions } = checkModel(model)
  const stored = bits === undefined ? defaultBits(dimensions) : checkBits(dimensions, bits, overcomplete)
  return { model: id, meanHash, dimensions, bits: stored }
}

function checkInstant(value: Date, name: string): number {
  const ms = value instanceof Date ? value.getTime() : Number.NaN
  if (!Number.isSafeInteger(ms) || ms < 0) throw rejectInput(`${name} must be a date`)
  return ms
}

function paceOf({ perSecond, onProgress, signal }: FinishModelOptions): Parameters<typeof runCampaign>[1] {
  return {
    ...(perSecond === undefined ? {} : { perSecond }),
    ...(onProgress === undefined ? {} : { onProgress }),
    ...(signal === undefined ? {} : { signal }),
  }
}

function illegal(verb: string, stage: ModelStage): VaultError {
  return new VaultError('ERR_VAULT_TRANSITION', `${verb} is not possible for a migration that is ${stage}`)
}
