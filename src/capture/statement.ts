/** What a device states about a capture: an entity attestation token with closed claims (SPEC §20.2, RFC 9711, RFC 9052). @module */

import { concatBytes, equalBytes, joinBytes, labelBytes, u32be, wipe } from '../base/bytes.ts'
import {
  asArray,
  asBoolean,
  asBytes,
  asText,
  asUint,
  type CborValue,
  decodeLabelled,
  encodeCbor,
  encodeLabelled,
} from '../base/cbor.ts'
import { CborCursor } from '../base/cbor-cursor.ts'
import type { Reject } from '../base/errors.ts'
import { checkPurpose, checkRealm } from '../base/identifier.ts'
import { sha256 } from '../crypto/hash.ts'
import { type DeviceAlgorithm, SIGNATURE_BYTES } from './device-key.ts'
import { HASH_BYTES, NONCE_BYTES } from './rows.ts'

/** What the camera saw. `quality`: 0 to 100, as the capture software measures it. */
export interface CaptureConditions {
  readonly masked: boolean
  readonly glasses: boolean
  readonly quality: number
}

/** In the order of their codes. */
export const VERDICTS = ['live', 'attack', 'undecided'] as const

/**
 * Somebody's claim that a living person stood before the camera. guise carries and binds it and does not judge it. `standard` and
 * `level`: what the method was tested by, as `ISO/IEC 30107-3` and `2`, or `CEN/TS 18099` and `high`.
 */
export interface LivenessClaim {
  readonly method: string
  readonly standard: string
  readonly level: string
  readonly verdict: (typeof VERDICTS)[number]
  readonly issuer: string
}

/** The claims, all of them. */
export interface Statement {
  readonly realm: string
  readonly capturedSeconds: number
  readonly nonce: Uint8Array
  readonly recipient: Uint8Array
  readonly purpose: string
  readonly model: string
  readonly probe: Uint8Array
  readonly conditions: CaptureConditions
  readonly liveness: LivenessClaim | undefined
  readonly intent: boolean
  readonly attestation: Uint8Array | undefined
}

/** What is signed, in its two parts. */
export interface Statements {
  readonly header: Uint8Array
  readonly payload: Uint8Array
}

const LABELS = [3, 6, 10, 265, -70001, -70002, -70003, -70004, -70005, -70006, -70007, -70008] as const
/** Of one number of a vector. */
export const FLOAT_BYTES = 4
const PROFILE = 'urn:guise:capture:1'
export const MAX_SHORT_BYTES = 64
const MIN_MODEL_BYTES = 3
const MAX_MODEL_BYTES = 95
export const MAX_PAYLOAD_BYTES = 1024
/** A year 9999 in seconds. */
const MAX_SECONDS = 253_402_300_799

/** `{1: alg, 4: kid}` up to the kid, for −8 and −7. */
const HEADERS: Readonly<Record<DeviceAlgorithm, Uint8Array>> = {
  EdDSA: Uint8Array.of(0xa2, 0x01, 0x27, 0x04, 0x58, 0x20),
  ES256: Uint8Array.of(0xa2, 0x01, 0x26, 0x04, 0x58, 0x20),
}
export const HEADER_BYTES: number = 6 + HASH_BYTES
/** Tag 18 and an array of four. */
const SIGN1 = Uint8Array.of(0xd2, 0x84)
const EMPTY_MAP = Uint8Array.of(0xa0)
const NOTHING = new Uint8Array(0)

/** The claims as a payload. What is not right for its place is refused by `readPayload`. */
export function writePayload(statement: Statement): Uint8Array {
  const { conditions, liveness } = statement
  const claim: CborValue = liveness
    ? [
        liveness.method,
        liveness.standard,
        liveness.level,
        VERDICTS.indexOf(liveness.verdict),
        liveness.issuer,
      ]
    : null
  return encodeLabelled(LABELS, [
    statement.realm,
    statement.capturedSeconds,
    statement.nonce,
    PROFILE,
    statement.recipient,
    statement.purpose,
    statement.model,
    statement.probe,
    [conditions.masked, conditions.glasses, conditions.quality],
    claim,
    statement.intent,
    statement.attestation ?? null,
  ])
}

/** The claims of a payload; whatever has another form is refused. */
export function readPayload(payload: Uint8Array, reject: Reject): Statement {
  const [aud, iat, nonce, profile, recipient, purpose, model, probe, seen, liveness, intent, attestation] =
    decodeLabelled(payload, LABELS, MAX_PAYLOAD_BYTES, reject)
  if (profile !== PROFILE) throw reject('the token has another profile')
  const [masked, glasses, quality] = asArray(seen, 3, reject)
  return {
    realm: checkRealm(aud, reject),
    capturedSeconds: asUint(iat, MAX_SECONDS, reject),
    nonce: asBytes(nonce, NONCE_BYTES, reject),
    recipient: asBytes(recipient, HASH_BYTES, reject),
    purpose: checkPurpose(purpose, reject),
    model: readModel(model, reject),
    probe: asBytes(probe, HASH_BYTES, reject),
    conditions: {
      masked: asBoolean(masked, reject),
      glasses: asBoolean(glasses, reject),
      quality: asUint(quality, 100, reject),
    },
    liveness: liveness === null ? undefined : readLiveness(liveness, reject),
    intent: asBoolean(intent, reject),
    attestation: attestation === null ? undefined : asBytes(attestation, HASH_BYTES, reject),
  }
}

function readModel(value: CborValue | undefined, reject: Reject): string {
  const text = asText(value, MAX_MODEL_BYTES, reject)
  if (text.length < MIN_MODEL_BYTES) throw reject('a model id is too short')
  return text
}

function readLiveness(value: CborValue | undefined, reject: Reject): LivenessClaim {
  const [method, standard, level, verdict, issuer] = asArray(value, 5, reject)
  return {
    method: readShort(method, reject),
    standard: readShort(standard, reject),
    level: readShort(level, reject),
    verdict: VERDICTS[asUint(verdict, VERDICTS.length - 1, reject)] as LivenessClaim['verdict'],
    issuer: readShort(issuer, reject),
  }
}

export function readShort(value: CborValue | undefined, reject: Reject): string {
  const text = asText(value, MAX_SHORT_BYTES, reject)
  if (text === '') throw reject('a text is empty')
  return text
}

/** The protected header. */
export function writeHeader(algorithm: DeviceAlgorithm, device: Uint8Array): Uint8Array {
  return joinBytes(HEADERS[algorithm], device)
}

export function readHeader(
  header: Uint8Array,
  reject: Reject,
): { readonly algorithm: DeviceAlgorithm; readonly device: Uint8Array } {
  for (const algorithm of ['EdDSA', 'ES256'] as const) {
    const head = HEADERS[algorithm]
    if (header.length === HEADER_BYTES && equalBytes(header.subarray(0, head.length), head))
      return { algorithm, device: header.subarray(head.length) }
  }
  throw reject('the protected header has another form')
}

/** The bytes under the signature: COSE's Sig_structure. */
export function signedBytes({ header, payload }: Statements): Uint8Array {
  return encodeCbor(['Signature1', header, NOTHING, payload])
}

/** A COSE_Sign1, tagged. */
export function writeToken({ header, payload }: Statements, signature: Uint8Array): Uint8Array {
  return joinBytes(SIGN1, encodeCbor(header), EMPTY_MAP, encodeCbor(payload), encodeCbor(signature))
}

/** Windows on the parts of a token. */
export function readToken(
  token: Uint8Array,
  reject: Reject,
): Statements & { readonly signature: Uint8Array } {
  const cursor = new CborCursor(token)
  cursor.expect(SIGN1)
  const header = cursor.bytes(HEADER_BYTES)
  cursor.expect(EMPTY_MAP)
  const payload = cursor.bytes(1, MAX_PAYLOAD_BYTES)
  const signature = cursor.bytes(SIGNATURE_BYTES)
  if (!cursor.done) throw reject('the token has another form')
  return { header, payload, signature }
}

/** The hash that stands for an embedding: `vector` is its d little-endian float32. */
export function probeHash(model: string, vector: Uint8Array): Uint8Array {
  const message = concatBytes(
    labelBytes('guise/v1/capture-probe'),
    labelBytes(model),
    u32be(vector.length / FLOAT_BYTES),
    vector,
  )
  try {
    return sha256(message)
  } finally {
    wipe(message)
  }
}
