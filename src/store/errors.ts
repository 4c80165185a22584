/** Errors of the store (SPEC §10). @module */

import { GuiseError } from '../base/errors.ts'

/**
 * - `ERR_STORE_INPUT`: a table, key, row, step or option outside the bounds; nothing happened.
 * - `ERR_STORE_CONFLICT`: an expectation of a commit does not hold; nothing was written. Read again, decide again.
 * - `ERR_STORE_INDETERMINATE`: the flush failed, or the answer of a server was lost; the commit is there whole or not at
 *   all, and only a later look can tell which. Retry with the same `operationId`.
 * - `ERR_STORE_BUSY`: someone else holds the store (a lock for too long, all reader slots or connections, or this
 *   process has it open already), or no server answered; nothing happened.
 * - `ERR_STORE_FULL`: no room on the volume; nothing was written.
 * - `ERR_STORE_READONLY`: the volume or the directory cannot be written, the server is a standby, or a role may not.
 * - `ERR_STORE_FAILED`: an earlier flush failed, so nothing is answered until the store is opened again; or a server
 *   refused a statement for a reason that no other code names, and nothing was written.
 * - `ERR_STORE_CLOSED`: used after `close`.
 * - `ERR_STORE_UNSUPPORTED`: a file system or server on which locks or flushes do not hold, files of another format,
 *   or a schema of another version.
 * - `ERR_STORE_CONFORMANCE`: a check of the conformance suite found what the message says.
 */
export type StoreErrorCode =
  | 'ERR_STORE_INPUT'
  | 'ERR_STORE_CONFLICT'
  | 'ERR_STORE_INDETERMINATE'
  | 'ERR_STORE_BUSY'
  | 'ERR_STORE_FULL'
  | 'ERR_STORE_READONLY'
  | 'ERR_STORE_FAILED'
  | 'ERR_STORE_CLOSED'
  | 'ERR_STORE_UNSUPPORTED'
  | 'ERR_STORE_CONFORMANCE'

/** Thrown by every store. `retryable` follows from the code: conflict, indeterminate and busy are. */
export class StoreError extends GuiseError {
  readonly code: StoreErrorCode

  constructor(code: StoreErrorCode, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, { ...options, retryable: RETRYABLE.has(code) })
    this.code = code
  }
}

/** For the argument checks of base: every refused argument is `ERR_STORE_INPUT`. */
export function rejectInput(why: string): StoreError {
  return new StoreError('ERR_STORE_INPUT', why)
}

const RETRYABLE: ReadonlySet<StoreErrorCode> = new Set([
  'ERR_STORE_CONFLICT',
  'ERR_STORE_INDETERMINATE',
  'ERR_STORE_BUSY',
])
