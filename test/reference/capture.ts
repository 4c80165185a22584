/** Captures, written from SPEC §20: rows, statements, what is sealed. Slow and plain. @module */
/// <reference types="node" />
import { createCipheriv } from 'node:crypto'
import { concat, equal, float32le, hex, lp, u32be, utf8 } from './bytes.ts'
import { decode, encode, type Value } from './cbor.ts'
import { type Algorithm, type Pair, thumbprint } from './cose.ts'
import { hkdf, mac, sha256 } from './hashes.ts'

export const SUITE: Uint8Array = Uint8Array.of(0, 0x10, 0, 1, 0, 1)
export const LABELS: readonly number[] = [
  3, 6, 10, 265, -70001, -70002, -70003, -70004, -70005, -70006, -70007, -70008,
]

export interface Keys {
  readonly challenge: Uint8Array
  readonly repeat: Uint8Array
  readonly device: Uint8Array
  readonly transport: Uint8Array
}

export function captureKeys(secret: Uint8Array, realm: string): Keys {
  const okm = hkdf(secret, concat(lp('guise/v1/capture'), lp(realm)), 128)
  const part = (i: number): Uint8Array => okm.slice(32 * i, 32 * i + 32)
  return { challenge: part(0), repeat: part(1), device: part(2), transport: part(3) }
}

/** `u48be(expires) ‖ random(26)`. */
export function nonceOf(expires: number, random: Uint8Array): Uint8Array {
  return concat(
    Uint8Array.of(Math.floor(expires / 2 ** 40), Math.floor(expires / 2 ** 32) % 256),
    u32be(expires % 2 ** 32),
    random,
  )
}

export function expiresOf(nonce: Uint8Array): number {
  return Number(BigInt(`0x${hex(nonce.slice(0, 6))}`))
}

export function row(key: Uint8Array, label: string, body: Value): Uint8Array {
  const bytes = encode(body)
  return encode([bytes, mac(key, concat(lp(`guise/v1/capture-${label}`), bytes))])
}

export function bodyOf(bytes: Uint8Array, key: Uint8Array, label: string): readonly Value[] | undefined {
  const [body, tag] = decode(bytes, 65_536) as readonly Uint8Array[]
  if (body === undefined || tag === undefined) return undefined
  if (!equal(tag, mac(key, concat(lp(`guise/v1/capture-${label}`), body)))) return undefined
  return decode(body, 65_536) as readonly Value[]
}

export function rowKey(realm: string, area: number, ...rest: readonly Uint8Array[]): Uint8Array {
  return concat(lp(realm), Uint8Array.of(area), ...rest)
}

export function subjectTag(keys: Keys, subject: string): Uint8Array {
  return mac(keys.challenge, concat(lp('guise/v1/capture-subject'), utf8(subject)))
}

export interface Wrapped {
  readonly id: Uint8Array
  readonly publicKey: Uint8Array
  readonly created: number
  readonly until: number | null
  readonly nonce: Uint8Array
  readonly secret: Uint8Array
}

export function ringRow(keys: Keys, realm: string, version: number, items: readonly Wrapped[]): Uint8Array {
  const wrapped = items.map(({ id, publicKey, created, until, nonce, secret }) => {
    const cipher = createCipheriv('aes-256-gcm', keys.transport, nonce)
    cipher.setAAD(encode([1, 67, realm, id]))
    const hidden = concat(cipher.update(secret), cipher.final(), cipher.getAuthTag())
    return [id, publicKey, created, until, nonce, hidden]
  })
  return row(keys.transport, 'ring', [1, 65, realm, version, wrapped])
}

export function probeHash(model: string, vector: Uint8Array): Uint8Array {
  return sha256(concat(lp('guise/v1/capture-probe'), lp(model), u32be(vector.length / 4), vector))
}

/** The claims of SPEC §20.2 in their order. */
export interface Claims {
  readonly realm: string
  readonly iat: number
  readonly nonce: Uint8Array
  readonly recipient: Uint8Array
  readonly purpose: string
  readonly model: string
  readonly probe: Uint8Array
  readonly conditions: readonly [boolean, boolean, number]
  readonly liveness: readonly [string, string, string, number, string] | null
  readonly intent: boolean
  readonly attestation: Uint8Array | null
}

export function claimPairs(claims: Claims): readonly Pair[] {
  const { realm, iat, nonce, recipient, purpose, model, probe, conditions, liveness, intent, attestation } =
    claims
  const profile = 'urn:guise:capture:1'
  const values = [
    realm,
    iat,
    nonce,
    profile,
    recipient,
    purpose,
    model,
    probe,
    conditions,
    liveness,
    intent,
    attestation,
  ]
  return values.map((value, i) => [LABELS[i] as number, value])
}

export function headerPairs(algorithm: Algorithm, device: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(0xa2, 0x01, algorithm === 'EdDSA' ? 0x27 : 0x26, 0x04), encode(device))
}

export function infoOf(realm: string): Uint8Array {
  return concat(lp('guise/v1/capture-transport'), lp(realm))
}

export function aadOf(suite: Uint8Array, recipient: Uint8Array): Uint8Array {
  return encode([1, 60, suite, recipient])
}

/** Rows of a device and of a challenge. */
export function deviceRow(
  keys: Keys,
  realm: string,
  device: {
    readonly algorithm: Algorithm
    readonly publicKey: Uint8Array
    readonly carrier: number
    readonly family: string
    readonly state: number
    readonly at: number
  },
): readonly [key: Uint8Array, bytes: Uint8Array] {
  const { algorithm, publicKey, carrier, family, state, at } = device
  const id = thumbprint(algorithm, publicKey)
  const body = [1, 63, realm, id, algorithm === 'EdDSA' ? 0 : 1, publicKey, carrier, family, state, at, at]
  return [rowKey(realm, 3, id), row(keys.device, 'device', body)]
}

export function challengeRow(
  keys: Keys,
  realm: string,
  asked: {
    readonly nonce: Uint8Array
    readonly subject: string | null
    readonly purpose: string
    readonly device: Uint8Array
    readonly issued: number
  },
): readonly [key: Uint8Array, bytes: Uint8Array] {
  const { nonce, subject, purpose, device, issued } = asked
  const tag = subject === null ? null : subjectTag(keys, subject)
  return [
    rowKey(realm, 1, nonce),
    row(keys.challenge, 'challenge', [1, 62, realm, nonce, tag, purpose, device, issued]),
  ]
}

export function vectorBytes(values: readonly number[]): Uint8Array {
  return float32le(values)
}
