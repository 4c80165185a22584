/** Rates of single people and of groups of people (SPEC §15.2). @module */

import { checkInteger } from '../base/check.ts'
import type { Rate } from '../policy/operating-point.ts'
import { acceptedBy, MAX_GRADE, type ScoreCounts, type Scores } from './accuracy.ts'
import { EvaluateError, inputError } from './errors.ts'
import type { GroupRates, ThresholdRates } from './figures.ts'
import { rate } from './rates.ts'

/**
 * How false match rates are spread over people: median, 90 % and 99 % quantile, and the highest. A quantile q of n
 * rates in ascending order is the ⌈q·n⌉-th: a rate that somebody has.
 *
 * @param accepted For each subject as a reference, the non-mated comparisons that were accepted.
 * @param trials And all of them; subjects without any are left out.
 * @throws {EvaluateError} `ERR_EVALUATE_TOO_FEW` when nobody has a comparison; `ERR_EVALUATE_INPUT`.
 * @example
 * console.log(perSubjectRates([0, 0, 5], [1000, 1000, 1000]).highest) // 0.005
 */
export function perSubjectRates(
  accepted: ArrayLike<number>,
  trials: ArrayLike<number>,
): ThresholdRates['perSubject'] {
  if (accepted.length !== trials.length) throw inputError('every subject needs both numbers')
  const rates: number[] = []
  for (let subject = 0; subject < trials.length; subject++) {
    const all = checkInteger(trials[subject], 'trials', [0, Number.MAX_SAFE_INTEGER], inputError)
    const some = checkInteger(accepted[subject], 'accepted', [0, all], inputError)
    if (all > 0) rates.push(some / all)
  }
  if (rates.length === 0) {
    throw new EvaluateError('ERR_EVALUATE_TOO_FEW', 'nobody has a non-mated comparison')
  }
  const sorted = Float64Array.from(rates).sort()
  const quantile = (percent: number): number =>
    sorted[Math.ceil((percent * sorted.length) / 100) - 1] as number
  return {
    subjects: sorted.length,
    median: quantile(50),
    q90: quantile(90),
    q99: quantile(99),
    highest: quantile(100),
  }
}

/** Comparisons within one group: both samples of a non-mated pair are of people in it. */
export interface GroupScores {
  readonly group: string
  readonly subjects: number
  readonly scores: Scores | ScoreCounts
}

/**
 * Both rates of each group at one threshold for all, 1 to 10,001; `null` where there is no such comparison.
 *
 * @throws {EvaluateError} `ERR_EVALUATE_INPUT`.
 */
export function groupRates(groups: readonly GroupScores[], threshold: number): readonly GroupRates[] {
  checkInteger(threshold, 'threshold', [1, MAX_GRADE + 1], inputError)
  return groups.map(({ group, subjects, scores }) => ({
    group,
    subjects,
    falseMatchRate: rateAt(scores.nonMated, threshold),
    trueMatchRate: rateAt(scores.mated, threshold),
  }))
}

/** How far groups are apart. */
export interface GroupSpread {
  readonly worst: string
  readonly highest: Rate
  readonly lowest: Rate
  /** Highest ÷ lowest; `null` when the lowest is 0, where the ratio says how few comparisons there are. */
  readonly ratio: number | null
}

/**
 * The group with the highest false match rate, and how many times the lowest it is. The first of equals.
 *
 * @returns `undefined` when fewer than two groups have non-mated comparisons.
 */
export function groupSpread(groups: readonly GroupRates[]): GroupSpread | undefined {
  let highest: { readonly group: string; readonly rate: Rate } | undefined
  let lowest: Rate | undefined
  let counted = 0
  for (const { group, falseMatchRate } of groups) {
    if (falseMatchRate === null) continue
    counted++
    if (highest === undefined || falseMatchRate.value > highest.rate.value)
      highest = { group, rate: falseMatchRate }
    if (lowest === undefined || falseMatchRate.value < lowest.value) lowest = falseMatchRate
  }
  if (highest === undefined || lowest === undefined || counted < 2) return undefined
  const ratio = lowest.value === 0 ? null : highest.rate.value / lowest.value
  return { worst: highest.group, highest: highest.rate, lowest, ratio }
}

function rateAt(grades: Scores['mated'] | ScoreCounts['mated'], threshold: number): Rate | null {
  const accepted = acceptedBy(grades)
  const trials = accepted[0] as number
  return trials === 0 ? null : rate(accepted[threshold] as number, trials)
}
