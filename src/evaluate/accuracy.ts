/** Error rates of a set of scores (ISO/IEC 19795-1, SPEC §7, §12.2). @module */

import { checkInteger } from '../base/check.ts'
import type { Rate } from '../policy/operating-point.ts'
import { EvaluateError, inputError } from './errors.ts'
import { rate } from './rates.ts'

/**
 * Scores as grades: the largest threshold T of SPEC §7 (similarity in ten-thousandths, 1 to 10,000) that accepts
 * the comparison, or 0 when none does. So a comparison is accepted at T exactly when its grade is at least T.
 */
export interface Scores {
  /** Comparisons of two samples of one person. */
  readonly mated: Uint16Array
  /** Comparisons of samples of two people. */
  readonly nonMated: Uint16Array
}

/**
 * Comparisons by grade: entry g says how many have grade g. 10,001 whole numbers from 0 to 2^53 − 1, so that a
 * hundred million comparisons need no list. Add two of them entry by entry.
 */
export type GradeCounts = Float64Array

/** What `Scores` lists, counted. */
export interface ScoreCounts {
  readonly mated: GradeCounts
  readonly nonMated: GradeCounts
}

/** The strictest threshold; one above it stands for refusing everything. */
export const MAX_GRADE = 10_000

/** Where both errors are equal. Thresholds are steps, so the truth lies in a bracket; `value` is its middle. */
export interface EqualErrorRate {
  readonly value: number
  readonly low: number
  readonly high: number
}

/** What a threshold does. */
export interface OperatingFigures {
  /** `undefined` when even the strictest threshold accepts too many; then nothing is accepted. */
  readonly threshold: number | undefined
  readonly falseMatchRate: Rate
  readonly trueMatchRate: Rate
}

/** How many grades, or how much weight, each threshold from 0 to 10,001 accepts. */
export type Accepted = Float64Array

/**
 * How many comparisons have each grade.
 *
 * @param grades Grades from 0 to 10,000, as `Scores` has them.
 * @returns 10,001 counts.
 * @throws {EvaluateError} `ERR_EVALUATE_INPUT` for a grade above 10,000.
 * @example
 * const counts = countGrades(Uint16Array.of(0, 4100, 4100))
 * console.log(counts[4100]) // 2
 */
export function countGrades(grades: Uint16Array): GradeCounts {
  const counts = new Float64Array(MAX_GRADE + 1)
  for (const grade of grades) {
    if (grade > MAX_GRADE) throw inputError('a grade must be at most 10,000')
    counts[grade] = at(counts, grade) + 1
  }
  return counts
}

/** `countGrades` of both kinds; counts are given back as they are, once they are found to be counts. */
export function countScores(scores: Scores | ScoreCounts): ScoreCounts {
  return { mated: countsOf(scores.mated), nonMated: countsOf(scores.nonMated) }
}

/** How many comparisons were counted. */
export function totalOf(counts: GradeCounts): number {
  return counts.reduce((sum, count) => sum + count, 0)
}

/** How many comparisons each threshold from 0 to 10,001 accepts. */
export function acceptedBy(grades: Uint16Array | GradeCounts): Accepted {
  const weights = new Float64Array(MAX_GRADE + 2)
  weights.set(countsOf(grades))
  return accumulateWeights(weights)
}

/** Share of non-mated comparisons that `threshold` accepts. */
export function falseMatchRate(scores: Scores | ScoreCounts, threshold: number): Rate {
  return acceptedShare(scores.nonMated, threshold)
}

/** Share of mated comparisons that `threshold` accepts: 1 − the false non-match rate. */
export function trueMatchRate(scores: Scores | ScoreCounts, threshold: number): Rate {
  return acceptedShare(scores.mated, threshold)
}

/** Share of mated comparisons that `threshold` refuses. */
export function falseNonMatchRate(scores: Scores | ScoreCounts, threshold: number): Rate {
  const { accepted, trials } = tally(scores.mated, threshold)
  return rate(trials - accepted, trials)
}

/** The most permissive threshold whose measured false match rate is at most `target`; never interpolated. */
export function thresholdAt(nonMated: Uint16Array | GradeCounts, target: number): number | undefined {
  if (!(target > 0 && target < 1)) throw inputError('the target must be a fraction between 0 and 1')
  const accepted = acceptedBy(nonMated)
  for (let threshold = 1; threshold <= MAX_GRADE; threshold++) {
    if (at(accepted, threshold) <= target * at(accepted, 0)) return threshold
  }
  return undefined
}

/** Both rates at `thresholdAt(target)`. */
export function figuresAt(scores: Scores | ScoreCounts, target: number): OperatingFigures {
  const threshold = thresholdAt(scores.nonMated, target)
  return {
    threshold,
    falseMatchRate: acceptedShare(scores.nonMated, threshold ?? MAX_GRADE + 1),
    trueMatchRate: acceptedShare(scores.mated, threshold ?? MAX_GRADE + 1),
  }
}

/** The equal error rate with its bracket, as the fingerprint verification competitions define it (FVC2000). */
export function equalErrorRate(scores: Scores | ScoreCounts): EqualErrorRate {
  needBoth(scores)
  return crossing(acceptedBy(scores.mated), acceptedBy(scores.nonMated))
}

/** The same from accepted counts or weights. */
export function crossing(mated: Accepted, nonMated: Accepted): EqualErrorRate {
  const falseMatch = (threshold: number): number => at(nonMated, threshold) / at(nonMated, 0)
  const falseNonMatch = (threshold: number): number => (at(mated, 0) - at(mated, threshold)) / at(mated, 0)
  let after = 0
  while (falseNonMatch(after) < falseMatch(after)) after++
  const before = falseNonMatch(after) === falseMatch(after) ? after : after - 1
  const sumBefore = falseNonMatch(before) + falseMatch(before)
  const sumAfter = falseNonMatch(after) + falseMatch(after)
  const [low, high] =
    sumBefore <= sumAfter
      ? [falseNonMatch(before), falseMatch(before)]
      : [falseMatch(after), falseNonMatch(after)]
  return { value: (low + high) / 2, low, high }
}

/** Turns weights per grade (10,002 of them, the last one 0) into what each threshold accepts, in place. */
export function accumulateWeights(weights: Accepted): Accepted {
  for (let grade = MAX_GRADE; grade >= 0; grade--)
    weights[grade] = at(weights, grade) + at(weights, grade + 1)
  return weights
}

export function needBoth(scores: Scores | ScoreCounts): void {
  if (isSome(scores.mated) && isSome(scores.nonMated)) return
  throw new EvaluateError('ERR_EVALUATE_TOO_FEW', 'mated and non-mated comparisons are both needed')
}

function isSome(grades: Uint16Array | GradeCounts): boolean {
  return grades instanceof Uint16Array ? grades.length > 0 : totalOf(countsOf(grades)) > 0
}

function countsOf(grades: Uint16Array | GradeCounts): GradeCounts {
  if (grades instanceof Uint16Array) return countGrades(grades)
  if (!(grades instanceof Float64Array))
    throw inputError('grades must be a Uint16Array, counts a Float64Array')
  if (grades.length !== MAX_GRADE + 1) throw inputError('counts must have 10,001 entries')
  if (!grades.every((count) => Number.isSafeInteger(count) && count >= 0)) {
    throw inputError('counts must be whole numbers')
  }
  if (!Number.isSafeInteger(totalOf(grades))) throw inputError('there are too many comparisons')
  return grades
}

function acceptedShare(grades: Uint16Array | GradeCounts, threshold: number): Rate {
  const { accepted, trials } = tally(grades, threshold)
  return rate(accepted, trials)
}

function tally(
  grades: Uint16Array | GradeCounts,
  threshold: number,
): { readonly accepted: number; readonly trials: number } {
  checkInteger(threshold, 'threshold', [1, MAX_GRADE + 1], inputError)
  const accepted = acceptedBy(grades)
  return { accepted: at(accepted, threshold), trials: at(accepted, 0) }
}

function at(values: Accepted, index: number): number {
  return values[index] as number
}
