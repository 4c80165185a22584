/** Checks what many processes saw of revocations: a generation that is gone stays gone (SPEC §11.2, VAULT-6). @module */

import { checkInteger, checkObject, checkOneOf } from '../base/check.ts'
import { rejectInput, StoreError } from './errors.ts'

/**
 * One call, as the process that made it saw it. Times are of one clock for all processes, such as the monotonic one of their machine;
 * any unit.
 */
export interface RevocationEvent {
  /** Who made the call; only repeated in reports. */
  readonly process: string
  /** Whose template; left out when the history is of one subject. */
  readonly subject?: string
  readonly operation: 'verify' | 'revoke' | 'reissue'
  /**
   * For `revoke` the generation that was revoked, for `reissue` the new one, for `verify` the one that matched or was seen as revoked.
   * Generations count upwards; 0 where a verify saw none.
   */
  readonly generation: number
  /** Before the call was made. */
  readonly start: number
  /** After it returned. */
  readonly end: number
  /**
   * `match`, `nonmatch` and `revoked` are answers of a verify, `done` of the others. `unknown`: an error, or no answer; such a call is
   * evidence of nothing.
   */
  readonly outcome: 'done' | 'match' | 'nonmatch' | 'revoked' | 'unknown'
}

/** A match that came too late. */
export interface RevocationViolation {
  /**
   * What had been known before the verify began: a revoke had returned, another verify had seen it revoked, a reissue had returned, or
   * another verify had matched a later generation.
   */
  readonly rule: 'revoked' | 'seen-revoked' | 'reissued' | 'seen-reissued'
  readonly verify: RevocationEvent
  /** The event from which it was known; of several one of the highest generation. */
  readonly evidence: RevocationEvent
  /** From the end of the evidence to the start of the verify. */
  readonly late: number
}

/** What was looked at, and what was wrong with it. */
export interface RevocationReport {
  readonly events: number
  readonly verifies: number
  readonly matches: number
  /** Events from which something is known. */
  readonly evidence: number
  readonly violations: readonly RevocationViolation[]
}

/**
 * Holds a history of any number of processes against linearizable revocation: after a revoke or a reissue has returned anywhere, or
 * after any process has seen its effect, no verify that begins later matches the former generation anywhere. Calls that overlap may come
 * in either order. Takes O(n log n). Whoever writes a store can run several processes on it and check what they saw; a history without
 * violations says nothing of what nobody looked for, so plant a stale cache once and see it found.
 *
 * @example
 * ```ts
 * const { violations } = checkRevocationHistory([
 *   { process: 'a', operation: 'revoke', generation: 1, start: 0, end: 5, outcome: 'done' },
 *   { process: 'b', operation: 'verify', generation: 1, start: 6, end: 9, outcome: 'match' },
 * ])
 * violations[0]?.rule // 'revoked'
 * ```
 *
 * @throws {StoreError} `ERR_STORE_INPUT` for what is not such an event.
 */
export function checkRevocationHistory(history: readonly RevocationEvent[]): RevocationReport {
  if (!isList(history)) throw rejectInput('history must be an array of events')
  const subjects = new Map<string, RevocationEvent[]>()
  for (const event of history) {
    const { subject = '' } = checkEvent(event)
    const own = subjects.get(subject)
    if (own === undefined) subjects.set(subject, [event])
    else own.push(event)
  }
  const verifies = history.filter(({ operation }) => operation === 'verify')
  return {
    events: history.length,
    verifies: verifies.length,
    matches: verifies.filter(({ outcome }) => outcome === 'match').length,
    evidence: history.filter((event) => evidenceOf(event) !== undefined).length,
    violations: [...subjects.values()].flatMap(sweep),
  }
}

/** Goes through the matches by their beginning, with the evidence that had ended by then. */
function sweep(events: readonly RevocationEvent[]): RevocationViolation[] {
  const known = events.flatMap((event) => evidenceOf(event) ?? []).sort((a, b) => a.event.end - b.event.end)
  const matches = events
    .filter(({ operation, outcome }) => operation === 'verify' && outcome === 'match')
    .sort((a, b) => a.start - b.start)
  const violations: RevocationViolation[] = []
  let highest: Evidence | undefined
  let next = 0
  for (const verify of matches) {
    for (let item = known[next]; item !== undefined && item.event.end < verify.start; item = known[++next]) {
      if (highest === undefined || item.gone > highest.gone) highest = item
    }
    if (highest === undefined || highest.gone < verify.generation) continue
    const { rule, event } = highest
    violations.push({ rule, verify, evidence: event, late: verify.start - event.end })
  }
  return violations
}

/** From its end on, no generation up to `gone` may match. */
interface Evidence {
  readonly rule: RevocationViolation['rule']
  readonly gone: number
  readonly event: RevocationEvent
}

function evidenceOf(event: RevocationEvent): Evidence | undefined {
  const { operation, outcome, generation } = event
  if (operation === 'revoke' && outcome === 'done') return { rule: 'revoked', gone: generation, event }
  if (operation === 'reissue' && outcome === 'done') return { rule: 'reissued', gone: generation - 1, event }
  if (operation !== 'verify') return undefined
  if (outcome === 'revoked') return { rule: 'seen-revoked', gone: generation, event }
  if (outcome === 'match') return { rule: 'seen-reissued', gone: generation - 1, event }
  return undefined
}

/** `Array.isArray`, which would forget of what the list is. */
function isList(history: readonly RevocationEvent[]): boolean {
  return Array.isArray(history)
}

const ANSWERS = {
  verify: ['match', 'nonmatch', 'revoked', 'unknown'],
  revoke: ['done', 'unknown'],
  reissue: ['done', 'unknown'],
} as const
const OPERATIONS = ['verify', 'revoke', 'reissue'] as const

function checkEvent(event: RevocationEvent): RevocationEvent {
  checkObject(event, 'event', rejectInput)
  const operation = checkOneOf(event.operation, 'operation', OPERATIONS, rejectInput)
  checkOneOf(event.outcome, 'outcome', ANSWERS[operation], rejectInput)
  checkInteger(event.generation, 'generation', [0, Number.MAX_SAFE_INTEGER], rejectInput)
  if (!Number.isFinite(event.start) || !Number.isFinite(event.end) || event.end < event.start) {
    throw new StoreError('ERR_STORE_INPUT', 'an event must begin, and end no earlier')
  }
  return event
}
