/** Shares of targets as figures with both intervals (SPEC §15.6). @module */

import { differenceOf } from './bootstrap.ts'
import type { AcceptedAt, InversionFigures, RateFigures } from './figures.ts'
import { RATES, type ThresholdPair } from './inversion-plan.ts'
import type { Acceptance, Shares } from './presentation.ts'
import { SeededRandom } from './random.ts'
import { meanRate } from './rates.ts'
import { cosineGrade } from './scores.ts'

/** Draws of as many subjects as there are, with replacement: how often each was drawn. */
export interface SubjectDraws {
  /** 0, 1, 2 … for each target. */
  readonly subjectOf: Uint32Array
  readonly subjects: number
  readonly weights: readonly Uint32Array[]
}

export function drawSubjects(people: readonly number[], replicates: number, seed: string): SubjectDraws {
  const numbers = new Map<number, number>()
  const subjectOf = Uint32Array.from(people, (subject) => {
    const number = numbers.get(subject) ?? numbers.size
    numbers.set(subject, number)
    return number
  })
  const subjects = numbers.size
  const random = new SeededRandom(seed, 'inversion-bootstrap')
  const weights = Array.from({ length: replicates }, () => random.replicate(subjects))
  return { subjectOf, subjects, weights }
}

/** Mean of the targets' shares, with Wilson's interval over targets and the bootstrap's over subjects. */
export function acceptedAt(shares: Shares, thresholds: ThresholdPair, draws: SubjectDraws): AcceptedAt {
  return byRate(thresholds, (rate) => shareFigures(shares[rate] as Float64Array, draws))
}

/** The key that most targets accept under, at each rate. */
export function worstKey({ byKey }: Acceptance, thresholds: ThresholdPair, targets: number): AcceptedAt {
  return byRate(thresholds, (rate) => meanRate(Math.max(...(byKey[rate] as Float64Array)), targets))
}

/** Shares of 0 or 1: which cosines, in ten-thousandths rounded down, reach the thresholds. */
export function cosineShares(cosines: Float64Array, thresholds: ThresholdPair): Shares {
  return thresholds.map((threshold) =>
    cosines.map((cosine) => Number(threshold !== undefined && cosineGrade(cosine) >= threshold)),
  )
}

/** Mean and the values at 5, 50 and 95 % of the sorted cosines. */
export function cosineFigures(cosines: Float64Array): InversionFigures['cosine'] {
  const sorted = cosines.toSorted()
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] as number
  return { mean: mean(cosines), q05: at(0.05), q50: at(0.5), q95: at(0.95) }
}

export function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function shareFigures(shares: Float64Array, { subjectOf, subjects, weights }: SubjectDraws): RateFigures {
  const accepted = new Float64Array(subjects)
  const targets = new Float64Array(subjects)
  shares.forEach((share, target) => {
    const subject = subjectOf[target] as number
    accepted[subject] = (accepted[subject] as number) + share
    targets[subject] = (targets[subject] as number) + 1
  })
  const replicates = Float64Array.from(weights, (drawn) => {
    let sum = 0
    let count = 0
    for (let subject = 0; subject < subjects; subject++) {
      sum += (drawn[subject] as number) * (accepted[subject] as number)
      count += (drawn[subject] as number) * (targets[subject] as number)
    }
    return sum / count
  })
  const value = Math.min(1, mean(shares))
  const { low, high } = differenceOf(value, replicates)
  return { ...meanRate(value, shares.length), bySubject: { low, high, replicates: weights.length } }
}

function byRate(thresholds: ThresholdPair, figures: (rate: number) => RateFigures): AcceptedAt {
  return Object.fromEntries(
    RATES.map(([name], rate) => [name, thresholds[rate] === undefined ? null : figures(rate)]),
  ) as AcceptedAt
}
