/** Identification points: two thresholds and the searches that they were measured on (SPEC §16.6). @module */

import type { ModelId } from '../base/brand.ts'
import { fromHex, toHex } from '../base/bytes.ts'
import { encodeCbor } from '../base/cbor.ts'
import { checkInteger, checkOneOf, checkText } from '../base/check.ts'
import { sha256 } from '../crypto/hash.ts'
import { readFields, readList } from '../policy/fields.ts'
import { type Bits, checkRate, type Rate } from '../policy/operating-point.ts'
import { BITS } from '../transform/suite.ts'
import { rejectPoint } from './errors.ts'

/** Where a search draws its lines, and the measurement that justifies them. No default exists. */
export interface IdentificationPoint {
  readonly model: ModelId
  /** Hash of the model's mean, 64 hexadecimal digits. */
  readonly meanHash: string
  /** Of the templates that confirm. */
  readonly bits: Bits
  /** Of the codes that are scanned. */
  readonly galleryBits: Bits
  readonly probeClass: string
  /** For member codes: what is below is not looked at further. Ten-thousandths, 1 to 10,000. */
  readonly scanThreshold: number
  /** For the confirmation under the record's own key. */
  readonly threshold: number
  /** How many people were in the gallery that it was measured with: it holds for no larger one. */
  readonly gallerySize: number
  /** Searches for people who were not in it that ended with a candidate. */
  readonly falsePositiveRate: Rate
  /** What it was measured on, in words. */
  readonly source: string
}

/** What a gallery expects its points to fit. */
export interface IdentificationContext {
  readonly model: ModelId
  readonly meanHash: Uint8Array
  readonly bits: Bits
  readonly galleryBits: Bits
}

/** SP 800-63A-4 §3.11: one false identification in 1,000 searches, at most. */
const HIGHEST_RATE = 1e-3
const MOST_POINTS = 64
const MOST_SIZE = 10_000_000
const ID_DIGITS = 16
const MODEL_ID = /^[a-z0-9][a-z0-9._-]{0,62}@[a-z0-9][a-z0-9._-]{0,30}$/
const WORD = /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/
const FIELDS = [
  'model',
  'meanHash',
  'bits',
  'galleryBits',
  'probeClass',
  'scanThreshold',
  'threshold',
  'gallerySize',
  'falsePositiveRate',
  'source',
] as const

/** The points by probe class. Throws `ERR_GALLERY_POINT`; an empty or missing list is `ERR_GALLERY_POINT` too. */
export function fitIdentificationPoints(
  values: unknown,
  context: IdentificationContext,
  allowHighRate: boolean,
): ReadonlyMap<string, IdentificationPoint> {
  const given = readList(values, 'gallery.points', MOST_POINTS, rejectPoint)
  if (given.length === 0) throw rejectPoint('at least one identification point is needed')
  const meanHash = toHex(context.meanHash)
  const points = new Map<string, IdentificationPoint>()
  for (const value of given) {
    const point = checkIdentificationPoint(value)
    if (point.model !== context.model || point.meanHash !== meanHash) {
      throw rejectPoint('an identification point was measured with another model or mean')
    }
    if (point.bits !== context.bits || point.galleryBits !== context.galleryBits) {
      throw rejectPoint('an identification point was measured with other numbers of bits')
    }
    if (points.has(point.probeClass)) throw rejectPoint('two identification points serve one probe class')
    const { value: rate, trials } = point.falsePositiveRate
    if (!allowHighRate && (rate > HIGHEST_RATE || trials * HIGHEST_RATE < 3)) {
      throw rejectPoint('an identification point does not show one false answer in 1,000 searches or fewer')
    }
    points.set(point.probeClass, point)
  }
  return points
}

/** Names a point in the log: the first 16 hexadecimal digits of a hash over what decides. */
export function identificationPointId(point: IdentificationPoint): string {
  const { model, meanHash, bits, galleryBits, probeClass, scanThreshold, threshold, gallerySize } = point
  const decides = [model, meanHash, bits, galleryBits, probeClass, scanThreshold, threshold, gallerySize]
  return toHex(sha256(encodeCbor(decides))).slice(0, ID_DIGITS)
}

/** A checked copy. Throws `ERR_GALLERY_POINT` when a field is malformed or claims more than 3/n. */
export function checkIdentificationPoint(value: unknown): IdentificationPoint {
  const point = readFields(value, 'an identification point', FIELDS, rejectPoint)
  const meanHash = checkText(point.meanHash, 'meanHash', { maxBytes: 64 }, rejectPoint)
  if (fromHex(meanHash)?.length !== 32) throw rejectPoint('meanHash must be 64 hexadecimal digits')
  const bits = BITS as readonly number[]
  return Object.freeze({
    model: checkText(point.model, 'model', { maxBytes: 95, pattern: MODEL_ID }, rejectPoint) as ModelId,
    meanHash,
    bits: checkOneOf(point.bits as number, 'bits', bits, rejectPoint) as Bits,
    galleryBits: checkOneOf(point.galleryBits as number, 'galleryBits', bits, rejectPoint) as Bits,
    probeClass: checkText(point.probeClass, 'probeClass', { maxBytes: 64, pattern: WORD }, rejectPoint),
    scanThreshold: checkInteger(point.scanThreshold, 'scanThreshold', [1, 10_000], rejectPoint),
    threshold: checkInteger(point.threshold, 'threshold', [1, 10_000], rejectPoint),
    gallerySize: checkInteger(point.gallerySize, 'gallerySize', [1, MOST_SIZE], rejectPoint),
    falsePositiveRate: checkRate(point.falsePositiveRate, rejectPoint),
    source: checkText(point.source, 'source', { maxBytes: 1024 }, rejectPoint),
  })
}
