import { beforeAll, describe, expect, test } from 'vitest'
import { accepts } from '../../src/compare/decide.ts'
import { score } from '../../src/compare/score.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { turboshake128 } from '../../src/crypto/xof.ts'
import { syntheticPeople } from '../../src/dataset/synthetic.ts'
import type { Model } from '../../src/embedding/model.ts'
import { equalErrorRate, falseMatchRate } from '../../src/evaluate/accuracy.ts'
import { choosePairs, type Pairs } from '../../src/evaluate/pairs.ts'
import { loadPeople, type People } from '../../src/evaluate/people.ts'
import { linearPreimage, stealTemplates } from '../../src/evaluate/preimage.ts'
import { SeededRandom, seededKey } from '../../src/evaluate/random.ts'
import { gradeOf, scoreCosines, scorePairs } from '../../src/evaluate/scores.ts'
import type { Bits } from '../../src/policy/operating-point.ts'
import { encodeProbe, encodeReference } from '../../src/template/template.ts'
import { rotationSize, type Suite } from '../../src/transform/suite.ts'

beforeAll(cryptoReady)

function modelOf(dimensions: number): Model {
  return { id: 'synthetic@1', dimensions, metric: 'cosine' }
}

async function load(subjects: number, samples: number, dimensions: number): Promise<People> {
  const dataset = syntheticPeople({ seed: 'scores', subjects, samples, dimensions })
  return loadPeople(dataset, { model: modelOf(dimensions) })
}

describe('grades', () => {
  test('are the largest threshold that the integer rule accepts', () => {
    const random = new SeededRandom('grades', 'test')
    for (let i = 0; i < 3000; i++) {
      const m = [64, 128, 256, 512, 1024][random.below(5)]!
      const energy = 1 + random.below(49 * m)
      const most = Math.floor(Math.sqrt(m * energy))
      const sum = random.below(2 * most + 1) - most
      const grade = gradeOf(sum, energy, m)
      if (grade > 0) expect(accepts(sum, energy, m, grade)).toBe(true)
      if (grade < 10_000) expect(accepts(sum, energy, m, grade + 1)).toBe(false)
    }
  })

  test('at the ends', () => {
    expect(gradeOf(0, 5, 64)).toBe(0)
    expect(gradeOf(-3, 5, 64)).toBe(0)
    expect(gradeOf(0, 0, 64)).toBe(0)
    expect(gradeOf(64, 64, 64)).toBe(10_000)
    // 114 / 200 is 0.57, and 0.57 × 10,000 is a little less than 5,700 in doubles.
    expect(gradeOf(114, 625, 64)).toBe(5700)
    expect(gradeOf(1, 49 * 1024, 1024)).toBe(1)
    expect(gradeOf(7168, 49 * 1024, 1024)).toBe(10_000)
  })
})

describe('scores of pairs', () => {
  test.each([
    [64, 'B4'],
    [100, 'B4'],
    [512, 'B6'],
  ] as const)('are those of the library itself, d = %i, %s', async (dimensions, suite) => {
    const people = await load(3, 2, dimensions)
    const pairs = await choosePairs(people, { impostors: 'all', seed: 'x' })
    const bits = [1024, 64, 512, 128, 256] as const
    const sets = await scorePairs(people, pairs, { suite, bits, seed: 'keys', draw: 3 })
    bits.forEach((m, k) => {
      for (const kind of ['mated', 'nonMated'] as const) {
        expect([...sets[k]![kind]]).toEqual(libraryGrades(people, pairs, kind, suite, m))
      }
    })
  })

  test('are those of the library where rotated values are zero', async () => {
    const people = await load(3, 2, 64)
    people.integers.fill(0)
    for (let i = 0; i < people.count; i++) people.integers[64 * i + i] = 9
    const pairs = await choosePairs(people, { impostors: 'all', seed: 'x' })
    const [scores] = await scorePairs(people, pairs, { bits: [64], seed: 'keys', draw: 3 })
    // The steps of such probes are all zero; those of one large coordinate are not.
    expect([...scores!.nonMated]).toEqual(libraryGrades(people, pairs, 'nonMated', 'B4', 64))
    for (const probe of [1, 3, 5]) people.integers[64 * probe] = 2 ** 20
    const [mixed] = await scorePairs(people, pairs, { bits: [64], seed: 'keys', draw: 3 })
    expect([...mixed!.mated]).toEqual(libraryGrades(people, pairs, 'mated', 'B4', 64))
    expect(mixed!.mated.some((grade) => grade > 0)).toBe(true)
  })

  function libraryGrades(
    people: People,
    pairs: Pairs,
    kind: 'mated' | 'nonMated',
    suite: Suite,
    m: Bits,
  ): number[] {
    const { dimensions } = people
    const z = (i: number): Int32Array => people.integers.slice(i * dimensions, (i + 1) * dimensions)
    const { references, probes } = pairs[kind]
    return [...references].map((reference, pair) => {
      const key = seededKey('keys', 3, rotationSize(dimensions, m), reference)
      const code = encodeReference(z(reference), suite, m, key)
      const probe = encodeProbe(z(probes[pair]!), suite, m, key)
      const { sum, energy } = score(code, probe)
      let grade = 0
      while (grade < 10_000 && accepts(sum, energy, m, grade + 1)) grade++
      return grade
    })
  }

  test('repeat with the seed and change with the draw', async () => {
    const people = await load(3, 2, 64)
    const pairs = await choosePairs(people, { impostors: 'all', seed: 'x' })
    const options = { bits: [64], seed: 'keys' } as const
    const first = await scorePairs(people, pairs, options)
    expect(await scorePairs(people, pairs, { ...options, draw: 0 })).toEqual(first)
    expect(await scorePairs(people, pairs, { ...options, draw: 1 })).not.toEqual(first)
    expect(await scorePairs(people, pairs, { ...options, seed: 'other' })).not.toEqual(first)
  })

  test('suites and bits that are not known are refused', async () => {
    const people = await load(2, 2, 64)
    const pairs = await choosePairs(people, { impostors: 'all', seed: 'x' })
    await expect(
      scorePairs(people, pairs, { suite: 'B5' as Suite, bits: [64], seed: 'x' }),
    ).rejects.toMatchObject({ code: 'ERR_TRANSFORM_SUITE' })
    await expect(scorePairs(people, pairs, { bits: [63 as Bits], seed: 'x' })).rejects.toMatchObject({
      code: 'ERR_TRANSFORM_INPUT',
    })
  })

  test('cosines are cosines, in ten-thousandths, and none below zero', async () => {
    const people = await load(4, 3, 128)
    const pairs = await choosePairs(people, { impostors: 'all', seed: 'x' })
    const scores = await scoreCosines(people, pairs)
    for (const kind of ['mated', 'nonMated'] as const) {
      pairs[kind].references.forEach((a, pair) => {
        const b = pairs[kind].probes[pair]!
        let cosine = 0
        for (let i = 0; i < 128; i++) cosine += people.units[128 * a + i]! * people.units[128 * b + i]!
        expect(scores[kind][pair]).toBe(cosine > 0 ? Math.floor(cosine * 10_000 + 0.5) : 0)
      })
    }
  })

  test('tell progress, give turns to others, and stop when aborted', async () => {
    const people = await load(80, 4, 64)
    const pairs = await choosePairs(people, { impostors: 'all', seed: 'x' })
    const controller = new AbortController()
    let turns = 0
    const timer = setInterval(() => turns++, 1)
    const seen: number[] = []
    await scorePairs(people, pairs, {
      bits: [1024],
      seed: 'x',
      onProgress: (done, total) => seen.push(done / total),
    })
    clearInterval(timer)
    expect(turns).toBeGreaterThan(2)
    expect(seen.length).toBeGreaterThan(2)
    expect(seen).toEqual(seen.toSorted((a, b) => a - b))
    expect(seen.at(-1)).toBeLessThanOrEqual(1)
    const running = scorePairs(people, pairs, { bits: [1024], seed: 'x', signal: controller.signal })
    controller.abort()
    await expect(running).rejects.toThrow('aborted')
  })
})

describe('what a thief gains', () => {
  test.each([
    [512, 512, 'B4', Math.sqrt(2 / Math.PI)],
    [512, 256, 'B4', Math.sqrt(1 / Math.PI)],
    [512, 512, 'B6', Math.sqrt(2 / Math.PI)],
    [100, 64, 'B4', Math.sqrt(128 / (100 * Math.PI))],
    [64, 1024, 'B4', 0.97],
  ] as const)(
    'the preimage of d = %i, m = %i, %s lies at √(2m/πd)',
    async (dimensions, bits, suite, expected) => {
      const people = await load(30, 1, dimensions)
      let sum = 0
      for (let i = 0; i < people.count; i++) {
        const key = seededKey('steal', i)
        const z = people.integers.slice(i * dimensions, (i + 1) * dimensions)
        const preimage = linearPreimage(encodeReference(z, suite, bits, key), key, { suite, dimensions })
        expect(preimage).toHaveLength(dimensions)
        let product = 0
        let square = 0
        preimage.forEach((value, k) => {
          product += value * people.units[i * dimensions + k]!
          square += value * value
        })
        sum += product / Math.sqrt(square)
      }
      expect(Math.abs(sum / people.count - expected)).toBeLessThan(0.04)
    },
  )

  test('opens the template it came from, and with the key the reissued one; without the key nothing', async () => {
    const people = await load(120, 2, 512)
    const pairs = await choosePairs(people, { impostors: 5000, seed: 'x' })
    const [scores] = await scorePairs(people, pairs, { bits: [512], seed: 'x' })
    let threshold = 1
    while (falseMatchRate(scores!, threshold).value > 1e-3) threshold++
    const figures = await stealTemplates(people, pairs.mated, {
      bits: 512,
      threshold,
      seed: 'thief',
      targets: 100,
    })
    expect(figures.targets).toBe(100)
    expect(Math.abs(figures.cosine - Math.sqrt(2 / Math.PI))).toBeLessThan(0.02)
    expect(figures.sameTemplate.value).toBe(1)
    expect(figures.genuine.value).toBeGreaterThan(0.95)
    expect(figures.afterReissue.value).toBeGreaterThan(0.85)
    expect(figures.withoutKey.value).toBeLessThan(0.03)
    expect(figures.withoutKey).toMatchObject({ trials: 100, confidence: 0.95 })
  })

  test('needs a target', async () => {
    const people = await load(2, 1, 64)
    const none = { references: new Uint32Array(0), probes: new Uint32Array(0) }
    await expect(
      stealTemplates(people, none, { bits: 64, threshold: 5000, seed: 'x' }),
    ).rejects.toMatchObject({ code: 'ERR_EVALUATE_INPUT' })
  })
})

describe('the fast path on many people', () => {
  test('synthetic people are told apart about as well by 512 bits as by their cosine', async () => {
    const people = await load(150, 2, 512)
    const pairs = await choosePairs(people, { impostors: 10_000, seed: 'x' })
    const cosine = equalErrorRate(await scoreCosines(people, pairs)).value
    const [template] = await scorePairs(people, pairs, { bits: [512], seed: 'x' })
    expect(cosine).toBeLessThan(0.02)
    expect(equalErrorRate(template!).value).toBeLessThan(cosine + 0.02)
    // A key of its own for every reference: two references share no key.
    expect(turboshake128(seededKey('x', 0, 512, 0), 8)).not.toEqual(
      turboshake128(seededKey('x', 0, 512, 1), 8),
    )
  })
})
