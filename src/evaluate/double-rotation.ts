/** The keyed rotation in doubles, forwards and backwards, as an orthonormal map: what a thief of a key computes (SPEC §5, §15.6). @module */

import { wipe } from '../base/bytes.ts'
import { keyStream } from '../transform/stream.ts'
import { type Suite, suiteParameters } from '../transform/suite.ts'

/** One exchange of places with signs: value i after it is `signs[i]` times value `sources[i]` before it. */
interface Round {
  readonly sources: Uint16Array
  readonly signs: Float64Array
}

/**
 * Rotates vectors of n doubles without the rounding of SPEC §5. For attacks on data of one's own, not a part of the library's
 * protection: it runs with branches on key bits.
 */
export class DoubleRotation {
  readonly n: number
  readonly #rounds: readonly Round[]
  readonly #spare: Float64Array
  readonly #scale: number

  constructor(suite: Suite, rotationKey: Uint8Array, n: number) {
    const { rounds } = suiteParameters(suite)
    const stream = keyStream(suite, rotationKey, n, 0)
    const roundBits = (n >> 1) * (31 - Math.clz32(n)) + n
    this.n = n
    this.#rounds = Array.from({ length: rounds }, (_, round) => readRound(stream, round * roundBits, n))
    this.#spare = new Float64Array(new ArrayBuffer(8 * n))
    this.#scale = n ** (-rounds / 2)
    wipe(stream)
  }

  /** Turns `values` (n of them) in place. */
  turn(values: Float64Array): void {
    const spare = this.#spare
    for (const { sources, signs } of this.#rounds) {
      for (let i = 0; i < spare.length; i++) {
        spare[i] = (signs[i] as number) * (values[sources[i] as number] as number)
      }
      walshHadamard(spare)
      values.set(spare)
    }
    for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) * this.#scale
  }

  /** Undoes `turn`. */
  turnBack(values: Float64Array): void {
    const spare = this.#spare
    for (let round = this.#rounds.length - 1; round >= 0; round--) {
      const { sources, signs } = this.#rounds[round] as Round
      spare.set(values)
      walshHadamard(spare)
      for (let i = 0; i < spare.length; i++) {
        values[sources[i] as number] = (signs[i] as number) * (spare[i] as number)
      }
    }
    for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) * this.#scale
  }

  wipe(): void {
    wipe(this.#spare)
    for (const { sources, signs } of this.#rounds) wipe(sources, signs)
  }
}

function readRound(stream: Uint8Array, firstBit: number, n: number): Round {
  const sources = Uint16Array.from({ length: n }, (_, i) => i)
  let bit = firstBit
  for (let h = n >> 1; h >= 1; h >>= 1) {
    for (let start = 0; start < n; start += 2 * h) {
      for (let i = start; i < start + h; i++) {
        if (bitAt(stream, bit++) === 0) continue
        const kept = sources[i] as number
        sources[i] = sources[i + h] as number
        sources[i + h] = kept
      }
    }
  }
  const signs = Float64Array.from({ length: n }, (_, i) => 1 - 2 * bitAt(stream, bit + i))
  return { sources, signs }
}

function walshHadamard(values: Float64Array): void {
  const n = values.length
  for (let h = 1; h < n; h <<= 1) {
    for (let start = 0; start < n; start += 2 * h) {
      for (let i = start; i < start + h; i++) {
        const a = values[i] as number
        const b = values[i + h] as number
        values[i] = a + b
        values[i + h] = a - b
      }
    }
  }
}

/** Bit `index` of packed bits, the least significant first. */
export function bitAt(bytes: Uint8Array, index: number): number {
  return ((bytes[index >> 3] as number) >> (index & 7)) & 1
}
