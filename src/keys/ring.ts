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

/** Whose ring it may be: the provider, and others that this process has at hand. */
export interface ExpectedRing {
  readonly realm: Realm
  readonly provider: string
  readonly others?: readonly string[]
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
const FORMAT_WITH_FORMER = 2
const KIND = 7
const MOST_FORMER = 16
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
  const body = encodeCbor([
    former.length === 0 ? FORMAT : FORMAT_WITH_FORMER,
    KIND,
    ring.realm,
    ring.version,
    ring.provider,
    ring.primary,
    ring.minAccepted,
    ring.epochs.map((item) => [item.epoch, item.status, item.createdMs, item.changedMs, item.wrapped]),
    ring.secrets.map((item) => [item.version, item.createdMs, item.wrapped]),
    ...(former.length === 0
      ? []
      : [former.map((item) => [item.provider, item.epochs, item.versions, item.proof])]),
  ])
  if (former.length > MOST_FORMER) {
    throw new KeysError('ERR_KEYS_FULL', `a ring names at most ${MOST_FORMER} former providers`)
  }
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
  const [format, kind] = items
  if (kind !== KIND || (format !== FORMAT && format !== FORMAT_WITH_FORMER)) {
    throw badRing('its format is unknown')
  }
  const [, , realm, version, provider, primary, minAccepted, epochs, secrets, former] = asArray(
    items,
    format === FORMAT ? 9 : 10,
    badRing,
  )
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
  if (ring.former !== undefined) checkFormer(ring, ring.former)
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

function ownProvider(provider: string, expected: ExpectedRing): string {
  if (provider === expected.provider || expected.others?.includes(provider) === true) return provider
  throw badRing('it is of another key provider')
}

function readFormer(value: CborValue): RingFormer {
  const [provider, epochs, versions, proof] = asArray(value, 4, badRing)
  if (provider === '') throw badRing('a former provider has no name')
  return {
    provider: asText(provider, 256, badRing),
    epochs: readNumbers(epochs),
    versions: readNumbers(versions),
    proof: asBytes(proof, [0, MAX_WRAPPED_BYTES], badRing),
  }
}

function readNumbers(value: CborValue | undefined): readonly number[] {
  const numbers = asList(value).map((item) => asUint(item, MAX_VERSION, badRing))
  const ascending = numbers.every((item, index) => item > (numbers[index - 1] ?? 0))
  if (numbers.length === 0 || !ascending) throw badRing('a list of a former provider is not in order')
  return numbers
}

function checkFormer(ring: Ring, former: readonly RingFormer[]): void {
  if (former.length === 0 || former.length > MOST_FORMER) throw badRing('its former providers are too many')
  const names = new Set([ring.provider, ...former.map((item) => item.provider)])
  if (names.size !== former.length + 1) throw badRing('it names a provider twice')
  for (const { epochs, versions } of former) {
    const known = (epochs.at(-1) ?? 0) <= ring.epochs.length && (versions.at(-1) ?? 0) <= ring.secrets.length
    if (!known) throw badRing('a former provider wrapped what it does not know')
  }
}

function asList(value: CborValue | undefined): readonly CborValue[] {
  if (!Array.isArray(value)) throw badRing('expected an array')
  return value as readonly CborValue[]
}
