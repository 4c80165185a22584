/** The answer to a question: durable before it is given, weaker when something ended meanwhile (SPEC §11.2). @module */

import type { Epoch } from '../base/brand.ts'
import { operatingPointId } from '../policy/operating-point.ts'
import { MOST_ATTEMPT_OPERATIONS } from '../record/attempts-row.ts'
import { rememberOperation, type StateRow } from '../record/state-row.ts'
import type { StoreStep } from '../store/store.ts'
import type { Asked } from './asked.ts'
import { changeEvent } from './change.ts'
import { unfitState } from './compare-template.ts'
import type { VaultContext, VaultEvent } from './context.ts'
import { attemptsCheck, attemptsStep, countedAnswer, type Evidence, stateCheck } from './evidence.ts'
import { recordId, subjectId } from './lookup.ts'
import { policyText } from './provenance.ts'
import type { Taken } from './sample.ts'
import type { RefusalReason, VerifyDecision } from './types.ts'

/** Outcome codes in the attempts row. */
const NONMATCH = 0
const MATCH = 1
/** The tripwire was met: a failure that is said to be one. */
const TRIPPED = 3

/** What is remembered for a retry. */
const CODES = { nonmatch: NONMATCH, match: MATCH, 'second-factor': TRIPPED } as const

/** What is known of a question before anybody is looked up. */
export interface Asker extends Taken {
  /** The caller asserts a second factor: no tripwire. */
  readonly factor: boolean
}

export type Outcome = 'match' | 'nonmatch' | 'second-factor'

/** What the code says of the probe, and the epoch that wraps its secret. */
export interface Compared {
  /** The reference that was compared: the state row, or that with the record and generation of a further one. */
  readonly template: StateRow
  readonly outcome: Outcome
  /** Accepted at the adaptation point as well. */
  readonly strictly: boolean
  readonly epoch: number
  /** Of the histogram: all that is kept of the score. */
  readonly bin: number
}

/** Makes the attempt durable together with what it rests on, and only then answers (VAULT-5). */
export async function answer(
  ctx: VaultContext,
  question: Asker & { readonly asked: Asked },
  evidence: Evidence,
  {
    outcome,
    epoch,
    template,
    weak = false,
  }: Pick<Compared, 'outcome' | 'epoch' | 'template'> & {
    readonly weak?: boolean
  },
  digest: Uint8Array | undefined,
): Promise<VerifyDecision> {
  const { state, attempts, ring } = evidence
  const { asked, provenance } = question
  const { live } = provenance
  const matched = outcome === 'match'
  if (!ctx.ring.isLoaded) await ctx.ring.load()
  // A slow store or device must not let the delay after a failure pass before the failure is known.
  const mark = asked.markOf(state.row)
  const counted = countedAnswer(ctx, asked, evidence, { matched, live })
  const count = weak ? { ...counted.count, failures: counted.count.failures + 1 } : counted.count
  const operation = digest && { digest, code: CODES[outcome] }
  const operations = rememberOperation(counted.operations, operation, MOST_ATTEMPT_OPERATIONS)
  const changed =
    weak || mark !== undefined || !matched || attempts.row.count.run > 0 || operation !== undefined
  const steps = [stateCheck(ctx, state), ring]
  steps.push(
    changed
      ? attemptsStep(ctx, attempts, { ...attempts.row, count, operations })
      : attemptsCheck(ctx, attempts),
  )
  await ctx.commitLogged(steps, answerEvent(question, template, outcome, epoch))
  asked.answered()
  return decideNow(ctx, question, state.row, outcome, epoch)
}

/** The weaker of what was answered and what would be answered now. */
export function repeated(code: number, now: Outcome): Outcome {
  if (code === MATCH) return now
  return code === TRIPPED && now !== 'nonmatch' ? 'second-factor' : 'nonmatch'
}

/** What the log is told of an answer: by which reference. */
export function answerEvent(probe: Asker, template: StateRow, answered: Outcome, epoch: number): VaultEvent {
  const tripped = answered === 'second-factor'
  const outcome = tripped ? 'nonmatch' : answered
  return { ...changeEvent('verify', template), outcome, epoch, ...policyOf(probe, tripped) }
}

function policyOf({ point, provenance, factor }: Asker, tripped = false): Pick<VaultEvent, 'policy'> {
  return policyText(operatingPointId(point), provenance, { tripped, factor })
}

/** The answer as of now: the basis may have ended while stores and devices were waited for (POLICY-2). */
export async function decideNow(
  ctx: VaultContext,
  probe: Asker,
  state: StateRow,
  outcome: Outcome,
  epoch: number,
): Promise<VerifyDecision> {
  const late = unfitState(state, ctx.now())
  return late === undefined
    ? decision(state, outcome, epoch)
    : await refuse(ctx, probe, { reason: late, state })
}

function decision(state: StateRow, outcome: Outcome, epoch: number): VerifyDecision {
  if (outcome !== 'match') return { outcome }
  return {
    outcome,
    record: recordId(state.record),
    subject: subjectId(state.handle),
    epoch: epoch as Epoch,
    exposed: state.exposed,
  }
}

/** Why nothing is compared, or told. */
export interface Refusal {
  readonly reason: RefusalReason
  readonly retryAfterMs?: number
  /** Of a subject that is known. */
  readonly state?: StateRow
  /** What the refusal rests on, or writes. */
  readonly steps?: readonly StoreStep[]
}

/** A refusal leaves no sooner than its entry is durable, for a known subject as for an unknown one. */
export async function refuse(ctx: VaultContext, probe: Asker, refusal: Refusal): Promise<VerifyDecision> {
  const { reason, retryAfterMs, state, steps = [] } = refusal
  const known = state === undefined ? { action: 'verify' as const } : changeEvent('verify', state)
  await ctx.commitLogged(steps, { ...known, outcome: 'refused', ...policyOf(probe) })
  if (!ctx.settings.reveal) return { outcome: 'refused' }
  return { outcome: 'refused', reason, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
}
