/** Adapt: an accepted probe makes the next generation of its template, of the same model or the next (SPEC §11.14, §12.8). @module */

import { fromBase64, readU32be } from '../base/bytes.ts'
import type { CallOptions } from '../base/errors.ts'
import { type OperatingPoint, operatingPointId } from '../policy/operating-point.ts'
import { type Adapted, encodeAttemptsRow } from '../record/attempts-row.ts'
import { attemptsKey, type RecordName, referenceKey, SCOPE_UNBOUND } from '../record/place.ts'
import type { StateRow } from '../record/state-row.ts'
import type { StoreStep } from '../store/store.ts'
import { answer, type Compared, decideNow } from './answer.ts'
import { commitChange } from './batch.ts'
import { changedRow, changeEvent, settle, stateStep } from './change.ts'
import type { VaultContext } from './context.ts'
import { PROFILE } from './custody.ts'
import { endGenerations, endingSteps } from './endings.ts'
import { describeEnrolled, firstDevices } from './enroll.ts'
import { rejectInput } from './errors.ts'
import { countedAnswer, type Evidence } from './evidence.ts'
import { drawPlace } from './gallery-change.ts'
import { type NewMember, prepareMember } from './gallery-member.ts'
import { generationNumber } from './lookup.ts'
import { type Probe, withProbes } from './probes.ts'
import { templatesOf } from './references.ts'
import { dropTemplate, type OldTemplate } from './revoke.ts'
import { readRequest, SAMPLE_FIELDS } from './sample.ts'
import { sameCaptureConfirmed, secondFactorConfirmed } from './symbols.ts'
import { drawGeneration, makeTemplate } from './template-row.ts'
import type { AdaptDecision, AdaptRequest, KeptReason } from './types.ts'
import { ask, type Question } from './verify.ts'

const FIELDS = [
  ...SAMPLE_FIELDS,
  'also',
  'subject',
  'holderShare',
  secondFactorConfirmed,
  sameCaptureConfirmed,
] as const

/** Compares, and replaces the template when the comparison carries that. Takes no operation id: a repeated call is decided anew. */
export async function adapt(
  ctx: VaultContext,
  request: AdaptRequest,
  options?: CallOptions,
): Promise<AdaptDecision> {
  const given = readRequest(request, FIELDS)
  const {
    subject,
    holderShare,
    [secondFactorConfirmed]: factor,
    [sameCaptureConfirmed]: same,
    ...samples
  } = given
  const decided = await withProbes(ctx, samples, subject, async (probes) => {
    if (factor !== true) throw rejectInput('adapt needs [secondFactorConfirmed]: true')
    if (samples.also !== undefined && same !== true) {
      throw rejectInput('two probes of one capture need [sameCaptureConfirmed]: true')
    }
    // What statements say of the one image, they say alike.
    if (probes.some(({ provenance }) => provenance.moment !== probes[0].provenance.moment)) {
      throw rejectInput(
        'two probes of one capture are both attested, by one device at one instant, or neither',
      )
    }
    if (!mayAdapt(ctx)) throw rejectInput('the vault was opened without adaptation')
    if (options?.operationId !== undefined) throw rejectInput('adapt takes no operationId')
    const generation = drawOnce()
    return await ask<AdaptDecision>(ctx, {
      subject,
      holderShare,
      probes,
      factor: true,
      matched: (side, question, evidence, compared) =>
        decideMatch(side, question, evidence, { ...compared, generation }),
    })
  })
  // A match is decided here alone; other outcomes have nothing to add.
  const result = decided as AdaptDecision
  if (result.outcome !== 'match' || result.adapted === undefined) return result
  await settle(ctx)
  const record = fromBase64(result.record) as Uint8Array
  const handle = fromBase64(result.subject)
  await endGenerations(ctx, { record, handle }, PROFILE[ctx.settings.custody])
  return result
}

function mayAdapt(ctx: VaultContext): boolean {
  return ctx.settings.adaptation !== undefined || ctx.other?.settings.adaptation !== undefined
}

function strictPoint({ settings }: VaultContext, { point }: Question): OperatingPoint | undefined {
  return settings.adaptation?.points.get(point.probeClass)
}

/** Gives the same generation until another number is asked for, so that a share that was given stays fit. */
function drawOnce(): (number: number) => Uint8Array {
  let drawn: Uint8Array | undefined
  return (number) => {
    if (drawn === undefined || readU32be(drawn) !== number) drawn = drawGeneration(number)
    return drawn
  }
}

type Step = Compared & { readonly generation: (number: number) => Uint8Array }

async function decideMatch(
  ctx: VaultContext,
  question: Question,
  evidence: Evidence,
  compared: Step,
): Promise<AdaptDecision> {
  const target = targetOf(ctx, question)
  const kept = keptReason(ctx, target, evidence, compared)
  if (kept !== undefined) {
    // Where the line is that a template needs, must cost as much to find out as where the other is.
    const weak = kept === 'point' && strictPoint(ctx, question) !== undefined
    const said = await answer(ctx, question, evidence, { ...compared, weak }, undefined)
    return said.outcome === 'match' ? { ...said, kept } : said
  }
  const next = await replace(ctx, question, evidence, { ...compared, target })
  question.asked.answered()
  const said = await decideNow(ctx, question, next, 'match', next.last)
  return said.outcome === 'match' ? { ...said, adapted: describeEnrolled(next) } : said
}

/** The probe that the next template is made of: the other one where there are two. */
function targetOf(ctx: VaultContext, { probes }: Question): Probe {
  const other = probes.find((probe) => probe.ctx.settings.profile.model !== ctx.settings.profile.model)
  return other ?? probes[0]
}

/** Why the template stays as it is; `undefined` when it may be replaced. */
function keptReason(
  { settings, models }: VaultContext,
  target: Probe,
  { state, attempts, now }: Evidence,
  { strictly, template }: Compared,
): KeptReason | undefined {
  const from = settings.profile.model
  const to = target.ctx.settings.profile.model
  const moves = from !== to
  if (state.row.exposed) return 'exposed'
  // A face of one class does not become the reference of all others.
  if (template.record !== state.row.record) return 'class'
  if (moves ? !models.moves(from, to, now.nowMs) : !models.allows(to, now.nowMs)) return 'model'
  if (settings.adaptation === undefined) return 'point'
  const { mostInARow, leastIntervalMs } = settings.adaptation
  const { count, lastMs } = attempts.row.adapted ?? NEVER
  if (count >= mostInARow) return 'limit'
  if (!moves && count > 0 && now.nowMs - lastMs < leastIntervalMs) return 'interval'
  return strictly ? undefined : 'point'
}

const NEVER: Adapted = { count: 0, lastMs: 0 }

interface Replacement extends Step {
  readonly target: Probe
}

/** The next generation in place of the one that was compared, in one batch with the attempt. */
async function replace(
  ctx: VaultContext,
  question: Question,
  evidence: Evidence,
  what: Replacement,
): Promise<StateRow> {
  const keepFurther = what.target.ctx === ctx
  const old = await dropTemplate(ctx, evidence.state.row, { keepReference: true, keepFurther })
  const { realm, handle, record } = evidence.state.row
  const generation = what.generation(generationNumber(evidence.state.row.generation) + 1)
  const name: RecordName = { realm, handle, record, generation }
  const { target } = what
  const member = await prepareMember(target.ctx, name, { integers: target.integers, place: drawPlace() })
  try {
    return await commitAdaptation(ctx, question, evidence, { ...what, name, old, member })
  } finally {
    member.end()
  }
}

async function commitAdaptation(
  ctx: VaultContext,
  question: Question,
  evidence: Evidence,
  what: Replacement & {
    readonly name: RecordName
    readonly old: OldTemplate
    readonly member: NewMember
  },
): Promise<StateRow> {
  const { name, old, member, target } = what
  const { state, ring } = evidence
  const { nowMs } = evidence.now
  const presented = await question.shares.forNew(name, ring, 'added')
  const ended = target.ctx === ctx ? [state.row] : templatesOf(state.row)
  const ending = await endingSteps(ctx, state.row, ended)
  await ctx.ring.load()
  const devices = firstDevices(ctx)
  const template = makeTemplate(
    target.ctx,
    { ...name, devices },
    target.integers,
    presented,
    nowMs,
    (recordSecret) => member.make(recordSecret, nowMs),
  )
  const places = { places: [], handle: name.handle, index: undefined, ring, record: undefined }
  const found = { ...state, found: places, digest: undefined, nowMs }
  const { model, bits } = target.ctx.settings.profile
  const next = changedRow(ctx, found, 'adapt', {
    generation: name.generation,
    devices,
    model,
    bits,
    ...(target.ctx === ctx ? {} : { references: undefined }),
    since: Math.min(old.epochs().since, template.epoch),
    last: Math.max(old.epochs().last, template.epoch),
  })
  const reference: StoreStep = {
    step: 'put',
    table: 'references',
    key: referenceKey(ctx.realm, name.record),
    bytes: template.reference,
    expected: old.reference,
  }
  const strict = strictPoint(ctx, question) ?? question.point
  await commitChange(ctx, {
    ...old.change,
    event: { ...changeEvent('adapt', next), epoch: template.epoch, policy: operatingPointId(strict) },
    steps: [
      stateStep(ctx, found, next),
      reference,
      ...old.change.steps,
      attemptsOf(ctx, question, evidence, next),
      ...member.steps(),
      ...ending,
    ],
    ring,
    wrap: { name, bytes: template.secret },
  })
  member.settled()
  return next
}

/** Failures of the generation before go on to count: an adaptation is no fresh start. Needs loaded keys. */
function attemptsOf(
  ctx: VaultContext,
  { asked, provenance }: Question,
  evidence: Evidence,
  { handle, generation, keyVersion }: StateRow,
): StoreStep {
  const { row, version } = evidence.attempts
  const { count, operations } = countedAnswer(ctx, asked, evidence, { matched: true, live: provenance.live })
  const adapted = { count: (row.adapted ?? NEVER).count + 1, lastMs: evidence.now.nowMs }
  const next = { ...row, generation, version: 1, count, keyVersion, operations, adapted }
  return {
    step: 'put',
    table: 'attempts',
    key: attemptsKey(ctx.realm, handle, SCOPE_UNBOUND),
    bytes: encodeAttemptsRow(next, ctx.ring.requireRealmKeys(keyVersion).limiter),
    expected: version,
  }
}
