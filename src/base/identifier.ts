/** Realms, purposes and external subject identifiers (SPEC §2.3). @module */

import type { Realm } from './brand.ts'
import { labelBytes, utf8 } from './bytes.ts'
import { checkText } from './check.ts'
import type { Reject } from './errors.ts'

const NAME = /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/

/** A realm: 1 to 64 characters of `a–z 0–9 . _ -` that begins and ends with a letter or digit. */
export function checkRealm(value: unknown, reject: Reject): Realm {
  return checkText(value, 'realm', { maxBytes: 64, pattern: NAME }, reject) as Realm
}

/** A purpose, under the rule for realms. */
export function checkPurpose(value: unknown, reject: Reject): string {
  return checkText(value, 'purpose', { maxBytes: 64, pattern: NAME }, reject)
}

/**
 * The UTF-8 bytes of an external subject identifier of 1 to 256 bytes, in a new buffer that the caller wipes.
 * Not normalised: texts that differ in any byte are different subjects.
 */
export function checkSubject(value: unknown, reject: Reject): Uint8Array {
  return utf8(checkSubjectText(value, reject)) as Uint8Array
}

/** The same check, without the bytes. */
export function checkSubjectText(value: unknown, reject: Reject): string {
  return checkText(value, 'subject', { maxBytes: 256 }, reject)
}

/** `P = u8(length) ‖ realm`: the prefix of every store key of the realm (SPEC §10.2). Borrowed: several are made in every verb. */
export function realmPrefix(realm: Realm): Uint8Array {
  if (last?.realm !== realm) last = { realm, prefix: labelBytes(realm) }
  return last.prefix
}

let last: { readonly realm: Realm; readonly prefix: Uint8Array } | undefined
