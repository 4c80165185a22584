/** Rates that never travel without their interval (ISO/IEC 19795-1, SPEC §12.2). @module */

import { checkInteger } from '../base/check.ts'
import type { Rate } from '../policy/operating-point.ts'
import { inputError } from './errors.ts'

/** Both ends of an interval, as fractions. */
export interface Interval {
  readonly low: number
  readonly high: number
}

/** Two-sided 95 % of the normal distribution. */
const Z = 1.959963984540054
/** Two-sided 90 %. */
const Z_90 = 1.6448536269514722
/** What remains on either side. */
const TAIL = 0.025
const BISECTIONS = 60
/** Binomial terms below this part of the largest one change no digit that is printed. */
const NEGLIGIBLE = 1e-18

/**
 * `count` of `trials` with the exact interval of Clopper and Pearson, which never covers less than 95 %.
 *
 * It takes the trials for independent. Comparisons that share a person are not, so the truth is wider; a
 * bootstrap over subjects tells by how much.
 */
export function rate(count: number, trials: number): Rate {
  return { value: share(count, trials), ...clopperPearson(count, trials), trials, confidence: 0.95 }
}

/** `count` of `trials` with Wilson's interval: for shares of a few hundred targets. */
export function shareRate(count: number, trials: number): Rate {
  return { value: share(count, trials), ...wilson(count, trials), trials, confidence: 0.95 }
}

/** A mean of `trials` shares between 0 and 1, with Wilson's interval as if each of them had been one trial. */
export function meanRate(value: number, trials: number): Rate {
  return { value, ...wilsonAt(value, trials), trials, confidence: 0.95 }
}

/** Wilson's score interval, two-sided 95 % (Wilson 1927). */
export function wilson(count: number, trials: number): Interval {
  return wilsonAt(share(count, trials), trials)
}

function wilsonAt(p: number, trials: number): Interval {
  const square = (Z * Z) / trials
  const middle = p + square / 2
  const half = Z * Math.sqrt((p * (1 - p) + square / 4) / trials)
  return {
    low: p === 0 ? 0 : (middle - half) / (1 + square),
    high: p === 1 ? 1 : (middle + half) / (1 + square),
  }
}

/** The exact interval, two-sided 95 % (Clopper and Pearson 1934). */
export function clopperPearson(count: number, trials: number): Interval {
  share(count, trials)
  return {
    low: count === 0 ? 0 : bisect((p) => 1 - atMost(count - 1, trials, p) < TAIL),
    high: count === trials ? 1 : bisect((p) => atMost(count, trials, p) > TAIL),
  }
}

/** Rule of three: with no error in `trials` the rate is below this with 95 % confidence, one-sided. */
export function ruleOfThree(trials: number): number {
  checkInteger(trials, 'trials', [1, Number.MAX_SAFE_INTEGER], inputError)
  return Math.min(1, 3 / trials)
}

/** What stands behind the rule of three: with no error in `trials` the rate is below 1 − 0.05^(1 ÷ trials). */
export function zeroErrorBound(trials: number): number {
  checkInteger(trials, 'trials', [1, Number.MAX_SAFE_INTEGER], inputError)
  return 0 - Math.expm1(Math.log(0.05) / trials)
}

/**
 * Doddington's rule of thirty: with at least 30 errors the true rate lies within ±30 % of the measured one with 90 %
 * confidence, when the trials are independent.
 *
 * @returns `within`: 1.645 ÷ √errors, the half-width as a share of the rate; infinite for no error.
 * @example
 * console.log(ruleOfThirty(30).holds, ruleOfThirty(29).holds) // true false
 */
export function ruleOfThirty(errors: number): { readonly holds: boolean; readonly within: number } {
  checkInteger(errors, 'errors', [0, Number.MAX_SAFE_INTEGER], inputError)
  return { holds: errors >= 30, within: Z_90 / Math.sqrt(errors) }
}

function share(count: number, trials: number): number {
  checkInteger(trials, 'trials', [1, Number.MAX_SAFE_INTEGER], inputError)
  return checkInteger(count, 'count', [0, trials], inputError) / trials
}

/** The place in [0, 1] where `below` turns from true to false. */
function bisect(below: (p: number) => boolean): number {
  let low = 0
  let high = 1
  for (let step = 0; step < BISECTIONS; step++) {
    const middle = (low + high) / 2
    if (below(middle)) low = middle
    else high = middle
  }
  return (low + high) / 2
}

/**
 * P(X ≤ k) for a binomial X, 0 < p < 1. Terms are taken relative to the largest one and divided by their sum, so
 * that + − × ÷ are enough: no logarithms or gamma functions, which differ between engines.
 */
function atMost(k: number, n: number, p: number): number {
  const mode = Math.min(n, Math.floor((n + 1) * p))
  const odds = p / (1 - p)
  let below = mode <= k ? 1 : 0
  let all = 1
  for (let i = mode, term = 1; i < n && term > NEGLIGIBLE; i++) {
    term *= ((n - i) / (i + 1)) * odds
    all += term
    if (i + 1 <= k) below += term
  }
  for (let i = mode, term = 1; i > 0 && term > NEGLIGIBLE; i--) {
    term *= i / ((n - i + 1) * odds)
    all += term
    if (i - 1 <= k) below += term
  }
  return below / all
}
