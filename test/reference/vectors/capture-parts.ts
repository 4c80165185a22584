/** What the vectors of captures are made of: devices, keys, rows, and captures part by part (SPEC §20). @module */
/// <reference types="node" />
import { concat, hex, u32be, utf8 } from '../bytes.ts'
import {
  aadOf,
  type Claims,
  captureKeys,
  challengeRow,
  claimPairs,
  deviceRow,
  headerPairs,
  infoOf,
  nonceOf,
  probeHash,
  ringRow,
  row,
  rowKey,
  SUITE,
  vectorBytes,
  type Wrapped,
} from '../capture.ts'
import { openCapture, type Scene } from '../capture-open.ts'
import { encode, type Value } from '../cbor.ts'
import {
  type Algorithm,
  devicePublicKey,
  map,
  type Pair,
  signedOf,
  signWith,
  thumbprint,
  tokenOf,
} from '../cose.ts'
import { sha256 } from '../hashes.ts'
import { publicKeyOf, seal } from '../hpke.ts'
import { bytesFor, vectorFromSeed } from '../inputs.ts'
import type { Json } from './file.ts'

export const REALM = 'clinic'
export const NOW = 1_800_000_030_000
export const ISSUED = 1_800_000_000_000
export const MODEL = 'arcface-r100@1'
export const D = 64
export const ORIGIN = 'https://login.example.org'
export const RP_ID = 'example.org'
export const SECRET = bytesFor('capture secret', 32)
export const keys = captureKeys(SECRET, REALM)
export const CHAIN = bytesFor('attestation chain', 80)

export interface Device {
  readonly algorithm: Algorithm
  readonly carrier: 0 | 1
  readonly secret: Uint8Array
  readonly publicKey: Uint8Array
  readonly id: Uint8Array
  readonly family: string
  readonly state: number
}

function device(name: string, algorithm: Algorithm, carrier: 0 | 1, family = 'phone-9', state = 0): Device {
  const secret = bytesFor(`device ${name}`, 32)
  const publicKey = devicePublicKey(algorithm, secret)
  return { algorithm, carrier, secret, publicKey, id: thumbprint(algorithm, publicKey), family, state }
}

export const phone = device('phone', 'ES256', 0)
export const tablet = device('tablet', 'EdDSA', 0)
export const browser = device('browser', 'ES256', 1)
export const lost = device('lost', 'ES256', 0, 'phone-9', 1)
export const recalled = device('recalled', 'EdDSA', 0, 'recalled')
export const stranger = device('stranger', 'ES256', 0)

function transportKey(name: string, until: number | null): Wrapped {
  const secret = bytesFor(`transport ${name}`, 32)
  const publicKey = publicKeyOf(secret)
  const nonce = bytesFor(`transport nonce ${name}`, 12)
  return { id: thumbprint('ES256', publicKey), publicKey, created: ISSUED, until, nonce, secret }
}

const current = transportKey('current', null)
export const former = transportKey('former', NOW + 1)
export const over = transportKey('over', NOW)

export const nonce = (name: string, expires = ISSUED + 60_000): Uint8Array =>
  nonceOf(expires, bytesFor(`nonce ${name}`, 26))

const asked = (
  name: string,
  by: Device,
  {
    subject = 'ann',
    purpose = 'login',
    expires = ISSUED + 60_000,
  }: { subject?: string | null; purpose?: string; expires?: number } = {},
): readonly [Uint8Array, Uint8Array] =>
  challengeRow(keys, REALM, { nonce: nonce(name, expires), subject, purpose, device: by.id, issued: ISSUED })

export function rows(): ReadonlyMap<string, Uint8Array> {
  const forged = asked('forged', phone)
  const past = honest(phone, 'past').vector
  const known = openCapture(scene(new Map(fixedRows())), made({ ...honest(phone), ...probe(past) }).sealed)
  if (!('claims' in known)) throw new RangeError(`refused: ${known.reason}`)
  return new Map([
    ...fixedRows(),
    [hex(forged[0]), encode([forged[1].slice(3, 20), bytesFor('no mac', 32)])],
    [known.spent[1] as string, new Uint8Array(0)],
  ])
}

function fixedRows(): [string, Uint8Array][] {
  const pairs: (readonly [Uint8Array, Uint8Array])[] = [
    [rowKey(REALM, 5), ringRow(keys, REALM, 3, [over, former, current])],
    ...[phone, tablet, browser, lost, recalled].map((one) => deviceRow(keys, REALM, { ...one, at: ISSUED })),
    [rowKey(REALM, 4, utf8('recalled')), row(keys.device, 'family', [1, 64, REALM, 'recalled', ISSUED])],
    asked('question', phone),
    asked('tablet', tablet),
    asked('browser', browser),
    asked('lost', lost),
    asked('recalled', recalled),
    asked('stranger', stranger),
    asked('search', phone, { subject: null }),
    asked('bob', phone, { subject: 'bob' }),
    asked('payment', phone, { purpose: 'payment' }),
    asked('late', phone, { expires: NOW }),
  ]
  return pairs.map(([key, bytes]) => [hex(key), bytes])
}

export function scene(held: ReadonlyMap<string, Uint8Array>): Scene {
  const policy = {
    purpose: 'login',
    issuers: [['camera-app', 'ISO/IEC 30107-3']],
    maxAge: 60_000,
    skew: 5000,
    leastQuality: 30,
  } as const
  return {
    secret: SECRET,
    realm: REALM,
    now: NOW,
    rows: held,
    model: MODEL,
    dimensions: D,
    rpId: RP_ID,
    origins: [ORIGIN],
    policy,
    subject: 'ann',
    retention: 30 * 86_400_000,
  }
}

/** What a capture is made of; every part may be changed. */
export interface Parts {
  readonly device: Device
  readonly claims: Claims
  readonly vector: Uint8Array
  readonly chain: Uint8Array | null
  readonly to: Wrapped
  readonly suite?: Uint8Array
  readonly recipient?: Uint8Array
  readonly origin?: string
  readonly pairs?: (pairs: readonly Pair[]) => readonly Pair[]
  readonly payload?: (payload: Uint8Array) => Uint8Array
  readonly header?: Uint8Array
  readonly signature?: (signature: Uint8Array) => Uint8Array
  readonly token?: (token: Uint8Array) => Uint8Array
  readonly ciphertext?: (ciphertext: Uint8Array) => Uint8Array
}

export function probe(vector: Uint8Array): Pick<Parts, 'vector' | 'claims'> {
  return { vector, claims: { ...honest(phone).claims, probe: probeHash(MODEL, vector) } }
}

export function honest(by: Device, name = 'question', to = current): Parts {
  const vector = vectorBytes(vectorFromSeed(name === 'past' ? 2 : 1, D))
  const claims: Claims = {
    realm: REALM,
    iat: Math.floor(NOW / 1000) - 3,
    nonce: nonce(name === 'past' ? 'question' : name),
    recipient: to.id,
    purpose: 'login',
    model: MODEL,
    probe: probeHash(MODEL, vector),
    conditions: [false, true, 80],
    liveness: ['active-flash', 'ISO/IEC 30107-3', '2', 0, 'camera-app'],
    intent: true,
    attestation: null,
  }
  return { device: by, claims, vector, chain: null, to }
}

export function made(parts: Parts): { readonly sealed: Uint8Array; readonly stages: Record<string, Json> } {
  const { device: by, to } = parts
  const pairs = claimPairs(parts.claims)
  const payload = (parts.payload ?? ((bytes) => bytes))(map(parts.pairs?.(pairs) ?? pairs))
  const header = parts.header ?? headerPairs(by.algorithm, by.id)
  const signed = signedOf(header, payload)
  const change = parts.signature ?? ((signature) => signature)
  const challenge = Buffer.from(sha256(signed)).toString('base64url')
  const data = concat(sha256(utf8(RP_ID)), Uint8Array.of(0x1d), u32be(7))
  const client = utf8(
    `{"type":"webauthn.get","challenge":"${challenge}","origin":"${parts.origin ?? ORIGIN}","crossOrigin":false}`,
  )
  const message = by.carrier === 0 ? signed : concat(data, sha256(client))
  const signature = change(signWith(by.algorithm, by.secret, message))
  const token = (parts.token ?? ((bytes) => bytes))(tokenOf(header, payload, signature))
  const proof: Value = by.carrier === 0 ? token : [header, payload, data, client, signature]
  const plaintext = encode([1, 61, proof, parts.vector, parts.chain])
  const suite = parts.suite ?? SUITE
  const recipient = parts.recipient ?? to.id
  const ephemeral = bytesFor('ephemeral', 32)
  const aad = aadOf(suite, recipient)
  const hpke = seal(to.publicKey, ephemeral, infoOf(REALM), aad, plaintext)
  const hidden = (parts.ciphertext ?? ((bytes) => bytes))(hpke.ciphertext)
  const sealed = encode([1, 60, suite, recipient, hpke.enc, hidden])
  const named = {
    header,
    payload,
    signed,
    signature,
    plaintext,
    info: infoOf(REALM),
    aad,
    ephemeral,
    enc: hpke.enc,
    sharedSecret: hpke.sharedSecret,
    key: hpke.key,
    baseNonce: hpke.baseNonce,
    sealed,
  }
  return {
    sealed,
    stages: Object.fromEntries(Object.entries(named).map(([name, bytes]) => [name, hex(bytes)])),
  }
}
