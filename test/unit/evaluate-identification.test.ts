import { beforeAll, describe, expect, test } from 'vitest'
import { score, similarity } from '../../src/compare/score.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { syntheticPeople } from '../../src/dataset/synthetic.ts'
import type { Model } from '../../src/embedding/model.ts'
import { GalleryTrial, type SearchOutcome, type Standing } from '../../src/evaluate/gallery-trial.ts'
import { identificationReport } from '../../src/evaluate/identification.ts'
import { Pace } from '../../src/evaluate/pace.ts'
import { loadPeople, type People } from '../../src/evaluate/people.ts'
import { seededKey } from '../../src/evaluate/random.ts'
import { SearchResults, searchThreshold, shareAt } from '../../src/evaluate/search-results.ts'
import { encodeProbe, encodeReference } from '../../src/template/template.ts'
import type { Suite } from '../../src/transform/suite.ts'

beforeAll(cryptoReady)

const MODEL: Model = { id: 'synthetic@1', dimensions: 64, metric: 'cosine' }

function faces(subjects: number, samples: number): ReturnType<typeof syntheticPeople> {
  return syntheticPeople({ seed: 'identification', subjects, samples, dimensions: 64 })
}

describe('a draw of a gallery', () => {
  const settings = { suite: 'B4', bits: 64, galleryBits: 128, scanThreshold: 1, seed: 'x', draw: 2 } as const

  /** S ÷ √(m·Q) by the library's own encoder, under the key of a shard or a record. */
  function byHand(people: People, member: number, probe: number, use: 'shard' | 'record'): number {
    const z = (sample: number): Int32Array => people.integers.slice(64 * sample, 64 * sample + 64)
    // Eight members a shard of 64 dimensions.
    const [suite, bits, key] =
      use === 'shard'
        ? (['B6' as Suite, 128, seededKey('x', 2, 4, 1 + Math.floor(member / 8))] as const)
        : (['B4' as Suite, 64, seededKey('x', 2, 5, member)] as const)
    const { sum, energy } = score(
      encodeReference(z(2 * member), suite, bits, key),
      encodeProbe(z(probe), suite, bits, key),
    )
    return similarity(sum, energy, bits)
  }

  test('gives the scores of the library, and exhausts the vectors', async () => {
    const people = await loadPeople(faces(20, 2), { model: MODEL })
    const members = Array.from({ length: 20 }, (_, member) => member)
    const enrolled = Uint32Array.from(members, (member) => 2 * member)
    const trial = await GalleryTrial.open(people, enrolled, settings, new Pace(20, {}))
    for (const subject of [0, 7, 19]) {
      const probe = 2 * subject + 1
      const { ways, scanned, mateScanned } = await trial.search(probe)
      const scan = members.map((member) => byHand(people, member, probe, 'shard'))
      const hits = members.filter((member) => scan[member]! > 0)
      expect(scanned.length).toBe(hits.length)
      expect([...scanned].sort((a, b) => a - b)).toEqual([...scanned].reverse())
      const standing = (of: (member: number) => number, among: readonly number[]): Standing => ({
        mate: among.includes(subject) ? of(subject) : -1,
        other: Math.max(...among.filter((member) => member !== subject).map(of)),
      })
      const confirmed = (member: number): number => byHand(people, member, probe, 'record')
      near(
        ways.scan,
        standing((member) => scan[member]!, hits),
      )
      near(ways.confirmation, standing(confirmed, hits))
      near(
        ways.identify,
        standing((member) => (confirmed(member) + scan[member]!) / 2, hits),
      )
      near({ mate: mateScanned, other: 0 }, { mate: ways.scan.mate, other: 0 })
      const cosine = (member: number): number => {
        let sum = 0
        for (let i = 0; i < 64; i++) sum += people.units[128 * member + i]! * people.units[64 * probe + i]!
        return sum
      }
      near(ways.cosine, standing(cosine, members))
    }
    await trial.dispose()
    expect((await trial.search(1)).scanned).toEqual([])
  })

  test('confirms only what the scan leaves', async () => {
    const people = await loadPeople(faces(20, 2), { model: MODEL })
    const enrolled = Uint32Array.from({ length: 20 }, (_, member) => 2 * member)
    const strict = { ...settings, scanThreshold: 10_000 }
    const trial = await GalleryTrial.open(people, enrolled, strict, new Pace(20, {}))
    const { ways } = await trial.search(1)
    expect(ways.identify).toEqual({ mate: -1, other: -1 })
    expect(ways.scan).toEqual({ mate: -1, other: -1 })
    expect(ways.cosine.mate).toBeGreaterThan(0.3)
  })

  function near(found: Standing, expected: Standing): void {
    expect(found.mate).toBeCloseTo(expected.mate, 9)
    expect(found.other).toBeCloseTo(expected.other, 9)
  }
})

describe('results of searches', () => {
  function outcome(mate: number, other: number, scanned: readonly number[] = []): SearchOutcome {
    const standing = { mate, other }
    const ways = { cosine: standing, identify: standing, scan: standing, confirmation: standing }
    return { ways, scanned, mateScanned: scanned[0] ?? -1 }
  }

  test('count a mate that is above everybody else, at the threshold that it reaches', () => {
    const results = new SearchResults()
    results.add(3, outcome(0.5, 0.4, [0.5, 0.4]))
    results.add(3, outcome(0.3, 0.6))
    results.add(4, outcome(0.45, 0.45, [0.45]))
    results.add(5, outcome(-1, -0.2))
    expect(results.count).toBe(4)
    expect(results.subjects).toEqual([3, 3, 4, 5])
    expect([...results.firsts('identify')]).toEqual([1, 0, 0, 0])
    expect([...results.grades('scan')]).toEqual([5000, 6000, 4500, 0])
    expect([...results.foundGrades('confirmation')]).toEqual([5000, 0, 0, 0])
    expect([4500, 4501, 5001].map((threshold) => results.keptAt(threshold))).toEqual([2, 1, 0])
    expect([1, 4001, 4501].map((threshold) => results.shortlistAt(threshold))).toEqual([0.75, 0.5, 0.25])
  })

  test('are weighed by subject', () => {
    const grades = Uint16Array.of(10, 20, 30, 40)
    const subjects = [0, 0, 1, 2]
    expect(shareAt(grades, 20, subjects)).toBe(0.75)
    expect(shareAt(grades, 30, subjects, Uint32Array.of(1, 2, 0))).toBe(0.5)
    expect(searchThreshold(grades, 0.25, subjects)).toBe(31)
    expect(searchThreshold(grades, 0.24, subjects)).toBe(41)
    expect(searchThreshold(grades, 0.99, subjects)).toBe(11)
    expect(searchThreshold(new Uint16Array(3), 0.5, [0, 1, 2])).toBe(1)
    expect(searchThreshold(grades, 0.5, subjects, Uint32Array.of(1, 2, 0))).toBe(21)
    expect(searchThreshold(Uint16Array.of(10_000), 0.5, [0])).toBe(10_001)
  })
})

describe('an identification report', () => {
  const options = { model: MODEL, bits: 64, galleryBits: 64, draws: 2, replicates: 200 } as const

  test('sees the same galleries and probes each way, and repeats with the seed', async () => {
    const told: number[] = []
    const onProgress = (done: number): void => void told.push(done)
    const report = await identificationReport(faces(160, 3), { ...options, onProgress })
    // Of 160 people 40 calibrate; of the others 40 are outside in each draw.
    expect(report).toMatchObject({
      gallerySize: 80,
      draws: 2,
      shardMembers: 8,
      synthetic: true,
      dimensions: 64,
    })
    expect(report.searches).toEqual({ mated: 320, nonMated: 240, calibration: 240 })
    expect(report.subjects.calibration).toBe(40)
    const { cosine, identify } = report.ways
    expect(cosine.rank1.trials).toBe(320)
    expect(cosine.at['1e-3']).toBeNull()
    expect(report.differences.identify.falseNegativeRate['1e-3']).toBeNull()
    expect(report.differences.identify.rank1.value).toBeCloseTo(identify.rank1.value - cosine.rank1.value, 12)
    expect(report.differences.confirmation.rank1.high).toBeLessThan(0)
    expect(report.differences.identify.rank1.value).toBeGreaterThan(
      report.differences.confirmation.rank1.value,
    )
    expect(report.shortlists[0]?.matesKept.value).toBeGreaterThan(identify.rank1.value)
    expect(told.length).toBeGreaterThan(0)
    expect(await identificationReport(faces(160, 3), options)).toEqual(report)
    const other = await identificationReport(faces(160, 3), { ...options, seed: 'other' })
    expect(other.ways).not.toEqual(report.ways)
  })

  test('shows rates where the calibration is large enough', async () => {
    const report = await identificationReport(faces(60, 10), { ...options, draws: 3, scanThreshold: 2000 })
    const { cosine, identify } = report.ways
    expect(report.searches.calibration).toBe(450)
    const difference = report.differences.identify.falseNegativeRate['1e-2']
    const expected = identify.at['1e-2']!.falseNegativeRate.value - cosine.at['1e-2']!.falseNegativeRate.value
    expect(difference?.value).toBeCloseTo(expected, 12)
    expect(difference!.low).toBeLessThan(difference!.high)
    expect(report.shortlists[0]?.scanThreshold).toBe(2000)
  })

  test.each([
    ['draws', { draws: 0 }],
    ['replicates', { replicates: 10 }],
    ['scanThreshold', { scanThreshold: 0 }],
  ])('%s out of range are refused', async (_, wrong) => {
    await expect(identificationReport(faces(20, 2), { ...options, ...wrong })).rejects.toMatchObject({
      code: 'ERR_EVALUATE_INPUT',
    })
  })

  test('too few people or samples are refused', async () => {
    const few = { code: 'ERR_EVALUATE_TOO_FEW' }
    await expect(identificationReport(faces(2, 2), options)).rejects.toMatchObject(few)
    await expect(identificationReport(faces(40, 1), options)).rejects.toMatchObject(few)
  })
})
