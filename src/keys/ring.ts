/** The ring: epochs and versions of a realm, one authenticated row (SPEC §4.4). @module */

import type { Realm } from '../base/brand.ts'
import { concatBytes, labelBytes } from '../base/bytes.ts'
import { asArray, asBytes, asText, asUint, type CborValue, decodeCbor, encodeCbor } from '../base/cbor.ts'
import { realmPrefix } from '../base/identifier.ts'
import { mac, verifyMac } from '../crypto/kdf.ts'
import { MAX_ROW_BYTES } from '../store/store.ts'
import { badRing, KeysError } from './errors.ts'
import { MAX_WRAPPED_BYTES } from './provider.ts'

export const ENABLED = 0
export const DISABLED = 1
export const DESTROYED = 2

/** One wrap epoch as the ring keeps it. */
export interface RingEpoch {
  readonly epoch: number
  readonly status: 0 | 1 | 2
  readonly createdMs: number
  /** Of a destroyed epoch: the instant that the provider confirmed, 0 when it confirmed none. */
  readonly changedMs: number
  /** Empty once destroyed. */
  readonly wrapped: Uint8Array
}

/** One version of the realm secret as the ring keeps it. */
export interface RingSecret {
  readonly version: number
  readonly createdMs: number
  readonly wrapped: Uint8Array
}

/** A provider that wrapped this ring once, and still holds keys for what it wrapped. */
export interface RingFormer {
  readonly provider: string
  /** Epochs that were not destroyed when it was left, and every version: ascending. */
  readonly epochs: readonly number[]
  readonly versions: readonly number[]
  /** Its wrap of the newest of these versions; empty once the destruction of its keys has begun. */
  readonly proof: Uint8Array
}

/** A ring; never changed in place. Epochs and versions count from 1 without gaps. */
export interface Ring {
  readonly realm: Realm
  /** Grows by one with every change. */
  readonly version: number
  /** The id of the provider that wraps its secrets. */
  readonly provider: string
  readonly primary: number
  readonly minAccepted: number
  readonly epochs: readonly RingEpoch[]
  readonly secrets: readonly RingSecret[]
  /** Absent when there is none. */
  readonly former?: readonly RingFormer[]
}

/** Whose ring it may be: of this provider, or of one of those that are at hand. */
export interface ExpectedRing {
  readonly realm: Realm
  readonly provider: string | { has(id: string): boolean }
}

/** A decoded row whose tag is yet to be checked: nothing of it is authentic before `ringIsGenuine`. */
export interface DecodedRing {
  readonly ring: Ring
  readonly body: Uint8Array
  readonly tag: Uint8Array
}

const LABEL = labelBytes('guise/v1/ring')
const FORMAT = 1
/** Of a ring that names former providers, and of no other. */
const FORMAT_MOVED = 2
const KIND = 7
export const MOST_FORMER = 16
export const TAG_BYTES = 32
const MAX_VERSION = 0xffff_ffff
const MAX_MILLIS = 8_640_000_000_000_000

/** The row's key in table `keyrings`. */
export function ringRowKey(realm: Realm): Uint8Array {
  return realmPrefix(realm)
}

/** The row's bytes. Throws `ERR_KEYS_FULL` when the ring no longer fits a row. */
export function encodeRing(ring: Ring, ringKey: Uint8Array): Uint8Array {
  const { former = [] } = ring
  const moved = former.map((item) => [item.provider, item.epochs, item.versions, item.proof])
  const body = encodeCbor([
    moved.length === 0 ? FORMAT : FORMAT_MOVED,
    KIND,
    ring.realm,
    ring.version,
    ring.provider,
    ring.primary,
    ring.minAccepted,
    ring.epochs.map((item) => [item.epoch, item.status, item.createdMs, item.changedMs, item.wrapped]),
    ring.secrets.map((item) => [item.version, item.createdMs, item.wrapped]),
    ...(moved.length === 0 ? [] : [moved]),
  ])
  if (body.length + TAG_BYTES > MAX_ROW_BYTES) {
    throw new KeysError('ERR_KEYS_FULL', `a ring has at most ${MAX_ROW_BYTES} bytes`)
  }
  return concatBytes(body, mac(ringKey, concatBytes(LABEL, body)))
}

/** Reads a row and checks everything but its tag, for which the key must first be unwrapped. */
export function decodeRing(row: Uint8Array, expected: ExpectedRing): DecodedRing {
  if (row.length <= TAG_BYTES || row.length > MAX_ROW_BYTES) throw badRing('it has the wrong length')
  const body = row.subarray(0, row.length - TAG_BYTES)
  const items = asList(decodeCbor(body, MAX_ROW_BYTES, badRing))
  const [format, kind, realm, version, provider, primary, minAccepted, epochs, secrets, former] = items
  if ((format !== FORMAT && format !== FORMAT_MOVED) || kind !== KIND || items.length !== 8 + format) {
    throw badRing('its format is unknown')
  }
  if (asText(realm, 64, badRing) !== expected.realm) throw badRing('it is of another realm')
  const ring: Ring = {
    realm: expected.realm,
    version: asUint(version, Number.MAX_SAFE_INTEGER, badRing),
    provider: ownProvider(asText(provider, 256, badRing), expected),
    primary: asUint(primary, MAX_VERSION, badRing),
    minAccepted: asUint(minAccepted, MAX_VERSION, badRing),
    epochs: asList(epochs).map(readEpoch),
    secrets: asList(secrets).map(readSecret),
    ...(format === FORMAT ? {} : { former: asList(former).map(readFormer) }),
  }
  if (ring.version < 1 || ring.secrets.length === 0) throw badRing('it is incomplete')
  if (findEpoch(ring, ring.primary)?.status !== ENABLED) throw badRing('its primary epoch is not enabled')
  if (ring.minAccepted < 1 || ring.minAccepted > ring.primary)
    throw badRing('its lowest epoch is out of range')
  checkFormer(ring)
  return { ring, body, tag: row.subarray(body.length) }
}

/** True when the row was written by whoever holds the ring key of its newest version. */
export function ringIsGenuine(decoded: DecodedRing, ringKey: Uint8Array): boolean {
  return verifyMac(ringKey, concatBytes(LABEL, decoded.body), decoded.tag)
}

/** The epoch of that number. */
export function findEpoch(ring: Ring, epoch: number): RingEpoch | undefined {
  return ring.epochs[epoch - 1]
}

/** The realm secret of that version. */
export function findSecret(ring: Ring, version: number): RingSecret | undefined {
  return ring.secrets[version - 1]
}

/** The newest version of the realm secret: its keys authenticate the ring. */
export function newestVersion(ring: Ring): number {
  return ring.secrets.length
}

function readEpoch(value: CborValue, index: number): RingEpoch {
  const [epoch, status, created, changed, wrapped] = asArray(value, 5, badRing)
  if (epoch !== index + 1) throw badRing('its epochs are not in order')
  if (status !== ENABLED && status !== DISABLED && status !== DESTROYED) throw badRing('a status is unknown')
  return {
    epoch,
    status,
    createdMs: asUint(created, MAX_MILLIS, badRing),
    changedMs: asUint(changed, MAX_MILLIS, badRing),
    wrapped: asBytes(wrapped, status === DESTROYED ? 0 : [1, MAX_WRAPPED_BYTES], badRing),
  }
}

function readSecret(value: CborValue, index: number): RingSecret {
  const [version, created, wrapped] = asArray(value, 3, badRing)
  if (version !== index + 1) throw badRing('its versions are not in order')
  return {
    version,
    createdMs: asUint(created, MAX_MILLIS, badRing),
    wrapped: asBytes(wrapped, [1, MAX_WRAPPED_BYTES], badRing),
  }
}

function ownProvider(id: string, { provider }: ExpectedRing): string {
  if (typeof provider === 'string' ? id === provider : provider.has(id)) return id
  throw badRing('it is of another key provider')
}

function readFormer(value: CborValue): RingFormer {
  const [provider, epochs, versions, proof] = asArray(value, 4, badRing)
  return {
    provider: asText(provider, 256, badRing),
    epochs: readNumbers(epochs),
    versions: readNumbers(versions),
    proof: asBytes(proof, [0, MAX_WRAPPED_BYTES], badRing),
  }
}

function readNumbers(value: CborValue | undefined): readonly number[] {
  return asList(value).map((item) => asUint(item, MAX_VERSION, badRing))
}

/** Every provider has a name of its own, and held what the ring knows. */
function checkFormer({ provider, former, epochs, secrets }: Ring): void {
  if (former === undefined) return
  const names = new Set([provider, ...former.map((item) => item.provider)])
  const held = former.every(
    (item) => item.provider !== '' && ascends(item.epochs, epochs) && ascends(item.versions, secrets),
  )
  if (held && former.length > 0 && former.length <= MOST_FORMER && names.size > former.length) return
  throw badRing('its former providers are not in order')
}

function ascends(numbers: readonly number[], known: readonly unknown[]): boolean {
  const last = numbers.at(-1) ?? 0
  return last > 0 && last <= known.length && numbers.every((item, index) => item > (numbers[index - 1] ?? 0))
}

function asList(value: CborValue | undefined): readonly CborValue[] {
  if (!Array.isArray(value)) throw badRing('expected an array')
  return value as readonly CborValue[]
}
