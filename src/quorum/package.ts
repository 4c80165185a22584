/** What holders send each other in private while shares are made or moved (SPEC §13.1, §13.2). @module */

import { concatBytes, equalBytes, fixedLabel } from '../base/bytes.ts'
import { asArray, asBytes, asUint, decodeCbor, encodeCbor } from '../base/cbor.ts'
import { checkRealm } from '../base/identifier.ts'
import { sha256 } from '../crypto/hash.ts'
import { blame, malformed } from './errors.ts'
import { frame, unframe } from './framed.ts'
import { epochOf, FORMAT, indexOf, MAX_EPOCH, requireKind } from './key.ts'

const KIND = 36
const ROUND_BYTES = 32
const MAX_HEADER_BYTES = 256

/** 0 making shares, 1 refresh, 2 a helper's piece, 3 a helper's sum. */
export type Step = 0 | 1 | 2 | 3

/** What a package must say. */
export interface PackagePlace {
  readonly realm: string
  readonly epoch: number
  readonly refresh: number
  readonly step: Step
  /** Digest of what everybody published. */
  readonly round: Uint8Array
  readonly to: number
}

/** The digest of the openings, in the order of their indices. */
export function roundOf(openings: readonly Uint8Array[]): Uint8Array {
  return sha256(concatBytes(fixedLabel('guise/v1/quorum-round'), encodeCbor([...openings])))
}

/** A package, as secret as its scalar. */
export function encodePackage(
  place: PackagePlace,
  from: number,
  scalar: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const { realm, epoch, refresh, step, round, to } = place
  return frame(encodeCbor([FORMAT, KIND, realm, epoch, refresh, step, round, from, to]), scalar)
}

/**
 * The packages by their senders; scalars borrowed. Exactly one from each of `senders`, each for this place; whatever is not
 * is `ERR_QUORUM_ROUND` with the sender's index.
 */
export function readPackages(
  packages: readonly Uint8Array[],
  place: PackagePlace,
  senders: readonly number[],
): ReadonlyMap<number, Uint8Array> {
  const found = new Map<number, Uint8Array>()
  for (const bytes of packages) {
    const { from, scalar, fits } = readPackage(bytes, place)
    if (!fits || !senders.includes(from) || found.has(from)) throw blame(from)
    found.set(from, scalar)
  }
  for (const sender of senders) if (!found.has(sender)) throw blame(sender, 'this holder sent nothing')
  return found
}

function readPackage(
  bytes: Uint8Array,
  place: PackagePlace,
): { readonly from: number; readonly scalar: Uint8Array; readonly fits: boolean } {
  const { header, scalar } = unframe(bytes)
  const items = asArray(decodeCbor(header, MAX_HEADER_BYTES, malformed), 9, malformed)
  const [format, kind, realm, epoch, refresh, step, round, from, to] = items
  requireKind(format, kind, KIND)
  const said = {
    realm: checkRealm(realm, malformed),
    epoch: epochOf(epoch),
    refresh: asUint(refresh, MAX_EPOCH, malformed),
    step: asUint(step, 3, malformed),
    to: indexOf(to),
  }
  const fits =
    said.realm === place.realm &&
    said.epoch === place.epoch &&
    said.refresh === place.refresh &&
    said.step === place.step &&
    said.to === place.to &&
    equalBytes(asBytes(round, ROUND_BYTES, malformed), place.round)
  return { from: indexOf(from), scalar, fits }
}
