/** The measurements run, and say of planted values what is true. @module */
import { tmpdir } from 'node:os'
import { describe, expect, test } from 'vitest'
import { evaluateScenario } from '../../bench/src/evaluate.ts'
import { quantile, type Run, resultOf, spreadOf } from '../../bench/src/figures.ts'
import { goalsText, resultText } from '../../bench/src/report.ts'
import { rotateScenario } from '../../bench/src/rotate.ts'
import { runVariant } from '../../bench/src/rounds.ts'
import { scanScenario } from '../../bench/src/scan.ts'
import { oursTwice, type Plan, type Scenario } from '../../bench/src/scenario.ts'
import { BOTH_PARTS, seriesName, sizeScenario } from '../../bench/src/size.ts'
import { verifyScenario } from '../../bench/src/verify.ts'

const plan: Plan = {
  seed: 'smoke',
  batches: 2,
  batchMs: 0.01,
  warmMs: 1,
  calls: 2,
  people: 2,
  folder: tmpdir(),
}

/** Runs of a scenario whose ours and again took the given times, round by round. */
function planted(ours: readonly number[], again: readonly number[], peer: readonly number[]): readonly Run[] {
  const runs = (variant: string, values: readonly number[]): Run[] =>
    values.map((value, round) => ({
      variant,
      round,
      series: [{ name: 'time', unit: 'µs', values: [value, value, value] }],
      processorShare: 1,
    }))
  return [...runs('guise', ours), ...runs('guise again', again), ...runs('peer', peer)]
}

const scenario: Scenario = {
  name: 'planted',
  question: 'what is planted',
  notes: [],
  repeats: true,
  variants: [...oursTwice(async () => []), { name: 'peer', role: 'peer', run: async () => [] }],
  claims: [
    { series: 'time', most: 10 },
    { series: 'time', over: { variant: 'peer', series: 'time' }, most: 2 },
  ],
}

describe('figures', () => {
  test('quantiles are interpolated', () => {
    expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5)
    expect(spreadOf([5, 1, 3, 4, 2])).toEqual({ min: 1, q1: 2, median: 3, q3: 4, max: 5, n: 5, distinct: 5 })
  })

  test('one slow round moves neither median nor verdict, and is the smallest effect', () => {
    const result = resultOf(scenario, planted([8, 8, 80], [8, 8, 8], [4, 5, 4]))
    expect(result.figures.map(({ median }) => median)).toEqual([8, 8, 4])
    expect(result.verdicts.map(({ value, holds }) => [value, holds])).toEqual([
      [8, true],
      [2, true],
    ])
    expect(result.smallestEffect).toBeCloseTo(9)
  })

  test('a claim that is missed says so', () => {
    const result = resultOf(scenario, planted([11], [11], [4]))
    expect(result.verdicts.map(({ holds }) => holds)).toEqual([false, false])
    expect(resultText(result)).toContain('MISSED: time: 11, at most 10')
    expect(result.smallestEffect).toBe(0)
  })

  test('every claim has a line with both sides, the ratio, its spread and the goal', () => {
    const floor = { ...scenario, claims: [...scenario.claims, { series: 'time', least: 9 }] }
    const result = resultOf(floor, planted([8, 10, 12], [8, 8, 8], [4, 4, 5]))
    expect(result.verdicts.map(({ own, peer, low, high }) => [own, peer, low, high])).toEqual([
      [10, undefined, 8, 12],
      [10, 4, 2, 2.5],
      [10, undefined, 8, 12],
    ])
    const lines = goalsText([result]).split('\n')
    expect(lines[0]).toBe('## goals: 2 hold, 1 MISSED')
    expect(lines.at(-2)).toMatch(/planted: time +peer +µs +10 +4 +2\.50 +2–2\.50 +at most 2 +MISSED$/)
    expect(lines.at(-1)).toMatch(/at least 9 +holds$/)
    expect(goalsText([resultOf(floor, planted([8], [8], [9]))])).toContain('MISSED')
  })

  test('a claim about a peer that was not measured does not hold', () => {
    const result = resultOf(scenario, planted([1], [1], []))
    expect(result.verdicts[1]?.holds).toBe(false)
  })
})

describe('scenarios', () => {
  test('sizes: both parts of a template of 512 bits take at most 640 bytes, whoever it is of', async () => {
    const result = resultOf(sizeScenario, [await runVariant(sizeScenario, 'guise', 0, plan)])
    const both = result.figures.find(({ series }) => series === seriesName('operator', 512, BOTH_PARTS))
    expect(both?.distinct).toBe(1)
    expect(both?.max).toBeLessThanOrEqual(640)
    expect(result.verdicts.every(({ holds }) => holds)).toBe(true)
    expect(resultText(result)).toContain('operator, m = 512')
  })

  test('rotate: times and a ratio', async () => {
    const names = rotateScenario.variants.map(({ name }) => name)
    const runs: Run[] = []
    for (const name of names) runs.push(await runVariant(rotateScenario, name, 0, plan))
    const result = resultOf(rotateScenario, runs)
    // The last peer is compiled by clang, where there is one.
    expect([8, 9]).toContain(result.figures.length)
    expect(result.figures.every(({ n }) => n === 2)).toBe(true)
    expect(result.figures.every(({ min }) => min > 0)).toBe(true)
    expect(result.smallestEffect).toBeGreaterThanOrEqual(0)
  })

  test('scan: ours and the loops that need no server; one that does not compile leaves no figure', async () => {
    for (const { name } of scanScenario.variants.filter(({ name }) => !/PostgreSQL|usearch/.test(name))) {
      const { series } = await runVariant(scanScenario, name, 0, plan)
      expect(series.every(({ values }) => values.length > 0 && values.every((value) => value > 0))).toBe(true)
      if (!/AVX2|faiss/.test(name)) expect(series.map((each) => each.name)).toEqual(['a million'])
    }
  })

  test('evaluate: a pair takes some time', async () => {
    const { series } = await runVariant(evaluateScenario, 'guise', 0, plan)
    expect(series[0]?.values[0]).toBeGreaterThan(0)
  })

  test('verify: the parts fit together on rows of a real store', async () => {
    const run = await runVariant(verifyScenario, 'guise', 0, plan)
    expect(run.series.length).toBeGreaterThan(10)
    expect(run.series.every(({ values }) => values.length > 0 && values.every((value) => value > 0))).toBe(
      true,
    )
  })
})
