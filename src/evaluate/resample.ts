/** How sure rates are when other people had been measured: subjects drawn anew (SPEC §15.3, ISO/IEC 19795-1). @module */

import { cryptoReady } from '../crypto/sodium.ts'
import {
  type Accepted,
  acceptedBy,
  accumulateWeights,
  countGrades,
  crossing,
  equalErrorRate,
  MAX_GRADE,
} from './accuracy.ts'
import { Pace, type TaskOptions } from './pace.ts'
import { SeededRandom } from './random.ts'
import type { Interval } from './rates.ts'
import type { Streamed } from './stream.ts'
import type { StreamPlan } from './stream-plan.ts'

/** Samples of each subject on either side. */
export interface Crowd {
  readonly subjects: number
  readonly references: Float64Array
  readonly probes: Float64Array
  readonly within: boolean
}

export interface Resampled {
  /** `undefined` without mated comparisons. */
  readonly eer: Interval | undefined
  readonly at: readonly {
    readonly threshold: number
    readonly falseMatchRate: Interval
    readonly trueMatchRate: Interval | undefined
    /** The false match rate of every replicate, in the order in which they were drawn. */
    readonly replicates: Float64Array
  }[]
}

export interface ResampleOptions extends TaskOptions {
  readonly seed: string
  readonly replicates: number
}

/** 2.5 % of the replicates lie on either side. */
const OUTSIDE = 0.025

export function crowdOf(plan: StreamPlan): Crowd {
  const { references, probes, within } = plan
  const all = [references.subjectOf, probes.subjectOf]
  const subjects = all.reduce(
    (most, list) => list.reduce((high, subject) => Math.max(high, subject + 1), most),
    0,
  )
  const samples = (subjectOf: Uint32Array): Float64Array => {
    const counts = new Float64Array(subjects)
    for (const subject of subjectOf) counts[subject] = (counts[subject] as number) + 1
    return counts
  }
  return { subjects, references: samples(references.subjectOf), probes: samples(probes.subjectOf), within }
}

/**
 * Each replicate draws as many subjects as there are, with replacement. A mated comparison counts as often as its subject
 * was drawn, a non-mated one as often as both were (the product). All ways of comparing see the same draws.
 */
export async function resampleSubjects(
  crowd: Crowd,
  sets: readonly { readonly streamed: Streamed; readonly thresholds: readonly number[] }[],
  options: ResampleOptions,
): Promise<readonly Resampled[]> {
  await cryptoReady()
  const { replicates, seed } = options
  const random = new SeededRandom(seed, 'bootstrap')
  const pace = new Pace(replicates * sets.length, options)
  const curves = sets.map(({ streamed }) => new WeightedCurves(crowd, streamed))
  const drawn = sets.map(({ thresholds }) => ({
    eer: new Float64Array(replicates),
    at: thresholds.map(() => ({
      falseMatchRate: new Float64Array(replicates),
      trueMatchRate: new Float64Array(replicates),
    })),
  }))
  for (let replicate = 0; replicate < replicates; replicate++) {
    const weights = drawWeights(crowd, curves, random)
    for (const [i, { thresholds }] of sets.entries()) {
      const { nonMated, mated } = (curves[i] as WeightedCurves).weigh(weights)
      const into = drawn[i] as (typeof drawn)[number]
      if (mated !== undefined) into.eer[replicate] = crossing(mated, nonMated).value
      for (const [k, threshold] of thresholds.entries()) {
        const rates = into.at[k] as (typeof into.at)[number]
        rates.falseMatchRate[replicate] = share(nonMated, threshold)
        if (mated !== undefined) rates.trueMatchRate[replicate] = share(mated, threshold)
      }
      await pace.step(1)
    }
  }
  return sets.map(({ thresholds }, i) => {
    const mated = (curves[i] as WeightedCurves).hasMated
    const { eer, at } = drawn[i] as (typeof drawn)[number]
    return {
      eer: mated ? middleOf(eer) : undefined,
      at: at.map(({ falseMatchRate, trueMatchRate }, k) => ({
        threshold: thresholds[k] as number,
        falseMatchRate: middleOf(falseMatchRate),
        replicates: falseMatchRate,
        trueMatchRate: mated ? middleOf(trueMatchRate) : undefined,
      })),
    }
  })
}

/** What each threshold accepts when subjects have weights. */
class WeightedCurves {
  readonly hasMated: boolean
  readonly #crowd: Crowd
  readonly #streamed: Streamed
  readonly #accepted: Accepted
  /** Non-mated comparisons of a higher grade than this, or of this one, are weighed one by one. */
  readonly #cut: number
  readonly #chosen: readonly [references: Uint32Array, probes: Uint32Array, grades: Uint16Array]
  readonly #pairs: number

  constructor(crowd: Crowd, streamed: Streamed) {
    this.#crowd = crowd
    this.#streamed = streamed
    this.hasMated = streamed.mated.length > 0
    this.#accepted = acceptedBy(streamed.counts)
    this.#pairs = pairWeight(crowd, new Float64Array(crowd.subjects).fill(1))
    const eer = this.hasMated
      ? equalErrorRate({ mated: countGrades(streamed.mated), nonMated: streamed.counts }).value
      : 0
    const most = Math.max(0.02, 2 * eer) * streamed.nonMated
    let cut = MAX_GRADE + 1
    while (cut > streamed.cut && (this.#accepted[cut - 1] as number) <= most) cut--
    this.#cut = cut
    const { references, probes, grades } = streamed.kept
    const places = Uint32Array.from(
      grades.reduce((found: number[], grade, i) => {
        if (grade >= cut) found.push(i)
        return found
      }, []),
    )
    const pick = (values: Uint32Array): Uint32Array => places.map((place) => values[place] as number)
    this.#chosen = [
      pick(references),
      pick(probes),
      Uint16Array.from(places, (place) => grades[place] as number),
    ]
  }

  /** The sums of weights that there are to be drawn from; a replicate without one of them is drawn again. */
  usable(weights: Float64Array): boolean {
    if (pairWeight(this.#crowd, weights) === 0) return false
    return !this.hasMated || this.#streamed.matedSubjects.some((subject) => (weights[subject] as number) > 0)
  }

  weigh(weights: Float64Array): { readonly nonMated: Accepted; readonly mated: Accepted | undefined } {
    return { nonMated: this.#nonMated(weights), mated: this.hasMated ? this.#mated(weights) : undefined }
  }

  #mated(weights: Float64Array): Accepted {
    const sums = new Float64Array(MAX_GRADE + 2)
    const { mated, matedSubjects } = this.#streamed
    for (let i = 0; i < mated.length; i++) {
      const grade = mated[i] as number
      sums[grade] = (sums[grade] as number) + (weights[matedSubjects[i] as number] as number)
    }
    return accumulateWeights(sums)
  }

  /** Below the cut the weight that is left is spread as the counts are. */
  #nonMated(weights: Float64Array): Accepted {
    const sums = new Float64Array(MAX_GRADE + 2)
    const [references, probes, grades] = this.#chosen
    for (let i = 0; i < grades.length; i++) {
      const grade = grades[i] as number
      const weight = (weights[references[i] as number] as number) * (weights[probes[i] as number] as number)
      sums[grade] = (sums[grade] as number) + weight
    }
    accumulateWeights(sums)
    const above = sums[this.#cut] as number
    const all = Math.max(above, (this.#streamed.nonMated * pairWeight(this.#crowd, weights)) / this.#pairs)
    const counted = this.#accepted[this.#cut] as number
    const left = this.#streamed.nonMated - counted
    for (let grade = 0; grade < this.#cut; grade++) {
      const part = left === 0 ? 0 : ((this.#accepted[grade] as number) - counted) / left
      sums[grade] = above + (all - above) * part
    }
    return sums
  }
}

/** Weight of all pairs of samples of two subjects. */
function pairWeight({ references, probes, within }: Crowd, weights: Float64Array): number {
  let ofReferences = 0
  let ofProbes = 0
  let same = 0
  for (let subject = 0; subject < weights.length; subject++) {
    const weight = weights[subject] as number
    const reference = weight * (references[subject] as number)
    const probe = weight * (probes[subject] as number)
    ofReferences += reference
    ofProbes += probe
    same += reference * probe
  }
  const ordered = ofReferences * ofProbes - same
  return within ? ordered / 2 : ordered
}

function drawWeights(crowd: Crowd, curves: readonly WeightedCurves[], random: SeededRandom): Float64Array {
  for (;;) {
    const weights = Float64Array.from(random.replicate(crowd.subjects))
    if (curves[0]?.usable(weights) !== false) return weights
  }
}

function share(accepted: Accepted, threshold: number): number {
  return (accepted[threshold] as number) / (accepted[0] as number)
}

/**
 * Where the rate of as many other people of the same kind lies when `value` was measured on these, 95 %: two drawings of people
 * differ by the ratio of two replicates. 1 where a twentieth of the drawings, or more, says nothing about the ratio.
 */
export function otherPeople(value: number, replicates: Float64Array): Interval {
  const ratios = replicates.map((rate, i) => {
    const other = replicates[(i + 1) % replicates.length] as number
    if (rate === other) return 1
    return rate / other
  })
  const { low, high } = middleOf(ratios)
  return value === 0 ? { low: 0, high: 0 } : { low: value * low, high: Math.min(1, value * high) }
}

/** 2.5 % of the replicates lie below `low`, 2.5 % above `high`. */
export function middleOf(replicates: Float64Array): Interval {
  const sorted = replicates.toSorted()
  const outside = Math.floor(sorted.length * OUTSIDE)
  return { low: sorted[outside] as number, high: sorted[sorted.length - 1 - outside] as number }
}
