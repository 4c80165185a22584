/** Changes of a record's state: what all verbs that manage records have in common (SPEC §11.1). @module */

import type { CallOptions } from '../base/errors.ts'
import { effectiveState, type State, type TransitionVerb, transition } from '../policy/states.ts'
import { RecordError } from '../record/errors.ts'
import { stateKey } from '../record/place.ts'
import { encodeStateRow, findOperation, rememberOperation, type StateRow } from '../record/state-row.ts'
import type { StoreStep } from '../store/store.ts'
import type { VaultContext, VaultEvent } from './context.ts'
import { mayReissue, PROFILE } from './custody.ts'
import { VaultError } from './errors.ts'
import { type Found, requireState, stale, type Versioned, withSubject } from './lookup.ts'
import { operationDigest, VERB, type Verb } from './operation.ts'

/** A record that a verb is about to change. */
export interface Subject extends Versioned<StateRow> {
  readonly found: Found
  readonly digest: Uint8Array | undefined
  readonly nowMs: number
}

/**
 * Finds the record, gives a repeated call its first result, and otherwise lets `change` decide, anew after each
 * conflict.
 */
export async function changeSubject<Result>(
  ctx: VaultContext,
  verb: Verb,
  call: {
    readonly subject: unknown
    readonly options: CallOptions | undefined
    /** What else a retry must share with the first call. */
    readonly bound?: Uint8Array | undefined
  },
  handlers: {
    readonly change: (subject: Subject) => Promise<Result>
    /** What a call that was carried out before gives again. */
    readonly repeat?: (state: StateRow, digest: Uint8Array) => Result | Promise<Result>
  },
): Promise<Result> {
  const result = await withSubject(ctx, call.subject, ctx.signal, (subject) =>
    ctx.decide(async () => {
      const record = await requireState(ctx, subject)
      if (verb === 'reissue' || verb === 'devices') requireFit(ctx, verb, record.row)
      await ctx.ring.load()
      const digest = operationDigest(ctx, verb, record.row.handle, call.options, call.bound)
      if (
        digest !== undefined &&
        handlers.repeat !== undefined &&
        findOperation(record.row.operations, digest)
      ) {
        return handlers.repeat(record.row, digest)
      }
      try {
        return await handlers.change({ ...record, digest, nowMs: ctx.now().nowMs })
      } catch (error) {
        if (isIllegal(error)) await ctx.commitLogged([], changeEvent(verb, record.row, 'refused'))
        return await stale(ctx, { state: record, ring: record.found.ring })(error)
      }
    }),
  )
  if (ANCHORED.has(verb)) await settle(ctx)
  return result
}

/** Verbs whose undoing by an old copy of the store must not go unnoticed: they end when they are anchored (AUDIT-23). */
const ANCHORED: ReadonlySet<Verb> = new Set([
  'revoke',
  'suspend',
  'hold',
  'erase',
  'reissue',
  'withdraw',
  'adapt',
  'reference-add',
  'reference-remove',
])

/** Resolves when all that this process has written is integrated, signed and anchored. Throws `ERR_AUDIT_PENDING`. */
export async function settle(ctx: VaultContext): Promise<void> {
  await ctx.ledger.settle(ctx.signal === undefined ? {} : { signal: ctx.signal })
}

function isIllegal(error: unknown): boolean {
  return error instanceof VaultError && error.code === 'ERR_VAULT_TRANSITION'
}

/** What the log is told of a change of a record. */
export function changeEvent(
  action: Verb,
  row: Pick<StateRow, 'handle' | 'record' | 'generation' | 'basis'>,
  outcome: 'done' | 'refused' = 'done',
): VaultEvent {
  const { handle, record, generation, basis } = row
  return { action, outcome, handle, record, generation, basis: basis === null ? null : basis.kind }
}

/**
 * A vault that may not compare a template may not replace it or change its devices either: a reissue would take a record out
 * of its holder's or its quorum's custody, or to another purpose (VAULT-17). It may bring them in.
 */
function requireFit(ctx: VaultContext, verb: 'reissue' | 'devices', state: StateRow): void {
  const { custody, profile } = ctx.settings
  const own = PROFILE[custody]
  const fits = verb === 'reissue' ? mayReissue(state.profile, own) : state.profile === own
  if (!fits) {
    throw new VaultError('ERR_VAULT_CUSTODY', 'the record has another custody profile than the vault')
  }
  if (state.basis !== null && state.basis.purpose !== profile.purpose) {
    throw new RecordError('ERR_RECORD_BINDING', 'the record serves another purpose than the vault')
  }
}

/** Where the verb leads now. Throws `ERR_VAULT_TRANSITION` when it is illegal (VAULT-1). */
export function nextState(subject: Subject, verb: TransitionVerb): State {
  const { state, basis } = subject.row
  const from = effectiveState(state, basis, subject.nowMs)
  const to = transition(from, verb)
  if (to === undefined)
    throw new VaultError('ERR_VAULT_TRANSITION', `${verb} is not possible for a record that is ${from}`)
  return to
}

/** The row after a change: version, time and remembered operation are filled in. */
export function changedRow(
  ctx: VaultContext,
  subject: Subject,
  verb: Verb,
  fields: Partial<StateRow>,
): StateRow {
  const { row, digest, nowMs } = subject
  return {
    ...row,
    ...fields,
    version: row.version + 1,
    keyVersion: ctx.ring.newestVersion,
    changedMs: nowMs,
    operations: rememberOperation(row.operations, digest && { digest, code: VERB[verb] }),
  }
}

/** The step that writes a changed row over the one that was read. */
export function stateStep(ctx: VaultContext, subject: Subject, next: StateRow): StoreStep {
  return {
    step: 'put',
    table: 'states',
    key: stateKey(ctx.realm, next.handle),
    bytes: encodeStateRow(next, ctx.ring.requireRealmKeys(next.keyVersion).state),
    expected: subject.version,
  }
}
