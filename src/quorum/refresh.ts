/** Refresh: new shares of the same key, so that a share that was stolen is worth nothing (SPEC §13.2). @module */

import { equalBytes, secretBytes, wipe } from '../base/bytes.ts'
import { asArray, asBytes, decodeCbor, encodeCbor } from '../base/cbor.ts'
import { checkBytes } from '../base/check.ts'
import { fitsCommitments, indices, zeroPolynomial, zeroValue } from '../crypto/frost.ts'
import {
  type Element,
  multiplyBase,
  readScalar,
  SCALAR_BYTES,
  scalars,
  writeScalar,
} from '../crypto/ristretto.ts'
import { blame, malformed, rejectInput } from './errors.ts'
import { elementOf, FORMAT, indexOf, MAX_EPOCH, MAX_KEY_BYTES, QuorumKey, requireKind } from './key.ts'
import { encodePackage, type PackagePlace, readPackages, roundOf } from './package.ts'
import { type QuorumShare, shareOf } from './share.ts'

const KIND = 34

/** One holder's part in a refresh; every holder takes part. Each step once, in this order. */
export interface QuorumRefresh extends Disposable {
  /** For everybody, over a channel that shows all of them the same. */
  readonly opening: Uint8Array
  /** As in making the shares: from all openings a package for each other holder. Throws `ERR_QUORUM_ROUND`. */
  deal(openings: readonly Uint8Array[]): ReadonlyMap<number, Uint8Array>
  /** The new share; the old one is the caller's, who disposes of it, and of its file, once all serve the new ones. */
  finish(packages: readonly Uint8Array[]): QuorumShare
}

/** Begins a refresh of the shares. `share` stays the caller's. */
export function refreshQuorum(share: QuorumShare): QuorumRefresh {
  return resumableRefresh(share)
}

/** A refresh whose holder may go on with it in another process. */
export interface ResumableRefresh extends QuorumRefresh {
  /** Those that packages were made for, in the order of indices; none before. */
  readonly openings: readonly Uint8Array[]
  /** `b_1 ‖ … ‖ b_{t−1}`, off-heap and as secret as a package; the caller wipes it. */
  save(): Uint8Array<ArrayBuffer>
}

/** Begins a refresh, or goes on with the one that was saved. Throws `ERR_QUORUM_FORMAT` when that is of another threshold. */
export function resumableRefresh(share: QuorumShare, saved?: Uint8Array): ResumableRefresh {
  if (share.key.refresh === MAX_EPOCH) throw rejectInput('there is no further refresh')
  const { threshold } = share.key
  return new Refresh(
    share.copy(),
    saved === undefined ? zeroPolynomial(threshold) : restore(saved, threshold),
  )
}

interface ZeroPolynomial {
  readonly coefficients: bigint[]
  readonly commitments: readonly Element[]
}

function restore(saved: Uint8Array, threshold: number): ZeroPolynomial {
  if (saved.length !== (threshold - 1) * SCALAR_BYTES) throw malformed('the saved refresh has another length')
  const coefficients = indices(threshold - 1).map((power) => {
    const value = readScalar(saved.subarray((power - 1) * SCALAR_BYTES, power * SCALAR_BYTES))
    if (value === undefined) throw malformed('expected a scalar')
    return value
  })
  return { coefficients, commitments: coefficients.map(multiplyBase) }
}

interface RefreshOpening {
  readonly index: number
  readonly commitments: readonly Element[]
  readonly bytes: Uint8Array
}

class Refresh implements ResumableRefresh {
  readonly opening: Uint8Array
  readonly #share: QuorumShare
  readonly #coefficients: bigint[]
  #openings: readonly RefreshOpening[] = []
  #place: PackagePlace | undefined

  constructor(share: QuorumShare, { coefficients, commitments }: ZeroPolynomial) {
    this.#share = share
    this.#coefficients = coefficients
    const elements = commitments.map((commitment) => commitment.toBytes())
    this.opening = encodeCbor([FORMAT, KIND, share.key.bytes, share.index, elements])
  }

  get openings(): readonly Uint8Array[] {
    return this.#openings.map(({ bytes }) => bytes)
  }

  save(): Uint8Array<ArrayBuffer> {
    const bytes = secretBytes(this.#coefficients.length * SCALAR_BYTES)
    this.#coefficients.forEach((coefficient, i) => {
      const scalar = writeScalar(coefficient)
      bytes.set(scalar, i * SCALAR_BYTES)
      wipe(scalar)
    })
    return bytes
  }

  deal(openings: readonly Uint8Array[]): ReadonlyMap<number, Uint8Array> {
    if (this.#place !== undefined || this.#share.disposed) throw rejectInput('this step was taken')
    const { key, index } = this.#share
    const sorted = sortOpenings(openings, key)
    const own = sorted[index - 1]
    if (own === undefined || !equalBytes(own.bytes, this.opening))
      throw rejectInput('the own opening is missing')
    const { realm, epoch, refresh } = key
    const round = roundOf(sorted.map(({ bytes }) => bytes))
    this.#place = { realm, epoch, refresh: refresh + 1, step: 1, round, to: index }
    this.#openings = sorted
    const sent = new Map<number, Uint8Array>()
    for (const to of indices(key.holders)) {
      if (to === index) continue
      const value = writeScalar(zeroValue(this.#coefficients, to))
      sent.set(to, encodePackage({ ...this.#place, to }, index, value))
      wipe(value)
    }
    return sent
  }

  finish(packages: readonly Uint8Array[]): QuorumShare {
    if (this.#place === undefined || this.#share.disposed) throw rejectInput('this is not the next step')
    const { key, index } = this.#share
    const others = this.#openings.filter((opening) => opening.index !== index)
    const values = readPackages(
      packages,
      this.#place,
      others.map((other) => other.index),
    )
    let sum = zeroValue(this.#coefficients, index)
    for (const other of others) {
      const value = values.get(other.index) as Uint8Array
      if (!fitsCommitments(value, other.commitments, index, 1)) throw blame(other.index)
      sum = scalars.add(sum, readScalar(value) as bigint)
    }
    const { realm, epoch, threshold, holders } = key
    const commitments = moved(key, this.#openings)
    const next = new QuorumKey({ realm, epoch, refresh: key.refresh + 1, threshold, holders, commitments })
    const share = this.#share.use((own) => shareOf(next, index, scalars.add(own, sum)))
    this[Symbol.dispose]()
    return share
  }

  [Symbol.dispose](): void {
    this.#coefficients.fill(0n)
    this.#share.dispose()
  }
}

/** `C'_0 = C_0`, `C'_m = C_m + Σ b_m·G`. */
function moved(key: QuorumKey, openings: readonly RefreshOpening[]): readonly Element[] {
  return key.commitments.map((commitment, power) =>
    power === 0
      ? commitment
      : openings.reduce((sum, { commitments }) => sum.add(commitments[power - 1] as Element), commitment),
  )
}

function sortOpenings(openings: readonly Uint8Array[], key: QuorumKey): readonly RefreshOpening[] {
  const sorted: RefreshOpening[] = []
  for (const bytes of openings) {
    const opening = readOpening(bytes, key)
    if (sorted[opening.index - 1] !== undefined) throw blame(opening.index)
    sorted[opening.index - 1] = opening
  }
  for (const index of indices(key.holders))
    if (sorted[index - 1] === undefined) throw blame(index, 'this holder published nothing')
  return sorted
}

function readOpening(bytes: Uint8Array, key: QuorumKey): RefreshOpening {
  checkBytes(bytes, 'opening', [0, Number.MAX_SAFE_INTEGER], rejectInput)
  const items = asArray(decodeCbor(bytes, 2 * MAX_KEY_BYTES, malformed), 5, malformed)
  const [format, kind, keyBytes, index, elements] = items
  requireKind(format, kind, KIND)
  const sender = indexOf(index, key.holders)
  const commitments = asArray(elements, key.threshold - 1, malformed).map(elementOf)
  if (!equalBytes(asBytes(keyBytes, [0, MAX_KEY_BYTES], malformed), key.bytes)) {
    throw blame(sender, 'this holder refreshes another key')
  }
  return { index: sender, commitments, bytes }
}
