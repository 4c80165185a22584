import { describe, expect, test } from 'vitest'
import {
  equalErrorRate,
  falseMatchRate,
  falseNonMatchRate,
  figuresAt,
  type Scores,
  thresholdAt,
  trueMatchRate,
} from '../../src/evaluate/accuracy.ts'

function scores(mated: readonly number[], nonMated: readonly number[]): Scores {
  return { mated: Uint16Array.from(mated), nonMated: Uint16Array.from(nonMated) }
}

describe('rates at a threshold', () => {
  const given = scores([0, 3000, 5000, 9000], [0, 0, 1000, 3000, 4999])

  test('a comparison is accepted when its grade is at least the threshold', () => {
    expect(falseMatchRate(given, 3000).value).toBe(2 / 5)
    expect(falseMatchRate(given, 3001).value).toBe(1 / 5)
    expect(trueMatchRate(given, 3000).value).toBe(3 / 4)
    expect(falseNonMatchRate(given, 5001)).toMatchObject({ value: 3 / 4, trials: 4, confidence: 0.95 })
    expect(falseMatchRate(given, 10_000).value).toBe(0)
  })

  test.each([0, 10_002, 1.5, Number.NaN])('threshold %d is refused', (threshold) => {
    expect(() => falseMatchRate(given, threshold)).toThrow(
      expect.objectContaining({ code: 'ERR_EVALUATE_INPUT' }),
    )
  })
})

describe('threshold for a false match rate', () => {
  const nonMated = Uint16Array.from({ length: 1000 }, (_, i) => i + 1)

  test('is the most permissive one that keeps it', () => {
    expect(thresholdAt(nonMated, 0.01)).toBe(991)
    expect(thresholdAt(nonMated, 0.0109)).toBe(991)
    expect(thresholdAt(nonMated, 0.001)).toBe(1000)
    expect(thresholdAt(nonMated, 0.0005)).toBe(1001)
    expect(thresholdAt(nonMated, 0.9999)).toBe(2)
  })

  test('takes the safe side of a tie and never interpolates', () => {
    const tied = Uint16Array.from([
      ...Array.from({ length: 90 }, () => 0),
      ...Array.from({ length: 10 }, () => 4000),
    ])
    expect(thresholdAt(tied, 0.1)).toBe(1)
    expect(thresholdAt(tied, 0.0999)).toBe(4001)
  })

  test('does not exist when the strictest threshold accepts too many', () => {
    const twins = Uint16Array.from([10_000, 10_000, 0])
    expect(thresholdAt(twins, 0.5)).toBeUndefined()
    const figures = figuresAt(scores([10_000], [10_000]), 0.5)
    expect(figures).toMatchObject({
      threshold: undefined,
      falseMatchRate: { value: 0 },
      trueMatchRate: { value: 0 },
    })
  })

  test('gives both rates', () => {
    const figures = figuresAt({ mated: Uint16Array.from([990, 991, 5000, 6000]), nonMated }, 0.01)
    expect(figures).toMatchObject({
      threshold: 991,
      falseMatchRate: { value: 0.01, trials: 1000 },
      trueMatchRate: { value: 0.75, trials: 4 },
    })
  })

  test.each([0, 1, -1, Number.NaN])('target %d is refused', (target) => {
    expect(() => thresholdAt(nonMated, target)).toThrow(
      expect.objectContaining({ code: 'ERR_EVALUATE_INPUT' }),
    )
  })
})

describe('equal error rate', () => {
  test('of sets apart is 0', () => {
    expect(equalErrorRate(scores([5000, 6000], [10, 20]))).toEqual({ value: 0, low: 0, high: 0 })
  })

  test('of the same set twice is a half, of a set turned round 1', () => {
    const grades = Array.from({ length: 100 }, (_, i) => 1000 + i)
    expect(equalErrorRate(scores(grades, grades)).value).toBe(0.5)
    expect(equalErrorRate(scores([10], [5000])).value).toBe(1)
  })

  test('at an exact crossing', () => {
    expect(equalErrorRate(scores([1, 5, 6, 7], [2, 3, 4, 5]))).toEqual({ value: 0.25, low: 0.25, high: 0.25 })
  })

  test('between two thresholds it is the middle of the bracket with the smaller sum of errors', () => {
    // At 3000: FNMR 1/4 against FMR 1/3. At 3001: 3/4 against 0.
    expect(equalErrorRate(scores([1000, 3000, 3000, 5000], [2000, 2500, 3000]))).toEqual({
      value: (1 / 4 + 1 / 3) / 2,
      low: 1 / 4,
      high: 1 / 3,
    })
    // At 3000: FNMR 0 against FMR 1. At 3001: 1/4 against 0.
    expect(equalErrorRate(scores([3000, 4000, 4000, 4000], [3000, 3000]))).toEqual({
      value: 0.125,
      low: 0,
      high: 0.25,
    })
  })

  test('needs both kinds', () => {
    for (const empty of [scores([], [1]), scores([1], [])]) {
      expect(() => equalErrorRate(empty)).toThrow(expect.objectContaining({ code: 'ERR_EVALUATE_TOO_FEW' }))
    }
  })
})
