/** How sure a difference of equal error rates is: people drawn anew, both sides alike (ISO/IEC 19795-1). @module */

import { checkInteger } from '../base/check.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import { accumulateWeights, crossing, equalErrorRate, MAX_GRADE, needBoth, type Scores } from './accuracy.ts'
import { inputError } from './errors.ts'
import { Pace, type TaskOptions } from './pace.ts'
import type { PairList, Pairs } from './pairs.ts'
import type { People } from './people.ts'
import { SeededRandom } from './random.ts'

/** A difference of rates as a fraction, with the percentile interval of the bootstrap. */
export interface Difference {
  readonly value: number
  readonly low: number
  readonly high: number
}

export interface EqualErrorDifference {
  /** Mean over the draws of keys. */
  readonly mean: Difference
  /** One for each draw. */
  readonly draws: readonly Difference[]
  readonly replicates: number
  readonly confidence: 0.95
}

export interface BootstrapOptions extends TaskOptions {
  readonly seed: string
  /** At least 200. Default 200. */
  readonly replicates?: number
}

/**
 * Difference of the equal error rates, protected − baseline, over the same pairs. A replicate draws as many
 * subjects as there are, with replacement; a mated pair counts as often as its subject was drawn, a non-mated one
 * as often as both subjects were (the product). Baseline and every draw of keys see the same weights.
 */
export async function equalErrorDifference(
  people: People,
  pairs: Pairs,
  scores: { readonly baseline: Scores; readonly draws: readonly Scores[] },
  options: BootstrapOptions,
): Promise<EqualErrorDifference> {
  const replicates = checkInteger(options.replicates ?? 200, 'replicates', [200, 100_000], inputError)
  const { baseline, draws } = scores
  if (draws.length === 0) throw inputError('at least one draw of keys is needed')
  const all = [baseline, ...draws]
  for (const set of all) checkLengths(set, pairs)
  await cryptoReady()
  const mated = subjectsOf(people, pairs.mated)
  const nonMated = subjectsOf(people, pairs.nonMated)
  const random = new SeededRandom(options.seed, 'bootstrap')
  const pace = new Pace(replicates, options)
  const samples = draws.map(() => new Float64Array(replicates))
  const means = new Float64Array(replicates)
  for (let replicate = 0; replicate < replicates; replicate++) {
    const weights = drawWeights(people.subjects, mated, nonMated, random)
    const [base, ...rates] = weightedRates(all, mated, nonMated, weights)
    let sum = 0
    rates.forEach((rate, draw) => {
      const difference = rate - (base as number)
      ;(samples[draw] as Float64Array)[replicate] = difference
      sum += difference
    })
    means[replicate] = sum / draws.length
    await pace.step(1)
  }
  const expected = equalErrorRate(baseline).value
  const values = draws.map((draw) => equalErrorRate(draw).value - expected)
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  return {
    mean: differenceOf(mean, means),
    draws: values.map((value, draw) => differenceOf(value, samples[draw] as Float64Array)),
    replicates,
    confidence: 0.95,
  }
}

/** Subjects of both sides of each pair. */
interface PairSubjects {
  readonly a: Uint32Array
  readonly b: Uint32Array
}

function subjectsOf(people: People, { references, probes }: PairList): PairSubjects {
  const subject = (sample: number): number => people.subjectOf[sample] as number
  return { a: references.map(subject), b: probes.map(subject) }
}

/** How often each subject was drawn. What leaves no mated or no non-mated pair is drawn again; one in five is kept. */
function drawWeights(
  subjects: number,
  mated: PairSubjects,
  nonMated: PairSubjects,
  random: SeededRandom,
): Uint32Array {
  for (;;) {
    const weights = random.replicate(subjects)
    const someMated = mated.a.some((subject) => at(weights, subject) > 0)
    const someNonMated = nonMated.a.some(
      (a, pair) => at(weights, a) > 0 && at(weights, at(nonMated.b, pair)) > 0,
    )
    if (someMated && someNonMated) return weights
  }
}

function weightedRates(
  sets: readonly Scores[],
  mated: PairSubjects,
  nonMated: PairSubjects,
  weights: Uint32Array,
): readonly number[] {
  const matedWeights = Float64Array.from(mated.a, (subject) => at(weights, subject))
  const nonMatedWeights = new Float64Array(nonMated.a.length)
  for (let pair = 0; pair < nonMatedWeights.length; pair++) {
    const a = nonMated.a[pair] as number
    const b = nonMated.b[pair] as number
    nonMatedWeights[pair] = (weights[a] as number) * (weights[b] as number)
  }
  return sets.map((set) => {
    return crossing(weigh(set.mated, matedWeights), weigh(set.nonMated, nonMatedWeights)).value
  })
}

function weigh(grades: Uint16Array, weights: Float64Array): Float64Array {
  const sums = new Float64Array(MAX_GRADE + 2)
  for (let pair = 0; pair < grades.length; pair++) {
    const grade = grades[pair] as number
    sums[grade] = (sums[grade] as number) + (weights[pair] as number)
  }
  return accumulateWeights(sums)
}

/** 2.5 % of the replicates lie below `low`, 2.5 % above `high`. */
export function differenceOf(value: number, replicates: Float64Array): Difference {
  const sorted = replicates.toSorted()
  const outside = Math.floor(sorted.length * 0.025)
  return { value, low: at(sorted, outside), high: at(sorted, sorted.length - 1 - outside) }
}

function checkLengths(scores: Scores, pairs: Pairs): void {
  needBoth(scores)
  const fits =
    scores.mated.length === pairs.mated.references.length &&
    scores.nonMated.length === pairs.nonMated.references.length
  if (!fits) throw inputError('scores and pairs do not belong together')
}

function at(values: ArrayLike<number>, index: number): number {
  return values[index] as number
}
