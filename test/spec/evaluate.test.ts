/** SPEC §15: what an evaluation gives. @module */

import { linkability } from 'guise/evaluate'
import { describe, expect, test } from 'vitest'
import { codeOf } from '../support/vault.ts'

/** Quantiles of a normal distribution, evenly spaced: the sample without its noise. Acklam's rational approximation. */
function normal(count: number, mean: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => mean + quantile((i + 0.5) / count))
}

function quantile(p: number): number {
  if (p > 0.5) return -quantile(1 - p)
  const a = [-39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716]
  const b = [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572]
  const c = [-0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734]
  const d = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416]
  const row = (x: number, values: readonly number[]): number =>
    values.reduce((sum, value) => sum * x + value, 0)
  if (p < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(p))
    return row(q, [...c, 4.374664141464968, 2.938163982698783]) / row(q, [...d, 1])
  }
  const q = p - 0.5
  return (row(q * q, [...a, 2.506628277459239]) * q) / row(q * q, [...b, 1])
}

describe('EVALUATE-1', () => {
  // N(δ, 1) beside N(0, 1): the integrals, computed with other software.
  test.each([
    [0, 1, 0, 0],
    [0.25, 1, 0.0574, undefined],
    [0.5, 1, 0.1282, 0.26],
    [1, 1, 0.2935, 0.468],
    [1.5, 1, 0.4637, undefined],
    [2, 1, 0.6165, 0.751],
    [3, 1, 0.8346, 0.9],
    [4, 1, 0.943, 0.967],
    [6, 1, 0.9966, undefined],
    [1, 0.1, 0.0067, undefined],
    [1, 10, 0.8363, undefined],
  ])('EVALUATE-1 normal scores %d apart, prior odds %d: %d', async (apart, priorOdds, system, maximal) => {
    const scores = { mated: normal(20_000, apart), nonMated: normal(40_000, 0) }
    const found = await linkability(scores, { seed: 'a', priorOdds, bins: 100 })
    expect(Math.abs(found.system - system)).toBeLessThan(0.004)
    if (maximal !== undefined) expect(Math.abs(found.maximal - maximal)).toBeLessThan(0.006)
    expect(found).toMatchObject({ priorOdds, mated: 20_000, nonMated: 40_000 })
    expect(found.bins).toHaveLength(100)
    expect(found.unlinkable).toBe(system === 0)
  })

  test('EVALUATE-1 scores that do not meet are wholly linkable, and equal ones not at all', async () => {
    const apart = await linkability({ mated: [2, 3, 3], nonMated: [0, 1] }, { seed: 'a', bins: 2 })
    expect([apart.system, apart.maximal]).toEqual([1, 1])
    expect(apart.bins.map(({ local }) => local)).toEqual([0, 1])
    const equal = await linkability({ mated: [1, 1], nonMated: [1] }, { seed: 'a' })
    expect([equal.system, equal.maximal, equal.chance.quantile95]).toEqual([0, 0, 0])
  })

  test('EVALUATE-1 a hand-made example', async () => {
    // Bins [0, 1) and [1, 2]: p = 1/4, 3/4; q = 3/5, 2/5; ratios 5/12 and 15/8.
    const scores = { mated: [0, 1, 1, 2], nonMated: [0, 0, 0, 1, 2] }
    const { system, maximal, bins } = await linkability(scores, { seed: 'a', bins: 2 })
    expect(bins.map(({ from, to }) => [from, to])).toEqual([
      [0, 1],
      [1, 2],
    ])
    expect(bins[1]?.local).toBeCloseTo(7 / 23, 12)
    expect(system).toBeCloseTo((3 / 4) * (7 / 23), 12)
    expect(maximal).toBeCloseTo(Math.log2(3 / 4 + 3 / 5), 12)
  })
})

describe('EVALUATE-2', () => {
  test('EVALUATE-2 what remains by chance: the floor of finitely many scores, and the same for the same seed', async () => {
    const drawn = (count: number, seed: number): Float64Array => {
      let state = seed
      const next = (): number => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
        return (state + 0.5) / 2 ** 32
      }
      return Float64Array.from({ length: count }, () => quantile(next()))
    }
    const scores = { mated: drawn(5000, 1), nonMated: drawn(50_000, 2) }
    const first = await linkability(scores, { seed: 'a', bins: 100 })
    expect(first.chance.mean).toBeGreaterThan(0.018)
    expect(first.chance.mean).toBeLessThan(0.028)
    expect(first.chance.quantile95).toBeGreaterThan(first.chance.mean)
    expect(first.chance.permutations).toBe(200)
    expect(await linkability(scores, { seed: 'a', bins: 100 })).toEqual(first)
    expect((await linkability(scores, { seed: 'b', bins: 100 })).chance.mean).not.toBe(first.chance.mean)
  })

  test('EVALUATE-2 fewer than 5,000 mated scores make no claim', async () => {
    const scores = { mated: normal(4999, 0), nonMated: normal(6000, 0) }
    expect((await linkability(scores, { seed: 'a' })).unlinkable).toBeUndefined()
    expect((await linkability({ ...scores, mated: normal(5000, 0) }, { seed: 'a' })).unlinkable).toBe(true)
    expect((await linkability({ ...scores, mated: normal(5000, 0.5) }, { seed: 'a' })).unlinkable).toBe(false)
  })

  test.each([
    [{ mated: [], nonMated: [1] }, {}, 'ERR_EVALUATE_TOO_FEW'],
    [{ mated: [1], nonMated: [] }, {}, 'ERR_EVALUATE_TOO_FEW'],
    [{ mated: [Number.NaN], nonMated: [1] }, {}, 'ERR_EVALUATE_INPUT'],
    [{ mated: [1], nonMated: [1] }, { priorOdds: 0 }, 'ERR_EVALUATE_INPUT'],
    [{ mated: [1], nonMated: [1] }, { bins: 0 }, 'ERR_EVALUATE_INPUT'],
    [{ mated: [1], nonMated: [1] }, { permutations: 199 }, 'ERR_EVALUATE_INPUT'],
  ])('EVALUATE-2 %j with %j: %s', async (scores, options, code) => {
    expect(await codeOf(linkability(scores, { seed: 'a', ...options }))).toBe(code)
  })
})
