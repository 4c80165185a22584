/** The keys that captures are sealed to: a ring in the store, rotated with an overlap (SPEC §20.4). @module */

import type { Realm } from '../base/brand.ts'
import { equalBytes, joinBytes, toHex, wipe } from '../base/bytes.ts'
import { asArray, asBytes, asUint, type CborValue, encodeCbor } from '../base/cbor.ts'
import { checkInteger } from '../base/check.ts'
import type { Clock } from '../base/clock.ts'
import type { CallOptions } from '../base/errors.ts'
import { GCM_NONCE_BYTES, gcmDecrypt, gcmEncrypt } from '../crypto/gcm.ts'
import {
  HPKE_PRIVATE_BYTES,
  HPKE_PUBLIC_BYTES,
  HPKE_TAG_BYTES,
  type HpkePrivateKey,
  hpkeKeyPair,
  hpkePrivateKey,
} from '../crypto/hpke.ts'
import { randomPublic } from '../crypto/random.ts'
import { StoreError } from '../store/errors.ts'
import type { Store } from '../store/store.ts'
import { thumbprint } from './device-key.ts'
import { rejectInput, rejectRow } from './errors.ts'
import { FORMAT, HASH_BYTES, readRow, ringRowKey, TABLE, writeRow } from './rows.ts'
import type { Recipient } from './sealed.ts'

const RING = 65
const WRAP = 67
const LABEL = 'guise/v1/capture-ring'
const MOST_KEYS = 8
const LEAST_OVERLAP_MS = 120_000
const DEFAULT_OVERLAP_MS = 600_000
const MOST_OVERLAP_MS = 86_400_000
const MOST_VERSION = 0xffff_ffff

interface RingKey {
  readonly id: Uint8Array
  readonly publicKey: Uint8Array
  readonly createdMs: number
  /** From when it opens nothing; none for the current one. */
  readonly untilMs: number | undefined
  readonly nonce: Uint8Array
  readonly wrapped: Uint8Array
}

interface Ring {
  readonly version: number
  readonly keys: readonly RingKey[]
  /** Of the row; `null` when there is none. */
  readonly rowVersion: string | null
}

/** The ring of one realm. */
export class TransportKeys {
  readonly #store: Store
  readonly #realm: Realm
  readonly #key: Uint8Array
  readonly #clock: Clock
  /** Imported private keys by id. */
  readonly #opened = new Map<string, HpkePrivateKey>()

  /** @param key borrowed for as long as this lives */
  constructor(store: Store, realm: Realm, key: Uint8Array, clock: Clock) {
    this.#store = store
    this.#realm = realm
    this.#key = key
    this.#clock = clock
  }

  /** The key that captures are to be sealed to; the first one is made when there is none. */
  async current(options: CallOptions): Promise<Recipient> {
    for (;;) {
      const ring = await this.#read(options)
      const current = ring.keys.find((key) => key.untilMs === undefined)
      if (current !== undefined) return current
      await this.#write(ring, [await this.#make()], options).catch(ignoreConflict)
    }
  }

  /** The private key of an id, unless it opens nothing any more. */
  async find(id: Uint8Array, options: CallOptions): Promise<HpkePrivateKey | undefined> {
    const { keys } = await this.#read(options)
    const found = keys.find((key) => equalBytes(key.id, id))
    if (found === undefined || !this.#isOpen(found)) return undefined
    const name = toHex(id)
    const known = this.#opened.get(name) ?? (await this.#unwrap(found))
    this.#opened.set(name, known)
    return known
  }

  /** A new current key; the former opens for `overlapMs` more. Throws `ERR_STORE_CONFLICT` when another rotation won. */
  async rotate(overlapMs: unknown, options: CallOptions): Promise<Recipient> {
    const overlap =
      overlapMs === undefined
        ? DEFAULT_OVERLAP_MS
        : checkInteger(overlapMs, 'overlapMs', [LEAST_OVERLAP_MS, MOST_OVERLAP_MS], rejectInput)
    const ring = await this.#read(options)
    const untilMs = this.#clock.nowMs() + overlap
    const former = ring.keys
      .filter((key) => this.#isOpen(key))
      .map((key) => (key.untilMs === undefined ? { ...key, untilMs } : key))
    if (former.length >= MOST_KEYS) throw rejectInput('too many former keys still open')
    const next = await this.#make()
    await this.#write(ring, [...former, next], options)
    return { id: next.id, publicKey: next.publicKey }
  }

  /** Removes keys that open nothing any more. */
  async sweep(options: CallOptions): Promise<void> {
    const ring = await this.#read(options)
    const open = ring.keys.filter((key) => this.#isOpen(key))
    if (open.length < ring.keys.length) await this.#write(ring, open, options).catch(ignoreConflict)
    for (const name of this.#opened.keys())
      if (!open.some((key) => toHex(key.id) === name)) this.#opened.delete(name)
  }

  #isOpen({ untilMs }: RingKey): boolean {
    return untilMs === undefined || this.#clock.nowMs() < untilMs
  }

  async #make(): Promise<RingKey> {
    const { publicKey, privateKey } = await hpkeKeyPair()
    try {
      const id = thumbprint({ algorithm: 'ES256', publicKey })
      const nonce = joinBytes(randomPublic(GCM_NONCE_BYTES))
      const wrapped = await gcmEncrypt(this.#key, nonce, this.#aad(id), privateKey)
      return { id, publicKey, createdMs: this.#clock.nowMs(), untilMs: undefined, nonce, wrapped }
    } finally {
      wipe(privateKey)
    }
  }

  async #unwrap({ id, publicKey, nonce, wrapped }: RingKey): Promise<HpkePrivateKey> {
    const bytes = await gcmDecrypt(this.#key, nonce, this.#aad(id), wrapped)
    if (bytes === undefined) throw rejectRow('a transport key does not open')
    try {
      return await hpkePrivateKey(bytes, publicKey)
    } finally {
      wipe(bytes)
    }
  }

  #aad(id: Uint8Array): Uint8Array {
    return encodeCbor([FORMAT, WRAP, this.#realm, id])
  }

  async #read(options: CallOptions): Promise<Ring> {
    const row = await this.#store.get(TABLE, ringRowKey(this.#realm), options)
    if (row === undefined) return { version: 0, keys: [], rowVersion: null }
    const body = readRow(row.bytes, this.#key, LABEL, RING, 5)
    if (body[2] !== this.#realm) throw rejectRow('a row is of another realm')
    const items = body[4]
    if (!Array.isArray(items) || items.length > MOST_KEYS) throw rejectRow('a ring has 1 to 8 keys')
    const keys = (items as readonly CborValue[]).map(readKey)
    return { version: asUint(body[3], MOST_VERSION, rejectRow), keys, rowVersion: row.version }
  }

  async #write(ring: Ring, keys: readonly RingKey[], options: CallOptions): Promise<void> {
    const items = keys.map(({ id, publicKey, createdMs, untilMs, nonce, wrapped }) => [
      id,
      publicKey,
      createdMs,
      untilMs ?? null,
      nonce,
      wrapped,
    ])
    const bytes = writeRow(this.#key, LABEL, [FORMAT, RING, this.#realm, ring.version + 1, items])
    const key = ringRowKey(this.#realm)
    await this.#store.commit([{ step: 'put', table: TABLE, key, bytes, expected: ring.rowVersion }], options)
  }
}

/** Another process was faster: what it wrote is read again. */
export function ignoreConflict(error: unknown): void {
  if (!(error instanceof StoreError) || error.code !== 'ERR_STORE_CONFLICT') throw error
}

function readKey(item: CborValue): RingKey {
  const [id, publicKey, created, until, nonce, wrapped] = asArray(item, 6, rejectRow)
  return {
    id: asBytes(id, HASH_BYTES, rejectRow),
    publicKey: asBytes(publicKey, HPKE_PUBLIC_BYTES, rejectRow),
    createdMs: asUint(created, Number.MAX_SAFE_INTEGER, rejectRow),
    untilMs: until === null ? undefined : asUint(until, Number.MAX_SAFE_INTEGER, rejectRow),
    nonce: asBytes(nonce, GCM_NONCE_BYTES, rejectRow),
    wrapped: asBytes(wrapped, HPKE_PRIVATE_BYTES + HPKE_TAG_BYTES, rejectRow),
  }
}
