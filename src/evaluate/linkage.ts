/** Can two templates of one person under different keys be told from those of two people? (SPEC §15.5) @module */

import { checkInteger } from '../base/check.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import type { Dataset } from '../dataset/dataset.ts'
import type { Model } from '../embedding/model.ts'
import type { Bits } from '../policy/operating-point.ts'
import { checkBits, defaultBits } from '../template/bits.ts'
import { checkSuite, type Suite } from '../transform/suite.ts'
import { areaUnderCurve } from './area.ts'
import { measureDiversity } from './diversity.ts'
import { inputError } from './errors.ts'
import type { LinkageReport, LinkageSetting, LinkerFigures } from './figures.ts'
import { type Linkability, linkability } from './linkability.ts'
import { scoreLearned } from './linkage-learned.ts'
import { chooseLinkagePairs, type LinkagePairs, TEST } from './linkage-pairs.ts'
import { guessedKeys, scorePreimages, stolenKeys } from './linkage-preimages.ts'
import { type RowLengths, scoreRows } from './linkage-rows.ts'
import {
  encodePairs,
  integersAt,
  type LinkageScheme,
  PairCodes,
  realScheme,
  type Setting,
} from './linkage-scheme.ts'
import { scoreCodes } from './linkers.ts'
import { Pace, type TaskOptions } from './pace.ts'
import { loadPeople, type People } from './people.ts'
import { SeededRandom } from './random.ts'

export interface LinkageMeasurement extends TaskOptions {
  /** Default: that of templates, the largest allowed number ≤ min(dimensions, 512). */
  readonly bits?: Bits
  /** Default `B4`. */
  readonly suite?: Suite
  /** Default `linkage`. To be chosen before the figures are seen, and kept. */
  readonly seed?: string
  /** At most so many mated pairs. Default 20,000. */
  readonly matedPairs?: number
  /** Dealings of the labels for each linker: 200 to 100,000. Default 1,000, the least that Holm's rule over all linkers can use. */
  readonly permutations?: number
  /** Of the bootstrap over subjects; at least 200. Default 200. */
  readonly replicates?: number
  /** Templates of one face: 100 to 5,000. Default 1,000. */
  readonly reissues?: number
}

export interface LinkageOptions extends LinkageMeasurement {
  /** Its mean, if it has one, must come from people who are not in the data set. */
  readonly model: Model
  /** Default 20. */
  readonly samplesPerSubject?: number
}

/**
 * Runs every linker of SPEC §15.5 on templates of the people, between generations, between realms, and with the keys known.
 *
 * Rows are sealed under real random keys, so that the figures of the linker `metadata` differ from run to run, within chance.
 * Throws `ERR_EVALUATE_TOO_FEW` when a half of the people has no mated pair or fewer than two subjects.
 */
export async function linkageReport(dataset: Dataset, options: LinkageOptions): Promise<LinkageReport> {
  const { model, samplesPerSubject = 20, signal } = options
  const people = await loadPeople(dataset, { model, samplesPerSubject, signal })
  try {
    return await measureLinkage(people, options)
  } finally {
    people.dispose()
  }
}

/** The same for people in memory. `scheme` is for tests: weakened templates that the linkers must see through. */
export async function measureLinkage(
  people: People,
  options: LinkageMeasurement = {},
  scheme?: LinkageScheme,
): Promise<LinkageReport> {
  const settled = settle(people, options, scheme)
  await cryptoReady()
  const pairs = await chooseLinkagePairs(people, { most: settled.matedPairs, seed: settled.seed })
  const run = new LinkageRun(people, pairs, settled, options)
  const rowBytes = { generations: await run.setting(0), realms: await run.setting(1) }
  const sample = new SeededRandom(settled.seed, 'linkage-reissues').below(people.count)
  const diversity = await measureDiversity(integersAt(people, sample), settled.scheme, {
    ...settled,
    pace: new Pace(settled.reissues, { signal: options.signal }),
  })
  const linkers = withHolm(run.figures)
  const { suite, seed, bits } = settled
  return {
    dataset: people.name,
    synthetic: people.synthetic,
    model: people.model,
    dimensions: people.dimensions,
    subjects: people.subjects,
    samples: people.count,
    suite,
    seed,
    protocol: describe(pairs),
    bits,
    linkers,
    highest: {
      generations: highestOf(linkers, 'generations'),
      realms: highestOf(linkers, 'realms'),
      'keys-known': highestOf(linkers, 'keys-known'),
    },
    family: familyOf(linkers),
    rowBytes,
    diversity,
  }
}

/** How often every pair is looked at: encoding, codes, preimages, rows, learning, in two settings; and known keys. */
const PASSES = 11

interface Settled {
  readonly suite: Suite
  readonly bits: Bits
  readonly seed: string
  readonly matedPairs: number
  readonly permutations: number
  readonly replicates: number
  readonly reissues: number
  readonly scheme: LinkageScheme
}

function settle(people: People, options: LinkageMeasurement, scheme: LinkageScheme | undefined): Settled {
  const { seed = 'linkage' } = options
  const suite = checkSuite(options.suite ?? 'B4')
  const bits = checkBits(people.dimensions, options.bits ?? defaultBits(people.dimensions), true)
  const integer = (
    name: 'matedPairs' | 'permutations' | 'replicates' | 'reissues',
    usual: number,
    least: number,
    most: number,
  ): number => checkInteger(options[name] ?? usual, name, [least, most], inputError)
  return {
    suite,
    bits,
    seed,
    matedPairs: integer('matedPairs', 20_000, 2, 1_000_000),
    permutations: integer('permutations', 1000, 200, 100_000),
    replicates: integer('replicates', 200, 200, 100_000),
    reissues: integer('reissues', 1000, 100, 5000),
    scheme: scheme ?? realScheme({ suite, bits, seed }),
  }
}

/** Scores every linker and keeps its figures. */
class LinkageRun {
  readonly figures: Omit<LinkerFigures, 'holm'>[] = []
  readonly #people: People
  readonly #pairs: LinkagePairs
  readonly #settled: Settled
  readonly #pace: Pace
  readonly #signal: AbortSignal | undefined

  constructor(people: People, pairs: LinkagePairs, settled: Settled, options: TaskOptions) {
    this.#people = people
    this.#pairs = pairs
    this.#settled = settled
    this.#pace = new Pace(PASSES * pairs.count, options)
    this.#signal = options.signal
  }

  /** All linkers in a setting with keys unknown; behind the first, those that know the keys of the same templates. */
  async setting(setting: Setting): Promise<RowLengths> {
    const { scheme } = this.#settled
    const [people, pace] = [this.#people, this.#pace]
    const codes = new PairCodes(this.#pairs, this.#settled.bits)
    try {
      await encodePairs(people, codes, { setting, scheme, pace })
      return await this.#scoreAll(codes, setting)
    } finally {
      codes.dispose()
    }
  }

  async #scoreAll(codes: PairCodes, setting: Setting): Promise<RowLengths> {
    const { suite, seed } = this.#settled
    const [people, pace] = [this.#people, this.#pace]
    const name = setting === 0 ? 'generations' : 'realms'
    const { hamming, spectrum, statistics } = await scoreCodes(codes, pace)
    const keysOf = guessedKeys(seed)
    const { preimage, probe } = await scorePreimages(people, codes, { suite, keysOf, pace })
    const rows = await scoreRows(people, this.#pairs, { ...this.#settled, setting, pace })
    const { scores: metadata } = rows
    for (const [linker, scores] of Object.entries({
      hamming,
      preimage,
      probe,
      spectrum,
      statistics,
      metadata,
    })) {
      await this.#add({ linker, setting: name, keys: 'unknown' }, scores)
    }
    const { tested, scores } = await scoreLearned(codes, pace)
    await this.#add({ linker: 'learned', setting: name, keys: 'unknown' }, scores, tested)
    if (setting === 0) await this.#keysKnown(codes)
    return rows.lengths
  }

  async #keysKnown(codes: PairCodes): Promise<void> {
    const { scheme, suite } = this.#settled
    const keysOf = stolenKeys(this.#people, codes, { scheme, setting: 0 })
    const scores = await scorePreimages(this.#people, codes, { suite, keysOf, pace: this.#pace })
    const { recoded, preimage, probe } = scores
    for (const [linker, values] of Object.entries({ 'known-keys': recoded, preimage, probe })) {
      await this.#add({ linker, setting: 'keys-known', keys: 'known' }, values)
    }
  }

  /** @param of the pairs that the scores are of; default all */
  async #add(
    named: Pick<LinkerFigures, 'linker' | 'setting' | 'keys'>,
    scores: Float64Array,
    of: Uint32Array = Uint32Array.from(scores.keys()),
  ): Promise<void> {
    const { seed, permutations, replicates } = this.#settled
    const { subjectOf, subjects } = this.#people
    const mated = of.filter((pair) => pair < this.#pairs.mated).length
    const use = `${seed}/${named.setting}/${named.linker}`
    const found = await linkability(
      { mated: scores.subarray(0, mated), nonMated: scores.subarray(mated) },
      { seed: use, permutations, signal: this.#signal },
    )
    const auc = await areaUnderCurve(
      {
        scores,
        mated,
        first: of.map((pair) => subjectOf[this.#pairs.first[pair] as number] as number),
        second: of.map((pair) => subjectOf[this.#pairs.second[pair] as number] as number),
      },
      { subjects, replicates, random: new SeededRandom(use, 'linkage-area'), pace: this.#pace },
    )
    this.figures.push({ ...named, linkability: found, auc })
    await this.#pace.step(0)
  }
}

/** Holm's step-down (Scandinavian Journal of Statistics 6(2), 1979) over the linkers with keys unknown. */
function withHolm(figures: readonly Omit<LinkerFigures, 'holm'>[]): readonly LinkerFigures[] {
  const family = figures.filter(({ keys }) => keys === 'unknown')
  const adjusted = new Map<object, number>()
  let least = 0
  for (const [rank, one] of family.toSorted((a, b) => pOf(a) - pOf(b)).entries()) {
    least = Math.max(least, Math.min(1, (family.length - rank) * pOf(one)))
    adjusted.set(one, least)
  }
  return figures.map((one) => ({ ...one, holm: adjusted.get(one) ?? null }))
}

function pOf({ linkability: { chance } }: { readonly linkability: Linkability }): number {
  return chance.p
}

const LEVEL = 0.05
/** Mated pairs that a claim needs (EVALUATE-2). */
const LEAST_MATED = 5000

function familyOf(figures: readonly LinkerFigures[]): LinkageReport['family'] {
  const family = figures.filter(({ keys }) => keys === 'unknown')
  const holm = Math.min(...family.map((one) => one.holm ?? 1))
  return {
    linkers: family.length,
    above: family.filter(({ linkability: { system, chance } }) => system > chance.quantile95).length,
    expected: LEVEL * family.length,
    holm,
    linked: holm <= LEVEL,
  }
}

function highestOf(
  figures: readonly LinkerFigures[],
  setting: LinkageSetting,
): LinkageReport['highest'][LinkageSetting] {
  let highest = { linker: '', system: -1, quantile95: 0 }
  for (const { linker, setting: of, linkability: found } of figures) {
    const { system, chance } = found
    if (of === setting && system > highest.system) {
      highest = { linker, system, quantile95: chance.quantile95 }
    }
  }
  return highest
}

function describe({ mated, count, half }: LinkagePairs): readonly string[] {
  const tested = half.subarray(0, mated).filter((one) => one === TEST).length
  return [
    `${mated} mated and ${count - mated} non-mated pairs of samples; each template is under a key of its own and in one pair only.`,
    'The code linkers are given the codes, which a vault seals; the linker metadata is given reference and secret rows, without keys.',
    'Names, and instants of enrolment, are drawn apart for both records of a pair, as after erasure and enrolment: a reissue keeps record and handle, which link its generations by design.',
    `The linker learned is taught by one half of the people and tested on the other: ${tested} mated pairs.`,
    ...(tested < LEAST_MATED
      ? [
          `Of fewer than ${LEAST_MATED} mated pairs nothing is claimed: ${mated < LEAST_MATED ? 'all linkers' : 'the linker learned'}.`,
        ]
      : []),
    'A linker that was not run may see more.',
  ]
}
