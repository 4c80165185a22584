import { beforeAll, describe, expect, test } from 'vitest'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import type { Dataset, LabelledVector } from '../../src/dataset/dataset.ts'
import { syntheticPeople } from '../../src/dataset/synthetic.ts'
import type { Model } from '../../src/embedding/model.ts'
import { Pace } from '../../src/evaluate/pace.ts'
import { choosePairs, type PairList } from '../../src/evaluate/pairs.ts'
import { loadPeople, type People } from '../../src/evaluate/people.ts'
import { SeededRandom } from '../../src/evaluate/random.ts'

beforeAll(cryptoReady)

function modelOf(dimensions: number): Model {
  return { id: 'synthetic@1', dimensions, metric: 'cosine' }
}

async function load(subjects: number, samples: number, dimensions: number): Promise<People> {
  const dataset = syntheticPeople({ seed: 'scores', subjects, samples, dimensions })
  return loadPeople(dataset, { model: modelOf(dimensions) })
}

/** A data set from rows in memory. */
function datasetOf(rows: readonly LabelledVector[], dimensions: number): Dataset {
  return {
    name: 'rows',
    dimensions,
    rows: rows.length,
    synthetic: true,
    async *read() {
      yield* rows
    },
  }
}

function list({ references, probes }: PairList): string[] {
  return [...references].map((reference, i) => `${reference}-${probes[i]}`)
}

describe('people', () => {
  const vector = (first: number): Float32Array =>
    Float32Array.from({ length: 64 }, (_, i) => (i === 0 ? first : 1))
  const rows = (): LabelledVector[] =>
    ['b', 'a', 'b', 'a', 'a'].map((subject, row) => ({ row, subject, vector: vector(row + 2) }))

  test('stand subject by subject, the first samples of each', async () => {
    const people = await loadPeople(datasetOf(rows(), 64), { model: modelOf(64), samplesPerSubject: 2 })
    expect(people).toMatchObject({ name: 'rows', synthetic: true, subjects: 2, count: 4, dimensions: 64 })
    expect([...people.subjectOf]).toEqual([0, 0, 1, 1])
    const firsts = [0, 1, 2, 3].map((i) => people.units[64 * i]! / people.units[64 * i + 1]!)
    expect(firsts.map(Math.round)).toEqual([2, 4, 3, 5])
    for (let i = 0; i < people.integers.length; i++) {
      expect(people.integers[i]).toBeCloseTo(people.units[i]! * 2 ** 20, -1)
    }
  })

  test('are wiped on dispose, and so are the vectors that were handed in', async () => {
    const given = rows()
    const people = await loadPeople(datasetOf(given, 64), { model: modelOf(64), samplesPerSubject: 2 })
    for (const row of given) expect(row.vector.every((value) => value === 0)).toBe(true)
    people[Symbol.dispose]()
    expect(people.integers.every((value) => value === 0)).toBe(true)
    expect(people.units.every((value) => value === 0)).toBe(true)
  })

  test('are centred by the mean of the model', async () => {
    const mean = Float32Array.from({ length: 64 }, () => 1)
    const people = await loadPeople(datasetOf(rows(), 64), { model: { ...modelOf(64), mean } })
    expect(people.units[0]).toBe(1)
    expect(people.units[1]).toBe(0)
  })

  test('a vector without a direction is refused with its row', async () => {
    const bad = [...rows(), { row: 5, subject: 'c', vector: new Float32Array(64) }]
    await expect(loadPeople(datasetOf(bad, 64), { model: modelOf(64) })).rejects.toMatchObject({
      code: 'ERR_DATASET_VALUE',
      row: 5,
      cause: { code: 'ERR_EMBEDDING_NORM' },
    })
  })

  test('too many samples, and another number of dimensions, are refused', async () => {
    const model = modelOf(64)
    await expect(loadPeople(datasetOf(rows(), 64), { model, maxSamples: 4 })).rejects.toMatchObject({
      code: 'ERR_EVALUATE_INPUT',
    })
    await expect(loadPeople(datasetOf(rows(), 128), { model })).rejects.toMatchObject({
      code: 'ERR_EVALUATE_INPUT',
    })
    await expect(loadPeople(datasetOf(rows(), 64), { model, samplesPerSubject: 0 })).rejects.toMatchObject({
      code: 'ERR_EVALUATE_INPUT',
    })
  })

  test('an error of the source goes through as it is', async () => {
    const broken: Dataset = {
      ...datasetOf([], 64),
      async *read() {
        yield* datasetOf([], 64).read()
        throw new TypeError('broken')
      },
    }
    await expect(loadPeople(broken, { model: modelOf(64) })).rejects.toThrow(TypeError)
  })
})

describe('pairs', () => {
  let people: People
  beforeAll(async () => {
    people = { ...(await load(1, 1, 64)), count: 6, subjects: 3, subjectOf: Uint32Array.of(0, 0, 0, 1, 1, 2) }
  })

  test('all of them', async () => {
    const pairs = await choosePairs(people, { impostors: 'all', seed: 'x' })
    expect(list(pairs.mated)).toEqual(['0-1', '0-2', '1-2', '3-4'])
    expect(list(pairs.nonMated)).toEqual([
      '0-3',
      '0-4',
      '0-5',
      '1-3',
      '1-4',
      '1-5',
      '2-3',
      '2-4',
      '2-5',
      '3-5',
      '4-5',
    ])
    expect(pairs.nonMatedAvailable).toBe(11)
    expect(await choosePairs(people, { impostors: 99, seed: 'y' })).toEqual(pairs)
  })

  test('a sample: the same for the same seed, nothing twice, all pairs equally often', async () => {
    const all = list((await choosePairs(people, { impostors: 'all', seed: 'x' })).nonMated)
    const counts = new Map(all.map((pair) => [pair, 0]))
    const runs = 900
    for (let run = 0; run < runs; run++) {
      const pairs = await choosePairs(people, { impostors: 4, seed: `run ${run}` })
      const drawn = list(pairs.nonMated)
      expect(new Set(drawn).size).toBe(4)
      for (const pair of drawn) counts.set(pair, counts.get(pair)! + 1)
      if (run < 3) expect(await choosePairs(people, { impostors: 4, seed: `run ${run}` })).toEqual(pairs)
    }
    expect([...counts.keys()]).toEqual(all)
    // Parts are 2, 3, 3 and 3 pairs long: shares of 1/2 and 1/3, five standard deviations wide.
    for (const count of counts.values()) {
      expect(count).toBeGreaterThan(runs / 3 - 75)
      expect(count).toBeLessThan(runs / 2 + 80)
    }
  })

  test('the last pair is drawn too where the parts do not add up in doubles', async () => {
    // 15 / 11 × 11 is a little less than 15.
    const crowd = { ...people, subjectOf: Uint32Array.from({ length: 6 }, (_, i) => i) }
    const seen = new Set<string>()
    for (let run = 0; run < 40; run++) {
      for (const pair of list((await choosePairs(crowd, { impostors: 11, seed: `last ${run}` })).nonMated)) {
        seen.add(pair)
      }
    }
    expect(seen.size).toBe(15)
    expect(seen).toContain('4-5')
  })

  test('one subject alone, and wrong numbers, are refused', async () => {
    const alone = { ...people, subjectOf: Uint32Array.of(0, 0, 0) }
    await expect(choosePairs(alone, { impostors: 'all', seed: 'x' })).rejects.toMatchObject({
      code: 'ERR_EVALUATE_TOO_FEW',
    })
    for (const impostors of [0, -1, 1.5, Number.NaN]) {
      await expect(choosePairs(people, { impostors, seed: 'x' })).rejects.toMatchObject({
        code: 'ERR_EVALUATE_INPUT',
      })
    }
    const crowd = { ...people, subjectOf: Uint32Array.from({ length: 20_000 }, (_, i) => i) }
    await expect(choosePairs(crowd, { impostors: 'all', seed: 'x' })).rejects.toMatchObject({
      code: 'ERR_EVALUATE_INPUT',
    })
    expect((await choosePairs(crowd, { impostors: 10, seed: 'x' })).mated.references).toHaveLength(0)
  })
})

describe('seeded numbers', () => {
  test('are the same for the same seed, use and numbers only, and stay below their end', () => {
    const draw = (random: SeededRandom): number[] => Array.from({ length: 20_000 }, () => random.below(1000))
    const first = draw(new SeededRandom('s', 'a', 1))
    expect(draw(new SeededRandom('s', 'a', 1))).toEqual(first)
    for (const other of [
      new SeededRandom('t', 'a', 1),
      new SeededRandom('s', 'b', 1),
      new SeededRandom('s', 'a', 2),
    ]) {
      expect(draw(other)).not.toEqual(first)
    }
    expect(Math.min(...first)).toBe(0)
    expect(Math.max(...first)).toBe(999)
    const mean = first.reduce((sum, value) => sum + value, 0) / first.length
    expect(Math.abs(mean - 499.5)).toBeLessThan(10)
    expect(new SeededRandom('s', 'a').below(1)).toBe(0)
  })

  test('a lone surrogate is no seed', () => {
    expect(() => new SeededRandom('\ud800', 'a')).toThrow(
      expect.objectContaining({ code: 'ERR_EVALUATE_INPUT' }),
    )
  })
})

describe('pace', () => {
  test('gives a turn after 20 ms, and when the clock goes back', async () => {
    let nowMs = 1000
    const told: number[] = []
    const clock = { nowMs: () => nowMs, steady: () => ({ origin: new Uint8Array(16), ms: 0 }) }
    const pace = new Pace(10, { onProgress: (done) => told.push(done) }, clock)
    await pace.step(1)
    nowMs += 19
    await pace.step(1)
    expect(told).toEqual([])
    nowMs += 1
    await pace.step(1)
    expect(told).toEqual([3])
    nowMs -= 500
    await pace.step(1)
    expect(told).toEqual([3, 4])
    expect(() => new Pace(1, { signal: AbortSignal.abort() })).toThrow('aborted')
  })

  test('where there is no setImmediate a timer does', async () => {
    const held = globalThis.setImmediate
    try {
      Reflect.deleteProperty(globalThis, 'setImmediate')
      let nowMs = 0
      const clock = { nowMs: () => (nowMs += 100), steady: () => ({ origin: new Uint8Array(16), ms: 0 }) }
      let passed = false
      setTimeout(() => {
        passed = true
      }, 0)
      await new Pace(1, {}, clock).step(1)
      expect(passed).toBe(true)
    } finally {
      globalThis.setImmediate = held
    }
  })
})
