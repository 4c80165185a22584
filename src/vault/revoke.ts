/** Revoke: the template stops matching at once; code and wraps are deleted, a tombstone stays (SPEC §11.3). @module */

import { checkOneOf } from '../base/check.ts'
import type { CallOptions } from '../base/errors.ts'
import { referenceKey } from '../record/place.ts'
import type { StateRow } from '../record/state-row.ts'
import type { StoreStep } from '../store/store.ts'
import { type Change, commitChange } from './batch.ts'
import { changedRow, changeSubject, nextState, stateStep } from './change.ts'
import type { VaultContext } from './context.ts'
import { rejectInput } from './errors.ts'
import type { RevocationReason } from './types.ts'
import { readSecret } from './wrap.ts'

/** In the order of their codes in the state row; 0 is none. */
const REASONS: readonly RevocationReason[] = ['breach', 'lost-device', 'withdrawn', 'fraud', 'superseded', 'other']

/** Revokes for a reason; `breach` marks the subject as exposed for good (VAULT-10). */
export async function revoke(
  ctx: VaultContext,
  subject: string,
  reason: RevocationReason,
  options?: CallOptions,
): Promise<void> {
  const code = 1 + REASONS.indexOf(checkOneOf(reason, 'reason', REASONS, rejectInput))
  return changeSubject(ctx, 'revoke', { subject, options }, {
    repeat: () => undefined,
    change: async (found) => {
      const state = nextState(found, 'revoke')
      const old = await dropTemplate(ctx, found.row)
      const exposed = found.row.exposed || reason === 'breach'
      const next = changedRow(ctx, found, 'revoke', { state, reason: code, exposed, ...old.epochs })
      await commitChange(ctx, { ...old.change, steps: [stateStep(ctx, found, next), ...old.change.steps] })
    },
  })
}

/** What has to go with a generation, and the epochs that ever wrapped its secret. */
export interface OldTemplate {
  readonly change: Change
  readonly epochs: { readonly since: number; readonly last: number }
  /** Version of the reference row; null when there is none. */
  readonly reference: string | null
}

/** Deletes code and wrap of the present generation, as far as they exist. */
export async function dropTemplate(
  ctx: VaultContext,
  state: StateRow,
  options: { readonly keepReference?: boolean } = {},
): Promise<OldTemplate> {
  const key = referenceKey(ctx.realm, state.record)
  const reference = await ctx.store.get('references', key)
  const secret = await readSecret(ctx, state)
  const steps: StoreStep[] =
    reference === undefined || options.keepReference === true
      ? []
      : [{ step: 'delete', table: 'references', key, expected: reference.version }]
  const gone = state.state === 'revoked'
  return {
    change: { steps, ...(gone ? {} : { unwrap: { name: state, version: secret?.version ?? null } }) },
    epochs: {
      since: Math.min(state.since, secret?.row.since ?? state.since),
      last: Math.max(state.last, secret?.row.epoch ?? state.last),
    },
    reference: reference?.version ?? null,
  }
}
