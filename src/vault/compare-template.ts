/** One template against one probe, and whether the template may match at all (SPEC §11.2). @module */

import { score } from '../compare/score.ts'
import type { Instant } from '../policy/attempts.ts'
import { basisCovers } from '../policy/basis.ts'
import { effectiveState } from '../policy/states.ts'
import type { ReferenceRow } from '../record/reference-row.ts'
import { REASON_WITHDRAWN, type StateRow } from '../record/state-row.ts'
import { openCode } from '../seal/code.ts'
import { encodeProbe } from '../template/template.ts'
import type { VaultContext } from './context.ts'
import type { RefusalReason } from './types.ts'
import { type Presented, type StoredSecret, type TemplateName, withRecordSecret } from './wrap.ts'

/** Both rows of a template, read and checked, and what opens it. */
export interface TemplateParts {
  readonly name: TemplateName
  readonly reference: ReferenceRow
  readonly secret: StoredSecret
  readonly presented: Presented
}

/** Opens, compares and lends the score to `use`, without a pause; everything is wiped on the way out. */
export function withScore<Result>(
  ctx: VaultContext,
  integers: Int32Array,
  parts: TemplateParts,
  use: (sum: number, energy: number) => Result,
): Result {
  const { profile, suite } = ctx.settings
  return withRecordSecret(ctx, parts.name, parts.secret.row, parts.presented, (recordSecret) =>
    openCode(recordSecret, parts.reference.header, parts.reference, profile.bits / 8, (code, rotationKey) => {
      const probe = encodeProbe(integers, suite, profile.bits, rotationKey)
      try {
        const { sum, energy } = score(code, probe)
        return use(sum, energy)
      } finally {
        probe.wipe()
      }
    }),
  )
}

/** Why the record cannot match now; `undefined` when it can. */
export function unfitState(state: StateRow, now: Instant): RefusalReason | undefined {
  const effective = effectiveState(state.state, state.basis, now.nowMs)
  if (effective === 'active') {
    // Whoever withdrew under a hold: no other machine's clock decides whether that was long ago.
    if (state.reason === REASON_WITHDRAWN) return 'expired'
    return state.basis !== null && basisCovers(state.basis, now.nowMs) ? undefined : 'pending'
  }
  return effective === 'erased' ? 'unknown-subject' : effective
}
