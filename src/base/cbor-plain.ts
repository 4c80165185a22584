/** What nearly all encodings consist of, read and written without the codec's tokens (RFC 8949 §4.2.1). @module */

import { copyPublic, utf8 } from './bytes.ts'

/** What can be read and written here: integers 0 to 2^53 − 1, text, true, false, null, bytes and arrays of these. */
export type PlainValue = number | string | boolean | null | Uint8Array | readonly PlainValue[]

const UINT = 0
const BYTES = 2
const TEXT = 3
const ARRAY = 4
const FALSE = 0xf4
const TRUE = 0xf5
const NULL = 0xf6
const DIRECT = 23
const MOST_ARGUMENT_BYTES = 8
/** V8 keeps no more bytes beside their array: what is longer would get a buffer of its own. */
const SHORT_BYTES = 64
/** What is less has a shorter head. */
const LEAST = [24, 2 ** 8, 2 ** 16, 2 ** 32] as const

/**
 * Reads a value of integers, ASCII text, bytes, true, false, null and arrays of them, all in their only encoding. `undefined` for
 * whatever else there is, and for what is malformed: the codec decides about that.
 */
export class PlainReader {
  readonly #bytes: Uint8Array
  readonly #mostDepth: number
  #at = 0

  constructor(bytes: Uint8Array, mostDepth: number) {
    // A Buffer's `slice` would only lend the input.
    const isPlain = bytes.constructor === Uint8Array
    this.#bytes = isPlain ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#mostDepth = mostDepth
  }

  /** The value that all bytes together encode. */
  whole(): PlainValue | undefined {
    const value = this.#item(0)
    return this.#at === this.#bytes.length ? value : undefined
  }

  #item(depth: number): PlainValue | undefined {
    const first = this.#bytes[this.#at++] ?? 0xff
    const length = this.#argument(first & 31)
    if (length !== undefined) {
      switch (first >> 5) {
        case UINT:
          return length
        case BYTES:
          return this.#byteString(length)
        case TEXT:
          return this.#text(length)
        case ARRAY:
          return this.#array(length, depth + 1)
        default:
      }
    }
    if (first === NULL) return null
    return first === TRUE ? true : first === FALSE ? false : undefined
  }

  /** The number in a head, which must be the shortest. */
  #argument(low: number): number | undefined {
    if (low <= DIRECT) return low
    if (low > 27) return undefined
    const bytes = this.#bytes
    const end = this.#at + (1 << (low - 24))
    if (end > bytes.length) return undefined
    let value = 0
    while (this.#at < end) value = value * 256 + (bytes[this.#at++] as number)
    return Number.isSafeInteger(value) && value >= (LEAST[low - 24] as number) ? value : undefined
  }

  #byteString(length: number): Uint8Array | undefined {
    const from = this.#at
    if (length > this.#bytes.length - from) return undefined
    this.#at += length
    return length > SHORT_BYTES
      ? copyPublic(this.#bytes.subarray(from, this.#at))
      : this.#bytes.slice(from, this.#at)
  }

  #text(length: number): string | undefined {
    const end = this.#at + length
    if (end > this.#bytes.length) return undefined
    let text = ''
    while (this.#at < end) {
      const unit = this.#bytes[this.#at++] as number
      if (unit >= 0x80) return undefined
      text += String.fromCharCode(unit)
    }
    return text
  }

  #array(count: number, depth: number): PlainValue[] | undefined {
    if (count > this.#bytes.length - this.#at || depth > this.#mostDepth) return undefined
    const items: PlainValue[] = []
    for (let i = 0; i < count; i++) {
      const item = this.#item(depth)
      if (item === undefined) return undefined
      items.push(item)
    }
    return items
  }
}

/** Writes values, one after the other, into one buffer. */
export class PlainWriter {
  readonly #mostDepth: number
  readonly #room: Uint8Array
  #to: Uint8Array
  #at = 0

  /** @param room what most values fit into; it is not wiped */
  constructor(room: Uint8Array, mostDepth: number) {
    this.#room = room
    this.#to = room
    this.#mostDepth = mostDepth
  }

  /** The encoding, a copy. Throws `TypeError` when `value` is none that can be encoded. */
  write(value: PlainValue): Uint8Array {
    this.#to = this.#room
    this.#at = 0
    this.#item(value, 0)
    return copyPublic(this.#to.subarray(0, this.#at))
  }

  #item(value: PlainValue, depth: number): void {
    if (typeof value === 'number') {
      if (!Number.isSafeInteger(value) || value < 0 || Object.is(value, -0))
        throw new TypeError('a number in CBOR is an integer from 0 to 2^53 - 1')
      this.#head(UINT, value)
    } else if (typeof value === 'string') this.#text(value)
    else if (value === null) this.#byte(NULL)
    else if (typeof value === 'boolean') this.#byte(value ? TRUE : FALSE)
    else if (value instanceof Uint8Array) this.#byteString(BYTES, value)
    else if (Array.isArray(value) && depth < this.#mostDepth) {
      const items = value as readonly PlainValue[]
      this.#head(ARRAY, items.length)
      for (let i = 0; i < items.length; i++) this.#item(items[i] as PlainValue, depth + 1)
    } else throw new TypeError('not a CBOR value')
  }

  #byteString(major: number, value: Uint8Array): void {
    this.#head(major, value.length)
    this.#reserve(value.length)
    this.#to.set(value, this.#at)
    this.#at += value.length
  }

  #head(major: number, value: number): void {
    if (value <= DIRECT) {
      this.#byte((major << 5) | value)
      return
    }
    const size = value < 2 ** 8 ? 0 : value < 2 ** 16 ? 1 : value < 2 ** 32 ? 2 : 3
    this.#byte((major << 5) | (24 + size))
    this.#reserve(MOST_ARGUMENT_BYTES)
    let rest = value
    for (let i = this.#at + (1 << size) - 1; i >= this.#at; i--) {
      this.#to[i] = rest % 256
      rest = Math.floor(rest / 256)
    }
    this.#at += 1 << size
  }

  #text(text: string): void {
    const { length } = text
    const from = this.#at
    this.#head(TEXT, length)
    this.#reserve(length)
    let units = 0
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i)
      units |= unit
      this.#to[this.#at + i] = unit
    }
    if (units < 0x80) {
      this.#at += length
      return
    }
    const bytes = utf8(text)
    if (bytes === undefined) throw new TypeError('a text in CBOR is well-formed Unicode')
    this.#at = from
    this.#byteString(TEXT, bytes)
  }

  #byte(value: number): void {
    this.#reserve(1)
    this.#to[this.#at++] = value
  }

  #reserve(bytes: number): void {
    const end = this.#at + bytes
    if (end <= this.#to.length) return
    const larger = new Uint8Array(2 * end)
    larger.set(this.#to.subarray(0, this.#at))
    this.#to = larger
  }
}
