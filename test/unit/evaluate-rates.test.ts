import { describe, expect, test } from 'vitest'
import { EvaluateError } from '../../src/evaluate/errors.ts'
import { clopperPearson, rate, ruleOfThree, shareRate, wilson } from '../../src/evaluate/rates.ts'

describe('Wilson', () => {
  test.each([
    [0, 3000, 0, 0.00128],
    [30, 300_000, 7.0e-5, 1.43e-4],
  ])('%i of %i', (count, trials, low, high) => {
    const interval = wilson(count, trials)
    expect(Math.abs(interval.low - low)).toBeLessThan(5e-7)
    expect(Math.abs(interval.high - high)).toBeLessThan(5e-6)
  })

  test('is its own mirror image and ends at the ends', () => {
    const { low, high } = wilson(7, 40)
    const mirror = wilson(33, 40)
    expect(mirror.low).toBeCloseTo(1 - high, 12)
    expect(mirror.high).toBeCloseTo(1 - low, 12)
    expect(wilson(0, 5).low).toBe(0)
    expect(wilson(5, 5).high).toBe(1)
  })
})

describe('Clopper and Pearson', () => {
  test.each([
    [0, 3000, 0, 1.2289e-3],
    [5, 10_000, 1.6236e-4, 1.16644e-3],
    [1, 1, 0.025, 1],
    [0, 1, 0, 0.975],
    [2, 10, 0.0252107, 0.5560955],
    [30, 300_000, 6.7473e-5, 1.427526e-4],
  ])('%i of %i', (count, trials, low, high) => {
    const interval = clopperPearson(count, trials)
    expect(Math.abs(interval.low - low)).toBeLessThan(1e-4 * low + 1e-12)
    expect(Math.abs(interval.high - high)).toBeLessThan(1e-4 * high)
  })

  test('with no error it is the power rule', () => {
    // (1 − p)^n = 0.025 solved by hand for n = 4: 1 − 0.025^(1/4).
    expect(clopperPearson(0, 4).high).toBeCloseTo(1 - Math.sqrt(Math.sqrt(0.025)), 12)
  })

  test('is its own mirror image, also for many trials', () => {
    for (const [count, trials] of [
      [3, 17],
      [600, 600_000],
      [6_000_000, 13_010_741],
    ] as const) {
      const a = clopperPearson(count, trials)
      const b = clopperPearson(trials - count, trials)
      expect(a.low).toBeCloseTo(1 - b.high, 10)
      expect(a.high).toBeCloseTo(1 - b.low, 10)
      expect(a.low).toBeLessThan(count / trials)
      expect(a.high).toBeGreaterThan(count / trials)
    }
  })
})

describe('rates', () => {
  test('carry interval, trials and confidence', () => {
    expect(rate(0, 3000)).toEqual({ value: 0, ...clopperPearson(0, 3000), trials: 3000, confidence: 0.95 })
    expect(shareRate(3, 4)).toEqual({ value: 0.75, ...wilson(3, 4), trials: 4, confidence: 0.95 })
  })

  test('rule of three', () => {
    expect(ruleOfThree(3000)).toBe(0.001)
    expect(ruleOfThree(1)).toBe(1)
  })

  test.each([
    [0, 0],
    [-1, 5],
    [6, 5],
    [1.5, 5],
    [1, Number.NaN],
    [1, 5.5],
  ])('%d of %d is refused', (count, trials) => {
    for (const make of [rate, shareRate, wilson, clopperPearson]) {
      expect(() => make(count, trials)).toThrow(EvaluateError)
    }
  })
})
