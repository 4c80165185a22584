/** Reissue: a new secret, a new template from a fresh sample, the old one gone in the same batch (SPEC §11.3). @module */

import { wipe } from '../base/bytes.ts'
import { checkObject } from '../base/check.ts'
import type { CallOptions } from '../base/errors.ts'
import { checkBasis, type StoredBasis } from '../policy/basis.ts'
import { attemptsKey, type RecordName, referenceKey, SCOPE_UNBOUND } from '../record/place.ts'
import type { StateRow } from '../record/state-row.ts'
import type { StoreStep } from '../store/store.ts'
import { commitChange } from './batch.ts'
import { changedRow, changeSubject, nextState, stateStep, type Subject } from './change.ts'
import { PROFILE, type VaultContext } from './context.ts'
import { describeEnrolled, firstAttempts, firstDevices } from './enroll.ts'
import { rejectInput } from './errors.ts'
import { generationNumber } from './lookup.ts'
import { dropTemplate } from './revoke.ts'
import { withSample } from './sample.ts'
import { drawGeneration, makeTemplate } from './template-row.ts'
import type { Enrolled, ReissueRequest } from './types.ts'
import { takeShare } from './wrap.ts'

/** Makes the next generation. The former one cannot match once this has resolved (VAULT-6). */
export async function reissue(ctx: VaultContext, request: ReissueRequest, options?: CallOptions): Promise<Enrolled> {
  checkObject(request, 'the request', rejectInput)
  return withSample(ctx.settings, request, (integers) => {
    const basis = checkBasis(request.basis, ctx.settings.profile.purpose)
    return changeSubject(ctx, 'reissue', { subject: request.subject, options }, {
      repeat: (state) => describeEnrolled(state),
      change: (found) => reissueOnce(ctx, found, { request, integers, basis }),
    })
  })
}

async function reissueOnce(
  ctx: VaultContext,
  found: Subject,
  what: { readonly request: ReissueRequest; readonly integers: Int32Array; readonly basis: StoredBasis },
): Promise<Enrolled> {
  const state = nextState(found, 'reissue')
  const old = await dropTemplate(ctx, found.row, { keepReference: true })
  const name: RecordName = { ...found.row, generation: drawGeneration(generationNumber(found.row.generation) + 1) }
  const share = await takeShare(ctx, what.request.holderShare, name)
  try {
    await ctx.ring.load()
    const template = makeTemplate(ctx, name, what.integers, share, found.nowMs)
    const next = changedRow(ctx, found, 'reissue', {
      state,
      generation: name.generation,
      profile: PROFILE[ctx.settings.custody],
      devices: firstDevices(ctx),
      model: ctx.settings.profile.model,
      bits: ctx.settings.profile.bits,
      basis: what.basis,
      since: Math.min(old.epochs.since, template.epoch),
      last: Math.max(old.epochs.last, template.epoch),
      reason: 0,
    })
    const reference: StoreStep = {
      step: 'put',
      table: 'references',
      key: referenceKey(ctx.realm, name.record),
      bytes: template.reference,
      expected: old.reference,
    }
    await commitChange(ctx, {
      ...old.change,
      steps: [stateStep(ctx, found, next), reference, await freshAttempts(ctx, next)],
      wrap: { name: { ...name }, bytes: template.secret },
    })
    return describeEnrolled(next)
  } finally {
    wipe(share)
  }
}

/** A new generation is counted from nothing. */
async function freshAttempts(ctx: VaultContext, state: StateRow): Promise<StoreStep> {
  const key = attemptsKey(ctx.realm, state.handle, SCOPE_UNBOUND)
  const stored = await ctx.store.get('attempts', key)
  await ctx.ring.load()
  const bytes = firstAttempts(state, ctx.ring.requireRealmKeys(state.keyVersion).limiter)
  return { step: 'put', table: 'attempts', key, bytes, expected: stored?.version ?? null }
}
