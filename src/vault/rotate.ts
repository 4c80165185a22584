/** Rotate: re-wraps every record secret under the primary epoch, without face, person or secret (SPEC §11.4). @module */

import type { RecordId } from '../base/brand.ts'
import { equalBytes } from '../base/bytes.ts'
import { checkBoolean, checkFunction } from '../base/check.ts'
import { GuiseError } from '../base/errors.ts'
import { realmPrefix } from '../base/identifier.ts'
import { readFields } from '../policy/fields.ts'
import { isSubjectKey, referenceKey, startsWith } from '../record/place.ts'
import { readReferenceName } from '../record/reference-row.ts'
import { decodeSecretRow } from '../record/secret-row.ts'
import type { StoredRow, StoreStep } from '../store/store.ts'
import { checkCall } from './calls.ts'
import type { VaultContext } from './context.ts'
import { rejectInput } from './errors.ts'
import { rotateShards } from './gallery-rotate.ts'
import { recordId } from './lookup.ts'
import type { BulkResult, RotateOptions } from './types.ts'
import { rewrap } from './wrap.ts'

/** Commits under way at once: they share the store's flush. */
const PAGE = 64
const RECORD_BYTES = 16
const GENERATION_BYTES = 20

/**
 * Yields one result for each wrap of a record that was re-wrapped, or would be; then re-wraps the shards of a gallery, of which it
 * yields those that it could not. Wraps under the primary epoch already are passed
 * over, so that a rotation that was stopped goes on where it stopped. A wrap that is revoked, reissued or erased
 * meanwhile stays so. No wrap goes back to an older epoch: the epochs from the first to the present one are all that ever
 * wrapped it, which is what a receipt says.
 */
export async function* rotate(
  ctx: VaultContext,
  options?: RotateOptions,
): AsyncGenerator<BulkResult<RecordId>> {
  const prefix = realmPrefix(ctx.realm)
  let seen = 0
  let index = 0
  let page: StoredRow[] = []
  const flush = async function* (): AsyncGenerator<BulkResult<RecordId>> {
    const settled = await Promise.allSettled(page.map((row) => rotateRow(ctx, row, options)))
    page = []
    options?.onProgress?.(seen)
    for (const result of settled) {
      if (result.status === 'rejected') throw result.reason
      if (result.value !== undefined) yield { ...result.value, index: index++ }
    }
  }
  for await (const row of ctx.secrets.scan('secrets', prefix)) {
    if (!startsWith(row.key, prefix)) break
    if (!isSubjectKey(ctx.realm, row.key)) continue
    seen++
    page.push(row)
    if (page.length === PAGE) yield* flush()
  }
  yield* flush()
  const dryRun = options?.dryRun === true
  for await (const error of rotateShards(ctx, { dryRun, seen: () => options?.onProgress?.(++seen) })) {
    yield { ok: false, index: index++, error }
  }
}

type Result =
  | { readonly ok: true; readonly value: RecordId }
  | { readonly ok: false; readonly error: GuiseError }

/** A checked copy of the options. */
export function checkRotate(options: unknown): RotateOptions {
  if (options === undefined) return {}
  const { dryRun, onProgress } = readFields(options, 'options', ['dryRun', 'onProgress'], rejectInput)
  const dry = dryRun === undefined ? false : checkBoolean(dryRun, 'dryRun', rejectInput)
  return {
    ...checkCall(options),
    ...(dry ? { dryRun: true } : {}),
    ...(onProgress === undefined
      ? {}
      : { onProgress: checkFunction(onProgress, 'onProgress', rejectInput) as (seen: number) => void }),
  }
}

/** Re-wraps one row; `undefined` when there is nothing to do. */
async function rotateRow(
  ctx: VaultContext,
  row: StoredRow,
  options: RotateOptions | undefined,
): Promise<Result | undefined> {
  try {
    return await ctx.decide(() => rotateOnce(ctx, row.key, options))
  } catch (error) {
    if (error instanceof GuiseError) return { ok: false, error }
    throw error
  }
}

async function rotateOnce(
  ctx: VaultContext,
  key: Uint8Array,
  options: RotateOptions | undefined,
): Promise<Result | undefined> {
  const stored = await ctx.secrets.get('secrets', key)
  if (stored === undefined) return undefined
  const offset = realmPrefix(ctx.realm).length
  const record = key.slice(offset, offset + RECORD_BYTES)
  const generation = key.slice(offset + RECORD_BYTES, offset + RECORD_BYTES + GENERATION_BYTES)
  const row = decodeSecretRow(stored.bytes, { realm: ctx.realm, record, generation })
  const value = recordId(record)
  // Which epoch is the primary one is asked before whether the wrap is in use: an erasure names the epochs until its
  // own commit, and a wrap that was in use after this question is carried to no epoch that came later.
  const { primary } = ctx.ring
  if (row.epoch >= primary || (ctx.split && !(await isInUse(ctx, record, generation)))) return undefined
  if (options?.dryRun === true) return { ok: true, value }
  await ctx.ring.loadEpoch(row.epoch)
  if (ctx.ring.primary !== primary) return rotateOnce(ctx, key, options)
  const bytes = rewrap(ctx, row, primary)
  const put: StoreStep = { step: 'put', table: 'secrets', key, bytes, expected: stored.version }
  const event = { action: 'rotate', outcome: 'done', record, generation, epoch: primary } as const
  await ctx.commitLogged(ctx.split ? [] : [put, ctx.ringStep()], event)
  // Between two stores the log knows of it first: what is not logged does not happen.
  if (ctx.split) await ctx.secrets.commit([put])
  return { ok: true, value }
}

/**
 * True when the references store still has the code of this generation. A wrap that waits for its deletion is not
 * carried over to an epoch that the receipt of its erasure does not name; what has just been read decides nothing, so the
 * store is asked once more by a commit.
 */
async function isInUse(ctx: VaultContext, record: Uint8Array, generation: Uint8Array): Promise<boolean> {
  const key = referenceKey(ctx.realm, record)
  const stored = await ctx.store.get('references', key)
  if (stored === undefined) return false
  await ctx.store.commit([{ step: 'check', table: 'references', key, expected: stored.version }])
  return equalBytes(readReferenceName(stored.bytes).generation, generation)
}
