/** The public side of a quorum: who may answer, and how answers are checked (SPEC §13.1). @module */

import type { Realm } from '../base/brand.ts'
import { asArray, asBytes, asUint, type CborValue, decodeCbor, encodeCbor } from '../base/cbor.ts'
import { checkBytes, checkInteger } from '../base/check.ts'
import type { Reject } from '../base/errors.ts'
import { checkRealm } from '../base/identifier.ts'
import { committedValue } from '../crypto/frost.ts'
import { ELEMENT_BYTES, type Element, readElement } from '../crypto/ristretto.ts'
import { malformed, rejectInput } from './errors.ts'

export const FORMAT = 1
const KIND = 23
const LEAST_THRESHOLD = 2
const MOST_HOLDERS = 16
export const MAX_EPOCH = 0xffff_ffff
/** Sixteen commitments and the rest. */
export const MAX_KEY_BYTES = 1024

/** A size of a quorum: any `threshold` of `holders`. */
export interface QuorumSize {
  readonly threshold: number
  readonly holders: number
}

/** What a quorum key says. */
export interface QuorumKeyFields extends QuorumSize {
  readonly realm: Realm
  readonly epoch: number
  readonly refresh: number
  readonly commitments: readonly Element[]
}

/**
 * A quorum's public key, as every party pins it. Two keys of one epoch and different refreshes give the same outputs.
 *
 * @example
 * ```ts
 * const key = readQuorumKey(pinnedBytes)
 * ```
 */
export class QuorumKey implements QuorumKeyFields {
  readonly realm: Realm
  readonly epoch: number
  readonly refresh: number
  readonly threshold: number
  readonly holders: number
  readonly commitments: readonly Element[]
  readonly #bytes: Uint8Array
  readonly #shareKeys = new Map<number, Element>()

  constructor({ realm, epoch, refresh, threshold, holders, commitments }: QuorumKeyFields) {
    this.realm = realm
    this.epoch = epoch
    this.refresh = refresh
    this.threshold = threshold
    this.holders = holders
    this.commitments = [...commitments]
    const elements = commitments.map((commitment) => commitment.toBytes())
    this.#bytes = encodeCbor([FORMAT, KIND, realm, epoch, refresh, threshold, holders, elements])
  }

  /** The canonical encoding, a copy: two keys are the same when these bytes are. */
  get bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes)
  }

  /** `S_index`. */
  shareKey(index: number): Element {
    let key = this.#shareKeys.get(index)
    if (key === undefined) {
      key = committedValue(this.commitments, index)
      this.#shareKeys.set(index, key)
    }
    return key
  }
}

/** Reads a quorum key. Throws `ERR_QUORUM_FORMAT`. */
export function readQuorumKey(bytes: Uint8Array): QuorumKey {
  checkBytes(bytes, 'bytes', [0, Number.MAX_SAFE_INTEGER], rejectInput)
  const items = asArray(decodeCbor(bytes, MAX_KEY_BYTES, malformed), 8, malformed)
  const [format, kind, realm, epoch, refresh, threshold, holders, elements] = items
  requireKind(format, kind, KIND)
  const size = sizeOf(threshold, holders)
  return new QuorumKey({
    realm: checkRealm(realm, malformed),
    epoch: epochOf(epoch),
    refresh: asUint(refresh, MAX_EPOCH, malformed),
    ...size,
    commitments: asArray(elements, size.threshold, malformed).map(elementOf),
  })
}

/** Checks threshold and number of holders. */
export function checkSize({ threshold, holders }: QuorumSize, reject: Reject): QuorumSize {
  checkInteger(holders, 'holders', [LEAST_THRESHOLD, MOST_HOLDERS], reject)
  checkInteger(threshold, 'threshold', [LEAST_THRESHOLD, holders], reject)
  return { threshold, holders }
}

export function checkEpoch(value: unknown, reject: Reject): number {
  return checkInteger(value, 'epoch', [1, MAX_EPOCH], reject)
}

/** Refuses another format or kind. */
export function requireKind(
  format: CborValue | undefined,
  kind: CborValue | undefined,
  expected: number,
): void {
  if (format !== FORMAT || kind !== expected) throw malformed('the format or kind is unknown')
}

export function sizeOf(threshold: CborValue | undefined, holders: CborValue | undefined): QuorumSize {
  return checkSize({ threshold: threshold as number, holders: holders as number }, malformed)
}

export function epochOf(value: CborValue | undefined): number {
  return checkEpoch(value, malformed)
}

export function indexOf(value: CborValue | undefined, holders: number = MOST_HOLDERS): number {
  return checkInteger(value, 'index', [1, holders], malformed)
}

export function elementOf(value: CborValue | undefined): Element {
  const element = readElement(asBytes(value, ELEMENT_BYTES, malformed))
  if (element === undefined) throw malformed('expected an element of the group')
  return element
}
