/** Withdrawal and renewal of the legal basis: no face is needed for either (SPEC §12.1). @module */

import type { CallOptions } from '../base/errors.ts'
import { checkBasis, type StoredBasis } from '../policy/basis.ts'
import { PolicyError } from '../policy/errors.ts'
import { effectiveState } from '../policy/states.ts'
import { RecordError } from '../record/errors.ts'
import { REASON_WITHDRAWN, type StateRow } from '../record/state-row.ts'
import { commitChange } from './batch.ts'
import { changedRow, changeEvent, changeSubject, type Subject, stateStep } from './change.ts'
import type { VaultContext } from './context.ts'
import { endGenerations, endingSteps } from './endings.ts'
import { VaultError } from './errors.ts'
import { departureSteps, findDeparture, forgetDeparture } from './gallery-change.ts'
import { requireGalleryBasis } from './gallery-member.ts'
import { dropTemplate, finishOld } from './revoke.ts'

/**
 * Ends the basis at once. The template goes as with `revoke`; under a legal hold it is kept, and the basis ends now, so that no release
 * lets it match again. Of a record that is revoked already it is noted that the person withdrew (VAULT-60).
 */
export async function withdraw(ctx: VaultContext, subject: string, options?: CallOptions): Promise<void> {
  const { record, handle, profile } = await changeSubject(
    ctx,
    'withdraw',
    { subject, options },
    {
      repeat: async (state) => {
        if (state.state === 'revoked') await finishOld(ctx, state)
        return state
      },
      change: (found) => {
        const { state } = found.row
        if (state === 'held') return noteWithdrawal(ctx, found, endedNow(found))
        if (state !== 'revoked') return revokeWithdrawn(ctx, found)
        return finishOld(ctx, found.row).then(() => noteWithdrawal(ctx, found, {}))
      },
    },
  )
  await endGenerations(ctx, { record, handle }, profile)
}

/** A renewal takes effect for the instants that it names, from now on (VAULT-61). */
export async function renewBasis(
  ctx: VaultContext,
  subject: string,
  basis: unknown,
  options?: CallOptions,
): Promise<void> {
  const { purpose } = ctx.settings.profile
  const renewed = checkBasis(basis, purpose)
  requireGalleryBasis(ctx, renewed)
  return changeSubject(
    ctx,
    'basis',
    { subject, options },
    {
      repeat: () => undefined,
      change: async (found) => {
        requireRenewable(found, renewed, purpose)
        // Whoever consents again has not withdrawn.
        const reason = found.row.reason === REASON_WITHDRAWN ? 0 : found.row.reason
        const next = changedRow(ctx, found, 'basis', { basis: renewed, reason })
        await ctx.commitLogged([stateStep(ctx, found, next), found.found.ring], changeEvent('basis', next))
      },
    },
  )
}

function requireRenewable({ row, nowMs }: Subject, renewed: StoredBasis, purpose: string): void {
  const state = effectiveState(row.state, row.basis, nowMs)
  if (state === 'revoked' || state === 'erased') {
    throw new VaultError('ERR_VAULT_TRANSITION', `renewBasis is not possible for a record that is ${state}`)
  }
  if (row.basis?.purpose !== purpose) {
    throw new RecordError('ERR_RECORD_BINDING', 'the record serves another purpose than the vault')
  }
  if (renewed.expiresMs <= nowMs)
    throw new PolicyError('ERR_POLICY_BASIS', 'basis.expiresAt has passed already')
}

async function revokeWithdrawn(ctx: VaultContext, found: Subject): Promise<StateRow> {
  const old = await dropTemplate(ctx, found.row)
  const departure = await findDeparture(ctx, found.row.handle)
  const ending = await endingSteps(ctx, found.row)
  await ctx.ring.load()
  const next = changedRow(ctx, found, 'withdraw', {
    state: 'revoked',
    reason: REASON_WITHDRAWN,
    ...old.epochs(),
  })
  const left = departure === undefined ? [] : departureSteps(ctx, departure)
  const steps = [stateStep(ctx, found, next), ...old.change.steps, ...left, ...ending]
  const event = changeEvent('withdraw', next)
  await commitChange(ctx, { ...old.change, steps, event, ring: found.found.ring })
  forgetDeparture(ctx, departure)
  return next
}

async function noteWithdrawal(
  ctx: VaultContext,
  found: Subject,
  fields: Partial<StateRow>,
): Promise<StateRow> {
  await ctx.ring.load()
  const next = changedRow(ctx, found, 'withdraw', { ...fields, reason: REASON_WITHDRAWN })
  await ctx.commitLogged([stateStep(ctx, found, next), found.found.ring], changeEvent('withdraw', next))
  return next
}

function endedNow({ row, nowMs }: Subject): Partial<StateRow> {
  const { basis } = row
  return basis === null ? {} : { basis: { ...basis, expiresMs: Math.min(basis.expiresMs, nowMs) } }
}
