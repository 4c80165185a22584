/** From searches for people who are not enrolled to an identification point (SPEC §15.4, §16.6). @module */

import { toHex } from '../base/bytes.ts'
import { checkInteger } from '../base/check.ts'
import type { Dataset } from '../dataset/dataset.ts'
import type { Model } from '../embedding/model.ts'
import { checkIdentificationPoint, type IdentificationPoint } from '../gallery/identification-point.ts'
import type { Bits, Rate } from '../policy/operating-point.ts'
import { defaultBits } from '../template/bits.ts'
import { checkSuite, type Suite } from '../transform/suite.ts'
import { MAX_GRADE } from './accuracy.ts'
import { EvaluateError, inputError } from './errors.ts'
import { GalleryTrial } from './gallery-trial.ts'
import { Pace, type TaskOptions } from './pace.ts'
import { loadPeople, type People } from './people.ts'
import { SeededRandom } from './random.ts'
import { type Interval, rate, ruleOfThree } from './rates.ts'
import { middleOf, otherPeople } from './resample.ts'
import { searchThreshold, shareAt } from './search-results.ts'

export interface GalleryCalibrateOptions extends TaskOptions {
  readonly model: Model
  /** Highest share of searches for strangers that may end with a candidate. */
  readonly falsePositiveRate: number
  /** People enrolled in each gallery; the point holds for no larger one. At least 2. */
  readonly gallerySize: number
  /** Of the templates that confirm. Default: that of templates, the largest allowed number ≤ min(dimensions, 512). */
  readonly bits?: Bits
  /** Of the codes that are scanned. Default `bits`. */
  readonly galleryBits?: Bits
  /** Of the templates. Default `B4`; codes of galleries are always `B6`. */
  readonly suite?: Suite
  /** Ten-thousandths. Default 1: only the bound of 64 limits what is confirmed. */
  readonly scanThreshold?: number
  /** Default `any`. */
  readonly probeClass?: string
  /** Galleries, each of other people and keys. 1 to 1,000, default 5. */
  readonly draws?: number
  /** Default 10. */
  readonly samplesPerSubject?: number
  /** Resamplings of subjects, at least 200. Default 1000. */
  readonly replicates?: number
  /** Default: name and size of the data set. */
  readonly source?: string
  /** Default `calibrate`. */
  readonly seed?: string
}

export interface GalleryCalibration {
  /** The interval of its rate is that of as many other strangers, and covers the exact one over searches. */
  readonly identificationPoint: IdentificationPoint
  readonly bySubject: Interval & { readonly replicates: number }
  /** Searches for enrolled people that end without the mate as the candidate of the highest similarity; `undefined`: none were made. */
  readonly falseNegativeRate: Rate | undefined
  /** Searches for strangers, and people they were for, all galleries together. */
  readonly searches: number
  readonly strangers: number
}

/** What one search ended with: grades of the best confirmed candidate. */
interface Searches {
  readonly subjects: number[]
  readonly grades: number[]
}

/**
 * Enrols the first sample of `gallerySize` people drawn by seed and searches with every sample of everybody else, in several
 * galleries. The threshold is the smallest at which at most the target's share of these searches ends with a candidate.
 *
 * @throws {EvaluateError} `ERR_EVALUATE_TOO_FEW` with fewer than 3 ÷ target searches or too few people;
 * `ERR_EVALUATE_UNREACHABLE`; `ERR_EVALUATE_INPUT`.
 * @example
 * ```ts
 * const { identificationPoint } = await calibrateGallery(people, { model, falsePositiveRate: 1e-3, gallerySize: 1000 })
 * ```
 */
export async function calibrateGallery(
  dataset: Dataset,
  options: GalleryCalibrateOptions,
): Promise<GalleryCalibration> {
  const { model, samplesPerSubject = 10, signal } = options
  const people = await loadPeople(dataset, { model, samplesPerSubject, signal })
  try {
    return await measure(people, options)
  } finally {
    people.dispose()
  }
}

async function measure(people: People, options: GalleryCalibrateOptions): Promise<GalleryCalibration> {
  const { falsePositiveRate: target, seed = 'calibrate' } = options
  const bits = options.bits ?? defaultBits(people.dimensions)
  const galleryBits = options.galleryBits ?? bits
  const suite = checkSuite(options.suite ?? 'B4')
  const gallerySize = checkInteger(options.gallerySize, 'gallerySize', [2, 10_000_000], inputError)
  const scanThreshold = checkInteger(options.scanThreshold ?? 1, 'scanThreshold', [1, MAX_GRADE], inputError)
  const draws = checkInteger(options.draws ?? 5, 'draws', [1, 1000], inputError)
  const replicates = checkInteger(options.replicates ?? 1000, 'replicates', [200, 100_000], inputError)
  if (!(target > 0 && target < 1)) throw inputError('the target must be a fraction between 0 and 1')
  if (gallerySize >= people.subjects)
    throw tooFew('there are too few people for such a gallery and strangers')
  const settings = { bits, galleryBits, suite, scanThreshold, seed, draws, gallerySize }
  const found = await searchAll(people, settings, target, options)
  const grades = Uint16Array.from(found.strangers.grades)
  const threshold = searchThreshold(grades, target, [])
  if (threshold > MAX_GRADE)
    throw new EvaluateError('ERR_EVALUATE_UNREACHABLE', 'no threshold keeps this false positive rate')
  const exact = rate(grades.filter((grade) => grade >= threshold).length, grades.length)
  const replicated = resample(people.subjects, found.strangers.subjects, grades, {
    threshold,
    replicates,
    seed,
  })
  const bySubject = middleOf(replicated)
  const other = otherPeople(exact.value, replicated)
  const { grades: mates } = found.enrolled
  const strangers = new Set(found.strangers.subjects).size
  const described = `${people.name}${people.synthetic ? ' (synthetic, no evidence about real faces)' : ''}: ${people.subjects} subjects; ${grades.length} searches for ${strangers} strangers in ${draws} galleries; interval: for as many other strangers, ${replicates} drawings`
  return {
    identificationPoint: checkIdentificationPoint({
      model: people.model,
      meanHash: toHex(people.meanHash),
      bits,
      galleryBits,
      probeClass: options.probeClass ?? 'any',
      scanThreshold,
      threshold,
      gallerySize,
      falsePositiveRate: {
        ...exact,
        low: Math.min(exact.low, other.low),
        high: Math.max(exact.high, other.high),
      },
      source: options.source ?? described,
    }),
    bySubject: { ...bySubject, replicates },
    falseNegativeRate:
      mates.length === 0 ? undefined : rate(mates.filter((grade) => grade < threshold).length, mates.length),
    searches: grades.length,
    strangers,
  }
}

async function searchAll(
  people: People,
  settings: Pick<IdentificationPoint, 'bits' | 'galleryBits' | 'scanThreshold' | 'gallerySize'> & {
    readonly suite: Suite
    readonly seed: string
    readonly draws: number
  },
  target: number,
  task: TaskOptions,
): Promise<{ readonly strangers: Searches; readonly enrolled: Searches }> {
  const { seed, draws, gallerySize } = settings
  const strangers: Searches = { subjects: [], grades: [] }
  const enrolled: Searches = { subjects: [], grades: [] }
  const firsts = firstSamples(people)
  const members = Array.from({ length: draws }, (_, draw) =>
    drawMembers(people.subjects, gallerySize, seed, draw),
  )
  const isStranger = (draw: number, sample: number): boolean =>
    !(members[draw] as Set<number>).has(people.subjectOf[sample] as number)
  const samples = Array.from({ length: people.count }, (_, sample) => sample)
  const searches = members.reduce(
    (sum, _, draw) => sum + samples.filter((sample) => isStranger(draw, sample)).length,
    0,
  )
  if (searches === 0 || target < ruleOfThree(searches))
    throw tooFew('a rate below 3 / searches cannot be shown')
  const pace = new Pace(draws * (people.count + gallerySize), task)
  for (const [draw, drawn] of members.entries()) {
    const slots = Uint32Array.from(drawn, (subject) => firsts[subject] as number)
    const trial = await GalleryTrial.open(people, slots, { ...settings, draw, signal: task.signal }, pace)
    try {
      for (const sample of samples) {
        const subject = people.subjectOf[sample] as number
        if (sample === firsts[subject] && drawn.has(subject)) continue
        const { mate, other } = (await trial.search(sample)).ways.confirmation
        const into = drawn.has(subject) ? enrolled : strangers
        into.subjects.push(subject)
        // Another person above the mate is as bad as nobody.
        into.grades.push(
          drawn.has(subject) && other >= mate ? 0 : gradeOfSimilarity(drawn.has(subject) ? mate : other),
        )
        await pace.step(1)
      }
    } finally {
      await trial.dispose()
    }
  }
  return { strangers, enrolled }
}

function firstSamples({ subjects, subjectOf }: People): Uint32Array {
  const firsts = new Uint32Array(subjects)
  for (let sample = subjectOf.length - 1; sample >= 0; sample--) firsts[subjectOf[sample] as number] = sample
  return firsts
}

/** People who are enrolled, in the order in which they take their slots. */
function drawMembers(subjects: number, count: number, seed: string, draw: number): Set<number> {
  const random = new SeededRandom(seed, 'gallery', draw)
  const order = Uint32Array.from({ length: subjects }, (_, subject) => subject)
  for (let i = 0; i < count; i++) {
    const j = i + random.below(subjects - i)
    const held = order[i] as number
    order[i] = order[j] as number
    order[j] = held
  }
  return new Set(order.subarray(0, count))
}

/** Strangers drawn anew: a search counts as often as its person was drawn. */
function resample(
  subjects: number,
  subjectOf: readonly number[],
  grades: Uint16Array,
  options: { readonly threshold: number; readonly replicates: number; readonly seed: string },
): Float64Array {
  const present = [...new Set(subjectOf)]
  const random = new SeededRandom(options.seed, 'strangers')
  const rates = new Float64Array(options.replicates)
  for (let replicate = 0; replicate < options.replicates; replicate++) {
    const weights = new Uint32Array(subjects)
    for (let i = 0; i < present.length; i++) {
      const subject = present[random.below(present.length)] as number
      weights[subject] = (weights[subject] as number) + 1
    }
    rates[replicate] = shareAt(grades, options.threshold, subjectOf, weights)
  }
  return rates
}

/** Similarities a rounding error below a grade count as that grade, so that none is taken for refused that a vault accepts. */
function gradeOfSimilarity(similarity: number): number {
  return similarity > 0 ? Math.min(MAX_GRADE, Math.floor(similarity * MAX_GRADE + 1e-6)) : 0
}

function tooFew(message: string): EvaluateError {
  return new EvaluateError('ERR_EVALUATE_TOO_FEW', message)
}
