/** What the decision about a probe rests on, and the steps that hold a batch to it (SPEC §11.2). @module */

import { equalBytes } from '../base/bytes.ts'
import { countAnswer, type Instant } from '../policy/attempts.ts'
import { type AttemptsRow, encodeAttemptsRow } from '../record/attempts-row.ts'
import { attemptsKey, type RecordName, SCOPE_UNBOUND, stateKey } from '../record/place.ts'
import type { SecretRow } from '../record/secret-row.ts'
import type { StateRow } from '../record/state-row.ts'
import { sealFailure } from '../seal/errors.ts'
import type { StoreStep } from '../store/store.ts'
import {
  type Asked,
  type CountedRequest,
  countNothing,
  countOutcome,
  countRequest,
  isAsked,
} from './asked.ts'
import type { VaultContext } from './context.ts'
import { type RecordRows, readAttempts, readState, type Versioned } from './lookup.ts'
import { openEvent } from './outputs.ts'
import { isAuthentic } from './wrap.ts'

/** All that a decision rests on, as it was read. */
export interface Evidence {
  readonly state: Versioned<StateRow>
  readonly attempts: Versioned<AttemptsRow>
  readonly now: Instant
  /** Fails a batch unless the keyring is the one that the decision began with. */
  readonly ring: StoreStep
  /** Read at the same instant as the state, or `undefined`. */
  readonly rows: RecordRows | undefined
}

export function stateCheck(ctx: VaultContext, state: Versioned<StateRow>): StoreStep {
  const key = stateKey(ctx.realm, state.row.handle)
  return { step: 'check', table: 'states', key, expected: state.version }
}

export function attemptsCheck(ctx: VaultContext, attempts: Versioned<AttemptsRow>): StoreStep {
  const key = attemptsKey(ctx.realm, attempts.row.handle, SCOPE_UNBOUND)
  return { step: 'check', table: 'attempts', key, expected: attempts.version }
}

/** Needs loaded keys. */
export function attemptsStep(
  ctx: VaultContext,
  attempts: Versioned<AttemptsRow>,
  row: AttemptsRow,
): StoreStep {
  const keyVersion = ctx.ring.newestVersion
  const next = { ...row, version: row.version + 1, keyVersion }
  const bytes = encodeAttemptsRow(next, ctx.ring.requireRealmKeys(keyVersion).limiter)
  const key = attemptsKey(ctx.realm, row.handle, SCOPE_UNBOUND)
  return { step: 'put', table: 'attempts', key, bytes, expected: attempts.version }
}

/** The counts after an answer. */
export function countedAnswer(
  ctx: VaultContext,
  asked: Asked,
  { state, attempts }: Evidence,
  { matched, live }: { readonly matched: boolean; readonly live: boolean },
): Pick<AttemptsRow, 'count' | 'operations'> {
  const mark = asked.markOf(state.row)
  return mark === undefined
    ? { ...attempts.row, count: countAnswer(attempts.row.count, matched, ctx.now(), live) }
    : countOutcome(attempts.row, { mark, counts: asked.counts(state.row), live }, matched, ctx.now())
}

/** True when the request behind this decision passed the gate already and nothing has ended its run since. */
export function isAdmitted(
  ctx: VaultContext,
  asked: Asked,
  { state, attempts }: Evidence,
  digest: Uint8Array | undefined,
): boolean {
  if (ctx.settings.quorum === undefined) return false
  const mark = asked.markOf(state.row) ?? digest
  return mark !== undefined && isAsked(attempts.row, mark)
}

/**
 * Logs that the quorum is asked for the template that a probe is compared with. A failure until the outcome is known; a repeated operation
 * was counted when it was answered.
 */
export async function requestOutput(
  ctx: VaultContext,
  asked: Asked,
  evidence: Evidence,
  request: {
    readonly template: RecordName
    readonly secret: SecretRow
    readonly epoch: number
    readonly digest: Uint8Array | undefined
    readonly repeats: boolean
    readonly live: boolean
  },
): Promise<Uint8Array> {
  const { template, secret, epoch, digest, repeats, live } = request
  const { state, attempts, ring } = evidence
  // Nobody is asked for a row that somebody altered.
  if (!(await isAuthentic(ctx, secret))) throw sealFailure()
  await ctx.ring.load()
  const mark = asked.markFor(state.row, { template, epoch }, digest)
  const isNew = !repeats && !asked.counts(state.row) && !isAsked(attempts.row, mark)
  const counted = isNew
    ? attemptsStep(ctx, attempts, { ...attempts.row, ...countRequest(attempts.row, mark, ctx.now(), live) })
    : attemptsCheck(ctx, attempts)
  const steps = [stateCheck(ctx, state), ring, counted]
  const entry = await ctx.commitLogged(steps, openEvent(template, epoch))
  if (isNew) asked.counted()
  return entry
}

/** Gives back what a request counted that led to no comparison. Where that cannot be written it stays a failure. */
export async function giveBack({ unabortable: ctx }: VaultContext, asked: Asked): Promise<void> {
  const request = asked.unused
  if (request === undefined) return
  try {
    await ctx.decide(() => giveBackOnce(ctx, request))
  } catch {
    // The call has an outcome of its own.
  }
}

async function giveBackOnce(
  ctx: VaultContext,
  { name, template, epoch, mark }: CountedRequest,
): Promise<void> {
  const state = await readState(ctx, name.handle)
  if (state === undefined || !equalBytes(state.row.generation, name.generation)) return
  const attempts = await readAttempts(ctx, state.row)
  const row = { ...attempts.row, ...countNothing(attempts.row, mark) }
  await ctx.ring.load()
  const steps = [attemptsStep(ctx, attempts, row), ctx.ringStep()]
  await ctx.commitLogged(steps, openEvent(template, epoch, 'failed'))
}
