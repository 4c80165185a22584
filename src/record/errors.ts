/** Errors of reading rows (SPEC §9). @module */

import { GuiseError } from '../base/errors.ts'

export type RecordErrorCode =
  /** Not the deterministic encoding of a row: length, type or arity. */
  | 'ERR_RECORD_FORMAT'
  /** A format, kind, suite or profile that this version does not know. */
  | 'ERR_RECORD_VERSION'
  /** The row's authentication tag does not fit: it was altered, or belongs to another key. */
  | 'ERR_RECORD_MAC'
  /** A genuine row in the wrong place: another realm, subject, record, generation or configuration. */
  | 'ERR_RECORD_BINDING'
  /** A row that must exist does not. */
  | 'ERR_RECORD_MISSING'

/** A stored row that must not be used. Never retryable: the store holds something it should not. */
export class RecordError extends GuiseError {
  readonly code: RecordErrorCode

  constructor(code: RecordErrorCode, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options)
    this.code = code
  }
}

/** Makes the error of malformed bytes. */
export function malformed(why: string): RecordError {
  return new RecordError('ERR_RECORD_FORMAT', `malformed row: ${why}`)
}

/** Makes the error of a genuine row in the wrong place. */
export function misplaced(why: string): RecordError {
  return new RecordError('ERR_RECORD_BINDING', `misplaced row: ${why}`)
}
