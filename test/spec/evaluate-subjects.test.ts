/** SPEC §15.2: rates of single people, and intervals over people. @module */

import {
  clopperPearson,
  equalErrorRate,
  perSubjectRates,
  type SubjectGrades,
  type SubjectScores,
  type SubjectTally,
  sampleComparisons,
  subjectEqualError,
  subjectEqualErrorDifference,
  subjectRate,
  subjectRateDifference,
  tallyAt,
} from 'guise/evaluate'
import { describe, expect, test } from 'vitest'
import { turboshake } from '../reference/hashes.ts'
import { codeOf } from '../support/vault.ts'

/** Numbers of SPEC §15.2, one block after the other. */
class Numbers {
  readonly #prefix: Uint8Array
  #bytes = Buffer.alloc(0)
  #blocks = 0
  #at = 0

  constructor(use: string, seed: string) {
    const label = Buffer.from(`guise/evaluate/${use}`)
    this.#prefix = Buffer.concat([Buffer.of(label.length), label, uint32(seed.length), Buffer.from(seed)])
  }

  below(size: number): number {
    const end = 2 ** 53 - 1
    for (;;) {
      if (this.#at === this.#bytes.length) {
        this.#bytes = Buffer.from(turboshake(Buffer.concat([this.#prefix, uint32(this.#blocks++)]), 65_536))
        this.#at = 0
      }
      const high = Math.floor(this.#bytes.readUInt32BE(this.#at) / 2 ** 11)
      const number = high * 2 ** 32 + this.#bytes.readUInt32BE(this.#at + 4)
      this.#at += 8
      if (number < end - (end % size)) return number % size
    }
  }
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** Grades as often as they weigh. */
function repeated({ a, b, grades }: SubjectGrades, weights: readonly number[]): number[] {
  return [...grades].flatMap((grade, i) => {
    const [x = 0, y = 0] = [weights[a[i] as number], weights[b[i] as number]]
    return Array.from({ length: a[i] === b[i] ? x : x * y }, () => grade)
  })
}

/** The procedure word by word: `figure` gets the grades of a replicate, repeated, and none when a kind is missing. */
function bootstrap(
  scores: SubjectScores,
  figure: (mated: number[], nonMated: number[]) => number,
  seed: string,
  replicates: number,
): { low: number; high: number } {
  const numbers = new Numbers('bootstrap', seed)
  const values: number[] = []
  while (values.length < replicates) {
    const weights = Array.from({ length: scores.subjects }, () => 0)
    for (let i = 0; i < scores.subjects; i++) (weights[numbers.below(scores.subjects)] as number)++
    const value = figure(repeated(scores.mated, weights), repeated(scores.nonMated, weights))
    if (!Number.isNaN(value)) values.push(value)
  }
  values.sort((x, y) => x - y)
  const outside = Math.floor(replicates * 0.025)
  return { low: values[outside] as number, high: values[replicates - 1 - outside] as number }
}

/** Twelve people with three samples: all pairs, some people easier to mistake than others. */
function people(seed: string, shift: number): SubjectScores {
  const numbers = new Numbers('test', seed)
  const lists = { mated: { a: [], b: [], grades: [] }, nonMated: { a: [], b: [], grades: [] } } as Record<
    'mated' | 'nonMated',
    Record<'a' | 'b' | 'grades', number[]>
  >
  for (let i = 0; i < 36; i++) {
    for (let j = i + 1; j < 36; j++) {
      const [x, y] = [Math.floor(i / 3), Math.floor(j / 3)]
      const list = x === y ? lists.mated : lists.nonMated
      list.a.push(x)
      list.b.push(y)
      const easy = x % 4 === 0 || y % 4 === 0 ? 600 : 0
      list.grades.push(x === y ? 4000 + numbers.below(4000) - easy : numbers.below(5000) + easy + shift)
    }
  }
  const typed = ({ a, b, grades }: Record<'a' | 'b' | 'grades', number[]>): SubjectGrades => ({
    a: Uint32Array.from(a),
    b: Uint32Array.from(b),
    grades: Uint16Array.from(grades),
  })
  return { subjects: 12, mated: typed(lists.mated), nonMated: typed(lists.nonMated) }
}

const some = people('some', 0)
const other = people('other', 300)
const options = { seed: 'replicates', replicates: 200 }
const above = (threshold: number) => (grades: readonly number[]) =>
  grades.filter((grade) => grade >= threshold).length / grades.length
const equalError = (mated: number[], nonMated: number[]): number =>
  mated.length === 0 || nonMated.length === 0
    ? Number.NaN
    : equalErrorRate({ mated: Uint16Array.from(mated), nonMated: Uint16Array.from(nonMated) }).value

describe('EVALUATE-15', () => {
  test('EVALUATE-15 a false match rate and a true match rate, word by word', async () => {
    for (const threshold of [4200, 4800, 5200]) {
      const wrong = await subjectRate(tallyAt(some.nonMated, 12, threshold), options)
      const expected = bootstrap(some, (_, nonMated) => above(threshold)(nonMated), 'replicates', 200)
      expect(wrong).toEqual({
        value: above(threshold)([...some.nonMated.grades]),
        low: expect.closeTo(expected.low, 14) as number,
        high: expect.closeTo(expected.high, 14) as number,
        replicates: 200,
        confidence: 0.95,
      })
      expect(wrong.low).toBeLessThan(wrong.value)
      expect(wrong.high).toBeGreaterThan(wrong.value)
      const right = await subjectRate(tallyAt(some.mated, 12, threshold), options)
      const interval = bootstrap(some, (mated) => above(threshold)(mated), 'replicates', 200)
      expect(right.low).toBeCloseTo(interval.low, 14)
      expect(right.high).toBeCloseTo(interval.high, 14)
    }
  })

  test('EVALUATE-15 an equal error rate, and a paired difference of two', async () => {
    const found = await subjectEqualError(some, options)
    expect(found.value).toBe(equalError([...some.mated.grades], [...some.nonMated.grades]))
    const expected = bootstrap(some, equalError, 'replicates', 200)
    expect(found.low).toBeCloseTo(expected.low, 14)
    expect(found.high).toBeCloseTo(expected.high, 14)
    const difference = await subjectEqualErrorDifference(other, some, options)
    const alone = await subjectEqualError(other, options)
    expect(difference.value).toBeCloseTo(alone.value - found.value, 14)
    // Paired: both sides see the same people, so the difference is surer than its parts.
    expect(difference.high - difference.low).toBeLessThan(alone.high - alone.low + found.high - found.low)
    const none = await subjectEqualErrorDifference(some, some, options)
    expect([none.value, none.low, none.high]).toEqual([0, 0, 0])
  })

  test('EVALUATE-15 a paired difference of rates', async () => {
    const [one, two] = [tallyAt(some.nonMated, 12, 4200), tallyAt(other.nonMated, 12, 4200)]
    const difference = await subjectRateDifference(two, one, options)
    expect(difference.value).toBeCloseTo(
      above(4200)([...other.nonMated.grades]) - above(4200)([...some.nonMated.grades]),
      14,
    )
    const mirror = await subjectRateDifference(one, two, options)
    expect([mirror.low, mirror.high]).toEqual([
      expect.closeTo(-difference.high, 14),
      expect.closeTo(-difference.low, 14),
    ])
  })

  test('EVALUATE-15 sides the other way round, split entries and numbers of samples say the same', async () => {
    const tally = tallyAt(some.nonMated, 12, 4800)
    expect(tally.a.length).toBe(66)
    const expected = await subjectRate(tally, options)
    const turned = { a: some.nonMated.b, b: some.nonMated.a, grades: some.nonMated.grades }
    expect(await subjectRate(tallyAt(turned, 12, 4800), options)).toEqual(expected)
    const single: SubjectTally = {
      subjects: 12,
      a: some.nonMated.a,
      b: some.nonMated.b,
      accepted: Float64Array.from(some.nonMated.grades, (grade) => (grade >= 4800 ? 1 : 0)),
      trials: new Float64Array(some.nonMated.grades.length).fill(1),
    }
    expect(await subjectRate(single, options)).toEqual(expected)
    const kept = [...tally.accepted.keys()].filter((i) => (tally.accepted[i] as number) > 0)
    const sparse: SubjectTally = {
      subjects: 12,
      a: Uint32Array.from(kept, (i) => tally.a[i] as number),
      b: Uint32Array.from(kept, (i) => tally.b[i] as number),
      accepted: Float64Array.from(kept, (i) => tally.accepted[i] as number),
      trials: { samples: new Uint32Array(12).fill(3) },
    }
    expect(await subjectRate(sparse, options)).toEqual(expected)
  })

  test('EVALUATE-15 more people than a table holds', async () => {
    const many = tallyAt(some.nonMated, 4097, 4800)
    expect(many.a).toHaveLength(some.nonMated.a.length)
    const found = await subjectRate(many, options)
    expect(found.value).toBe((await subjectRate(tallyAt(some.nonMated, 12, 4800), options)).value)
  })

  test('EVALUATE-15 an error that nobody made is made in no replicate', async () => {
    const found = await subjectRate(tallyAt(some.nonMated, 12, 10_000), options)
    expect([found.value, found.low, found.high]).toEqual([0, 0, 0])
  })

  test('EVALUATE-15 replicates without a comparison are dropped', async () => {
    // Of ten people only one has mated comparisons: a third of all replicates are without.
    const lonely: SubjectScores = {
      subjects: 10,
      mated: { a: Uint32Array.of(3, 3), b: Uint32Array.of(3, 3), grades: Uint16Array.of(100, 200) },
      nonMated: {
        a: Uint32Array.of(0, 1, 2),
        b: Uint32Array.of(3, 4, 5),
        grades: Uint16Array.of(0, 150, 90),
      },
    }
    const found = await subjectEqualError(lonely, options)
    const expected = bootstrap(lonely, equalError, 'replicates', 200)
    expect([found.low, found.high]).toEqual([expected.low, expected.high])
    const rate = await subjectRate(tallyAt(lonely.mated, 10, 150), options)
    expect([rate.value, rate.low, rate.high]).toEqual([0.5, 0.5, 0.5])
  })

  test('EVALUATE-15 a sample of comparisons: one from each part, the same for the same seed', async () => {
    const sample = await sampleComparisons(some.nonMated, 100, 'a')
    const numbers = new Numbers('comparisons', 'a')
    const size = some.nonMated.grades.length
    const indices = Array.from({ length: 100 }, (_, i) => {
      const low = Math.floor((i * size) / 100)
      return low + numbers.below(Math.floor(((i + 1) * size) / 100) - low)
    })
    expect([...sample.grades]).toEqual(indices.map((i) => some.nonMated.grades[i]))
    expect([...sample.a]).toEqual(indices.map((i) => some.nonMated.a[i]))
    expect([...sample.b]).toEqual(indices.map((i) => some.nonMated.b[i]))
    expect(await sampleComparisons(some.nonMated, size, 'a')).toBe(some.nonMated)
    expect(await codeOf(sampleComparisons(some.nonMated, 0, 'a'))).toBe('ERR_EVALUATE_INPUT')
  })

  test('EVALUATE-15 the bootstrap covers: people of unequal rates, drawn 60 times', async () => {
    // Rate of a person 0 or 0.2, half and half; the truth is 0.1.
    const numbers = new Numbers('test', 'cover')
    let covered = 0
    let coveredByComparisons = 0
    for (let round = 0; round < 60; round++) {
      const rates = Array.from({ length: 60 }, () => 0.2 * numbers.below(2))
      const tally: SubjectTally = {
        subjects: 60,
        a: Uint32Array.from(rates.keys()),
        b: Uint32Array.from(rates.keys()),
        accepted: Float64Array.from(rates, (rate) => {
          return Array.from({ length: 100 }, () => numbers.below(1000) < 1000 * rate).filter(Boolean).length
        }),
        trials: new Float64Array(60).fill(100),
      }
      const { low, high } = await subjectRate(tally, { seed: `round ${round}` })
      if (low <= 0.1 && high >= 0.1) covered++
      const wrong = clopperPearson(
        tally.accepted.reduce((sum, count) => sum + count, 0),
        6000,
      )
      if (wrong.low <= 0.1 && wrong.high >= 0.1) coveredByComparisons++
    }
    // 95 % of 60 is 57. The interval over comparisons is a third as wide as it should be.
    expect(covered).toBeGreaterThanOrEqual(52)
    expect(coveredByComparisons).toBeLessThan(40)
  })

  const list = some.nonMated
  test.each([
    [
      'no comparison',
      () => subjectRate({ ...tallyAt(list, 12, 1), a: new Uint32Array(0) }, options),
      'INPUT',
    ],
    [
      'nothing',
      () =>
        subjectRate(
          tallyAt({ a: list.a.slice(0, 0), b: list.b.slice(0, 0), grades: list.grades.slice(0, 0) }, 12, 1),
          options,
        ),
      'TOO_FEW',
    ],
    ['few replicates', () => subjectEqualError(some, { ...options, replicates: 199 }), 'INPUT'],
    ['an unknown subject', () => subjectEqualError({ ...some, subjects: 11 }, options), 'INPUT'],
    ['other people', () => subjectEqualErrorDifference(some, { ...other, subjects: 13 }, options), 'INPUT'],
    [
      'other people of a rate',
      () => subjectRateDifference(tallyAt(list, 12, 1), tallyAt(list, 13, 1), options),
      'INPUT',
    ],
    [
      'one side',
      () => subjectEqualError({ ...some, mated: { ...some.mated, b: new Uint32Array(1) } }, options),
      'INPUT',
    ],
    [
      'no grade',
      () => subjectEqualError({ ...some, mated: { ...some.mated, grades: new Uint16Array(1) } }, options),
      'INPUT',
    ],
    [
      'a grade above 10,000',
      () =>
        subjectEqualError(
          { ...some, mated: { ...some.mated, grades: some.mated.grades.map(() => 10_001) } },
          options,
        ),
      'INPUT',
    ],
    [
      'trials missing',
      () => subjectRate({ ...tallyAt(list, 12, 1), trials: new Float64Array(1) }, options),
      'INPUT',
    ],
    [
      'samples missing',
      () => subjectRate({ ...tallyAt(list, 12, 1), trials: { samples: new Uint32Array(1) } }, options),
      'INPUT',
    ],
  ])('EVALUATE-15 refused: %s', async (_, make, code) => {
    expect(await codeOf((async () => make())())).toBe(`ERR_EVALUATE_${code}`)
  })
})

describe('EVALUATE-16', () => {
  test('EVALUATE-16 quantiles are rates that somebody has', () => {
    const accepted = Array.from({ length: 200 }, (_, i) => 199 - i)
    const trials = accepted.map(() => 1000)
    expect(perSubjectRates([...accepted, 0], [...trials, 0])).toEqual({
      subjects: 200,
      median: 0.099,
      q90: 0.179,
      q99: 0.197,
      highest: 0.199,
    })
    expect(perSubjectRates([1], [4])).toEqual({
      subjects: 1,
      median: 0.25,
      q90: 0.25,
      q99: 0.25,
      highest: 0.25,
    })
  })

  test.each([
    [[], [], 'TOO_FEW'],
    [[0], [0], 'TOO_FEW'],
    [[2], [1], 'INPUT'],
    [[1], [1, 1], 'INPUT'],
    [[0.5], [1], 'INPUT'],
  ])('EVALUATE-16 %j of %j', (accepted, trials, code) => {
    expect(() => perSubjectRates(accepted, trials)).toThrow(
      expect.objectContaining({ code: `ERR_EVALUATE_${code}` }),
    )
  })
})
