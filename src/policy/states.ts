/** The life of a record: states, verbs and the table of transitions (SPEC §11.1). @module */

import type { StoredBasis } from './basis.ts'

/** In the order of their codes in the state row. */
export const STATES = ['pending', 'active', 'suspended', 'held', 'revoked', 'expired', 'erased'] as const

/** `expired` is computed from the basis and never stored. */
export type State = (typeof STATES)[number]

export type TransitionVerb =
  | 'activate'
  | 'suspend'
  | 'resume'
  | 'hold'
  | 'release'
  | 'revoke'
  | 'reissue'
  | 'erase'

const TABLE: Readonly<Record<State, Readonly<Partial<Record<TransitionVerb, State>>>>> = {
  pending: { activate: 'active', hold: 'held', revoke: 'revoked', erase: 'erased' },
  active: { suspend: 'suspended', hold: 'held', revoke: 'revoked', reissue: 'active', erase: 'erased' },
  suspended: { resume: 'active', hold: 'held', revoke: 'revoked', erase: 'erased' },
  held: { release: 'suspended' },
  revoked: { reissue: 'active', erase: 'erased' },
  expired: { hold: 'held', revoke: 'revoked', reissue: 'active', erase: 'erased' },
  erased: {},
}

/** Where a verb leads from a state; `undefined` when it is illegal there. */
export function transition(from: State, verb: TransitionVerb): State | undefined {
  return TABLE[from][verb]
}

/** The state at an instant: a pending, active or suspended record is expired once its basis is. */
export function effectiveState(stored: State, basis: StoredBasis | null, nowMs: number): State {
  const expires = stored === 'pending' || stored === 'active' || stored === 'suspended'
  return expires && basis !== null && nowMs >= basis.expiresMs ? 'expired' : stored
}
