/** For callers who prefer exceptions to outcomes. @module */

import { VaultError } from './errors.ts'
import type { VerifyDecision } from './types.ts'

/** The decision, when it is a match; throws `ERR_VAULT_NOT_MATCHED` otherwise. Mind `exposed` all the same. */
export function expectMatch<Decision extends VerifyDecision>(
  decision: Decision,
): Extract<Decision, { outcome: 'match' }> {
  if (decision.outcome === 'match') return decision as Extract<Decision, { outcome: 'match' }>
  throw new VaultError('ERR_VAULT_NOT_MATCHED', 'the probe did not match')
}
