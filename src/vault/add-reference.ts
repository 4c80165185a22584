/** Further references: added behind a comparison or at enrolment, and removed (SPEC §11.15). @module */

import { equalBytes, fromBase64 } from '../base/bytes.ts'
import type { CallOptions } from '../base/errors.ts'
import { randomBytes } from '../crypto/random.ts'
import { readFields, readList } from '../policy/fields.ts'
import { operatingPointId } from '../policy/operating-point.ts'
import { effectiveState } from '../policy/states.ts'
import { type RecordName, referenceKey } from '../record/place.ts'
import { MOST_FURTHER, type StateRow } from '../record/state-row.ts'
import type { StoreStep } from '../store/store.ts'
import { answer, type Compared, decideNow } from './answer.ts'
import { commitChange } from './batch.ts'
import { changedRow, changeEvent, changeSubject, type Subject, settle, stateStep } from './change.ts'
import type { VaultContext } from './context.ts'
import { endGenerations, endingSteps } from './endings.ts'
import { rejectInput, rejectModel, rejectReference, VaultError } from './errors.ts'
import { attemptsStep, countedAnswer, type Evidence } from './evidence.ts'
import { recordId } from './lookup.ts'
import { withProbes } from './probes.ts'
import { checkClass, furtherOf, requirePair, requireRoom } from './references.ts'
import { dropOne, finishOld } from './revoke.ts'
import { readRequest, SAMPLE_FIELDS, type Taken, withSample } from './sample.ts'
import { type Shares, withShares } from './shares.ts'
import { secondFactorConfirmed } from './symbols.ts'
import { drawGeneration, makeTemplate } from './template-row.ts'
import type { AddReferenceDecision, AddReferenceRequest, RemoveReferenceRequest } from './types.ts'
import { ask, type Question } from './verify.ts'
import { isDevice, type Presented } from './wrap.ts'

const SAMPLES = [...SAMPLE_FIELDS, 'more'] as const
const FIELDS = [...SAMPLES, 'subject', 'holderShare', secondFactorConfirmed] as const

/** Record and first generation of a reference that is to be made; drawn once a call, so that a share that was given stays fit. */
type NewName = Pick<RecordName, 'record' | 'generation'>

function drawName(): NewName {
  return { record: randomBytes(16), generation: drawGeneration(1) }
}

/** Compares, and keeps the sample as the reference of its class when the comparison carries that. Takes no operation id. */
export async function addReference(
  ctx: VaultContext,
  request: AddReferenceRequest,
  options?: CallOptions,
): Promise<AddReferenceDecision> {
  const given = readRequest(request, FIELDS)
  const { subject, holderShare, [secondFactorConfirmed]: factor, ...samples } = given
  const decided = await withProbes(ctx, { ...samples, also: undefined }, subject, async (probes) => {
    const [{ ctx: side, point }] = probes
    if (factor !== true) throw rejectInput('addReference needs [secondFactorConfirmed]: true')
    if (options?.operationId !== undefined) throw rejectInput('addReference takes no operationId')
    requirePair(side, checkClass(point.probeClass))
    if (side.settings.adaptation?.points.has(point.probeClass) !== true) {
      throw rejectInput('the vault has no adaptation point of this probe class')
    }
    requireRoom(side, [], [point.probeClass])
    const name = drawName()
    return await ask<AddReferenceDecision>(ctx, {
      subject,
      holderShare,
      probes,
      factor: true,
      matched: (found, question, evidence, compared) =>
        decideMatch(found, question, evidence, { ...compared, name }),
    })
  })
  // A match is decided here alone; other outcomes have nothing to add.
  const result = decided as AddReferenceDecision
  if (result.outcome === 'match' && result.added !== undefined) await settle(ctx)
  return result
}

async function decideMatch(
  ctx: VaultContext,
  question: Question,
  evidence: Evidence,
  compared: Compared & { readonly name: NewName },
): Promise<AddReferenceDecision> {
  const { state } = evidence
  const { probeClass } = question.point
  const kept = state.row.exposed ? 'exposed' : compared.strictly ? undefined : 'point'
  const full = kept === undefined ? whyFull(ctx, state.row, probeClass) : undefined
  if (kept !== undefined || full !== undefined) {
    const said = await answer(ctx, question, evidence, { ...compared, weak: kept === 'point' }, undefined)
    if (said.outcome !== 'match') return said
    if (full !== undefined) throw full
    return { ...said, kept: kept as 'exposed' | 'point' }
  }
  const { name } = compared
  const presented = await question.shares.forNew({ ...state.row, ...name }, evidence.ring, 'added')
  await ctx.ring.load()
  const { live } = question.provenance
  const counted = countedAnswer(ctx, question.asked, evidence, { matched: true, live })
  const added = { class: probeClass, name, integers: question.integers, presented }
  const places = {
    places: [],
    handle: state.row.handle,
    index: undefined,
    ring: evidence.ring,
    record: undefined,
  }
  const found = { ...state, found: places, digest: undefined, nowMs: evidence.now.nowMs }
  const strict = ctx.settings.adaptation?.points.get(probeClass) ?? question.point
  const next = await commitReference(ctx, found, {
    ...added,
    policy: operatingPointId(strict),
    steps: [attemptsStep(ctx, evidence.attempts, { ...evidence.attempts.row, ...counted })],
  })
  question.asked.answered()
  const said = await decideNow(ctx, question, next, 'match', next.last)
  return said.outcome === 'match' ? { ...said, added: { probeClass, record: recordId(name.record) } } : said
}

/** What keeps the subject from another reference; found out behind a match alone. */
function whyFull(ctx: VaultContext, row: StateRow, probeClass: string): VaultError | undefined {
  try {
    requireRoom(ctx, row.references ?? [], [probeClass])
    requireOneDevice(row)
    return undefined
  } catch (error) {
    if (error instanceof VaultError) return error
    throw error
  }
}

/** A wrap is made for the device that is present: where there are others they could not open it (VAULT-94). */
function requireOneDevice({ devices }: StateRow): void {
  if (devices.filter(isDevice).length > 1) {
    throw new VaultError('ERR_VAULT_DEVICE', 'a reference is added while the subject has one device')
  }
}

interface Addition {
  readonly class: string
  readonly name: NewName
  readonly integers: Int32Array
  readonly presented: Presented
  readonly policy: string
  /** What else the batch writes. */
  readonly steps: readonly StoreStep[]
}

/** Code, wrap and the state row that names them, in one batch. Needs loaded keys. */
async function commitReference(ctx: VaultContext, found: Subject, what: Addition): Promise<StateRow> {
  const { row } = found
  const name = { ...row, ...what.name }
  const { bits } = ctx.settings.profile
  const template = makeTemplate(ctx, name, what.integers, what.presented, found.nowMs)
  const next = changedRow(ctx, found, 'reference-add', {
    references: [...(row.references ?? []), { probeClass: what.class, ...what.name, bits }],
    since: Math.min(row.since, template.epoch),
    last: Math.max(row.last, template.epoch),
  })
  const reference: StoreStep = {
    step: 'put',
    table: 'references',
    key: referenceKey(ctx.realm, name.record),
    bytes: template.reference,
    expected: null,
  }
  await commitChange(ctx, {
    event: {
      ...changeEvent('reference-add', { ...next, ...what.name }),
      epoch: template.epoch,
      policy: what.policy,
    },
    steps: [stateStep(ctx, found, next), reference, ...what.steps],
    ring: found.found.ring,
    wrap: { name, bytes: template.secret },
  })
  return next
}

/** The samples of an enrolment's further references, taken as `withSample` takes one. Checks what can be refused before anybody is enrolled. */
export async function withReferences<Result>(
  ctx: VaultContext,
  references: unknown,
  subject: unknown,
  use: (taken: readonly Taken[]) => Promise<Result>,
): Promise<Result> {
  const list = references === undefined ? [] : readList(references, 'references', MOST_FURTHER, rejectInput)
  const takeFrom = async (at: number, taken: readonly Taken[]): Promise<Result> => {
    if (at < list.length) {
      const sample = readRequest(list[at], SAMPLES)
      return await withSample(ctx, sample, subject, (one) => takeFrom(at + 1, [...taken, one]))
    }
    const classes = taken.map(({ point }) => checkClass(point.probeClass))
    for (const probeClass of classes) requirePair(ctx, probeClass)
    if (classes.length > 0) requireRoom(ctx, [], classes)
    return await use(taken)
  }
  return await takeFrom(0, [])
}

/** Adds what an enrolment has besides, each in a batch of its own; what is there from a call before stays. */
export async function addEnrolled(
  ctx: VaultContext,
  enrolled: { readonly subject: unknown; readonly record: string; readonly holderShare: unknown },
  taken: readonly Taken[],
): Promise<void> {
  for (const { integers, point } of taken) {
    const name = drawName()
    await withShares(ctx, { present: enrolled.holderShare }, (shares) =>
      changeSubject(
        ctx,
        'reference-add',
        { subject: enrolled.subject, options: undefined },
        {
          change: (found) =>
            addFound(ctx, found, {
              record: enrolled.record,
              name,
              integers,
              class: point.probeClass,
              shares,
            }),
        },
      ),
    )
  }
}

async function addFound(
  ctx: VaultContext,
  found: Subject,
  what: Pick<Addition, 'name' | 'integers' | 'class'> & { readonly record: string; readonly shares: Shares },
): Promise<void> {
  const { row } = found
  const own = equalBytes(row.record, fromBase64(what.record) as Uint8Array)
  const state = effectiveState(row.state, row.basis, found.nowMs)
  if (!own || (state !== 'pending' && state !== 'active')) {
    throw new VaultError('ERR_VAULT_TRANSITION', `a reference cannot be added to a record that is ${state}`)
  }
  if (row.model !== ctx.settings.profile.model) throw rejectModel('the record has moved to another model')
  if (row.references?.some(({ probeClass }) => probeClass === what.class) === true) return
  requireRoom(ctx, row.references ?? [], [what.class])
  requireOneDevice(row)
  const presented = await what.shares.forNew({ ...row, ...what.name }, found.found.ring)
  await ctx.ring.load()
  await commitReference(ctx, found, { ...what, presented, policy: 'enroll', steps: [] })
}

/** Deletes the reference of a class: its probes are compared with the primary one again. */
export async function removeReference(
  ctx: VaultContext,
  request: RemoveReferenceRequest,
  options?: CallOptions,
): Promise<void> {
  const given = readFields(request, 'the request', ['subject', 'probeClass'], rejectInput)
  const probeClass = checkClass(given.probeClass)
  const { record, handle, profile } = await changeSubject(
    ctx,
    'reference-remove',
    { subject: given.subject, options, bound: new TextEncoder().encode(probeClass) },
    {
      repeat: async (state) => {
        await finishOld(ctx, state)
        return state
      },
      change: (found) => removeOnce(ctx, found, probeClass),
    },
  )
  await endGenerations(ctx, { record, handle }, profile)
}

async function removeOnce(ctx: VaultContext, found: Subject, probeClass: string): Promise<StateRow> {
  const { row } = found
  const state = effectiveState(row.state, row.basis, found.nowMs)
  if (state === 'held' || state === 'revoked' || state === 'erased') {
    throw new VaultError(
      'ERR_VAULT_TRANSITION',
      `a reference cannot be removed from a record that is ${state}`,
    )
  }
  const at = (row.references ?? []).findIndex((one) => one.probeClass === probeClass)
  const template = furtherOf(row)[at]
  if (template === undefined) throw rejectReference('the subject has no reference of this class')
  await finishOld(ctx, row)
  const old = await dropOne(ctx, template)
  const ending = await endingSteps(ctx, row, [template])
  await ctx.ring.load()
  const rest = (row.references ?? []).filter((_, i) => i !== at)
  const next = changedRow(ctx, found, 'reference-remove', {
    references: rest.length === 0 ? undefined : rest,
    ...old.epochs(),
  })
  await commitChange(ctx, {
    ...old.change,
    steps: [stateStep(ctx, found, next), ...old.change.steps, ...ending],
    event: changeEvent('reference-remove', template),
    ring: found.found.ring,
  })
  return next
}
