/** Retention: how long a template is kept, by purpose, and when one is due to be erased (SPEC §12.4). @module */

import { checkPurpose } from '../base/identifier.ts'
import { PolicyError } from './errors.ts'
import { readFields, readList } from './fields.ts'
import type { State } from './states.ts'

/** Days of 86,400 seconds, with fractions. What is left out sets no bound. */
export interface RetentionPolicy {
  readonly purpose: string
  /** After the present template was made, by an enrolment or a reissue. */
  readonly afterEnrolmentDays?: number
  /** After the last accepted verify, or after the template was made when there was none. */
  readonly afterMatchDays?: number
  /** After a revocation. */
  readonly afterRevocationDays?: number
  /** After the basis ended. */
  readonly afterExpiryDays?: number
}

/** Why a record is due. */
export type RetentionReason = 'withdrawal' | 'enrolment' | 'match' | 'revocation' | 'expiry'

/** What decides, of one record. Instants in milliseconds. */
export interface Lifespan {
  readonly state: State
  readonly withdrawn: boolean
  readonly expiresMs: number
  readonly changedMs: number
  /** From the log. */
  readonly madeMs: number
  readonly matchedMs: number | undefined
  readonly revokedMs: number | undefined
  readonly withdrawnMs: number | undefined
}

/** When a record is due, and why. */
export interface Due {
  readonly dueMs: number
  readonly reason: RetentionReason
}

const FIELDS = [
  'purpose',
  'afterEnrolmentDays',
  'afterMatchDays',
  'afterRevocationDays',
  'afterExpiryDays',
] as const
const MOST_POLICIES = 64
const MOST_DAYS = 36_525
const DAY_MS = 86_400_000

/** Checked copies by purpose. Throws `ERR_POLICY_RETENTION`. */
export function checkRetention(value: unknown): ReadonlyMap<string, RetentionPolicy> {
  const policies = new Map<string, RetentionPolicy>()
  for (const [index, item] of readList(value, 'policies', MOST_POLICIES, refuse).entries()) {
    const name = `policies[${index}]`
    const { purpose: given, ...bounds } = readFields(item, name, FIELDS, refuse)
    const purpose = checkPurpose(given, refuse)
    if (policies.has(purpose)) throw refuse(`${name} is the second one of its purpose`)
    const days = Object.entries(bounds).filter(([, bound]) => bound !== undefined)
    if (days.length === 0) throw refuse(`${name} sets no bound`)
    for (const [field, bound] of days) checkDays(bound, `${name}.${field}`)
    policies.set(purpose, { purpose, ...Object.fromEntries(days) })
  }
  return policies
}

/** The earliest instant at which the record is to be erased; `undefined` for one that is kept. */
export function dueAt(policy: RetentionPolicy | undefined, life: Lifespan): Due | undefined {
  // A legal hold blocks erasure; of an erased record nothing is left.
  if (life.state === 'held' || life.state === 'erased') return undefined
  const found: Due[] = []
  const add = (reason: RetentionReason, fromMs: number | undefined, days: number | undefined): void => {
    if (fromMs !== undefined && days !== undefined)
      found.push({ reason, dueMs: fromMs + Math.round(days * DAY_MS) })
  }
  if (life.withdrawn) add('withdrawal', life.withdrawnMs ?? life.revokedMs ?? life.changedMs, 0)
  add('enrolment', life.madeMs, policy?.afterEnrolmentDays)
  add('match', life.matchedMs ?? life.madeMs, policy?.afterMatchDays)
  add('expiry', life.expiresMs, policy?.afterExpiryDays)
  if (life.state === 'revoked')
    add('revocation', life.revokedMs ?? life.changedMs, policy?.afterRevocationDays)
  return found.reduce<Due | undefined>(
    (first, one) => (first === undefined || one.dueMs < first.dueMs ? one : first),
    undefined,
  )
}

function checkDays(value: unknown, name: string): void {
  if (typeof value !== 'number' || !(value >= 0 && value <= MOST_DAYS))
    throw refuse(`${name} must be a number of days from 0 to ${MOST_DAYS}`)
}

function refuse(why: string): PolicyError {
  return new PolicyError('ERR_POLICY_RETENTION', why)
}
