/** A change of a ring with its entry in the log, done or refused (SPEC §4.4, §14.2). @module */

import type { CallOptions } from '../base/errors.ts'
import { KeysError } from './errors.ts'
import type { Ring } from './ring.ts'
import type { KeyEvent, Proposal, RingState } from './ring-state.ts'

/** What a ring answers to a change that its table does not allow. */
const REFUSED: ReadonlySet<string> = new Set([
  'ERR_KEYS_TRANSITION',
  'ERR_KEYS_UNKNOWN_EPOCH',
  'ERR_KEYS_RETIRED',
  'ERR_KEYS_FULL',
])

/** Changes the ring only as it lay in the store at this version of its row: what was found out under it says nothing of another one. */
export const onlyAt: unique symbol = Symbol('only at')

/** A call that may name the ring that it is about; another ring it leaves as it is. */
export interface RingCall extends CallOptions {
  readonly [onlyAt]?: string
}

/** Changes the ring and logs it; a change that the ring refuses is logged too. `step` as in `RingState.change`. */
export async function changeRing(
  state: RingState,
  event: KeyEvent,
  options: RingCall,
  step: (ring: Ring) => Promise<(Omit<Proposal, 'event'> & { readonly event?: KeyEvent }) | undefined>,
): Promise<void> {
  try {
    await state.change(async (ring) => {
      // Of the same row that the change is compared with when it is written.
      if (options[onlyAt] !== undefined && state.row().version !== options[onlyAt]) return undefined
      const made = await step(ring)
      return made && { event, ...made }
    }, options)
  } catch (error) {
    if (error instanceof KeysError && REFUSED.has(error.code)) await state.logRefused(event, options)
    throw error
  }
}
