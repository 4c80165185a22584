/** How long each holder takes, and so whom to ask first (SPEC §13.6). @module */

import { processMs } from '../base/clock.ts'
import type { Course } from './collect.ts'

/** Of so many questions one goes to everybody: a holder that nobody needs must not be away unnoticed. */
const EVERYBODY_EACH = 16
const LEAST_HEDGE_MS = 20
const HEDGE_FACTOR = 3
/** Of the newest. */
const WEIGHT = 0.25

/** The paces of one quorum's holders, as this process has met them. */
export class Paces {
  /** In milliseconds; none for a holder whose last answer was none. */
  readonly #paces = new Map<number, number>()
  #questions = 0

  /** The \`need\` fastest first, when all have answered lately; otherwise everybody at once. */
  course<Member extends { readonly index: number }>(
    members: readonly Member[],
    need: number,
    timeoutMs: number,
  ): Course<Member> {
    this.#questions += 1
    const paceOf = ({ index }: Member): number => this.#paces.get(index) ?? Number.POSITIVE_INFINITY
    const sorted = members.toSorted((a, b) => paceOf(a) - paceOf(b) || a.index - b.index)
    const isKnown = Number.isFinite(paceOf(sorted.at(-1) as Member))
    if (!isKnown || this.#questions % EVERYBODY_EACH === 0) return everybody(members, need, timeoutMs)
    const hedgeMs = Math.max(LEAST_HEDGE_MS, HEDGE_FACTOR * paceOf(sorted[need - 1] as Member))
    return { members: sorted, need, first: need, hedgeMs: Math.min(hedgeMs, timeoutMs / 2), timeoutMs }
  }

  /** Runs \`ask\` and remembers how long it took. Without a valid reply the holder's pace is unknown again. */
  async measure<Value>(
    index: number,
    signal: AbortSignal,
    ask: () => Promise<Value | undefined>,
  ): Promise<Value | undefined> {
    const startMs = processMs()
    let isGood = false
    try {
      const reply = await ask()
      isGood = reply !== undefined && (reply as { readonly kind?: unknown }).kind !== 'refusal'
      return reply
    } finally {
      const tookMs = processMs() - startMs
      const before = this.#paces.get(index)
      if (isGood) this.#paces.set(index, before === undefined ? tookMs : before + WEIGHT * (tookMs - before))
      else if (!signal.aborted) this.#paces.delete(index)
      // Others were faster.
      else this.#paces.set(index, Math.max(before ?? 0, tookMs))
    }
  }
}

/** Everybody at once. */
export function everybody<Member>(
  members: readonly Member[],
  need: number,
  timeoutMs: number,
): Course<Member> {
  return { members, need, first: members.length, hedgeMs: timeoutMs, timeoutMs }
}
