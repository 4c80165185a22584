/** Finishing what a crash left between two stores (SPEC §10.3). @module */

import { equalBytes } from '../base/bytes.ts'
import { misplaced } from '../record/errors.ts'
import { unfinishedKey } from '../record/place.ts'
import { decodeUnfinishedRow, type UnfinishedRow } from '../record/unfinished-row.ts'
import type { StoredRow } from '../store/store.ts'
import { dropNote, dropWrap } from './batch.ts'
import type { VaultContext } from './context.ts'
import { unfinishedRows } from './describe.ts'
import { readState } from './lookup.ts'

/** A younger note may belong to an enrolment that is under way; none is older than a minute. */
const PATIENCE_MS = 15 * 60_000

/** Deletes wraps that nobody decided for, and wraps that were decided against. */
export async function recover(ctx: VaultContext): Promise<void> {
  if (!ctx.split) return
  for await (const row of unfinishedRows(ctx, ctx.store, 'states')) {
    const note = readNote(ctx, row)
    if (!(await isCurrent(ctx, note))) await dropWrap(ctx, note)
    await dropNote(ctx, note, 'states')
  }
  for await (const row of unfinishedRows(ctx, ctx.secrets, 'secrets')) {
    const note = readNote(ctx, row)
    if (await isCurrent(ctx, note)) {
      await dropNote(ctx, note, 'secrets')
    } else if (ageMs(ctx, note) > PATIENCE_MS) {
      await dropWrap(ctx, note)
      await dropNote(ctx, note, 'secrets')
    }
  }
}

function readNote(ctx: VaultContext, row: StoredRow): UnfinishedRow {
  const note = decodeUnfinishedRow(row.bytes, ctx.realm)
  if (!equalBytes(row.key, unfinishedKey(ctx.realm, note.record, note.generation))) {
    throw misplaced('another generation')
  }
  return note
}

/** True when the references store has decided for the generation that the note is about. */
async function isCurrent(ctx: VaultContext, note: UnfinishedRow): Promise<boolean> {
  const state = (await readState(ctx, note.handle))?.row
  if (state === undefined || state.state === 'revoked' || state.state === 'erased') return false
  return equalBytes(state.record, note.record) && equalBytes(state.generation, note.generation)
}

function ageMs(ctx: VaultContext, note: UnfinishedRow): number {
  const now = ctx.now()
  return equalBytes(now.origin, note.origin) ? now.steadyMs - note.steadyMs : now.nowMs - note.timeMs
}
