/** What a holder is about to remember: the outcome of several questions, kept together or not at all (SPEC §13.5). @module */

import type { TreeHead } from '../audit/proof.ts'
import { concatBytes, toHex } from '../base/bytes.ts'
import type { Clock } from '../base/clock.ts'
import type { QuorumBudgets } from './budgets.ts'
import { QuorumError } from './errors.ts'
import type { HeadRow, RecordRow } from './rows.ts'

const HOUR_MS = 3_600_000

/** Rows as they are kept. */
export interface Remembered {
  readonly head: HeadRow
  row(record: Uint8Array, generation: Uint8Array): RecordRow
}

/** By what answers are counted. */
export interface CountRules {
  readonly budgets: QuorumBudgets
  readonly clock: Clock
  readonly windowMs: number
}

/** Changes over what is remembered; each decision sees those before it. */
export class Draft implements Remembered {
  readonly #base: Remembered
  readonly #rows = new Map<string, RecordRow>()
  #head: HeadRow

  constructor(base: Remembered) {
    this.#base = base
    this.#head = base.head
  }

  get head(): HeadRow {
    return this.#head
  }

  get rows(): readonly RecordRow[] {
    return [...this.#rows.values()]
  }

  row(record: Uint8Array, generation: Uint8Array): RecordRow {
    return this.#rows.get(nameOf(record, generation)) ?? this.#base.row(record, generation)
  }

  keep(head: HeadRow, row: RecordRow): void {
    this.#head = head
    this.#rows.set(nameOf(row.record, row.generation), row)
  }
}

/** Counts one answer; throws what stands against it. */
export function countAnswer(
  draft: Draft,
  row: RecordRow,
  asked: { readonly place: number; readonly timeMs: number; readonly seen: TreeHead },
  { budgets, clock, windowMs }: CountRules,
): void {
  const { head } = draft
  const nowMs = clock.nowMs()
  if (row.revoked) throw new QuorumError('ERR_QUORUM_REVOKED', 'the generation is revoked')
  if (Math.abs(nowMs - asked.timeMs) > windowMs)
    throw new QuorumError('ERR_QUORUM_STALE', 'the request was logged at another time')
  if (asked.place < row.next)
    throw new QuorumError('ERR_QUORUM_REPLAY', 'the log entry was answered, or a later one')
  const hour = Math.floor(nowMs / HOUR_MS)
  const own = inHour(row, hour)
  const all = inHour(head, hour)
  const spent =
    own.count >= budgets.recordPerHour || row.total >= budgets.recordTotal || all.count >= budgets.allPerHour
  if (spent) throw new QuorumError('ERR_QUORUM_BUDGET', 'the budget is spent')
  const { size, root } = asked.seen
  draft.keep(
    { ...head, hour: all.hour, count: all.count + 1, size, root },
    { ...row, hour: own.hour, count: own.count + 1, total: row.total + 1, next: asked.place + 1 },
  )
}

/** Hour and count as they are now; a clock that goes back opens no new hour. */
function inHour(
  { hour, count }: { readonly hour: number; readonly count: number },
  now: number,
): { readonly hour: number; readonly count: number } {
  return now > hour ? { hour: now, count: 0 } : { hour, count }
}

function nameOf(record: Uint8Array, generation: Uint8Array): string {
  return toHex(concatBytes(record, generation))
}
