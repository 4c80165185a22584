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

/** Share of non-mated comparisons that `threshold` accepts. */
export function falseMatchRate(scores: Scores, threshold: number): Rate {
  return acceptedShare(scores.nonMated, threshold)
}

/** Share of mated comparisons that `threshold` accepts: 1 − the false non-match rate. */
export function trueMatchRate(scores: Scores, threshold: number): Rate {
  return acceptedShare(scores.mated, threshold)
}

/** Share of mated comparisons that `threshold` refuses. */
export function falseNonMatchRate(scores: Scores, threshold: number): Rate {
  const { mated } = scores
  return rate(mated.length - countAccepted(mated, threshold), mated.length)
}

/** The most permissive threshold whose measured false match rate is at most `target`; never interpolated. */
export function thresholdAt(nonMated: Uint16Array, target: number): number | undefined {
  if (!(target > 0 && target < 1)) throw inputError('the target must be a fraction between 0 and 1')
  const accepted = accumulate(nonMated)
  for (let threshold = 1; threshold <= MAX_GRADE; threshold++) {
    if (at(accepted, threshold) <= target * nonMated.length) return threshold
  }
  return undefined
}

/** Both rates at `thresholdAt(target)`. */
export function figuresAt(scores: Scores, target: number): OperatingFigures {
  const threshold = thresholdAt(scores.nonMated, target)
  return {
    threshold,
    falseMatchRate: acceptedShare(scores.nonMated, threshold ?? MAX_GRADE + 1),
    trueMatchRate: acceptedShare(scores.mated, threshold ?? MAX_GRADE + 1),
  }
}

/** The equal error rate with its bracket, as the fingerprint verification competitions define it (FVC2000). */
export function equalErrorRate(scores: Scores): EqualErrorRate {
  needBoth(scores)
  return crossing(accumulate(scores.mated), accumulate(scores.nonMated))
}

/** The same from accepted counts or weights. */
export function crossing(mated: Accepted, nonMated: Accepted): EqualErrorRate {
  const falseMatch = (threshold: number): number => at(nonMated, threshold) / at(nonMated, 0)
  const falseNonMatch = (threshold: number): number => 1 - at(mated, threshold) / at(mated, 0)
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

export function needBoth(scores: Scores): void {
  if (scores.mated.length > 0 && scores.nonMated.length > 0) return
  throw new EvaluateError('ERR_EVALUATE_TOO_FEW', 'mated and non-mated comparisons are both needed')
}

function accumulate(grades: Uint16Array): Accepted {
  const weights = new Float64Array(MAX_GRADE + 2)
  for (const grade of grades) weights[grade] = at(weights, grade) + 1
  return accumulateWeights(weights)
}

function acceptedShare(grades: Uint16Array, threshold: number): Rate {
  return rate(countAccepted(grades, threshold), grades.length)
}

function countAccepted(grades: Uint16Array, threshold: number): number {
  checkInteger(threshold, 'threshold', [1, MAX_GRADE + 1], inputError)
  let count = 0
  for (const grade of grades) if (grade >= threshold) count++
  return count
}

function at(values: Accepted, index: number): number {
  return values[index] as number
}
