/** Generations that ended under a quorum: the verb ends when holders remember it, whatever comes between (SPEC §11.13). @module */

import type { AuditEntry } from '../audit/entry.ts'
import type { EntryProof } from '../audit/stored-log.ts'
import { concatBytes, equalBytes, readU32be } from '../base/bytes.ts'
import { GuiseError } from '../base/errors.ts'
import { needsQuorum, type Profile } from '../keys/custody.ts'
import { decodeEndingRow, encodeEndingRow } from '../record/ending-row.ts'
import { RecordError } from '../record/errors.ts'
import { endingKey, endingStart, type RecordName, startsWith } from '../record/place.ts'
import type { StateRow } from '../record/state-row.ts'
import type { StoredRow, StoreStep } from '../store/store.ts'
import type { VaultContext } from './context.ts'
import { VaultError } from './errors.ts'
import { readState } from './lookup.ts'
import { isConflict } from './outcome.ts'
import { callOf, logOf, proveOwn } from './outputs.ts'
import { templateNamed, templatesOf } from './references.ts'

const RECORD_BYTES = 16
/** How far back the entry is looked for that ended a generation; beyond that another is logged. */
const MOST_ENTRIES = 1000
/** Of others' endings, so many at the end of a verb: it is not kept for long. */
const MOST_SWEPT = 16

/** What the deciding batch writes besides, when generations end that the quorum has a part in: the duty to tell the holders. */
export async function endingSteps(
  ctx: VaultContext,
  state: StateRow,
  templates: readonly RecordName[] = templatesOf(state),
): Promise<readonly StoreStep[]> {
  // What was revoked before has its notes, or none any more.
  if (!needsQuorum(state.profile as Profile) || state.state === 'revoked') return []
  const steps: StoreStep[] = []
  for (const { realm, handle, record, generation } of templates) {
    const key = endingKey(realm, record, generation)
    // Whatever somebody put there keeps no record from ending.
    const stored = await ctx.store.get('states', key)
    await ctx.ring.load()
    const keyVersion = ctx.ring.newestVersion
    const note = { realm, handle, record, generation, keyVersion }
    const bytes = encodeEndingRow(note, ctx.ring.requireRealmKeys(keyVersion).state)
    steps.push({ step: 'put', table: 'states', key, bytes, expected: stored?.version ?? null })
  }
  return steps
}

/** Whose generations ended: the primary record, and the handle where it is known. */
export interface Ended {
  readonly record: Uint8Array
  readonly handle: Uint8Array | undefined
}

/**
 * Tells the holders of every generation of the subject that has ended. Throws `ERR_VAULT_QUORUM_PENDING` while fewer than needed know. `profile`:
 * of the record, where it is known.
 */
export async function endGenerations(
  ctx: VaultContext,
  { record, handle }: Ended,
  profile?: number,
): Promise<void> {
  if (ctx.settings.quorum === undefined && profile !== undefined && !needsQuorum(profile as Profile)) return
  let known = ctx.settings.quorum !== undefined
  try {
    const own = await notesFrom(ctx, concatBytes(endingStart(ctx.realm), record))
    known ||= own.length > 0
    const [first] = own
    const whose = handle ?? (first && (await readEnding(ctx, first))?.handle)
    // Those of the record last: by them a retry that knows nothing else finds the others.
    if (whose !== undefined) {
      for (const row of await notesFrom(ctx, endingStart(ctx.realm))) {
        const note = await readEnding(ctx, row)
        if (note === undefined || !equalBytes(note.handle, whose) || equalBytes(note.record, record)) continue
        known = true
        await endOne(ctx, row)
      }
    }
    for (const row of own) await endOne(ctx, row)
  } catch (cause) {
    // Nothing says that there is a quorum to be told.
    if (!known) throw cause
    const why = 'done, but fewer holders than needed know yet that the former generation has ended'
    throw new VaultError('ERR_VAULT_QUORUM_PENDING', why, { cause, retryable: true })
  }
  await recoverEndings(ctx, MOST_SWEPT)
}

/**
 * Finishes what a crash left, and what purges and campaigns ended, which have no quorum. One that does not answer keeps no vault from
 * opening: then the notes stay.
 */
export async function recoverEndings(
  ctx: VaultContext,
  most: number = Number.POSITIVE_INFINITY,
): Promise<void> {
  if (ctx.settings.quorum === undefined) return
  try {
    const rows = await notesFrom(ctx, endingStart(ctx.realm), most)
    for (const row of rows) await endOne(ctx, row)
  } catch (error) {
    if (!(error instanceof GuiseError)) throw error
  }
}

/** Generations of which fewer holders than needed know. */
export async function countEndings(ctx: VaultContext): Promise<number> {
  return (await notesFrom(ctx, endingStart(ctx.realm))).length
}

async function notesFrom(
  ctx: VaultContext,
  start: Uint8Array,
  most: number = Number.POSITIVE_INFINITY,
): Promise<readonly StoredRow[]> {
  const rows: StoredRow[] = []
  for await (const row of ctx.store.scan('states', start)) {
    if (!startsWith(row.key, start) || rows.length >= most) break
    rows.push(row)
  }
  return rows
}

async function endOne(ctx: VaultContext, row: StoredRow): Promise<void> {
  const note = await readEnding(ctx, row)
  if (note === undefined || (await isLive(ctx, note))) return
  const { quorum } = ctx.settings
  if (quorum === undefined) throw new VaultError('ERR_VAULT_CUSTODY', 'this vault has no quorum to tell')
  const { record, generation } = note
  const log = logOf(ctx)
  const call = callOf(ctx)
  const receipt =
    (await log.prove((entry) => ends(entry, note), MOST_ENTRIES, call)) ?? (await again(ctx, note))
  const { faults } = await quorum.asked.revoke({ record, generation, receipt, log }, call)
  ctx.settings.meter?.holders(faults)
  try {
    await ctx.store.commit([{ step: 'delete', table: 'states', key: row.key, expected: row.version }])
  } catch (error) {
    // Another process told them too.
    if (!isConflict(error)) throw error
  }
}

/** A note that no holder of the realm's keys wrote there leads to nothing. */
async function readEnding(ctx: VaultContext, { key, bytes }: StoredRow): Promise<RecordName | undefined> {
  await ctx.ring.load()
  const begin = endingStart(ctx.realm).length
  const record = key.slice(begin, begin + RECORD_BYTES)
  const generation = key.slice(begin + RECORD_BYTES)
  try {
    return decodeEndingRow(bytes, { realm: ctx.realm, record, generation }, ctx.stateKey)
  } catch (error) {
    if (error instanceof RecordError) return undefined
    throw error
  }
}

/** True while the state row names the generation as one that may match: then somebody put the note there. */
async function isLive(ctx: VaultContext, note: RecordName): Promise<boolean> {
  const state = (await readState(ctx, note.handle))?.row
  if (state === undefined || state.state === 'revoked' || state.state === 'erased') return false
  return templateNamed(state, note) !== undefined
}

/** The entries that holders take for the end of a generation (QUORUM-12). */
function ends({ action, outcome, record, generation }: AuditEntry, note: RecordName): boolean {
  if (outcome !== 'done' || record === null || generation === null) return false
  if (!equalBytes(record, note.record)) return false
  if (action === 'reissue') return readU32be(generation) > readU32be(note.generation)
  return (action === 'revoke' || action === 'erase') && equalBytes(generation, note.generation)
}

/** The entry lies far back: the log says once more that the generation has ended. */
async function again(ctx: VaultContext, note: RecordName): Promise<EntryProof> {
  // Without a handle: it ends no life of the subject, who may have another generation by now.
  const { record, generation } = note
  const entry = await ctx.commitLogged([], { action: 'revoke', outcome: 'done', record, generation })
  return await proveOwn(ctx, await ctx.ledger.sequence(callOf(ctx)), entry)
}
