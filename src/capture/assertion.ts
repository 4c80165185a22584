/** An assertion of WebAuthn as the carrier of a statement (SPEC §20.2, W3C WebAuthn §5.8.1.1, §6.1). @module */

import { equalBytes, joinBytes, toBase64Url, utf8 } from '../base/bytes.ts'
import { checkBoolean, checkText } from '../base/check.ts'
import { sha256 } from '../crypto/hash.ts'
import { readFields, readList } from '../policy/fields.ts'
import { rejectInput } from './errors.ts'
import { HASH_BYTES } from './rows.ts'

/** What a browser's `navigator.credentials.get` answered. `signature`: as it is, in ASN.1 for ES256. */
export interface Assertion {
  readonly authenticatorData: Uint8Array
  readonly clientDataJSON: Uint8Array
  readonly signature: Uint8Array
}

/** Whose assertions are accepted. `origins`: `https://example.org`. `userVerification`: whether the flag is needed; it is unless said. */
export interface WebAuthnOptions {
  readonly rpId: string
  readonly origins: readonly string[]
  readonly userVerification?: boolean
}

export interface CheckedWebAuthn {
  readonly rpIdHash: Uint8Array
  readonly origins: readonly string[]
  readonly flags: number
}

export const AUTHENTICATOR_BYTES = 37
export const MAX_CLIENT_DATA_BYTES = 1024
const MOST_ORIGINS = 16
const USER_PRESENT = 0x01
const USER_VERIFIED = 0x04
/** Attested credential data, and extensions. */
const UNWANTED = 0xc0
/** No character that JSON would write in another way. */
const ORIGIN = /^[a-z][a-z0-9+.-]*:[A-Za-z0-9.:/_\-[\]]+$/

/** A checked copy. Throws `ERR_CAPTURE_INPUT`. */
export function checkWebAuthn(value: unknown): CheckedWebAuthn {
  const given = readFields(value, 'webAuthn', ['rpId', 'origins', 'userVerification'], rejectInput)
  const rpId = checkText(given.rpId, 'rpId', { maxBytes: 253 }, rejectInput)
  const origins = readList(given.origins, 'origins', MOST_ORIGINS, rejectInput).map((origin) =>
    checkText(origin, 'an origin', { maxBytes: 256, pattern: ORIGIN }, rejectInput),
  )
  const verified =
    given.userVerification === undefined ||
    checkBoolean(given.userVerification, 'userVerification', rejectInput)
  return {
    rpIdHash: sha256(utf8(rpId) as Uint8Array),
    origins,
    flags: verified ? USER_PRESENT | USER_VERIFIED : USER_PRESENT,
  }
}

/** The challenge of an assertion over a statement. */
export function assertionChallenge(signed: Uint8Array): Uint8Array {
  return sha256(signed)
}

/** What an authenticator signs. */
export function assertedBytes({
  authenticatorData,
  clientDataJSON,
}: Omit<Assertion, 'signature'>): Uint8Array {
  return joinBytes(authenticatorData, sha256(clientDataJSON))
}

/** Whether an assertion is about these signed bytes, for this relying party, without its signature. */
export function fitsAssertion(
  { authenticatorData, clientDataJSON }: Omit<Assertion, 'signature'>,
  signed: Uint8Array,
  { rpIdHash, origins, flags }: CheckedWebAuthn,
): boolean {
  const flag = authenticatorData[HASH_BYTES] as number
  return (
    equalBytes(authenticatorData.subarray(0, HASH_BYTES), rpIdHash) &&
    (flag & flags) === flags &&
    (flag & UNWANTED) === 0 &&
    origins.some((origin) => isClientData(clientDataJSON, assertionChallenge(signed), origin))
  )
}

/** Client data of the one form that browsers are to give, of this origin itself and not of a frame in another. */
function isClientData(bytes: Uint8Array, challenge: Uint8Array, origin: string): boolean {
  const head = `{"type":"webauthn.get","challenge":"${toBase64Url(challenge)}","origin":"${origin}","crossOrigin":false`
  const wanted = utf8(head) as Uint8Array
  const { length } = wanted
  if (!equalBytes(bytes.subarray(0, length), wanted)) return false
  // Bytes as they are: only ASCII is looked at.
  const rest = new TextDecoder('latin1').decode(bytes.subarray(length))
  return rest === '}' || (rest.startsWith(',') && rest.endsWith('}') && !rest.startsWith(',"topOrigin"'))
}
