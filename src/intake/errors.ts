/** Errors of bringing existing embeddings in. @module */

import { GuiseError } from '../base/errors.ts'

export type IntakeErrorCode =
  /** An option of an import is malformed, or does not fit the others. */
  | 'ERR_INTAKE_INPUT'
  /** A checkpoint belongs to another import, or is not one. */
  | 'ERR_INTAKE_CHECKPOINT'
  /** A file with the legal bases of subjects is malformed. */
  | 'ERR_INTAKE_BASIS'

/** An import that cannot begin. Never retryable. */
export class IntakeError extends GuiseError {
  readonly code: IntakeErrorCode

  constructor(code: IntakeErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

/** For the checks of options. */
export function rejectIntake(why: string): IntakeError {
  return new IntakeError('ERR_INTAKE_INPUT', why)
}
