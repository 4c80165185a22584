/** Attempt limits: what a counter allows now, and what an answer does to it (SPEC §12.3). @module */

import { equalBytes } from '../base/bytes.ts'
import { checkInteger } from '../base/check.ts'
import { PolicyError } from './errors.ts'
import { readFields } from './fields.ts'

/** Limits of comparisons; the defaults are those of SP 800-63B-4 §3.2.3. */
export interface AttemptPolicy {
  /** Failures in a row before a delay is enforced, 1 to 100. Default 5. */
  readonly consecutive: number
  /** Least time after a failure once `consecutive` is reached, in milliseconds. Default 30,000. */
  readonly delayMs: number
  /** Failures in a row after which nothing is compared until `rebind`. Default 50. */
  readonly total: number
  /** `consecutive` of a run of live attempts alone: captures whose liveness claim was accepted. Default 10. */
  readonly liveConsecutive: number
  /** `total` of such a run. Default 100. */
  readonly liveTotal: number
  /**
   * Failures of one template generation, never reset, after which only `reissue` helps. Default 500. It is also what bounds a walk from an
   * accepted capture towards the enrolled face (SPEC §17.4).
   */
  readonly generation: number
  /** Failures of the whole realm within one hour, over all processes. Default 10,000. */
  readonly realmPerHour: number
}

/** What is counted for one scope. */
export interface AttemptCount {
  /** Failures since the last match or rebind. */
  readonly run: number
  /** True when every attempt of the run was live; absent or false for a run without failures. */
  readonly live?: boolean
  /** Failures of this generation. */
  readonly failures: number
  /** Wall-clock instant of the last failure, 0 for none. */
  readonly lastMs: number
  /** The steady clock of the last failure: its 16-byte name and its reading. */
  readonly origin: Uint8Array
  readonly steadyMs: number
}

/** The fields of a count that say when a wait began. */
export type WaitStart = Pick<AttemptCount, 'lastMs' | 'origin' | 'steadyMs'>

/** An instant on both clocks. */
export interface Instant {
  readonly nowMs: number
  readonly origin: Uint8Array
  readonly steadyMs: number
}

export type Gate =
  | { readonly gate: 'open' }
  /** `since`: when the wait began, on clocks that go on: to be written, so that the wait ends whatever the wall clock does. */
  | { readonly gate: 'throttled'; readonly waitMs: number; readonly since: WaitStart | undefined }
  | { readonly gate: 'locked' }

const DEFAULT_ATTEMPTS: AttemptPolicy = Object.freeze({
  consecutive: 5,
  delayMs: 30_000,
  total: 50,
  liveConsecutive: 10,
  liveTotal: 100,
  generation: 500,
  realmPerHour: 10_000,
})

const NAMES = [
  'consecutive',
  'delayMs',
  'total',
  'liveConsecutive',
  'liveTotal',
  'generation',
  'realmPerHour',
] as const

/** A checked copy; absent fields take the default. Throws `ERR_POLICY_ATTEMPTS`. */
export function checkAttemptPolicy(value: Partial<AttemptPolicy> | undefined): AttemptPolicy {
  const given = readFields(value === undefined ? {} : value, 'attempts', NAMES, refuse)
  const field = (name: keyof AttemptPolicy, range: readonly [number, number]): number =>
    given[name] === undefined
      ? DEFAULT_ATTEMPTS[name]
      : checkInteger(given[name], `attempts.${name}`, range, refuse)
  // Whoever allows more without a claim, or leaves it at that, allows as much with one.
  const liveField = (name: keyof AttemptPolicy, weak: number, range: readonly [number, number]): number =>
    given[name] === undefined ? Math.max(weak, DEFAULT_ATTEMPTS[name]) : field(name, range)
  const consecutive = field('consecutive', [1, 100])
  const total = field('total', [1, 1000])
  const policy: AttemptPolicy = Object.freeze({
    consecutive,
    delayMs: field('delayMs', [1000, 86_400_000]),
    total,
    liveConsecutive: liveField('liveConsecutive', consecutive, [1, 200]),
    liveTotal: liveField('liveTotal', total, [1, 2000]),
    generation: field('generation', [1, 100_000]),
    realmPerHour: field('realmPerHour', [1, 1_000_000_000]),
  })
  if (policy.total < policy.consecutive) throw refuse('attempts.total must not be below attempts.consecutive')
  if (policy.liveConsecutive < consecutive || policy.liveTotal < total)
    throw refuse('the limits of live attempts must not be below those of others')
  if (policy.liveTotal < policy.liveConsecutive)
    throw refuse('attempts.liveTotal must not be below attempts.liveConsecutive')
  if (policy.generation < policy.total) throw refuse('attempts.generation must not be below attempts.total')
  return policy
}

/** What the count allows now (SPEC §12.3). `live`: the attempt that is about to be made. */
export function attemptGate(count: AttemptCount, policy: AttemptPolicy, now: Instant, live: boolean): Gate {
  const { consecutive, total } = limitsOf(count, policy, live)
  if (count.failures >= policy.generation || count.run >= total) return { gate: 'locked' }
  if (count.run < consecutive) return { gate: 'open' }
  const { nowMs, origin, steadyMs } = now
  const same = equalBytes(count.origin, origin)
  const elapsedMs = same ? steadyMs - count.steadyMs : nowMs - count.lastMs
  if (elapsedMs >= policy.delayMs) return { gate: 'open' }
  if (elapsedMs < 0) {
    return { gate: 'throttled', waitMs: policy.delayMs, since: { lastMs: nowMs, origin, steadyMs } }
  }
  const waitMs = policy.delayMs - elapsedMs
  if (same) return { gate: 'throttled', waitMs, since: undefined }
  // A machine that has just started has not run for as long as the wait has lasted: then it waits longer.
  const since = { lastMs: count.lastMs, origin, steadyMs: Math.max(0, steadyMs - elapsedMs) }
  return { gate: 'throttled', waitMs, since }
}

/** The weakest attempt limits a run (VAULT-63). */
function limitsOf(
  { run, live: soFar = false }: AttemptCount,
  policy: AttemptPolicy,
  live: boolean,
): { readonly consecutive: number; readonly total: number } {
  if (!live || (run > 0 && !soFar)) return policy
  return { consecutive: policy.liveConsecutive, total: policy.liveTotal }
}

/** The count after an answer to a live attempt, or to a weak one. */
export function countAnswer(
  count: AttemptCount,
  matched: boolean,
  now: Instant,
  live: boolean,
): AttemptCount {
  if (matched) return { ...count, run: 0, live: false }
  return {
    run: count.run + 1,
    live: live && (count.run === 0 || count.live === true),
    failures: count.failures + 1,
    lastMs: now.nowMs,
    origin: now.origin,
    steadyMs: now.steadyMs,
  }
}

function refuse(why: string): PolicyError {
  return new PolicyError('ERR_POLICY_ATTEMPTS', why)
}
