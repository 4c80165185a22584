/** Rates that may be claimed, and what they come to for a whole transaction (SPEC §15.2). @module */

import type { Brand } from '../base/brand.ts'
import { checkInteger } from '../base/check.ts'
import type { Rate } from '../policy/operating-point.ts'
import { EvaluateError, inputError } from './errors.ts'
import { clopperPearson, type Interval, rate } from './rates.ts'

/**
 * "The rate is at most `target`", as a type: no plain value is one, and `claimRate` makes none that its trials
 * cannot show. A function that publishes a rate takes a `Claim`.
 */
export type Claim = Brand<
  {
    /** What is claimed: the rate is at most this. */
    readonly target: number
    readonly measured: Rate
    /** The larger of the upper ends of all intervals; at most `target`. */
    readonly bound: number
    /** People among whom the trials were made. */
    readonly subjects: number
  },
  'Claim'
>

/** What a claim is made from. */
export interface Counted {
  /** Errors. */
  readonly count: number
  /** Comparisons. */
  readonly trials: number
  readonly subjects: number
  /** Interval of a bootstrap over subjects, where it was made: the claim must hold for it too. */
  readonly bySubject?: Interval
}

/**
 * Claims that a rate is at most `target`, a fraction between 0 and 1.
 *
 * @throws {EvaluateError} `ERR_EVALUATE_TOO_FEW` when there are fewer than 3 ÷ target trials, or when the 95 %
 * interval of Clopper and Pearson, or that over subjects, ends above the target; `ERR_EVALUATE_INPUT`.
 * @example
 * const claim = claimRate(1e-3, { count: 2, trials: 10_000, subjects: 200 })
 * console.log(claim.bound < 1e-3) // true
 */
export function claimRate(target: number, counted: Counted): Claim {
  checkFraction(target, 'the target')
  if (target === 0 || target === 1) throw inputError('the target must be between 0 and 1')
  const subjects = checkInteger(counted.subjects, 'subjects', [1, Number.MAX_SAFE_INTEGER], inputError)
  const measured = rate(counted.count, counted.trials)
  if (!canShow(target, measured.trials)) {
    throw new EvaluateError('ERR_EVALUATE_TOO_FEW', 'such a rate needs at least 3 ÷ rate comparisons')
  }
  const { high: exact } = clopperPearson(counted.count, counted.trials)
  const bound = Math.max(exact, checkFraction(counted.bySubject?.high ?? 0, 'bySubject.high'))
  if (bound > target) {
    throw new EvaluateError('ERR_EVALUATE_TOO_FEW', 'the interval of the measured rate ends above the claim')
  }
  return Object.freeze({ target, measured: Object.freeze(measured), bound, subjects }) as Claim
}

/** Whether `trials` comparisons are at least 3 ÷ target: with fewer, no error at all would not show such a rate. */
export function canShow(target: number, trials: number): boolean {
  return trials * target >= 3
}

/** Rates of single comparisons, and of captures and people who fail before one. Fractions. */
export interface ComparisonRates {
  readonly falseMatchRate: number
  readonly falseNonMatchRate: number
  /** Attempts without a usable sample. Default 0. */
  readonly failureToAcquire?: number
  /** People of whom no reference could be made. Default 0. */
  readonly failureToEnroll?: number
}

/** Rates of whole transactions of one attempt; the generalised ones count people who could not be enrolled. */
export interface TransactionRates {
  readonly falseAcceptRate: number
  readonly falseRejectRate: number
  readonly generalisedFalseAcceptRate: number
  readonly generalisedFalseRejectRate: number
}

/**
 * FAR, FRR, GFAR and GFRR of transactions with a single attempt (ISO/IEC 19795-1).
 *
 * @throws {EvaluateError} `ERR_EVALUATE_INPUT` for what is no fraction.
 * @example
 * const rates = transactionRates({ falseMatchRate: 1e-4, falseNonMatchRate: 0.02, failureToAcquire: 0.05 })
 * console.log(rates.falseRejectRate.toFixed(3)) // 0.069
 */
export function transactionRates(rates: ComparisonRates): TransactionRates {
  const falseMatch = checkFraction(rates.falseMatchRate, 'falseMatchRate')
  const falseNonMatch = checkFraction(rates.falseNonMatchRate, 'falseNonMatchRate')
  const acquire = checkFraction(rates.failureToAcquire ?? 0, 'failureToAcquire')
  const enroll = checkFraction(rates.failureToEnroll ?? 0, 'failureToEnroll')
  const falseAcceptRate = falseMatch * (1 - acquire)
  const falseRejectRate = acquire + falseNonMatch * (1 - acquire)
  return {
    falseAcceptRate,
    falseRejectRate,
    generalisedFalseAcceptRate: falseAcceptRate * (1 - enroll),
    generalisedFalseRejectRate: enroll + (1 - enroll) * falseRejectRate,
  }
}

/**
 * 1 − (1 − FMR)^N: the share of searches by people who are not enrolled that would find somebody among N if
 * comparisons were independent and all people alike. They are neither: measure it.
 *
 * @param people N, 1 to 2^53 − 1.
 * @example
 * console.log(independentFalsePositives(1e-6, 1000).toFixed(7)) // 0.0009995
 */
export function independentFalsePositives(falseMatchRate: number, people: number): number {
  checkFraction(falseMatchRate, 'falseMatchRate')
  checkInteger(people, 'people', [1, Number.MAX_SAFE_INTEGER], inputError)
  return 0 - Math.expm1(people * Math.log1p(-falseMatchRate))
}

function checkFraction(value: number, name: string): number {
  if (typeof value === 'number' && value >= 0 && value <= 1) return value
  throw inputError(`${name} must be a fraction`)
}
