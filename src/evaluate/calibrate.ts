/** From scores of labelled embeddings to an operating point and its file (SPEC §12.2, POLICY-5). @module */

import type { ModelId, TransformId } from '../base/brand.ts'
import { toHex } from '../base/bytes.ts'
import type { Dataset } from '../dataset/dataset.ts'
import type { Model } from '../embedding/model.ts'
import { type Bits, checkOperatingPoint, type OperatingPoint, type Rate } from '../policy/operating-point.ts'
import { defaultBits } from '../template/bits.ts'
import type { Suite } from '../transform/suite.ts'
import { falseMatchRate, type Scores, thresholdAt, trueMatchRate } from './accuracy.ts'
import { EvaluateError } from './errors.ts'
import type { TaskOptions } from './pace.ts'
import { choosePairs } from './pairs.ts'
import { loadPeople } from './people.ts'
import { ruleOfThree } from './rates.ts'
import { scorePairs } from './scores.ts'

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
  /** Default `any`. */
  readonly probeClass?: string
  /** Default: name and size of the data set. */
  readonly source?: string
  /** Default `calibrate`. Another seed gives other record keys and, in large sets, other non-mated pairs. */
  readonly seed?: string
  /** Default: all, at most 600,000, and more where 30 false matches at the target need more. */
  readonly impostors?: number | 'all'
}

export interface Calibration {
  readonly operatingPoint: OperatingPoint
  /** Of the same people at this threshold; `undefined` when no one has two samples. */
  readonly trueMatchRate: Rate | undefined
  readonly subjects: number
  readonly samples: number
}

const FORMAT = 'guise-operating-point/1'
const MAX_FILE_CHARACTERS = 16_384
const USUAL_IMPOSTORS = 600_000
const MOST_IMPOSTORS = 20_000_000

/**
 * The smallest threshold whose measured false match rate is at most the target. Throws `ERR_EVALUATE_TOO_FEW`
 * for a target below 3/n, which n comparisons cannot show, and `ERR_EVALUATE_UNREACHABLE` when even the strictest
 * threshold accepts more.
 */
export function operatingPointAt(scores: Pick<Scores, 'nonMated'>, target: OperatingTarget): OperatingPoint {
  const { nonMated } = scores
  const { falseMatchRate: highest, probeClass = 'any', ...rest } = target
  if (nonMated.length === 0 || highest < ruleOfThree(nonMated.length)) {
    throw new EvaluateError('ERR_EVALUATE_TOO_FEW', 'a rate below 3 / comparisons cannot be shown')
  }
  const threshold = thresholdAt(nonMated, highest)
  if (threshold === undefined) {
    throw new EvaluateError('ERR_EVALUATE_UNREACHABLE', 'no threshold keeps this false match rate')
  }
  return checkOperatingPoint({
    ...rest,
    suite: rest.suite as string as TransformId,
    probeClass,
    threshold,
    falseMatchRate: falseMatchRate({ mated: nonMated, nonMated }, threshold),
  })
}

/**
 * Measures a data set and gives its operating point. The people must be others than those who will be enrolled,
 * and alike to them: a threshold holds for the population it was measured on.
 *
 * @example
 * ```ts
 * const { operatingPoint } = await calibrate(await openDataset('people'), { model, falseMatchRate: 1e-4 })
 * await writeFile('operating-point.json', encodeOperatingPoint(operatingPoint))
 * ```
 */
export async function calibrate(dataset: Dataset, options: CalibrateOptions): Promise<Calibration> {
  const { model, falseMatchRate: target, suite = 'B4', seed = 'calibrate', onProgress, signal } = options
  const bits = options.bits ?? defaultBits(model.dimensions)
  const people = await loadPeople(dataset, { model, signal })
  try {
    const wanted = Math.max(USUAL_IMPOSTORS, Math.min(Math.ceil(30 / target), MOST_IMPOSTORS))
    const pairs = await choosePairs(people, { impostors: options.impostors ?? wanted, seed })
    const [scores] = await scorePairs(people, pairs, { suite, bits: [bits], seed, onProgress, signal })
    const measured = scores as Scores
    const operatingPoint = operatingPointAt(measured, {
      model: people.model,
      meanHash: toHex(people.meanHash),
      suite,
      bits,
      ...(options.probeClass !== undefined && { probeClass: options.probeClass }),
      falseMatchRate: target,
      source: options.source ?? describe(people, measured.nonMated.length),
    })
    return {
      operatingPoint,
      trueMatchRate:
        measured.mated.length === 0 ? undefined : trueMatchRate(measured, operatingPoint.threshold),
      subjects: people.subjects,
      samples: people.count,
    }
  } finally {
    people.dispose()
  }
}

/** The file: JSON of one fixed form, two spaces deep, ended by a newline. */
export function encodeOperatingPoint(point: OperatingPoint): string {
  const {
    model,
    meanHash,
    suite,
    bits,
    probeClass,
    threshold,
    falseMatchRate: measured,
    source,
  } = checkOperatingPoint(point)
  const { value, low, high, trials, confidence } = measured
  const rate = { value, low, high, trials, confidence }
  const file = {
    format: FORMAT,
    model,
    meanHash,
    suite,
    bits,
    probeClass,
    threshold,
    falseMatchRate: rate,
    source,
  }
  return `${JSON.stringify(file, undefined, 2)}\n`
}

/**
 * Reads such a file. Anything but the form that `encodeOperatingPoint` writes (line ends apart) is
 * `ERR_EVALUATE_FILE`: a file that somebody edited is not a measurement.
 */
export function decodeOperatingPoint(text: string): OperatingPoint {
  if (text.length > MAX_FILE_CHARACTERS) throw fileError()
  let point: OperatingPoint
  try {
    point = checkOperatingPoint(JSON.parse(text))
  } catch (cause) {
    throw fileError(cause)
  }
  if (encodeOperatingPoint(point) !== text.replaceAll('\r\n', '\n')) throw fileError()
  return point
}

function fileError(cause?: unknown): EvaluateError {
  return new EvaluateError('ERR_EVALUATE_FILE', 'this is not an operating-point file', { cause })
}

function describe(
  people: {
    readonly name: string
    readonly synthetic: boolean
    readonly subjects: number
    readonly count: number
  },
  comparisons: number,
): string {
  const kind = people.synthetic ? ' (synthetic, no evidence about real faces)' : ''
  return `${people.name}${kind}: ${people.subjects} subjects, ${people.count} samples, ${comparisons} non-mated comparisons`
}
