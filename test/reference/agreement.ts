/** Random inputs by seed, and what library and reference make of them (SPEC §3, §5–§7). @module */
import { expect } from 'vitest'
import { accepts } from '../../src/compare/decide.ts'
import { score } from '../../src/compare/score.ts'
import { embedding, embeddingModel, fuse, toIntegers, unitVector } from '../../src/embedding/embedding.ts'
import type { Model } from '../../src/embedding/model.ts'
import type { Bits } from '../../src/policy/operating-point.ts'
import { encodeProbe, encodeReference } from '../../src/template/template.ts'
import { rotate } from '../../src/transform/rotate.ts'
import { keyStream } from '../../src/transform/stream.ts'
import { rotationSize } from '../../src/transform/suite.ts'
import * as plainScore from './compare.ts'
import * as plainEmbedding from './embedding.ts'
import * as plainTemplate from './template.ts'
import * as plain from './transform.ts'

const DIMENSIONS: readonly number[] = [64, 128, 256, 512, 1024]
const SUITES: readonly plain.Suite[] = ['B4', 'B6']

/** Numbers in [0, 1) from a seed: a Weyl sequence, mixed (known as mulberry32). */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = Math.imul(seed + 1, 0x9e37_79b1) | 0
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b_79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  below(n: number): number {
    return Math.floor(this.next() * n)
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256))
  }
}

export const KINDS = [
  'plain',
  'sparse',
  'equal',
  'huge',
  'tiny',
  'uneven',
  'integers',
  'halves',
  'zeros of both signs',
] as const
export type Kind = (typeof KINDS)[number]

/** Vectors of every shape that the door lets in. */
function vectorOf(kind: Kind, d: number, random: Random): number[] {
  const centred = (): number => random.next() + random.next() + random.next() - 1.5
  const make: Readonly<Record<Kind, (i: number) => number>> = {
    plain: centred,
    sparse: (i) => (i === 0 || random.below(16) === 0 ? centred() + 2 : 0),
    equal: () => (random.below(2) === 0 ? 0.125 : -0.125),
    huge: () => centred() * 2 ** 50,
    tiny: () => centred() * 2 ** -20,
    uneven: () => centred() * 2 ** (random.below(60) - 30),
    integers: () => random.below(255) - 127,
    // All magnitudes equal or doubled: coordinates of the rotation cancel to zero and to rounding ties.
    halves: () => (random.below(2) === 0 ? 1 : -1) * 2 ** random.below(2),
    'zeros of both signs': (i) => (i % 2 === 0 ? centred() + 2 : random.below(2) === 0 ? 0 : -0),
  }
  return Array.from({ length: d }, (_, i) => make[kind](i))
}

export interface Input {
  readonly d: number
  readonly m: Bits
  readonly suite: plain.Suite
  readonly samples: readonly (readonly number[])[]
  readonly mean: readonly number[] | undefined
  readonly probe: readonly number[]
  readonly rotationKey: Uint8Array
  readonly threshold: number
}

/** Everything about input number `index`; all d, m and suites come up in turn. */
export function inputOf(index: number): Input {
  const random = new Random(index)
  const d = DIMENSIONS[index % 5] as number
  const m = plain.SIZES[Math.floor(index / 5) % 5] as Bits
  const suite = SUITES[Math.floor(index / 25) % 2] as plain.Suite
  const kind = KINDS[random.below(KINDS.length)] as Kind
  const first = vectorOf(kind, d, random)
  const near = (): number[] => first.map((x) => x * (1 + (random.next() - 0.5) / 2))
  const samples =
    random.below(4) === 0 ? [first, ...Array.from({ length: 1 + random.below(4) }, near)] : [first]
  const small = Math.max(...first.map((x) => Math.abs(x))) / 8
  const mean =
    random.below(3) === 0
      ? Array.from({ length: d }, () => Math.fround((random.next() - 0.5) * small))
      : undefined
  const probe = random.below(2) === 0 ? near() : vectorOf('plain', d, random)
  return {
    d,
    m,
    suite,
    samples,
    mean,
    probe,
    rotationKey: random.bytes(32),
    threshold: 1 + random.below(10_000),
  }
}

/** Whether library and reference agree on everything from the vector to the decision. */
export function expectAgreement(input: Input, name: string): void {
  const { d, m, suite, mean, rotationKey: key } = input
  const model = {
    id: 'example@1',
    dimensions: d,
    metric: 'cosine',
    ...(mean === undefined ? {} : { mean: Float32Array.from(mean) }),
  } as Model
  const faces = input.samples.map((x) => embedding(Float64Array.from(x), model))
  const face = fuse(faces)
  const u = plainEmbedding.fuse(input.samples.map((x) => plainEmbedding.unit(x, d, mean).u))
  expectSame(unitVector(face), u, name)
  expectSame(embeddingModel(face).meanHash, plainEmbedding.meanHash(d, mean), name)

  const z = toIntegers(face)
  const plainZ = plainEmbedding.integers(u)
  expectSame(z, plainZ, name)
  const n = plain.lengthOf(d, m)
  expect(rotationSize(d, m), name).toBe(n)
  const stream = plain.keyStream(suite, key, n, m)
  expectSame(keyStream(suite, key, n, m), stream, name)
  const rotated = plain.rotate(plainZ, suite, n, stream).values
  expectSame(rotate(z, suite, n, stream), rotated, name)

  const code = encodeReference(z, suite, m, key)
  expectSame(code, plainTemplate.referenceCode(plainZ, suite, m, key), name)
  const fresh = embedding(Float64Array.from(input.probe), model)
  const probe = encodeProbe(toIntegers(fresh), suite, m, key)
  const plainFresh = plainEmbedding.integers(plainEmbedding.unit(input.probe, d, mean).u)
  const plainProbe = plainTemplate.probeCode(plainFresh, suite, m, key)
  expectSame(probe.q, plainProbe.q, name)
  expectSame(probe.mask, plainProbe.mask, name)
  const found = score(code, probe)
  expect(found, name).toEqual(plainScore.score(code, plainProbe))
  // The last threshold that accepts lies where the two rules could part.
  const last = Math.floor((10_000 * Math.max(0, found.sum)) / Math.sqrt(m * Math.max(1, found.energy)))
  for (const T of [input.threshold, last - 1, last, last + 1].filter((each) => each >= 1 && each <= 10_000))
    expect(accepts(found.sum, found.energy, m, T), `${name}, T ${T}`).toBe(plainScore.accepts(found, m, T))
  for (const each of [...faces, face, fresh]) each[Symbol.dispose]()
}

/** Value by value, zeros by their sign; a matcher would take most of the time. */
function expectSame(found: ArrayLike<number>, plainly: ArrayLike<number>, name: string): void {
  let differing = found.length === plainly.length ? -1 : found.length
  for (let i = 0; i < found.length && differing < 0; i++) if (!Object.is(found[i], plainly[i])) differing = i
  expect(differing, `${name}: the first value that differs`).toBe(-1)
}
