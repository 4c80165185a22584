/** Revoke: the template stops matching at once; code and wraps are deleted, a tombstone stays (SPEC §11.3). @module */

import { checkOneOf } from '../base/check.ts'
import type { CallOptions } from '../base/errors.ts'
import type { State } from '../policy/states.ts'
import { RecordError } from '../record/errors.ts'
import { referenceKey, secretKey } from '../record/place.ts'
import type { StateRow } from '../record/state-row.ts'
import type { StoreStep } from '../store/store.ts'
import { type Change, commitChange } from './batch.ts'
import { changedRow, changeEvent, changeSubject, nextState, type Subject, stateStep } from './change.ts'
import type { VaultContext } from './context.ts'
import { endGenerations, endingSteps } from './endings.ts'
import { rejectInput } from './errors.ts'
import { finishRecord, finishRevoked } from './finish.ts'
import { departureSteps, findDeparture, forgetDeparture } from './gallery-change.ts'
import { furtherOf, templatesOf } from './references.ts'
import type { RevocationReason } from './types.ts'
import { isAuthentic, readSecret, type StoredSecret } from './wrap.ts'

/** In the order of their codes in the state row; 0 is none. */
export const REASONS: readonly RevocationReason[] = [
  'breach',
  'lost-device',
  'withdrawn',
  'fraud',
  'superseded',
  'other',
]

/** Revokes for a reason; `breach` marks the subject as exposed for good (VAULT-10). */
export async function revoke(
  ctx: VaultContext,
  subject: string,
  reason: RevocationReason,
  options?: CallOptions,
): Promise<void> {
  checkOneOf(reason, 'reason', REASONS, rejectInput)
  const { record, handle, profile } = await changeSubject(
    ctx,
    'revoke',
    { subject, options },
    {
      repeat: async (state) => {
        await finishOld(ctx, state)
        return state
      },
      change: (found) => revokeFound(ctx, found, reason),
    },
  )
  await endGenerations(ctx, { record, handle }, profile)
}

/** Revokes a record that was found, in one decision. Holders of a quorum are told afterwards (`endGenerations`). */
export async function revokeFound(
  ctx: VaultContext,
  found: Subject,
  reason: RevocationReason,
): Promise<StateRow> {
  if (reason === 'breach' && KEPT.has(found.row.state)) return expose(ctx, found)
  const state = nextState(found, 'revoke')
  const old = await dropTemplate(ctx, found.row)
  const exposed = found.row.exposed || reason === 'breach'
  const departure = await findDeparture(ctx, found.row.handle)
  const ending = await endingSteps(ctx, found.row)
  await ctx.ring.load()
  const code = 1 + REASONS.indexOf(reason)
  const next = changedRow(ctx, found, 'revoke', { state, reason: code, exposed, ...old.epochs() })
  const left = departure === undefined ? [] : departureSteps(ctx, departure)
  const steps = [stateStep(ctx, found, next), ...old.change.steps, ...left, ...ending]
  const event = changeEvent('revoke', next)
  await commitChange(ctx, { ...old.change, steps, event, ring: found.found.ring })
  forgetDeparture(ctx, departure)
  return next
}

/** States that a revocation does not change; that the template was stolen must be known all the same (VAULT-10). */
const KEPT: ReadonlySet<State> = new Set(['revoked', 'held'])

async function expose(ctx: VaultContext, found: Subject): Promise<StateRow> {
  await finishOld(ctx, found.row)
  await ctx.ring.load()
  const next = changedRow(ctx, found, 'revoke', { exposed: true })
  await ctx.commitLogged([stateStep(ctx, found, next), found.found.ring], changeEvent('revoke', next))
  return next
}

/** What has to go with a generation, and the epochs that ever wrapped its secret. */
export interface OldTemplate {
  readonly change: Pick<Change, 'steps' | 'unwraps'>
  /** Known only when the change is made: between two stores a rotation may come in between. */
  readonly epochs: () => { readonly since: number; readonly last: number }
  /** Version of the primary reference row; null when there is none. */
  readonly reference: string | null
}

/**
 * Deletes code and wrap of the present generation and of every further reference, as far as they exist. `keepReference`: the primary code
 * is written over; `keepFurther`: the others stay.
 */
export async function dropTemplate(
  ctx: VaultContext,
  state: StateRow,
  options: { readonly keepReference?: boolean; readonly keepFurther?: boolean } = {},
): Promise<OldTemplate> {
  await finishOld(ctx, state)
  const primary = await dropOne(ctx, state, options)
  const further: OldTemplate[] = []
  if (options.keepFurther !== true) {
    for (const template of furtherOf(state)) further.push(await dropOne(ctx, template))
  }
  // While one is left whose wrap waits for its deletion, the primary one is: by it a retry finds them all.
  const all = [...further, primary]
  return {
    change: {
      steps: all.flatMap(({ change }) => change.steps),
      unwraps: all.flatMap(({ change }) => change.unwraps ?? []),
    },
    epochs: () => {
      const known = all.map(({ epochs }) => epochs())
      return {
        since: Math.min(...known.map(({ since }) => since)),
        last: Math.max(...known.map(({ last }) => last)),
      }
    },
    reference: primary.reference,
  }
}

/** Of one template: `state` with its record and generation. */
export async function dropOne(
  ctx: VaultContext,
  state: StateRow,
  options: { readonly keepReference?: boolean } = {},
): Promise<OldTemplate> {
  const key = referenceKey(ctx.realm, state.record)
  const reference = await ctx.store.get('references', key)
  const secret = await readWrap(ctx, state)
  const steps: StoreStep[] =
    reference === undefined || options.keepReference === true
      ? []
      : [{ step: 'delete', table: 'references', key, expected: reference.version }]
  // A second store has no note of a revoked generation any more, and no wrap; in one store a wrap that was put back goes
  // with the batch.
  const gone = ctx.split && state.state === 'revoked'
  return {
    change: { steps, ...(gone ? {} : { unwraps: [{ name: state, version: secret?.version ?? null }] }) },
    epochs: () => {
      const known = secret?.row
      // A live record whose wrap is gone had one, under an epoch that nobody knows.
      const lost = known === undefined && (secret !== undefined || state.state !== 'revoked')
      const doubtful = ctx.split || lost
      return {
        since: Math.min(state.since, known?.since ?? state.since),
        last: Math.max(state.last, known?.epoch ?? 0, doubtful ? ctx.ring.newestEpoch : 0),
      }
    },
    reference: reference?.version ?? null,
  }
}

/** Deletes what verbs before this one had to leave in a second store: only then may anybody say that it is gone. */
export async function finishOld(ctx: VaultContext, state: StateRow): Promise<void> {
  const revoked = state.state === 'revoked'
  const templates = templatesOf(state)
  const live = revoked ? [] : templates.map(({ generation }) => generation)
  await finishRecord(ctx, { record: state.record, handle: state.handle, live })
  if (revoked) for (const template of templates) await finishRevoked(ctx, template)
}

/**
 * The wrap that has to go. One that is damaged goes too, or nobody could be revoked or erased whose row was altered; but
 * nothing that it says is believed, least of all under which epoch it lies.
 */
async function readWrap(
  ctx: VaultContext,
  state: StateRow,
): Promise<{ readonly row: StoredSecret['row'] | undefined; readonly version: string } | undefined> {
  try {
    const secret = await readSecret(ctx, state)
    if (secret === undefined) return undefined
    return { row: (await isAuthentic(ctx, secret.row)) ? secret.row : undefined, version: secret.version }
  } catch (error) {
    if (!(error instanceof RecordError)) throw error
    const stored = await ctx.secrets.get('secrets', secretKey(ctx.realm, state.record, state.generation))
    return stored && { row: undefined, version: stored.version }
  }
}
