/** Verify: a probe against the subject's template, counted before it is answered (SPEC §11.2). @module */

import { wipe } from '../base/bytes.ts'
import type { CallOptions } from '../base/errors.ts'
import { accepts } from '../compare/decide.ts'
import { attemptGate, type WaitStart } from '../policy/attempts.ts'
import { RecordError } from '../record/errors.ts'
import { decodeReferenceRow } from '../record/reference-row.ts'
import { findOperation, type StateRow } from '../record/state-row.ts'
import type { StoreStep } from '../store/store.ts'
import {
  type Asker,
  answer,
  answerEvent,
  type Compared,
  decideNow,
  type Refusal,
  refuse,
  repeated,
} from './answer.ts'
import { ASKED, Asked } from './asked.ts'
import { type TemplateParts, unfitState, withScore } from './compare-template.ts'
import type { Beside, VaultContext } from './context.ts'
import { PROFILE } from './custody.ts'
import { attemptsStep, type Evidence, giveBack, isAdmitted, requestOutput, stateCheck } from './evidence.ts'
import { scoreBin } from './histogram.ts'
import {
  findSubject,
  fittingAttempts,
  type IndexRowPlace,
  openState,
  readingOf,
  readRecord,
  readTemplate,
  stale,
  withSubject,
} from './lookup.ts'
import { operationDigest, probeDigest } from './operation.ts'
import { type Probes, probeFor, withProbes } from './probes.ts'
import { pairFor } from './references.ts'
import { checkFactor, disposeReachable, readRequest, SAMPLE_FIELDS } from './sample.ts'
import { type Shares, withShares } from './shares.ts'
import { secondFactorConfirmed } from './symbols.ts'
import type { VerifyDecision, VerifyRequest } from './types.ts'
import { isWrongShare, openSecret } from './wrap.ts'

const FIELDS = [...SAMPLE_FIELDS, 'also', 'subject', 'holderShare', secondFactorConfirmed] as const
/** Nobody's handle: a look-up under it costs an unknown subject the same read as a known one. */
const NO_HANDLE: Uint8Array = new Uint8Array(16)

/** Compares a probe with the template of a subject. See `VerifyDecision`. */
export async function verify(
  ctx: VaultContext,
  request: VerifyRequest,
  options?: CallOptions,
): Promise<VerifyDecision> {
  // Read before anything waits: what the caller does to the request afterwards concerns another call.
  const given = readRequest(request, FIELDS)
  const { subject, holderShare, [secondFactorConfirmed]: confirmed } = given
  const compare = (): Promise<VerifyDecision> =>
    withProbes(ctx, given, subject, (probes) => {
      const factor = checkFactor(confirmed)
      return ask(ctx, { subject, holderShare, probes, factor }, options)
    })
  const { lanes, signal } = ctx
  if (lanes === undefined || typeof subject !== 'string') return await compare()
  try {
    return await lanes.run(subject, compare, signal)
  } catch (error) {
    // The signal of a call that still waited has ended it.
    disposeReachable(given)
    throw error
  }
}

/** What is to be compared with whose template, and what a match leads to besides. */
export interface Asking<Decision extends VerifyDecision> {
  readonly subject: unknown
  readonly holderShare: unknown
  readonly probes: Probes
  /** The caller asserts a second factor: no tripwire. */
  readonly factor: boolean
  /** Decides about a match in place of `answer`. */
  readonly matched?:
    | undefined
    | ((ctx: VaultContext, question: Question, evidence: Evidence, compared: Compared) => Promise<Decision>)
}

/** Asks until what the answer rests on has not changed meanwhile. */
export async function ask<Decision extends VerifyDecision = VerifyDecision>(
  ctx: VaultContext,
  { subject, holderShare, probes, factor, matched }: Asking<Decision>,
  options?: CallOptions,
): Promise<Decision | VerifyDecision> {
  const asked = new Asked()
  const asker: Asker = { ...probes[0], factor }
  try {
    return await withShares<Decision | VerifyDecision>(
      ctx,
      matched === undefined ? { present: holderShare } : { present: holderShare, added: holderShare },
      (shares) =>
        withSubject(ctx, subject, ctx.signal, (text) => {
          const question = { ...asker, subject: text, probes, shares, asked, matched }
          return ctx.decide(
            (beside) => verifyOnce<Decision>(ctx, question, beside, options),
            () => readingOf(ctx, text),
          )
        }),
      () => refuse(ctx, asker, { reason: 'holder-share' }),
    )
  } finally {
    await giveBack(ctx, asked)
  }
}

export interface Question extends Asker {
  readonly subject: string
  readonly probes: Probes
  readonly shares: Shares
  /** What the quorum was asked. */
  readonly asked: Asked
  /** The reference that is compared: the state row, or that with the record and generation of a further one. `point` is of this pair. */
  readonly template: StateRow
}

async function verifyOnce<Decision extends VerifyDecision>(
  ctx: VaultContext,
  question: Omit<Question, 'template'> & Pick<Asking<Decision>, 'matched'>,
  beside: Beside<IndexRowPlace> | undefined,
  options: CallOptions | undefined,
): Promise<Decision | VerifyDecision> {
  const { asked } = question
  asked.begin()
  const { handle, ring, record } = await findSubject(ctx, question.subject, beside)
  const rows = record ?? (await readRecord(ctx, handle ?? NO_HANDLE))
  const state = await openState(ctx, handle ?? NO_HANDLE, rows.state)
  if (handle === undefined || state === undefined) {
    await ctx.decoys.readSubject(ctx.ledger)
    return refuse(ctx, question, { reason: 'unknown-subject' })
  }
  const now = ctx.now()
  const probe = probeFor(ctx, question.probes, state.row)
  const unfit = unfitState(state.row, now)
  if (unfit !== undefined || probe === undefined) {
    await ctx.decoys.readAttempts(ctx.ledger)
    return refuse(ctx, question, { reason: unfit ?? 'model', state: state.row })
  }
  const attempts = await fittingAttempts(ctx, state.row, rows.attempts).catch(stale(ctx, { state, ring }))
  const evidence: Evidence = { state, attempts, now, ring, rows: record }
  const { integers, provenance } = probe
  const { template, point } = pairFor(probe.ctx.settings, state.row, probe.point)
  const chosen = { ...question, integers, provenance, template, point }
  return await compareFound(probe.ctx, chosen, evidence, options)
}

/** On the side of the vault that has the template's model. */
async function compareFound<Decision extends VerifyDecision>(
  ctx: VaultContext,
  question: Question & Pick<Asking<Decision>, 'matched'>,
  evidence: Evidence,
  options: CallOptions | undefined,
): Promise<Decision | VerifyDecision> {
  const { asked } = question
  const { state } = evidence
  const digest = await digestOf(ctx, question, state.row, options)
  const before = digest && findOperation(evidence.attempts.row.operations, digest)
  if (before !== undefined && before.code !== ASKED) return answerAgain(ctx, question, evidence, before.code)
  const closed = isAdmitted(ctx, asked, evidence, digest)
    ? undefined
    : await gate(ctx, evidence, question.provenance.live)
  if (closed !== undefined) return refuse(ctx, question, closed)
  if (!(await ctx.realmLimit.enter())) return refuse(ctx, question, { reason: 'throttled', state: state.row })
  let failed = false
  try {
    const compared = await compareOnce(ctx, question, evidence, { digest, repeats: false })
    if ('reason' in compared) return await refuse(ctx, question, compared)
    const matched = compared.outcome === 'match'
    const decided =
      question.matched !== undefined && matched
        ? await question.matched(ctx, question, evidence, compared)
        : await answer(ctx, question, evidence, compared, digest)
    failed = !matched
    ctx.settings.meter?.compared(question.point.probeClass, compared.bin)
    return decided
  } finally {
    ctx.realmLimit.leave(failed)
  }
}

async function digestOf(
  ctx: VaultContext,
  question: Question,
  state: StateRow,
  options: CallOptions | undefined,
): Promise<Uint8Array | undefined> {
  if (options?.operationId === undefined) return undefined
  if (!ctx.ring.isLoaded) await ctx.ring.load()
  const bound = probeDigest(question.integers)
  try {
    return operationDigest(ctx, 'verify', state.handle, options, bound)
  } finally {
    wipe(bound)
  }
}

/** A refusal when the limits allow no comparison now. */
async function gate(ctx: VaultContext, evidence: Evidence, live: boolean): Promise<Refusal | undefined> {
  const { attempts, now } = evidence
  const state = evidence.state.row
  const result = attemptGate(attempts.row.count, ctx.settings.attempts, now, live)
  if (result.gate === 'locked') return { reason: 'locked', state }
  if (result.gate !== 'throttled') return undefined
  const steps = result.since === undefined ? [] : [await waitSince(ctx, evidence, result.since)]
  return { reason: 'throttled', state, retryAfterMs: result.waitMs, steps }
}

/** The wait goes on on this machine's steady clock, so that it ends (POLICY-8). */
async function waitSince(ctx: VaultContext, { attempts }: Evidence, since: WaitStart): Promise<StoreStep> {
  if (!ctx.ring.isLoaded) await ctx.ring.load()
  return attemptsStep(ctx, attempts, { ...attempts.row, count: { ...attempts.row.count, ...since } })
}

/** Reads, opens and compares: one reference, that of the probe's class. Refuses when the wrap is gone, as an erasure leaves it, or when the share is wrong. */
async function compareOnce(
  ctx: VaultContext,
  question: Question,
  evidence: Evidence,
  request: { readonly digest: Uint8Array | undefined; readonly repeats: boolean },
): Promise<Compared | Refusal> {
  const { shares, asked } = question
  const { state } = evidence
  const name = question.template
  const recheck = stale(ctx, evidence)
  if (state.row.profile !== PROFILE[ctx.settings.custody]) {
    return recheck(
      new RecordError('ERR_RECORD_BINDING', 'the record has another custody profile than the vault'),
    )
  }
  const rows = await readTemplate(ctx, name, evidence.rows)
  if (rows.reference === undefined)
    return recheck(new RecordError('ERR_RECORD_MISSING', 'the reference row is missing'))
  try {
    const reference = decodeReferenceRow(rows.reference.bytes, ctx.settings.profile, name)
    const secret = openSecret(name, rows.secret)
    if (secret === undefined) return { reason: 'erased', state: state.row, steps: [stateCheck(ctx, state)] }
    const share = shares.of(name)
    const quorum = await shares.outputs.of(name, secret.row.quorumEpoch, (epoch) =>
      requestOutput(ctx, asked, evidence, {
        ...request,
        template: name,
        secret: secret.row,
        epoch,
        live: question.provenance.live,
      }),
    )
    await ctx.ring.loadEpoch(secret.row.epoch)
    const presented = { share, quorum }
    if (share !== undefined && (await isWrongShare(ctx, name, secret, presented))) {
      const steps = [stateCheck(ctx, state), evidence.ring]
      return { reason: 'holder-share', state: state.row, steps }
    }
    const compared = compareNow(ctx, question, { name, reference, secret, presented })
    asked.compared()
    return { ...compared, template: name, epoch: secret.row.epoch }
  } catch (error) {
    return await recheck(error)
  }
}

/** From opened wrap to decision without a pause. */
function compareNow(
  ctx: VaultContext,
  question: Question,
  parts: TemplateParts,
): Pick<Compared, 'outcome' | 'strictly' | 'bin'> {
  const { bits } = ctx.settings.profile
  const { point, provenance, factor } = question
  const tripwire = factor ? undefined : provenance.tripwire
  const strict = ctx.settings.adaptation?.points.get(point.probeClass)
  return withScore(ctx, question.integers, parts, (sum, energy) => ({
    outcome: !accepts(sum, energy, bits, point.threshold)
      ? 'nonmatch'
      : tripwire !== undefined && accepts(sum, energy, bits, tripwire)
        ? 'second-factor'
        : 'match',
    strictly: strict !== undefined && accepts(sum, energy, bits, strict.threshold),
    bin: scoreBin(sum, energy, bits),
  }))
}

/**
 * The first answer again, uncounted. A match is given again only to whoever would get it now: the digest says nothing of
 * the share, the threshold, the purpose and the epoch, so everything is opened and compared once more.
 */
async function answerAgain(
  ctx: VaultContext,
  question: Question,
  evidence: Evidence,
  code: number,
): Promise<VerifyDecision> {
  const state = evidence.state.row
  const compared = await compareOnce(ctx, question, evidence, { digest: undefined, repeats: true })
  if ('reason' in compared) return refuse(ctx, question, compared)
  const outcome = repeated(code, compared.outcome)
  const steps = [stateCheck(ctx, evidence.state), evidence.ring]
  await ctx.commitLogged(steps, answerEvent(question, compared.template, outcome, compared.epoch))
  return decideNow(ctx, question, state, outcome, compared.epoch)
}
