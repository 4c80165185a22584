/** Errors of the keyed rotation (SPEC §5). @module */

import { GuiseError } from '../base/errors.ts'

/**
 * - `ERR_TRANSFORM_SUITE`: the suite is not one that this version knows
 * - `ERR_TRANSFORM_INPUT`: dimensions, bits, key or key stream do not have the length that the suite asks for
 */
export type TransformErrorCode = 'ERR_TRANSFORM_SUITE' | 'ERR_TRANSFORM_INPUT'

/** A transform that is unknown or was asked for with sizes it does not have. Never retryable. */
export class TransformError extends GuiseError {
  readonly code: TransformErrorCode

  constructor(code: TransformErrorCode, message: string) {
    super(message)
    this.code = code
  }
}
