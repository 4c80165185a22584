/** Enroll: the first template of a subject (SPEC §11). @module */

import type { Epoch } from '../base/brand.ts'
import { checkBoolean } from '../base/check.ts'
import type { CallOptions } from '../base/errors.ts'
import { randomBytes } from '../crypto/random.ts'
import { drawHandle, encodeIndexRow, type IndexPlace, indexRowKey } from '../keys/pseudonym.ts'
import { checkBasis, type StoredBasis } from '../policy/basis.ts'
import { encodeAttemptsRow } from '../record/attempts-row.ts'
import { attemptsKey, type RecordName, referenceKey, SCOPE_UNBOUND, stateKey } from '../record/place.ts'
import { encodeStateRow, findOperation, rememberOperation, type StateRow } from '../record/state-row.ts'
import type { StoreStep } from '../store/store.ts'
import { addEnrolled, withReferences } from './add-reference.ts'
import { commitChange } from './batch.ts'
import { changeEvent } from './change.ts'
import type { VaultContext } from './context.ts'
import { asksHolder, PROFILE } from './custody.ts'
import { rejectInput, VaultError } from './errors.ts'
import { drawPlace } from './gallery-change.ts'
import {
  askUnique,
  inTurn,
  type NewMember,
  prepareMember,
  requireGalleryBasis,
  requireUnique,
  type Uniqueness,
} from './gallery-member.ts'
import { foundCheck, type Search } from './gallery-search.ts'
import { candidateOf, MOST_CANDIDATES } from './identify.ts'
import {
  type Found,
  findSubject,
  generationNumber,
  readState,
  recordId,
  subjectId,
  withSubject,
} from './lookup.ts'
import { operationDigest, VERB } from './operation.ts'
import { type Provenance, policyText } from './provenance.ts'
import { readRequest, SAMPLE_FIELDS, type Taken, withSample } from './sample.ts'
import { type Shares, withShares } from './shares.ts'
import { drawGeneration, makeTemplate, type NewTemplate } from './template-row.ts'
import type { Enrolled, EnrollRequest } from './types.ts'

const FIELDS = [
  ...SAMPLE_FIELDS,
  'more',
  'references',
  'subject',
  'basis',
  'holderShare',
  'pending',
  'unique',
] as const
/** Nothing has failed yet. */
const NO_ATTEMPTS = { run: 0, failures: 0, lastMs: 0, origin: new Uint8Array(16), steadyMs: 0 } as const

/** Enrols a subject that has no record. Exactly one of several concurrent calls wins (VAULT-3). */
export async function enroll(
  ctx: VaultContext,
  request: EnrollRequest,
  options?: CallOptions,
): Promise<Enrolled> {
  const given = readRequest(request, FIELDS)
  return withSample(ctx, given, given.subject, (taken) =>
    withReferences(ctx, given.references, given.subject, async (further) => {
      const enrolled = await enrollPrimary(ctx, given, taken, options)
      await addEnrolled(ctx, { ...given, record: enrolled.record }, further)
      return enrolled
    }),
  )
}

/** The primary reference, with the record that all others belong to. */
async function enrollPrimary(
  ctx: VaultContext,
  given: Readonly<Record<(typeof FIELDS)[number], unknown>>,
  { integers, point: { probeClass }, provenance }: Taken,
  options: CallOptions | undefined,
): Promise<Enrolled> {
  const basis = checkBasis(given.basis, ctx.settings.profile.purpose)
  requireGalleryBasis(ctx, basis)
  const pending = given.pending === undefined ? false : checkBoolean(given.pending, 'pending', rejectInput)
  const name: RecordName = {
    realm: ctx.realm,
    handle: drawHandle(),
    record: randomBytes(16),
    generation: drawGeneration(1),
  }
  const unique = await askUnique(ctx, given.unique, probeClass, provenance)
  const place = drawPlace()
  return await withShares(ctx, { present: given.holderShare }, (shares) =>
    withSubject(ctx, given.subject, ctx.signal, (subject) =>
      inTurn(ctx, unique === undefined ? `${place}` : 'unique', () =>
        ctx.decide(() =>
          enrollOnce(
            ctx,
            { subject, basis, name, integers, provenance, shares, pending, unique, place },
            options,
          ),
        ),
      ),
    ),
  )
}

interface Enrolment {
  readonly subject: string
  readonly basis: StoredBasis
  readonly name: RecordName
  readonly integers: Int32Array
  readonly provenance: Provenance
  readonly shares: Shares
  readonly pending: boolean
  readonly unique: Uniqueness | undefined
  readonly place: number
}

async function enrollOnce(
  ctx: VaultContext,
  what: Enrolment,
  options: CallOptions | undefined,
): Promise<Enrolled> {
  const { name } = what
  const found = await findSubject(ctx, what.subject)
  await ctx.ring.load()
  const oldest = found.places.at(-1) as IndexPlace
  const digest = operationDigest(ctx, 'enroll', oldest.tag, options)
  if (found.handle !== undefined) return enrolledBefore(ctx, found.handle, digest)
  const alike = what.unique && (await requireUnique(ctx, what.unique, what, found.ring))
  const member = await prepareMember(ctx, name, { ...what, seen: alike?.moment })
  try {
    return await commitEnrolment(ctx, { ...what, found, digest, alike, member })
  } finally {
    member.end()
  }
}

async function commitEnrolment(
  ctx: VaultContext,
  what: Enrolment & {
    readonly found: Found
    readonly digest: Uint8Array | undefined
    readonly alike: Search | undefined
    readonly member: NewMember
  },
): Promise<Enrolled> {
  const { name, basis, found, digest, alike, member } = what
  const presented = await what.shares.forNew(name, found.ring)
  await ctx.ring.load()
  const { nowMs } = ctx.now()
  const devices = firstDevices(ctx)
  const template = makeTemplate(ctx, { ...name, devices }, what.integers, presented, nowMs, (recordSecret) =>
    member.make(recordSecret, nowMs),
  )
  const state: StateRow = {
    ...name,
    version: 1,
    state: what.pending ? 'pending' : 'active',
    exposed: false,
    profile: PROFILE[ctx.settings.custody],
    devices,
    keyVersion: ctx.ring.newestVersion,
    model: ctx.settings.profile.model,
    bits: ctx.settings.profile.bits,
    basis,
    since: template.epoch,
    last: template.epoch,
    changedMs: nowMs,
    reason: 0,
    operations: rememberOperation([], digest && { digest, code: VERB.enroll }),
  }
  const steps = [
    ...indexSteps(ctx, found.places, name.handle),
    ...recordSteps(ctx, state, template),
    ...member.steps(),
    ...(alike?.found ?? []).map((one) => foundCheck(ctx, one)),
  ]
  const event = {
    ...changeEvent('enroll', state),
    epoch: template.epoch,
    ...policyText(undefined, what.provenance),
  }
  await commitChange(ctx, { steps, event, ring: found.ring, wrap: { name, bytes: template.secret } })
  if (what.unique?.flag !== true || alike === undefined) return describeEnrolled(state)
  return { ...describeEnrolled(state), duplicates: alike.found.slice(0, MOST_CANDIDATES).map(candidateOf) }
}

/** A retry gets the first result again; anybody else learns that the subject has a record. */
async function enrolledBefore(
  ctx: VaultContext,
  handle: Uint8Array,
  digest: Uint8Array | undefined,
): Promise<Enrolled> {
  const state = (await readState(ctx, handle))?.row
  if (state !== undefined && digest !== undefined && findOperation(state.operations, digest) !== undefined) {
    return describeEnrolled(state)
  }
  throw new VaultError('ERR_VAULT_ENROLLED', 'the subject has a record')
}

/** The mapping under the newest index key, and proof that no older one exists. */
function indexSteps(
  ctx: VaultContext,
  places: readonly IndexPlace[],
  handle: Uint8Array,
): readonly StoreStep[] {
  return places.map((place, position) => {
    const key = indexRowKey(place)
    if (position > 0) return { step: 'check', table: 'index', key, expected: null }
    const bytes = encodeIndexRow(place, ctx.ring.requireRealmKeys(place.version).index, handle)
    return { step: 'put', table: 'index', key, bytes, expected: null }
  })
}

function recordSteps(ctx: VaultContext, state: StateRow, template: NewTemplate): readonly StoreStep[] {
  const keys = ctx.ring.requireRealmKeys(state.keyVersion)
  return [
    {
      step: 'put',
      table: 'states',
      key: stateKey(ctx.realm, state.handle),
      bytes: encodeStateRow(state, keys.state),
      expected: null,
    },
    {
      step: 'put',
      table: 'references',
      key: referenceKey(ctx.realm, state.record),
      bytes: template.reference,
      expected: null,
    },
    {
      step: 'put',
      table: 'attempts',
      key: attemptsKey(ctx.realm, state.handle, SCOPE_UNBOUND),
      bytes: firstAttempts(state, keys.limiter),
      expected: null,
    },
  ]
}

/** The attempts row of a new generation. */
export function firstAttempts(state: StateRow, limiter: Uint8Array): Uint8Array {
  const { realm, handle, generation, keyVersion } = state
  const scope = SCOPE_UNBOUND
  return encodeAttemptsRow(
    { realm, handle, scope, generation, version: 1, count: NO_ATTEMPTS, keyVersion, operations: [] },
    limiter,
  )
}

/** The device that enrols takes the first of four slots; without holder there are none. */
export function firstDevices(ctx: VaultContext): readonly Uint8Array[] {
  if (!asksHolder(ctx.settings.custody)) return []
  const free = new Uint8Array(16)
  return [randomBytes(16), free, free, free]
}

/** What the caller learns of a template that was made. */
export function describeEnrolled(state: StateRow): Enrolled {
  return {
    record: recordId(state.record),
    subject: subjectId(state.handle),
    epoch: state.last as Epoch,
    generation: generationNumber(state.generation),
  }
}
