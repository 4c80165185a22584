/** Rotate: re-wraps every record secret under the primary epoch, without face, person or secret (SPEC §11.4). @module */

import type { RecordId } from '../base/brand.ts'
import { checkBoolean, checkFunction } from '../base/check.ts'
import { GuiseError } from '../base/errors.ts'
import { realmPrefix } from '../base/identifier.ts'
import { readFields } from '../policy/fields.ts'
import { isSubjectKey, startsWith } from '../record/place.ts'
import type { StoredRow } from '../store/store.ts'
import { checkCall } from './calls.ts'
import type { VaultContext } from './context.ts'
import { rejectInput } from './errors.ts'
import { rotateShards } from './gallery-rotate.ts'
import { recordId } from './lookup.ts'
import { nameOf, rewrapRecord } from './rewrap.ts'
import type { BulkResult, RotateOptions } from './types.ts'

/** Commits under way at once: they share the store's flush. */
const PAGE = 64

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
    const moved = await rewrapRecord(ctx, row.key, options?.dryRun === true)
    return moved ? { ok: true, value: recordId(nameOf(ctx, row.key).record) } : undefined
  } catch (error) {
    if (error instanceof GuiseError) return { ok: false, error }
    throw error
  }
}
