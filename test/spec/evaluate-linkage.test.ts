/** SPEC §15.5: linkage. @module */

import { linkageReport } from 'guise/evaluate'
import { beforeAll, describe, expect, test } from 'vitest'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { syntheticPeople } from '../../src/dataset/synthetic.ts'
import type { Model } from '../../src/embedding/model.ts'
import { measureDiversity } from '../../src/evaluate/diversity.ts'
import type { LinkageReport, LinkageSetting, LinkerFigures } from '../../src/evaluate/figures.ts'
import { linkability } from '../../src/evaluate/linkability.ts'
import { measureLinkage } from '../../src/evaluate/linkage.ts'
import { chooseLinkagePairs } from '../../src/evaluate/linkage-pairs.ts'
import { scoreRows } from '../../src/evaluate/linkage-rows.ts'
import {
  encodePairs,
  integersAt,
  type LinkageScheme,
  PairCodes,
  realScheme,
} from '../../src/evaluate/linkage-scheme.ts'
import { Pace } from '../../src/evaluate/pace.ts'
import type { People } from '../../src/evaluate/people.ts'
import { seededKey } from '../../src/evaluate/random.ts'
import { encodeReference } from '../../src/template/template.ts'
import { somePeople, weakened } from '../support/linkage.ts'
import { basis, codeOf, sample, testVault } from '../support/vault.ts'

beforeAll(cryptoReady)

const UNKNOWN = ['hamming', 'preimage', 'probe', 'spectrum', 'statistics', 'metadata', 'learned']
const KNOWN = ['known-keys', 'preimage', 'probe']

function find(report: LinkageReport, setting: LinkageSetting, linker: string): LinkerFigures {
  const found = report.linkers.find((one) => one.setting === setting && one.linker === linker)
  if (found === undefined) throw new Error(`${linker} was not run`)
  return found
}

/** What random keys of the run itself do not touch. */
function repeatable({ linkers }: LinkageReport): readonly LinkerFigures[] {
  return linkers.filter(({ linker }) => linker !== 'metadata')
}

describe('the library', () => {
  let people: People
  let report: LinkageReport
  beforeAll(async () => {
    people = await somePeople(120, 10, 128)
    report = await measureLinkage(people, { permutations: 400 })
  }, 120_000)

  test('EVALUATE-30 every template is under a key of its own, in one pair; non-mated pairs are no fewer, in either half', async () => {
    const pairs = await chooseLinkagePairs(people, { most: 300, seed: 'a' })
    const used = new Set<string>()
    const real = realScheme({ suite: 'B4', bits: 128, seed: 'a' })
    const scheme: LinkageScheme = {
      ...real,
      keyOf: (place) => {
        const key = real.keyOf(place)
        used.add(key.join())
        return key
      },
    }
    for (const setting of [0, 1] as const) {
      const codes = new PairCodes(pairs, 128)
      await encodePairs(people, codes, { setting, scheme, pace: new Pace(0, {}) })
      const [i, side] = [pairs.count - 1, 1] as const
      const z = integersAt(people, pairs.second[i]!)
      expect(codes.code(i, side)).toEqual(
        encodeReference(z, 'B4', 128, real.keyOf({ setting, pair: i, side, subject: 0 })),
      )
    }
    expect(used.size).toBe(2 * 2 * pairs.count)
    for (const half of [0, 1]) {
      const mated = pairs.half.subarray(0, pairs.mated).filter((one) => one === half).length
      expect(mated).toBeGreaterThan(0)
      expect(pairs.half.filter((one) => one === half).length - mated).toBe(2 * mated)
    }
    for (let i = 0; i < pairs.count; i++) {
      const [a, b] = [people.subjectOf[pairs.first[i]!], people.subjectOf[pairs.second[i]!]]
      expect(a === b).toBe(i < pairs.mated)
      expect(pairs.first[i]).not.toBe(pairs.second[i])
    }
    for (const {
      linkability: { mated, nonMated },
    } of report.linkers)
      expect(nonMated).toBeGreaterThanOrEqual(mated)
  })

  test('EVALUATE-31 every linker is there in every setting, and the highest of each', () => {
    const named = (of: LinkageSetting): string[] =>
      report.linkers.filter(({ setting }) => setting === of).map(({ linker }) => linker)
    expect(named('generations')).toEqual(UNKNOWN)
    expect(named('realms')).toEqual(UNKNOWN)
    expect(named('keys-known')).toEqual(KNOWN)
    for (const { setting, keys } of report.linkers) expect(keys === 'known').toBe(setting === 'keys-known')
    for (const [setting, highest] of Object.entries(report.highest)) {
      const systems = report.linkers
        .filter((one) => one.setting === setting)
        .map((one) => one.linkability.system)
      expect(highest.system).toBe(Math.max(...systems))
      expect(find(report, setting as LinkageSetting, highest.linker).linkability.system).toBe(highest.system)
    }
  })

  test('EVALUATE-31 keys unknown: nothing is linked; keys known: nearly everything', () => {
    for (const { linker, keys, linkability: found, auc } of repeatable(report)) {
      const error = Math.sqrt((found.mated + found.nonMated + 1) / (12 * found.mated * found.nonMated))
      if (keys === 'known') {
        expect(found.system, linker).toBeGreaterThan(0.85)
        expect(auc.low, linker).toBeGreaterThan(0.98)
      } else {
        expect(Math.abs(auc.value - 0.5), linker).toBeLessThan(4 * error)
      }
    }
    expect(find(report, 'generations', 'hamming').linkability).toMatchObject({
      mated: 5400,
      nonMated: 10_800,
    })
    expect(find(report, 'generations', 'hamming').linkability.unlinkable).toBe(true)
    expect(find(report, 'keys-known', 'preimage').linkability.unlinkable).toBe(false)
    // Tested on half of the people: too few pairs for a claim.
    expect(report.protocol.join(' ')).toMatch(
      /fewer than 5000 mated pairs nothing is claimed: the linker learned/,
    )
    expect(find(report, 'generations', 'learned').linkability.unlinkable).toBeUndefined()
  })

  test('EVALUATE-31 the same seed gives the same figures, but for rows under random keys', async () => {
    const few = await somePeople(12, 4, 64)
    const options = { permutations: 200, reissues: 100 }
    const [first, second] = [await measureLinkage(few, options), await measureLinkage(few, options)]
    // Holm's adjustment looks at all, and metadata is among them.
    const plain = (one: LinkageReport): unknown =>
      repeatable(one).map((linker) => ({ ...linker, holm: null }))
    expect(plain(second)).toEqual(plain(first))
    expect(second.diversity).toEqual(first.diversity)
    const other = await measureLinkage(few, { ...options, seed: 'b' })
    expect(find(other, 'realms', 'hamming').auc.value).not.toBe(find(first, 'realms', 'hamming').auc.value)
  })

  test('EVALUATE-32 rows are as long as those of a vault, whoever the person is', async () => {
    const model: Model = { id: people.model, dimensions: 128, metric: 'cosine' }
    const { vault, store } = await testVault({ realm: 'realm-a', purpose: 'measured', model })
    for (const person of [1, 2, 3]) {
      await vault.enroll({
        ...sample(person, 0, model),
        subject: `p${person}`,
        basis: basis({ purpose: 'measured' }),
      })
    }
    const lengthsOf = async (table: 'references' | 'secrets'): Promise<number[]> => {
      const lengths: number[] = []
      for await (const { bytes } of store.scan(table, new Uint8Array(0))) lengths.push(bytes.length)
      return lengths
    }
    const { generations, realms } = report.rowBytes
    expect(await lengthsOf('references')).toEqual([1, 2, 3].map(() => generations.reference[0]))
    expect(await lengthsOf('secrets')).toEqual([1, 2, 3].map(() => generations.secret[0]))
    for (const lengths of [generations.reference, generations.secret, realms.reference, realms.secret]) {
      expect(lengths).toHaveLength(1)
    }
  })

  test('EVALUATE-32 the rows show nothing of whose they are', () => {
    for (const setting of ['generations', 'realms'] as const) {
      const { auc, linkability: found } = find(report, setting, 'metadata')
      // Five standard errors: the keys of these rows are random in every run.
      const error = Math.sqrt((found.mated + found.nonMated + 1) / (12 * found.mated * found.nonMated))
      expect(Math.abs(auc.value - 0.5)).toBeLessThan(5 * error)
    }
  })

  test('EVALUATE-33 no subject of a pair that is tested was learned from', async () => {
    const pairs = await chooseLinkagePairs(people, { most: 5000, seed: 'halves' })
    const subjects = [new Set<number>(), new Set<number>()]
    for (let i = 0; i < pairs.count; i++) {
      for (const one of [pairs.first[i]!, pairs.second[i]!])
        subjects[pairs.half[i]!]?.add(people.subjectOf[one]!)
    }
    expect([...subjects[0]!].filter((subject) => subjects[1]?.has(subject))).toEqual([])
    expect(subjects.map((some) => some.size)).toEqual([60, 60])
    const learned = find(report, 'realms', 'learned').linkability
    const tested = await chooseLinkagePairs(people, { most: 20_000, seed: 'linkage' })
    const ofHalf = tested.half.subarray(0, tested.mated).filter((half) => half === 1).length
    expect([learned.mated, learned.nonMated]).toEqual([ofHalf, 2 * ofHalf])
  })

  test('EVALUATE-35 p, Holm and the linkers above their quantile', () => {
    const unknown = report.linkers.filter(({ keys }) => keys === 'unknown')
    const n = unknown.length
    const sorted = unknown.toSorted((a, b) => a.linkability.chance.p - b.linkability.chance.p)
    let highest = 0
    for (const [
      i,
      {
        linkability: { chance },
        holm,
      },
    ] of sorted.entries()) {
      highest = Math.max(highest, (n - i) * chance.p)
      expect(holm).toBeCloseTo(Math.min(1, highest), 12)
      expect(chance.p * 401).toBeCloseTo(Math.round(chance.p * 401), 9)
    }
    const above = unknown.filter(({ linkability: one }) => one.system > one.chance.quantile95).length
    expect(report.family).toMatchObject({
      linkers: 14,
      above,
      expected: 0.7000000000000001,
      holm: sorted[0]?.holm,
    })
    expect(report.family.linked).toBe((sorted[0]?.holm as number) <= 0.05)
    for (const { keys, holm } of report.linkers) expect(holm === null).toBe(keys === 'known')
    expect(report.seed).toBe('linkage')
  })
})

describe('EVALUATE-35', () => {
  test('EVALUATE-35 p counts the dealings that reach D_sys', async () => {
    // Two mated scores apart from four others: of 15 dealings one gives 1, the others less.
    const scores = { mated: [9, 9], nonMated: [0, 1, 2, 3] }
    const { chance } = await linkability(scores, { seed: 'a', bins: 2, permutations: 3000 })
    expect(chance.p).toBeGreaterThan(1 / 15 - 0.02)
    expect(chance.p).toBeLessThan(1 / 15 + 0.02)
    const equal = await linkability({ mated: [1, 1], nonMated: [1, 1] }, { seed: 'a', permutations: 200 })
    expect(equal.chance.p).toBe(1)
  })
})

describe('EVALUATE-36', () => {
  const bits = 128
  const pace = new Pace(0, {})
  const real = realScheme({ suite: 'B4', bits, seed: 'reissues' })

  async function measure(scheme: LinkageScheme, reissues = 1000): ReturnType<typeof measureDiversity> {
    const people = await somePeople(1, 1, bits)
    return measureDiversity(integersAt(people, 0), scheme, { bits, reissues, pace })
  }

  test('EVALUATE-36 templates of one face are as far apart as random codes', async () => {
    const found = await measure(real)
    expect(found).toMatchObject({ reissues: 1000, pairs: 499_500, expected: 64, diverse: true })
    expect(found.tolerance).toBeCloseTo((4 * Math.sqrt(32)) / Math.sqrt(499_500), 12)
    expect(found.shape.pairs).toBe(999)
    expect(found.nearest).toBeGreaterThan(25)
  })

  test.each([
    ['keys that repeat', { ...real, keyOf: ({ pair }) => seededKey('r', pair % 20) }],
    [
      // Distances have the right mean but are multiples of eight: the variance tells.
      'bytes of equal bits',
      { ...real, encode: (z, key) => real.encode(z, key).map((byte) => ((byte & 1) === 1 ? 255 : 0)) },
    ],
    [
      'one bit in eight that is always set',
      { ...real, encode: (z, key) => real.encode(z, key).map((byte) => byte | 1) },
    ],
  ] satisfies readonly (readonly [string, LinkageScheme])[])(
    'EVALUATE-36 %s are not diverse',
    async (_, scheme) => {
      expect((await measure(scheme, 400)).diverse).toBe(false)
    },
  )
})

describe('EVALUATE-37', () => {
  const SEES: Readonly<Record<string, readonly string[]>> = {
    'one key for a pair, no mask': ['hamming', 'spectrum', 'statistics', 'learned'],
    'one round, no exchanges, no mask': ['spectrum', 'learned'],
    'one key for a realm': ['hamming', 'learned'],
    'a generator with four states': ['hamming'],
    'the keys that the thief guesses': ['preimage', 'probe'],
  }

  test.each(Object.entries(SEES))('EVALUATE-37 %s', async (name, see) => {
    const people = await somePeople(40, 6, 128)
    const scheme = weakened('linkage', 128)[name]
    const found = await measureLinkage(people, { permutations: 400, reissues: 100 }, scheme)
    expect(found.family.linked).toBe(true)
    for (const linker of see) {
      const one = find(found, 'generations', linker)
      expect(one.linkability.system, linker).toBeGreaterThan(one.linkability.chance.quantile95)
      expect(one.holm, linker).toBeLessThanOrEqual(0.05)
    }
  })

  test('EVALUATE-37 one round: the Hamming distance shows little of what the spectrum shows', async () => {
    const people = await somePeople(24, 5, 512)
    const scheme = weakened('linkage', 512)['one round, no exchanges, no mask']
    const found = await measureLinkage(people, { permutations: 200, reissues: 100 }, scheme)
    const [hamming, spectrum] = ['hamming', 'spectrum'].map((linker) => find(found, 'realms', linker))
    expect(spectrum?.linkability.system).toBeGreaterThan(0.45)
    expect(spectrum?.auc.bySubject.low).toBeGreaterThan(0.75)
    expect(hamming?.linkability.system).toBeLessThan(0.3)
    expect(Math.abs((hamming?.auc.value as number) - 0.5)).toBeLessThan(0.1)
  })

  test('EVALUATE-37 both records enrolled within a minute', async () => {
    const people = await somePeople(40, 9, 64)
    const pairs = await chooseLinkagePairs(people, { most: 2000, seed: 'a' })
    const at = (pair: number, side: number): number => {
      const visit = (n: number): number => new DataView(seededKey('visit', pair, n).buffer).getUint32(0) * 7
      return 1_767_225_600_000 + (pair < pairs.mated ? visit(0) + 60_000 * side : visit(side))
    }
    const options = { suite: 'B4', bits: 64, seed: 'a', setting: 1, pace: new Pace(0, {}) } as const
    const { scores } = await scoreRows(people, pairs, { ...options, createdMs: at })
    const found = await linkability(
      { mated: scores.subarray(0, pairs.mated), nonMated: scores.subarray(pairs.mated) },
      { seed: 'a', permutations: 1000 },
    )
    expect(found.chance.p).toBeLessThanOrEqual(0.05 / 14)
  })

  test('EVALUATE-37 a caller of the package cannot put other templates in the place of the library’s', async () => {
    const dataset = syntheticPeople({ seed: 'linkage', subjects: 12, samples: 4, dimensions: 64 })
    const scheme = weakened('linkage', 64)['one key for a realm']
    const options = {
      model: { id: 'synthetic@1', dimensions: 64, metric: 'cosine' },
      permutations: 200,
      reissues: 100,
    } as const
    const plain = await linkageReport(dataset, options)
    const forced = await (linkageReport as (...given: unknown[]) => Promise<LinkageReport>)(
      dataset,
      { ...options, scheme },
      scheme,
    )
    expect(find(forced, 'generations', 'hamming').auc).toEqual(find(plain, 'generations', 'hamming').auc)
    expect(forced.diversity).toEqual(plain.diversity)
  })

  test('a measurement tells how far it is, and stops when it is told to, also while labels are dealt', async () => {
    const people = await somePeople(12, 4, 64)
    const told: (readonly [number, number])[] = []
    const options = { permutations: 200, reissues: 100 }
    await measureLinkage(people, { ...options, onProgress: (done, total) => told.push([done, total]) })
    expect(told.length).toBeGreaterThan(1)
    for (const [done, total] of told) expect(done).toBeLessThanOrEqual(total)
    const control = new AbortController()
    const onProgress = (): void => control.abort()
    const stopped = { ...options, onProgress, signal: control.signal }
    await expect(measureLinkage(people, stopped)).rejects.toThrow('abort')
    const scores = { mated: Array.from({ length: 9000 }, (_, i) => i), nonMated: [1, 2, 3] }
    const dealing = new AbortController()
    const abort = { onProgress: () => dealing.abort(), signal: dealing.signal }
    await expect(linkability(scores, { seed: 'a', permutations: 100_000, ...abort })).rejects.toThrow('abort')
  })

  test('too few people, and options out of range', async () => {
    const dataset = syntheticPeople({ seed: 'a', subjects: 3, samples: 2, dimensions: 64 })
    const model: Model = { id: 'synthetic@1', dimensions: 64, metric: 'cosine' }
    expect(await codeOf(linkageReport(dataset, { model }))).toBe('ERR_EVALUATE_TOO_FEW')
    expect(await codeOf(linkageReport(dataset, { model, samplesPerSubject: 1 }))).toBe('ERR_EVALUATE_TOO_FEW')
    for (const options of [{ matedPairs: 1 }, { permutations: 199 }, { replicates: 1 }, { reissues: 99 }]) {
      expect(await codeOf(linkageReport(dataset, { model, ...options }))).toBe('ERR_EVALUATE_INPUT')
    }
  })
})
