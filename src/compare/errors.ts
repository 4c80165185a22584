/** Errors of comparison (SPEC §7). @module */

import { GuiseError } from '../base/errors.ts'

/**
 * - `ERR_COMPARE_LENGTH`: code and probe do not have the same number of bits
 * - `ERR_COMPARE_THRESHOLD`: the threshold is not an integer from 1 to 10000
 */
export type CompareErrorCode = 'ERR_COMPARE_LENGTH' | 'ERR_COMPARE_THRESHOLD'

/** A comparison that cannot be made. Never retryable; says nothing of code, probe or score. */
export class CompareError extends GuiseError {
  readonly code: CompareErrorCode

  constructor(code: CompareErrorCode, message: string) {
    super(message)
    this.code = code
  }
}
