/** Operating points: a threshold and what it was measured on (SPEC §12.2). @module */

import type { ModelId, TransformId } from '../base/brand.ts'
import { fromHex, toHex } from '../base/bytes.ts'
import { encodeCbor } from '../base/cbor.ts'
import { checkInteger, checkOneOf, checkText } from '../base/check.ts'
import type { Reject } from '../base/errors.ts'
import { sha256 } from '../crypto/hash.ts'
import { PolicyError } from './errors.ts'
import { readFields, readList } from './fields.ts'

/** A measured rate with its two-sided 95 % interval; all three are fractions in [0, 1]. */
export interface Rate {
  readonly value: number
  readonly low: number
  readonly high: number
  /** Number of comparisons that the rate was counted over. */
  readonly trials: number
  readonly confidence: 0.95
}

/** Stored bits per template. */
export type Bits = 64 | 128 | 256 | 512 | 1024

/**
 * Where a vault draws the line, and the measurement that justifies it. No default exists: a threshold means
 * nothing without the model, suite and number of bits it was measured with.
 */
export interface OperatingPoint {
  readonly model: ModelId
  /** Hash of the model's mean, 64 hexadecimal digits. */
  readonly meanHash: string
  readonly suite: TransformId
  readonly bits: Bits
  /** What kind of probe it holds for; `any` unless calibration was made by class. */
  readonly probeClass: string
  /** Similarity in ten-thousandths, an integer from 1 to 10,000 (SPEC §7). */
  readonly threshold: number
  readonly falseMatchRate: Rate
  /** What it was measured on, in words: data set, number of subjects, date. */
  readonly source: string
}

const IDS: WeakMap<OperatingPoint, string> = new WeakMap()

/** Names a point in the log: the first 16 hexadecimal digits of a hash over what decides (SPEC §12.2). */
export function operatingPointId(point: OperatingPoint): string {
  let id = IDS.get(point)
  if (id === undefined) {
    const { model, meanHash, suite, bits, probeClass, threshold } = point
    const bytes = encodeCbor([model, meanHash, suite, bits, probeClass, threshold])
    id = toHex(sha256(bytes)).slice(0, ID_DIGITS)
    IDS.set(point, id)
  }
  return id
}

const ID_DIGITS = 16

/** What a vault expects its operating points to fit. */
export interface OperatingContext {
  readonly model: ModelId
  readonly meanHash: Uint8Array
  readonly suite: TransformId
  readonly bits: Bits
}

/** SP 800-63B-4 §3.2.3: a false match rate of 1 in 10,000 or better. */
export const HIGHEST_FALSE_MATCH_RATE = 1e-4

const FIELDS = [
  'model',
  'meanHash',
  'suite',
  'bits',
  'probeClass',
  'threshold',
  'falseMatchRate',
  'source',
] as const
const MOST_POINTS = 64
const BITS: readonly Bits[] = [64, 128, 256, 512, 1024]
export const MODEL_ID: RegExp = /^[a-z0-9][a-z0-9._-]{0,62}@[a-z0-9][a-z0-9._-]{0,30}$/
const WORD = /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/

/** A checked copy. Throws `ERR_POLICY_OPERATING_POINT` when a field is malformed or claims more than 3/n. */
export function checkOperatingPoint(value: unknown): OperatingPoint {
  const point = readFields(value, 'an operating point', FIELDS, refuse)
  const meanHash = checkText(point.meanHash, 'meanHash', { maxBytes: 64 }, refuse)
  if (fromHex(meanHash)?.length !== 32) throw refuse('meanHash must be 64 hexadecimal digits')
  return Object.freeze({
    model: checkText(point.model, 'model', { maxBytes: 95, pattern: MODEL_ID }, refuse) as ModelId,
    meanHash,
    suite: checkOneOf(point.suite, 'suite', ['B4', 'B6'], refuse) as string as TransformId,
    bits: checkOneOf(point.bits, 'bits', BITS, refuse),
    probeClass: checkText(point.probeClass, 'probeClass', { maxBytes: 64, pattern: WORD }, refuse),
    threshold: checkInteger(point.threshold, 'threshold', [1, 10_000], refuse),
    falseMatchRate: checkRate(point.falseMatchRate, refuse),
    source: checkText(point.source, 'source', { maxBytes: 1024 }, refuse),
  })
}

/**
 * The vault's operating points by probe class. Throws `ERR_POLICY_OPERATING_POINT` when there is none, when one
 * does not fit `context`, when two serve one class, or when one does not show a rate of 1 in 10,000 or better over
 * at least 30,000 comparisons and `allowHighRate` is false.
 */
export function fitOperatingPoints(
  values: unknown,
  context: OperatingContext,
  allowHighRate: boolean,
): ReadonlyMap<string, OperatingPoint> {
  const given = readList(values, 'operatingPoints', MOST_POINTS, refuse)
  if (given.length === 0) throw refuse('at least one operating point is needed')
  const meanHash = toHex(context.meanHash)
  const points = new Map<string, OperatingPoint>()
  for (const value of given) {
    const point = checkOperatingPoint(value)
    if (point.model !== context.model) throw refuse('an operating point was measured with another model')
    if (point.meanHash !== meanHash)
      throw refuse('an operating point was measured with another mean or number of dimensions')
    if (point.suite !== context.suite) throw refuse('an operating point was measured with another suite')
    if (point.bits !== context.bits)
      throw refuse('an operating point was measured with another number of bits')
    if (points.has(point.probeClass)) throw refuse('two operating points serve one probe class')
    if (!allowHighRate && !showsLowRate(point.falseMatchRate)) {
      throw refuse('an operating point does not show a false match rate of 1 in 10,000 or better')
    }
    points.set(point.probeClass, point)
  }
  return points
}

/**
 * A checked copy of the points of probes of a class with references of that class. Each class is one that `verify` has, for whoever has no such
 * reference, and not `any`. Throws as `fitOperatingPoints` does.
 */
export function fitReferencePoints(
  values: unknown,
  verify: ReadonlyMap<string, OperatingPoint>,
  context: OperatingContext,
  allowHighRate: boolean,
): ReadonlyMap<string, OperatingPoint> {
  const points = fitOperatingPoints(values, context, allowHighRate)
  for (const { probeClass } of points.values()) {
    if (probeClass === 'any' || !verify.has(probeClass))
      throw refuse('a reference point is of a probe class that no verify has, or of any')
  }
  return points
}

/** Below 3 / rate comparisons even a count of zero shows nothing (rule of three). */
export function showsLowRate(rate: Rate): boolean {
  return rate.value <= HIGHEST_FALSE_MATCH_RATE && rate.trials * HIGHEST_FALSE_MATCH_RATE >= 3
}

/** A checked copy of a measured rate. One that claims more than its trials can show is refused. */
export function checkRate(value: unknown, reject: Reject): Rate {
  const fields = ['value', 'low', 'high', 'trials', 'confidence'] as const
  const rate = readFields(value, 'a rate', fields, reject)
  const trials = checkInteger(rate.trials, 'trials', [1, Number.MAX_SAFE_INTEGER], reject)
  const low = checkFraction(rate.low, 'low', reject)
  const middle = checkFraction(rate.value, 'value', reject)
  const high = checkFraction(rate.high, 'high', reject)
  if (rate.confidence !== 0.95) throw reject('confidence must be 0.95')
  if (low > middle || middle > high) throw reject('the interval must contain the rate')
  if (high < 3 / trials)
    throw reject('the upper bound is finer than 3 / trials, which the trials cannot show')
  return Object.freeze({ value: middle, low, high, trials, confidence: 0.95 })
}

function checkFraction(value: unknown, name: string, reject: Reject): number {
  if (typeof value !== 'number' || !(value >= 0 && value <= 1))
    throw reject(`${name} must be between 0 and 1`)
  return value
}

function refuse(why: string): PolicyError {
  return new PolicyError('ERR_POLICY_OPERATING_POINT', why)
}
