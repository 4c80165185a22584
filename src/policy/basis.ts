/** The legal basis of processing: checked, and exact in time (SPEC §12.1). @module */

import type { CborValue } from '../base/cbor.ts'
import { asArray, asBoolean, asBytes, asText, asUint } from '../base/cbor.ts'
import { checkBoolean, checkOneOf, checkText } from '../base/check.ts'
import type { Reject } from '../base/errors.ts'
import { checkPurpose } from '../base/identifier.ts'
import { PolicyError } from './errors.ts'
import { copyBytes, readFields } from './fields.ts'

export type BasisKind = 'consent' | 'contract' | 'law' | 'vital-interest'

/**
 * Why a face may be processed, from when and until when. `evidence` is a 32-byte hash of what the caller keeps
 * (the signed consent, the contract, the paragraph of law); guise never sees the thing itself.
 */
export interface Basis {
  readonly kind: BasisKind
  /** What the template may be used for; the vault's purpose. */
  readonly purpose: string
  readonly grantedAt: Date
  /** No match at or after this instant; at most ten years after `grantedAt`. */
  readonly expiresAt: Date
  /** Version of the notice that the person was shown, 1 to 128 bytes. */
  readonly noticeVersion: string
  readonly evidence: Uint8Array
  /** Consent to the processing of biometric data given separately from any other; required for `consent`. */
  readonly separateConsent?: boolean
  /** True for a person under 14, whose guardian must have consented. */
  readonly under14?: boolean
  /** 32-byte hash of the guardian's consent. */
  readonly guardianEvidence?: Uint8Array
}

/** A checked basis, as the state row keeps it; instants in milliseconds since 1970. */
export interface StoredBasis {
  readonly kind: BasisKind
  readonly purpose: string
  readonly grantedMs: number
  readonly expiresMs: number
  readonly noticeVersion: string
  readonly evidence: Uint8Array
  readonly separateConsent: boolean
  readonly under14: boolean
  readonly guardianEvidence: Uint8Array | null
}

const FIELDS = [
  'kind',
  'purpose',
  'grantedAt',
  'expiresAt',
  'noticeVersion',
  'evidence',
  'separateConsent',
  'under14',
  'guardianEvidence',
] as const
/** In the order of their codes in rows. */
export const BASIS_KINDS: readonly BasisKind[] = ['consent', 'contract', 'law', 'vital-interest']
const LONGEST_MS = 3653 * 86_400_000
const MAX_MS = 8_640_000_000_000_000

/** A checked copy of what the caller gave. Throws `ERR_POLICY_BASIS`. */
export function checkBasis(value: unknown, purpose: string): StoredBasis {
  const basis = readFields(value, 'basis', FIELDS, refuse)
  const kind = checkOneOf(basis.kind, 'basis.kind', BASIS_KINDS, refuse)
  if (checkPurpose(basis.purpose, refuse) !== purpose)
    throw refuse('basis.purpose must be the purpose of the vault')
  const grantedMs = checkInstant(basis.grantedAt, 'basis.grantedAt')
  const expiresMs = checkInstant(basis.expiresAt, 'basis.expiresAt')
  if (expiresMs <= grantedMs) throw refuse('basis.expiresAt must be after basis.grantedAt')
  if (expiresMs - grantedMs > LONGEST_MS)
    throw refuse('basis.expiresAt must be within ten years of basis.grantedAt')
  const separate = basis.separateConsent
  if (kind === 'consent' && separate === undefined) throw refuse('consent must state whether it was separate')
  const under14 = optionalBoolean(basis.under14, 'basis.under14')
  const guardian = basis.guardianEvidence
  if (under14 && guardian === undefined) throw refuse('a person under 14 needs basis.guardianEvidence')
  return {
    kind,
    purpose,
    grantedMs,
    expiresMs,
    noticeVersion: checkText(basis.noticeVersion, 'basis.noticeVersion', { maxBytes: 128 }, refuse),
    evidence: copyBytes(basis.evidence, 'basis.evidence', 32, refuse),
    separateConsent: optionalBoolean(separate, 'basis.separateConsent'),
    under14,
    guardianEvidence:
      guardian === undefined ? null : copyBytes(guardian, 'basis.guardianEvidence', 32, refuse),
  }
}

/** What the caller gave, rebuilt from the state row; buffers are copies. */
export function publicBasis(stored: StoredBasis): Basis {
  return {
    kind: stored.kind,
    purpose: stored.purpose,
    grantedAt: new Date(stored.grantedMs),
    expiresAt: new Date(stored.expiresMs),
    noticeVersion: stored.noticeVersion,
    evidence: Uint8Array.from(stored.evidence),
    separateConsent: stored.separateConsent,
    under14: stored.under14,
    ...(stored.guardianEvidence === null
      ? {}
      : { guardianEvidence: Uint8Array.from(stored.guardianEvidence) }),
  }
}

/** True when the basis covers the instant: begun, and not yet expired. */
export function basisCovers(basis: StoredBasis, nowMs: number): boolean {
  return basis.grantedMs <= nowMs && nowMs < basis.expiresMs
}

/** The CBOR form of the state row (SPEC §9.3). */
export function basisToCbor(basis: StoredBasis): CborValue {
  return [
    BASIS_KINDS.indexOf(basis.kind),
    basis.purpose,
    basis.grantedMs,
    basis.expiresMs,
    basis.noticeVersion,
    basis.evidence,
    basis.separateConsent,
    basis.under14,
    basis.guardianEvidence,
  ]
}

/** Reads the CBOR form back; `reject` makes the error for anything else. */
export function basisFromCbor(value: CborValue | undefined, reject: Reject): StoredBasis {
  const [kind, purpose, granted, expires, notice, evidence, separate, under14, guardian] = asArray(
    value,
    9,
    reject,
  )
  return {
    kind: BASIS_KINDS[asUint(kind, BASIS_KINDS.length - 1, reject)] as BasisKind,
    purpose: asText(purpose, 64, reject),
    grantedMs: asUint(granted, MAX_MS, reject),
    expiresMs: asUint(expires, MAX_MS, reject),
    noticeVersion: asText(notice, 128, reject),
    evidence: asBytes(evidence, 32, reject),
    separateConsent: asBoolean(separate, reject),
    under14: asBoolean(under14, reject),
    guardianEvidence: guardian === null ? null : asBytes(guardian, 32, reject),
  }
}

/** The instant that a Date holds, whatever its class says of it. */
function checkInstant(value: unknown, name: string): number {
  let ms = Number.NaN
  try {
    ms = Date.prototype.getTime.call(value)
  } catch {
    // Not a Date: refused below.
  }
  if (!(ms >= 0)) throw refuse(`${name} must be a valid Date from 1970 on`)
  return ms
}

function optionalBoolean(value: unknown, name: string): boolean {
  return value === undefined ? false : checkBoolean(value, name, refuse)
}

function refuse(why: string): PolicyError {
  return new PolicyError('ERR_POLICY_BASIS', why)
}
