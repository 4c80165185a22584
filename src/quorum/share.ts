/** A holder's share: the one secret number that it keeps (SPEC §13.1). @module */

import { wipe } from '../base/bytes.ts'
import { asArray, asBytes, decodeCbor, encodeCbor } from '../base/cbor.ts'
import { Secret } from '../base/secret.ts'
import { multiplyBase, readScalar, writeScalar } from '../crypto/ristretto.ts'
import { malformed, rejectInput } from './errors.ts'
import { frame, unframe } from './framed.ts'
import { FORMAT, indexOf, MAX_KEY_BYTES, type QuorumKey, readQuorumKey, requireKind } from './key.ts'

const KIND = 25
const HEADER_ROOM_BYTES = 16

/** One holder's share of a quorum's key. Prints as `[QuorumShare]`, has no JSON form, is wiped on dispose. */
export class QuorumShare implements Disposable {
  static {
    // Node's inspector would show the members; it asks this symbol first.
    const inspect = Symbol.for('nodejs.util.inspect.custom')
    Object.defineProperty(QuorumShare.prototype, inspect, { value: () => '[QuorumShare]' })
  }

  readonly key: QuorumKey
  readonly index: number
  readonly #secret: Secret

  /** Copies `scalar`. Throws `ERR_QUORUM_FORMAT` when it is not the share of this index (QUORUM-1). */
  constructor(key: QuorumKey, index: number, scalar: Uint8Array) {
    const value = readScalar(scalar)
    if (value === undefined || !multiplyBase(value).equals(key.shareKey(index))) {
      throw malformed('the share does not fit its key')
    }
    this.key = key
    this.index = index
    this.#secret = new Secret(scalar, () => rejectInput('the share was disposed of'))
  }

  get disposed(): boolean {
    return this.#secret.disposed
  }

  /** Lends the share as a number, of which JavaScript keeps copies that nobody can wipe. */
  use<Result>(task: (scalar: bigint) => Result): Result {
    return this.#secret.use((bytes) => task(readScalar(bytes) as bigint))
  }

  /** A second owner of the same share. */
  copy(): QuorumShare {
    return this.#secret.use((bytes) => new QuorumShare(this.key, this.index, bytes))
  }

  /** The file of this share, off-heap: as secret as the share, so the caller seals it, and wipes these bytes. */
  encode(): Uint8Array<ArrayBuffer> {
    const header = encodeCbor([FORMAT, KIND, this.key.bytes, this.index])
    return this.#secret.use((bytes) => frame(header, bytes))
  }

  dispose(): void {
    this.#secret.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  toString(): string {
    return '[QuorumShare]'
  }

  toJSON(): never {
    throw rejectInput('a share has no JSON form')
  }
}

/** Reads a share file; the caller wipes `bytes`. Throws `ERR_QUORUM_FORMAT`. */
export function readQuorumShare(bytes: Uint8Array): QuorumShare {
  const { header, scalar } = unframe(bytes)
  const items = asArray(decodeCbor(header, MAX_KEY_BYTES + HEADER_ROOM_BYTES, malformed), 4, malformed)
  const [format, kind, keyBytes, index] = items
  requireKind(format, kind, KIND)
  const key = readQuorumKey(asBytes(keyBytes, [0, MAX_KEY_BYTES], malformed))
  return new QuorumShare(key, indexOf(index, key.holders), scalar)
}

/** A share of a number that was just computed. */
export function shareOf(key: QuorumKey, index: number, value: bigint): QuorumShare {
  const scalar = writeScalar(value)
  try {
    return new QuorumShare(key, index, scalar)
  } finally {
    wipe(scalar)
  }
}
