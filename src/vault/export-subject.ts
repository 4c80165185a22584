/** What a realm holds of one person, why, and what was done with it: for that person (SPEC §12.6). @module */

import { decodeEntry } from '../audit/entry.ts'
import type { Realm, RecordId, SubjectId } from '../base/brand.ts'
import { fromBase64, toBase64Url } from '../base/bytes.ts'
import { checkSubjectText } from '../base/identifier.ts'
import { decodeHeadRow } from '../gallery/head-row.ts'
import { galleryHeadKey, memberKey } from '../gallery/place.ts'
import type { BasisKind, StoredBasis } from '../policy/basis.ts'
import { checkRetention, dueAt, type RetentionPolicy, type RetentionReason } from '../policy/retention.ts'
import { effectiveState, type State } from '../policy/states.ts'
import { REASON_WITHDRAWN, type StateRow } from '../record/state-row.ts'
import { settle } from './change.ts'
import type { VaultContext, VaultEvent } from './context.ts'
import { CUSTODIES } from './describe.ts'
import { receiptOf } from './erase.ts'
import { rejectInput } from './errors.ts'
import { stateCheck } from './evidence.ts'
import { Lives } from './lives.ts'
import { findSubject, generationNumber, readState, recordId, subjectId, type Versioned } from './lookup.ts'
import { openRealm, type RealmOptions } from './realm-context.ts'
import { REASONS } from './revoke.ts'
import {
  type InstantText,
  type SubjectComparison,
  type SubjectEvent,
  SubjectHistory,
  type SubjectTemplate,
} from './subject-history.ts'
import type { Custody, RevocationReason } from './types.ts'

/** Whom to export: by the external identifier, or by the pseudonym that `describe`, receipts and the log have. One of the two. */
export interface ExportSubjectOptions extends RealmOptions {
  readonly subject?: string
  readonly pseudonym?: string
  /** With them it says until when the record is kept. */
  readonly policies?: readonly RetentionPolicy[]
}

/**
 * - `template`: a template, which can match or will again when the state allows it
 * - `record`: the record of a revoked template: basis, dates, state
 * - `trace`: what an erasure leaves: a tombstone without a basis, its receipt, and the entries of the log
 * - `nothing`
 */
export type Held = 'template' | 'record' | 'trace' | 'nothing'

/** For the person. No vector, code, key or score, nobody else's data but the pseudonyms of who asked. */
export interface SubjectExport {
  readonly format: 'guise-subject-export/1'
  readonly realm: Realm
  /** Everything is as of this instant: the commit of the export's own entry in the log. */
  readonly at: InstantText
  readonly held: Held
  readonly subject: SubjectId | null
  readonly record: {
    readonly id: RecordId
    readonly state: State
    readonly changedAt: InstantText
    /** Which of `templates` is the present one. */
    readonly template: number
    readonly model: string
    readonly bits: number
    readonly custody: Custody['profile']
    /** True when code and key were once stolen together. */
    readonly exposed: boolean
    readonly revoked: RevocationReason | null
    /** Identifiers of the devices that hold a share. */
    readonly devices: readonly string[]
    /** Further references, as `templates` and `comparisons` name them, and the probes that are compared with each; left out where there are none. */
    readonly references?: readonly { readonly reference: RecordId; readonly probeClass: string }[]
  } | null
  readonly basis: {
    readonly kind: BasisKind
    readonly purpose: string
    readonly noticeVersion: string
    readonly grantedAt: InstantText
    readonly expiresAt: InstantText
    readonly separateConsent: boolean
    readonly under14: boolean
    /** SHA-256 or the like of what the controller keeps, base64url. */
    readonly evidence: string
    readonly guardianEvidence: string | null
  } | null
  /** When the record is due to be erased, if nothing changes; `null` where no policy says so, or none was given. */
  readonly retention: { readonly dueAt: InstantText; readonly reason: RetentionReason } | null
  /** The gallery that the person can be found in. */
  readonly gallery: { readonly purpose: string; readonly basis: BasisKind } | null
  readonly templates: readonly SubjectTemplate[]
  readonly comparisons: readonly SubjectComparison[]
  /** The export itself among them. */
  readonly events: readonly SubjectEvent[]
  readonly erasure: {
    readonly unreachableAt: InstantText
    readonly irrecoverable: { readonly at: InstantText } | { readonly by: InstantText } | 'never'
    /** Signed under the realm's receipt key, base64url (SPEC §11.3). */
    readonly statement: string
    readonly signature: string
  } | null
}

const HANDLE_BYTES = 16

/**
 * Exports what is held of one person, and logs that it did. Reads the whole log. Throws `KeysError`, `StoreError`, `RecordError`,
 * `PolicyError`, `ERR_VAULT_INPUT`, and `AuditError` for a log that does not hold; then nothing is told.
 *
 * @example
 * ```ts
 * const { held, basis, comparisons } = await exportSubject({ keyring, store, logSigner, subject: 'user-1', actor: 'desk-4' })
 * ```
 */
export async function exportSubject(options: ExportSubjectOptions): Promise<SubjectExport> {
  const { subject, pseudonym, policies } = options
  if ((subject === undefined) === (pseudonym === undefined))
    throw rejectInput('an export needs subject or pseudonym, one of the two')
  const name = subject === undefined ? undefined : checkSubjectText(subject, rejectInput)
  const given = pseudonym === undefined ? undefined : handleOf(pseudonym)
  const retention = policies === undefined ? undefined : checkRetention(policies)
  const ctx = await openRealm(options)
  try {
    const { handle, state, entry } = await ctx.decide(() => logExport(ctx, name, given))
    const { timeMs } = entry
    const history = new SubjectHistory(handle ?? new Uint8Array(HANDLE_BYTES), entry)
    const lives = new Lives(ctx.store, ctx.realm, ctx.ring, (one) => history.take(one))
    await lives.follow(ctx.signal === undefined ? {} : { signal: ctx.signal })
    if (options.logSigner !== undefined) await settle(ctx)
    const row = state?.row
    const { templates, comparisons, events } = history
    const known = handle !== undefined && (row !== undefined || events.length > 1 || comparisons.length > 0)
    const due = row && retention && whenDue(row, { timeMs, retention, lives })
    return {
      format: 'guise-subject-export/1',
      realm: ctx.realm,
      at: instant(timeMs),
      held: known ? heldOf(row) : 'nothing',
      subject: known ? subjectId(handle) : null,
      record: row === undefined ? null : recordOf(row, timeMs),
      basis: row === undefined || row.basis === null ? null : basisOf(row.basis),
      retention: due === undefined ? null : { dueAt: instant(due.dueMs), reason: due.reason },
      gallery: row === undefined ? null : await galleryOf(ctx, row),
      templates,
      comparisons,
      events,
      erasure: row?.state === 'erased' ? await erasureOf(ctx, row) : null,
    }
  } finally {
    await ctx.ledger.close()
  }
}

/** Nothing is told that is not logged; the entry rests on the row that is told. */
async function logExport(
  ctx: VaultContext,
  name: string | undefined,
  given: Uint8Array | undefined,
): Promise<{
  readonly handle: Uint8Array | undefined
  readonly state: Versioned<StateRow> | undefined
  readonly entry: ReturnType<typeof decodeEntry>
}> {
  const ring = ctx.ringStep()
  const handle = name === undefined ? given : (await findSubject(ctx, name)).handle
  const state = handle && (await readState(ctx, handle))
  const event: VaultEvent = { action: 'export', outcome: 'done', handle: handle ?? null }
  if (state === undefined) return { handle, state, entry: decodeEntry(await ctx.commitLogged([ring], event)) }
  const { record, generation, basis } = state.row
  const about = { ...event, record, generation, basis: basis === null ? null : basis.kind }
  const bytes = await ctx.commitLogged([ring, stateCheck(ctx, state)], about)
  return { handle, state, entry: decodeEntry(bytes) }
}

function heldOf(row: StateRow | undefined): Held {
  if (row === undefined || row.state === 'erased') return 'trace'
  return row.state === 'revoked' ? 'record' : 'template'
}

function recordOf(row: StateRow, nowMs: number): SubjectExport['record'] {
  return {
    id: recordId(row.record),
    state: effectiveState(row.state, row.basis, nowMs),
    changedAt: instant(row.changedMs),
    template: generationNumber(row.generation),
    model: row.model,
    bits: row.bits,
    custody: CUSTODIES[row.profile] as Custody['profile'],
    exposed: row.exposed,
    revoked: REASONS[row.reason - 1] ?? null,
    devices: row.devices.filter((device) => device.some((byte) => byte !== 0)).map(toBase64Url),
    ...(row.references === undefined
      ? {}
      : {
          references: row.references.map(({ record, probeClass }) => ({
            reference: recordId(record),
            probeClass,
          })),
        }),
  }
}

function basisOf(basis: StoredBasis): SubjectExport['basis'] {
  const { kind, purpose, noticeVersion, separateConsent, under14, evidence, guardianEvidence } = basis
  return {
    kind,
    purpose,
    noticeVersion,
    grantedAt: instant(basis.grantedMs),
    expiresAt: instant(basis.expiresMs),
    separateConsent,
    under14,
    evidence: toBase64Url(evidence),
    guardianEvidence: guardianEvidence === null ? null : toBase64Url(guardianEvidence),
  }
}

function whenDue(
  row: StateRow,
  by: {
    readonly timeMs: number
    readonly retention: ReadonlyMap<string, RetentionPolicy>
    readonly lives: Lives
  },
): ReturnType<typeof dueAt> {
  const life = by.lives.of(row.handle)
  if (row.basis === null || life === undefined) return undefined
  return dueAt(by.retention.get(row.basis.purpose), {
    ...life,
    state: effectiveState(row.state, row.basis, by.timeMs),
    withdrawn: row.reason === REASON_WITHDRAWN,
    expiresMs: row.basis.expiresMs,
    changedMs: row.changedMs,
  })
}

/** Which gallery has the person for a member; its row is there or not, and is not opened. */
async function galleryOf(ctx: VaultContext, { handle }: StateRow): Promise<SubjectExport['gallery']> {
  const member = await ctx.store.get('galleries', memberKey(ctx.realm, handle))
  const head = member && (await ctx.store.get('galleries', galleryHeadKey(ctx.realm)))
  if (head === undefined) return null
  await ctx.ring.load()
  const { profile, basis } = decodeHeadRow(head.bytes, ctx.realm, ctx.stateKey)
  return { purpose: profile.purpose, basis }
}

async function erasureOf(ctx: VaultContext, tombstone: StateRow): Promise<SubjectExport['erasure']> {
  const { unreachableAt, irrecoverable, statement, signature } = await receiptOf(ctx, tombstone)
  const promise =
    irrecoverable === 'never'
      ? irrecoverable
      : 'at' in irrecoverable
        ? { at: instant(irrecoverable.at) }
        : { by: instant(irrecoverable.by) }
  return {
    unreachableAt: instant(unreachableAt),
    irrecoverable: promise,
    statement: toBase64Url(statement),
    signature: toBase64Url(signature),
  }
}

function instant(ms: number): InstantText {
  return new Date(ms).toISOString()
}

function handleOf(pseudonym: unknown): Uint8Array {
  const handle = typeof pseudonym === 'string' ? fromBase64(pseudonym) : undefined
  if (handle?.length !== HANDLE_BYTES) throw rejectInput('pseudonym must be a subject as describe names it')
  return handle
}
