/** A walk along the boundary of what is accepted, by decisions only. @module */

import { dot } from '../matrix.ts'

/** Queries for either end of a chord when it is searched by halving. */
const HALVINGS = 5
/** Farther than this from the point nothing is accepted any more. */
const FARTHEST = 4
/**
 * Part of the way to the middle of a chord that is taken. At a cosine of c, and c' along the direction, the chord's middle lies at about
 * c·c'/T², the best place at c'/c; half of what is seen is noise of the code.
 */
const STRIDE = 0.1

export interface Walk {
  /** `undefined`: no answer will come any more. */
  readonly ask: (vector: Float64Array) => Promise<boolean | undefined>
  readonly queries: number
  /** What to try at each turn, such as faces of others; of no particular length. */
  readonly direction: (turn: number) => Float64Array
  /** Goes outwards in small steps, so that an end costs one refusal and any number of matches; else by halving. */
  readonly careful: boolean
  /** Told after every step, with the answers so far. */
  readonly step: (queries: number, at: Float64Array) => void
}

/** From an accepted vector: along each direction the ends of the accepted chord are searched, and a part of the way to its middle is taken. */
export async function walk(
  start: Float64Array,
  { ask, queries, careful, direction: draw, step }: Walk,
): Promise<void> {
  let at = start
  let answers = 0
  for (let turn = 0; ; turn++) {
    if (answers + 2 * HALVINGS > queries) return
    const direction = across(draw(turn), at)
    const ends: number[] = []
    for (const side of [1, -1]) {
      const end = await endOf(careful, (distance) =>
        ask(at.map((value, i) => value + side * distance * (direction[i] as number))),
      )
      if (end === undefined) return
      answers += end.answers
      ends.push(side * end.distance)
    }
    const shift = (STRIDE * ((ends[0] as number) + (ends[1] as number))) / 2
    at = unit(at.map((value, i) => value + shift * (direction[i] as number)))
    step(answers, at)
  }
}

async function endOf(
  careful: boolean,
  ask: (distance: number) => Promise<boolean | undefined>,
): Promise<{ readonly distance: number; readonly answers: number } | undefined> {
  let inside = 0
  let outside = FARTHEST
  let answers = 0
  while (outside - inside > FARTHEST / 2 ** HALVINGS) {
    const next = careful ? inside + FARTHEST / 2 ** (HALVINGS - 1) : (inside + outside) / 2
    const answer = await ask(next)
    if (answer === undefined) return undefined
    answers++
    if (answer) inside = next
    else outside = next
    if (careful && (!answer || next >= FARTHEST)) break
  }
  return { distance: (inside + outside) / 2, answers }
}

function across(direction: Float64Array, from: Float64Array): Float64Array {
  const product = dot(direction, from) / dot(from, from)
  return unit(direction.map((value, i) => value - product * (from[i] as number)))
}

function unit(vector: Float64Array): Float64Array {
  const length = Math.sqrt(dot(vector, vector))
  return vector.map((value) => value / length)
}
