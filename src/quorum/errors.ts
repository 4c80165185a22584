/** Errors of the quorum (SPEC §13). @module */

import { GuiseError } from '../base/errors.ts'

export type QuorumErrorCode =
  /** An argument has the wrong type, length, range or meaning. */
  | 'ERR_QUORUM_INPUT'
  /** Bytes that are not a key, a share, an opening, a package or a message. */
  | 'ERR_QUORUM_FORMAT'
  /** An opening or a package that does not hold; `index` names its sender. */
  | 'ERR_QUORUM_ROUND'
  /** The holder has no share of this epoch, or retired it. */
  | 'ERR_QUORUM_EPOCH'
  /** A request, or a share, that is older than what is served now. */
  | 'ERR_QUORUM_STALE'
  /** The log does not show this very request. */
  | 'ERR_QUORUM_RECEIPT'
  /** The consistency proof starts elsewhere than at what the holder has seen. */
  | 'ERR_QUORUM_SEEN'
  /** The log entry was answered before, or one behind it. */
  | 'ERR_QUORUM_REPLAY'
  /** The generation is revoked, for good. */
  | 'ERR_QUORUM_REVOKED'
  /** Too many answers in an hour, or in the life of a generation. */
  | 'ERR_QUORUM_BUDGET'
  /** Fewer holders than needed gave a valid answer in time; or a holder cannot write, or is closed. */
  | 'ERR_QUORUM_UNAVAILABLE'
  /** A holder's store is not what the holder left, or older than its anchor. */
  | 'ERR_QUORUM_ROLLBACK'

/** What a holder did wrong, or did not do. */
export interface QuorumFault {
  readonly index: number
  /** `lied`: an answer or an acknowledgement that does not verify. `silent`: none. `refused`: it said no, by `code`. */
  readonly fault: 'lied' | 'silent' | 'refused'
  readonly code: QuorumErrorCode | undefined
}

/** What is wrong with a quorum, or with what was asked of it. */
export class QuorumError extends GuiseError {
  readonly code: QuorumErrorCode
  /** The holder whose fault it is; `undefined` when it is no single one's. */
  readonly index: number | undefined
  /** What each holder did that gave no valid answer. */
  readonly faults: readonly QuorumFault[]

  constructor(
    code: QuorumErrorCode,
    message: string,
    options: {
      readonly cause?: unknown
      readonly retryable?: boolean
      readonly index?: number
      readonly faults?: readonly QuorumFault[]
    } = {},
  ) {
    super(message, options)
    this.code = code
    this.index = options.index
    this.faults = options.faults ?? []
  }
}

/** Makes the error of a failed argument check. */
export function rejectInput(why: string): QuorumError {
  return new QuorumError('ERR_QUORUM_INPUT', why)
}

/** Makes the error of malformed bytes. */
export function malformed(why: string): QuorumError {
  return new QuorumError('ERR_QUORUM_FORMAT', why)
}

/** Makes the error of an opening or a package that does not hold. */
export function blame(index: number, why = 'what this holder sent does not hold'): QuorumError {
  return new QuorumError('ERR_QUORUM_ROUND', why, { index })
}
