/** Files of operating points and of identification points (SPEC §12.2, §16.6). @module */

import { checkOperatingPoint, type OperatingPoint } from '../policy/operating-point.ts'
import { EvaluateError } from './errors.ts'

const FORMAT = 'guise-operating-point/1'
const MAX_FILE_CHARACTERS = 16_384

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
