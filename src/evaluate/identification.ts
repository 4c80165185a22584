/** What protection costs a search: ranks and errors of a gallery beside the exhaustive cosine (SPEC §16.5). @module */

import { checkInteger } from '../base/check.ts'
import type { Dataset } from '../dataset/dataset.ts'
import type { Model } from '../embedding/model.ts'
import { shardCapacity } from '../gallery/declaration.ts'
import type { Bits, Rate } from '../policy/operating-point.ts'
import type { Suite } from '../transform/suite.ts'
import { EvaluateError, inputError } from './errors.ts'
import { GalleryTrial, WAYS, type Way } from './gallery-trial.ts'
import { Pace, type TaskOptions } from './pace.ts'
import { loadPeople, type People } from './people.ts'
import { SeededRandom } from './random.ts'
import { rate, ruleOfThree } from './rates.ts'
import { compareWays, type SearchTarget, type WayDifference } from './search-bootstrap.ts'
import { type AllSearches, SearchResults, searchThreshold, shareAt } from './search-results.ts'

export interface IdentificationOptions extends TaskOptions {
  readonly model: Model
  /** Of the templates that confirm. Default 512. */
  readonly bits?: Bits
  /** Of the codes that are scanned. Default 512. */
  readonly galleryBits?: Bits
  /** Of the templates. Default `B4`; codes of galleries are always `B6`. */
  readonly suite?: Suite
  /** Ten-thousandths. Default 1: only the bound of 64 limits what is confirmed. */
  readonly scanThreshold?: number
  /** Galleries, each with other people and keys. Default 5. */
  readonly draws?: number
  /** Default 10. */
  readonly samplesPerSubject?: number
  /** Resamplings of subjects. At least 200. Default 1000. */
  readonly replicates?: number
  readonly seed?: string
}

/** One way to search. */
export interface WayFigures {
  /** Searches for enrolled people whose mate is the first candidate, without a threshold. */
  readonly rank1: Rate
  /** `null` where the searches that calibrate are fewer than the rate needs. */
  readonly at: Readonly<Record<SearchTarget, ThresholdFigures | null>>
}

export interface ThresholdFigures {
  /** Measured on people who are neither enrolled nor counted in the rates beside it. */
  readonly threshold: number
  readonly falsePositiveRate: Rate
  /** Searches for enrolled people whose mate is not the first candidate at the threshold. */
  readonly falseNegativeRate: Rate
}

export interface IdentificationReport {
  readonly dataset: string
  readonly synthetic: boolean
  readonly model: string
  readonly dimensions: number
  readonly suite: Suite
  readonly bits: Bits
  readonly galleryBits: Bits
  readonly scanThreshold: number
  readonly shardMembers: number
  readonly seed: string
  readonly draws: number
  readonly replicates: number
  /** People in each gallery, and all searches of all draws. */
  readonly gallerySize: number
  readonly searches: { readonly mated: number; readonly nonMated: number; readonly calibration: number }
  /** People of whom these searches are. */
  readonly subjects: { readonly mated: number; readonly nonMated: number; readonly calibration: number }
  readonly ways: Readonly<Record<Way, WayFigures>>
  readonly differences: Readonly<Record<Exclude<Way, 'cosine'>, WayDifference>>
  /** What the scan leaves: mates kept, and members to confirm, a search. */
  readonly shortlists: readonly Shortlist[]
}

export interface Shortlist {
  readonly scanThreshold: number
  readonly matesKept: Rate
  readonly meanMembers: { readonly mated: number; readonly nonMated: number }
}

const TARGETS: readonly (readonly [SearchTarget, number])[] = [
  ['1e-2', 1e-2],
  ['1e-3', 1e-3],
]
const SHORTLISTS = [1, 500, 1000, 1250, 1500, 1750, 2000, 2250, 2500, 2750, 3000, 3500, 4000]
/** A quarter of the people calibrates; in each draw a third of the others is not enrolled. */
const CALIBRATING = 1 / 4
const OUTSIDE = 1 / 3

/**
 * Enrols the first sample of people who are drawn by seed, and searches with their other samples, and with all samples of people who
 * are not enrolled. Thresholds come from the searches of a quarter of the people, who are enrolled in no draw. Every way of searching
 * sees the same galleries and probes, and the intervals of differences are paired: subjects drawn anew, 2.5 % on either side.
 */
export async function identificationReport(
  dataset: Dataset,
  options: IdentificationOptions,
): Promise<IdentificationReport> {
  const { model, samplesPerSubject = 10, signal, seed = 'identification' } = options
  const draws = checkInteger(options.draws ?? 5, 'draws', [1, 1000], inputError)
  const replicates = checkInteger(options.replicates ?? 1000, 'replicates', [200, 100_000], inputError)
  const { bits = 512, galleryBits = 512, suite = 'B4' } = options
  const scanThreshold = checkInteger(options.scanThreshold ?? 1, 'scanThreshold', [1, 10_000], inputError)
  const settings = { bits, galleryBits, suite, scanThreshold, seed, draws, replicates }
  const people = await loadPeople(dataset, { model, samplesPerSubject, signal })
  try {
    const { searches, gallerySize } = await searchAll(people, settings, options)
    return {
      dataset: people.name,
      synthetic: people.synthetic,
      model: people.model,
      dimensions: people.dimensions,
      ...settings,
      shardMembers: shardCapacity(people.dimensions, galleryBits),
      gallerySize,
      searches: each(searches, ({ count }) => count),
      subjects: each(searches, ({ subjects }) => new Set(subjects).size),
      ways: Object.fromEntries(
        WAYS.map((way) => [way, figuresOf(searches, way)]),
      ) as IdentificationReport['ways'],
      differences: await compareWays(searches, TARGETS, {
        subjects: people.subjects,
        replicates,
        seed,
        signal,
      }),
      shortlists: SHORTLISTS.filter((threshold) => threshold >= scanThreshold).map((threshold) =>
        shortlistOf(searches, threshold),
      ),
    }
  } finally {
    people.dispose()
  }
}

async function searchAll(
  people: People,
  settings: Pick<IdentificationReport, 'bits' | 'galleryBits' | 'suite' | 'scanThreshold' | 'seed' | 'draws'>,
  task: TaskOptions,
): Promise<{ readonly searches: AllSearches; readonly gallerySize: number }> {
  const { draws, seed } = settings
  const mated = new SearchResults()
  const nonMated = new SearchResults()
  const calibration = new SearchResults()
  const samplesOf = groupSamples(people)
  const [calibrating, rest] = divide(
    Array.from(samplesOf.keys()),
    CALIBRATING,
    new SeededRandom(seed, 'calibrating'),
  )
  const enrolledCount = rest.length - Math.round(rest.length * OUTSIDE)
  if (enrolledCount < 2 || calibrating.length === 0 || enrolledCount === rest.length) {
    throw new EvaluateError('ERR_EVALUATE_TOO_FEW', 'too few people for a gallery and outsiders')
  }
  const pace = new Pace(draws * (people.count + enrolledCount), task)
  for (let draw = 0; draw < draws; draw++) {
    const [outsiders, members] = divide(rest, OUTSIDE, new SeededRandom(seed, 'outsiders', draw))
    const enrolled = Uint32Array.from(
      members,
      (subject) => (samplesOf[subject] as readonly number[])[0] as number,
    )
    const trial = await GalleryTrial.open(people, enrolled, { ...settings, draw, signal: task.signal }, pace)
    try {
      const ask = async (
        results: SearchResults,
        subjects: readonly number[],
        from: number,
      ): Promise<void> => {
        for (const subject of subjects) {
          for (const sample of (samplesOf[subject] as readonly number[]).slice(from)) {
            results.add(subject, await trial.search(sample))
            await pace.step(1)
          }
        }
      }
      await ask(mated, members, 1)
      await ask(nonMated, outsiders, 0)
      await ask(calibration, calibrating, 0)
    } finally {
      await trial.dispose()
    }
  }
  if (mated.count === 0)
    throw new EvaluateError('ERR_EVALUATE_TOO_FEW', 'nobody enrolled has a second sample')
  return { searches: { mated, nonMated, calibration }, gallerySize: enrolledCount }
}

function groupSamples({ subjects, subjectOf }: People): readonly (readonly number[])[] {
  const groups: number[][] = Array.from({ length: subjects }, () => [])
  subjectOf.forEach((subject, sample) => groups[subject]?.push(sample))
  return groups
}

/** A share of the list drawn by seed, and the others, both in the order of the draw. */
function divide(
  list: readonly number[],
  share: number,
  random: SeededRandom,
): readonly [readonly number[], readonly number[]] {
  const order = [...list]
  for (let i = order.length - 1; i > 0; i--) {
    const j = random.below(i + 1)
    const held = order[i] as number
    order[i] = order[j] as number
    order[j] = held
  }
  const count = Math.round(order.length * share)
  return [order.slice(0, count), order.slice(count)]
}

function figuresOf({ mated, nonMated, calibration }: AllSearches, way: Way): WayFigures {
  const countAt = (grades: Uint16Array, threshold: number): number =>
    Math.round(shareAt(grades, threshold, []) * grades.length)
  const at = TARGETS.map(([name, target]): [SearchTarget, ThresholdFigures | null] => {
    if (target < ruleOfThree(calibration.count)) return [name, null]
    const threshold = searchThreshold(calibration.grades(way), target, [])
    const falsePositives = countAt(nonMated.grades(way), threshold)
    const found = countAt(mated.foundGrades(way), threshold)
    return [
      name,
      {
        threshold,
        falsePositiveRate: rate(falsePositives, nonMated.count),
        falseNegativeRate: rate(mated.count - found, mated.count),
      },
    ]
  })
  const firsts = mated.firsts(way).reduce((sum, first) => sum + first, 0)
  return { rank1: rate(firsts, mated.count), at: Object.fromEntries(at) as WayFigures['at'] }
}

function shortlistOf({ mated, nonMated }: AllSearches, scanThreshold: number): Shortlist {
  return {
    scanThreshold,
    matesKept: rate(mated.keptAt(scanThreshold), mated.count),
    meanMembers: { mated: mated.shortlistAt(scanThreshold), nonMated: nonMated.shortlistAt(scanThreshold) },
  }
}

function each(
  { mated, nonMated, calibration }: AllSearches,
  of: (results: SearchResults) => number,
): IdentificationReport['searches'] {
  return { mated: of(mated), nonMated: of(nonMated), calibration: of(calibration) }
}
