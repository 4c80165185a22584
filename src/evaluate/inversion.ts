/** What a thief of templates and their keys gains: preimages, and who accepts them before and after reissue (SPEC §15.6). @module */

import { checkInteger } from '../base/check.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import type { Dataset } from '../dataset/dataset.ts'
import type { Model } from '../embedding/model.ts'
import type { Bits } from '../policy/operating-point.ts'
import { BITS, checkSuite, isBits, type Suite } from '../transform/suite.ts'
import { type AccumulationPlan, accumulate, planAccumulation } from './accumulation.ts'
import { inputError } from './errors.ts'
import type { AcceptedAt, AccumulationFigures, InversionFigures, InversionReport } from './figures.ts'
import { measureInversions } from './inversion-attacks.ts'
import {
  chooseTargets,
  chooseThresholds,
  halveSubjects,
  meanMatedCosine,
  samplesOf,
  selectSubjects,
  type Target,
  type ThresholdPair,
  type Thresholds,
  tooFew,
} from './inversion-plan.ts'
import { Pace, type TaskOptions } from './pace.ts'
import { loadPeople, type People } from './people.ts'
import { type Population, populationOf } from './population.ts'
import { groupBits } from './scores.ts'
import { Thefts } from './theft.ts'

export interface InversionOptions extends TaskOptions {
  /** Of a data set; people have theirs. */
  readonly model?: Model
  /** Default `B4`. */
  readonly suite?: Suite
  /** Default: all that there are. */
  readonly bits?: readonly Bits[]
  /** Default `inversion`. */
  readonly seed?: string
  /** Stolen templates, at most. Default 400. */
  readonly targets?: number
  /** Fresh keys that each target is reissued under. Default 40. */
  readonly keys?: number
  /** Non-mated pairs of the known half that thresholds are taken from, at most. Default 300,000. */
  readonly impostors?: number
  /** Targets whose old templates are put together, at most; 0 leaves that out. Default 200. */
  readonly accumulated?: number
  /** Of the bootstrap over subjects; at least 200. Default 1000. */
  readonly replicates?: number
  /** Of a data set; default 10. */
  readonly samplesPerSubject?: number
}

type Checked = Required<Omit<InversionOptions, keyof TaskOptions | 'model' | 'samplesPerSubject'>> &
  TaskOptions

/**
 * Attacks templates of one half of the subjects with their keys and all that the other half tells of the population, and counts
 * which templates accept the preimages. Everybody holds the code: only knowledge of the key or of the face makes a difference.
 *
 * @throws {EvaluateError} `ERR_EVALUATE_TOO_FEW` without two samples of two subjects in either half.
 * @example
 * const { inversions } = await inversionReport(dataset, { model, bits: [512] })
 */
export async function inversionReport(
  source: Dataset | People,
  options: InversionOptions = {},
): Promise<InversionReport> {
  const checked = check(options)
  await cryptoReady()
  if ('integers' in source) return measure(source, checked)
  const { model, samplesPerSubject = 10, signal } = options
  if (model === undefined) throw inputError('a data set needs a model')
  const people = await loadPeople(source, { model, samplesPerSubject, signal })
  try {
    return await measure(people, checked)
  } finally {
    people.dispose()
  }
}

function check(options: InversionOptions): Checked {
  const { bits = BITS, seed = 'inversion', suite = 'B4', onProgress, signal } = options
  if (bits.length === 0 || !bits.every(isBits)) throw inputError(`bits must be some of ${BITS.join(', ')}`)
  const integer = (
    name: 'targets' | 'keys' | 'impostors' | 'accumulated' | 'replicates',
    usual: number,
    least = 1,
  ): number => checkInteger(options[name] ?? usual, name, [least, 1_000_000], inputError)
  return {
    suite: checkSuite(suite),
    bits: BITS.filter((m) => bits.includes(m)),
    seed,
    targets: integer('targets', 400),
    keys: integer('keys', 40),
    impostors: integer('impostors', 300_000),
    accumulated: integer('accumulated', 200, 0),
    replicates: integer('replicates', 1000, 200),
    onProgress,
    signal,
  }
}

/** What is attacked, and what the thief knows. */
interface Stage {
  readonly people: People
  readonly population: Population
  readonly thresholds: Thresholds
  readonly targets: readonly Target[]
  readonly accumulation: AccumulationPlan
  readonly coherence: number
}

async function measure(people: People, options: Checked): Promise<InversionReport> {
  const { suite, seed, bits, signal } = options
  const halves = halveSubjects(people, seed)
  const attacked = samplesOf(people, halves.attacked, 2)
  if (attacked.length < 2) throw tooFew('two attacked subjects with two samples are needed')
  const known = selectSubjects(people, halves.known)
  try {
    const population = populationOf(known)
    const thresholds = await chooseThresholds(known, { ...options, onProgress: undefined, signal })
    const stage = {
      people,
      population,
      thresholds,
      targets: chooseTargets(attacked, options.targets),
      accumulation: planAccumulation(attacked, options.accumulated),
      coherence: coherenceOf(known, population),
    }
    const { inversions, accumulation } = await attackAll(stage, options)
    population.wipe()
    return {
      dataset: people.name,
      synthetic: people.synthetic,
      model: people.model,
      dimensions: people.dimensions,
      subjects: people.subjects,
      samples: people.count,
      suite,
      seed,
      protocol: describe(stage, known, options),
      known: {
        subjects: known.subjects,
        samples: known.count,
        shrinkage: population.shrinkage,
        nonMated: thresholds.pairs,
        draws: thresholds.draws,
        thresholds: thresholdFigures(thresholds),
      },
      inversions,
      accumulation,
      genuine: bits.map((m) => {
        const face = inversions.find((one) => one.bits === m && one.attack === 'face') as InversionFigures
        return { bits: m, accepted: face.prar.mean }
      }),
    }
  } finally {
    known.dispose()
  }
}

async function attackAll(
  { people, population, thresholds, targets, accumulation, coherence }: Stage,
  options: Checked,
): Promise<{
  readonly inversions: readonly InversionFigures[]
  readonly accumulation: readonly AccumulationFigures[]
}> {
  const groups = groupBits(people.dimensions, options.bits)
  const old = accumulation.targets.length * accumulation.generations.length
  const pace = new Pace(
    groups.length * (targets.length * (3 + options.keys) + old * (1 + options.keys)),
    options,
  )
  const inversions: InversionFigures[] = []
  const accumulated: AccumulationFigures[] = []
  for (const group of groups) {
    const thefts = new Thefts(people, population, options.suite, options.seed)
    try {
      inversions.push(
        ...(await measureInversions(people, targets, group, { thefts, thresholds }, options, pace)),
      )
      if (old === 0) continue
      const known = { thefts, population, coherence, thresholds: thresholds.byBits }
      accumulated.push(...(await accumulate(people, accumulation, group, known, options, pace)))
    } finally {
      thefts.wipe()
    }
  }
  return { inversions, accumulation: accumulated.toSorted((a, b) => a.bits - b.bits) }
}

function thresholdFigures({ cosine, byBits }: Thresholds): InversionReport['known']['thresholds'] {
  const at = ([thousand, tenThousand]: ThresholdPair): Record<keyof AcceptedAt, number | null> => ({
    '1e-3': thousand ?? null,
    '1e-4': tenThousand ?? null,
  })
  return [
    { bits: null, at: at(cosine) },
    ...[...byBits].map(([bits, thresholds]) => ({ bits, at: at(thresholds) })),
  ]
}

/** Share of the covariance that two captures of one person have in common, from .05 to .99. */
function coherenceOf(known: People, { mean, dimensions }: Population): number {
  const subjects = Uint32Array.from({ length: known.subjects }, (_, subject) => subject)
  const mated = meanMatedCosine(known, samplesOf(known, subjects, 2)) ?? 0.5
  let square = 0
  for (let i = 0; i < dimensions; i++) square += (mean[i] as number) ** 2
  return Math.min(0.99, Math.max(0.05, (mated - square) / (1 - square)))
}

function describe(
  { thresholds, targets, accumulation, population, coherence }: Stage,
  known: People,
  { keys }: Checked,
): readonly string[] {
  const sentences = [
    `Subjects are halved by seed: ${known.subjects} with ${known.count} samples are known to the thief, the others are attacked.`,
    `Thresholds are taken from ${thresholds.pairs} non-mated right-key pairs of the known half under ${thresholds.draws} draws of keys; none for a rate below 3 ÷ pairs.`,
    `${targets.length} templates are stolen with their keys, the reissued ones are of another capture, under a fresh key each and under ${keys} fresh keys that all targets share.`,
    `The prior is Gaussian: mean and covariance of the known half, shrunk by ${population.shrinkage}.`,
  ]
  if (known.synthetic) sentences.unshift('Synthetic people: no evidence about real faces.')
  if (accumulation.generations.length > 0) {
    sentences.push(
      `Old templates are put together for ${accumulation.targets.length} captures of people who have enough; two captures are taken to share ${coherence.toFixed(2)} of the covariance.`,
    )
  }
  return sentences
}
