/** SPEC §15.3: comparisons of all samples, in threads, and what a report makes of them. @module */

import { type VerificationReport, verificationReport } from 'guise/evaluate'
import { describe, expect, test, vi } from 'vitest'
import { accepts } from '../../src/compare/decide.ts'
import { score } from '../../src/compare/score.ts'
import { syntheticPeople } from '../../src/dataset/synthetic.ts'
import { countGrades, equalErrorRate, MAX_GRADE, thresholdAt } from '../../src/evaluate/accuracy.ts'
import { serve } from '../../src/evaluate/crew.ts'
import { loadPeople, type People } from '../../src/evaluate/people.ts'
import { SeededRandom, seededKey } from '../../src/evaluate/random.ts'
import { crowdOf, resampleSubjects } from '../../src/evaluate/resample.ts'
import { type Streamed, type StreamTask, streamScores } from '../../src/evaluate/stream.ts'
import { planStream, type StreamOptions, type StreamPlan } from '../../src/evaluate/stream-plan.ts'
import { subjectRate, tallyAt } from '../../src/evaluate/subject-bootstrap.ts'
import { type Found, mergeTallies, Tally } from '../../src/evaluate/tally.ts'
import { countWords, turnsOf } from '../../src/evaluate/turns.ts'
import { encodeProbe, encodeReference } from '../../src/template/template.ts'

const model = { id: 'synthetic@1', dimensions: 64, metric: 'cosine' } as const
const MODULES = new URL('../../dist/evaluate/', import.meta.url)
const CREW = new URL('crew.js', MODULES).href

function crowd(subjects: number, samples: number): Promise<People> {
  return loadPeople(syntheticPeople({ seed: 'all pairs', subjects, samples, dimensions: 64 }), { model })
}

function planOf(people: People, options: Partial<StreamOptions> = {}): StreamPlan {
  return planStream(
    { dimensions: 64, references: people, probes: people, within: true, twinOf: null },
    {
      suite: 'B4',
      seed: 'test',
      draws: 1,
      sampled: 'all',
      targets: [
        { way: 'cosine', bits: null },
        { way: 'asymmetric', bits: 64 },
        { way: 'hamming', bits: 64 },
        { way: 'asymmetric', bits: 128 },
      ],
      ...options,
    },
  )
}

/** The figures of one pair as the text has them, from templates with masks. */
function gradesByTemplates(
  people: People,
  i: number,
  j: number,
  m: 64 | 128,
  draw: number,
): readonly [number, number] {
  const z = (sample: number): Int32Array => people.integers.subarray(sample * 64, (sample + 1) * 64)
  const key = seededKey('test', draw, m, i)
  const code = encodeReference(z(i), 'B4', m, key)
  const other = encodeReference(z(j), 'B4', m, key)
  const { sum, energy } = score(code, encodeProbe(z(j), 'B4', m, key))
  let asymmetric = 0
  while (asymmetric < MAX_GRADE && accepts(sum, energy, m, asymmetric + 1)) asymmetric++
  let distance = 0
  code.forEach((byte, at) => {
    for (let bits = byte ^ (other[at] as number); bits > 0; bits &= bits - 1) distance++
  })
  return [asymmetric, Math.max(0, Math.floor(((m - 2 * distance) * 10_000) / m))]
}

function exactly(streams: readonly Streamed[]): unknown {
  return streams.map(({ counts, moments, mated, matedMoments, cut, kept, nonMated, step }) => ({
    counts,
    moments,
    mated,
    matedMoments,
    cut,
    nonMated,
    step,
    kept: Array.from(kept.grades, (grade, i) => [grade, kept.references[i], kept.probes[i]].join()).sort(),
  }))
}

/** All memory that is made to be shared from now on. */
function spyOnShared(): { readonly buffers: readonly SharedArrayBuffer[]; restore(): void } {
  const buffers: SharedArrayBuffer[] = []
  vi.stubGlobal(
    'SharedArrayBuffer',
    class extends SharedArrayBuffer {
      constructor(length: number) {
        super(length)
        buffers.push(this)
      }
    },
  )
  return { buffers, restore: () => vi.unstubAllGlobals() }
}

describe('EVALUATE-20', () => {
  test('EVALUATE-20 grades are those of templates compared one by one, under the key of the reference', async () => {
    const people = await crowd(7, 3)
    const streams = await streamScores(planOf(people, { draws: 2 }), { threads: 1 })
    const [cosine, asymmetric, hamming, wide] = streams as readonly [Streamed, Streamed, Streamed, Streamed]
    const expected = [64, 128].map(() => [new Float64Array(10_001), new Float64Array(10_001)] as const)
    const mated: number[][] = [[], []]
    for (let draw = 0; draw < 2; draw++) {
      for (let i = 0; i < people.count; i++) {
        for (let j = i + 1; j < people.count; j++) {
          for (const [k, m] of ([64, 128] as const).entries()) {
            const [a, h] = gradesByTemplates(people, i, j, m, draw)
            if (people.subjectOf[i] === people.subjectOf[j]) mated[k]?.push(a)
            else for (const [at, grade] of [a, h].entries()) expected[k]![at]![grade]! += 1
          }
        }
      }
    }
    expect(asymmetric.counts).toEqual(expected[0]![0])
    expect(hamming.counts).toEqual(expected[0]![1])
    expect(wide.counts).toEqual(expected[1]![0])
    expect(Array.from(asymmetric.mated)).toEqual(mated[0])
    expect(Array.from(wide.mated)).toEqual(mated[1])
    expect(asymmetric).toMatchObject({ draws: 2, nonMated: 2 * 189, step: 1, cut: 1 })
    expect(cosine).toMatchObject({ draws: 0, nonMated: 189 })
    expect(cosine.moments.count).toBe(189)
    expect(asymmetric.kept.grades.length).toBe(378 - (asymmetric.counts[0] as number))
  })

  test('EVALUATE-20 of too many comparisons every p-th of a reference is made, from a start of its own', async () => {
    const people = await crowd(10, 2)
    const plan = planOf(people, { most: 40, targets: [{ way: 'asymmetric', bits: 64 }] })
    const [streamed] = await streamScores(plan, { threads: 1 })
    // 180 pairs, ⌈180 ÷ 40⌉ = 5 is a prime.
    const expected = new Float64Array(10_001)
    for (let i = 0; i < people.count; i++) {
      const others = Array.from({ length: people.count - i - 1 }, (_, k) => i + 1 + k).filter(
        (j) => people.subjectOf[j] !== people.subjectOf[i],
      )
      for (let k = new SeededRandom('test', 'rows', 64, 0, i).below(5); k < others.length; k += 5)
        expected[gradesByTemplates(people, i, others[k] as number, 64, 0)[0]]! += 1
    }
    expect(streamed?.step).toBe(5)
    expect(streamed?.counts).toEqual(expected)
    expect(streamed?.nonMated).toBe(expected.reduce((sum, count) => sum + count, 0))
    expect(streamed?.mated.length).toBe(10)
    // Larger rotations alone are sampled when that is asked for; 8 is no prime.
    const steps = planOf(people, { sampled: 25 }).passes.map(({ n, step }) => [n, step])
    expect(steps).toEqual([
      [0, 1],
      [64, 1],
      [128, 11],
    ])
  })

  test('EVALUATE-20 counts, sums and what is kept are the same for one thread and for three', async () => {
    const people = await crowd(60, 3)
    const plan = planOf(people, { keep: 200 })
    const alone = await streamScores(plan, { threads: 1 })
    const { buffers, restore } = spyOnShared()
    // Who took each turn stands behind three words. The first turn waits until another thread has taken one.
    const owners = (): Int32Array => new Int32Array(buffers.at(-1) as SharedArrayBuffer).subarray(3)
    const onProgress = (): void => {
      const end = performance.now() + 20_000
      while (!owners().some((owner) => owner > 1) && performance.now() < end)
        Atomics.wait(owners(), 0, -1, 10)
    }
    try {
      const together = await streamScores(plan, { threads: 3, crewModule: CREW, onProgress })
      expect(owners().some((owner) => owner > 1)).toBe(true)
      expect(exactly(together)).toEqual(exactly(alone))
    } finally {
      restore()
    }
    expect(alone[1]!.kept.grades.length).toBeLessThanOrEqual(200)
    expect(alone[1]!.kept.grades.length).toBeGreaterThan(150)
    expect(Math.min(...alone[1]!.kept.grades)).toBeGreaterThanOrEqual(alone[1]!.cut)
  })

  test('EVALUATE-20 what is kept does not depend on who met it', () => {
    const random = new SeededRandom('kept', 'test')
    const parts = Array.from({ length: 4 }, () => new Tally(300))
    const whole = new Tally(300)
    for (let i = 0; i < 40_000; i++) {
      const grade = Math.floor(Math.sqrt(random.below(10_001) * random.below(10_001))) - 3000
      for (const tally of [whole, parts[random.below(4)] as Tally]) tally.add(grade, i, i + 1)
    }
    const all = mergeTallies([whole.found], 300)
    const merged = mergeTallies(
      parts.map(({ found }) => found),
      300,
    )
    const sorted = ({ kept }: typeof all): readonly number[] =>
      Array.from(kept.references).sort((a, b) => a - b)
    expect(sorted(merged)).toEqual(sorted(all))
    expect({ ...merged, kept: 0 }).toEqual({ ...all, kept: 0 })
    expect(all.kept.grades.length).toBe(all.counts.slice(all.cut).reduce((sum, count) => sum + count, 0))
    expect(all.kept.grades.length).toBeGreaterThan(200)
  })
})

describe('EVALUATE-21', () => {
  test('EVALUATE-21 a report holds what §15.2 makes of the counts, and says how it came about', async () => {
    const dataset = syntheticPeople({ seed: 'all pairs', subjects: 60, samples: 3, dimensions: 64 })
    const told: number[] = []
    const report: VerificationReport = await verificationReport(dataset, {
      model,
      bits: [64, 128],
      seed: 'test',
      sampled: 5000,
      replicates: 200,
      threads: 1,
      onProgress: (done, total) => told.push(done / total),
    })
    expect(report).toMatchObject({ synthetic: true, subjects: 60, samples: 180, suite: 'B4', seed: 'test' })
    expect(report.ways.map(({ way, bits }) => [way, bits])).toEqual([
      ['cosine', null],
      ['asymmetric', 64],
      ['asymmetric', 128],
      ['hamming', 64],
      ['hamming', 128],
    ])
    const people = await crowd(60, 3)
    const [, asymmetric] = await streamScores(planOf(people), { threads: 1 })
    const scores = { mated: countGrades(asymmetric!.mated), nonMated: asymmetric!.counts }
    const { eer, at, histogram, det, information, nonMated, mated } = report.ways[1]!
    expect(eer).toMatchObject(equalErrorRate(scores))
    expect(eer.bySubject.low).toBeLessThan(eer.value)
    expect(eer.bySubject.high).toBeGreaterThan(eer.value)
    expect([mated, nonMated]).toEqual([180, 15_930])
    expect(at['1e-2']?.threshold).toBe(thresholdAt(asymmetric!.counts, 1e-2))
    expect(at['1e-2']?.perSubject.subjects).toBe(60)
    expect(at['1e-2']?.groups).toEqual([])
    // 15,930 comparisons do not show 1 in 10,000.
    expect(at['1e-4']).toBeNull()
    expect(at['1e-3']?.falseMatchRate.value).toBeLessThanOrEqual(1e-3)
    expect(histogram.mated).toHaveLength(100)
    expect(det.length).toBeGreaterThan(10)
    expect(information.degreesOfFreedom).toBeGreaterThan(10)
    expect(report.ways[2]!.nonMated).toBeLessThan(6000)
    expect(report.protocol.join(' ')).toContain('asymmetric at 128 bits: every 5th non-mated pair')
    expect(report.protocol[0]).toContain('no evidence about real faces')
    expect(told).toEqual(told.toSorted((a, b) => a - b))
    expect(told.every((share) => share <= 1)).toBe(true)
    expect(JSON.parse(JSON.stringify(report))).toEqual(report)
  })

  test('EVALUATE-21 people who were loaded stay loaded, and groups have rates of their own', async () => {
    const people = await crowd(12, 3)
    const groupOf = Uint32Array.from({ length: 12 }, (_, subject) =>
      subject < 8 ? subject % 2 : 0xffff_ffff,
    )
    const grouped = { ...people, groupOf, groups: ['even', 'odd'] }
    const { ways } = await verificationReport(grouped, {
      model,
      bits: [64],
      ways: ['asymmetric'],
      replicates: 200,
      threads: 1,
    })
    const { groups, falseMatchRate, trueMatchRate } = ways[0]!.at['1e-2']!
    expect(people.integers.some((value) => value !== 0)).toBe(true)
    // Four subjects of three samples each: 6 pairs of subjects, 9 comparisons each.
    expect(groups.map(({ group, subjects }) => [group, subjects])).toEqual([
      ['even', 4],
      ['odd', 4],
    ])
    expect(groups.map((one) => [one.falseMatchRate?.trials, one.trueMatchRate?.trials])).toEqual([
      [54, 12],
      [54, 12],
    ])
    expect([falseMatchRate.trials, trueMatchRate.trials]).toEqual([594, 36])
  })

  test('EVALUATE-21 intervals over subjects are those of a list of all pairs', async () => {
    const people = await crowd(30, 2)
    const plan = planOf(people, { targets: [{ way: 'asymmetric', bits: 64 }] })
    const [streamed] = (await streamScores(plan, { threads: 1 })) as readonly [Streamed]
    const threshold = thresholdAt(streamed.counts, 0.01) as number
    const options = { seed: 'drawn', replicates: 300 }
    const [resampled] = await resampleSubjects(
      crowdOf(plan),
      [{ streamed, thresholds: [threshold] }],
      options,
    )
    const { references: a, probes: b, grades } = streamed.kept
    const samples = { samples: new Uint32Array(30).fill(2) }
    const accepted = Float64Array.from(grades, (grade) => Number(grade >= threshold))
    const listed = await subjectRate({ subjects: 30, a, b, accepted, trials: samples }, options)
    const found = resampled!.at[0]!
    expect(found.falseMatchRate.low).toBeCloseTo(listed.low, 12)
    expect(found.falseMatchRate.high).toBeCloseTo(listed.high, 12)
    const same = { a: streamed.matedSubjects, b: streamed.matedSubjects, grades: streamed.mated }
    const mated = await subjectRate(tallyAt(same, 30, threshold), options)
    expect(found.trueMatchRate?.low).toBeCloseTo(mated.low, 12)
    expect(found.trueMatchRate?.high).toBeCloseTo(mated.high, 12)
    expect(found.falseMatchRate.high).toBeGreaterThan(0.01)
  })

  test('EVALUATE-21 what cannot be measured is refused', async () => {
    const dataset = syntheticPeople({ seed: 'x', subjects: 5, samples: 1, dimensions: 64 })
    const refused = (options: object, code: string): Promise<void> =>
      expect(verificationReport(dataset, { model, threads: 1, ...options })).rejects.toMatchObject({ code })
    await refused({}, 'ERR_EVALUATE_TOO_FEW')
    for (const options of [
      { ways: [] },
      { ways: ['guess'] },
      { bits: [] },
      { bits: [65] },
      { draws: 0 },
      { replicates: 5 },
      { sampled: 1 },
    ])
      await refused(options, 'ERR_EVALUATE_INPUT')
    await expect(
      verificationReport(dataset, { model, threads: 1, signal: AbortSignal.abort() }),
    ).rejects.toThrow('aborted')
  })
})

describe('EVALUATE-22', () => {
  const dying = `data:text/javascript,${encodeURIComponent(`
    import { takeTurn } from '${new URL('turns.js', MODULES).href}'
    export function serve(port, shared, self) {
      for (let i = 0; i < 3; i++) takeTurn(shared, self)
      throw new Error('out of memory')
    }`)}`

  test('EVALUATE-22 turns of a thread that ended before its time are taken again', async () => {
    const people = await crowd(60, 3)
    const plan = planOf(people)
    const alone = await streamScores(plan, { threads: 1 })
    const task: StreamTask = { threads: 2, crewModule: dying }
    expect(exactly(await streamScores(plan, task))).toEqual(exactly(alone))
    const missing: StreamTask = { threads: 2, crewModule: 'file:///nowhere.js' }
    expect(exactly(await streamScores(plan, missing))).toEqual(exactly(alone))
  })

  test('EVALUATE-22 memory that threads share is wiped, and threads end when the work is aborted', async () => {
    const { buffers, restore } = spyOnShared()
    try {
      const people = await crowd(60, 3)
      const faces = people.integers.byteLength
      await streamScores(planOf(people), { threads: 2, crewModule: CREW })
      const shared = buffers.filter(({ byteLength }) => byteLength === faces)
      expect(shared.length).toBe(2)
      for (const buffer of shared) expect(new Uint8Array(buffer).every((byte) => byte === 0)).toBe(true)
      expect(people.integers.some((value) => value !== 0)).toBe(true)
      const abort = new AbortController()
      const aborted = streamScores(planOf(people), {
        threads: 2,
        crewModule: CREW,
        signal: abort.signal,
        onProgress: () => abort.abort(),
      })
      await expect(aborted).rejects.toThrow('aborted')
      for (const buffer of buffers.filter(({ byteLength }) => byteLength === faces))
        expect(new Uint8Array(buffer).every((byte) => byte === 0)).toBe(true)
    } finally {
      restore()
    }
  })

  test('EVALUATE-22 a thread answers once, with all that it took, and does not take what others have', async () => {
    const people = await crowd(20, 3)
    const plan = planOf(people)
    const alone = await streamScores(plan, { threads: 1 })
    const mated = alone.map((streamed) => new Int16Array(streamed.mated.length))
    const shared = { plan, mated, words: new Int32Array(new SharedArrayBuffer(4 * countWords(plan))) }
    const answers: (readonly Found[])[] = []
    const port = { postMessage: (found: unknown): number => answers.push(found as readonly Found[]) }
    await serve(port, shared, 1)
    await serve(port, shared, 2)
    expect(answers).toHaveLength(2)
    expect(answers[0]?.map(({ counts }) => counts)).toEqual(alone.map(({ counts }) => counts))
    expect(answers[1]?.every(({ counts }) => counts.every((count) => count === 0))).toBe(true)
    expect(mated.map((grades) => Uint16Array.from(grades, (grade) => Math.max(0, grade)))).toEqual(
      alone.map((streamed) => streamed.mated),
    )
    // 4 turns of 16 references in each of 3 passes.
    expect(turnsOf(shared, 1)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    expect(turnsOf(shared, 2)).toEqual([])
  })

  test('EVALUATE-22 where there are no threads, one does everything', async () => {
    const people = await crowd(5, 2)
    const expected = await streamScores(planOf(people), { threads: 1 })
    vi.stubGlobal('process', { ...process, getBuiltinModule: undefined })
    try {
      expect(exactly(await streamScores(planOf(people), { threads: 2 }))).toEqual(exactly(expected))
    } finally {
      vi.unstubAllGlobals()
    }
  })
})
