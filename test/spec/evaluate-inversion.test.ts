/** SPEC §15.6: what a thief of templates and keys gains. @module */

import { type InversionFigures, type InversionReport, inversionReport } from 'guise/evaluate'
import { syntheticPeople } from 'guise/testing'
import { beforeAll, describe, expect, test } from 'vitest'
import { accepts } from '../../src/compare/decide.ts'
import { score } from '../../src/compare/score.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import type { Model } from '../../src/embedding/model.ts'
import { planAccumulation } from '../../src/evaluate/accumulation.ts'
import { DoubleRotation } from '../../src/evaluate/double-rotation.ts'
import type { RateFigures } from '../../src/evaluate/figures.ts'
import { InformedThief } from '../../src/evaluate/informed-preimage.ts'
import { acceptedAt, drawSubjects } from '../../src/evaluate/inversion-figures.ts'
import { chooseTargets, halveSubjects, samplesOf, selectSubjects } from '../../src/evaluate/inversion-plan.ts'
import { loadPeople, type People } from '../../src/evaluate/people.ts'
import { type Population, population } from '../../src/evaluate/population.ts'
import { integersOf, linearPreimage, unmask } from '../../src/evaluate/preimage.ts'
import { SeededRandom, seededKey } from '../../src/evaluate/random.ts'
import { wilson } from '../../src/evaluate/rates.ts'
import type { Bits } from '../../src/policy/operating-point.ts'
import { encodeProbe, encodeReference } from '../../src/template/template.ts'
import { rotationSize } from '../../src/transform/suite.ts'
import { dot, matrix, row, solver } from '../attack/matrix.ts'
import { codeOf } from '../support/vault.ts'

const SUITE = 'B4'

beforeAll(cryptoReady)

function modelOf(dimensions: number): Model {
  return { id: 'synthetic@1', dimensions, metric: 'cosine' }
}

async function load(
  subjects: number,
  samples: number,
  dimensions: number,
  seed = 'inversion',
): Promise<People> {
  const dataset = syntheticPeople({ seed, subjects, samples, dimensions })
  return loadPeople(dataset, { model: modelOf(dimensions) })
}

function only(report: InversionReport, attack: string, bits: Bits): InversionFigures {
  const [found, ...others] = report.inversions.filter((one) => one.attack === attack && one.bits === bits)
  expect(others).toEqual([])
  return found as InversionFigures
}

/** The other half's people replaced by others; the known half stays. */
function withOthersAttacked(people: People, others: People, seed: string): People {
  const attacked = new Set(halveSubjects(people, seed).attacked)
  const { dimensions } = people
  const units = people.units.slice()
  const integers = people.integers.slice()
  people.subjectOf.forEach((subject, sample) => {
    if (!attacked.has(subject)) return
    const [from, to] = [sample * dimensions, (sample + 1) * dimensions]
    units.set(others.units.subarray(from, to), from)
    integers.set(others.integers.subarray(from, to), from)
  })
  return { ...people, units, integers }
}

describe('EVALUATE-40', () => {
  test('EVALUATE-40 prior and thresholds stay as they are when all attacked people are others', async () => {
    const people = await load(170, 2, 64)
    const others = await load(170, 2, 64, 'others')
    const options = { bits: [64], keys: 2, targets: 40, replicates: 200, seed: 'a' } as const
    const [before, after, none] = [
      await inversionReport(people, options),
      await inversionReport(withOthersAttacked(people, others, 'a'), options),
      await inversionReport(others, options),
    ]
    expect(after.known).toEqual(before.known)
    expect(after.protocol).toEqual(before.protocol)
    // The same face for all of them would bend a population and a threshold that saw it.
    const one = { ...others, units: others.units.slice(), integers: others.integers.slice() }
    for (let sample = 1; sample < one.count; sample++) {
      one.units.copyWithin(sample * 64, 0, 64)
      one.integers.copyWithin(sample * 64, 0, 64)
    }
    const alike = await inversionReport(withOthersAttacked(people, one, 'a'), options)
    expect([alike.known, alike.protocol]).toEqual([before.known, before.protocol])
    expect(none.known.thresholds).not.toEqual(before.known.thresholds)
    expect(after.inversions).not.toEqual(before.inversions)
    const { known, attacked } = halveSubjects(people, 'a')
    expect([known.length, attacked.length]).toEqual([85, 85])
    expect(new Set([...known, ...attacked]).size).toBe(170)
  })

  test('EVALUATE-40 an odd subject is known', async () => {
    const people = await load(9, 2, 64)
    const { known, attacked } = halveSubjects(people, 'a')
    expect([known.length, attacked.length]).toEqual([5, 4])
    const half = selectSubjects(people, known)
    expect([half.subjects, half.count]).toEqual([5, 10])
    const first = Math.min(...known)
    expect(half.units.subarray(0, 128)).toEqual(people.units.subarray(first * 128, (first + 1) * 128))
  })
})

describe('EVALUATE-41', () => {
  test('EVALUATE-41 thresholds are the most permissive of the known half, by the library itself; none below 3 ÷ pairs', async () => {
    const people = await load(170, 2, 64)
    const report = await inversionReport(people, {
      bits: [64],
      keys: 1,
      targets: 10,
      accumulated: 0,
      replicates: 200,
    })
    const known = selectSubjects(people, halveSubjects(people, 'inversion').known)
    const pairs = (170 * 168) / 2
    expect(report.known).toMatchObject({ subjects: 85, samples: 170, nonMated: pairs, draws: 8 })
    const [cosine, own] = report.known.thresholds
    expect([cosine?.at['1e-4'], own?.at['1e-4']]).toEqual([null, null])
    expect(report.inversions.every(({ sar, prar }) => (sar.I['1e-4'] ?? prar.worst['1e-4']) === null)).toBe(
      true,
    )
    const threshold = own?.at['1e-3'] as number
    const accepted = [0, 0]
    const z = (sample: number): Int32Array => known.integers.subarray(sample * 64, (sample + 1) * 64)
    for (let reference = 0; reference < known.count; reference++) {
      for (let draw = 0; draw < 8; draw++) {
        const key = seededKey('inversion', draw, 64, reference)
        const code = encodeReference(z(reference), SUITE, 64, key)
        for (let probe = reference + 1; probe < known.count; probe++) {
          if (known.subjectOf[probe] === known.subjectOf[reference]) continue
          const { sum, energy } = score(code, encodeProbe(z(probe), SUITE, 64, key))
          ;[threshold, threshold - 1].forEach((at, i) => {
            accepted[i] = (accepted[i] as number) + Number(accepts(sum, energy, 64, at))
          })
        }
      }
    }
    expect(accepted[0]).toBeLessThanOrEqual(8 * pairs * 1e-3)
    expect(accepted[1]).toBeGreaterThan(8 * pairs * 1e-3)
  })

  test('EVALUATE-41 too few pairs for both rates: nothing but null', async () => {
    const report = await inversionReport(await load(20, 2, 64), { bits: [64], keys: 1, replicates: 200 })
    for (const { sar, prar } of report.inversions) {
      for (const one of [sar.I, sar.II, sar.III, prar.mean, prar.worst]) {
        expect(one).toEqual({ '1e-3': null, '1e-4': null })
      }
    }
    expect(only(report, 'face', 64).cosine.mean).toBeCloseTo(1, 6)
  })
})

describe('EVALUATE-42', () => {
  test('EVALUATE-42 shares are those that the library itself gives, template by template', async () => {
    const people = await load(120, 3, 64)
    const seed = 'shares'
    const keys = 3
    const report = await inversionReport(people, {
      bits: [64],
      keys,
      targets: 50,
      accumulated: 0,
      replicates: 200,
      seed,
    })
    const threshold = report.known.thresholds[1]?.at['1e-3'] as number
    const cosineThreshold = report.known.thresholds[0]?.at['1e-3'] as number
    const targets = chooseTargets(samplesOf(people, halveSubjects(people, seed).attacked, 2), 50)
    const z = (sample: number): Int32Array => people.integers.subarray(sample * 64, (sample + 1) * 64)
    const matches = (reference: number, probe: Int32Array, key: Uint8Array): number => {
      const { sum, energy } = score(
        encodeReference(z(reference), SUITE, 64, key),
        encodeProbe(probe, SUITE, 64, key),
      )
      return Number(accepts(sum, energy, 64, threshold))
    }
    const counts = { same: 0, reissued: 0, other: 0, fresh: Array.from({ length: keys }, () => 0) }
    targets.forEach(({ sample, other }, target) => {
      const stolen = seededKey(seed, 1, 64, sample)
      const preimage = linearPreimage(encodeReference(z(sample), SUITE, 64, stolen), stolen, {
        suite: SUITE,
        dimensions: 64,
      })
      const probe = integersOf(preimage, modelOf(64))
      counts.same += matches(sample, probe, stolen)
      counts.reissued += matches(other, probe, seededKey(seed, 2, 64, target))
      for (let key = 0; key < keys; key++) {
        counts.fresh[key] = (counts.fresh[key] as number) + matches(other, probe, seededKey(seed, 3, key))
      }
      const capture = people.units.subarray(other * 64, (other + 1) * 64)
      const cosine = dot(preimage, capture) / Math.sqrt(dot(preimage, preimage))
      counts.other += Number(Math.floor(cosine * 10_000) >= cosineThreshold)
    })
    const { sar, prar, targets: count, subjects } = only(report, 'linear', 64)
    expect([count, subjects]).toEqual([50, 50])
    expect(sar.I['1e-3']).toMatchObject({ value: counts.same / 50, trials: 50, ...wilson(counts.same, 50) })
    expect(sar.II['1e-3']).toMatchObject({ value: counts.reissued / 50, ...wilson(counts.reissued, 50) })
    expect(sar.III['1e-3']?.value).toBeCloseTo(counts.other / 50, 12)
    const all = counts.fresh.reduce((sum, one) => sum + one, 0)
    expect(all).toBeGreaterThan(0)
    expect(prar.keys).toBe(keys)
    expect(prar.mean['1e-3']?.value).toBeCloseTo(all / (50 * keys), 12)
    expect(prar.mean['1e-3']?.trials).toBe(50)
    expect(prar.worst['1e-3']?.value).toBeCloseTo(Math.max(...counts.fresh) / 50, 12)
    expect(prar.worst['1e-3']?.bySubject).toBeUndefined()
    const { low, high, replicates } = sar.II['1e-3']?.bySubject ?? { low: 1, high: 0, replicates: 0 }
    expect(replicates).toBe(200)
    expect(low).toBeLessThan(counts.reissued / 50)
    expect(high).toBeGreaterThan(counts.reissued / 50)
  })

  test('EVALUATE-42 targets of few people widen the second interval, not the first; 40 keys by default', async () => {
    const people = Array.from({ length: 600 }, (_, target) => target % 6)
    const shares = [Float64Array.from(people, (subject) => subject % 2)]
    const figures = (subjects: readonly number[]): RateFigures =>
      acceptedAt(shares, [5000, undefined], drawSubjects(subjects, 400, 'a'))['1e-3'] as RateFigures
    const width = ({ low, high } = { low: 0, high: 0 }): number => high - low
    const few = figures(people)
    const many = figures(people.map((_, target) => target))
    expect([few.value, few.trials, width(few)]).toEqual([0.5, 600, width(many)])
    expect(width(many)).toBeCloseTo(width(wilson(300, 600)), 12)
    expect(width(few.bySubject)).toBeGreaterThan(8 * width(few))
    expect(width(many.bySubject) / width(many)).toBeCloseTo(1, 0)
    const report = await inversionReport(await load(60, 2, 64), { bits: [64], targets: 4, accumulated: 0 })
    expect(only(report, 'face', 64)).toMatchObject({ targets: 4, prar: { keys: 40 } })
  })
})

/** Box and Muller. */
function normal(random: SeededRandom): number {
  const uniform = (): number => (random.below(2 ** 30) + 1) / 2 ** 30
  return Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform())
}

/** A unit vector of a normal distribution with these deviations. */
function drawFace(random: SeededRandom, deviations: readonly number[]): Float64Array {
  const face = Float64Array.from(deviations, (deviation) => deviation * normal(random))
  const length = Math.sqrt(dot(face, face))
  return face.map((value) => value / length)
}

/** Variances that sum to one. */
function spectrum(dimensions: number, exponent: number): readonly number[] {
  const variances = Array.from({ length: dimensions }, (_, i) => (i + 1) ** -exponent)
  const sum = variances.reduce((total, value) => total + value, 0)
  return variances.map((value) => value / sum)
}

function populationWith(variances: readonly number[], mean = new Float64Array(variances.length)): Population {
  const { data } = matrix(variances.length, variances.length, (i, j) =>
    i === j ? (variances[i] as number) : 0,
  )
  return population(mean, data)
}

function cosineOf(a: Float64Array, b: Float64Array): number {
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
}

interface Broken {
  readonly face: Float64Array
  readonly linear: Float64Array
  readonly prior: Float64Array
  readonly signs: Float64Array
  readonly rotation: DoubleRotation
}

/** Faces drawn, encoded by the library, stolen with their keys. */
function breakAll(
  variances: readonly number[],
  bits: Bits,
  count: number,
  known = populationWith(variances),
): Broken[] {
  const dimensions = variances.length
  const deviations = variances.map(Math.sqrt)
  const random = new SeededRandom('faces', 'test', dimensions, bits)
  return Array.from({ length: count }, (_, i) => {
    const face = drawFace(random, deviations)
    const key = seededKey('keys', bits, i)
    const code = encodeReference(integersOf(face, modelOf(dimensions)), SUITE, bits, key)
    const n = rotationSize(dimensions, bits)
    const rotation = new DoubleRotation(SUITE, key, n)
    const signs = unmask(code, key, SUITE, n)
    const { face: prior } = new InformedThief(known, rotation, [bits]).posterior(signs)
    return { face, linear: linearPreimage(code, key, { suite: SUITE, dimensions }), prior, signs, rotation }
  })
}

function meanCosine(broken: readonly Broken[], kind: 'linear' | 'prior'): number {
  return broken.reduce((sum, one) => sum + cosineOf(one[kind], one.face), 0) / broken.length
}

describe('EVALUATE-43', () => {
  test.each([
    [128, 0.399],
    [256, 0.564],
    [512, 0.798],
    [1024, 0.882],
  ] as const)('EVALUATE-43 isotropic faces, d = 512, m = %i: the linear preimage lies at %d', (bits, law) => {
    const broken = breakAll(spectrum(512, 0), bits, 40)
    expect(Math.abs(meanCosine(broken, 'linear') - law)).toBeLessThan(0.01)
    // Nothing is nearer as long as m ≤ d, and the posterior mean is the same direction.
    if (bits < 512)
      expect(cosineOf(broken[0]?.prior as Float64Array, broken[0]?.linear as Float64Array)).toBeGreaterThan(
        0.9999,
      )
    else expect(meanCosine(broken, 'prior')).toBeGreaterThan(law - 0.005)
  })

  test('EVALUATE-43 the stolen template accepts both preimages', async () => {
    const report = await inversionReport(await load(120, 3, 128), {
      bits: [64, 128],
      keys: 1,
      accumulated: 0,
      replicates: 200,
    })
    for (const bits of [64, 128] as const) {
      for (const attack of ['linear', 'prior']) {
        expect(only(report, attack, bits).sar.I['1e-3']?.value).toBeGreaterThan(0.99)
      }
      expect(only(report, 'code', bits).sar.I['1e-3']?.value).toBeLessThan(0.05)
    }
  })
})

/** Cov(x, b)·Cov(b)⁻¹·b for a normal population of mean zero, plainly from its matrices. */
function linearEstimate({ signs, rotation }: Broken, variances: readonly number[]): Float64Array {
  const dimensions = variances.length
  const rows = matrix(signs.length, dimensions)
  for (let j = 0; j < signs.length; j++) {
    const unit = new Float64Array(rotation.n)
    unit[j] = 1
    rotation.turnBack(unit)
    rows.data.set(unit.subarray(0, dimensions), j * dimensions)
  }
  const spread = Array.from({ length: signs.length }, (_, j) =>
    row(rows, j).map((value, i) => value * (variances[i] as number)),
  )
  const deviations = spread.map((values, j) => Math.sqrt(dot(values, row(rows, j))))
  const agreement = matrix(signs.length, signs.length, (i, j) => {
    const correlation =
      dot(spread[i] as Float64Array, row(rows, j)) / ((deviations[i] as number) * (deviations[j] as number))
    return Math.asin(Math.max(-1, Math.min(1, correlation)))
  })
  const weights = solver(agreement, 0)(signs)
  const face = new Float64Array(dimensions)
  spread.forEach((values, j) => {
    for (let i = 0; i < dimensions; i++) {
      face[i] =
        (face[i] as number) + ((weights[j] as number) / (deviations[j] as number)) * (values[i] as number)
    }
  })
  return face
}

describe('EVALUATE-44', () => {
  test.each([
    [64, 0.416],
    [128, 0.535],
    [256, 0.665],
    [512, 0.828],
    [1024, 0.895],
  ] as const)(
    'EVALUATE-44 variances i^−0.66 known, d = 512, m = %i: %d, or somewhat better for m ≥ d',
    (bits, law) => {
      const found = meanCosine(breakAll(spectrum(512, 0.66), bits, 32), 'prior')
      expect(found).toBeGreaterThan(law - 0.02)
      expect(found).toBeLessThan(law + (bits < 512 ? 0.02 : 0.03))
    },
  )

  test.each([
    [128, 64, 0.66],
    [128, 128, 0.66],
    [128, 256, 0.66],
    [128, 64, 1.5],
    [128, 128, 1.5],
    [192, 128, 1],
  ] as const)(
    'EVALUATE-44 d = %i, m = %i, variances i^−%d: no farther than the best linear estimate',
    (dimensions, bits, exponent) => {
      const variances = spectrum(dimensions, exponent)
      const broken = breakAll(variances, bits, 40)
      const linear = broken.map((one) => cosineOf(linearEstimate(one, variances), one.face))
      const best = linear.reduce((sum, value) => sum + value, 0) / linear.length
      expect(meanCosine(broken, 'prior')).toBeGreaterThan(best - 0.001)
      expect(best).toBeGreaterThan(meanCosine(broken, 'linear') + 0.001)
    },
  )

  test('EVALUATE-44 the posterior mean is that of faces drawn until the signs fit, with a mean that is not zero', () => {
    const variances = spectrum(16, 0.66)
    const mean = Float64Array.from(variances, (_, i) => (i % 3 === 0 ? 0.2 : -0.05))
    const known = populationWith(variances, mean)
    const random = new SeededRandom('rejection', 'test')
    const rotation = new DoubleRotation(SUITE, seededKey('small', 1), 16)
    for (const bits of [4, 6]) {
      const one = mean.map((value, k) => value + Math.sqrt(variances[k] as number) * normal(random))
      rotation.turn(one)
      const signs = one.subarray(0, bits).map((value) => (value < 0 ? -1 : 1))
      const { face, precision, sites } = new InformedThief(known, rotation, [bits]).posterior(signs)
      const sum = new Float64Array(16)
      let kept = 0
      for (let i = 0; i < 100_000; i++) {
        const drawn = mean.map((value, k) => value + Math.sqrt(variances[k] as number) * normal(random))
        const turned = drawn.slice()
        rotation.turn(turned)
        if (!signs.every((sign, j) => sign * (turned[j] as number) > 0)) continue
        kept++
        for (let k = 0; k < 16; k++) sum[k] = (sum[k] as number) + (drawn[k] as number)
      }
      expect(kept).toBeGreaterThan(300)
      expect(cosineOf(face, sum)).toBeGreaterThan(0.97)
      expect(Math.sqrt(dot(face, face)) / (Math.sqrt(dot(sum, sum)) / kept)).toBeCloseTo(1, 0)
      expect(precision).toBeGreaterThan(0)
      expect(sites).toHaveLength(bits)
    }
  })
})

describe('EVALUATE-45 and what follows', () => {
  let people: People
  let report: InversionReport
  const options = { bits: [64, 128], keys: 4, targets: 200, accumulated: 40, replicates: 200 } as const

  beforeAll(async () => {
    people = await load(160, 5, 128)
    report = await inversionReport(people, options)
  })

  test('EVALUATE-45 without the key a code tells nothing, with it much, and a face most', () => {
    const shares = (['none', 'code', 'linear', 'prior', 'face'] as const).map((attack) =>
      only(report, attack, 128),
    )
    expect(shares.map(({ disclosed }) => disclosed)).toEqual([
      'nothing',
      'code',
      'code+key',
      'code+key',
      'face',
    ])
    expect(new Set(shares.map(({ targets, subjects }) => `${targets} ${subjects}`))).toEqual(
      new Set(['200 80']),
    )
    const accepted = shares.map(({ prar }) => prar.mean['1e-3']?.value as number)
    const [none, code, linear, prior, face] = accepted as [number, number, number, number, number]
    for (const chance of [none, code]) expect(chance).toBeLessThan(0.01)
    expect(linear).toBeGreaterThan(0.2)
    expect(prior).toBeGreaterThan(linear)
    expect(face).toBeGreaterThan(prior)
    expect(only(report, 'prior', 128).cosine.mean).toBeGreaterThan(only(report, 'linear', 128).cosine.mean)
    expect(Math.abs(only(report, 'code', 128).cosine.mean)).toBeLessThan(0.03)
    expect(report.genuine.map(({ bits }) => bits)).toEqual([64, 128])
    expect(report.genuine[1]?.accepted).toEqual(only(report, 'face', 128).prar.mean)
    const { q05, q50, q95, mean } = only(report, 'prior', 128).cosine
    expect([q05, q50, q95].toSorted((a, b) => a - b)).toEqual([q05, q50, q95])
    expect(Math.abs(mean - q50)).toBeLessThan(0.02)
    expect(report.synthetic).toBe(true)
    expect(report.protocol[0]).toBe('Synthetic people: no evidence about real faces.')
  })

  test('EVALUATE-46 every further old template brings the thief nearer', () => {
    for (const bits of [64, 128] as const) {
      const rows = report.accumulation.filter((one) => one.bits === bits)
      expect(rows.map(({ generations, targets }) => [generations, targets])).toEqual([
        [1, 40],
        [2, 40],
        [4, 40],
      ])
      const cosines = rows.map(({ cosineToOther }) => cosineToOther)
      expect(cosines[1]).toBeGreaterThan((cosines[0] as number) + 0.03)
      expect(cosines[2]).toBeGreaterThan((cosines[1] as number) + 0.03)
      const accepted = rows.map(({ prar }) => prar['1e-3']?.value as number)
      expect(accepted[2]).toBeGreaterThan(accepted[0] as number)
      // One old template alone is the prior-aware preimage, of other targets.
      expect(Math.abs((cosines[0] as number) - only(report, 'prior', bits).cosineToOther)).toBeLessThan(0.05)
    }
  })

  test('EVALUATE-46 the same targets for each number, old captures all different and none of them left', () => {
    const { targets, generations } = planAccumulation(
      [
        [1, 2, 3],
        [4, 5, 6, 7, 8],
        [9, 10, 11, 12, 13, 14],
      ],
      7,
    )
    expect(generations).toEqual([1, 2, 4])
    expect(targets.slice(0, 3)).toEqual([
      [4, 5, 6, 7, 8],
      [9, 10, 11, 12, 13],
      [5, 6, 7, 8, 4],
    ])
    expect(targets).toHaveLength(7)
    for (const samples of targets) expect(new Set(samples).size).toBe(5)
    expect(planAccumulation([[1]], 7)).toEqual({ targets: [], generations: [] })
    expect(planAccumulation([[1, 2]], 0).targets).toEqual([])
  })

  test('EVALUATE-47 equal seeds give equal figures, other seeds others', async () => {
    const small = { ...options, bits: [64], keys: 2, targets: 30, accumulated: 5 } as const
    const first = await inversionReport(people, small)
    expect(await inversionReport(people, small)).toEqual(first)
    const other = await inversionReport(people, { ...small, seed: 'b' })
    expect(other.inversions).not.toEqual(first.inversions)
  })
})

describe('EVALUATE-41 refusals', () => {
  test('EVALUATE-41 too few people, or options that say nothing', async () => {
    const few = await load(4, 1, 64)
    expect(await codeOf(inversionReport(few))).toBe('ERR_EVALUATE_TOO_FEW')
    expect(await codeOf(inversionReport(await load(2, 2, 64)))).toBe('ERR_EVALUATE_TOO_FEW')
    // A population of two people explains nobody's signs: the figures are poor, but there are figures.
    const { inversions: poor } = await inversionReport(await load(4, 2, 64), { keys: 1, replicates: 200 })
    expect(poor.every(({ cosine }) => Number.isFinite(cosine.mean))).toBe(true)
    const dataset = syntheticPeople({ seed: 'x', subjects: 20, samples: 2, dimensions: 64 })
    expect(await codeOf(inversionReport(dataset))).toBe('ERR_EVALUATE_INPUT')
    for (const options of [
      { bits: [] },
      { bits: [65 as Bits] },
      { keys: 0 },
      { targets: 0 },
      { replicates: 199 },
    ]) {
      expect(await codeOf(inversionReport(few, options))).toBe('ERR_EVALUATE_INPUT')
    }
    const { inversions } = await inversionReport(dataset, {
      model: modelOf(64),
      bits: [64],
      keys: 1,
      replicates: 200,
    })
    expect(inversions).toHaveLength(5)
  })
})
