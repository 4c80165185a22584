/** Errors of the audit log (SPEC §14). @module */

import { GuiseError } from '../base/errors.ts'

export type AuditErrorCode =
  /** An argument has the wrong type, length, range or meaning. */
  | 'ERR_AUDIT_INPUT'
  /** Bytes or text that are not an entry, a note, a checkpoint, a key or an export. */
  | 'ERR_AUDIT_FORMAT'
  /** A note that the expected key did not sign, or whose signature does not fit. */
  | 'ERR_AUDIT_KEY'
  /** An inclusion or consistency proof that does not hold. */
  | 'ERR_AUDIT_PROOF'
  /** An entry is not the one that was logged. */
  | 'ERR_AUDIT_EDIT'
  /** An entry of a writer is missing. */
  | 'ERR_AUDIT_DELETION'
  /** An entry of a writer stands before an earlier one. */
  | 'ERR_AUDIT_REORDER'
  /** A place in a writer's chain occurs twice. */
  | 'ERR_AUDIT_DUPLICATION'
  /** There is an entry that the checkpoint does not count, or a second one for a place that is taken. */
  | 'ERR_AUDIT_INSERTION'
  /** The log is shorter than its checkpoint, an older checkpoint or the anchor says. */
  | 'ERR_AUDIT_TRUNCATION'
  /** Two histories: a signed or anchored checkpoint is not one of this log. */
  | 'ERR_AUDIT_FORK'
  /** More writers than the caller allows. */
  | 'ERR_AUDIT_LIMIT'
  /** A checkpoint, a row or a whole store is older than what the anchor or the log knows. */
  | 'ERR_AUDIT_ROLLBACK'
  /** Done and durable, but not integrated, signed or anchored yet. A retry with the same operation id waits for that again. */
  | 'ERR_AUDIT_PENDING'
  /** The anchor cannot be read, locked, written or reached, or answers against its protocol. */
  | 'ERR_AUDIT_ANCHOR'

/** What is wrong with a log, or with what was asked of it. */
export class AuditError extends GuiseError {
  readonly code: AuditErrorCode
  /** The entry at which a fault shows, from 0; `undefined` when no single entry shows it. */
  readonly index: number | undefined

  constructor(
    code: AuditErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly retryable?: boolean; readonly index?: number } = {},
  ) {
    super(message, options)
    this.code = code
    this.index = options.index
  }
}

/** Makes the error of a failed argument check. */
export function rejectInput(why: string): AuditError {
  return new AuditError('ERR_AUDIT_INPUT', why)
}

/** Makes the error of malformed bytes or text. */
export function malformed(why: string): AuditError {
  return new AuditError('ERR_AUDIT_FORMAT', why)
}

/** Makes the error of a note that the expected key did not sign. */
export function otherKey(why: string): AuditError {
  return new AuditError('ERR_AUDIT_KEY', why)
}
