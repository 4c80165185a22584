/** Linkers and areas beside plain sums over the text of SPEC §15.5. @module */

import { beforeAll, describe, expect, test } from 'vitest'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { areaUnderCurve, type PairScores } from '../../src/evaluate/area.ts'
import { scoreLearned } from '../../src/evaluate/linkage-learned.ts'
import type { LinkagePairs } from '../../src/evaluate/linkage-pairs.ts'
import { PairCodes } from '../../src/evaluate/linkage-scheme.ts'
import {
  correlation,
  distance,
  hammingScore,
  STATISTICS,
  scoreCodes,
  signsOf,
  spectrumOf,
  statisticsOf,
} from '../../src/evaluate/linkers.ts'
import { Pace } from '../../src/evaluate/pace.ts'
import { SeededRandom } from '../../src/evaluate/random.ts'
import { bytesOf } from '../faces.ts'

beforeAll(cryptoReady)

const BITS = 64

function bitsOf(code: Uint8Array): number[] {
  return Array.from({ length: 8 * code.length }, (_, j) => (code[j >> 3]! >> (j & 7)) & 1)
}

function pairsOf(count: number, mated: number): LinkagePairs {
  const half = Uint8Array.from({ length: count }, (_, i) => i % 2)
  return { count, mated, first: new Uint32Array(count), second: new Uint32Array(count), half }
}

/** Codes that look random; of the first `mated` pairs the second is the first with a bit in `flip` turned. */
function codesOf(count: number, mated: number, flip: number): PairCodes {
  const codes = new PairCodes(pairsOf(count, mated), BITS)
  for (let pair = 0; pair < count; pair++) {
    codes.code(pair, 0).set(bytesOf(`a${pair}`, BITS / 8))
    codes.code(pair, 1).set(bytesOf(`b${pair}`, BITS / 8))
    if (pair >= mated) continue
    const kept = bytesOf(`flip${pair}`, BITS)
    const second = codes.code(pair, 1)
    second.set(codes.code(pair, 0))
    for (const [j, byte] of kept.entries()) if (byte % flip === 0) second[j >> 3]! ^= 1 << (j & 7)
  }
  return codes
}

describe('linkers', () => {
  test('EVALUATE-31 Hamming distance, spectrum and correlation are the plain sums', () => {
    for (const label of ['1', '2', '3', '4']) {
      const [a, b] = [bytesOf(`a${label}`, 8), bytesOf(`b${label}`, 8)]
      const differ = bitsOf(a).filter((bit, j) => bit !== bitsOf(b)[j]).length
      expect(distance(a, b)).toBe(differ)
      expect(hammingScore(a, b)).toBeCloseTo((BITS - differ - differ) / BITS, 12)
      const signs = bitsOf(a).map((bit) => 2 * bit - 1)
      const spectrum = spectrumOf(signsOf(a, new Float64Array(BITS)))
      for (let k = 0; k < BITS; k++) {
        const parity = (j: number): number => bitsOf(Uint8Array.of(j & k)).reduce((x, y) => x ^ y, 0)
        const value = signs.reduce((sum, sign, j) => sum + (parity(j) === 1 ? -sign : sign), 0)
        expect(spectrum[k]).toBeCloseTo(value ** 2 / BITS - 1, 12)
      }
    }
    const x = Float64Array.of(1, 2, 4, 7)
    expect(
      correlation(
        x,
        x.map((value) => 3 - 2 * value),
      ),
    ).toBeCloseTo(-1, 12)
    expect(correlation(x, Float64Array.of(5, 1, 1, 5))).toBeCloseTo(4 / Math.sqrt(21 * 16), 12)
    expect(correlation(x, new Float64Array(4))).toBe(0)
  })

  test('EVALUATE-31 the statistics of a code', () => {
    // Runs: 1, 2, 3, 4 bits, then the rest of zeros.
    const code = Uint8Array.of(0b1100_1101, 0b0000_0011, 0, 0, 0, 0, 0, 0)
    const bits = bitsOf(code)
    const signs = bits.map((bit) => 2 * bit - 1)
    const found = new Float64Array(STATISTICS)
    statisticsOf(signsOf(code, new Float64Array(BITS)), found)
    const runs = bits
      .join('')
      .match(/0+|1+/g)!
      .map((run) => run.length)
    const expected = [
      signs.reduce((sum, sign) => sum + sign, 0),
      ...[1, 2, 3, 4, 5, 6, 7, 8].map((lag) =>
        signs.reduce((sum, sign, j) => sum + (j >= lag ? sign * signs[j - lag]! : 0), 0),
      ),
      Math.max(...runs),
      ...[1, 2, 3].map((length) => runs.filter((run) => run === length).length),
    ]
    expect([...found]).toEqual(expected)
  })

  test('EVALUATE-31 a score of statistics is the mean product of what is standardised', async () => {
    const codes = codesOf(30, 10, 4)
    const { statistics } = await scoreCodes(codes, new Pace(0, {}))
    const rows = Array.from({ length: 60 }, (_, row) => {
      const values = new Float64Array(STATISTICS)
      statisticsOf(signsOf(codes.code(row >> 1, (row & 1) as 0 | 1), new Float64Array(BITS)), values)
      return [...values]
    })
    const means = rows[0]!.map((_, i) => rows.reduce((sum, row) => sum + row[i]!, 0) / 60)
    const spreads = means.map((mean, i) =>
      Math.sqrt(rows.reduce((sum, row) => sum + (row[i]! - mean) ** 2, 0) / 60),
    )
    const z = rows.map((row) => row.map((value, i) => (value - means[i]!) / spreads[i]!))
    for (let pair = 0; pair < 30; pair++) {
      const product = z[2 * pair]!.reduce((sum, value, i) => sum + value * z[2 * pair + 1]![i]!, 0)
      expect(statistics[pair]).toBeCloseTo(product / STATISTICS, 10)
    }
  })

  test('EVALUATE-33 weights solve the ridge equations of the pairs learned from, and are tested on the others', async () => {
    const codes = codesOf(120, 40, 3)
    const { tested, scores } = await scoreLearned(codes, new Pace(0, {}))
    expect([...tested]).toEqual(Array.from({ length: 60 }, (_, i) => 2 * i + 1))
    const mean = (mated: boolean): number => {
      const some = [...scores].filter((_, i) => tested[i]! < 40 === mated)
      return some.reduce((sum, score) => sum + score, 0) / some.length
    }
    expect(mean(true)).toBeGreaterThan(mean(false) + 0.3)
    expect([...scores]).toEqual([...plainRidge(codes)].map((score) => expect.closeTo(score, 4)))
  })
})

/** The same weights by elimination on the N × N system: w = Xᵀ(XXᵀ ÷ N + 1)⁻¹y ÷ N. */
function plainRidge(codes: PairCodes): number[] {
  const { count, mated, half } = codes.pairs
  const statistics: number[][] = []
  for (let row = 0; row < 2 * count; row++) {
    const values = new Float64Array(STATISTICS)
    statisticsOf(signsOf(codes.code(row >> 1, (row & 1) as 0 | 1), new Float64Array(BITS)), values)
    statistics.push([...values])
  }
  for (let i = 0; i < STATISTICS; i++) {
    const mean = statistics.reduce((sum, row) => sum + row[i]!, 0) / statistics.length
    const spread = Math.sqrt(
      statistics.reduce((sum, row) => sum + (row[i]! - mean) ** 2, 0) / statistics.length,
    )
    for (const row of statistics) row[i] = (row[i]! - mean) / spread
  }
  const featuresOf = (pair: number): number[] => {
    const [a, b] = ([0, 1] as const).map((side) => signsOf(codes.code(pair, side), new Float64Array(BITS)))
    const [s, t] = [spectrumOf(a!.slice()), spectrumOf(b!.slice())]
    return [
      ...a!.map((sign, j) => sign * b![j]!),
      ...s.map((value, k) => (value * t[k]!) / 2),
      ...statistics[2 * pair]!.map((value, i) => value * statistics[2 * pair + 1]![i]!),
    ]
  }
  const all = Array.from({ length: count }, (_, pair) => pair)
  const learned = all.filter((pair) => half[pair] === 0)
  const n = learned.length
  const m = learned.filter((pair) => pair < mated).length
  const x = learned.map(featuresOf)
  const means = x[0]!.map((_, i) => x.reduce((sum, row) => sum + row[i]!, 0) / n)
  for (const row of x) row.forEach((value, i) => (row[i] = value - means[i]!))
  const y = learned.map((pair) => (pair < mated ? n / (2 * m) : -n / (2 * (n - m))))
  const dot = (p: readonly number[], q: readonly number[]): number =>
    p.reduce((sum, value, i) => sum + value * q[i]!, 0)
  const rows = x.map((row, i) => [...x.map((other, j) => dot(row, other) / n + (i === j ? 1 : 0)), y[i]! / n])
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      if (j === i) continue
      const factor = rows[j]![i]! / rows[i]![i]!
      for (let k = i; k <= n; k++) rows[j]![k] = rows[j]![k]! - factor * rows[i]![k]!
    }
  }
  const duals = rows.map((row, i) => row[n]! / row[i]!)
  const weights = x[0]!.map((_, i) => x.reduce((sum, row, j) => sum + row[i]! * duals[j]!, 0))
  return all.filter((pair) => half[pair] === 1).map((pair) => dot(featuresOf(pair), weights))
}

describe('areas', () => {
  function scored(
    scores: readonly number[],
    mated: number,
    first?: readonly number[],
    second?: readonly number[],
  ): PairScores {
    const subjects = Uint32Array.from({ length: scores.length }, (_, i) => first?.[i] ?? i)
    return {
      scores: Float64Array.from(scores),
      mated,
      first: subjects,
      second: second === undefined ? subjects : Uint32Array.from(second),
    }
  }
  const options = (subjects: number, replicates = 200, seed = 'a') => ({
    subjects,
    replicates,
    random: new SeededRandom(seed, 'test'),
    pace: new Pace(0, {}),
  })

  test('EVALUATE-34 the share of pairs of scores in the right order, and DeLong’s error', async () => {
    const scores = [...bytesOf('scores', 60)].map((byte, i) => (byte % 10) + (i < 20 ? 2 : 0))
    const [mated, others] = [scores.slice(0, 20), scores.slice(20)]
    const wins = (x: number, y: number): number => (x > y ? 1 : x === y ? 0.5 : 0)
    const ofMated = mated.map((x) => others.reduce((sum, y) => sum + wins(x, y), 0) / 40)
    const ofOthers = others.map((y) => mated.reduce((sum, x) => sum + wins(x, y), 0) / 20)
    const mean = (values: readonly number[]): number =>
      values.reduce((sum, value) => sum + value, 0) / values.length
    const variance = (values: readonly number[]): number =>
      values.reduce((sum, value) => sum + (value - mean(values)) ** 2, 0) / (values.length - 1)
    const half = 1.959963984540054 * Math.sqrt(variance(ofMated) / 20 + variance(ofOthers) / 40)
    const found = await areaUnderCurve(scored(scores, 20), options(60))
    expect(found.value).toBeCloseTo(mean(ofMated), 12)
    expect(found.low).toBeCloseTo(mean(ofMated) - half, 12)
    expect(found.high).toBeCloseTo(Math.min(1, mean(ofMated) + half), 12)
  })

  test('EVALUATE-34 scores that do not overlap leave what three in all pairs leave', async () => {
    const found = await areaUnderCurve(scored([...Array(40).fill(2), ...Array(50).fill(1)], 40), options(90))
    expect(found).toMatchObject({
      value: 1,
      low: 1 - 3 / 40,
      high: 1,
      bySubject: { low: 1, high: 1, replicates: 200 },
    })
  })

  test('EVALUATE-34 the bootstrap draws people: where few of them make all pairs, the interval is wider', async () => {
    // Three people with fifty mated pairs each: what one is like, all his pairs are like.
    const first = Array.from({ length: 300 }, (_, i) => (i < 150 ? i % 3 : 3 + (i % 27)))
    const second = first.map((subject, i) => (i < 150 ? subject : 3 + ((subject + 5) % 27)))
    const noise = [...bytesOf('noise', 300)].map((byte) => byte / 256)
    const scores = noise.map((value, i) => value + (i < 150 ? [0.5, 0, -0.5][i % 3]! : 0))
    const { low, high, bySubject } = await areaUnderCurve(
      scored(scores, 150, first, second),
      options(30, 400),
    )
    expect(bySubject.high - bySubject.low).toBeGreaterThan(2 * (high - low))
    const again = await areaUnderCurve(scored(scores, 150, first, second), options(30, 400, 'b'))
    expect(again.bySubject).not.toEqual(bySubject)
  })
})
