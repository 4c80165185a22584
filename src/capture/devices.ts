/** Device keys that a realm trusts: enrolled, revoked one by one or as a family (SPEC §20.5). @module */

import type { Realm } from '../base/brand.ts'
import { equalBytes, fromHex, toHex } from '../base/bytes.ts'
import { asBytes, asUint, type CborValue } from '../base/cbor.ts'
import { checkOneOf, checkText } from '../base/check.ts'
import { type Clock, systemClock } from '../base/clock.ts'
import type { CallOptions } from '../base/errors.ts'
import { checkRealm } from '../base/identifier.ts'
import { randomBytes } from '../crypto/random.ts'
import { copyBytes, readFields } from '../policy/fields.ts'
import { StoreError } from '../store/errors.ts'
import { memoryStore } from '../store/memory.ts'
import type { Store, StoredRow, StoreStep } from '../store/store.ts'
import {
  ALGORITHMS,
  CARRIERS,
  checkDeviceKey,
  type DeviceCarrier,
  type DeviceKey,
  isPoint,
  thumbprint,
} from './device-key.ts'
import { rejectDevice, rejectInput, rejectRow } from './errors.ts'
import {
  type CaptureKeys,
  captureKeys,
  deviceRowKey,
  FORMAT,
  familyRowKey,
  HASH_BYTES,
  readRow,
  SECRET_BYTES,
  TABLE,
  writeRow,
} from './rows.ts'
import { MAX_SHORT_BYTES, readShort } from './statement.ts'

/** A device key that is trusted now. */
export interface TrustedDevice extends DeviceKey {
  readonly carrier: DeviceCarrier
  readonly family: string
  /** What must still hold in the desk's store when a challenge is spent; so that a revocation that was first wins. */
  readonly checks?: readonly StoreStep[]
}

/** The port: who knows which device keys a realm trusts. */
export interface DeviceTrust {
  /** The key of this 32-byte id; `undefined` when it is unknown or revoked. */
  find(device: Uint8Array, options?: CallOptions): Promise<TrustedDevice | undefined>
}

/** A device key to be trusted. `family`: 1 to 64 bytes that name what is revoked together. */
export interface DeviceEnrolment extends DeviceKey {
  readonly carrier: DeviceCarrier
  readonly family: string
}

/** Device keys in a store. Ids are 64 hexadecimal digits. */
export interface DeviceRegistry extends DeviceTrust {
  /** Trusts a key, and answers with its id. Throws `ERR_CAPTURE_DEVICE` for one that is known, and for a revoked family. */
  enroll(device: DeviceEnrolment, options?: CallOptions): Promise<string>
  /** Trusts a key no more, for good. Throws `ERR_CAPTURE_DEVICE` for an unknown one. */
  revoke(device: string, options?: CallOptions): Promise<void>
  /** Trusts no key of a family any more, for good, whether one is known or not. */
  revokeFamily(family: string, options?: CallOptions): Promise<void>
}

/** `secret`: the realm's capture secret, 32 bytes, copied. */
export interface DeviceRegistryOptions {
  readonly store: Store
  readonly realm: string
  readonly secret: Uint8Array
  readonly clock?: Clock
}

const DEVICE = 63
const FAMILY = 64
const DEVICE_LABEL = 'guise/v1/capture-device'
const FAMILY_LABEL = 'guise/v1/capture-family'
const ENROLLED = 0
const REVOKED = 1
const MAX_KEY_BYTES = 65
const ATTEMPTS = 16

/**
 * Device keys that lie beside the challenges: in the desk's own store a revocation that was committed first wins against a capture
 * under way. Throws `ERR_CAPTURE_INPUT`.
 */
export function deviceRegistry(options: DeviceRegistryOptions): DeviceRegistry {
  const given = readFields(options, 'options', ['store', 'realm', 'secret', 'clock'], rejectInput)
  const realm = checkRealm(given.realm, rejectInput)
  const secret = copyBytes(given.secret, 'secret', SECRET_BYTES, rejectInput)
  const clock = (given.clock as Clock | undefined) ?? systemClock
  try {
    return new StoredDevices(given.store as Store, realm, captureKeys(secret, realm), clock)
  } finally {
    secret.fill(0)
  }
}

/** Device keys that are forgotten with the process, for tests and examples. */
export function memoryDevices(): DeviceRegistry {
  const registry = deviceRegistry({
    store: memoryStore(),
    realm: 'memory',
    secret: randomBytes(SECRET_BYTES),
  })
  return {
    enroll: (device, options) => registry.enroll(device, options),
    revoke: (device, options) => registry.revoke(device, options),
    revokeFamily: (family, options) => registry.revokeFamily(family, options),
    // No commit of a desk can check rows that are not in its store.
    find: async (device, options) => {
      const found = await registry.find(device, options)
      if (found === undefined) return undefined
      const { checks: _, ...trusted } = found
      return trusted
    },
  }
}

interface DeviceRow {
  readonly key: DeviceKey
  readonly carrier: DeviceCarrier
  readonly family: string
  readonly state: number
  readonly enrolledMs: number
}

class StoredDevices implements DeviceRegistry {
  readonly #store: Store
  readonly #realm: Realm
  readonly #keys: CaptureKeys
  readonly #clock: Clock

  constructor(store: Store, realm: Realm, keys: CaptureKeys, clock: Clock) {
    this.#store = store
    this.#realm = realm
    this.#keys = keys
    this.#clock = clock
  }

  async find(device: Uint8Array, options: CallOptions = {}): Promise<TrustedDevice | undefined> {
    const place = deviceRowKey(this.#realm, device)
    const row = await this.#store.get(TABLE, place, options)
    const known = row === undefined ? undefined : this.#readable(row, device)
    if (row === undefined || known === undefined || known.state !== ENROLLED) return undefined
    const family = familyRowKey(this.#realm, known.family)
    // Whatever lies there, readable or not, the family is not trusted.
    if ((await this.#store.get(TABLE, family, options)) !== undefined) return undefined
    return {
      ...known.key,
      carrier: known.carrier,
      family: known.family,
      checks: [
        { step: 'check', table: TABLE, key: place, expected: row.version },
        { step: 'check', table: TABLE, key: family, expected: null },
      ],
    }
  }

  async enroll(device: DeviceEnrolment, options: CallOptions = {}): Promise<string> {
    const fields = ['algorithm', 'publicKey', 'carrier', 'family'] as const
    const given = readFields(device, 'a device', fields, rejectDevice)
    const key = checkDeviceKey(given)
    const carrier = checkOneOf(given.carrier, 'carrier', CARRIERS, rejectDevice)
    const family = checkFamily(given.family)
    if (!(await isPoint(key))) throw rejectDevice('the public key is no point of its curve')
    const id = thumbprint(key)
    const nowMs = this.#clock.nowMs()
    const bytes = this.#write(id, { key, carrier, family, state: ENROLLED, enrolledMs: nowMs })
    const steps: readonly StoreStep[] = [
      { step: 'put', table: TABLE, key: deviceRowKey(this.#realm, id), bytes, expected: null },
      { step: 'check', table: TABLE, key: familyRowKey(this.#realm, family), expected: null },
    ]
    await this.#store.commit(steps, options).catch((error: unknown) => {
      throw isConflict(error) ? rejectDevice('the key is known, or its family revoked') : error
    })
    return toHex(id)
  }

  async revoke(device: string, options: CallOptions = {}): Promise<void> {
    const id = typeof device === 'string' ? fromHex(device) : undefined
    if (id?.length !== HASH_BYTES) throw rejectDevice('a device id has 64 hexadecimal digits')
    const place = deviceRowKey(this.#realm, id)
    await this.#repeatedly(async () => {
      const row = await this.#store.get(TABLE, place, options)
      if (row === undefined) throw rejectDevice('the device is unknown')
      const known = this.#read(row, id)
      if (known.state === REVOKED) return
      const bytes = this.#write(id, { ...known, state: REVOKED })
      await this.#store.commit(
        [{ step: 'put', table: TABLE, key: place, bytes, expected: row.version }],
        options,
      )
    })
  }

  async revokeFamily(family: string, options: CallOptions = {}): Promise<void> {
    const name = checkFamily(family)
    const key = familyRowKey(this.#realm, name)
    const body = [FORMAT, FAMILY, this.#realm, name, this.#clock.nowMs()]
    const bytes = writeRow(this.#keys.device, FAMILY_LABEL, body)
    await this.#store
      .commit([{ step: 'put', table: TABLE, key, bytes, expected: null }], options)
      .catch((error: unknown) => {
        // Revoked already.
        if (!isConflict(error)) throw error
      })
  }

  /** Others may enrol and revoke at the same time: what they wrote is read again. */
  async #repeatedly(task: () => Promise<void>): Promise<void> {
    for (let left = ATTEMPTS; ; left--) {
      try {
        await task()
        return
      } catch (error) {
        if (!isConflict(error) || left === 1) throw error
      }
    }
  }

  #write(id: Uint8Array, { key, carrier, family, state, enrolledMs }: DeviceRow): Uint8Array {
    const body: readonly CborValue[] = [
      FORMAT,
      DEVICE,
      this.#realm,
      id,
      ALGORITHMS.indexOf(key.algorithm),
      key.publicKey,
      CARRIERS.indexOf(carrier),
      family,
      state,
      enrolledMs,
      this.#clock.nowMs(),
    ]
    return writeRow(this.#keys.device, DEVICE_LABEL, body)
  }

  #readable(row: StoredRow, id: Uint8Array): DeviceRow | undefined {
    try {
      return this.#read(row, id)
    } catch {
      return undefined
    }
  }

  #read(row: StoredRow, id: Uint8Array): DeviceRow {
    const body = readRow(row.bytes, this.#keys.device, DEVICE_LABEL, DEVICE, 11)
    if (body[2] !== this.#realm || !equalBytes(asBytes(body[3], HASH_BYTES, rejectRow), id))
      throw rejectRow('a row lies in the wrong place')
    return {
      key: {
        algorithm: ALGORITHMS[asUint(body[4], 1, rejectRow)] as DeviceKey['algorithm'],
        publicKey: asBytes(body[5], [0, MAX_KEY_BYTES], rejectRow),
      },
      carrier: CARRIERS[asUint(body[6], 1, rejectRow)] as DeviceCarrier,
      family: readShort(body[7], rejectRow),
      state: asUint(body[8], REVOKED, rejectRow),
      enrolledMs: asUint(body[9], Number.MAX_SAFE_INTEGER, rejectRow),
    }
  }
}

function checkFamily(value: unknown): string {
  return checkText(value, 'family', { maxBytes: MAX_SHORT_BYTES }, rejectDevice)
}

function isConflict(error: unknown): boolean {
  return error instanceof StoreError && error.code === 'ERR_STORE_CONFLICT'
}
