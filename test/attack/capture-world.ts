/** Desks, devices and captures whose every part can be written by hand. @module */
import { memoryStore, type Store } from 'guise'
import { type CaptureDesk, captureDesk, type DeviceRegistry, deviceRegistry } from 'guise/capture'
import { type ManualClock, manualClock } from '../../src/base/manual-clock.ts'
import { hpkeSeal } from '../../src/crypto/hpke.ts'
import { concat, hex, utf8 } from '../reference/bytes.ts'
import {
  aadOf,
  type Claims,
  claimPairs,
  headerPairs,
  infoOf,
  probeHash,
  SUITE,
  vectorBytes,
} from '../reference/capture.ts'
import type { Scene } from '../reference/capture-open.ts'
import { decode, encode, type Value } from '../reference/cbor.ts'
import {
  type Algorithm,
  devicePublicKey,
  map,
  signedOf,
  signWith,
  thumbprint,
  tokenOf,
} from '../reference/cose.ts'
import { sha256 } from '../reference/hashes.ts'

export const REALM = 'tests'
const DIMENSIONS = 64
const MODEL = { id: 'arcface-r100@1', dimensions: DIMENSIONS, metric: 'cosine' } as const
const START_MS = 1_800_000_000_000
const RETENTION_MS = 86_400_000
const ORIGIN = 'https://login.example.org'
const RP_ID = 'example.org'

export interface Device {
  readonly algorithm: Algorithm
  readonly secret: Uint8Array
  readonly publicKey: Uint8Array
  readonly id: Uint8Array
  readonly carrier: 'token' | 'assertion'
}

export interface World {
  readonly store: Store
  readonly clock: ManualClock
  readonly secret: Uint8Array
  readonly desk: CaptureDesk
  readonly registry: DeviceRegistry
  /** An ES256 token, an EdDSA token, an ES256 assertion, then one that was revoked, one of a revoked family, and a stranger. */
  readonly devices: readonly Device[]
}

/** Parts of a capture that is not sealed yet. */
export interface Parts {
  device: Device
  claims: Claims
  vector: Uint8Array
  chain: Uint8Array | null
  recipient: { readonly id: Uint8Array; readonly publicKey: Uint8Array }
  suite: Uint8Array
}

export async function makeWorld(seed: number, store: Store = memoryStore()): Promise<World> {
  const clock = manualClock(START_MS)
  const secret = sha256(utf8(`secret ${seed}`))
  const registry = deviceRegistry({ store, realm: REALM, secret, clock })
  const kinds = [
    ['ES256', 'token', 'phone'],
    ['EdDSA', 'token', 'phone'],
    ['ES256', 'assertion', 'browser'],
    ['ES256', 'token', 'phone'],
    ['EdDSA', 'token', 'recalled'],
    ['ES256', 'token', ''],
  ] as const
  const devices: Device[] = []
  for (const [i, [algorithm, carrier, family]] of kinds.entries()) {
    const deviceSecret = sha256(utf8(`device ${seed} ${i}`))
    const publicKey = devicePublicKey(algorithm, deviceSecret)
    devices.push({
      algorithm,
      carrier,
      secret: deviceSecret,
      publicKey,
      id: thumbprint(algorithm, publicKey),
    })
    if (family !== '') await registry.enroll({ algorithm, publicKey, carrier, family })
  }
  await registry.revoke(hex(devices[3]?.id ?? new Uint8Array(0)))
  await registry.revokeFamily('recalled')
  const desk = captureDesk({
    store,
    realm: REALM,
    secret,
    clock,
    devices: registry,
    model: MODEL,
    policies: [
      {
        purpose: 'login',
        liveness: [{ issuer: 'camera-app', standard: 'ISO/IEC 30107-3' }],
        leastQuality: 30,
      },
      { purpose: 'payment', liveness: [{ issuer: 'camera-app', standard: 'ISO/IEC 30107-3' }] },
    ],
    webAuthn: { rpId: RP_ID, origins: [ORIGIN] },
    refusalMs: 0,
    retentionMs: RETENTION_MS,
  })
  return { store, clock, secret, desk, registry, devices }
}

/** What the reference needs to know of a world. */
export async function sceneOf({ store, clock, secret }: World, forgets?: 'recipient'): Promise<Scene> {
  const rows = new Map<string, Uint8Array>()
  for await (const { key, bytes } of store.scan('challenges', new Uint8Array(0))) rows.set(hex(key), bytes)
  return {
    secret,
    realm: REALM,
    now: clock.nowMs(),
    rows,
    model: MODEL.id,
    dimensions: DIMENSIONS,
    rpId: RP_ID,
    origins: [ORIGIN],
    policy: {
      purpose: 'login',
      issuers: [['camera-app', 'ISO/IEC 30107-3']],
      maxAge: 60_000,
      skew: 5000,
      leastQuality: 30,
    },
    subject: 'ann',
    retention: RETENTION_MS,
    ...(forgets && { forgets }),
  }
}

let faces = 0

function freshVector(): Uint8Array {
  const face = ++faces
  return vectorBytes(Array.from({ length: DIMENSIONS }, (_, i) => Math.sin(face * 12.9898 + i * 78.233)))
}

/** An honest capture of ann for a login, in parts. */
export async function honest(
  world: World,
  device: Device,
  scope: { readonly subject?: string; readonly search?: true; readonly purpose?: string } = {
    subject: 'ann',
  },
): Promise<Parts> {
  const { purpose = 'login', ...who } = scope
  const asked = await world.desk.challenge({
    ...(who as { readonly subject: string }),
    purpose,
    device: device.id,
  })
  const [, , realm, , nonce, id, publicKey] = decode(asked.bytes, 512) as [
    number,
    number,
    string,
    string,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ]
  const vector = freshVector()
  return {
    device,
    vector,
    chain: null,
    recipient: { id, publicKey },
    suite: SUITE,
    claims: {
      realm,
      iat: Math.floor(world.clock.nowMs() / 1000),
      nonce,
      recipient: id,
      purpose,
      model: MODEL.id,
      probe: probeHash(MODEL.id, vector),
      conditions: [false, false, 80],
      liveness: ['flash', 'ISO/IEC 30107-3', '2', 0, 'camera-app'],
      intent: true,
      attestation: null,
    },
  }
}

export function payloadOf({ claims }: Parts): Uint8Array {
  return map(claimPairs(claims))
}

/** A proof over any header and payload, made with the device's key. */
export function proofOf(
  { device }: Parts,
  payload: Uint8Array,
  header: Uint8Array = headerOf(device),
): Value {
  const signed = signedOf(header, payload)
  if (device.carrier === 'token')
    return tokenOf(header, payload, signWith(device.algorithm, device.secret, signed))
  const data = concat(sha256(utf8(RP_ID)), Uint8Array.of(5, 0, 0, 0, 1))
  const challenge = Buffer.from(sha256(signed)).toString('base64url')
  const client = utf8(
    `{"type":"webauthn.get","challenge":"${challenge}","origin":"${ORIGIN}","crossOrigin":false}`,
  )
  return [
    header,
    payload,
    data,
    client,
    signWith(device.algorithm, device.secret, concat(data, sha256(client))),
  ]
}

export function headerOf({ algorithm, id }: Device): Uint8Array {
  return headerPairs(algorithm, id)
}

export function plainOf({ vector, chain }: Parts, proof: Value): Uint8Array {
  return encode([1, 61, proof, vector, chain])
}

/** Sealed to the recipient, whatever the statement says. */
export async function sealedOf(parts: Parts, plain: Uint8Array): Promise<Uint8Array> {
  const { recipient, suite } = parts
  const sealed = await hpkeSeal(recipient.publicKey, infoOf(REALM), aadOf(suite, recipient.id), plain)
  if (sealed === undefined) throw new Error('no recipient')
  return encode([1, 60, suite, recipient.id, sealed.enc, sealed.ciphertext])
}

/** An honest device's whole work on its parts. */
export function finished(parts: Parts): Promise<Uint8Array> {
  return sealedOf(parts, plainOf(parts, proofOf(parts, payloadOf(parts))))
}
