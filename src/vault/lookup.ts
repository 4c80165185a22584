/** From an external identifier to the rows of a subject (SPEC §4.5, §11.2). @module */

import type { RowKind } from '../audit/last-change.ts'
import type { Generation, RecordId, SubjectId } from '../base/brand.ts'
import { readU32be, toBase64Url } from '../base/bytes.ts'
import { checkSubjectText } from '../base/identifier.ts'
import { decodeIndexRow, type IndexPlace, indexRowKey, subjectTag } from '../keys/pseudonym.ts'
import { type AttemptsRow, decodeAttemptsRow } from '../record/attempts-row.ts'
import { RecordError } from '../record/errors.ts'
import { attemptsKey, SCOPE_UNBOUND, stateKey } from '../record/place.ts'
import { decodeStateRow, type StateRow } from '../record/state-row.ts'
import type { StoredRow, StoreStep } from '../store/store.ts'
import { requireNewest, rowTag, type VaultContext } from './context.ts'
import { rejectInput, unknownSubject } from './errors.ts'

/** A row and the version that a commit must still find. */
export interface Versioned<Row> {
  readonly row: Row
  readonly version: string
}

/** What the index says of a subject. */
export interface Found {
  /** Where an index row of the subject may lie, the newest first. */
  readonly places: readonly IndexPlace[]
  readonly handle: Uint8Array | undefined
  /** The index row that named the handle. */
  readonly index: StoredRow | undefined
  /** Fails a batch unless the keyring is the one whose versions were looked under. */
  readonly ring: StoreStep
}

/** Runs `task` as the only verb for this subject in this process. */
export async function withSubject<Result>(
  ctx: VaultContext,
  subject: unknown,
  signal: AbortSignal | undefined,
  task: (subject: string) => Promise<Result>,
): Promise<Result> {
  const text = checkSubjectText(subject, rejectInput)
  // The identifier is held no longer than the caller's call, which holds it anyway.
  return ctx.subjects.run(text, () => task(text), signal)
}

/** Looks the subject up under every version of the index key, from the newest on (KEYS-15). */
export async function findSubject(ctx: VaultContext, subject: string): Promise<Found> {
  const ring = ctx.ringStep()
  const places = ctx.ring.versions.map((version) => {
    const tag = subjectTag(ctx.ring.requireRealmKeys(version).index, subject)
    return { realm: ctx.realm, version, tag }
  })
  for (const place of places) {
    const index = await ctx.store.get('index', indexRowKey(place))
    if (index === undefined) continue
    await ctx.ring.load()
    const key = ctx.ring.requireRealmKeys(place.version).index
    return { places, handle: decodeIndexRow(index.bytes, place, key), index, ring }
  }
  return { places, handle: undefined, index: undefined, ring }
}

/** The state row of a handle; `undefined` when there is none. */
export async function readState(
  ctx: VaultContext,
  handle: Uint8Array,
): Promise<Versioned<StateRow> | undefined> {
  const stored = await ctx.store.get('states', stateKey(ctx.realm, handle))
  if (stored === undefined) return undefined
  await ctx.ring.load()
  const row = decodeStateRow(stored.bytes, { realm: ctx.realm, handle }, ctx.stateKey)
  await requireLast(ctx, 'state', handle, stored)
  return { row, version: stored.version }
}

/** The attempts row of a record's present generation. It exists as long as the record can be compared. */
export async function readAttempts(ctx: VaultContext, state: StateRow): Promise<Versioned<AttemptsRow>> {
  const { handle, generation } = state
  const stored = await ctx.store.get('attempts', attemptsKey(ctx.realm, handle, SCOPE_UNBOUND))
  if (stored === undefined) throw new RecordError('ERR_RECORD_MISSING', 'the attempts row is missing')
  await ctx.ring.load()
  const place = { realm: ctx.realm, handle, scope: SCOPE_UNBOUND, generation }
  const row = decodeAttemptsRow(stored.bytes, place, ctx.limiterKey)
  await requireLast(ctx, 'attempts', handle, stored)
  return { row, version: stored.version }
}

/** A genuine row that is older than the log says is a row that somebody put back (AUDIT-21). */
async function requireLast(
  ctx: VaultContext,
  kind: RowKind,
  handle: Uint8Array,
  { key, bytes, version }: StoredRow,
): Promise<void> {
  await requireNewest(ctx, {
    isNewest: () => ctx.ledger.isLast(handle, kind, rowTag(bytes)),
    check: { step: 'check', table: kind === 'state' ? 'states' : 'attempts', key, expected: version },
  })
}

/** The subject's record, for verbs that manage one; throws `ERR_VAULT_UNKNOWN_SUBJECT` when there is none. */
export async function requireState(
  ctx: VaultContext,
  subject: string,
): Promise<Versioned<StateRow> & { readonly found: Found }> {
  const found = await findSubject(ctx, subject)
  if (found.handle === undefined) throw unknownSubject()
  const state = await readState(ctx, found.handle)
  if (state === undefined) {
    // Erasure removes mapping and state in one batch: whoever reads between two batches finds neither later.
    const { key, version } = found.index as StoredRow
    await ctx.store.commit([{ step: 'check', table: 'index', key, expected: version }])
    throw new RecordError('ERR_RECORD_MISSING', 'the state row is missing')
  }
  return { ...state, found }
}

/** The counter of a generation: its first four bytes. */
export function generationNumber(generation: Uint8Array): Generation {
  return readU32be(generation) as Generation
}

/** The text forms of the 16-byte identifiers that callers see. */
export function recordId(record: Uint8Array): RecordId {
  return toBase64Url(record) as RecordId
}
export function subjectId(handle: Uint8Array): SubjectId {
  return toBase64Url(handle) as SubjectId
}
