/** Who scores which references: threads take turns of a few, and count what they did (SPEC §15.3). @module */

import type { MatedGrades, RowScorer } from './row-scorer.ts'
import type { Pass, StreamPlan } from './stream-plan.ts'

/** References that a thread takes at a time. */
const ROWS_A_TURN = 16

/** Plain data that threads share. */
export interface Shared {
  readonly plan: StreamPlan
  readonly mated: MatedGrades
  /** Next turn, stop, comparisons done in units; then who took each turn. */
  readonly words: Int32Array
}

const NEXT = 0
export const STOP = 1
export const DONE = 2
const TAKEN_AT = 3
/** Comparisons that are counted as one in `words[DONE]`. */
export const UNIT = 64

/** The next turn that nobody has taken, for thread number `self`; −1: there is none. */
export function takeTurn({ words, plan }: Shared, self: number): number {
  if (Atomics.load(words, STOP) !== 0) return -1
  const turn = Atomics.add(words, NEXT, 1)
  if (turn >= countTurns(plan)) return -1
  Atomics.store(words, TAKEN_AT + turn, self + 1)
  return turn
}

/** A few references of one pass; returns how many comparisons that were. */
export function scoreTurn({ plan }: Shared, scorer: RowScorer, turn: number): number {
  const aPass = turnsOfPass(plan)
  const pass = plan.passes[Math.floor(turn / aPass)] as Pass
  const first = (turn % aPass) * ROWS_A_TURN
  const end = Math.min(plan.references.count, first + ROWS_A_TURN)
  let done = 0
  for (let reference = first; reference < end; reference++) done += scorer.score(pass, reference)
  return done
}

/** Turns that thread number `self` took. */
export function turnsOf({ words, plan }: Shared, self: number): readonly number[] {
  return Array.from({ length: countTurns(plan) }, (_, turn) => turn).filter(
    (turn) => words[TAKEN_AT + turn] === self + 1,
  )
}

/** Words that a plan needs. */
export function countWords(plan: StreamPlan): number {
  return TAKEN_AT + countTurns(plan)
}

function countTurns(plan: StreamPlan): number {
  return turnsOfPass(plan) * plan.passes.length
}

function turnsOfPass(plan: StreamPlan): number {
  return Math.ceil(plan.references.count / ROWS_A_TURN)
}
