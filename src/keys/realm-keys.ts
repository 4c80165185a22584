/** The nine keys of a realm, from its secret and from no wrap epoch (SPEC §4.2). @module */

import type { Realm } from '../base/brand.ts'
import { concatBytes, labelBytes, wipe } from '../base/bytes.ts'
import { encodeCbor } from '../base/cbor.ts'
import { hkdf } from '../crypto/kdf.ts'
import { preparedCustody } from './custody.ts'
import { badInput, KeysError } from './errors.ts'

const LABEL = labelBytes('guise/v1/realm-keys')
const KEY_BYTES = 32
const COUNT = 9

/**
 * Realm keys of one version. Every getter lends a key: it is valid until the caller's next `await`, is neither
 * changed nor kept, and throws `ERR_KEYS_DISPOSED` once the keyring has dropped the keys.
 */
export class RealmKeys implements Disposable {
  readonly version: number
  readonly #keys: Uint8Array
  readonly #preparedOperator: Uint8Array
  #disposed = false

  /** @param secret S_v, 32 bytes, borrowed */
  constructor(realm: Realm, version: number, secret: Uint8Array) {
    this.version = version
    this.#keys = hkdf(secret, concatBytes(LABEL, encodeCbor([realm, version])), COUNT * KEY_BYTES)
    this.#preparedOperator = preparedCustody(0, { custodyKey: this.custody })
  }

  /** Turns subjects into tags and authenticates index rows. */
  get index(): Uint8Array {
    return this.#key(0)
  }

  /** The operator's part of every custody key. */
  get custody(): Uint8Array {
    return this.#key(1)
  }

  /** Authenticates state rows. */
  get state(): Uint8Array {
    return this.#key(2)
  }

  /** Authenticates attempts rows and makes digests of operations. */
  get limiter(): Uint8Array {
    return this.#key(3)
  }

  /** Authenticates the ring. */
  get ring(): Uint8Array {
    return this.#key(4)
  }

  /** Seed of the Ed25519 key that signs receipts. */
  get receipt(): Uint8Array {
    return this.#key(5)
  }

  /** Authenticates what waits in the queue of the log, and the log's head. */
  get log(): Uint8Array {
    return this.#key(6)
  }

  /** Seals what the parts of a gallery are asked and answer. */
  get part(): Uint8Array {
    return this.#key(7)
  }

  /** The capture secret of the realm's desks. */
  get capture(): Uint8Array {
    return this.#key(8)
  }

  /** The prepared custody key for profile `operator`: the same for every record, so computed once. */
  get preparedOperator(): Uint8Array {
    this.#alive()
    return this.#preparedOperator
  }

  dispose(): void {
    this.#disposed = true
    wipe(this.#keys, this.#preparedOperator)
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  toString(): string {
    return '[RealmKeys]'
  }

  toJSON(): never {
    throw badInput('realm keys have no JSON form')
  }

  #key(place: number): Uint8Array {
    this.#alive()
    return this.#keys.subarray(place * KEY_BYTES, (place + 1) * KEY_BYTES)
  }

  #alive(): void {
    if (this.#disposed)
      throw new KeysError('ERR_KEYS_DISPOSED', 'the realm keys were dropped: ask for them again')
  }
}
