/** The area under the ROC of two kinds of scores, with its interval over pairs and over people (SPEC §15.5). @module */

import type { AreaFigures } from './figures.ts'
import type { Pace } from './pace.ts'
import type { SeededRandom } from './random.ts'
import { ruleOfThree } from './rates.ts'

/** Scores of pairs, the mated first; any scale, higher for more alike. */
export interface PairScores {
  readonly scores: Float64Array
  readonly mated: number
  /** Subjects of both sides of each pair. */
  readonly first: Uint32Array
  readonly second: Uint32Array
}

/** Two-sided 95 % of the normal distribution. */
const Z = 1.959963984540054

/**
 * How often a mated score is above a non-mated one, equal ones counting half: .5 is chance, below it the linker points the wrong
 * way, which links as well. The interval over pairs is that of DeLong et al. (Biometrics 44(3), 1988).
 */
export async function areaUnderCurve(
  pairs: PairScores,
  {
    subjects,
    replicates,
    random,
    pace,
  }: {
    readonly subjects: number
    readonly replicates: number
    readonly random: SeededRandom
    readonly pace: Pace
  },
): Promise<AreaFigures> {
  const order = Uint32Array.from(pairs.scores.keys()).sort(
    (a, b) => at(pairs.scores, a) - at(pairs.scores, b),
  )
  const { value, error } = placements(pairs, order)
  const values = new Float64Array(replicates)
  for (let replicate = 0; replicate < replicates; replicate++) {
    values[replicate] = weightedArea(pairs, order, drawWeights(pairs, subjects, random))
    await pace.step(0)
  }
  values.sort()
  const outside = Math.floor(replicates * 0.025)
  return {
    value,
    ...interval(value, error, Math.min(pairs.mated, pairs.scores.length - pairs.mated)),
    bySubject: { low: at(values, outside), high: at(values, replicates - 1 - outside), replicates },
  }
}

/** Scores that do not overlap have no spread; then the rule of three says how far the truth may be. */
function interval(
  value: number,
  error: number,
  trials: number,
): { readonly low: number; readonly high: number } {
  const half = error > 0 ? Z * error : ruleOfThree(trials)
  return { low: Math.max(0, value - half), high: Math.min(1, value + half) }
}

/** The area, and its standard error from the spread of the shares of the other kind that each score is above. */
function placements(
  { scores, mated }: PairScores,
  order: Uint32Array,
): { readonly value: number; readonly error: number } {
  const of = { mated, nonMated: scores.length - mated }
  const above = { mated: new Spread(), nonMated: new Spread() }
  const below = { mated: 0, nonMated: 0 }
  eachTie(scores, order, (start, end) => {
    const tied = { mated: 0, nonMated: 0 }
    for (let i = start; i < end; i++) tied[at(order, i) < mated ? 'mated' : 'nonMated']++
    above.mated.add((below.nonMated + tied.nonMated / 2) / of.nonMated, tied.mated)
    above.nonMated.add((below.mated + tied.mated / 2) / of.mated, tied.nonMated)
    below.mated += tied.mated
    below.nonMated += tied.nonMated
  })
  const error = Math.sqrt(above.mated.variance / of.mated + above.nonMated.variance / of.nonMated)
  return { value: above.mated.mean, error }
}

/** Mean and variance of values that come several at a time. */
class Spread {
  #count = 0
  #sum = 0
  #squares = 0

  add(value: number, times: number): void {
    this.#count += times
    this.#sum += times * value
    this.#squares += times * value * value
  }

  get mean(): number {
    return this.#sum / this.#count
  }

  get variance(): number {
    if (this.#count < 2) return 0
    return Math.max(0, this.#squares - this.#sum * this.mean) / (this.#count - 1)
  }
}

function weightedArea({ scores, mated }: PairScores, order: Uint32Array, weights: Float64Array): number {
  let area = 0
  const below = { mated: 0, nonMated: 0 }
  eachTie(scores, order, (start, end) => {
    let tiedMated = 0
    let tiedNonMated = 0
    for (let i = start; i < end; i++) {
      const pair = at(order, i)
      if (pair < mated) tiedMated += at(weights, pair)
      else tiedNonMated += at(weights, pair)
    }
    area += tiedMated * (below.nonMated + tiedNonMated / 2)
    below.mated += tiedMated
    below.nonMated += tiedNonMated
  })
  return area / (below.mated * below.nonMated)
}

/** As often as a mated pair's subject, or both subjects of a non-mated one, were drawn. Some of either kind are left. */
function drawWeights(
  { scores, mated, first, second }: PairScores,
  subjects: number,
  random: SeededRandom,
): Float64Array {
  for (;;) {
    const drawn = random.replicate(subjects)
    const weights = new Float64Array(scores.length)
    const sums = [0, 0]
    for (let pair = 0; pair < weights.length; pair++) {
      const weight = at(drawn, at(first, pair))
      const all = pair < mated ? weight : weight * at(drawn, at(second, pair))
      weights[pair] = all
      sums[pair < mated ? 0 : 1] = at(sums, pair < mated ? 0 : 1) + all
    }
    if (at(sums, 0) > 0 && at(sums, 1) > 0) return weights
  }
}

function eachTie(
  scores: Float64Array,
  order: Uint32Array,
  visit: (start: number, end: number) => void,
): void {
  for (let start = 0; start < order.length; ) {
    const score = at(scores, at(order, start))
    let end = start + 1
    while (end < order.length && at(scores, at(order, end)) === score) end++
    visit(start, end)
    start = end
  }
}

function at(values: ArrayLike<number>, index: number): number {
  return values[index] as number
}
