/** Reading an encoding whose shape is known, without building its values: for rows that are read by the million (RFC 8949 §4.2.1). @module */

const UINT = 0x00
const BYTES = 0x40
const DIRECT = 23

/**
 * Takes one item after the other. An item that is not what it is taken for, or has another head than the shortest, makes the cursor
 * unsound, and nothing that it gave may be used: whoever has it lets `decodeCbor` say what is wrong.
 */
export class CborCursor {
  readonly #bytes: Uint8Array
  #at = 0
  #sound = true

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** Whether everything was what it was taken for, to the last byte. */
  get done(): boolean {
    return this.#sound && this.#at === this.#bytes.length
  }

  /** Passes over items that are known, by their encoding. */
  expect(encoded: Uint8Array): void {
    for (let i = 0; i < encoded.length; i++) {
      if (this.#bytes[this.#at + i] !== encoded[i]) this.#sound = false
    }
    this.#at += encoded.length
  }

  /** The head of an array of at most 23 items. */
  array(length: number): void {
    if (this.#bytes[this.#at] !== (0x80 | length)) this.#sound = false
    this.#at += 1
  }

  /** A window on a byte string of between `least` and `most` bytes. */
  bytes(least: number, most: number = least): Uint8Array {
    const length = this.#head(BYTES)
    const from = this.#at
    if (length < least || length > most) this.#sound = false
    else this.#at += length
    return this.#bytes.subarray(from, this.#at)
  }

  /** An integer from 0 to 2^53 − 1. */
  uint(): number {
    return this.#head(UINT)
  }

  #head(major: number): number {
    const bytes = this.#bytes
    const head = (bytes[this.#at] ?? 0xff) - major
    if (head >= 0 && head <= DIRECT) {
      this.#at += 1
      return head
    }
    const size = head >= 24 && head <= 27 ? 1 << (head - 24) : 0
    let value = 0
    for (let i = 1; i <= size; i++) value = value * 256 + (bytes[this.#at + i] ?? Number.NaN)
    this.#at += 1 + size
    if (size === 0 || !Number.isSafeInteger(value) || value < (LEAST[head - 24] as number)) {
      this.#sound = false
      return 0
    }
    return value
  }
}

/** What is less has a shorter head. */
const LEAST = [24, 2 ** 8, 2 ** 16, 2 ** 32] as const
