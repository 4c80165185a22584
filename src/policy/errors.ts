/** Errors of policy checks (SPEC §12). @module */

import { GuiseError } from '../base/errors.ts'

export type PolicyErrorCode =
  /** The legal basis is missing, incomplete, contradictory or out of range. */
  | 'ERR_POLICY_BASIS'
  /** An operating point is malformed, claims more than was measured, or does not fit. */
  | 'ERR_POLICY_OPERATING_POINT'
  /** The attempt limits are malformed or contradict each other. */
  | 'ERR_POLICY_ATTEMPTS'
  /** The rules of adaptation are malformed, or their operating points not strict enough. */
  | 'ERR_POLICY_ADAPTATION'
  /** The retention policies are malformed or contradict each other. */
  | 'ERR_POLICY_RETENTION'

/** A configuration or request that policy refuses. Never retryable. */
export class PolicyError extends GuiseError {
  readonly code: PolicyErrorCode

  constructor(code: PolicyErrorCode, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options)
    this.code = code
  }
}
