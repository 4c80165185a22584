/** Making a quorum's shares: by a dealer, or by the holders together (SPEC §13.1). @module */

import type { Realm } from '../base/brand.ts'
import { equalBytes, wipe } from '../base/bytes.ts'
import { asArray, asBytes, decodeCbor, encodeCbor } from '../base/cbor.ts'
import { checkBytes, checkInteger, checkObject } from '../base/check.ts'
import { checkRealm } from '../base/identifier.ts'
import { Deal, dealShares, fitsCommitments, indices, type Opening } from '../crypto/frost.ts'
import { ELEMENT_BYTES, PROOF_BYTES } from '../crypto/ristretto.ts'
import { blame, malformed, rejectInput } from './errors.ts'
import {
  checkEpoch,
  checkSize,
  elementOf,
  epochOf,
  FORMAT,
  indexOf,
  MAX_KEY_BYTES,
  QuorumKey,
  type QuorumSize,
  requireKind,
  sizeOf,
} from './key.ts'
import { encodePackage, type PackagePlace, readPackages, roundOf } from './package.ts'
import { QuorumShare } from './share.ts'

const KIND = 26

/** Which quorum is made. */
export interface QuorumPlan extends QuorumSize {
  readonly realm: string
  /** Names the key; a new key has a new one. */
  readonly epoch: number
}

/** The public key and all shares. Whoever holds this holds the key: hand the shares out, dispose of them. */
export interface DealtQuorum {
  readonly key: QuorumKey
  /** Of holder 1, 2 … n. */
  readonly shares: readonly QuorumShare[]
}

/**
 * Draws a key and deals it. The caller knows the key until the shares are gone from its memory, which JavaScript cannot promise:
 * let the holders make it together (`joinQuorum`) where that matters.
 */
export function dealQuorum(plan: QuorumPlan): DealtQuorum {
  const { realm, epoch, threshold, holders } = checkPlan(plan)
  const { commitments, shares } = dealShares(threshold, holders)
  try {
    const key = new QuorumKey({ realm, epoch, refresh: 0, threshold, holders, commitments })
    return { key, shares: shares.map((share, i) => new QuorumShare(key, i + 1, share)) }
  } finally {
    wipe(...shares)
  }
}

/** One holder's part in making a quorum's key that nobody ever knows. Each step once, in this order. */
export interface QuorumCeremony extends Disposable {
  /** For everybody, over a channel that shows all of them the same. */
  readonly opening: Uint8Array
  /**
   * From all openings, the own one included: a package for each other holder, by index, each over a private channel to that
   * holder; the caller wipes them. Throws `ERR_QUORUM_ROUND` with the index of whose opening does not hold.
   */
  deal(openings: readonly Uint8Array[]): ReadonlyMap<number, Uint8Array>
  /**
   * The own share, from the packages of all others; the caller wipes them. All holders compare `share.key.bytes` before the key is
   * used. Throws `ERR_QUORUM_ROUND` with the index of whose package does not hold.
   */
  finish(packages: readonly Uint8Array[]): QuorumShare
}

/** Begins to make a quorum together with the other holders (FROST's key generation). */
export function joinQuorum(plan: QuorumPlan, index: number): QuorumCeremony {
  const checked = checkPlan(plan)
  checkInteger(index, 'index', [1, checked.holders], rejectInput)
  return new Ceremony(checked, index)
}

type CheckedPlan = QuorumPlan & { readonly realm: Realm }

class Ceremony implements QuorumCeremony {
  readonly opening: Uint8Array
  readonly #plan: CheckedPlan
  readonly #index: number
  readonly #deal: Deal
  #others: readonly Opening[] = []
  #place: PackagePlace | undefined
  #state: 'open' | 'dealt' | 'over' = 'open'

  constructor(plan: CheckedPlan, index: number) {
    this.#plan = plan
    this.#index = index
    this.#deal = new Deal(index, plan.threshold, plan.holders)
    this.opening = encodeOpening(plan, this.#deal.opening)
  }

  deal(openings: readonly Uint8Array[]): ReadonlyMap<number, Uint8Array> {
    if (this.#state !== 'open') throw rejectInput('this step was taken')
    const { realm, epoch } = this.#plan
    const sorted = sortOpenings(openings, this.#plan)
    const own = sorted[this.#index - 1]
    if (own === undefined || !equalBytes(own.bytes, this.opening))
      throw rejectInput('the own opening is missing')
    const others = sorted.filter(({ index }) => index !== this.#index)
    const values = this.#deal.deal(others, blame)
    const round = roundOf(sorted.map(({ bytes }) => bytes))
    const place = { realm, epoch, refresh: 0, step: 0, round, to: this.#index } as const
    try {
      const sent = [...values].map(
        ([to, value]) => [to, encodePackage({ ...place, to }, this.#index, value)] as const,
      )
      this.#others = others
      this.#place = place
      this.#state = 'dealt'
      return new Map(sent)
    } finally {
      wipe(...values.values())
    }
  }

  finish(packages: readonly Uint8Array[]): QuorumShare {
    if (this.#state !== 'dealt' || this.#place === undefined) throw rejectInput('this is not the next step')
    const senders = this.#others.map(({ index }) => index)
    const values = readPackages(packages, this.#place, senders)
    for (const { index, commitments } of this.#others) {
      const elements = commitments.map((commitment) => elementOf(commitment))
      if (!fitsCommitments(values.get(index) as Uint8Array, elements, this.#index, 0)) throw blame(index)
    }
    const { realm, epoch, threshold, holders } = this.#plan
    const { commitments, shares } = this.#deal.finish(this.#others, values)
    this.#state = 'over'
    try {
      const key = new QuorumKey({ realm, epoch, refresh: 0, threshold, holders, commitments })
      return new QuorumShare(key, this.#index, shares[0] as Uint8Array)
    } finally {
      wipe(...shares)
    }
  }

  [Symbol.dispose](): void {
    if (this.#state !== 'over') this.#deal.clean()
    this.#state = 'over'
  }
}

function checkPlan(plan: QuorumPlan): CheckedPlan {
  checkObject(plan, 'plan', rejectInput)
  const realm = checkRealm(plan.realm, rejectInput)
  return { realm, epoch: checkEpoch(plan.epoch, rejectInput), ...checkSize(plan, rejectInput) }
}

function encodeOpening(plan: CheckedPlan, { index, commitments, proof }: Opening): Uint8Array {
  const { realm, epoch, threshold, holders } = plan
  return encodeCbor([FORMAT, KIND, realm, epoch, threshold, holders, index, [...commitments], proof])
}

type ReadOpening = Opening & { readonly bytes: Uint8Array }

/** One opening of each holder, in the order of their indices. */
function sortOpenings(openings: readonly Uint8Array[], plan: CheckedPlan): readonly ReadOpening[] {
  const sorted: ReadOpening[] = []
  for (const bytes of openings) {
    const opening = readOpening(bytes, plan)
    if (sorted[opening.index - 1] !== undefined) throw blame(opening.index)
    sorted[opening.index - 1] = opening
  }
  for (const index of indices(plan.holders))
    if (sorted[index - 1] === undefined) throw blame(index, 'this holder published nothing')
  return sorted
}

function readOpening(bytes: Uint8Array, plan: CheckedPlan): ReadOpening {
  checkBytes(bytes, 'opening', [0, Number.MAX_SAFE_INTEGER], rejectInput)
  const items = asArray(decodeCbor(bytes, MAX_KEY_BYTES, malformed), 9, malformed)
  const [format, kind, realm, epoch, threshold, holders, index, commitments, proof] = items
  requireKind(format, kind, KIND)
  const size = sizeOf(threshold, holders)
  const opening = {
    index: indexOf(index, size.holders),
    commitments: asArray(commitments, size.threshold, malformed).map((item) =>
      asBytes(item, ELEMENT_BYTES, malformed),
    ),
    proof: asBytes(proof, PROOF_BYTES, malformed),
    bytes,
  }
  opening.commitments.forEach(elementOf)
  const fits =
    checkRealm(realm, malformed) === plan.realm &&
    epochOf(epoch) === plan.epoch &&
    size.threshold === plan.threshold &&
    size.holders === plan.holders
  if (!fits) throw blame(opening.index, 'this holder makes another quorum')
  return opening
}
