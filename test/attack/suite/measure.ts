/** What an attack reports: figures with their numbers of trials, named as the table of expected values names them (SPEC §15.7). @module */

import type { People } from '../../../src/evaluate/people.ts'

export interface Figure {
  /** As in the table of expected values. */
  readonly name: string
  readonly value: number
  /** Independent trials behind the value: targets, codes, bits, guesses. */
  readonly n: number
  /** 95 %: of the mean over trials, or of the share. */
  readonly low: number
  readonly high: number
}

export type Tier = 'smoke' | 'slow'

export interface Circumstances {
  readonly seed: string
  readonly tier: Tier
  /** Whose faces are attacked. Lent: the scenario leaves them alone. */
  readonly people: () => Promise<People>
  /** Many people of the same kind: their codes are aligned. */
  readonly crowd: () => Promise<People>
  /** Other people whom the thief knows besides; without, half of `people` is all that is known. */
  readonly others?: () => Promise<People>
}

export interface Scenario {
  /** B01 to B25. */
  readonly attack: string
  readonly title: string
  /** False: it makes its own faces, and measures the same on every set. */
  readonly ofPeople: boolean
  run(circumstances: Circumstances): Promise<readonly Figure[]>
}

/** The mean of values, with 1.96 standard errors. */
export function meanOf(name: string, values: readonly number[]): Figure {
  const n = values.length
  const value = values.reduce((sum, each) => sum + each, 0) / n
  const squares = values.reduce((sum, each) => sum + (each - value) ** 2, 0)
  const half = n > 1 ? 1.96 * Math.sqrt(squares / (n - 1) / n) : Number.NaN
  return { name, value, n, low: value - half, high: value + half }
}

/** A share of trials, with Wilson's interval. */
export function shareOf(name: string, count: number, n: number): Figure {
  const z = 1.96
  const share = count / n
  const centre = (share + z ** 2 / (2 * n)) / (1 + z ** 2 / n)
  const half = (z / (1 + z ** 2 / n)) * Math.sqrt((share * (1 - share)) / n + z ** 2 / (4 * n * n))
  return { name, value: share, n, low: centre - half, high: centre + half }
}

/** One value that is no mean: a quantile, a number of attempts. */
export function plain(name: string, value: number, n: number): Figure {
  return { name, value, n, low: Number.NaN, high: Number.NaN }
}
