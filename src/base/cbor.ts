/** Deterministic CBOR: one encoding per value, and a decoder that takes no other (RFC 8949 §4.2.1). @module */

import { encode, Tokenizer, Type } from 'cborg'
import { copyPublic, joinBytes, utf8Length } from './bytes.ts'
import { PlainReader, type PlainValue, PlainWriter } from './cbor-plain.ts'
import type { Reject } from './errors.ts'

/**
 * What a structure may consist of: integers 0 to 2^53 − 1, text, true, false, null, bytes and arrays of
 * these, nested at most 16 deep. No maps, floats, negative numbers or tags: arrays of fixed arity have one
 * encoding by construction and cost an eighth of maps.
 */
export type CborValue = PlainValue

const MAX_DEPTH = 16
/** The head of a map of up to 23 pairs, without its number. */
const MAP = 0xa0
const ROOM_BYTES = 1024
const writer: PlainWriter = new PlainWriter(new Uint8Array(ROOM_BYTES), MAX_DEPTH)

/** Strict: heads are the shortest. With no maps and no floats nothing else has a second encoding. */
const TOKENIZER_OPTIONS = {
  strict: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowNaN: false,
  allowInfinity: false,
  allowBigInt: false,
  retainStringBytes: true,
} as const

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The one deterministic encoding of `value`: bytes of the caller's own, as a window on a larger buffer. Copies are kept that
 * nobody wipes, and short results lie on the ordinary heap: secrets do not belong into CBOR. Throws `TypeError`
 * when `value` is not a `CborValue`.
 */
export function encodeCbor(value: CborValue): Uint8Array {
  return writer.write(value)
}

/**
 * The value that `bytes` encode. Whatever `encodeCbor` would not have written is refused: other types, longer
 * forms, bad UTF-8, trailing bytes. Byte strings in the result are copies.
 *
 * @param maxBytes longer input is refused before a byte of it is read
 * @param reject makes the error that is thrown for every malformed input
 */
export function decodeCbor(bytes: Uint8Array, maxBytes: number, reject: Reject): CborValue {
  const plain = bytes.length > maxBytes ? undefined : new PlainReader(bytes, MAX_DEPTH).whole()
  // About all else, other alphabets and whatever is malformed, the codec decides.
  if (plain !== undefined) return plain
  return decodeWith(bytes, maxBytes, reject, (tokens) => readItem(tokens, bytes.length, 0))
}

function decodeWith<Value>(
  bytes: Uint8Array,
  maxBytes: number,
  reject: Reject,
  read: (tokens: Tokenizer) => Value,
): Value {
  if (bytes.length > maxBytes) throw reject(`the encoding is longer than ${maxBytes} bytes`)
  try {
    // A plain view: the codec copies with `slice`, which on a Buffer would only lend the input.
    const view = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
    const tokens = new Tokenizer(view, TOKENIZER_OPTIONS)
    const value = read(tokens)
    if (!tokens.done()) throw new TypeError('trailing bytes')
    return value
  } catch {
    throw reject('the encoding is malformed')
  }
}

/**
 * A map whose labels are known, in the order of their encodings (RFC 8949 §4.2.1): 0, 1, 2 … and then −1, −2 … One encoding as well, but
 * eight times as dear as an array: for what a standard wants so (RFC 8392, RFC 9052).
 */
export function encodeLabelled(
  labels: readonly number[],
  values: readonly CborValue[],
): Uint8Array<ArrayBuffer> {
  // What the codec answers with lasts until its next call.
  const parts = labels.flatMap((label, i) => [copyPublic(encode(label)), encodeCbor(values[i] as CborValue)])
  return joinBytes(Uint8Array.of(MAP | labels.length), ...parts)
}

/** The values of a map with exactly these labels, at most 23, in this order. Strict as `decodeCbor`. */
export function decodeLabelled(
  bytes: Uint8Array,
  labels: readonly number[],
  maxBytes: number,
  reject: Reject,
): readonly CborValue[] {
  return decodeWith(bytes, maxBytes, reject, (tokens) => {
    const { type, value } = tokens.next() as Token
    if (type !== Type.map || value !== labels.length) throw new TypeError('another map')
    return labels.map((label) => {
      const key = tokens.next() as Token
      const wanted = label < 0 ? Type.negint : Type.uint
      if (key.type !== wanted || key.value !== label) throw new TypeError('another label')
      return readItem(tokens, bytes.length, 1)
    })
  })
}

/** `value` as an array of exactly `length` items. */
export function asArray(value: CborValue | undefined, length: number, reject: Reject): readonly CborValue[] {
  if (!isArray(value) || value.length !== length) throw reject(`expected an array of ${length} items`)
  return value
}

/** `value` as a byte string of exactly `length` bytes, or within `[min, max]`. */
export function asBytes(
  value: CborValue | undefined,
  length: number | readonly [min: number, max: number],
  reject: Reject,
): Uint8Array {
  const min = typeof length === 'number' ? length : length[0]
  const max = typeof length === 'number' ? length : length[1]
  if (!(value instanceof Uint8Array) || value.length < min || value.length > max) {
    throw reject(`expected ${min === max ? min : `${min} to ${max}`} bytes`)
  }
  return value
}

/** `value` as an integer from 0 to `max`. */
export function asUint(value: CborValue | undefined, max: number, reject: Reject): number {
  if (typeof value !== 'number' || value > max) throw reject(`expected an integer up to ${max}`)
  return value
}

/** `value` as a text of at most `maxBytes` UTF-8 bytes. */
export function asText(value: CborValue | undefined, maxBytes: number, reject: Reject): string {
  if (typeof value !== 'string' || (utf8Length(value) ?? Number.POSITIVE_INFINITY) > maxBytes) {
    throw reject(`expected a text of at most ${maxBytes} bytes`)
  }
  return value
}

/** `value` as true or false. */
export function asBoolean(value: CborValue | undefined, reject: Reject): boolean {
  if (typeof value !== 'boolean') throw reject('expected true or false')
  return value
}

/** What the tokenizer really returns; its own type says `any`. */
interface Token {
  readonly type: Type
  readonly value: unknown
  /** The bytes of a text. */
  readonly byteValue: Uint8Array | undefined
}

/**
 * Reads one item; throws whatever is wrong with it. An array claims at most one item for each byte of input.
 */
function readItem(tokens: Tokenizer, sizeBytes: number, depth: number): CborValue {
  const { type, value, byteValue } = tokens.next() as Token
  switch (type) {
    case Type.uint:
    case Type.bytes:
    case Type.true:
    case Type.false:
    case Type.null:
      return value as CborValue
    case Type.string:
      // The codec's own text replaces bad UTF-8 and drops a leading byte order mark.
      return isAscii(byteValue) ? (value as string) : decoder.decode(byteValue)
    case Type.array:
      return readItems(tokens, value as number, sizeBytes, depth + 1)
    default:
      throw new TypeError('unsupported type')
  }
}

function readItems(tokens: Tokenizer, count: number, sizeBytes: number, depth: number): CborValue[] {
  if (count > sizeBytes || depth > MAX_DEPTH) throw new TypeError('too large')
  const items: CborValue[] = []
  for (let i = 0; i < count; i++) items.push(readItem(tokens, sizeBytes, depth))
  return items
}

function isAscii(bytes: Uint8Array | undefined): boolean {
  let bits = 0x80
  if (bytes !== undefined) {
    bits = 0
    for (let i = 0; i < bytes.length; i++) bits |= bytes[i] as number
  }
  return bits < 0x80
}

function isArray(value: unknown): value is readonly CborValue[] {
  return Array.isArray(value)
}
