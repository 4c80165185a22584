/** Errors of evaluation and calibration (SPEC §12.2). @module */

import { GuiseError } from '../base/errors.ts'

export type EvaluateErrorCode =
  /** An argument is malformed or out of range. */
  | 'ERR_EVALUATE_INPUT'
  /** There are too few people, pairs or comparisons for what is asked. */
  | 'ERR_EVALUATE_TOO_FEW'
  /** No threshold keeps the rate that is asked for. */
  | 'ERR_EVALUATE_UNREACHABLE'
  /** The text is not an operating-point file. */
  | 'ERR_EVALUATE_FILE'

/** A measurement that cannot be made, or a file that does not hold one. Never retryable. */
export class EvaluateError extends GuiseError {
  readonly code: EvaluateErrorCode

  constructor(code: EvaluateErrorCode, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options)
    this.code = code
  }
}

export function inputError(message: string): EvaluateError {
  return new EvaluateError('ERR_EVALUATE_INPUT', message)
}
