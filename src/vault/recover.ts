/** Finishing what a crash left between two stores (SPEC §10.3). @module */

import { equalBytes } from '../base/bytes.ts'
import { RecordError } from '../record/errors.ts'
import type { UnfinishedRow } from '../record/unfinished-row.ts'
import { dropNote, dropWrap, readNote } from './batch.ts'
import type { VaultContext } from './context.ts'
import { unfinishedRows } from './describe.ts'
import { readState } from './lookup.ts'
import { templateNamed } from './references.ts'

/** A younger note may belong to an enrolment that is under way; none is older than a minute. */
const PATIENCE_MS = 15 * 60_000

/**
 * Deletes wraps that nobody decided for, and wraps that were decided against. A note that no holder of the realm's keys
 * wrote, or whose state row cannot be read, leads to nothing and stays, for `health` to count.
 */
export async function recover(ctx: VaultContext): Promise<void> {
  if (!ctx.split) return
  for await (const row of unfinishedRows(ctx, ctx.store, 'states')) {
    const note = await readNote(ctx, row)
    const current = note && (await isCurrent(ctx, note))
    if (note === undefined || current === undefined) continue
    if (!current) await dropWrap(ctx, note)
    await dropNote(ctx, note, 'states')
  }
  for await (const row of unfinishedRows(ctx, ctx.secrets, 'secrets')) {
    const note = await readNote(ctx, row)
    const current = note && (await isCurrent(ctx, note))
    if (note === undefined || current === undefined) continue
    if (current) {
      await dropNote(ctx, note, 'secrets')
    } else if (ageMs(ctx, note) > PATIENCE_MS) {
      await dropWrap(ctx, note)
      await dropNote(ctx, note, 'secrets')
    }
  }
}

/** True when the references store has decided for the generation that the note is about; `undefined` when nobody can tell. */
async function isCurrent(ctx: VaultContext, note: UnfinishedRow): Promise<boolean | undefined> {
  try {
    const state = (await readState(ctx, note.handle))?.row
    if (state === undefined || state.state === 'revoked' || state.state === 'erased') return false
    return templateNamed(state, note) !== undefined
  } catch (error) {
    if (error instanceof RecordError) return undefined
    throw error
  }
}

function ageMs(ctx: VaultContext, note: UnfinishedRow): number {
  const now = ctx.now()
  return equalBytes(now.origin, note.origin) ? now.steadyMs - note.steadyMs : now.nowMs - note.timeMs
}
