/** Random inputs to two kernels, which must compute the same (SPEC §5, §6). @module */
import { type Kernel, portableKernel } from '../../src/transform/kernel.ts'
import { stepOf } from '../../src/transform/quantize.ts'
import { rotationBytes, type Suite, suiteParameters } from '../../src/transform/suite.ts'
import * as reference from '../reference/transform.ts'

export const SIZES = [64, 128, 256, 512, 1024, 2048, 4096] as const
export const KINDS = ['face', 'sparse', 'equal', 'alternating', 'any', 'extreme'] as const
export type Kind = (typeof KINDS)[number]
const STREAMS = ['random', 'random', 'random', 'zeros', 'ones'] as const
const NORM = 2 ** 20

/** One in so many inputs whose sums fit is computed by the slow reference too. */
export interface Comparison {
  readonly inputs: number
  readonly first: number
  readonly referenceEvery: number
}

export interface Compared {
  /** Inputs for which a value, a step or a sign differs. */
  readonly differing: number
  readonly referenced: number
  /** Every combination of size, suite, kind, stream and place that occurred. */
  readonly seen: ReadonlySet<string>
}

/** Compares a kernel with the portable one, in its workspace and outside of it by turns. */
export function compareKernels(kernel: Kernel, { inputs, first, referenceEvery }: Comparison): Compared {
  const seen = new Set<string>()
  let differing = 0
  let referenced = 0
  for (let i = first; i < first + inputs; i++) {
    const words = new Words(i)
    const n = words.pick(SIZES)
    const suite: Suite = words.pick(['B4', 'B6'])
    const kind = words.pick(KINDS)
    const bits = words.pick(STREAMS)
    const length = rotationBytes(suite, n)
    const home = words.pick([true, false])
    const { values, stream } = (home ? kernel : portableKernel).workspace(n, length)
    const expected = portableKernel.workspace(n, length)
    fillValues(expected.values, kind, words)
    if (bits === 'random') words.fillBytes(expected.stream)
    else expected.stream.fill(bits === 'ones' ? 255 : 0)
    values.set(expected.values)
    stream.set(expected.stream)
    const z = expected.values.slice()
    const { rounds } = suiteParameters(suite)
    portableKernel.rotate(expected.values, rounds, expected.stream)
    kernel.rotate(values, rounds, stream)
    let same = equal(values, expected.values) && equal(stream, expected.stream)
    if (i % referenceEvery === 0 && kind !== 'any' && kind !== 'extreme') {
      const plain = reference.rotate(Array.from(z), suite, n, expected.stream).values
      same &&= plain.every((value, j) => values[j] === value)
      referenced++
    }
    if (!same || !sameSteps(kernel, values, words)) differing++
    seen.add(`${n} ${suite} ${kind} ${bits} ${home}`)
  }
  return { differing, referenced, seen }
}

function sameSteps(kernel: Kernel, values: Int32Array, words: Words): boolean {
  const m = Math.min(values.length, words.pick([64, 128, 256, 512, 1024]))
  const [q, expectedQ] = [new Int8Array(m), new Int8Array(m)]
  const [bits, expectedBits] = [new Uint8Array(m / 8), new Uint8Array(m / 8)]
  const step = stepOf(values.length)
  kernel.quantize(values, step, q)
  portableKernel.quantize(values, step, expectedQ)
  kernel.signs(values, bits)
  portableKernel.signs(values, expectedBits)
  return equal(q, expectedQ) && equal(bits, expectedBits)
}

/** Of the norm that embeddings have, or of any: sums wrap around then. */
export function fillValues(values: Int32Array, kind: Kind, words: Words): void {
  const n = values.length
  const each = Math.round(NORM / Math.sqrt(n))
  if (kind === 'sparse') values[words.next() % n] = words.pick([NORM, -NORM])
  else if (kind === 'equal') values.fill(words.pick([each, -each]))
  else if (kind === 'alternating') values.forEach((_, j) => (values[j] = j % 2 === 0 ? each : -each))
  else if (kind === 'extreme') {
    const ends = [2 ** 31 - 1, -(2 ** 31), 2 ** 30, -(2 ** 30), 1, 0, -1]
    values.forEach((_, j) => (values[j] = words.pick(ends)))
  } else {
    words.fillBytes(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    // Uniform up to the magnitude of equal coordinates: the norm is 2^20 at most.
    if (kind === 'face') values.forEach((value, j) => (values[j] = Math.trunc((value / 2 ** 31) * each)))
  }
}

export function equal(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  let different = a.length ^ b.length
  for (let i = 0; i < a.length; i++) different |= (a[i] as number) ^ (b[i] as number)
  return different === 0
}

/** A repeatable sequence of words that look random (splitmix32). */
export class Words {
  #state: number

  constructor(seed: number) {
    this.#state = Math.imul(seed, 0x85eb_ca6b)
  }

  next(): number {
    this.#state = (this.#state + 0x9e37_79b9) | 0
    let word = this.#state ^ (this.#state >>> 16)
    word = Math.imul(word, 0x21f0_aaad)
    word = Math.imul(word ^ (word >>> 15), 0x735a_2d97)
    return (word ^ (word >>> 15)) >>> 0
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.next() % items.length] as Item
  }

  fillBytes(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i += 4) {
      const word = this.next()
      bytes[i] = word
      bytes[i + 1] = word >>> 8
      bytes[i + 2] = word >>> 16
      bytes[i + 3] = word >>> 24
    }
  }
}

/** Faults to plant into the source: what it says, and what it must not say. */
export const FAULTS: readonly (readonly [name: string, text: string, replacement: string])[] = [
  ['a shift of another round', '(((round - 1) * levels) >> 1)', '(((round - 1) * levels + 1) >> 1)'],
  [
    'eights that round down',
    'const x0 = i32x4.add(v128.load(p), half), x1 = v128.load(p + h), x2',
    'const x0 = v128.load(p), x1 = v128.load(p + h), x2',
  ],
  ['a sign of another place', '8, 128, 2048, 32768,', '8, 128, 2048, 16384,'],
  ['key bits of the wrong pair', 'mask(c + 3 * step, lanes)', 'mask(c + 2 * step, lanes)'],
  [
    'a stage too far',
    'mask(b + step, lanes)); v128.store(p + 2 * h',
    'mask(a + step, lanes)); v128.store(p + 2 * h',
  ],
  ['a difference turned round', 'd4 = i32x4.sub(x0, x4)', 'd4 = i32x4.sub(x4, x0)'],
  ['a step too wide', 'i32x4.splat(3 * step)', 'i32x4.splat(3 * step + 1)'],
  ['zero as a negative value', '<u16>~i8x16.bitmask(', '<u16>i8x16.bitmask('],
]
