/** What a purpose demands of a capture (SPEC §20.5, §20.7). @module */

import { checkBoolean, checkInteger, checkText } from '../base/check.ts'
import { checkPurpose } from '../base/identifier.ts'
import { readFields, readList } from '../policy/fields.ts'
import { rejectPolicy as reject } from './errors.ts'
import { type CaptureConditions, type LivenessClaim, MAX_SHORT_BYTES, type Statement } from './statement.ts'

/** A liveness claim that is enough. What is left out may be anything. */
export interface AcceptedLiveness {
  readonly issuer: string
  readonly standard: string
  readonly level?: string
  readonly method?: string
}

/** What captures for one purpose must be. Nothing about liveness is assumed: a policy says what it accepts, or that it needs none. */
export interface CapturePolicy {
  readonly purpose: string
  readonly liveness: readonly AcceptedLiveness[] | 'not-needed'
  /** How old a capture may be, 1,000 to 60,000. Default 60,000. */
  readonly maxAgeMs?: number
  /** How far a device's clock may be off, 0 to 60,000. Default 5,000. */
  readonly clockSkewMs?: number
  /** Whether the person must have asked for the capture. Default true. */
  readonly intent?: boolean
  /** 0 to 100. Default 0. */
  readonly leastQuality?: number
  /** Names of platform claims that the realm's hook must have verified. Default none. */
  readonly claims?: readonly string[]
  /** Which of the vault's operating points captures are compared at. Masked ones are refused without a class. Default `any`. */
  readonly probeClass?: { readonly plain?: string; readonly masked?: string }
  /** Similarity in ten-thousandths from which a match needs a second factor, 5,000 to 10,000. Default 7,500. */
  readonly tripwire?: number
}

/** A policy that passed the check. */
export interface CheckedPolicy {
  readonly liveness: readonly AcceptedLiveness[] | undefined
  readonly maxAgeMs: number
  readonly clockSkewMs: number
  readonly intent: boolean
  readonly leastQuality: number
  readonly claims: readonly string[]
  readonly plainClass: string
  readonly maskedClass: string | undefined
  readonly tripwire: number
}

const FIELDS = [
  'purpose',
  'liveness',
  'maxAgeMs',
  'clockSkewMs',
  'intent',
  'leastQuality',
  'claims',
  'probeClass',
  'tripwire',
] as const
const MOST_POLICIES = 256
const MOST_ITEMS = 64
export const MAX_AGE_MS = 60_000
const DEFAULT_SKEW_MS = 5000
const DEFAULT_TRIPWIRE = 7500

/** Policies by purpose. Throws `ERR_CAPTURE_POLICY`. */
export function checkPolicies(values: unknown): ReadonlyMap<string, CheckedPolicy> {
  const policies = new Map<string, CheckedPolicy>()
  for (const value of readList(values, 'policies', MOST_POLICIES, reject)) {
    const given = readFields(value, 'a policy', FIELDS, reject)
    const purpose = checkPurpose(given.purpose, reject)
    if (policies.has(purpose)) throw reject('two policies are of one purpose')
    policies.set(purpose, checkPolicy(given))
  }
  if (policies.size === 0) throw reject('at least one policy is needed')
  return policies
}

function checkPolicy(given: Readonly<Record<(typeof FIELDS)[number], unknown>>): CheckedPolicy {
  const { plain, masked } = readFields(given.probeClass ?? {}, 'probeClass', ['plain', 'masked'], reject)
  return {
    liveness: given.liveness === 'not-needed' ? undefined : checkLiveness(given.liveness),
    maxAgeMs: numberOr(given.maxAgeMs, 'maxAgeMs', [1000, MAX_AGE_MS], MAX_AGE_MS),
    clockSkewMs: numberOr(given.clockSkewMs, 'clockSkewMs', [0, MAX_AGE_MS], DEFAULT_SKEW_MS),
    intent: given.intent === undefined || checkBoolean(given.intent, 'intent', reject),
    leastQuality: numberOr(given.leastQuality, 'leastQuality', [0, 100], 0),
    claims: readList(given.claims ?? [], 'claims', MOST_ITEMS, reject).map((name) => short(name, 'a claim')),
    plainClass: plain === undefined ? 'any' : short(plain, 'plain'),
    maskedClass: masked === undefined ? undefined : short(masked, 'masked'),
    tripwire: numberOr(given.tripwire, 'tripwire', [5000, 10_000], DEFAULT_TRIPWIRE),
  }
}

function checkLiveness(value: unknown): readonly AcceptedLiveness[] {
  const items = readList(value, 'liveness', MOST_ITEMS, reject)
  if (items.length === 0) throw reject('liveness lists what is accepted, or is not-needed')
  return items.map((item) => {
    const fields = ['issuer', 'standard', 'level', 'method'] as const
    const given = readFields(item, 'an accepted liveness', fields, reject)
    return {
      issuer: short(given.issuer, 'issuer'),
      standard: short(given.standard, 'standard'),
      ...(given.level === undefined ? {} : { level: short(given.level, 'level') }),
      ...(given.method === undefined ? {} : { method: short(given.method, 'method') }),
    }
  })
}

function numberOr(
  value: unknown,
  name: string,
  range: readonly [min: number, max: number],
  otherwise: number,
): number {
  return value === undefined ? otherwise : checkInteger(value, name, range, reject)
}

function short(value: unknown, name: string): string {
  return checkText(value, name, { maxBytes: MAX_SHORT_BYTES }, reject)
}

/** Step 12: whether a capture was made between the question and now, as far as its device's clock tells. */
export function isTimely(
  { maxAgeMs, clockSkewMs }: CheckedPolicy,
  capturedSeconds: number,
  issuedMs: number,
  nowMs: number,
): boolean {
  // The claim is in whole seconds: the capture lies within one.
  const earliest = capturedSeconds * 1000
  const latest = earliest + 999
  return latest >= issuedMs - clockSkewMs && earliest <= nowMs + clockSkewMs && nowMs - latest <= maxAgeMs
}

/** True when the policy names claims that it accepts, and this is one: a policy that needs none accepts none. */
export function acceptsLiveness(policy: CheckedPolicy, claim: LivenessClaim | undefined): boolean {
  return policy.liveness !== undefined && isLive(policy, claim)
}

/** Step 14: the class that a capture is compared in; `undefined` when the policy does not want it. */
export function admit(
  policy: CheckedPolicy,
  { conditions, liveness, intent }: Statement,
  claims: readonly string[],
): string | undefined {
  const enough =
    (intent || !policy.intent) &&
    conditions.quality >= policy.leastQuality &&
    isLive(policy, liveness) &&
    policy.claims.every((name) => claims.includes(name))
  return enough ? probeClass(policy, conditions) : undefined
}

function probeClass(
  { plainClass, maskedClass }: CheckedPolicy,
  { masked }: CaptureConditions,
): string | undefined {
  return masked ? maskedClass : plainClass
}

function isLive({ liveness: accepted }: CheckedPolicy, claim: LivenessClaim | undefined): boolean {
  if (claim?.verdict === 'attack') return false
  if (accepted === undefined) return true
  return (
    claim?.verdict === 'live' &&
    accepted.some(
      ({ issuer, standard, level, method }) =>
        issuer === claim.issuer &&
        standard === claim.standard &&
        (level === undefined || level === claim.level) &&
        (method === undefined || method === claim.method),
    )
  )
}
