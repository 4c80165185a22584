/** Activate, suspend, resume, hold, release and rebind: verbs that change a state or a counter only. @module */

import type { CallOptions } from '../base/errors.ts'
import { encodeAttemptsRow } from '../record/attempts-row.ts'
import { attemptsKey, SCOPE_UNBOUND } from '../record/place.ts'
import { withoutRequests } from './asked.ts'
import { changedRow, changeEvent, changeSubject, nextState, stateStep } from './change.ts'
import type { VaultContext } from './context.ts'
import { VaultError } from './errors.ts'
import { readAttempts } from './lookup.ts'

export type StateVerb = 'activate' | 'suspend' | 'resume' | 'hold' | 'release'

/** Moves the record along the table of SPEC §11.1. */
export function changeState(
  ctx: VaultContext,
  verb: StateVerb,
  subject: string,
  options?: CallOptions,
): Promise<void> {
  return changeSubject(
    ctx,
    verb,
    { subject, options },
    {
      repeat: () => undefined,
      change: async (found) => {
        const next = changedRow(ctx, found, verb, { state: nextState(found, verb) })
        await ctx.commitLogged([stateStep(ctx, found, next), found.found.ring], changeEvent(verb, next))
      },
    },
  )
}

/**
 * Ends a lock-out once the caller has bound the person again by other means: the run of failures begins anew. The
 * failures of the generation stay (POLICY-7).
 */
export function rebind(ctx: VaultContext, subject: string, options?: CallOptions): Promise<void> {
  return changeSubject(
    ctx,
    'rebind',
    { subject, options },
    {
      repeat: () => undefined,
      change: async (found) => {
        if (found.row.state === 'revoked' || found.row.state === 'erased') {
          throw new VaultError(
            'ERR_VAULT_TRANSITION',
            `rebind is not possible for a record that is ${found.row.state}`,
          )
        }
        const { row, version } = await readAttempts(ctx, found.row)
        const keyVersion = ctx.ring.newestVersion
        const count = { ...row.count, run: 0 }
        const operations = withoutRequests(row.operations)
        const bytes = encodeAttemptsRow(
          { ...row, count, operations, version: row.version + 1, keyVersion },
          ctx.ring.requireRealmKeys(keyVersion).limiter,
        )
        const key = attemptsKey(ctx.realm, row.handle, SCOPE_UNBOUND)
        await ctx.commitLogged(
          [
            stateStep(ctx, found, changedRow(ctx, found, 'rebind', {})),
            { step: 'put', table: 'attempts', key, bytes, expected: version },
            found.found.ring,
          ],
          changeEvent('rebind', found.row),
        )
      },
    },
  )
}
