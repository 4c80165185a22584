/** Suites of the keyed rotation and the sizes that belong to them (SPEC §5). @module */

import { labelBytes } from '../base/bytes.ts'
import { MAX_DIMENSIONS, MIN_DIMENSIONS } from '../embedding/model.ts'
import type { Bits } from '../policy/operating-point.ts'
import { TransformError } from './errors.ts'

/** `B4`: four rounds, for a key that serves one record. `B6`: six rounds, for a key that several records share. */
export type Suite = 'B4' | 'B6'

/** The allowed numbers of stored bits, ascending. */
export const BITS: readonly Bits[] = Object.freeze([64, 128, 256, 512, 1024])

interface SuiteParameters {
  readonly rounds: number
  /** Separates the key streams of the suites. */
  readonly label: Uint8Array
}

/** Without a prototype, so that `toString` or `__proto__` name no suite. */
const SUITES: Readonly<Record<Suite, SuiteParameters>> = Object.freeze(
  Object.assign(Object.create(null) as object, {
    B4: Object.freeze({ rounds: 4, label: labelBytes('guise/v1/B4') }),
    B6: Object.freeze({ rounds: 6, label: labelBytes('guise/v1/B6') }),
  }),
)

/** Accepts the name of a known suite; anything else is `ERR_TRANSFORM_SUITE`. */
export function checkSuite(value: unknown): Suite {
  if (typeof value !== 'string' || !(value in SUITES)) {
    throw new TransformError('ERR_TRANSFORM_SUITE', 'the suite is unknown')
  }
  return value as Suite
}

/** Rounds and label of a suite; an unknown one is `ERR_TRANSFORM_SUITE`. */
export function suiteParameters(suite: Suite): SuiteParameters {
  return SUITES[checkSuite(suite)]
}

/** True for 64, 128, 256, 512 and 1024. */
export function isBits(value: unknown): value is Bits {
  return BITS.some((bits) => bits === value)
}

/** n, the size of the rotation: the next power of two that holds both `dimensions` and `bits`. */
export function rotationSize(dimensions: number, bits: number): number {
  if (!Number.isInteger(dimensions) || dimensions < MIN_DIMENSIONS || dimensions > MAX_DIMENSIONS) {
    throw new TransformError(
      'ERR_TRANSFORM_INPUT',
      `dimensions must be ${MIN_DIMENSIONS} to ${MAX_DIMENSIONS}`,
    )
  }
  if (!isBits(bits)) throw new TransformError('ERR_TRANSFORM_INPUT', `bits must be one of ${BITS.join(', ')}`)
  return 1 << (32 - Math.clz32(Math.max(dimensions, bits) - 1))
}

/** Bytes of key stream that a rotation of size n takes: rounds · (n/2 · log2 n + n) / 8. */
export function rotationBytes(suite: Suite, n: number): number {
  const levels = 31 - Math.clz32(n)
  return suiteParameters(suite).rounds * ((n >> 4) * levels + (n >> 3))
}
