/** Replacement of a holder whose share is lost: t others make it again, and none of them learns it (SPEC §13.2). @module */

import { equalBytes, wipe } from '../base/bytes.ts'
import { asArray, asBytes, decodeCbor, encodeCbor } from '../base/cbor.ts'
import { checkBytes, checkInteger } from '../base/check.ts'
import { lagrange } from '../crypto/frost.ts'
import {
  type Element,
  multiplyBase,
  randomScalar,
  readScalar,
  scalars,
  sumOfProducts,
  writeScalar,
} from '../crypto/ristretto.ts'
import { blame, malformed, rejectInput } from './errors.ts'
import {
  elementOf,
  FORMAT,
  indexOf,
  MAX_KEY_BYTES,
  type QuorumKey,
  readQuorumKey,
  requireKind,
} from './key.ts'
import { encodePackage, type PackagePlace, readPackages, roundOf } from './package.ts'
import { type QuorumShare, shareOf } from './share.ts'

const KIND = 35

/** Whose share is made again, and by whom. */
export interface RepairPlan {
  readonly lost: number
  /** As many as the threshold, ascending, without the lost one. */
  readonly helpers: readonly number[]
}

/** One helper's part. Each step once, in this order. */
export interface QuorumRepair extends Disposable {
  /** For every helper and for the lost holder, over a channel that shows all of them the same. */
  readonly opening: Uint8Array
  /** From all openings: a package for each other helper, by index; the caller wipes them. Throws `ERR_QUORUM_ROUND`. */
  deal(openings: readonly Uint8Array[]): ReadonlyMap<number, Uint8Array>
  /** From the packages of the other helpers: the package for the lost holder. Throws `ERR_QUORUM_ROUND`. */
  sum(packages: readonly Uint8Array[]): Uint8Array
}

/** Begins to help. `share` stays the caller's. */
export function helpRepair(share: QuorumShare, plan: RepairPlan): QuorumRepair {
  checkPlan(share.key, plan)
  if (!plan.helpers.includes(share.index)) throw rejectInput('this holder is no helper')
  return new Repair(share, plan)
}

/**
 * The share of the lost holder, from all openings and from each helper's sum. Refresh afterwards: until then the lost share
 * is as good as this one. Throws `ERR_QUORUM_ROUND` with the index of whose opening or package does not hold.
 */
export function finishRepair(
  keyBytes: Uint8Array,
  plan: RepairPlan,
  openings: readonly Uint8Array[],
  packages: readonly Uint8Array[],
): QuorumShare {
  const key = readQuorumKey(keyBytes)
  const { lost, helpers } = checkPlan(key, plan)
  const sorted = sortOpenings(openings, key, plan)
  const sums = readPackages(packages, placeOf(key, sorted, 3, lost), helpers)
  let value = 0n
  for (const [at, helper] of helpers.entries()) {
    const sum = readScalar(sums.get(helper) as Uint8Array)
    const expected = sumOfProducts(sorted.map(({ pieces }) => [1n, pieces[at] as Element]))
    if (sum === undefined || !multiplyBase(sum).equals(expected)) throw blame(helper)
    value = scalars.add(value, sum)
  }
  return shareOf(key, lost, value)
}

interface RepairOpening {
  readonly index: number
  readonly pieces: readonly Element[]
  readonly bytes: Uint8Array
}

class Repair implements QuorumRepair {
  readonly opening: Uint8Array
  readonly #key: QuorumKey
  readonly #index: number
  readonly #plan: RepairPlan
  readonly #pieces: bigint[]
  #openings: readonly RepairOpening[] | undefined
  #over = false

  constructor(share: QuorumShare, plan: RepairPlan) {
    const { key, index } = share
    const { lost, helpers } = plan
    const own = lagrange(helpers, lost)[helpers.indexOf(index)] as bigint
    this.#key = key
    this.#index = index
    this.#plan = { lost, helpers: [...helpers] }
    this.#pieces = share.use((scalar) => split(scalars.multiply(own, scalar), helpers.length))
    const elements = this.#pieces.map((piece) => multiplyBase(piece).toBytes())
    this.opening = encodeCbor([FORMAT, KIND, key.bytes, index, lost, [...helpers], elements])
  }

  deal(openings: readonly Uint8Array[]): ReadonlyMap<number, Uint8Array> {
    if (this.#over || this.#openings !== undefined) throw rejectInput('this step was taken')
    const { helpers } = this.#plan
    const sorted = sortOpenings(openings, this.#key, this.#plan)
    const own = sorted[helpers.indexOf(this.#index)]
    if (own === undefined || !equalBytes(own.bytes, this.opening))
      throw rejectInput('the own opening is missing')
    this.#openings = sorted
    const sent = new Map<number, Uint8Array>()
    for (const [at, to] of helpers.entries()) {
      if (to === this.#index) continue
      const piece = writeScalar(this.#pieces[at] as bigint)
      sent.set(to, encodePackage(placeOf(this.#key, sorted, 2, to), this.#index, piece))
      wipe(piece)
    }
    return sent
  }

  sum(packages: readonly Uint8Array[]): Uint8Array {
    if (this.#over || this.#openings === undefined) throw rejectInput('this is not the next step')
    const { helpers, lost } = this.#plan
    const at = helpers.indexOf(this.#index)
    const others = this.#openings.filter(({ index }) => index !== this.#index)
    const place = placeOf(this.#key, this.#openings, 2, this.#index)
    const pieces = readPackages(
      packages,
      place,
      others.map(({ index }) => index),
    )
    let sum = this.#pieces[at] as bigint
    for (const other of others) {
      const piece = readScalar(pieces.get(other.index) as Uint8Array)
      if (piece === undefined || !multiplyBase(piece).equals(other.pieces[at] as Element))
        throw blame(other.index)
      sum = scalars.add(sum, piece)
    }
    const value = writeScalar(sum)
    try {
      return encodePackage(placeOf(this.#key, this.#openings, 3, lost), this.#index, value)
    } finally {
      wipe(value)
      this[Symbol.dispose]()
    }
  }

  [Symbol.dispose](): void {
    this.#over = true
    this.#pieces.fill(0n)
  }
}

/** Summands of `value`, all but the last uniform. */
function split(value: bigint, count: number): bigint[] {
  const pieces = Array.from({ length: count - 1 }, randomScalar)
  return [...pieces, pieces.reduce(scalars.subtract, value)]
}

function placeOf(key: QuorumKey, sorted: readonly RepairOpening[], step: 2 | 3, to: number): PackagePlace {
  const { realm, epoch, refresh } = key
  return { realm, epoch, refresh, step, round: roundOf(sorted.map(({ bytes }) => bytes)), to }
}

function checkPlan(key: QuorumKey, { lost, helpers }: RepairPlan): RepairPlan {
  checkInteger(lost, 'lost', [1, key.holders], rejectInput)
  for (const helper of helpers) checkInteger(helper, 'helper', [1, key.holders], rejectInput)
  const ascending = helpers.every((helper, i) => i === 0 || helper > (helpers[i - 1] as number))
  if (helpers.length !== key.threshold || !ascending || helpers.includes(lost)) {
    throw rejectInput('helpers are as many as the threshold, ascending, without the lost one')
  }
  return { lost, helpers }
}

/** One opening of each helper, in their order, whose pieces add up to what the helper has to give. */
function sortOpenings(
  openings: readonly Uint8Array[],
  key: QuorumKey,
  plan: RepairPlan,
): readonly RepairOpening[] {
  const { lost, helpers } = plan
  const factors = lagrange(helpers, lost)
  const read = openings.map((bytes) => readOpening(bytes, key, plan))
  return helpers.map((helper, at) => {
    const [opening, second] = read.filter(({ index }) => index === helper)
    if (opening === undefined || second !== undefined)
      throw blame(helper, 'one opening of each helper is needed')
    const sum = sumOfProducts(opening.pieces.map((piece) => [1n, piece]))
    if (!sum.equals(sumOfProducts([[factors[at] as bigint, key.shareKey(helper)]]))) throw blame(helper)
    return opening
  })
}

function readOpening(bytes: Uint8Array, key: QuorumKey, plan: RepairPlan): RepairOpening {
  checkBytes(bytes, 'opening', [0, Number.MAX_SAFE_INTEGER], rejectInput)
  const items = asArray(decodeCbor(bytes, 2 * MAX_KEY_BYTES, malformed), 7, malformed)
  const [format, kind, keyBytes, index, lost, helpers, elements] = items
  requireKind(format, kind, KIND)
  const sender = indexOf(index, key.holders)
  const named = asArray(helpers, key.threshold, malformed).map((helper) => indexOf(helper, key.holders))
  const pieces = asArray(elements, key.threshold, malformed).map(elementOf)
  const fits =
    equalBytes(asBytes(keyBytes, [0, MAX_KEY_BYTES], malformed), key.bytes) &&
    indexOf(lost, key.holders) === plan.lost &&
    named.every((helper, i) => helper === plan.helpers[i])
  if (!fits || !plan.helpers.includes(sender)) throw blame(sender, 'this helper makes another share')
  return { index: sender, pieces, bytes }
}
