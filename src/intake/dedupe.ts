/** Dedupe: a batch of embeddings against the realm's gallery (SPEC §16.8). @module */

import { checkInteger } from '../base/check.ts'
import { GuiseError } from '../base/errors.ts'
import type { Dataset } from '../dataset/dataset.ts'
import { type Embedding, embedding } from '../embedding/embedding.ts'
import { checkModel, type Model } from '../embedding/model.ts'
import { allowUnattestedCapture } from '../vault/symbols.ts'
import type { Candidate, IdentifyDecision } from '../vault/types.ts'
import type { Vault } from '../vault/vault.ts'
import { rejectIntake } from './errors.ts'
import { type BadRow, type Group, groupRows } from './rows.ts'

export interface DedupeOptions {
  /** The model that made the vectors; the vault's, mean included. */
  readonly model: Model
  /** The most members named for a row, 1 to 31. Default 8. */
  readonly limit?: number
  /** Row to begin with. Default 0. */
  readonly from?: number
  readonly signal?: AbortSignal
}

/** What a row of the batch gave. */
export type DedupedRow =
  | {
      readonly row: number
      /** `unique`: nobody else resembles it. */
      readonly outcome: 'unique'
    }
  | {
      readonly row: number
      readonly outcome: 'duplicate'
      /** Members under another subject, the most alike first. */
      readonly candidates: readonly Candidate[]
    }
  | { readonly row: number; readonly outcome: 'failed'; readonly error: GuiseError }
  | {
      /** Where a later run begins: this row was not searched for, nor any behind it. */
      readonly row: number
      readonly outcome: 'refused'
      readonly reason: 'gallery-too-large' | 'throttled'
      readonly retryAfterMs?: number
    }

type Refused = Extract<IdentifyDecision, { outcome: 'refused' }>

/**
 * Searches the gallery for each row, one after the other, and tells who resembles it beside the row's own subject. A row that cannot be
 * read or searched for is a result too; a refused search is the last one. Every row is a search of the gallery's budget and an
 * entry of the log. Vectors are wiped once they are taken over.
 *
 * @example
 * ```ts
 * for await (const found of dedupe(vault, people, { model })) {
 *   if (found.outcome === 'duplicate') console.log(found.row, found.candidates)
 * }
 * ```
 */
export async function* dedupe(
  vault: Pick<Vault, 'identify' | 'describe'>,
  dataset: Dataset,
  options: DedupeOptions,
): AsyncGenerator<DedupedRow> {
  const { model, signal } = options
  checkModel(model)
  const limit = checkInteger(options.limit ?? 8, 'limit', [1, 31], rejectIntake)
  const from = checkInteger(options.from ?? 0, 'from', [0, Number.MAX_SAFE_INTEGER], rejectIntake)
  for await (const group of groupRows(dataset, { from, fuse: false, signal })) {
    const { row } = group
    const found = await searchRow(vault, group, { model, limit, signal })
    if ('error' in found) {
      yield { row, outcome: 'failed', error: found.error }
    } else if ('refused' in found) {
      const { reason, retryAfterMs } = found.refused
      yield { row, outcome: 'refused', reason, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
      return
    } else if (found.candidates.length === 0) {
      yield { row, outcome: 'unique' }
    } else {
      yield { row, outcome: 'duplicate', candidates: found.candidates }
    }
  }
}

/** Whoever resembles a row beside its own subject. */
async function searchRow(
  vault: Pick<Vault, 'identify' | 'describe'>,
  group: Group | BadRow,
  call: { readonly model: Model; readonly limit: number; readonly signal: AbortSignal | undefined },
): Promise<
  | { readonly candidates: readonly Candidate[] }
  | { readonly error: GuiseError }
  | { readonly refused: Refused }
> {
  if ('error' in group) return { error: group.error }
  const options = call.signal === undefined ? {} : { signal: call.signal }
  try {
    const [vector] = group.vectors
    const sample: Embedding = embedding(vector as Float32Array, call.model)
    // One more than is told: the row's own subject may be among them.
    const limit = call.limit + 1
    const request = { embedding: sample, limit, [allowUnattestedCapture]: true } as const
    const decision = await vault.identify(request, options)
    if (decision.outcome === 'refused') return { refused: decision }
    if (decision.outcome !== 'candidates') return { candidates: [] }
    const own = (await vault.describe(group.subject, options))?.subject
    const others = decision.candidates.filter(({ subject }) => subject !== own)
    const named = others.slice(0, call.limit)
    return { candidates: named.map((candidate, i) => ({ ...candidate, rank: i + 1 })) }
  } catch (error) {
    if (error instanceof GuiseError) return { error }
    throw error
  }
}
