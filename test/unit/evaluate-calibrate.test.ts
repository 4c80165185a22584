import { describe, expect, test } from 'vitest'
import type { ModelId } from '../../src/base/brand.ts'
import type { Dataset } from '../../src/dataset/dataset.ts'
import { syntheticPeople } from '../../src/dataset/synthetic.ts'
import type { Model } from '../../src/embedding/model.ts'
import { equalErrorRate, type Scores } from '../../src/evaluate/accuracy.ts'
import { equalErrorDifference } from '../../src/evaluate/bootstrap.ts'
import { calibrate, type OperatingTarget, operatingPointAt } from '../../src/evaluate/calibrate.ts'
import { decodeOperatingPoint, encodeOperatingPoint } from '../../src/evaluate/operating-file.ts'
import { choosePairs, type Pairs } from '../../src/evaluate/pairs.ts'
import { loadPeople, type People } from '../../src/evaluate/people.ts'
import { SeededRandom } from '../../src/evaluate/random.ts'
import { clopperPearson } from '../../src/evaluate/rates.ts'
import { accuracyReport } from '../../src/evaluate/report.ts'
import { scoreCosines, scorePairs } from '../../src/evaluate/scores.ts'

const target: OperatingTarget = {
  model: 'synthetic@1' as ModelId,
  meanHash: '0'.repeat(64),
  suite: 'B4',
  bits: 512,
  falseMatchRate: 0.01,
  source: 'counted grades',
}

function grades(length: number): { nonMated: Uint16Array } {
  return { nonMated: Uint16Array.from({ length }, (_, i) => i + 1) }
}

function people(subjects: number, samples: number, dimensions = 64): { dataset: Dataset; model: Model } {
  return {
    dataset: syntheticPeople({ seed: 'calibrate', subjects, samples, dimensions }),
    model: { id: 'synthetic@1', dimensions, metric: 'cosine' },
  }
}

describe('operating points', () => {
  test('POLICY-5 the smallest threshold whose measured rate is at most the target, with interval and n', () => {
    const point = operatingPointAt(grades(1000), target)
    const { falseMatchRate, ...rest } = target
    expect(falseMatchRate).toBe(0.01)
    expect(point).toEqual({
      ...rest,
      probeClass: 'any',
      threshold: 991,
      falseMatchRate: { value: 0.01, ...clopperPearson(10, 1000), trials: 1000, confidence: 0.95 },
    })
    expect(operatingPointAt(grades(1000), { ...target, probeClass: 'masked' }).probeClass).toBe('masked')
  })

  test('POLICY-5 a target below 3 / n is refused', () => {
    expect(operatingPointAt(grades(300), target).falseMatchRate.trials).toBe(300)
    for (const length of [299, 1, 0]) {
      expect(() => operatingPointAt(grades(length), target)).toThrow(
        expect.objectContaining({ code: 'ERR_EVALUATE_TOO_FEW' }),
      )
    }
  })

  test('a rate that no threshold keeps, and targets that are no rates, are refused', () => {
    const twins = { nonMated: new Uint16Array(1000).fill(10_000) }
    expect(() => operatingPointAt(twins, target)).toThrow(
      expect.objectContaining({ code: 'ERR_EVALUATE_UNREACHABLE' }),
    )
    for (const falseMatchRate of [1, 2, Number.NaN]) {
      expect(() => operatingPointAt(grades(1000), { ...target, falseMatchRate })).toThrow(
        expect.objectContaining({ code: 'ERR_EVALUATE_INPUT' }),
      )
    }
  })
})

describe('operating-point files', () => {
  const point = operatingPointAt(grades(1000), target)
  const text = encodeOperatingPoint(point)

  test('come back as they were', () => {
    expect(decodeOperatingPoint(text)).toEqual(point)
    expect(decodeOperatingPoint(text.replaceAll('\n', '\r\n'))).toEqual(point)
    expect(text.startsWith('{\n  "format": "guise-operating-point/1",\n  "model": "synthetic@1",\n')).toBe(
      true,
    )
  })

  test.each([
    ['nothing', ''],
    ['no JSON', '{'],
    ['null', 'null'],
    ['an array', '[]'],
    ['another format', text.replace('point/1', 'point/2')],
    ['no format', text.replace('  "format": "guise-operating-point/1",\n', '')],
    ['a threshold typed in', text.replace('"threshold": 991', '"threshold": 991.5')],
    ['a threshold out of range', text.replace('"threshold": 991', '"threshold": 10001')],
    ['a threshold twice', text.replace('  "threshold": 991', '  "threshold": 5000,\n  "threshold": 991')],
    ['one more field', text.replace('  "source"', '  "note": "",\n  "source"')],
    ['a field less', text.replace(/ {2}"probeClass".*\n/, '')],
    [
      'another order',
      text.replace('  "suite": "B4",\n  "bits": 512,\n', '  "bits": 512,\n  "suite": "B4",\n'),
    ],
    ['a number as text', text.replace('"bits": 512', '"bits": "512"')],
    ['a rate outside its interval', text.replace('"value": 0.01', '"value": 0.9')],
    ['a rate that its trials cannot show', text.replace('"trials": 1000', '"trials": 3')],
    ['upper-case hash', text.replace('0'.repeat(64), 'A'.repeat(64))],
    ['text behind', `${text}{}`],
    ['no newline', text.trimEnd()],
    ['a megabyte', text.replace('counted', 'x'.repeat(1_000_000))],
  ])('%s is refused', (_, bad) => {
    expect(bad).not.toBe(text)
    expect(() => decodeOperatingPoint(bad)).toThrow(expect.objectContaining({ code: 'ERR_EVALUATE_FILE' }))
  })

  test('what is no operating point is not written', () => {
    expect(() => encodeOperatingPoint({ ...point, threshold: 0 })).toThrow(
      expect.objectContaining({ code: 'ERR_POLICY_OPERATING_POINT' }),
    )
  })
})

describe('calibrate', () => {
  test('measures people and says what it measured', async () => {
    const { dataset, model } = people(40, 2)
    const result = await calibrate(dataset, { model, falseMatchRate: 0.01 })
    const { operatingPoint, trueMatchRate } = result
    expect(operatingPoint).toMatchObject({ model: 'synthetic@1', suite: 'B4', bits: 64, probeClass: 'any' })
    expect(operatingPoint.falseMatchRate.value).toBeLessThanOrEqual(0.01)
    expect(operatingPoint.falseMatchRate.trials).toBe((80 * 78) / 2)
    expect(operatingPoint.source).toBe(
      'synthetic people (synthetic, no evidence about real faces): 40 subjects, 80 samples, 3120 non-mated comparisons; interval: for as many other people, 1000 drawings of subjects',
    )
    expect(result).toMatchObject({ subjects: 40, samples: 80 })
    expect(trueMatchRate?.trials).toBe(40)
    expect(await calibrate(dataset, { model, falseMatchRate: 0.01 })).toEqual(result)
  })

  test('takes suite, bits, class, source, seed and number of pairs', async () => {
    const { dataset, model } = people(40, 1)
    const { operatingPoint, trueMatchRate } = await calibrate(dataset, {
      model,
      falseMatchRate: 0.1,
      suite: 'B6',
      bits: 128,
      probeClass: 'masked',
      source: 'a test',
      seed: 'another',
      impostors: 100,
    })
    expect(operatingPoint).toMatchObject({ suite: 'B6', bits: 128, probeClass: 'masked', source: 'a test' })
    // Of 780 every 11th of a reference: 11 is the least prime from 7.8 on.
    expect(operatingPoint.falseMatchRate.trials).toBe(69)
    expect(trueMatchRate).toBeUndefined()
  })

  test('refuses a rate that the people cannot show', async () => {
    const { dataset, model } = people(10, 1)
    await expect(calibrate(dataset, { model, falseMatchRate: 1e-4 })).rejects.toMatchObject({
      code: 'ERR_EVALUATE_TOO_FEW',
    })
  })
})

describe('bootstrap of a difference', () => {
  async function scored(
    subjects: number,
  ): Promise<{ crowd: People; pairs: Pairs; baseline: Scores; draw: Scores }> {
    const { dataset, model } = people(subjects, 2)
    const crowd = await loadPeople(dataset, { model })
    const pairs = await choosePairs(crowd, { impostors: 'all', seed: 'x' })
    const [draw] = await scorePairs(crowd, pairs, { bits: [64], seed: 'x' })
    return { crowd, pairs, baseline: await scoreCosines(crowd, pairs), draw: draw! }
  }

  test('holds the difference that was measured, and repeats', async () => {
    const { crowd, pairs, baseline, draw } = await scored(60)
    const measured = equalErrorRate(draw).value - equalErrorRate(baseline).value
    const result = await equalErrorDifference(
      crowd,
      pairs,
      { baseline, draws: [draw, baseline] },
      { seed: 'x' },
    )
    expect(result).toMatchObject({ replicates: 200, confidence: 0.95 })
    expect(result.draws[0]!.value).toBe(measured)
    expect(result.draws[0]!.low).toBeLessThan(measured)
    expect(result.draws[0]!.high).toBeGreaterThan(measured)
    expect(result.draws[1]).toEqual({ value: 0, low: 0, high: 0 })
    expect(result.mean.value).toBeCloseTo(measured / 2, 12)
    expect(result.mean.high - result.mean.low).toBeCloseTo(
      (result.draws[0]!.high - result.draws[0]!.low) / 2,
      12,
    )
    expect(
      await equalErrorDifference(crowd, pairs, { baseline, draws: [draw, baseline] }, { seed: 'x' }),
    ).toEqual(result)
  })

  test('the fewer the people, the wider', async () => {
    const width = async (subjects: number): Promise<number> => {
      const { crowd, pairs } = await scored(subjects)
      const random = new SeededRandom('grades', 'test')
      const draw = (): Scores => ({
        mated: Uint16Array.from(pairs.mated.references, () => 3000 + random.below(5000)),
        nonMated: Uint16Array.from(pairs.nonMated.references, () => random.below(5000)),
      })
      const { mean } = await equalErrorDifference(
        crowd,
        pairs,
        { baseline: draw(), draws: [draw()] },
        { seed: 'x' },
      )
      return mean.high - mean.low
    }
    expect(await width(25)).toBeGreaterThan(1.3 * (await width(120)))
  })

  test('is that of the pairs written out as often as their subjects were drawn', async () => {
    const { crowd, pairs, baseline, draw } = await scored(12)
    const result = await equalErrorDifference(crowd, pairs, { baseline, draws: [draw] }, { seed: 'x' })
    const random = new SeededRandom('x', 'bootstrap')
    const differences: number[] = []
    while (differences.length < 200) {
      const times = Array.from({ length: 12 }, () => 0)
      for (let i = 0; i < 12; i++) times[random.below(12)]! += 1
      const written = (scores: Scores): Scores => ({
        mated: writeOut(scores.mated, pairs.mated.references, (i) => times[crowd.subjectOf[i]!]!),
        nonMated: writeOut(
          scores.nonMated,
          pairs.nonMated.references,
          (i, pair) => times[crowd.subjectOf[i]!]! * times[crowd.subjectOf[pairs.nonMated.probes[pair]!]!]!,
        ),
      })
      differences.push(equalErrorRate(written(draw)).value - equalErrorRate(written(baseline)).value)
    }
    differences.sort((a, b) => a - b)
    expect(result.mean.low).toBeCloseTo(differences[5]!, 12)
    expect(result.mean.high).toBeCloseTo(differences[194]!, 12)
    expect(result.mean.low).toBeLessThan(result.mean.high)
  })

  function writeOut(
    grades: Uint16Array,
    references: Uint32Array,
    timesOf: (reference: number, pair: number) => number,
  ): Uint16Array {
    const out: number[] = []
    grades.forEach((grade, pair) => {
      for (let k = timesOf(references[pair]!, pair); k > 0; k--) out.push(grade)
    })
    return Uint16Array.from(out)
  }

  test('draws anew what leaves one kind of pair out', async () => {
    const { crowd, pairs, baseline } = await scored(2)
    // Two subjects: every replicate that can be scored holds each once, so nothing varies.
    const flipped = {
      mated: baseline.nonMated.slice(0, 2),
      nonMated: Uint16Array.of(...baseline.mated, 1, 1),
    }
    const { mean } = await equalErrorDifference(crowd, pairs, { baseline, draws: [flipped] }, { seed: 'x' })
    expect(mean.low).toBe(mean.value)
    expect(mean.high).toBe(mean.value)
  })

  test('what does not fit is refused', async () => {
    const { crowd, pairs, baseline, draw } = await scored(5)
    const short = { ...draw, mated: draw.mated.slice(1) }
    const empty = { ...draw, mated: new Uint16Array(0) }
    for (const [draws, options, code] of [
      [[], { seed: 'x' }, 'ERR_EVALUATE_INPUT'],
      [[short], { seed: 'x' }, 'ERR_EVALUATE_INPUT'],
      [[empty], { seed: 'x' }, 'ERR_EVALUATE_TOO_FEW'],
      [[draw], { seed: 'x', replicates: 199 }, 'ERR_EVALUATE_INPUT'],
    ] as const) {
      await expect(equalErrorDifference(crowd, pairs, { baseline, draws }, options)).rejects.toMatchObject({
        code,
      })
    }
  })
})

describe('accuracy report', () => {
  test('has the agreed form', async () => {
    const { dataset, model } = people(60, 2, 128)
    const told: number[] = []
    const report = await accuracyReport(dataset, {
      model,
      keys: 2,
      impostors: 5000,
      onProgress: (done, total) => told.push(done / total),
    })
    expect(Object.keys(report.accuracy)).toEqual(['cosine', 'm64', 'm128', 'm256', 'm512', 'm1024'])
    for (const [name, figures] of Object.entries(report.accuracy)) {
      expect(Object.keys(figures)).toEqual(['eer', 'tmr', 'genuine', 'impostor', 'keys'])
      expect(Object.keys(figures.tmr)).toEqual(['1e-2', '1e-3', '1e-4'])
      expect(figures).toMatchObject({ genuine: 60, impostor: 5000, keys: name === 'cosine' ? 0 : 2 })
      expect(figures.eer).toBeGreaterThanOrEqual(0)
      expect(figures.eer).toBeLessThan(0.2)
      expect(figures.tmr['1e-2']).toBeGreaterThanOrEqual(figures.tmr['1e-3']!)
      // 5,000 comparisons do not show 1 in 10,000.
      expect(figures.tmr['1e-4']).toBeNull()
    }
    expect(report).toMatchObject({
      synthetic: true,
      subjects: 60,
      samples: 120,
      dimensions: 128,
      suite: 'B4',
    })
    const { m512, cosine } = report.accuracy
    expect(report.delta).toMatchObject({ bits: 512, replicates: 200 })
    expect(report.delta.draws).toHaveLength(2)
    expect(report.delta.mean.value).toBeCloseTo(m512.eer - cosine.eer, 12)
    expect(report.range.m512.low).toBeLessThanOrEqual(m512.eer)
    expect(report.range.m512.high).toBeGreaterThanOrEqual(m512.eer)
    expect(report.stolen.m128?.sameTemplate.value).toBe(1)
    expect(report.protocol).toContain('Synthetic people')
    expect(report.protocol).toContain('5000 of 7080 non-mated pairs')
    expect(JSON.parse(JSON.stringify(report))).toEqual(report)
    expect(told).toEqual(told.toSorted((a, b) => a - b))
  })

  test('with a mean and few people says so', async () => {
    const { dataset, model } = people(8, 2)
    const mean = new Float32Array(64).fill(0.01)
    const report = await accuracyReport(dataset, {
      model: { ...model, mean },
      keys: 1,
      impostors: 'all',
      replicates: 250,
    })
    expect(report.protocol).toContain('all non-mated pairs')
    expect(report.protocol).toContain('the mean of the model on both sides')
    expect(report.stolen.m64).toBeNull()
    expect(report.accuracy.m64.tmr['1e-2']).toBeNull()
    expect(report.delta.replicates).toBe(250)
  })

  test('needs mated pairs, a number of keys, and stops when aborted', async () => {
    const { dataset, model } = people(8, 1)
    await expect(accuracyReport(dataset, { model })).rejects.toMatchObject({ code: 'ERR_EVALUATE_TOO_FEW' })
    await expect(accuracyReport(dataset, { model, keys: 0 })).rejects.toMatchObject({
      code: 'ERR_EVALUATE_INPUT',
    })
    await expect(accuracyReport(dataset, { model, signal: AbortSignal.abort() })).rejects.toThrow('aborted')
  })
})
