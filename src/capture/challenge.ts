/** Questions that are asked once: issued, read, spent (SPEC §20.1). @module */

import type { Realm } from '../base/brand.ts'
import { concatBytes, copyPublic, equalBytes, joinBytes, utf8, wipe } from '../base/bytes.ts'
import { asArray, asBytes, asText, asUint, decodeCbor, encodeCbor } from '../base/cbor.ts'
import type { CallOptions, Reject } from '../base/errors.ts'
import { checkPurpose, checkRealm } from '../base/identifier.ts'
import { HPKE_PUBLIC_BYTES } from '../crypto/hpke.ts'
import { randomPublic } from '../crypto/random.ts'
import type { Store } from '../store/store.ts'
import { thumbprint } from './device-key.ts'
import { refusal } from './errors.ts'
import { challengeRowKey, FORMAT, HASH_BYTES, NONCE_BYTES, readRow, TABLE, tagOf, writeRow } from './rows.ts'
import type { Recipient } from './sealed.ts'

const CHALLENGE = 62
const QUESTION = 66
const LABEL = 'guise/v1/capture-challenge'
const SUBJECT_LABEL = 'guise/v1/capture-subject'
const TIME_BYTES = 6
const MAX_QUESTION_BYTES = 512
const MAX_NAME_BYTES = 64

/** What a challenge is for. `subject`: none for a search. */
export interface ChallengeScope {
  readonly subject: string | undefined
  readonly purpose: string
}

/** A challenge as its row tells it. */
export interface IssuedChallenge {
  readonly key: Uint8Array
  readonly rowVersion: string
  readonly subjectTag: Uint8Array | undefined
  readonly purpose: string
  readonly device: Uint8Array
  readonly issuedMs: number
  readonly expiresMs: number
}

/** What a device is asked. */
export interface Question {
  readonly realm: Realm
  readonly purpose: string
  readonly nonce: Uint8Array
  readonly recipient: Recipient
}

/** Where challenges of a realm lie, and the key over them. */
export interface ChallengePlace {
  readonly store: Store
  readonly realm: Realm
  readonly key: Uint8Array
}

/** Writes a challenge; durable when it resolves. */
export async function issueChallenge(
  { store, realm, key }: ChallengePlace,
  { subject, purpose }: ChallengeScope,
  device: Uint8Array,
  [issuedMs, expiresMs]: readonly [issuedMs: number, expiresMs: number],
  options: CallOptions,
): Promise<Uint8Array> {
  const nonce = joinBytes(timeBytes(expiresMs), randomPublic(NONCE_BYTES - TIME_BYTES))
  const tag = subject === undefined ? null : subjectTag(key, subject)
  const body = [FORMAT, CHALLENGE, realm, nonce, tag, purpose, device, issuedMs]
  const bytes = writeRow(key, LABEL, body)
  const place = challengeRowKey(realm, nonce)
  await store.commit([{ step: 'put', table: TABLE, key: place, bytes, expected: null }], options)
  return nonce
}

/** Step 10: the challenge of a nonce, unless it is none, expired or not of this realm. */
export async function findChallenge(
  { store, realm, key }: ChallengePlace,
  nonce: Uint8Array,
  nowMs: number,
  options: CallOptions,
): Promise<IssuedChallenge> {
  const reject = (): Error => refusal('challenge')
  const place = challengeRowKey(realm, nonce)
  const row = await store.get(TABLE, place, options)
  const expiresMs = expiryOf(nonce)
  if (row === undefined || nowMs >= expiresMs) throw refusal('challenge')
  const body = readRowOf(row.bytes, key)
  if (body[2] !== realm || !equalBytes(asBytes(body[3], NONCE_BYTES, reject), nonce))
    throw refusal('challenge')
  return {
    key: place,
    rowVersion: row.version,
    subjectTag: body[4] === null ? undefined : asBytes(body[4], HASH_BYTES, reject),
    purpose: asText(body[5], MAX_NAME_BYTES, reject),
    device: asBytes(body[6], HASH_BYTES, reject),
    issuedMs: asUint(body[7], Number.MAX_SAFE_INTEGER, reject),
    expiresMs,
  }
}

function readRowOf(bytes: Uint8Array, key: Uint8Array): ReturnType<typeof readRow> {
  try {
    return readRow(bytes, key, LABEL, CHALLENGE, 8)
  } catch {
    // Whoever wrote it was not the realm: whoever presents it learns no more than of a row that is not there.
    throw refusal('challenge')
  }
}

/** Step 11: whether a challenge was issued for this scope and device. */
export function isBound(
  challenge: IssuedChallenge,
  key: Uint8Array,
  { subject, purpose }: ChallengeScope,
  device: Uint8Array,
): boolean {
  const { subjectTag: tag } = challenge
  const sameSubject =
    subject === undefined || tag === undefined
      ? subject === undefined && tag === undefined
      : equalBytes(tag, subjectTag(key, subject))
  return sameSubject && challenge.purpose === purpose && equalBytes(challenge.device, device)
}

function subjectTag(key: Uint8Array, subject: string): Uint8Array {
  const text = utf8(subject) as Uint8Array
  const tag = tagOf(key, SUBJECT_LABEL, text)
  wipe(text)
  return tag
}

/** When the challenge of a nonce ends: its first six bytes. */
export function expiryOf(nonce: Uint8Array): number {
  let value = 0
  for (let i = 0; i < TIME_BYTES; i++) value = value * 256 + (nonce[i] as number)
  return value
}

function timeBytes(ms: number): Uint8Array {
  const bytes = new Uint8Array(TIME_BYTES)
  let rest = ms
  for (let i = TIME_BYTES - 1; i >= 0; i--) {
    bytes[i] = rest % 256
    rest = Math.floor(rest / 256)
  }
  return bytes
}

/** A question in the form in which a device gets it. */
export function writeQuestion({ realm, purpose, nonce, recipient }: Question): Uint8Array {
  return concatBytes(encodeCbor([FORMAT, QUESTION, realm, purpose, nonce, recipient.id, recipient.publicKey]))
}

/** What a device was asked. The id of the recipient is that of its key. */
export function readQuestion(bytes: Uint8Array, reject: Reject): Question {
  const items = asArray(decodeCbor(bytes, MAX_QUESTION_BYTES, reject), 7, reject)
  if (items[0] !== FORMAT || items[1] !== QUESTION) throw reject('a challenge is of another format or kind')
  const publicKey = copyPublic(asBytes(items[6], HPKE_PUBLIC_BYTES, reject))
  const id = asBytes(items[5], HASH_BYTES, reject)
  if (!equalBytes(thumbprint({ algorithm: 'ES256', publicKey }), id))
    throw reject('a transport key has another id')
  return {
    realm: checkRealm(items[2], reject),
    purpose: checkPurpose(items[3], reject),
    nonce: asBytes(items[4], NONCE_BYTES, reject),
    recipient: { id, publicKey },
  }
}
