/** Accuracy of verification on labelled embeddings: all pairs, three ways of comparing, every number of bits (SPEC §15.3). @module */

import { checkInteger } from '../base/check.ts'
import type { Dataset } from '../dataset/dataset.ts'
import type { Model } from '../embedding/model.ts'
import type { Bits } from '../policy/operating-point.ts'
import { BITS, checkSuite, type Suite } from '../transform/suite.ts'
import { countGrades, equalErrorRate, falseMatchRate, thresholdAt, trueMatchRate } from './accuracy.ts'
import { detPoints, scoreHistogram } from './curves.ts'
import { EvaluateError, inputError } from './errors.ts'
import type { TargetName, ThresholdRates, VerificationReport, Way, WayAccuracy } from './figures.ts'
import { informationFigures } from './information.ts'
import { partOf, type TaskOptions } from './pace.ts'
import { loadPeople, type People } from './people.ts'
import { crowdOf, type Resampled, resampleSubjects } from './resample.ts'
import { type Streamed, streamScores } from './stream.ts'
import { planStream, type StreamPlan, type Target } from './stream-plan.ts'
import {
  countDenominators,
  type Denominators,
  type Groups,
  groupsOf,
  ratesOfGroups,
  ratesOfSubjects,
} from './zoo.ts'

export interface VerificationOptions extends TaskOptions {
  readonly model: Model
  /** Default: all three. */
  readonly ways?: readonly Way[]
  /** Default: 64, 128, 256, 512 and 1024. */
  readonly bits?: readonly Bits[]
  /** Default `B4`. */
  readonly suite?: Suite
  /** Draws of record keys: every draw gives every reference another key. 1 to 100, default 1. */
  readonly draws?: number
  /** Default 10. */
  readonly samplesPerSubject?: number
  /**
   * Non-mated comparisons for numbers of bits whose rotation is larger than the smallest that is measured, and which take
   * longer for it. Default 2,000,000; `all` leaves none out.
   */
  readonly sampled?: number | 'all'
  /** Resamplings of subjects, at least 200. Default 1000. */
  readonly replicates?: number
  /** Default `verification`. */
  readonly seed?: string
  /** Threads in all. Default 2 where there are two processors, else 1. The figures do not depend on it. */
  readonly threads?: number
}

export const TARGETS: readonly (readonly [TargetName, number])[] = [
  ['1e-2', 1e-2],
  ['1e-3', 1e-3],
  ['1e-4', 1e-4],
]

/**
 * Compares every sample with every other: the cosine as the limit, the asymmetric score of a vault and the Hamming distance of
 * two codes, each reference under a record key of its own that the system knows. A report takes 10^8 comparisons a way.
 *
 * @param source a data set, or people who were loaded; people stay the caller's to dispose of
 * @throws {EvaluateError} `ERR_EVALUATE_INPUT`; `ERR_EVALUATE_TOO_FEW` without mated and non-mated comparisons.
 * @example
 * ```ts
 * const { ways } = await verificationReport(await openDataset('people'), { model })
 * for (const { way, bits, eer } of ways) console.log(way, bits, eer.value, eer.bySubject)
 * ```
 */
export async function verificationReport(
  source: Dataset | People,
  options: VerificationOptions,
): Promise<VerificationReport> {
  const { model, samplesPerSubject = 10, signal } = options
  if (!('read' in source)) return measure(source, options)
  const people = await loadPeople(source, { model, samplesPerSubject, signal })
  try {
    return await measure(people, options)
  } finally {
    people.dispose()
  }
}

async function measure(people: People, options: VerificationOptions): Promise<VerificationReport> {
  const {
    seed = 'verification',
    signal,
    threads,
    samplesPerSubject = 10,
    ways = ['cosine', 'asymmetric', 'hamming'],
  } = options
  const suite = checkSuite(options.suite ?? 'B4')
  const draws = checkInteger(options.draws ?? 1, 'draws', [1, 100], inputError)
  const replicates = checkInteger(options.replicates ?? 1000, 'replicates', [200, 100_000], inputError)
  const sampled = options.sampled ?? 2_000_000
  if (sampled !== 'all') checkInteger(sampled, 'sampled', [1000, 100_000_000], inputError)
  const targets = targetsOf(ways, options.bits ?? BITS)
  const { dimensions, name, synthetic, subjects, count } = people
  const sides = { dimensions, references: people, probes: people, within: true, twinOf: null }
  const plan = planStream(sides, { suite, seed, targets, draws, sampled })
  const streams = await streamScores(plan, {
    signal,
    threads,
    onProgress: partOf(options.onProgress, [0, 900]),
  })
  if (streams.some(({ nonMated, mated }) => nonMated === 0 || mated.length === 0))
    throw new EvaluateError('ERR_EVALUATE_TOO_FEW', 'mated and non-mated comparisons are both needed')
  const sets = streams.map((streamed) => ({ streamed, thresholds: thresholdsOf(streamed) }))
  const resampled = await resampleSubjects(crowdOf(plan), sets, {
    seed,
    replicates,
    signal,
    onProgress: partOf(options.onProgress, [900, 1000]),
  })
  const described = sets.map(
    async ({ streamed }, i): Promise<WayAccuracy> =>
      wayFigures(plan, streamed, resampled[i] as Resampled, {
        replicates,
        groups: groupsOf(people, people.subjects),
        signal,
      }),
  )
  return {
    dataset: name,
    synthetic,
    model: people.model,
    dimensions,
    subjects,
    samples: count,
    suite,
    seed,
    protocol: protocolOf(people, plan, streams, samplesPerSubject, options.model.mean !== undefined),
    ways: await Promise.all(described),
  }
}

function targetsOf(ways: readonly Way[], bits: readonly Bits[]): readonly Target[] {
  const known = new Set<Way>(['cosine', 'asymmetric', 'hamming'])
  if (ways.length === 0 || ways.some((way) => !known.has(way)))
    throw inputError('ways must be cosine, asymmetric or hamming')
  if (bits.length === 0 || bits.some((m) => !BITS.includes(m)))
    throw inputError(`bits must be among ${BITS.join(', ')}`)
  return [...new Set(ways)].flatMap((way): Target[] =>
    way === 'cosine'
      ? [{ way, bits: null }]
      : [...new Set(bits)].sort((a, b) => a - b).map((m) => ({ way, bits: m })),
  )
}

/** The threshold of a target; `undefined` where the pairs cannot show it, however many draws of keys there were. */
function thresholdFor(streamed: Streamed, target: number): number | undefined {
  const pairs = streamed.nonMated / Math.max(1, streamed.draws)
  return target * pairs < 3 ? undefined : thresholdAt(streamed.counts, target)
}

function thresholdsOf(streamed: Streamed): readonly number[] {
  return TARGETS.flatMap(([, target]) => thresholdFor(streamed, target) ?? [])
}

async function wayFigures(
  plan: StreamPlan,
  streamed: Streamed,
  resampled: Resampled,
  crowd: {
    readonly replicates: number
    readonly groups: Groups | undefined
    readonly signal: AbortSignal | undefined
  },
): Promise<WayAccuracy> {
  const { way, bits, draws, nonMated } = streamed
  const { replicates, groups, signal } = crowd
  const scores = { mated: countGrades(streamed.mated), nonMated: streamed.counts }
  const place = plan.targets.findIndex((target) => target.way === way && target.bits === bits)
  const passes = plan.passes.filter(({ targets }) => targets.includes(place))
  const { subjects } = crowdOf(plan)
  const denominators = await countDenominators(plan, passes, { subjects, groups, signal })
  const at = TARGETS.map(([name, target]): [TargetName, ThresholdRates | null] => {
    const threshold = thresholdFor(streamed, target)
    const found = resampled.at.find((one) => one.threshold === threshold)
    if (threshold === undefined || found?.trueMatchRate === undefined) return [name, null]
    const { falseMatchRate: ofFalse, trueMatchRate: ofTrue } = found
    return [
      name,
      {
        threshold,
        falseMatchRate: { ...falseMatchRate(scores, threshold), bySubject: { ...ofFalse, replicates } },
        trueMatchRate: { ...trueMatchRate(scores, threshold), bySubject: { ...ofTrue, replicates } },
        ...peopleRates(streamed, threshold, denominators, groups),
      },
    ]
  })
  const moments = { mated: streamed.matedMoments, nonMated: streamed.moments }
  return {
    way,
    bits,
    mated: streamed.mated.length,
    nonMated,
    draws,
    eer: {
      ...equalErrorRate(scores),
      bySubject: { ...(resampled.eer as NonNullable<Resampled['eer']>), replicates },
    },
    at: Object.fromEntries(at) as WayAccuracy['at'],
    histogram: scoreHistogram(scores),
    det: detPoints(scores),
    information: informationFigures(scores, moments),
  }
}

function peopleRates(
  streamed: Streamed,
  threshold: number,
  denominators: Denominators,
  groups: Groups | undefined,
): Pick<ThresholdRates, 'perSubject' | 'groups'> {
  return {
    perSubject: ratesOfSubjects(streamed, threshold, denominators),
    groups: ratesOfGroups(streamed, threshold, denominators, groups),
  }
}

function protocolOf(
  people: People,
  plan: StreamPlan,
  streams: readonly Streamed[],
  samplesPerSubject: number,
  centred: boolean,
): readonly string[] {
  const [first] = streams as readonly [Streamed, ...Streamed[]]
  const left = streams
    .filter(({ step }) => step > 1)
    .map(
      ({ way, bits, step, nonMated }) =>
        `${way}${bits === null ? '' : ` at ${bits} bits`}: every ${step}th non-mated pair of a reference from a start drawn by seed, ${nonMated} comparisons.`,
    )
  const whole =
    left.length === streams.length
      ? []
      : ['All non-mated pairs (zero effort), the earlier sample as the reference.']
  return [
    ...(people.synthetic ? ['Synthetic people: no evidence about real faces.'] : []),
    `At most the first ${samplesPerSubject} samples of a subject; all ${first.mated.length / Math.max(1, first.draws)} mated pairs.`,
    ...whole,
    ...left,
    'Each reference under a record key of its own, which the system that compares knows (right key on both sides).',
    ...(plan.draws > 1
      ? [
          `Counts are sums over ${plan.draws} draws of record keys; targets finer than 3 ÷ pairs of one draw are left out.`,
        ]
      : []),
    centred ? 'The mean of the model is taken from both sides.' : 'No centring.',
    'Thresholds are set on the data that they are scored on.',
    'Exact intervals take comparisons for independent; those by subject draw subjects anew, both sides of every pair.',
  ]
}
