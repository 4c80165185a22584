/** Devices, desks and captures for tests. @module */
/// <reference types="node" />

import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { memoryStore, type Store } from 'guise'
import {
  type AssertionSigner,
  type CaptureConditions,
  type CaptureDesk,
  type CaptureDeskOptions,
  type CaptureFacts,
  type CapturePolicy,
  type CaptureRefusal,
  captureDesk,
  captureReason,
  type DeviceAlgorithm,
  type DeviceRegistry,
  type DeviceSigner,
  deviceRegistry,
  type SealCaptureOptions,
  sealCapture,
} from 'guise/capture'
import { type ManualClock, manualClock } from '../../src/base/manual-clock.ts'
import { captureEmbedding } from '../../src/capture/attested.ts'
import { unitVector } from '../../src/embedding/embedding.ts'

export const REALM = 'tests'
export const MODEL = { id: 'arcface-r100@1', dimensions: 64, metric: 'cosine' } as const
const START_MS = 1_800_000_000_000
export const ORIGIN = 'https://login.example.org'
const RP_ID = 'example.org'
export const LIVENESS = {
  method: 'active-flash',
  standard: 'ISO/IEC 30107-3',
  level: '2',
  verdict: 'live',
  issuer: 'camera-app',
} as const
export const CONDITIONS: CaptureConditions = { masked: false, glasses: false, quality: 80 }
export const LOGIN: CapturePolicy = {
  purpose: 'login',
  liveness: [{ issuer: 'camera-app', standard: 'ISO/IEC 30107-3' }],
}

export interface TestDevice {
  readonly id: string
  readonly signer: DeviceSigner
  readonly privateKey: KeyObject
}

export interface TestWorld {
  readonly store: Store
  readonly clock: ManualClock
  readonly secret: Uint8Array
  readonly desk: CaptureDesk
  readonly devices: DeviceRegistry
  readonly device: TestDevice
}

/** A desk with one enrolled device. Refusals do not wait unless told to. */
export async function captureWorld(
  options: Partial<CaptureDeskOptions> & {
    readonly algorithm?: DeviceAlgorithm
    readonly webAuthnDevice?: boolean
  } = {},
): Promise<TestWorld> {
  const { algorithm = 'ES256', webAuthnDevice = false, ...rest } = options
  const store = rest.store ?? memoryStore()
  const clock = manualClock(START_MS)
  const secret = rest.secret ?? Uint8Array.from({ length: 32 }, (_, i) => i + 1)
  const realm = rest.realm ?? REALM
  const devices = deviceRegistry({ store, realm, secret, clock })
  const device = webAuthnDevice ? authenticator(algorithm) : tokenDevice(algorithm)
  const carrier = webAuthnDevice ? 'assertion' : 'token'
  const id = await devices.enroll({ ...device.signer.key, carrier, family: 'phone-9' })
  const desk = captureDesk({
    store,
    realm,
    secret,
    clock,
    devices,
    model: MODEL,
    policies: [LOGIN],
    webAuthn: { rpId: RP_ID, origins: [ORIGIN] },
    refusalMs: 0,
    ...rest,
  })
  return { store, clock, secret, desk, devices, device: { ...device, id } }
}

/** A device that signs tokens in software. ES256 signatures come in ASN.1, as phones give them. */
export function tokenDevice(
  algorithm: DeviceAlgorithm,
): Omit<TestDevice, 'id'> & { readonly signer: DeviceSigner } {
  const { privateKey, publicKey } = keysOf(algorithm)
  const digest = algorithm === 'ES256' ? 'sha256' : null
  return {
    privateKey,
    signer: { key: { algorithm, publicKey }, sign: async (message) => sign(digest, message, privateKey) },
  }
}

/** What an authenticator and a browser make of a challenge. */
export interface AssertionParts {
  readonly rpId?: string
  readonly flags?: number
  readonly clientData?: (challenge: string) => string
}

export function authenticator(
  algorithm: DeviceAlgorithm,
  parts: AssertionParts = {},
): Omit<TestDevice, 'id'> & { readonly signer: AssertionSigner } {
  const { privateKey, publicKey } = keysOf(algorithm)
  const digest = algorithm === 'ES256' ? 'sha256' : null
  const assert: AssertionSigner['assert'] = async (challenge) => {
    const authenticatorData = Buffer.concat([
      sha256(Buffer.from(parts.rpId ?? RP_ID)),
      Buffer.from([parts.flags ?? 0x1d, 0, 0, 0, 7]),
    ])
    const text = Buffer.from(challenge).toString('base64url')
    const json =
      parts.clientData?.(text) ??
      `{"type":"webauthn.get","challenge":"${text}","origin":"${ORIGIN}","crossOrigin":false}`
    const clientDataJSON = Buffer.from(json)
    const signature = sign(digest, Buffer.concat([authenticatorData, sha256(clientDataJSON)]), privateKey)
    return { authenticatorData, clientDataJSON, signature }
  }
  return { privateKey, signer: { key: { algorithm, publicKey }, assert } }
}

function keysOf(algorithm: DeviceAlgorithm): {
  readonly privateKey: KeyObject
  readonly publicKey: Uint8Array
} {
  const pair =
    algorithm === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('ed25519')
  const jwk = pair.publicKey.export({ format: 'jwk' })
  const x = Buffer.from(jwk.x ?? '', 'base64url')
  const publicKey =
    algorithm === 'ES256' ? Buffer.concat([Buffer.of(4), x, Buffer.from(jwk.y ?? '', 'base64url')]) : x
  return { privateKey: pair.privateKey, publicKey: Uint8Array.from(publicKey) }
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}

let faces = 0

/** Another face each time. */
export function freshVector(): Float32Array {
  const seed = ++faces
  return Float32Array.from({ length: MODEL.dimensions }, (_, i) =>
    Math.fround(((seed * 7919 + i * 104_729) % 1009) / 500 - 1 + seed / 1e4),
  )
}

/** What a device is told and sees, with a challenge of the desk for `ann`. */
export async function seen(
  { desk, device, clock }: TestWorld,
  changes: Partial<SealCaptureOptions> = {},
): Promise<SealCaptureOptions> {
  const challenge =
    changes.challenge ?? (await desk.challenge({ subject: 'ann', purpose: 'login', device: device.id })).bytes
  return {
    challenge,
    vector: freshVector(),
    model: MODEL,
    conditions: CONDITIONS,
    liveness: LIVENESS,
    intent: true,
    capturedAtMs: clock.nowMs(),
    signer: device.signer,
    ...changes,
  }
}

/** A sealed capture of `ann` for `login`. */
export async function sealedCapture(
  world: TestWorld,
  changes: Partial<SealCaptureOptions> = {},
): Promise<Uint8Array> {
  return sealCapture(await seen(world, changes))
}

export const ANN = { subject: 'ann', purpose: 'login' } as const

/** Why a capture was refused; `accepted` when it was not. */
export async function outcome(
  desk: CaptureDesk,
  sealed: Uint8Array,
  scope: Parameters<CaptureDesk['openCapture']>[1] = ANN,
): Promise<string> {
  try {
    const capture = await desk.openCapture(sealed, scope)
    capture[Symbol.dispose]()
    return 'accepted'
  } catch (error) {
    const { code, [captureReason]: reason } = error as CaptureRefusal
    return code === 'ERR_CAPTURE_REFUSED' ? reason : code
  }
}

/** How many rows of each kind there are. */
export async function rowsOf(store: Store): Promise<number[]> {
  const counts: number[] = []
  for await (const { key } of store.scan('challenges', new Uint8Array(0))) {
    const area = key[1 + REALM.length] as number
    counts[area] = (counts[area] ?? 0) + 1
  }
  return counts
}

/** The unit vector of a capture, as a vault would see it. Built and source types have brands of their own. */
export function vectorOf(capture: CaptureFacts): Float64Array {
  return unitVector(captureEmbedding(capture as never))
}
