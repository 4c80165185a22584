/** The root of every error this library throws (SPEC §2). @module */

/**
 * Every error thrown on purpose extends this class and carries a stable `code` from a closed list.
 * Messages never contain vectors, scores, secrets or subject identifiers.
 */
export abstract class GuiseError extends Error {
  /** Stable, machine-readable, `ERR_<CHAPTER>_<CONDITION>`. Branch on this, never on the message. */
  abstract readonly code: string

  /** True when the same call may succeed later without being changed. */
  readonly retryable: boolean

  /** @param options `cause`: the error beneath, kept for operators; `retryable`: false unless said. */
  constructor(message: string, options: { readonly cause?: unknown; readonly retryable?: boolean } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.retryable = options.retryable ?? false
  }
}

/**
 * Accepted by every asynchronous call.
 *
 * `actor`: who asks, a pseudonym for the log. `operationId`: makes a retry of a write idempotent.
 */
export type CallOptions = {
  readonly signal?: AbortSignal
  readonly actor?: string
  readonly operationId?: string
}

/**
 * Turns the reason of a failed check into the error of the chapter that asked for the check.
 * `why` is an English clause without a full stop and names no value, only what was expected.
 */
export type Reject = (why: string) => Error
