/** Scores of probes under the key of one reference: rotation, quantiser and score in one call (SPEC §5–§7). @module */

import { fromBase64, wipe } from '../base/bytes.ts'
import { portableKernel } from '../transform/kernel.ts'
import { stepOf } from '../transform/quantize.ts'
import { KERNEL } from './pair-kernel.generated.ts'

export interface PairSizes {
  /** Size of the rotation. */
  readonly n: number
  readonly rounds: number
  /** Coordinates that are scored, at most n: 64, 128, 256, 512 or 1024. */
  readonly most: number
}

/**
 * Takes a reference, then probes, each as the integers of an embedding, at most n. Every kernel computes the same
 * numbers. The mask is left out on both sides: it cancels in the score.
 */
export interface PairKernel {
  /** Where the key stream of the next reference is written to. */
  readonly stream: Uint8Array<ArrayBuffer>
  /** S, Q and differing signs of the last probe over the first 64 coordinates, the first 128, and so on, up to `most`. */
  readonly scores: Int32Array
  /** Rotates a reference by the key stream and keeps its signs. */
  turnTo(z: Int32Array): void
  /** Fills `scores`. */
  score(z: Int32Array): void
  /** Overwrites everything that came from a face or a key. */
  wipe(): void
}

/** The fastest kernel that this machine runs and that computes what the portable one does. */
export function pairKernel(sizes: PairSizes, module: string = KERNEL): PairKernel {
  if (module !== checkedText) {
    checkedModule = checkModule(module)
    checkedText = module
  }
  return checkedModule === undefined ? portablePairKernel(sizes) : startPairKernel(sizes, checkedModule)
}

/** The module that was asked for last, and what came of it. */
let checkedText: string | undefined
let checkedModule: WebAssembly.Module | undefined

/** Throws what the runtime has against the module. */
export function startPairKernel(sizes: PairSizes, module: WebAssembly.Module): PairKernel {
  return new AssemblyPairs(sizes, new WebAssembly.Instance(module).exports as unknown as Exports)
}

/** The same in plain JavaScript. */
export function portablePairKernel(sizes: PairSizes): PairKernel {
  return new PortablePairs(sizes)
}

/** The place of m in `scores`: of S; Q and the number of differing signs follow. */
export function scoreAt(m: number): number {
  return 3 * (25 - Math.clz32(m))
}

/** A module is used when it answers one question as the portable kernel does. */
function checkModule(module: string): WebAssembly.Module | undefined {
  try {
    const compiled = new WebAssembly.Module(fromBase64(module) as BufferSource)
    const sizes = { n: 128, rounds: 4, most: 128 }
    const same = answer(startPairKernel(sizes, compiled)).every(
      (value, i) => value === answer(portablePairKernel(sizes))[i],
    )
    return same ? compiled : undefined
  } catch {
    return undefined
  }
}

function answer(kernel: PairKernel): Int32Array {
  kernel.stream.forEach((_, i) => {
    kernel.stream[i] = Math.imul(i + 1, 0x85eb_ca6b) >>> 24
  })
  const z = (factor: number): Int32Array =>
    Int32Array.from({ length: 100 }, (_, i) => Math.imul(i + 1, factor) >> 14)
  kernel.turnTo(z(0x9e37_79b1))
  kernel.score(z(0x85eb_ca6b))
  return kernel.scores
}

function streamLength({ n, rounds }: PairSizes): number {
  return rounds * ((n >> 4) * (31 - Math.clz32(n)) + (n >> 3))
}

class PortablePairs implements PairKernel {
  readonly stream: Uint8Array<ArrayBuffer>
  readonly scores: Int32Array
  readonly #rounds: number
  readonly #step: number
  readonly #values: Int32Array
  readonly #signs: Int8Array
  readonly #q: Int8Array

  constructor(sizes: PairSizes) {
    const { n, rounds, most } = sizes
    const space = portableKernel.workspace(n, streamLength(sizes))
    this.stream = space.stream
    this.#values = space.values
    this.#rounds = rounds
    this.#step = stepOf(n)
    this.#signs = new Int8Array(new ArrayBuffer(most))
    this.#q = new Int8Array(new ArrayBuffer(most))
    this.scores = new Int32Array(new ArrayBuffer(4 * (scoreAt(most) + 3)))
  }

  turnTo(z: Int32Array): void {
    this.#rotate(z)
    for (let i = 0; i < this.#signs.length; i++) this.#signs[i] = (this.#values[i] as number) < 0 ? -1 : 1
  }

  score(z: Int32Array): void {
    this.#rotate(z)
    portableKernel.quantize(this.#values, this.#step, this.#q)
    let sum = 0
    let energy = 0
    let differing = 0
    let at = 0
    for (let i = 0, end = 64; at < this.scores.length; end *= 2) {
      for (; i < end; i++) {
        const step = this.#q[i] as number
        energy = (energy + Math.imul(step, step)) | 0
        sum = (sum + Math.imul(step, this.#signs[i] as number)) | 0
        if ((this.#signs[i] as number) < 0 !== (this.#values[i] as number) < 0) differing++
      }
      this.scores[at++] = sum
      this.scores[at++] = energy
      this.scores[at++] = differing
    }
  }

  wipe(): void {
    wipe(this.stream, this.scores, this.#values, this.#signs, this.#q)
  }

  #rotate(z: Int32Array): void {
    this.#values.set(z)
    this.#values.fill(0, z.length)
    portableKernel.rotate(this.#values, this.#rounds, this.stream)
  }
}

/** What pair-kernel.as exports. */
interface Exports {
  readonly memory: WebAssembly.Memory
  turnTo(values: number, stream: number, levels: number, rounds: number, signs: number, count: number): void
  score(
    values: number,
    stream: number,
    levels: number,
    rounds: number,
    signs: number,
    steps: number,
    count: number,
    step: number,
    out: number,
  ): void
}

/**
 * Places in two pages that never grow; values begin at 0. 4096 of them take 16,384 bytes, the longest key stream takes
 * 21,504, and up to three bytes behind it are read. Constants of the module lie behind all that.
 */
const STREAM_AT = 16_384
const SIGNS_AT = 40_960
const STEPS_AT = 45_056
const SCORES_AT = 49_152
const CONSTANTS_AT = 61_440

class AssemblyPairs implements PairKernel {
  readonly stream: Uint8Array<ArrayBuffer>
  readonly scores: Int32Array
  readonly #exports: Exports
  readonly #values: Int32Array
  readonly #levels: number
  readonly #rounds: number
  readonly #most: number
  readonly #step: number

  constructor(sizes: PairSizes, exports: Exports) {
    const { n, rounds, most } = sizes
    const buffer = exports.memory.buffer
    this.#exports = exports
    this.#values = new Int32Array(buffer, 0, n)
    this.stream = new Uint8Array(buffer, STREAM_AT, streamLength(sizes))
    this.scores = new Int32Array(buffer, SCORES_AT, scoreAt(most) + 3)
    this.#levels = 31 - Math.clz32(n)
    this.#rounds = rounds
    this.#most = most
    this.#step = stepOf(n)
  }

  turnTo(z: Int32Array): void {
    this.#take(z)
    this.#exports.turnTo(0, STREAM_AT, this.#levels, this.#rounds, SIGNS_AT, this.#most)
  }

  score(z: Int32Array): void {
    this.#take(z)
    this.#exports.score(
      0,
      STREAM_AT,
      this.#levels,
      this.#rounds,
      SIGNS_AT,
      STEPS_AT,
      this.#most,
      this.#step,
      SCORES_AT,
    )
  }

  wipe(): void {
    wipe(new Uint8Array(this.#exports.memory.buffer, 0, CONSTANTS_AT))
  }

  #take(z: Int32Array): void {
    this.#values.set(z)
    this.#values.fill(0, z.length)
  }
}
