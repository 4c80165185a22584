/** How much scores tell about who somebody is (SPEC §15.2). @module */

import { acceptedBy, countScores, figuresAt, needBoth, type ScoreCounts, type Scores } from './accuracy.ts'
import { canShow } from './claims.ts'
import { inParts } from './curves.ts'
import { EvaluateError, inputError } from './errors.ts'
import type { InformationFigures, TargetName } from './figures.ts'

/**
 * Sums over signed grades: a comparison whose similarity is negative has minus the grade of the negated similarity,
 * −10,000 to −1. All three are whole numbers, so that the order of adding does not matter. Grades alone will not do:
 * they are 0 for half of all strangers.
 */
export interface GradeMoments {
  readonly count: number
  readonly sum: number
  /** Sum of the squares. */
  readonly squares: number
}

const UNIT = 10_000
/** Parts of the scale that the two distributions are compared in, and what is added to each. */
const PARTS = 100
const PRIOR = 0.5

/**
 * `GradeMoments` of a list of signed grades, −10,000 to 10,000.
 *
 * @example
 * console.log(gradeMoments(Int16Array.of(-300, 100))) // { count: 2, sum: -200, squares: 100000 }
 */
export function gradeMoments(signed: Int16Array): GradeMoments {
  let sum = 0
  let squares = 0
  for (const grade of signed) {
    if (grade > UNIT || grade < -UNIT) throw inputError('a signed grade must be −10,000 to 10,000')
    sum += grade
    squares += grade * grade
  }
  return { count: signed.length, sum, squares }
}

/**
 * Daugman's degrees of freedom, μ(1 − μ) ÷ σ² of normalised distances from 0 to 1: how many independent fair bits
 * would spread as the distances of strangers do.
 *
 * @param distances Mean and variance (divided by the count) of the distances of non-mated comparisons.
 * @throws {EvaluateError} `ERR_EVALUATE_INPUT`; `ERR_EVALUATE_TOO_FEW` when the distances do not vary.
 * @example
 * console.log(degreesOfFreedom({ mean: 0.5, variance: 0.25 / 249 })) // 249, but for rounding
 */
export function degreesOfFreedom(distances: { readonly mean: number; readonly variance: number }): number {
  const { mean, variance } = distances
  if (!(mean >= 0 && mean <= 1)) throw inputError('the mean must be a fraction')
  if (!(variance >= 0 && variance <= 0.25)) throw inputError('the variance must be 0 to 0.25')
  if (variance === 0) throw new EvaluateError('ERR_EVALUATE_TOO_FEW', 'the distances do not vary')
  return (mean * (1 - mean)) / variance
}

/**
 * What as many independent bits tell when a share `matedDistance` of them differs between two samples of one
 * person: degrees of freedom × (1 − h(matedDistance)), h the binary entropy. Bits.
 *
 * @example
 * console.log(Math.round(identityBits(269, 0.262))) // 46
 */
export function identityBits(freedom: number, matedDistance: number): number {
  if (!(freedom >= 0 && freedom < Number.POSITIVE_INFINITY)) {
    throw inputError('degrees of freedom must be a number from 0')
  }
  if (!(matedDistance >= 0 && matedDistance <= 1)) throw inputError('the distance must be a fraction')
  return freedom * (1 - entropy(matedDistance) - entropy(1 - matedDistance))
}

/** −log2 of a false match rate: the bits that a guess must get right. `null` for 0, which no measurement shows. */
export function guessingBits(falseMatchRate: number): number | null {
  if (!(falseMatchRate >= 0 && falseMatchRate <= 1)) throw inputError('a rate must be a fraction')
  return falseMatchRate === 0 ? null : 0 - Math.log2(falseMatchRate)
}

/**
 * Kullback and Leibler's divergence of the mated from the non-mated histogram, in bits: 100 equal parts of the
 * scale, and half a comparison added to each part of either, so that an empty part is not infinitely telling.
 *
 * @throws {EvaluateError} `ERR_EVALUATE_TOO_FEW` without comparisons of both kinds; `ERR_EVALUATE_INPUT`.
 * @example
 * const same = Uint16Array.of(10, 20, 30)
 * console.log(relativeEntropyBits({ mated: same, nonMated: same })) // 0
 */
export function relativeEntropyBits(scores: Scores | ScoreCounts): number {
  needBoth(scores)
  const counts = countScores(scores)
  const p = smoothed(inParts(counts.mated, PARTS))
  const q = smoothed(inParts(counts.nonMated, PARTS))
  return p.reduce((sum, share, part) => sum + share * Math.log2(share / (q[part] as number)), 0)
}

/**
 * All four at once.
 *
 * @param moments Of the signed grades of the same comparisons.
 * @throws {EvaluateError} `ERR_EVALUATE_TOO_FEW`; `ERR_EVALUATE_INPUT`, also when the moments are of other comparisons.
 */
export function informationFigures(
  scores: Scores | ScoreCounts,
  moments: { readonly mated: GradeMoments; readonly nonMated: GradeMoments },
): InformationFigures {
  needBoth(scores)
  const comparisons = acceptedBy(scores.nonMated)[0] as number
  const freedom = degreesOfFreedom(distancesOf(moments.nonMated, comparisons))
  const mated = distancesOf(moments.mated, acceptedBy(scores.mated)[0] as number)
  const bitsAt = (target: number): number | null => {
    if (!canShow(target, comparisons)) return null
    const { threshold, falseMatchRate } = figuresAt(scores, target)
    return threshold === undefined ? null : guessingBits(falseMatchRate.value)
  }
  return {
    degreesOfFreedom: freedom,
    identityBits: identityBits(freedom, mated.mean),
    relativeEntropyBits: relativeEntropyBits(scores),
    guessingBits: { '1e-2': bitsAt(1e-2), '1e-3': bitsAt(1e-3), '1e-4': bitsAt(1e-4) } satisfies Record<
      TargetName,
      number | null
    >,
  }
}

function distancesOf(
  { count, sum, squares }: GradeMoments,
  comparisons: number,
): { readonly mean: number; readonly variance: number } {
  const whole = [count, sum, squares].every(Number.isSafeInteger)
  if (!whole || count !== comparisons) throw inputError('the moments belong to other comparisons')
  // Exact: near-equal grades would leave nothing of the difference in doubles.
  const spread = Number(BigInt(count) * BigInt(squares) - BigInt(sum) ** 2n)
  if (spread < 0 || squares > count * UNIT * UNIT) throw inputError('there are no such moments')
  return { mean: (1 - sum / count / UNIT) / 2, variance: spread / (count * count) / (4 * UNIT * UNIT) }
}

function smoothed(counts: Float64Array): Float64Array {
  const all = counts.reduce((sum, count) => sum + count, 0)
  return counts.map((count) => (count + PRIOR) / (all + PARTS * PRIOR))
}

function entropy(p: number): number {
  return p === 0 ? 0 : -p * Math.log2(p)
}
