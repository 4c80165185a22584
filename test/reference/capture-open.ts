/** Opening a capture, step by step, from SPEC §20.6. Slow and plain. @module */
/// <reference types="node" />
import { createDecipheriv } from 'node:crypto'
import { concat, equal, hex, int32le, lp, Refused, u32be, utf8 } from './bytes.ts'
import {
  aadOf,
  bodyOf,
  type Claims,
  captureKeys,
  expiresOf,
  headerPairs,
  infoOf,
  type Keys,
  LABELS,
  probeHash,
  rowKey,
  SUITE,
  subjectTag,
} from './capture.ts'
import { decode, encode, type Value } from './cbor.ts'
import { type Algorithm, signedOf, unmap, verifyWith } from './cose.ts'
import { mac, sha256 } from './hashes.ts'
import { open as hpkeOpen } from './hpke.ts'

/** A desk as the reference knows it: rows by hexadecimal key, and what was declared. */
export interface Scene {
  readonly secret: Uint8Array
  readonly realm: string
  readonly now: number
  readonly rows: ReadonlyMap<string, Uint8Array>
  readonly model: string
  readonly dimensions: number
  readonly rpId: string
  readonly origins: readonly string[]
  /** Of the purpose that is asked for. */
  readonly policy: {
    readonly purpose: string
    readonly issuers: readonly (readonly [issuer: string, standard: string])[]
    readonly maxAge: number
    readonly skew: number
    readonly leastQuality: number
  }
  readonly subject: string | null
  readonly retention: number
  /** For controls: a check that this desk forgets. */
  readonly forgets?: 'recipient'
}

export type Outcome =
  | { readonly reason: string }
  | { readonly claims: Claims; readonly spent: readonly string[] }

/** SPEC §20.6, step by step. */
export function openCapture(scene: Scene, sealed: Uint8Array): Outcome {
  const refused = (reason: string): Outcome => ({ reason })
  const keys = captureKeys(scene.secret, scene.realm)
  const outer = attempt(() => shaped(decode(sealed, 40_960), [1, 60, 'suite', 32, 'enc', 'cipher']))
  if (outer === undefined) return refused('format')
  const [, , suite, recipient, enc, ciphertext] = outer as [Value, Value, ...Uint8Array[]] as never as [
    number,
    number,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ]
  if (!equal(suite, SUITE)) return refused('suite')
  const secret = transportSecret(scene, keys, recipient)
  if (secret === undefined) return refused('recipient')
  const plain = hpkeOpen(secret, enc, infoOf(scene.realm), aadOf(suite, recipient), ciphertext)
  if (plain === undefined) return refused('sealed')
  const inner = attempt(() => innerOf(plain))
  if (inner === undefined) return refused('statement')
  const { claims, device } = inner
  const known = deviceOf(scene, keys, device)
  if (known === undefined) return refused('device')
  if (!verifies(scene, inner, known)) return refused('signature')
  const isHere = scene.forgets === 'recipient' || equal(claims.recipient, recipient)
  if (claims.realm !== scene.realm || !isHere) return refused('redirected')
  const integers = attempt(() => integersOf(scene, claims, inner.vector))
  if (integers === undefined) return refused('probe')
  const key = hex(rowKey(scene.realm, 1, claims.nonce))
  const bytes = scene.rows.get(key)
  const asked = bytes && attempt(() => bodyOf(bytes, keys.challenge, 'challenge'))
  if (asked === undefined || scene.now >= expiresOf(claims.nonce)) return refused('challenge')
  if (!isBound(scene, keys, claims, asked, device)) return refused('binding')
  const { maxAge, skew, leastQuality, issuers } = scene.policy
  const [at, issued] = [claims.iat * 1000, asked[7] as number]
  if (at + 999 < issued - skew || at > scene.now + skew || scene.now - at > maxAge + 999)
    return refused('time')
  if ((inner.chain === null) !== (claims.attestation === null)) return refused('attestation')
  if (inner.chain !== null && !equal(sha256(inner.chain), claims.attestation ?? inner.chain))
    return refused('attestation')
  const live = claims.liveness
  const isLive =
    live?.[3] === 0 && issuers.some(([issuer, standard]) => issuer === live[4] && standard === live[1])
  const [masked, , quality] = claims.conditions
  if (!claims.intent || quality < leastQuality || !isLive || masked) return refused('policy')
  const meanHash = sha256(
    concat(lp('guise/v1/mean'), u32be(scene.dimensions), new Uint8Array(4 * scene.dimensions)),
  )
  const tag = mac(
    keys.repeat,
    concat(lp('guise/v1/capture-repeat'), lp(scene.model), meanHash, int32le(integers)),
  )
  const period = Math.floor(scene.now / scene.retention)
  const places = [period, period - 1].map((number) => hex(rowKey(scene.realm, 2, u32be(number), tag)))
  if (places.some((place) => scene.rows.has(place))) return refused('repeated')
  return { claims, spent: [key, places[0] as string] }
}

interface Inner {
  readonly claims: Claims
  readonly device: Uint8Array
  readonly algorithm: Algorithm
  readonly signed: Uint8Array
  readonly assertion: readonly [authenticatorData: Uint8Array, clientData: Uint8Array] | null
  readonly signature: Uint8Array
  readonly vector: Uint8Array
  readonly chain: Uint8Array | null
}

function innerOf(plain: Uint8Array): Inner {
  const [, , proof, vector, chain] = shaped(decode(plain, 32_752), [1, 61, 'any', 'bytes', 'optional'])
  if ((vector as Uint8Array).length > 16_384) throw new Refused('ERR_CAPTURE', 'a vector')
  if (chain instanceof Uint8Array && (chain.length < 1 || chain.length > 16_384))
    throw new Refused('ERR_CAPTURE', 'a chain')
  const parts = proof instanceof Uint8Array ? tokenParts(proof) : assertionParts(proof as Value)
  const [header, payload, assertion, signature] = parts
  const algorithm = equal(header.slice(0, 4), Uint8Array.of(0xa2, 1, 0x27, 4)) ? 'EdDSA' : 'ES256'
  const device = header.slice(6)
  if (!equal(header, headerPairs(algorithm, device))) throw new Refused('ERR_CAPTURE', 'a header')
  const signed = signedOf(header, payload)
  const claims = claimsOf(payload)
  return {
    claims,
    device,
    algorithm,
    signed,
    assertion,
    signature,
    vector: vector as Uint8Array,
    chain: chain as Uint8Array | null,
  }
}

type Parts = readonly [Uint8Array, Uint8Array, Inner['assertion'], Uint8Array]

/** Tag 18, an array of four, the second an empty map. Its other items are as in an array of three. */
function tokenParts(token: Uint8Array): Parts {
  const at = 2 + 2 + 38
  if (token.length > 2048 || token[0] !== 0xd2 || token[1] !== 0x84 || token[at] !== 0xa0)
    throw new Refused('ERR_CAPTURE', 'a token')
  const rest = concat(Uint8Array.of(0x83), token.slice(2, at), token.slice(at + 1))
  const [header, payload, signature] = shaped(decode(rest, 2048), [38, 'bytes', 64]) as readonly Uint8Array[]
  return [header as Uint8Array, sized(payload, 1024), null, signature as Uint8Array]
}

function assertionParts(proof: Value): Parts {
  const [header, payload, data, client, signature] = shaped(proof, [
    38,
    'bytes',
    37,
    'bytes',
    64,
  ]) as readonly Uint8Array[]
  return [
    header as Uint8Array,
    sized(payload, 1024),
    [data as Uint8Array, sized(client, 1024)],
    signature as Uint8Array,
  ]
}

function sized(bytes: Uint8Array | undefined, most: number): Uint8Array {
  if (bytes === undefined || bytes.length < 1 || bytes.length > most)
    throw new Refused('ERR_CAPTURE', 'a length')
  return bytes
}

const NAME = /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/

function claimsOf(payload: Uint8Array): Claims {
  const values = unmap(payload, LABELS)
  const [
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
  ] = values
  shaped(values, ['text', 'uint', 32, 'text', 32, 'text', 'text', 32, 'any', 'any', 'boolean', 'optional'])
  shaped(conditions, ['boolean', 'boolean', 'uint'])
  const [masked, glasses, quality] = conditions as readonly [boolean, boolean, number]
  const short = (text: Value | undefined, least = 1, most = 64): boolean =>
    utf8(text as string).length >= least && utf8(text as string).length <= most
  if (liveness !== null) {
    const claim = shaped(liveness, ['text', 'text', 'text', 'uint', 'text'])
    if (![0, 1, 2, 4].every((i) => short(claim[i])) || (claim[3] as number) > 2)
      throw new Refused('ERR_CAPTURE', 'liveness')
  }
  const fits =
    profile === 'urn:guise:capture:1' &&
    NAME.test(realm as string) &&
    NAME.test(purpose as string) &&
    short(model, 3, 95) &&
    quality <= 100 &&
    (iat as number) <= 253_402_300_799 &&
    (attestation === null || (attestation as Uint8Array).length === 32)
  if (!fits) throw new Refused('ERR_CAPTURE', 'a claim')
  return {
    realm,
    iat,
    nonce,
    recipient,
    purpose,
    model,
    probe,
    liveness,
    intent,
    attestation,
    conditions: [masked, glasses, quality],
  } as never
}

/** Checks types one by one: a number is a value or a length of bytes. */
function shaped(value: Value | undefined, shape: readonly (number | string)[]): readonly Value[] {
  const bad = (): Refused => new Refused('ERR_CAPTURE', 'another form')
  if (!Array.isArray(value) || value.length !== shape.length) throw bad()
  const items = value as readonly Value[]
  items.forEach((item, i) => {
    const want = shape[i]
    const isBytes = item instanceof Uint8Array
    const right =
      want === 'any' ||
      (want === 'bytes' && isBytes) ||
      (want === 'suite' && isBytes && item.length <= 32) ||
      (want === 'enc' && isBytes && item.length <= 2048) ||
      (want === 'cipher' && isBytes && item.length <= 32_768) ||
      (want === 'optional' && (item === null || isBytes)) ||
      (want === 'text' && typeof item === 'string') ||
      (want === 'uint' && typeof item === 'number') ||
      (want === 'boolean' && typeof item === 'boolean') ||
      (typeof want === 'number' &&
        (isBytes
          ? item.length === want
          : item === want && want !== 32 && want !== 64 && want !== 65 && want !== 37 && want !== 38))
    if (!right) throw bad()
  })
  return items
}

function attempt<Result>(task: () => Result): Result | undefined {
  try {
    return task()
  } catch {
    return undefined
  }
}

function transportSecret(scene: Scene, keys: Keys, recipient: Uint8Array): Uint8Array | undefined {
  const bytes = scene.rows.get(hex(rowKey(scene.realm, 5)))
  const items = bytes && (bodyOf(bytes, keys.transport, 'ring')?.[4] as readonly (readonly Value[])[])
  for (const [id, , , until, nonce, wrapped] of items ?? []) {
    if (!equal(id as Uint8Array, recipient) || (until !== null && scene.now >= (until as number))) continue
    const cipher = createDecipheriv('aes-256-gcm', keys.transport, nonce as Uint8Array)
    cipher.setAAD(encode([1, 67, scene.realm, recipient]))
    cipher.setAuthTag((wrapped as Uint8Array).slice(32))
    return concat(cipher.update((wrapped as Uint8Array).slice(0, 32)), cipher.final())
  }
  return undefined
}

interface Known {
  readonly algorithm: Algorithm
  readonly publicKey: Uint8Array
  readonly carrier: number
}

function deviceOf(scene: Scene, keys: Keys, device: Uint8Array): Known | undefined {
  const bytes = scene.rows.get(hex(rowKey(scene.realm, 3, device)))
  const body = bytes && attempt(() => bodyOf(bytes, keys.device, 'device'))
  if (body === undefined || body[8] !== 0) return undefined
  if (scene.rows.has(hex(rowKey(scene.realm, 4, utf8(body[7] as string))))) return undefined
  return {
    algorithm: body[4] === 0 ? 'EdDSA' : 'ES256',
    publicKey: body[5] as Uint8Array,
    carrier: body[6] as number,
  }
}

function verifies(scene: Scene, inner: Inner, known: Known): boolean {
  const { algorithm, assertion, signed, signature } = inner
  if (known.algorithm !== algorithm || known.carrier !== (assertion === null ? 0 : 1)) return false
  if (assertion === null) return verifyWith(algorithm, known.publicKey, signed, signature)
  const [data, client] = assertion
  if (!equal(data.slice(0, 32), sha256(utf8(scene.rpId))) || ((data[32] as number) & 0xc5) !== 5) return false
  const challenge = Buffer.from(sha256(signed)).toString('base64url')
  const text = Buffer.from(client).toString('latin1')
  const isRight = scene.origins.some((origin) => {
    const head = `{"type":"webauthn.get","challenge":"${challenge}","origin":"${origin}","crossOrigin":false`
    const rest = text.slice(head.length)
    return (
      text.startsWith(head) &&
      (rest === '}' || (rest.startsWith(',') && rest.endsWith('}') && !rest.startsWith(',"topOrigin"')))
    )
  })
  return isRight && verifyWith(algorithm, known.publicKey, concat(data, sha256(client)), signature)
}

/** SPEC §3 for a model without a mean. */
function integersOf(scene: Scene, claims: Claims, vector: Uint8Array): readonly number[] {
  const bad = (): Refused => new Refused('ERR_CAPTURE', 'a probe')
  if (claims.model !== scene.model || vector.length !== 4 * scene.dimensions) throw bad()
  if (!equal(probeHash(claims.model, vector), claims.probe)) throw bad()
  const view = new DataView(vector.slice().buffer)
  const x = Array.from({ length: scene.dimensions }, (_, i) => view.getFloat32(4 * i, true))
  if (!x.every((value) => Math.abs(value) <= 2 ** 60)) throw bad()
  let squares = 0
  for (const value of x) squares += value * value
  const norm = Math.sqrt(squares)
  if (!(norm >= 2 ** -20 && norm <= 2 ** 60)) throw bad()
  return x.map((value) => {
    const u = value / norm
    const magnitude = Math.floor(Math.abs(u) * 2 ** 20 + 0.5)
    return magnitude === 0 ? 0 : Math.sign(u) * magnitude
  })
}

function isBound(
  scene: Scene,
  keys: Keys,
  claims: Claims,
  asked: readonly Value[],
  device: Uint8Array,
): boolean {
  const tag = asked[4] as Uint8Array | null
  const same =
    scene.subject === null || tag === null
      ? scene.subject === null && tag === null
      : equal(tag, subjectTag(keys, scene.subject))
  return (
    same &&
    asked[5] === scene.policy.purpose &&
    claims.purpose === asked[5] &&
    equal(asked[6] as Uint8Array, device)
  )
}
