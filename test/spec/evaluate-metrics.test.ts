/** SPEC §15.2: rates, error trade-off, intervals, claims, transactions, information and bits. @module */

import {
  binomialAtMost,
  bitStatistics,
  claimRate,
  clopperPearson,
  countGrades,
  countScores,
  degreesOfFreedom,
  detPoints,
  equalErrorRate,
  falseMatchRate,
  falseNonMatchRate,
  figuresAt,
  gradeMoments,
  guessingBits,
  identityBits,
  independentFalsePositives,
  informationFigures,
  relativeEntropyBits,
  ruleOfThirty,
  ruleOfThree,
  type Scores,
  scoreHistogram,
  thresholdAt,
  transactionRates,
  trueMatchRate,
  wilson,
  zeroErrorBound,
} from 'guise/evaluate'
import { describe, expect, test } from 'vitest'

function scoresOf(mated: readonly number[], nonMated: readonly number[]): Scores {
  return { mated: Uint16Array.from(mated), nonMated: Uint16Array.from(nonMated) }
}

/** `count` grades from `low` to `high`, from a fixed congruential generator. */
function drawn(count: number, [low, high]: readonly [number, number], seed: number): number[] {
  let state = seed >>> 0
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return low + Math.floor((state / 2 ** 32) * (high - low + 1))
  })
}

const overlapping = scoresOf(drawn(3000, [2000, 10_000], 1), drawn(90_000, [0, 4000], 2))
const tied = scoresOf([0, 5000, 5000, 5000, 9000], [0, 0, 0, 5000, 5000, 9000])
const apart = scoresOf([9000, 9000, 9500, 10_000], [0, 0, 100, 200])

const TOO_FEW = expect.objectContaining({ code: 'ERR_EVALUATE_TOO_FEW' }) as Error
const INPUT = expect.objectContaining({ code: 'ERR_EVALUATE_INPUT' }) as Error

describe('EVALUATE-10', () => {
  test.each([
    ['overlapping', overlapping],
    ['tied', tied],
    ['apart', apart],
  ])('EVALUATE-10 counts give what lists give: %s', (_, scores) => {
    const counts = countScores(scores)
    expect(counts).toEqual({ mated: countGrades(scores.mated), nonMated: countGrades(scores.nonMated) })
    expect(counts.mated).toHaveLength(10_001)
    for (const threshold of [1, 2, 2000, 4000, 5000, 5001, 9000, 10_000, 10_001]) {
      for (const rateAt of [falseMatchRate, trueMatchRate, falseNonMatchRate]) {
        expect(rateAt(counts, threshold)).toEqual(rateAt(scores, threshold))
      }
      // Counted once more, the plain way.
      const accepted = scores.nonMated.filter((grade) => grade >= threshold).length
      expect(falseMatchRate(counts, threshold).value).toBe(accepted / scores.nonMated.length)
      const refused = scores.mated.filter((grade) => grade < threshold).length
      expect(falseNonMatchRate(counts, threshold).value).toBe(refused / scores.mated.length)
    }
    for (const target of [0.5, 0.1, 0.01, 0.001]) {
      expect(thresholdAt(counts.nonMated, target)).toBe(thresholdAt(scores.nonMated, target))
      expect(figuresAt(counts, target)).toEqual(figuresAt(scores, target))
    }
    expect(equalErrorRate(counts)).toEqual(equalErrorRate(scores))
    expect(detPoints(counts)).toEqual(detPoints(scores))
    expect(scoreHistogram(counts)).toEqual(scoreHistogram(scores))
    expect(relativeEntropyBits(counts)).toBe(relativeEntropyBits(scores))
  })

  test('EVALUATE-10 ties fall on the safe side, and the equal error rate keeps its bracket', () => {
    // At 5,000 the errors are 1/5 and 1/2, at 5,001 they are 4/5 and 1/6: the first sum is the smaller.
    expect(equalErrorRate(tied)).toEqual({ value: 0.35, low: 0.2, high: 0.5 })
    expect(thresholdAt(tied.nonMated, 0.49)).toBe(5001)
    expect(equalErrorRate(apart)).toEqual({ value: 0, low: 0, high: 0 })
  })

  test('EVALUATE-10 a hundred million comparisons need no list', () => {
    const nonMated = new Float64Array(10_001)
    nonMated[0] = 99_990_000
    nonMated[4000] = 10_000
    const mated = new Float64Array(10_001)
    mated[9000] = 1
    expect(thresholdAt(nonMated, 1e-4)).toBe(1)
    expect(thresholdAt(nonMated, 0.99e-4)).toBe(4001)
    expect(falseMatchRate({ mated, nonMated }, 4000)).toMatchObject({ value: 1e-4, trials: 1e8 })
  })

  test.each([
    ['a fraction', Float64Array.from({ length: 10_001 }, () => 0.5)],
    ['below 0', Float64Array.from({ length: 10_001 }, () => -1)],
    ['too few grades', new Float64Array(10_000)],
    ['more than whole numbers hold', Float64Array.from({ length: 10_001 }, () => 2 ** 52)],
    ['a plain list', [1, 2] as unknown as Float64Array],
    ['a grade above 10,000', Uint16Array.of(10_001)],
  ])('EVALUATE-10 counts are refused: %s', (_, counts) => {
    expect(() => thresholdAt(counts, 0.1)).toThrow(INPUT)
  })
})

describe('EVALUATE-11', () => {
  test('EVALUATE-11 the points are the steps of both rates, none below three comparisons', () => {
    const scores = scoresOf([1, 2, 3, 6, 9, 9], [0, 0, 2, 4, 5, 7])
    // At 4: 3 mated refused, 3 others accepted. At 5 only two of the others are.
    expect(detPoints(scores)).toEqual([{ threshold: 4, falseMatchRate: 0.5, falseNonMatchRate: 0.5 }])
    // The thresholds up to 40 do the same: one point, the most permissive.
    const gaps = scoresOf([1, 2, 3, 60, 90, 90], [0, 0, 2, 40, 50, 70])
    expect(detPoints(gaps)).toEqual([{ threshold: 4, falseMatchRate: 0.5, falseNonMatchRate: 0.5 }])
    expect(detPoints(apart)).toEqual([])
  })

  test('EVALUATE-11 at most 400 points: first and last, at equal distances between', () => {
    const points = detPoints(overlapping)
    expect(points).toHaveLength(400)
    const every: number[] = []
    const sorted = { mated: overlapping.mated.toSorted(), nonMated: overlapping.nonMated.toSorted() }
    let below = 0
    let refused = 0
    let before = ''
    for (let threshold = 1; threshold <= 10_000; threshold++) {
      while ((sorted.nonMated[below] as number) < threshold) below++
      while ((sorted.mated[refused] as number) < threshold) refused++
      const wrong = 90_000 - below
      if (wrong < 3) break
      if (refused >= 3 && before !== `${wrong}/${refused}`) every.push(threshold)
      before = `${wrong}/${refused}`
    }
    const indices = Array.from({ length: 400 }, (_, i) => Math.floor((i * (every.length - 1)) / 399))
    expect(points.map(({ threshold }) => threshold)).toEqual(indices.map((i) => every[i]))
    for (const point of points) {
      expect(point.falseMatchRate).toBeGreaterThanOrEqual(3 / 90_000)
      expect(point.falseNonMatchRate).toBeGreaterThanOrEqual(3 / 3000)
    }
  })

  test('EVALUATE-11 a histogram holds shares, the strictest grade in its last part', () => {
    const histogram = scoreHistogram(scoresOf([0, 4999, 5000, 10_000], [0, 0, 1, 9999]), 2)
    expect(histogram).toEqual({ from: 0, to: 1, mated: [0.5, 0.5], nonMated: [0.75, 0.25] })
    expect(scoreHistogram(overlapping).mated).toHaveLength(100)
    expect(() => scoreHistogram(overlapping, 0)).toThrow(INPUT)
    expect(() => scoreHistogram(scoresOf([], [1]))).toThrow(TOO_FEW)
    expect(() => detPoints(scoresOf([1], []))).toThrow(TOO_FEW)
  })
})

describe('EVALUATE-12', () => {
  test.each([
    [wilson, 0, 3000, 0, 0.00128],
    [wilson, 30, 300_000, 7.0e-5, 1.43e-4],
    [clopperPearson, 0, 3000, 0, 0.00123],
    [clopperPearson, 5, 10_000, 1.62e-4, 1.17e-3],
  ])('EVALUATE-12 %o of %d in %d: %d to %d', (interval, count, trials, low, high) => {
    const found = interval(count, trials)
    expect(Math.abs(found.low - low)).toBeLessThanOrEqual(0.006 * low)
    expect(Math.abs(found.high - high)).toBeLessThanOrEqual(0.006 * high)
  })

  test('EVALUATE-12 rules of three and thirty', () => {
    expect(ruleOfThree(3000)).toBe(1e-3)
    expect(zeroErrorBound(3000)).toBeCloseTo(9.98e-4, 6)
    expect(zeroErrorBound(1)).toBeCloseTo(0.95, 12)
    expect(ruleOfThirty(30)).toEqual({ holds: true, within: expect.closeTo(0.3, 3) as number })
    expect(ruleOfThirty(29).holds).toBe(false)
    expect(ruleOfThirty(0)).toEqual({ holds: false, within: Number.POSITIVE_INFINITY })
    for (const rule of [ruleOfThree, zeroErrorBound]) expect(() => rule(0)).toThrow(INPUT)
    expect(() => ruleOfThirty(-1)).toThrow(INPUT)
  })

  // Exact tails, computed with other software: whole-number sums of binomial coefficients.
  test.each([
    [512, 0.3, 2.0e-20],
    [512, 0.35, 4.8e-12],
    [512, 0.38, 2.4e-8],
    [256, 0.3, 3.3e-11],
    [256, 0.35, 6.2e-7],
    [256, 0.38, 6.4e-5],
    [128, 0.3, 2.5e-6],
    [128, 0.35, 2.6e-4],
    [128, 0.38, 3.0e-3],
  ])('EVALUATE-12 codes of %d bits under wrong keys within %d: %d', (bits, part, probability) => {
    const found = binomialAtMost(Math.floor(part * bits), bits, 0.5)
    expect(Math.abs(found / probability - 1)).toBeLessThan(0.03)
    let sum = 0n
    let coefficient = 1n
    for (let k = 0; k <= Math.floor(part * bits); k++) {
      sum += coefficient
      coefficient = (coefficient * BigInt(bits - k)) / BigInt(k + 1)
    }
    // Cut to 53 bits below the point of 2^(bits + 100).
    const exact = Number((sum << 200n) >> BigInt(bits)) / 2 ** 200
    expect(Math.abs(found / exact - 1)).toBeLessThan(1e-10)
  })

  test('EVALUATE-12 binomial tails at the ends', () => {
    expect(binomialAtMost(4, 4, 0.5)).toBe(1)
    expect(binomialAtMost(0, 4, 0.5)).toBeCloseTo(1 / 16, 15)
    expect(binomialAtMost(3, 4, 0.25)).toBeCloseTo(1 - 1 / 256, 14)
    for (const p of [0, 1, Number.NaN]) expect(() => binomialAtMost(1, 2, p)).toThrow(INPUT)
  })
})

describe('EVALUATE-13', () => {
  test('EVALUATE-13 a claim says what was measured, on how many people, and cannot be changed', () => {
    const claim = claimRate(1e-4, { count: 3, trials: 100_000, subjects: 448 })
    const { high } = clopperPearson(3, 100_000)
    expect(claim).toMatchObject({ target: 1e-4, bound: high, subjects: 448, measured: { trials: 100_000 } })
    expect(Object.isFrozen(claim) && Object.isFrozen(claim.measured)).toBe(true)
  })

  test.each([
    ['245 people make 29,890 pairs', 1e-4, { count: 0, trials: (245 * 244) / 2, subjects: 245 }],
    ['3 ÷ f without error: two-sided it ends higher', 1e-3, { count: 0, trials: 3000, subjects: 78 }],
    ['the interval ends above', 1e-3, { count: 9, trials: 10_000, subjects: 142 }],
    [
      'that over subjects does',
      1e-3,
      { count: 0, trials: 10_000, subjects: 142, bySubject: { low: 0, high: 0.0011 } },
    ],
  ])('EVALUATE-13 refused: %s', (_, target, counted) => {
    expect(() => claimRate(target, counted)).toThrow(TOO_FEW)
  })

  test('EVALUATE-13 the least number of trials without error', () => {
    // Too few for any outcome is said apart from a bad outcome.
    const few = { count: 0, trials: 2999, subjects: 78 }
    expect(() => claimRate(1e-3, few)).toThrow(
      expect.objectContaining({ message: expect.stringContaining('3 ÷') as string }),
    )
    const bad = { count: 9, trials: 3000, subjects: 78 }
    expect(() => claimRate(1e-3, bad)).toThrow(
      expect.objectContaining({ message: expect.stringContaining('interval') as string }),
    )
    // (1 − f)^n ≤ 0.025 for the first time at n = 3,688.
    expect(() => claimRate(1e-3, { count: 0, trials: 3687, subjects: 90 })).toThrow(TOO_FEW)
    expect(claimRate(1e-3, { count: 0, trials: 3688, subjects: 90 }).bound).toBeLessThanOrEqual(1e-3)
  })

  test.each([
    [0, { count: 0, trials: 1, subjects: 1 }],
    [1, { count: 0, trials: 1, subjects: 1 }],
    [Number.NaN, { count: 0, trials: 1, subjects: 1 }],
    [0.1, { count: 2, trials: 1, subjects: 1 }],
    [0.1, { count: 0, trials: 100, subjects: 0 }],
    [0.1, { count: 0, trials: 100, subjects: 9, bySubject: { low: 0, high: Number.NaN } }],
  ])('EVALUATE-13 at most %d of %j is malformed', (target, counted) => {
    expect(() => claimRate(target, counted)).toThrow(INPUT)
  })
})

describe('EVALUATE-14', () => {
  test('EVALUATE-14 rates of transactions', () => {
    const given = {
      falseMatchRate: 0.01,
      falseNonMatchRate: 0.1,
      failureToAcquire: 0.2,
      failureToEnroll: 0.5,
    }
    expect(transactionRates(given)).toEqual({
      falseAcceptRate: expect.closeTo(0.008, 15) as number,
      falseRejectRate: expect.closeTo(0.28, 15) as number,
      generalisedFalseAcceptRate: expect.closeTo(0.004, 15) as number,
      generalisedFalseRejectRate: expect.closeTo(0.5 + 0.5 * 0.2 + 0.5 * 0.8 * 0.1, 15) as number,
    })
    const plain = transactionRates({ falseMatchRate: 0.01, falseNonMatchRate: 0.1 })
    expect(plain).toMatchObject({ falseAcceptRate: 0.01, generalisedFalseRejectRate: 0.1 })
    expect(() => transactionRates({ ...given, failureToEnroll: 1.1 })).toThrow(INPUT)
  })

  test.each([
    [1e-6, 1e6, 0.6321],
    [1e-9, 1e6, 9.995e-4],
    [1e-6, 1e4, 0.00995],
    [0.5, 2, 0.75],
    [0, 5, 0],
    [1, 5, 1],
  ])('EVALUATE-14 a rate of %d among %d people: %d', (rate, people, expected) => {
    expect(Math.abs(independentFalsePositives(rate, people) - expected)).toBeLessThanOrEqual(1e-4 * expected)
    expect(() => independentFalsePositives(rate, 0)).toThrow(INPUT)
  })
})

describe('EVALUATE-18', () => {
  test('EVALUATE-18 degrees of freedom, identity bits, guessing bits', () => {
    expect(degreesOfFreedom({ mean: 0.5, variance: 0.25 / 249 })).toBeCloseTo(249, 9)
    expect(Math.round(identityBits(269, 0.262))).toBe(46)
    expect(Math.round(identityBits(512, 0.262))).toBe(87)
    expect(identityBits(100, 0)).toBe(100)
    expect(identityBits(100, 0.5)).toBe(0)
    expect(guessingBits(1e-6)).toBeCloseTo(19.93, 2)
    expect(guessingBits(1)).toBe(0)
    expect(guessingBits(0)).toBeNull()
    expect(() => degreesOfFreedom({ mean: 0.5, variance: 0 })).toThrow(TOO_FEW)
    expect(() => degreesOfFreedom({ mean: 2, variance: 0.1 })).toThrow(INPUT)
    expect(() => degreesOfFreedom({ mean: 0.5, variance: 0.3 })).toThrow(INPUT)
    expect(() => identityBits(-1, 0.5)).toThrow(INPUT)
    expect(() => identityBits(1, 1.5)).toThrow(INPUT)
    expect(() => guessingBits(1.5)).toThrow(INPUT)
  })

  test('EVALUATE-18 relative entropy of counted parts', () => {
    // Two parts of a hundred differ: (3 + ½)/(4 + 50) and (1 + ½)/(4 + 50) against each other.
    const scores = scoresOf([50, 50, 50, 150], [50, 150, 150, 150])
    const expected = (3.5 / 54) * Math.log2(3.5 / 1.5) + (1.5 / 54) * Math.log2(1.5 / 3.5)
    expect(relativeEntropyBits(scores)).toBeCloseTo(expected, 14)
    expect(relativeEntropyBits({ mated: scores.mated, nonMated: scores.mated })).toBe(0)
  })

  test('EVALUATE-18 all at once, from signed grades', () => {
    const signed = drawn(90_000, [-4000, 4000], 3).map((grade) => grade | 0)
    const scores = scoresOf(
      drawn(3000, [2000, 10_000], 1),
      signed.map((grade) => Math.max(0, grade)),
    )
    const moments = {
      mated: gradeMoments(Int16Array.from(scores.mated)),
      nonMated: gradeMoments(Int16Array.from(signed)),
    }
    const found = informationFigures(scores, moments)
    const distances = signed.map((grade) => (1 - grade / 10_000) / 2)
    const mean = distances.reduce((sum, distance) => sum + distance, 0) / distances.length
    const variance = distances.reduce((sum, d) => sum + (d - mean) ** 2, 0) / distances.length
    expect(found.degreesOfFreedom).toBeCloseTo((mean * (1 - mean)) / variance, 7)
    const mated = scores.mated.reduce((sum, grade) => sum + (1 - grade / 10_000) / 2, 0) / 3000
    expect(found.identityBits).toBeCloseTo(identityBits(found.degreesOfFreedom, mated), 9)
    expect(found.relativeEntropyBits).toBe(relativeEntropyBits(scores))
    const threshold = thresholdAt(scores.nonMated, 1e-3) as number
    const rate = falseMatchRate(scores, threshold).value
    expect(found.guessingBits['1e-3']).toBeCloseTo(-Math.log2(rate), 12)
    expect(informationFigures(countScores(scores), moments)).toEqual(found)
    const few = scoresOf([1, 2], [1, 2])
    const two = { mated: gradeMoments(Int16Array.of(1, 2)), nonMated: gradeMoments(Int16Array.of(1, 2)) }
    expect(informationFigures(few, two).guessingBits).toEqual({ '1e-2': null, '1e-3': null, '1e-4': null })
    expect(() => informationFigures(few, moments)).toThrow(INPUT)
    expect(() => informationFigures(few, { ...two, nonMated: { count: 2, sum: 9000, squares: 3 } })).toThrow(
      INPUT,
    )
    expect(() => gradeMoments(Int16Array.of(10_001))).toThrow(INPUT)
  })
})

describe('EVALUATE-19', () => {
  test('EVALUATE-19 bits counted by hand', () => {
    // Bit 0: 1 1 0 0; bit 1: 1 0 0 0; bit 2 as bit 0; the others always 0.
    const found = bitStatistics(
      [0b111, 0b101, 0, 0].map((code) => Uint8Array.of(code)),
      8,
    )
    expect(found).toEqual({
      codes: 4,
      bits: 8,
      worstBias: 0.5,
      biasBound: 1,
      fair: true,
      worstCorrelation: 1,
      constant: 5,
      minEntropyBits: expect.closeTo(2 - Math.log2(0.75), 12) as number,
    })
    const half = bitStatistics(
      [0b11, 0b01, 0b00, 0b00].map((code) => Uint8Array.of(code)),
      8,
    )
    // (4·1 − 2·1) ÷ √(2·2·1·3)
    expect(half.worstCorrelation).toBeCloseTo(2 / Math.sqrt(12), 12)
    expect(bitStatistics([Uint8Array.of(1), Uint8Array.of(1)], 8)).toMatchObject({
      worstCorrelation: null,
      constant: 8,
      minEntropyBits: 0,
    })
  })

  test('EVALUATE-19 malformed codes', () => {
    expect(() => bitStatistics([Uint8Array.of(1)], 8)).toThrow(TOO_FEW)
    expect(() => bitStatistics([Uint8Array.of(1), Uint8Array.of(1, 2)], 8)).toThrow(INPUT)
    expect(() => bitStatistics([], 12)).toThrow(INPUT)
  })
})
