/** Errors of sealing (SPEC §8). @module */

import { GuiseError } from '../base/errors.ts'

export type SealErrorCode =
  /** Something sealed does not open: one code and one message for every cause. */
  | 'ERR_SEAL_OPEN'
  /** A caller inside the library passed lengths that the format does not have. */
  | 'ERR_SEAL_INPUT'

/** A seal that does not open. Says nothing of why: the difference would be an oracle. */
export class SealError extends GuiseError {
  readonly code: SealErrorCode

  constructor(code: SealErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

/** The one error of every failed opening. */
export function sealFailure(): SealError {
  return new SealError('ERR_SEAL_OPEN', 'the seal does not open')
}
