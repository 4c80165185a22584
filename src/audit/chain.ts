/** A writer's chain: entries numbered and linked, so that none can go missing between two (SPEC §14.2). @module */

import { checkBytes, checkFunction, checkObject } from '../base/check.ts'
import { type Clock, systemClock } from '../base/clock.ts'
import { checkRealm } from '../base/identifier.ts'
import { randomBytes } from '../crypto/random.ts'
import { type AuditEntry, decodeEntry, encodeEntry } from './entry.ts'
import { rejectInput } from './errors.ts'
import { HASH_BYTES, hashLeaf } from './tree.ts'

type Place = 'realm' | 'writer' | 'sequence' | 'previous' | 'timeMs'

/** What happened; what it leaves out is not said. */
export type AuditEvent = Pick<AuditEntry, 'action' | 'outcome'> &
  Partial<Omit<AuditEntry, Place | 'action' | 'outcome'>>

/** Turns events into entries of one writer. */
export interface WriterChain {
  /** 16 bytes, a copy. */
  readonly writer: Uint8Array
  /** How many entries there are. */
  readonly length: number
  /** The bytes of the next entry. One that was taken must be logged, or the chain has a gap. Throws `ERR_AUDIT_INPUT`. */
  next(event: AuditEvent): Uint8Array
}

export interface WriterChainOptions {
  /** The last entry of the chain to go on with; without it a new writer begins. */
  readonly after?: Uint8Array
  /** Where time comes from; default: the machine. */
  readonly clock?: Pick<Clock, 'nowMs'>
}

/** Begins a chain under a random name, or goes on with one after its last entry. Throws `ERR_AUDIT_INPUT` or `ERR_AUDIT_FORMAT`. */
export function writerChain(realm: string, options: WriterChainOptions = {}): WriterChain {
  const checked = checkRealm(realm, rejectInput)
  const { after, clock = systemClock } = options
  checkFunction(clock.nowMs, 'nowMs', rejectInput)
  const last =
    after === undefined ? undefined : decodeEntry(checkBytes(after, 'after', [1, 1024], rejectInput))
  if (last !== undefined && last.realm !== checked) throw rejectInput('the chain is of another realm')
  const writer = last?.writer ?? randomBytes(16)
  let sequence = last === undefined ? 0 : last.sequence + 1
  let previous: Uint8Array = after === undefined ? new Uint8Array(HASH_BYTES) : hashLeaf(after)
  return {
    get writer() {
      return Uint8Array.from(writer)
    },
    get length() {
      return sequence
    },
    next: (event) => {
      const { action, outcome } = checkObject(event, 'event', rejectInput) as unknown as AuditEvent
      const { actor = null, handle = null, record = null, generation = null } = event
      const { epoch = null, policy = null, basis = null, state = null, attempts = null, ring = null } = event
      const timeMs = clock.nowMs()
      const place = { realm: checked, writer, sequence, previous, timeMs }
      const said = { actor, action, handle, record, generation, outcome, epoch, policy, basis }
      const rows = { state, attempts, ring }
      const bytes = encodeEntry({ ...place, ...said, ...rows })
      previous = hashLeaf(bytes)
      sequence += 1
      return bytes
    },
  }
}
