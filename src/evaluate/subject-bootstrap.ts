/** How sure a rate is among people: subjects drawn anew, both sides of each pair alike (SPEC §15.2). @module */

import { checkInteger } from '../base/check.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import { accumulateWeights, crossing, MAX_GRADE } from './accuracy.ts'
import { type BootstrapOptions, type Difference, differenceOf } from './bootstrap.ts'
import { EvaluateError, inputError } from './errors.ts'
import { Pace } from './pace.ts'
import { SeededRandom } from './random.ts'

/** Comparisons of one kind, and the subjects of both sides of each: equal for mated ones, different for others. */
export interface SubjectGrades {
  readonly a: Uint32Array
  readonly b: Uint32Array
  readonly grades: Uint16Array
}

/** Comparisons of both kinds among `subjects` people. */
export interface SubjectScores {
  readonly subjects: number
  readonly mated: SubjectGrades
  readonly nonMated: SubjectGrades
}

/**
 * What one threshold accepted, by the subjects of both sides. Entry i: of `trials[i]` comparisons of subjects
 * `a[i]` and `b[i]`, `accepted[i]` were accepted; two subjects may have several entries.
 *
 * `trials` may be the number of samples of each subject instead: then every sample was compared once with every
 * sample of everybody else, and entries are needed only where something was accepted.
 */
export interface SubjectTally {
  readonly subjects: number
  readonly a: Uint32Array
  readonly b: Uint32Array
  readonly accepted: Float64Array
  readonly trials: Float64Array | { readonly samples: Uint32Array }
}

/** A rate as measured, with the percentile interval over `replicates` drawings of people. */
export interface SubjectRate extends Difference {
  readonly replicates: number
  readonly confidence: 0.95
}

/** Up to so many cells, subject × subject, comparisons of the same two are added up. */
const MOST_CELLS = 2 ** 24

/**
 * At most `most` of the comparisons, drawn by seed: their list is cut into as many equal parts, and one is taken from
 * each. The length of the result is what must be stated beside a figure that rests on it.
 */
export async function sampleComparisons(
  list: SubjectGrades,
  most: number,
  seed: string,
): Promise<SubjectGrades> {
  checkInteger(most, 'most', [1, Number.MAX_SAFE_INTEGER], inputError)
  const { length } = checkList(list)
  if (length <= most) return list
  await cryptoReady()
  const random = new SeededRandom(seed, 'comparisons')
  const kept = Uint32Array.from({ length: most }, (_, i) => {
    const low = Math.floor((i * length) / most)
    return low + random.below(Math.floor(((i + 1) * length) / most) - low)
  })
  return {
    a: kept.map((i) => at(list.a, i)),
    b: kept.map((i) => at(list.b, i)),
    grades: Uint16Array.from(kept, (i) => at(list.grades, i)),
  }
}

/**
 * What `threshold`, 1 to 10,001, accepts, by subjects. Comparisons of the same two subjects are one entry when there
 * are at most 4,096 subjects.
 */
export function tallyAt(list: SubjectGrades, subjects: number, threshold: number): SubjectTally {
  checkInteger(threshold, 'threshold', [1, MAX_GRADE + 1], inputError)
  checkInteger(subjects, 'subjects', [1, 2 ** 32 - 1], inputError)
  const { length } = checkList(list, subjects)
  const accepts = (i: number): number => (at(list.grades, i) >= threshold ? 1 : 0)
  if (subjects * subjects > MOST_CELLS) {
    const accepted = Float64Array.from({ length }, (_, i) => accepts(i))
    return { subjects, a: list.a, b: list.b, accepted, trials: new Float64Array(length).fill(1) }
  }
  const entryOf = new Uint32Array(subjects * subjects)
  const a = new Uint32Array(length)
  const b = new Uint32Array(length)
  const accepted = new Float64Array(length)
  const trials = new Float64Array(length)
  let entries = 0
  for (let i = 0; i < length; i++) {
    const cell = at(list.a, i) * subjects + at(list.b, i)
    if (at(entryOf, cell) === 0) {
      a[entries] = at(list.a, i)
      b[entries] = at(list.b, i)
      entryOf[cell] = ++entries
    }
    const entry = at(entryOf, cell) - 1
    accepted[entry] = at(accepted, entry) + accepts(i)
    trials[entry] = at(trials, entry) + 1
  }
  return {
    subjects,
    a: a.slice(0, entries),
    b: b.slice(0, entries),
    accepted: accepted.slice(0, entries),
    trials: trials.slice(0, entries),
  }
}

/**
 * The accepted share of a tally, with its interval over subjects. A replicate draws as many subjects as there are, with
 * replacement; a mated comparison counts as often as its subject was drawn, another as often as both were (the
 * product). For a rate of what was refused take 1 minus each number, low and high exchanged.
 *
 * An event that was never seen is seen in no replicate: then the interval is [0, 0], and only the exact one of the
 * comparisons says something.
 *
 * @throws {EvaluateError} `ERR_EVALUATE_TOO_FEW` without comparisons; `ERR_EVALUATE_INPUT`.
 */
export async function subjectRate(tally: SubjectTally, options: BootstrapOptions): Promise<SubjectRate> {
  const share = shareOf(tally)
  return resample(tally.subjects, share, options)
}

/** The same for a difference, `one` − `other`: two thresholds, ways or keys on the same people, drawn together. */
export async function subjectRateDifference(
  one: SubjectTally,
  other: SubjectTally,
  options: BootstrapOptions,
): Promise<SubjectRate> {
  if (one.subjects !== other.subjects) throw inputError('both must be of the same people')
  const share = shareOf(one)
  const otherShare = shareOf(other)
  return resample(one.subjects, (weights) => share(weights) - otherShare(weights), options)
}

/** The same for the equal error rate, the middle of its bracket. */
export async function subjectEqualError(
  scores: SubjectScores,
  options: BootstrapOptions,
): Promise<SubjectRate> {
  return resample(scores.subjects, equalErrorOf(scores), options)
}

/** And for a difference of two equal error rates, `one` − `other`, of the same people. */
export async function subjectEqualErrorDifference(
  one: SubjectScores,
  other: SubjectScores,
  options: BootstrapOptions,
): Promise<SubjectRate> {
  if (one.subjects !== other.subjects) throw inputError('both must be of the same people')
  const rate = equalErrorOf(one)
  const otherRate = equalErrorOf(other)
  return resample(one.subjects, (weights) => rate(weights) - otherRate(weights), options)
}

/** A figure of weighted subjects; not a number when the weights leave nothing to compare. */
type Weighted = (weights: Uint32Array) => number

async function resample(subjects: number, figure: Weighted, options: BootstrapOptions): Promise<SubjectRate> {
  const replicates = checkInteger(options.replicates ?? 200, 'replicates', [200, 100_000], inputError)
  const value = figure(new Uint32Array(subjects).fill(1))
  if (Number.isNaN(value)) {
    throw new EvaluateError('ERR_EVALUATE_TOO_FEW', 'comparisons of two samples are needed')
  }
  await cryptoReady()
  const random = new SeededRandom(options.seed, 'bootstrap')
  const pace = new Pace(replicates, options)
  const values = new Float64Array(replicates)
  for (let replicate = 0; replicate < replicates; ) {
    const drawn = figure(random.replicate(subjects))
    await pace.step(Number.isNaN(drawn) ? 0 : 1)
    // People of whom nothing was compared are drawn again.
    if (!Number.isNaN(drawn)) values[replicate++] = drawn
  }
  return { ...differenceOf(value, values), replicates, confidence: 0.95 }
}

function shareOf(tally: SubjectTally): Weighted {
  const { subjects, a, b, accepted, trials } = tally
  const { length } = checkSides(a, b, subjects)
  const listed = trials instanceof Float64Array ? trials : undefined
  const samples = trials instanceof Float64Array ? undefined : trials.samples
  if (accepted.length !== length || (listed ?? accepted).length !== length) {
    throw inputError('every entry of a tally needs both subjects and both numbers')
  }
  if (samples !== undefined && samples.length !== subjects) {
    throw inputError('every subject needs its number of samples')
  }
  return (weights) => {
    let some = 0
    let all = samples === undefined ? 0 : crossPairs(samples, weights)
    for (let i = 0; i < length; i++) {
      const weight = weightOf(weights, at(a, i), at(b, i))
      some += weight * at(accepted, i)
      if (listed !== undefined) all += weight * at(listed, i)
    }
    return all === 0 ? Number.NaN : some / all
  }
}

/** Weighted number of all pairs of samples of two subjects. */
function crossPairs(samples: Uint32Array, weights: Uint32Array): number {
  let sum = 0
  let squares = 0
  for (let subject = 0; subject < samples.length; subject++) {
    const weighted = at(samples, subject) * at(weights, subject)
    sum += weighted
    squares += weighted * weighted
  }
  return (sum * sum - squares) / 2
}

function equalErrorOf({ subjects, mated, nonMated }: SubjectScores): Weighted {
  checkList(mated, subjects)
  checkList(nonMated, subjects)
  return (weights) => {
    const accepted = weigh(mated, weights)
    const wrongly = weigh(nonMated, weights)
    return at(accepted, 0) === 0 || at(wrongly, 0) === 0 ? Number.NaN : crossing(accepted, wrongly).value
  }
}

function weigh({ a, b, grades }: SubjectGrades, weights: Uint32Array): Float64Array {
  const sums = new Float64Array(MAX_GRADE + 2)
  for (let i = 0; i < grades.length; i++) {
    const grade = at(grades, i)
    sums[grade] = at(sums, grade) + weightOf(weights, at(a, i), at(b, i))
  }
  return accumulateWeights(sums)
}

function weightOf(weights: Uint32Array, a: number, b: number): number {
  return a === b ? at(weights, a) : at(weights, a) * at(weights, b)
}

function checkList(list: SubjectGrades, subjects = 2 ** 32): { readonly length: number } {
  const { length } = checkSides(list.a, list.b, subjects)
  if (list.grades.length !== length) throw inputError('every comparison needs both subjects and a grade')
  if (!list.grades.every((grade) => grade <= MAX_GRADE)) throw inputError('a grade must be at most 10,000')
  return { length }
}

function checkSides(a: Uint32Array, b: Uint32Array, subjects: number): { readonly length: number } {
  if (a.length !== b.length) throw inputError('every comparison has two sides')
  const known = (subject: number): boolean => subject < subjects
  if (!a.every(known) || !b.every(known)) throw inputError('a subject is not among the subjects')
  return { length: a.length }
}

function at(values: ArrayLike<number>, index: number): number {
  return values[index] as number
}
