/** The deciding batch, over one store or two (SPEC §10.3). @module */

import { GuiseError } from '../base/errors.ts'
import { RecordError } from '../record/errors.ts'
import type { RecordName } from '../record/place.ts'
import { secretKey, unfinishedKey, unfinishedStart } from '../record/place.ts'
import { decodeUnfinishedRow, encodeUnfinishedRow, type UnfinishedRow } from '../record/unfinished-row.ts'
import type { StoredRow, StoreStep } from '../store/store.ts'
import type { VaultContext, VaultEvent, VaultStore } from './context.ts'
import { VaultError } from './errors.ts'
import { isConflict, isIndeterminate } from './outcome.ts'

/** A change of a record: what to write in the references store, and what happens to wraps. */
export interface Change {
  readonly steps: readonly StoreStep[]
  /** What the log is told. */
  readonly event: VaultEvent
  /** Fails the batch when the keyring is not the one that the decision rests on. */
  readonly ring: StoreStep
  /** A new wrap. */
  readonly wrap?: { readonly name: RecordName; readonly bytes: Uint8Array }
  /** Wraps to delete, as they were read; `version` null when one was missing already. They go in this order. */
  readonly unwraps?: readonly { readonly name: RecordName; readonly version: string | null }[]
}

/** An enrolment that takes longer between its two commits is given up, well before anyone sweeps its note. */
const LONGEST_MS = 60_000

/** Commits a change. One store: one batch. Two: wrap, deciding batch, old wrap, each durable before the next. */
export async function commitChange(ctx: VaultContext, change: Change): Promise<void> {
  const { wrap, unwraps = [] } = change
  const steps = [...change.steps, change.ring]
  // A new template rests on the realm's migration of models.
  if (wrap !== undefined) steps.push(ctx.models.check(ctx))
  if (!ctx.split) {
    if (wrap !== undefined) steps.push(putWrap(ctx, wrap))
    for (const { name, version } of unwraps) if (version !== null) steps.push(deleteWrap(ctx, name, version))
    await ctx.commitLogged(steps, change.event)
    return
  }
  await ctx.ring.load()
  const begun = ctx.now()
  for (const { name } of unwraps) steps.push(putNote(ctx, name, 'states'))
  if (wrap !== undefined) await ctx.secrets.commit([putWrap(ctx, wrap), putNote(ctx, wrap.name, 'secrets')])
  try {
    if (ctx.now().steadyMs - begun.steadyMs > LONGEST_MS) {
      throw new VaultError('ERR_VAULT_EXPIRED_WORK', 'the secrets store took too long', { retryable: true })
    }
    await ctx.commitLogged(steps, change.event)
  } catch (error) {
    if (wrap !== undefined && isUndecided(ctx, error)) await discard(ctx.unabortable, wrap.name)
    throw error
  }
  // A note that stays is found by the next opening, which sees that the wrap is in use.
  if (wrap !== undefined) await dropNote(ctx, wrap.name, 'secrets').catch(() => undefined)
  for (const { name } of unwraps) await finishUnwrap(ctx, name)
}

/** Deletes a wrap that the references store has given up, then the note. */
async function finishUnwrap(ctx: VaultContext, name: RecordName): Promise<void> {
  try {
    await dropWrap(ctx, name)
    await dropNote(ctx, name, 'states')
  } catch (cause) {
    throw new VaultError('ERR_VAULT_UNFINISHED', 'the record changed, but its old wrap is not deleted yet', {
      cause,
    })
  }
}

/** Takes back a wrap whose deciding batch failed; what cannot be taken back is swept at the next open. */
async function discard(ctx: VaultContext, name: RecordName): Promise<void> {
  try {
    await dropWrap(ctx, name)
    await dropNote(ctx, name, 'secrets')
  } catch {
    // The note stays, and with it the duty to sweep.
  }
}

/** Deletes the wrap of a generation if it is there. */
export async function dropWrap(ctx: VaultContext, name: RecordName): Promise<void> {
  const key = secretKey(ctx.realm, name.record, name.generation)
  for (;;) {
    const row = await ctx.secrets.get('secrets', key)
    if (row === undefined) return
    if (await tryDelete(ctx.secrets, { step: 'delete', table: 'secrets', key, expected: row.version })) return
  }
}

/** A note of unfinished work; `undefined` when no holder of the realm's keys wrote it there. */
export async function readNote(ctx: VaultContext, row: StoredRow): Promise<UnfinishedRow | undefined> {
  await ctx.ring.load()
  const begin = unfinishedStart(ctx.realm).length
  const record = row.key.slice(begin, begin + 16)
  const generation = row.key.slice(begin + 16)
  try {
    return decodeUnfinishedRow(row.bytes, { realm: ctx.realm, record, generation }, ctx.stateKey)
  } catch (error) {
    if (error instanceof RecordError) return undefined
    throw error
  }
}

/** Deletes a note of unfinished work if it is there. */
export async function dropNote(
  ctx: VaultContext,
  name: RecordName,
  table: 'secrets' | 'states',
): Promise<void> {
  const store = table === 'secrets' ? ctx.secrets : ctx.store
  const key = unfinishedKey(ctx.realm, name.record, name.generation)
  const row = await store.get(table, key)
  if (row !== undefined) await tryDelete(store, { step: 'delete', table, key, expected: row.version })
}

async function tryDelete(store: VaultStore, step: StoreStep): Promise<boolean> {
  try {
    await store.commit([step])
    return true
  } catch (error) {
    if (isConflict(error)) return false
    throw error
  }
}

function putWrap(
  ctx: VaultContext,
  wrap: { readonly name: RecordName; readonly bytes: Uint8Array },
): StoreStep {
  const key = secretKey(ctx.realm, wrap.name.record, wrap.name.generation)
  return { step: 'put', table: 'secrets', key, bytes: wrap.bytes, expected: null }
}

function deleteWrap(ctx: VaultContext, name: RecordName, version: string): StoreStep {
  return {
    step: 'delete',
    table: 'secrets',
    key: secretKey(ctx.realm, name.record, name.generation),
    expected: version,
  }
}

/** Needs loaded keys. */
function putNote(ctx: VaultContext, name: RecordName, table: 'secrets' | 'states'): StoreStep {
  const { nowMs, origin, steadyMs } = ctx.now()
  const keyVersion = ctx.ring.newestVersion
  const { state } = ctx.ring.requireRealmKeys(keyVersion)
  const bytes = encodeUnfinishedRow({ ...name, timeMs: nowMs, origin, steadyMs, keyVersion }, state)
  return {
    step: 'put',
    table,
    key: unfinishedKey(ctx.realm, name.record, name.generation),
    bytes,
    expected: null,
  }
}

/**
 * True when the deciding batch was certainly not applied. Whatever a store throws beyond its contract leaves that open:
 * then the wrap stays, and the next opening decides.
 */
function isUndecided(ctx: VaultContext, error: unknown): boolean {
  if (error instanceof GuiseError) return !isIndeterminate(error)
  return ctx.signal?.aborted === true && error === ctx.signal.reason
}
