/** Preimages presented to templates: who accepts them, by target, number of bits and rate (SPEC §15.6). @module */

import { accepts } from '../compare/decide.ts'
import type { Bits } from '../policy/operating-point.ts'
import { keyStream } from '../transform/stream.ts'
import { type Suite, suiteParameters } from '../transform/suite.ts'
import type { ThresholdPair } from './inversion-plan.ts'
import type { Pace } from './pace.ts'
import { type PairKernel, pairKernel, scoreAt } from './pair-kernel.ts'
import type { People } from './people.ts'
import type { BitGroup } from './scores.ts'

/** Shares of presentations accepted: one value for each target, by rate as in `RATES`. */
export type Shares = readonly Float64Array[]

/** What is presented for each target, as integers of an embedding: one for each number of bits, or one for all. */
export interface Presented {
  readonly name: string
  readonly at: (target: number, bits: Bits) => Int32Array
  readonly byBits: boolean
}

/** Accepted presentations of one attack at one number of bits, under several keys. */
export interface Acceptance {
  /** Mean over the keys. */
  readonly shares: Shares
  /** By rate: the share of all targets, key by key. */
  readonly byKey: Shares
}

export interface PresentOptions {
  readonly suite: Suite
  readonly group: BitGroup
  readonly thresholds: ReadonlyMap<Bits, ThresholdPair>
  /** Keys of each presentation. */
  readonly keys: number
  readonly keyOf: (target: number, key: number) => Uint8Array
  /** Sample that the template is made of. */
  readonly referenceOf: (target: number) => number
}

/** By attack, then by number of bits. */
export type Acceptances = ReadonlyMap<string, ReadonlyMap<Bits, Acceptance>>

/** Presents everything to one template for each target and key. */
export async function present(
  people: People,
  targets: number,
  presented: readonly Presented[],
  options: PresentOptions,
  pace: Pace,
): Promise<Acceptances> {
  const { suite, group, keys, keyOf, referenceOf } = options
  const { n, bits } = group
  const most = bits.at(-1) as Bits
  const kernel = pairKernel({ n, rounds: suiteParameters(suite).rounds, most })
  const found = new Map(
    presented.map(({ name }) => [name, new Map(bits.map((m) => [m, noneYet(targets, keys)]))]),
  )
  const { dimensions, integers } = people
  try {
    for (let key = 0; key < keys; key++) {
      for (let target = 0; target < targets; target++) {
        keyStream(suite, keyOf(target, key), n, 0, kernel.stream)
        const from = referenceOf(target) * dimensions
        kernel.turnTo(integers.subarray(from, from + dimensions))
        for (const one of presented) {
          const acceptances = found.get(one.name) as ReadonlyMap<Bits, Acceptance>
          presentOne(kernel, one, { target, key }, options, acceptances)
        }
        await pace.step(1)
      }
    }
  } finally {
    kernel.wipe()
  }
  for (const acceptances of found.values()) {
    for (const { shares, byKey } of acceptances.values()) {
      for (const values of shares) divide(values, keys)
      for (const values of byKey) divide(values, targets)
    }
  }
  return found
}

function presentOne(
  kernel: PairKernel,
  { at, byBits }: Presented,
  { target, key }: { readonly target: number; readonly key: number },
  { group, thresholds }: PresentOptions,
  acceptances: ReadonlyMap<Bits, Acceptance>,
): void {
  const { scores } = kernel
  const most = group.bits.at(-1) as Bits
  if (!byBits) kernel.score(at(target, most))
  for (const m of group.bits) {
    if (byBits) kernel.score(at(target, m))
    const place = scoreAt(m)
    const { shares, byKey } = acceptances.get(m) as Acceptance
    thresholds.get(m)?.forEach((threshold, rate) => {
      if (threshold === undefined) return
      if (!accepts(scores[place] as number, scores[place + 1] as number, m, threshold)) return
      add(shares[rate] as Float64Array, target)
      add(byKey[rate] as Float64Array, key)
    })
  }
}

function noneYet(targets: number, keys: number): Acceptance {
  return {
    shares: [new Float64Array(targets), new Float64Array(targets)],
    byKey: [new Float64Array(keys), new Float64Array(keys)],
  }
}

function add(values: Float64Array, at: number): void {
  values[at] = (values[at] as number) + 1
}

function divide(values: Float64Array, by: number): void {
  for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) / by
}
