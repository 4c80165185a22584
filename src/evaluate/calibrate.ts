/** From scores of labelled embeddings to an operating point and its file (SPEC §12.2, POLICY-5). @module */

import type { ModelId, TransformId } from '../base/brand.ts'
import { toHex } from '../base/bytes.ts'
import { checkInteger } from '../base/check.ts'
import type { Dataset } from '../dataset/dataset.ts'
import type { Model } from '../embedding/model.ts'
import { type Bits, checkOperatingPoint, type OperatingPoint } from '../policy/operating-point.ts'
import { defaultBits } from '../template/bits.ts'
import { checkSuite, type Suite } from '../transform/suite.ts'
import {
  countGrades,
  falseMatchRate,
  type GradeCounts,
  MAX_GRADE,
  type Scores,
  thresholdAt,
  totalOf,
  trueMatchRate,
} from './accuracy.ts'
import { EvaluateError, inputError } from './errors.ts'
import type { GroupRates, RateFigures } from './figures.ts'
import { type OnProgress, partOf, type TaskOptions } from './pace.ts'
import type { People } from './people.ts'
import { crossSides, loadRoll, type Roll } from './probe-class.ts'
import { type Interval, ruleOfThree } from './rates.ts'
import { crowdOf, otherPeople, type Resampled, resampleSubjects } from './resample.ts'
import { type Streamed, streamScores } from './stream.ts'
import { planStream } from './stream-plan.ts'
import { countDenominators, type Denominators, type Groups, groupsOf, ratesOfGroups } from './zoo.ts'

/** What an operating point is made for; `falseMatchRate` is the highest that is accepted. */
export interface OperatingTarget {
  readonly model: ModelId
  /** 64 hexadecimal digits. */
  readonly meanHash: string
  readonly suite: Suite
  readonly bits: Bits
  /** Default `any`. */
  readonly probeClass?: string
  readonly falseMatchRate: number
  readonly source: string
}

export interface CalibrateOptions extends TaskOptions {
  readonly model: Model
  /** Highest false match rate that is accepted, as a fraction. */
  readonly falseMatchRate: number
  /** Default: that of templates, the largest allowed number ≤ min(dimensions, 512). */
  readonly bits?: Bits
  /** Default `B4`. */
  readonly suite?: Suite
  /** What kind of probes the data set holds. Default `any`. */
  readonly probeClass?: string
  /** Probes of other kinds, of the same people: each is compared with the samples of the data set as references. */
  readonly classes?: readonly ProbeClass[]
  /** True: the threshold keeps the rate within every group of the data set, not only over all people. */
  readonly everyGroup?: boolean
  /** Default: name and size of the data set. */
  readonly source?: string
  /** Default `calibrate`. Another seed gives other record keys and, in large sets, other non-mated pairs. */
  readonly seed?: string
  /** Non-mated comparisons: all, or every k-th of a reference, so that about as many are left, or fewer. Default 20,000,000; `all`: 10^8. */
  readonly impostors?: number | 'all'
  /** Default 10. */
  readonly samplesPerSubject?: number
  /** Resamplings of subjects, at least 200. Default 1000. */
  readonly replicates?: number
  /** Threads in all. Default 2 where there are two processors, else 1. What is measured does not depend on it. */
  readonly threads?: number
}

/** `dataset` has the same subjects, and perhaps, row by row, the same photographs. */
export interface ProbeClass {
  readonly name: string
  readonly dataset: Dataset
}

/** One operating point and what else its comparisons show. */
export interface ClassCalibration {
  /** The interval of its rate is that of as many other people, and covers the exact one over comparisons. */
  readonly operatingPoint: OperatingPoint
  /** Of the same people at this threshold; `undefined` when no one has two samples. */
  readonly trueMatchRate: RateFigures | undefined
  /** The interval of the false match rate when subjects are drawn anew. */
  readonly bySubject: Interval & { readonly replicates: number }
  /** Rates within groups at this threshold, where the data set has groups. */
  readonly groups: readonly GroupRates[]
}

export interface Calibration extends ClassCalibration {
  readonly subjects: number
  readonly samples: number
  /** In the order of `options.classes`. */
  readonly classes: readonly ClassCalibration[]
}

const USUAL_IMPOSTORS = 20_000_000
const MOST_IMPOSTORS = 100_000_000
/** For higher targets more of the highest comparisons are kept. */
const KEPT_RATE = 0.01

/**
 * The smallest threshold whose measured false match rate is at most the target. Throws `ERR_EVALUATE_TOO_FEW`
 * for a target below 3/n, which n comparisons cannot show, and `ERR_EVALUATE_UNREACHABLE` when even the strictest
 * threshold accepts more.
 */
export function operatingPointAt(scores: Pick<Scores, 'nonMated'>, target: OperatingTarget): OperatingPoint {
  const { falseMatchRate: highest, probeClass = 'any', ...rest } = target
  const counts = countGrades(scores.nonMated)
  const threshold = lowestThreshold(counts, highest)
  return checkOperatingPoint({
    ...rest,
    suite: rest.suite as string as TransformId,
    probeClass,
    threshold,
    falseMatchRate: falseMatchRate({ mated: counts, nonMated: counts }, threshold),
  })
}

/**
 * Measures a data set and gives its operating point. The people must be others than those who will be enrolled,
 * and alike to them: a threshold holds for the population it was measured on.
 *
 * The threshold is the smallest whose measured rate is at most the target. What the point promises for other people is the
 * upper end of its interval: that of the rate as many others would show, by drawings of subjects, or the exact one where it is higher.
 *
 * @throws {EvaluateError} `ERR_EVALUATE_TOO_FEW`, `ERR_EVALUATE_UNREACHABLE` as `operatingPointAt` does; `ERR_EVALUATE_INPUT`.
 * @example
 * ```ts
 * const { operatingPoint } = await calibrate(await openDataset('people'), { model, falseMatchRate: 1e-4 })
 * await writeFile('operating-point.json', encodeOperatingPoint(operatingPoint))
 * ```
 */
export async function calibrate(dataset: Dataset, options: CalibrateOptions): Promise<Calibration> {
  const { model, samplesPerSubject = 10, signal, classes = [], probeClass = 'any' } = options
  checkClasses([probeClass, ...classes.map(({ name }) => name)])
  const load = (from: Dataset): Promise<Roll> => loadRoll(from, { model, samplesPerSubject, signal })
  const own = await load(dataset)
  try {
    const parts = classes.length + 1
    const part = (i: number): OnProgress =>
      partOf(options.onProgress, [(1000 * i) / parts, (1000 * (i + 1)) / parts])
    const { people } = own
    const within = {
      dimensions: people.dimensions,
      references: people,
      probes: people,
      within: true,
      twinOf: null,
    }
    const main = await calibrateSides(own, within, probeClass, { ...options, onProgress: part(0) })
    const others: ClassCalibration[] = []
    for (const [i, one] of classes.entries()) {
      const probes = await load(one.dataset)
      try {
        const sides = crossSides(own, probes)
        others.push(await calibrateSides(own, sides, one.name, { ...options, onProgress: part(i + 1) }))
      } finally {
        probes.people.dispose()
      }
    }
    return { ...main, subjects: people.subjects, samples: people.count, classes: others }
  } finally {
    own.people.dispose()
  }
}

async function calibrateSides(
  { people }: Roll,
  sides: Parameters<typeof planStream>[0],
  probeClass: string,
  options: CalibrateOptions,
): Promise<ClassCalibration> {
  const { falseMatchRate: target, suite = 'B4', seed = 'calibrate', signal, threads, onProgress } = options
  const bits = options.bits ?? defaultBits(people.dimensions)
  const replicates = checkInteger(options.replicates ?? 1000, 'replicates', [200, 100_000], inputError)
  const most = options.impostors === 'all' ? MOST_IMPOSTORS : (options.impostors ?? USUAL_IMPOSTORS)
  checkInteger(most, 'impostors', [1, Number.MAX_SAFE_INTEGER], inputError)
  const plan = planStream(sides, {
    suite: checkSuite(suite),
    seed,
    draws: 1,
    sampled: 'all',
    most,
    targets: [{ way: 'asymmetric', bits }],
    ...(target > KEPT_RATE && { keep: Math.ceil(Math.min(target, 1) * most) }),
  })
  const [streamed] = await streamScores(plan, { signal, threads, onProgress: partOf(onProgress, [0, 900]) })
  const found = streamed as Streamed
  const crowd = crowdOf(plan)
  const groups = groupsOf(people, crowd.subjects)
  const denominators = await countDenominators(plan, plan.passes, {
    subjects: crowd.subjects,
    groups,
    signal,
  })
  const overall = lowestThreshold(found.counts, target)
  const threshold =
    options.everyGroup === true ? everyGroup(found, overall, target, denominators, groups) : overall
  const [resampled] = await resampleSubjects(crowd, [{ streamed: found, thresholds: [threshold] }], {
    seed,
    replicates,
    signal,
    onProgress: partOf(onProgress, [900, 1000]),
  })
  const {
    falseMatchRate: ofFalse,
    trueMatchRate: ofTrue,
    replicates: drawn,
  } = (resampled as Resampled).at[0] as Resampled['at'][number]
  const scores = { mated: countGrades(found.mated), nonMated: found.counts }
  const exact = falseMatchRate(scores, threshold)
  const other = otherPeople(exact.value, drawn)
  return {
    operatingPoint: checkOperatingPoint({
      model: people.model,
      meanHash: toHex(people.meanHash),
      suite,
      bits,
      probeClass,
      threshold,
      falseMatchRate: {
        ...exact,
        low: Math.min(exact.low, other.low),
        high: Math.max(exact.high, other.high),
      },
      source: options.source ?? describe(people, found, replicates),
    }),
    trueMatchRate:
      ofTrue === undefined
        ? undefined
        : { ...trueMatchRate(scores, threshold), bySubject: { ...ofTrue, replicates } },
    bySubject: { ...ofFalse, replicates },
    groups: ratesOfGroups(found, threshold, denominators, groups),
  }
}

function lowestThreshold(counts: GradeCounts, target: number): number {
  const comparisons = totalOf(counts)
  if (comparisons === 0) throw new EvaluateError('ERR_EVALUATE_TOO_FEW', 'there are no two people to compare')
  if (target < ruleOfThree(comparisons)) {
    throw new EvaluateError(
      'ERR_EVALUATE_TOO_FEW',
      `${comparisons} comparisons of different people can show no rate below 3 / ${comparisons}`,
    )
  }
  const threshold = thresholdAt(counts, target)
  if (threshold === undefined)
    throw new EvaluateError('ERR_EVALUATE_UNREACHABLE', 'no threshold keeps this false match rate')
  return threshold
}

/** The smallest threshold from `lowest` at which no group's rate is above the target. */
function everyGroup(
  streamed: Streamed,
  lowest: number,
  target: number,
  denominators: Denominators,
  groups: Groups | undefined,
): number {
  if (groups === undefined) throw inputError('the data set has no groups')
  if (denominators.byGroup.some((comparisons) => target * comparisons < 3))
    throw new EvaluateError('ERR_EVALUATE_TOO_FEW', 'a group has fewer than 3 / rate comparisons')
  const keeps = (threshold: number): boolean =>
    ratesOfGroups(streamed, threshold, denominators, groups).every(
      ({ falseMatchRate: rate }) => rate === null || rate.value <= target,
    )
  if (!keeps(MAX_GRADE))
    throw new EvaluateError('ERR_EVALUATE_UNREACHABLE', 'no threshold keeps this false match rate')
  let below = lowest - 1
  let least = MAX_GRADE
  while (least - below > 1) {
    const middle = Math.floor((below + least) / 2)
    if (keeps(middle)) least = middle
    else below = middle
  }
  return least
}

function checkClasses(names: readonly string[]): void {
  if (new Set(names).size !== names.length) throw inputError('two classes of probes have one name')
}

function describe(people: People, { nonMated, step }: Streamed, replicates: number): string {
  const kind = people.synthetic ? ' (synthetic, no evidence about real faces)' : ''
  const taken = step === 1 ? '' : `, every ${step}th of a reference`
  return (
    `${people.name}${kind}: ${people.subjects} subjects, ${people.count} samples, ${nonMated} non-mated comparisons${taken}; ` +
    `interval: for as many other people, ${replicates} drawings of subjects`
  )
}
