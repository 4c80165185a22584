/** Reissue: a new secret, a new template from a fresh sample, the old one gone in the same batch (SPEC §11.3). @module */

import { fromBase64, readU32be } from '../base/bytes.ts'
import type { CallOptions } from '../base/errors.ts'
import { checkBasis, type StoredBasis } from '../policy/basis.ts'
import type { State } from '../policy/states.ts'
import { attemptsKey, type RecordName, referenceKey, SCOPE_UNBOUND } from '../record/place.ts'
import type { StateRow } from '../record/state-row.ts'
import type { StoreStep } from '../store/store.ts'
import { commitChange } from './batch.ts'
import { changedRow, changeEvent, changeSubject, nextState, type Subject, stateStep } from './change.ts'
import type { VaultContext } from './context.ts'
import { PROFILE } from './custody.ts'
import { endGenerations, endingSteps } from './endings.ts'
import { describeEnrolled, firstAttempts, firstDevices } from './enroll.ts'
import { drawPlace } from './gallery-change.ts'
import { type NewMember, prepareMember, requireGalleryBasis } from './gallery-member.ts'
import { generationNumber } from './lookup.ts'
import { type Provenance, policyText } from './provenance.ts'
import { dropTemplate, finishOld, type OldTemplate } from './revoke.ts'
import { readRequest, SAMPLE_FIELDS, withSample } from './sample.ts'
import { type Shares, withShares } from './shares.ts'
import { drawGeneration, makeTemplate } from './template-row.ts'
import type { Enrolled, ReissueRequest } from './types.ts'

const FIELDS = [...SAMPLE_FIELDS, 'more', 'subject', 'basis', 'holderShare'] as const

/** Makes the next generation. The former one cannot match once this has resolved (VAULT-6). */
export async function reissue(
  ctx: VaultContext,
  request: ReissueRequest,
  options?: CallOptions,
): Promise<Enrolled> {
  const given = readRequest(request, FIELDS)
  return withSample(ctx, given, given.subject, async ({ integers, provenance }) => {
    const basis = checkBasis(given.basis, ctx.settings.profile.purpose)
    requireGalleryBasis(ctx, basis)
    const generation = drawOnce()
    const place = drawPlace()
    const issued = await withShares(ctx, { present: given.holderShare }, (shares) =>
      changeSubject(
        ctx,
        'reissue',
        { subject: given.subject, options },
        {
          repeat: async (state) => {
            await finishOld(ctx, state)
            return describeEnrolled(state)
          },
          change: (found) =>
            reissueOnce(ctx, found, { generation, integers, provenance, basis, shares, place }),
        },
      ),
    )
    const record = fromBase64(issued.record) as Uint8Array
    const handle = fromBase64(issued.subject)
    await endGenerations(ctx, { record, handle }, PROFILE[ctx.settings.custody])
    return issued
  })
}

/** Gives the same generation until another number is asked for, so that a share that was given stays fit. */
function drawOnce(): (number: number) => Uint8Array {
  let drawn: Uint8Array | undefined
  return (number) => {
    if (drawn === undefined || readU32be(drawn) !== number) drawn = drawGeneration(number)
    return drawn
  }
}

interface Renewal {
  readonly generation: (number: number) => Uint8Array
  readonly integers: Int32Array
  readonly provenance: Provenance
  readonly basis: StoredBasis
  readonly shares: Shares
  readonly place: number
}

async function reissueOnce(ctx: VaultContext, found: Subject, what: Renewal): Promise<Enrolled> {
  const state = nextState(found, 'reissue')
  const old = await dropTemplate(ctx, found.row, { keepReference: true })
  const { realm, handle, record } = found.row
  const generation = what.generation(generationNumber(found.row.generation) + 1)
  const name: RecordName = { realm, handle, record, generation }
  const member = await prepareMember(ctx, name, what)
  try {
    return await commitReissue(ctx, found, { ...what, name, state, old, member })
  } finally {
    member.end()
  }
}

async function commitReissue(
  ctx: VaultContext,
  found: Subject,
  what: Renewal & {
    readonly name: RecordName
    readonly state: State
    readonly old: OldTemplate
    readonly member: NewMember
  },
): Promise<Enrolled> {
  const { name, state, old, member } = what
  const presented = await what.shares.forNew(name, found.found.ring)
  const ending = await endingSteps(ctx, found.row)
  await ctx.ring.load()
  const devices = firstDevices(ctx)
  const template = makeTemplate(
    ctx,
    { ...name, devices },
    what.integers,
    presented,
    found.nowMs,
    (recordSecret) => member.make(recordSecret, found.nowMs),
  )
  const next = changedRow(ctx, found, 'reissue', {
    state,
    generation: name.generation,
    profile: PROFILE[ctx.settings.custody],
    devices,
    model: ctx.settings.profile.model,
    bits: ctx.settings.profile.bits,
    basis: what.basis,
    since: Math.min(old.epochs().since, template.epoch),
    last: Math.max(old.epochs().last, template.epoch),
    reason: 0,
    references: undefined,
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
    event: {
      ...changeEvent('reissue', next),
      epoch: template.epoch,
      ...policyText(undefined, what.provenance),
    },
    steps: [
      stateStep(ctx, found, next),
      reference,
      ...old.change.steps,
      await freshAttempts(ctx, next),
      ...member.steps(),
      ...ending,
    ],
    ring: found.found.ring,
    wrap: { name, bytes: template.secret },
  })
  member.settled()
  return describeEnrolled(next)
}

/** A new generation is counted from nothing. */
async function freshAttempts(ctx: VaultContext, state: StateRow): Promise<StoreStep> {
  const key = attemptsKey(ctx.realm, state.handle, SCOPE_UNBOUND)
  const stored = await ctx.store.get('attempts', key)
  // What others counted is read first: their entry stands before this one.
  if (stored !== undefined) await ctx.ledger.follow()
  await ctx.ring.load()
  const bytes = firstAttempts(state, ctx.ring.requireRealmKeys(state.keyVersion).limiter)
  return { step: 'put', table: 'attempts', key, bytes, expected: stored?.version ?? null }
}
