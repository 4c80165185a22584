/** Error trade-off and histogram of scores (SPEC §15.2, ISO/IEC 19795-1). @module */

import { checkInteger } from '../base/check.ts'
import {
  type Accepted,
  acceptedBy,
  countScores,
  type GradeCounts,
  MAX_GRADE,
  needBoth,
  type ScoreCounts,
  type Scores,
} from './accuracy.ts'
import { inputError } from './errors.ts'
import type { DetPoint, ScoreHistogram } from './figures.ts'

const MOST_POINTS = 400
/** A rate below this many comparisons' worth of one cannot be shown. */
const LEAST_COUNT = 3

/**
 * Both error rates at every threshold where one of them changes, from the most permissive. A point is left out
 * when either rate is below 3 ÷ its comparisons; of more than 400 points, 400 at equal distances in their order
 * remain, the first and the last among them. Scores that do not overlap have no point.
 *
 * @throws {EvaluateError} `ERR_EVALUATE_TOO_FEW` without comparisons of both kinds; `ERR_EVALUATE_INPUT`.
 * @example
 * const mated = Uint16Array.of(4000, 5000, 6000, 7000, 8000, 9000)
 * const nonMated = Uint16Array.of(0, 0, 4500, 6200, 6500, 7500)
 * console.log(detPoints({ mated, nonMated })[0]?.threshold) // 6001
 */
export function detPoints(scores: Scores | ScoreCounts): readonly DetPoint[] {
  needBoth(scores)
  const mated = acceptedBy(scores.mated)
  const nonMated = acceptedBy(scores.nonMated)
  const points: DetPoint[] = []
  let before: readonly [number, number] | undefined
  for (let threshold = 1; threshold <= MAX_GRADE; threshold++) {
    const falseMatches = at(nonMated, threshold)
    const falseNonMatches = at(mated, 0) - at(mated, threshold)
    if (falseMatches < LEAST_COUNT) break
    const same = before?.[0] === falseMatches && before[1] === falseNonMatches
    before = [falseMatches, falseNonMatches]
    if (same || falseNonMatches < LEAST_COUNT) continue
    points.push({
      threshold,
      falseMatchRate: falseMatches / at(nonMated, 0),
      falseNonMatchRate: falseNonMatches / at(mated, 0),
    })
  }
  return thinned(points)
}

/**
 * Shares of mated and of non-mated scores in equal parts of the similarities from 0 to 1. Similarities that are not
 * positive have grade 0 and lie in the first part.
 *
 * @param parts 1 to 10,000, default 100; grade g lies in part min(parts − 1, ⌊g · parts ÷ 10,000⌋).
 * @throws {EvaluateError} `ERR_EVALUATE_TOO_FEW` without comparisons of both kinds; `ERR_EVALUATE_INPUT`.
 * @example
 * const scores = { mated: Uint16Array.of(9000, 7000), nonMated: Uint16Array.of(0, 100, 3000, 100) }
 * console.log(scoreHistogram(scores, 2).nonMated) // [ 1, 0 ]
 */
export function scoreHistogram(scores: Scores | ScoreCounts, parts = 100): ScoreHistogram {
  checkInteger(parts, 'parts', [1, MAX_GRADE], inputError)
  needBoth(scores)
  const { mated, nonMated } = countScores(scores)
  return { from: 0, to: 1, mated: shares(inParts(mated, parts)), nonMated: shares(inParts(nonMated, parts)) }
}

/** Counts of the equal parts. */
export function inParts(counts: GradeCounts, parts: number): Float64Array {
  const sums = new Float64Array(parts)
  for (const [grade, count] of counts.entries()) {
    const part = Math.min(parts - 1, Math.floor((grade * parts) / MAX_GRADE))
    sums[part] = at(sums, part) + count
  }
  return sums
}

function shares(counts: Float64Array): readonly number[] {
  const all = counts.reduce((sum, count) => sum + count, 0)
  return Array.from(counts, (count) => count / all)
}

function thinned(points: readonly DetPoint[]): readonly DetPoint[] {
  if (points.length <= MOST_POINTS) return points
  return Array.from({ length: MOST_POINTS }, (_, i) => {
    return points[Math.floor((i * (points.length - 1)) / (MOST_POINTS - 1))] as DetPoint
  })
}

function at(values: Accepted, index: number): number {
  return values[index] as number
}
