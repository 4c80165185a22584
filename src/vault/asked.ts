/** Attempts under a quorum: a request counts as a failure until its outcome is known (SPEC §12.3, §13.9). @module */

import { equalBytes } from '../base/bytes.ts'
import { randomBytes } from '../crypto/random.ts'
import { countAnswer, type Instant } from '../policy/attempts.ts'
import { type AttemptsRow, MOST_ATTEMPT_OPERATIONS } from '../record/attempts-row.ts'
import type { RecordName } from '../record/place.ts'
import { findOperation, type Operation, rememberOperation } from '../record/state-row.ts'

/** Code of a request in the attempts row, beside those of outcomes. */
export const ASKED = 2
const MARK_BYTES = 16

/** What a request and its outcome change of an attempts row. */
type Counted = Pick<AttemptsRow, 'count' | 'operations'>

/** A request that was counted before its outcome was known. */
export interface CountedRequest {
  /** The subject's record, under whose generation attempts are counted. */
  readonly name: RecordName
  /** Whose output is asked for. */
  readonly template: RecordName
  /** Of the quorum. */
  readonly epoch: number
  readonly mark: Uint8Array
}

/** What one call has asked and counted. */
export class Asked {
  #request: CountedRequest | undefined
  #counts = false
  #compared = false

  /** A decision begins, perhaps anew. */
  begin(): void {
    this.#compared = false
  }

  /** The name of this call's request for a generation: its operation where it has one, so that a retry goes on with it. */
  markFor(
    name: RecordName,
    asks: { readonly template: RecordName; readonly epoch: number },
    digest: Uint8Array | undefined,
  ): Uint8Array {
    const known = this.markOf(name)
    if (known !== undefined) return known
    const mark = digest ?? randomBytes(MARK_BYTES)
    this.#request = { name, ...asks, mark }
    this.#counts = false
    return mark
  }

  /** The mark of this call's request for the generation, if it made one. */
  markOf({ generation }: RecordName): Uint8Array | undefined {
    const request = this.#request
    return request !== undefined && equalBytes(request.name.generation, generation) ? request.mark : undefined
  }

  /** True when this call itself counted its request for the generation. */
  counts(name: RecordName): boolean {
    return this.#counts && this.markOf(name) !== undefined
  }

  counted(): void {
    this.#counts = true
  }

  /** Whatever comes now: the probe was compared. */
  compared(): void {
    this.#compared = true
  }

  /** The outcome is durable. */
  answered(): void {
    this.#counts = false
  }

  /** What has to be given back: a request that led to no comparison (POLICY-9). */
  get unused(): CountedRequest | undefined {
    return this.#counts && !this.#compared ? this.#request : undefined
  }
}

/** True when the request is counted and nothing has been decided since. */
export function isAsked(row: Counted, mark: Uint8Array): boolean {
  return findOperation(row.operations, mark)?.code === ASKED
}

/** The row after a request: one more failure, and a mark by which its outcome finds it. */
export function countRequest(row: Counted, mark: Uint8Array, now: Instant, live: boolean): Counted {
  const operation = { digest: mark, code: ASKED }
  return {
    count: countAnswer(row.count, false, now, live),
    operations: rememberOperation(row.operations, operation, MOST_ATTEMPT_OPERATIONS),
  }
}

/**
 * The row after the outcome of a request. A match ends the run of everything that was asked before it; what was asked behind it stays a
 * failure until its own outcome. `counts`: the request was counted by this call, also where its mark is gone.
 */
export function countOutcome(
  row: Counted,
  asked: { readonly mark: Uint8Array; readonly counts: boolean; readonly live: boolean },
  matched: boolean,
  now: Instant,
): Counted {
  const at = row.operations.findIndex(isMark(asked.mark))
  const counted = at >= 0 || asked.counts
  const { count } = row
  if (matched) {
    const operations = row.operations.filter(({ code }, i) => code !== ASKED || i > at)
    const run = operations.filter(({ code }) => code === ASKED).length
    return { count: { ...count, run, failures: Math.max(0, count.failures - (counted ? 1 : 0)) }, operations }
  }
  const failed = countAnswer(count, false, now, asked.live)
  return {
    count: { ...failed, run: count.run + (at >= 0 ? 0 : 1), failures: count.failures + (counted ? 0 : 1) },
    operations: row.operations.filter((_, i) => i !== at),
  }
}

/** The row after a request that led to no comparison. */
export function countNothing(row: Counted, mark: Uint8Array): Counted {
  const at = row.operations.findIndex(isMark(mark))
  const { count } = row
  const run = Math.max(0, count.run - (at >= 0 ? 1 : 0))
  return {
    count: { ...count, run, failures: Math.max(0, count.failures - 1) },
    operations: row.operations.filter((_, i) => i !== at),
  }
}

/** The operations without requests: whoever bound the person again has ended their run. */
export function withoutRequests(operations: readonly Operation[]): readonly Operation[] {
  return operations.filter(({ code }) => code !== ASKED)
}

function isMark(mark: Uint8Array): (operation: Operation) => boolean {
  return ({ digest, code }) => code === ASKED && equalBytes(digest, mark)
}
