/** A seeded generator, so that a measurement can be repeated (SPEC §12.2). Never for keys of templates. @module */

import { concatBytes, labelBytes, u32be, utf8 } from '../base/bytes.ts'
import { turboshake128 } from '../crypto/xof.ts'
import { inputError } from './errors.ts'

const BLOCK_BYTES = 64 * 1024

/** Numbers drawn from TurboSHAKE128 of a seed, a use and a few integers. Needs `cryptoReady()`. */
export class SeededRandom {
  readonly #prefix: Uint8Array
  #block: DataView
  #blocks = 0
  #offset = BLOCK_BYTES

  constructor(seed: string, use: string, ...numbers: readonly number[]) {
    this.#prefix = seedBytes(seed, use, ...numbers)
    this.#block = new DataView(new ArrayBuffer(0))
  }

  /** An integer from 0 to `end` − 1, each as likely as the others; `end` is at most 2^53. */
  below(end: number): number {
    // Of 2^53 numbers the last few are refused, so that the rest divides evenly.
    const limit = Number.MAX_SAFE_INTEGER - (Number.MAX_SAFE_INTEGER % end)
    for (;;) {
      const number = this.#next53()
      if (number < limit) return number % end
    }
  }

  /** How often each of `count` comes when `count` are drawn with replacement: one replicate of a bootstrap over subjects (SPEC §15.2). */
  replicate(count: number): Uint32Array {
    const weights = new Uint32Array(count)
    for (let i = 0; i < count; i++) {
      const drawn = this.below(count)
      weights[drawn] = (weights[drawn] as number) + 1
    }
    return weights
  }

  #next53(): number {
    if (this.#offset === BLOCK_BYTES) {
      const bytes = turboshake128(concatBytes(this.#prefix, u32be(this.#blocks++)), BLOCK_BYTES)
      this.#block = new DataView(bytes.buffer)
      this.#offset = 0
    }
    const high = this.#block.getUint32(this.#offset) >>> 11
    const low = this.#block.getUint32(this.#offset + 4)
    this.#offset += 8
    return high * 0x1_0000_0000 + low
  }
}

/** 32 bytes that stand for the key of one record in a measurement. */
export function seededKey(seed: string, ...numbers: readonly number[]): Uint8Array {
  return turboshake128(seedBytes(seed, 'key', ...numbers), 32)
}

function seedBytes(seed: string, use: string, ...numbers: readonly number[]): Uint8Array {
  const text = utf8(seed)
  if (text === undefined) throw inputError('the seed must be well-formed text')
  return concatBytes(labelBytes(`guise/evaluate/${use}`), u32be(text.length), text, ...numbers.map(u32be))
}
