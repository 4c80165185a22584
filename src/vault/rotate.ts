/** Rotate: re-wraps every record secret under the primary epoch, without face, person or secret (SPEC §11.4). @module */

import type { RecordId } from '../base/brand.ts'
import { GuiseError } from '../base/errors.ts'
import { realmPrefix } from '../base/identifier.ts'
import type { Profile } from '../keys/custody.ts'
import { rotateOuter } from '../keys/wraps.ts'
import { isSubjectKey, startsWith } from '../record/place.ts'
import { decodeSecretRow, encodeSecretRow, secretHeader, type SecretRow } from '../record/secret-row.ts'
import { sealFailure } from '../seal/errors.ts'
import type { StoredRow } from '../store/store.ts'
import type { VaultContext } from './context.ts'
import { recordId } from './lookup.ts'
import type { BulkResult, RotateOptions } from './types.ts'

/** Commits under way at once: they share the store's flush. */
const PAGE = 64
const RECORD_BYTES = 16
const GENERATION_BYTES = 20

/**
 * Yields one result for each wrap that was re-wrapped, or would be. Wraps under the primary epoch already are passed over, so that a
 * rotation that was stopped goes on where it stopped. A wrap that is revoked, reissued or erased meanwhile stays so.
 */
export async function* rotate(ctx: VaultContext, options?: RotateOptions): AsyncGenerator<BulkResult<RecordId>> {
  const prefix = realmPrefix(ctx.realm)
  let seen = 0
  let index = 0
  let page: StoredRow[] = []
  const flush = async function* (): AsyncGenerator<BulkResult<RecordId>> {
    const results = await Promise.all(page.map((row) => rotateRow(ctx, row, options)))
    page = []
    options?.onProgress?.(seen)
    for (const result of results) if (result !== undefined) yield { ...result, index: index++ }
  }
  for await (const row of ctx.secrets.scan('secrets', prefix, options)) {
    if (!startsWith(row.key, prefix)) break
    if (!isSubjectKey(ctx.realm, row.key)) continue
    seen++
    page.push(row)
    if (page.length === PAGE) yield* flush()
  }
  yield* flush()
}

type Result = { readonly ok: true; readonly value: RecordId } | { readonly ok: false; readonly error: GuiseError }

/** Re-wraps one row; `undefined` when there is nothing to do. */
async function rotateRow(
  ctx: VaultContext,
  row: StoredRow,
  options: RotateOptions | undefined,
): Promise<Result | undefined> {
  try {
    return await ctx.decide(options?.signal, () => rotateOnce(ctx, row.key, options))
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
  const stored = await ctx.secrets.get('secrets', key, options)
  if (stored === undefined) return undefined
  const offset = realmPrefix(ctx.realm).length
  const record = key.slice(offset, offset + RECORD_BYTES)
  const generation = key.slice(offset + RECORD_BYTES, offset + RECORD_BYTES + GENERATION_BYTES)
  const row = decodeSecretRow(stored.bytes, { realm: ctx.realm, record, generation })
  const value = recordId(record)
  if (row.epoch === ctx.ring.primary) return undefined
  if (options?.dryRun === true) return { ok: true, value }
  await ctx.ring.loadEpoch(row.epoch, options?.signal)
  const bytes = rewrap(ctx, row)
  const steps = ctx.split ? [] : [ctx.ringStep()]
  await ctx.secrets.commit([{ step: 'put', table: 'secrets', key, bytes, expected: stored.version }, ...steps])
  return { ok: true, value }
}

/** The row under the primary epoch. Needs loaded keys; does not wait. */
export function rewrap(ctx: VaultContext, row: SecretRow): Uint8Array {
  const epoch = ctx.ring.primary
  const header = secretHeader({ ...row, epoch })
  const sealed = ctx.ring.withEpoch(row.epoch, (from) =>
    ctx.ring.withEpoch(epoch, (to) =>
      rotateOuter(row, {
        profile: row.profile as Profile,
        from: { prk: from, header: row.header },
        to: { prk: to, header },
      }),
    ),
  )
  if (sealed === undefined) throw sealFailure()
  return encodeSecretRow({ header, ...sealed })
}
