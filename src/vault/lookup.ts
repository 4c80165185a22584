/** From an external identifier to the rows of a subject (SPEC §4.5, §11.2). @module */

import type { RowKind } from '../audit/last-change.ts'
import type { Generation, RecordId, SubjectId } from '../base/brand.ts'
import { equalBytes, readU32be, toBase64Url } from '../base/bytes.ts'
import { checkSubjectText, realmPrefix } from '../base/identifier.ts'
import { KeysError } from '../keys/errors.ts'
import { decodeIndexRow, HANDLE_PIECE, type IndexPlace, indexRowKey, subjectTag } from '../keys/pseudonym.ts'
import { type AttemptsRow, decodeAttemptsRow } from '../record/attempts-row.ts'
import { RecordError } from '../record/errors.ts'
import {
  attemptsKey,
  type RecordName,
  referenceKey,
  SCOPE_UNBOUND,
  secretKey,
  stateKey,
} from '../record/place.ts'
import { decodeStateRow, type StateRow, statePieces } from '../record/state-row.ts'
import { SealError } from '../seal/errors.ts'
import { readRows } from '../store/read-rows.ts'
import type { LinkedPlace, RowPlace, StoredRow, StoreStep } from '../store/store.ts'
import { type Beside, type Reading, requireNewest, type VaultContext } from './context.ts'
import { rejectInput, unknownSubject } from './errors.ts'
import { rowTag } from './row-tags.ts'

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
  /** Rows of the handle that were read beside the index. */
  readonly record: RecordRows | undefined
}

/** The rows that decide whether a template may be compared, and the template, as they lie in the store. */
export interface RecordRows {
  readonly state: StoredRow | undefined
  readonly attempts: StoredRow | undefined
  readonly reference?: StoredRow | undefined
  readonly secret?: StoredRow | undefined
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

/** Where an index row may lie, as the store and as the keyring name it. */
export interface IndexRowPlace extends RowPlace {
  readonly place: IndexPlace
}

/** Where index rows of the subject may lie, the newest first (KEYS-15). Needs loaded keys. */
function indexPlaces(ctx: VaultContext, subject: string): readonly IndexRowPlace[] {
  return ctx.ring.versions.map((version) => {
    const tag = subjectTag(ctx.ring.requireRealmKeys(version).index, subject)
    const place = { realm: ctx.realm, version, tag }
    return { table: 'index', key: indexRowKey(place), place }
  })
}

/**
 * All that a comparison needs, each row named by the one before it. Rows of an index entry under an older version of the realm keys are
 * read later.
 */
export function readingOf(ctx: VaultContext, subject: string): Reading<IndexRowPlace> {
  const { realm } = ctx
  const places = indexPlaces(ctx, subject)
  const prefix = realmPrefix(realm)
  // Of the reading, whose first row is the keyring's and whose second the newest index row.
  const handle = { row: 1, ...HANDLE_PIECE }
  const state = 1 + places.length
  const pieces = statePieces(realm)
  const record = { row: state, ...pieces.record }
  const linked: LinkedPlace[] = [
    { table: 'states', key: [prefix, handle] },
    { table: 'attempts', key: [prefix, handle, Uint8Array.of(SCOPE_UNBOUND)] },
    { table: 'references', key: [prefix, record] },
  ]
  if (!ctx.split) {
    linked.push({ table: 'secrets', key: [prefix, record, { row: state, ...pieces.generation }] })
  }
  return { places, linked }
}

/** Looks the subject up under every version of the index key; the newest decides. `beside`: the rows, if they were read. */
export async function findSubject(
  ctx: VaultContext,
  subject: string,
  beside?: Beside<IndexRowPlace>,
): Promise<Found> {
  const ring = ctx.ringStep()
  // Under another keyring the subject may lie elsewhere.
  const fits = beside !== undefined && beside.ring.expected === ring.expected
  const asked = fits ? beside.places : indexPlaces(ctx, subject)
  const rows = fits ? beside.rows : await readRows(ctx.store, asked)
  const linked = fits ? beside.linkedRows : []
  const places = asked.map(({ place }) => place)
  const at = rows.findIndex((row) => row !== undefined)
  const [index, place] = [rows[at], places[at]]
  if (index === undefined || place === undefined) {
    const record = linked.length === 0 ? undefined : NO_RECORD
    return { places, handle: undefined, index: undefined, ring, record }
  }
  if (!ctx.ring.isLoaded) await ctx.ring.load()
  const key = ctx.ring.requireRealmKeys(place.version).index
  const handle = decodeIndexRow(index.bytes, place, key)
  return { places, handle, index, ring, record: at === 0 ? linkedRecord(linked) : undefined }
}

const NO_RECORD: RecordRows = { state: undefined, attempts: undefined }

function linkedRecord(rows: readonly (StoredRow | undefined)[]): RecordRows | undefined {
  if (rows.length === 0) return undefined
  const [state, attempts, reference, secret] = rows
  return { state, attempts, reference, secret }
}

/** The rows of a handle that decide whether its template may be compared, as they lie in the store. */
export async function readRecord(
  ctx: VaultContext,
  handle: Uint8Array,
): Promise<{ readonly state: StoredRow | undefined; readonly attempts: StoredRow | undefined }> {
  const [state, attempts] = await readRows(ctx.store, [
    { table: 'states', key: stateKey(ctx.realm, handle) },
    { table: 'attempts', key: attemptsKey(ctx.realm, handle, SCOPE_UNBOUND) },
  ])
  return { state, attempts }
}

/** Code and wrap of a generation, as they lie in one store or two. `known`: the rows that were read with the state. */
export async function readTemplate(
  ctx: VaultContext,
  name: RecordName,
  known?: RecordRows,
): Promise<{ readonly reference: StoredRow | undefined; readonly secret: StoredRow | undefined }> {
  const code = { table: 'references', key: referenceKey(ctx.realm, name.record) } as const
  const wrap = { table: 'secrets', key: secretKey(ctx.realm, name.record, name.generation) } as const
  if (known !== undefined && lies(known.reference, code.key)) {
    if (ctx.split) return { reference: known.reference, secret: await ctx.secrets.get(wrap.table, wrap.key) }
    if (lies(known.secret, wrap.key)) return { reference: known.reference, secret: known.secret }
  }
  const [reference, secret] = ctx.split
    ? await Promise.all([ctx.store.get(code.table, code.key), ctx.secrets.get(wrap.table, wrap.key)])
    : await readRows(ctx.store, [code, wrap])
  return { reference, secret }
}

function lies(row: StoredRow | undefined, key: Uint8Array): boolean {
  return row !== undefined && equalBytes(row.key, key)
}

/** The state row of a handle; `undefined` when there is none. */
export async function readState(
  ctx: VaultContext,
  handle: Uint8Array,
): Promise<Versioned<StateRow> | undefined> {
  return await openState(ctx, handle, await ctx.store.get('states', stateKey(ctx.realm, handle)))
}

/** A state row that was read under the handle; `undefined` when there was none. */
export async function openState(
  ctx: VaultContext,
  handle: Uint8Array,
  stored: StoredRow | undefined,
): Promise<Versioned<StateRow> | undefined> {
  if (stored === undefined) return undefined
  if (!ctx.ring.isLoaded) await ctx.ring.load()
  const row = decodeStateRow(stored.bytes, { realm: ctx.realm, handle }, ctx.stateKey)
  if (!isLast(ctx, 'state', handle, stored)) await requireLast(ctx, 'state', handle, stored)
  return { row, version: stored.version }
}

/** The attempts row of a record's present generation. It exists as long as the record can be compared. */
export async function readAttempts(ctx: VaultContext, state: StateRow): Promise<Versioned<AttemptsRow>> {
  const key = attemptsKey(ctx.realm, state.handle, SCOPE_UNBOUND)
  return await openAttempts(ctx, state, await ctx.store.get('attempts', key))
}

/** As `readAttempts`, of a row that may have been read before the state row: one that does not fit it is read once more. */
export async function fittingAttempts(
  ctx: VaultContext,
  state: StateRow,
  stored: StoredRow | undefined,
): Promise<Versioned<AttemptsRow>> {
  try {
    return await openAttempts(ctx, state, stored)
  } catch (error) {
    if (!(error instanceof RecordError)) throw error
    return await readAttempts(ctx, state)
  }
}

async function openAttempts(
  ctx: VaultContext,
  { handle, generation }: StateRow,
  stored: StoredRow | undefined,
): Promise<Versioned<AttemptsRow>> {
  if (stored === undefined) throw new RecordError('ERR_RECORD_MISSING', 'the attempts row is missing')
  if (!ctx.ring.isLoaded) await ctx.ring.load()
  const place = { realm: ctx.realm, handle, scope: SCOPE_UNBOUND, generation }
  const row = decodeAttemptsRow(stored.bytes, place, ctx.limiterKey)
  if (!isLast(ctx, 'attempts', handle, stored)) await requireLast(ctx, 'attempts', handle, stored)
  return { row, version: stored.version }
}

function isLast(ctx: VaultContext, kind: RowKind, handle: Uint8Array, { bytes }: StoredRow): boolean {
  return ctx.ledger.isLast(handle, kind, rowTag(bytes))
}

/** A genuine row that is older than the log says is a row that somebody put back (AUDIT-21). */
async function requireLast(
  ctx: VaultContext,
  kind: RowKind,
  handle: Uint8Array,
  stored: StoredRow,
): Promise<void> {
  const { key, version } = stored
  await requireNewest(ctx, {
    isNewest: () => isLast(ctx, kind, handle, stored),
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

/**
 * Rows are not all read at one instant. When they do not fit together, either somebody changed the record or the keyring
 * between two reads (then this check fails with a conflict, and the decision is made anew) or the store holds what it
 * should not.
 */
export function stale(
  ctx: VaultContext,
  { state, ring }: { readonly state: Versioned<StateRow>; readonly ring: StoreStep },
): (error: unknown) => Promise<never> {
  return async (error) => {
    if (error instanceof RecordError || error instanceof SealError || error instanceof KeysError) {
      await requireUnchanged(ctx, state, ring)
    }
    throw error
  }
}

/** Throws the conflict that leads to a new decision when the record or the keyring is not as it was read. */
export async function requireUnchanged(
  ctx: VaultContext,
  { row, version }: Versioned<StateRow>,
  ring: StoreStep,
): Promise<void> {
  const key = stateKey(ctx.realm, row.handle)
  await ctx.store.commit([{ step: 'check', table: 'states', key, expected: version }, ring])
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
