/** What a thief of a code and its key gains: the linear preimage, and who accepts it (SPEC §1, §17). @module */

import { wipe } from '../base/bytes.ts'
import { accepts } from '../compare/decide.ts'
import { score } from '../compare/score.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import { embedding, toIntegers } from '../embedding/embedding.ts'
import type { Model } from '../embedding/model.ts'
import type { Bits, Rate } from '../policy/operating-point.ts'
import { encodeProbe, encodeReference } from '../template/template.ts'
import { keyStream, streamMask } from '../transform/stream.ts'
import { rotationSize, type Suite } from '../transform/suite.ts'
import { bitAt, DoubleRotation } from './double-rotation.ts'
import { inputError } from './errors.ts'
import { Pace, type TaskOptions } from './pace.ts'
import type { PairList } from './pairs.ts'
import type { People } from './people.ts'
import { seededKey } from './random.ts'
import { shareRate } from './rates.ts'

export interface StolenOptions extends TaskOptions {
  readonly suite?: Suite
  readonly bits: Bits
  /** Threshold of an operating point of the same suite and number of bits. */
  readonly threshold: number
  readonly seed: string
  /** At most so many mated pairs become targets. Default 400. */
  readonly targets?: number
}

/** Shares of the targets that were accepted, with Wilson's interval; several targets may be one person. */
export interface StolenFigures {
  readonly targets: number
  readonly threshold: number
  /** Mean cosine between the preimage and the embedding that was enrolled. */
  readonly cosine: number
  /** The preimage, presented to the very template it was made from. */
  readonly sameTemplate: Rate
  /** The preimage, presented to the template reissued from another sample under another key. */
  readonly afterReissue: Rate
  /** The same with a preimage made by the wrong key: what the code gives to a thief who lacks the key. */
  readonly withoutKey: Rate
  /** The person's own first sample, presented to the reissued template: the measure of the others. */
  readonly genuine: Rate
}

/**
 * Wᵀb: the ±1 code turned back through the rotation, in doubles. It points to the embedding as nearly as a thief
 * without knowledge of the population can tell, about √(2m/πd); with such knowledge a thief does better.
 *
 * An attack on data of one's own, not a part of the library's protection: it runs with branches on key bits.
 *
 * @param code the stored, masked code
 * @returns `dimensions` doubles of no particular length, owned by the caller
 */
export function linearPreimage(
  code: Uint8Array,
  rotationKey: Uint8Array,
  { suite, dimensions }: { readonly suite: Suite; readonly dimensions: number },
): Float64Array {
  const bits = code.length * 8
  const n = rotationSize(dimensions, bits)
  const values = new Float64Array(new ArrayBuffer(8 * n))
  const signs = unmask(code, rotationKey, suite, n)
  values.set(signs)
  const rotation = new DoubleRotation(suite, rotationKey, n)
  rotation.turnBack(values)
  rotation.wipe()
  const preimage = new Float64Array(new ArrayBuffer(8 * dimensions))
  preimage.set(values.subarray(0, dimensions))
  wipe(values, signs)
  return preimage
}

/** The signs behind a stored code, as −1 and 1. */
export function unmask(code: Uint8Array, rotationKey: Uint8Array, suite: Suite, n: number): Float64Array {
  const bits = code.length * 8
  const stream = keyStream(suite, rotationKey, n, bits)
  const mask = streamMask(stream, bits)
  const signs = new Float64Array(new ArrayBuffer(8 * bits))
  for (let j = 0; j < bits; j++) signs[j] = bitAt(code, j) === bitAt(mask, j) ? -1 : 1
  wipe(stream)
  return signs
}

/**
 * Steals a code with its key for each target, makes the preimage, reissues from another sample of the person under
 * a fresh key, and counts who is accepted.
 *
 * @param mated pairs of two samples of one person: the first is enrolled and stolen, the second reissued
 */
export async function stealTemplates(
  people: People,
  mated: PairList,
  options: StolenOptions,
): Promise<StolenFigures> {
  const { suite = 'B4', bits, threshold, seed } = options
  await cryptoReady()
  const available = mated.references.length
  const targets = Math.min(options.targets ?? 400, available)
  if (!Number.isInteger(targets) || targets < 1) throw inputError('at least one target is needed')
  const model: Model = { id: people.model, dimensions: people.dimensions, metric: 'cosine' }
  const sample = (index: number): Int32Array =>
    people.integers.subarray(index * people.dimensions, (index + 1) * people.dimensions)
  const accepted = { sameTemplate: 0, afterReissue: 0, withoutKey: 0, genuine: 0 }
  let cosines = 0
  const pace = new Pace(targets, options)
  for (let target = 0; target < targets; target++) {
    // Spread over the list, so that many people are among few targets.
    const pair = Math.floor((target * available) / targets)
    const first = mated.references[pair] as number
    const stolenKey = seededKey(seed, 1, bits, target)
    const freshKey = seededKey(seed, 2, bits, target)
    const stolen = encodeReference(sample(first), suite, bits, stolenKey)
    const reissued = encodeReference(sample(mated.probes[pair] as number), suite, bits, freshKey)
    const isAccepted = (code: Uint8Array, key: Uint8Array, z: Int32Array): number => {
      const probe = encodeProbe(z, suite, bits, key)
      const { sum, energy } = score(code, probe)
      probe.wipe()
      return Number(accepts(sum, energy, bits, threshold))
    }
    const preimageBy = (key: Uint8Array): Float64Array =>
      linearPreimage(stolen, key, { suite, dimensions: people.dimensions })
    const preimage = preimageBy(stolenKey)
    cosines += cosineTo(people, first, preimage)
    const z = integersOf(preimage, model)
    const guess = integersOf(preimageBy(seededKey(seed, 3, bits, target)), model)
    accepted.sameTemplate += isAccepted(stolen, stolenKey, z)
    accepted.afterReissue += isAccepted(reissued, freshKey, z)
    accepted.withoutKey += isAccepted(reissued, freshKey, guess)
    accepted.genuine += isAccepted(reissued, freshKey, sample(first))
    wipe(preimage, z, guess)
    await pace.step(1)
  }
  return {
    targets,
    threshold,
    cosine: cosines / targets,
    sameTemplate: shareRate(accepted.sameTemplate, targets),
    afterReissue: shareRate(accepted.afterReissue, targets),
    withoutKey: shareRate(accepted.withoutKey, targets),
    genuine: shareRate(accepted.genuine, targets),
  }
}

/** The preimage lies in the space after centring, so the model that takes it has no mean. */
export function integersOf(preimage: Float64Array, model: Model): Int32Array {
  const held = embedding(preimage, model)
  const z = toIntegers(held)
  held[Symbol.dispose]()
  return z
}

export function cosineTo(people: People, index: number, vector: Float64Array): number {
  const { dimensions, units } = people
  let product = 0
  let square = 0
  for (let i = 0; i < dimensions; i++) {
    const value = vector[i] as number
    product += value * (units[index * dimensions + i] as number)
    square += value * value
  }
  return product / Math.sqrt(square)
}
