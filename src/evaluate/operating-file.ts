/** Files of operating points and of identification points (SPEC §12.2, §16.6). @module */

import { checkIdentificationPoint, type IdentificationPoint } from '../gallery/identification-point.ts'
import { checkOperatingPoint, type OperatingPoint, type Rate } from '../policy/operating-point.ts'
import { EvaluateError } from './errors.ts'

const OPERATING_FORMAT = 'guise-operating-point/1'
const IDENTIFICATION_FORMAT = 'guise-identification-point/1'
const MAX_FILE_CHARACTERS = 16_384

/** The file: JSON of one fixed form, two spaces deep, ended by a newline. */
export function encodeOperatingPoint(point: OperatingPoint): string {
  const { model, meanHash, suite, bits, probeClass, threshold, falseMatchRate, source } =
    checkOperatingPoint(point)
  const head = { format: OPERATING_FORMAT, model, meanHash, suite, bits, probeClass, threshold }
  return textOf({ ...head, falseMatchRate: ordered(falseMatchRate), source })
}

/**
 * Reads such a file. Anything but the form that `encodeOperatingPoint` writes (line ends apart) is
 * `ERR_EVALUATE_FILE`: a file that somebody edited is not a measurement.
 */
export function decodeOperatingPoint(text: string): OperatingPoint {
  return decode(text, {
    what: 'an operating-point file',
    check: checkOperatingPoint,
    encode: encodeOperatingPoint,
  })
}

/** The file of an identification point, in the same form. */
export function encodeIdentificationPoint(point: IdentificationPoint): string {
  const checked = checkIdentificationPoint(point)
  const { model, meanHash, bits, galleryBits, probeClass, scanThreshold, threshold, gallerySize } = checked
  const head = { format: IDENTIFICATION_FORMAT, model, meanHash, bits, galleryBits, probeClass }
  const searched = { scanThreshold, threshold, gallerySize }
  return textOf({
    ...head,
    ...searched,
    falsePositiveRate: ordered(checked.falsePositiveRate),
    source: checked.source,
  })
}

/** Reads such a file; anything but the form that `encodeIdentificationPoint` writes is `ERR_EVALUATE_FILE`. */
export function decodeIdentificationPoint(text: string): IdentificationPoint {
  return decode(text, {
    what: 'an identification-point file',
    check: checkIdentificationPoint,
    encode: encodeIdentificationPoint,
  })
}

interface Form<Point> {
  readonly what: string
  readonly check: (value: unknown) => Point
  readonly encode: (point: Point) => string
}

function decode<Point>(text: string, { what, check, encode }: Form<Point>): Point {
  const fileError = (cause?: unknown): EvaluateError =>
    new EvaluateError('ERR_EVALUATE_FILE', `this is not ${what}`, { cause })
  if (text.length > MAX_FILE_CHARACTERS) throw fileError()
  let point: Point
  try {
    point = check(JSON.parse(text))
  } catch (cause) {
    throw fileError(cause)
  }
  if (encode(point) !== text.replaceAll('\r\n', '\n')) throw fileError()
  return point
}

function ordered({ value, low, high, trials, confidence }: Rate): Rate {
  return { value, low, high, trials, confidence }
}

function textOf(file: object): string {
  return `${JSON.stringify(file, undefined, 2)}\n`
}
