/** Byte strings: allocation off the moving heap, wiping, comparison, text forms (RFC 4648). @module */

const HEX = '0123456789abcdef'
const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const BASE64URL = `${BASE64.slice(0, 62)}-_`
const LONE_SURROGATE = /[\uD800-\uDFFF]/u
const MAX_U32 = 0xffff_ffff
const SHORT_TEXT = 128
const ASCII = /^[ -~]*$/

const encoder = new TextEncoder()

/**
 * A zeroed buffer for a secret, owned by the caller, who wipes it.
 *
 * V8 keeps typed arrays of up to 64 bytes inside the moving heap, where the garbage collector leaves copies
 * behind that nothing can wipe; an explicit `ArrayBuffer` lives outside it and stays in place.
 *
 * @param length in bytes
 */
export function secretBytes(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(length))
}

/**
 * Overwrites every view with zeros. Skips `undefined` and detached buffers, so it never throws in `finally`.
 */
export function wipe(...views: readonly (ArrayBufferView | undefined)[]): void {
  for (const view of views) {
    if (view === undefined) continue
    // V8 keeps small arrays on its heap; to ask one for its buffer copies its bytes out and leaves them there as well.
    if (typeof (view as Uint8Array)[0] === 'number') Uint8Array.prototype.fill.call(view as Uint8Array, 0)
    else if (view.buffer.byteLength > 0) new Uint8Array(view.buffer, view.byteOffset, view.byteLength).fill(0)
  }
}

/** The parts one after the other, in a new off-heap buffer owned by the caller. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return fill(secretBytes(totalOf(parts)), parts)
}

/** As `concatBytes`, for what is no secret: it costs a tenth. See `publicBytes`. */
export function joinBytes(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return fill(publicBytes(totalOf(parts)), parts)
}

const SLAB_BYTES = 32_768
const MOST_SHARED_BYTES = 2048
let slab: Uint8Array<ArrayBuffer> = new Uint8Array(0)
let slabUsed = 0

/**
 * Zeroed room for what is no secret, as a window on a buffer that others have windows on: a buffer for each would be the
 * garbage collector's main work. Nobody wipes it, so it outlives its owner for a while.
 */
export function publicBytes(length: number): Uint8Array<ArrayBuffer> {
  if (length > MOST_SHARED_BYTES) return new Uint8Array(length)
  if (slabUsed + length > slab.length) {
    slab = new Uint8Array(SLAB_BYTES)
    slabUsed = 0
  }
  const from = slabUsed
  slabUsed += length
  return slab.subarray(from, slabUsed)
}

/** A copy of what is no secret, as `publicBytes`. */
export function copyPublic(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = publicBytes(bytes.length)
  copy.set(bytes)
  return copy
}

function totalOf(parts: readonly Uint8Array[]): number {
  let length = 0
  for (const part of parts) length += part.length
  return length
}

function fill(out: Uint8Array<ArrayBuffer>, parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let offset = 0
  for (const part of parts) {
    out.set(part, offset)
    offset += part.length
  }
  return out
}

/** True when both hold the same bytes. The time depends on the lengths only, never on the content. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  const length = a.length
  if (length !== b.length) return false
  let difference = 0
  for (let i = 0; i < length; i++) difference |= byteAt(a, i) ^ byteAt(b, i)
  return difference === 0
}

/** Lexicographic order of unsigned bytes: −1, 0 or 1; a prefix comes first. Not constant-time. */
export function compareBytes(a: Uint8Array, b: Uint8Array): -1 | 0 | 1 {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i++) {
    const difference = byteAt(a, i) - byteAt(b, i)
    if (difference !== 0) return difference < 0 ? -1 : 1
  }
  if (a.length === b.length) return 0
  return a.length < b.length ? -1 : 1
}

/** One UTF-16 unit a byte: a text of the same order, for at most some thousand bytes. */
export function byteText(bytes: Uint8Array): string {
  // Spread, it would cost an object a byte.
  return String.fromCharCode.apply(null, bytes as unknown as number[])
}

/** Lower-case hexadecimal, two digits a byte. Not constant-time: not for secrets. */
export function toHex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += HEX.charAt(byte >> 4) + HEX.charAt(byte & 15)
  return text
}

/** The bytes of lower-case hexadecimal text; `undefined` when it is anything else. */
export function fromHex(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length % 2 !== 0) return undefined
  const out = secretBytes(text.length / 2)
  for (let i = 0; i < out.length; i++) {
    const high = HEX.indexOf(text.charAt(2 * i))
    const low = HEX.indexOf(text.charAt(2 * i + 1))
    if (high < 0 || low < 0) return undefined
    out[i] = (high << 4) | low
  }
  return out
}

/** Base64url without padding (RFC 4648 §5). Not constant-time: not for secrets. */
export function toBase64Url(bytes: Uint8Array): string {
  let text = ''
  let bits = 0
  let pending = 0
  for (const byte of bytes) {
    bits = (bits << 8) | byte
    pending += 8
    while (pending >= 6) {
      pending -= 6
      text += BASE64URL.charAt((bits >> pending) & 63)
    }
    bits &= 63
  }
  return pending === 0 ? text : text + BASE64URL.charAt((bits << (6 - pending)) & 63)
}

/**
 * The bytes of base64 or base64url text (RFC 4648 §4, §5), off-heap and owned by the caller.
 *
 * Strict: one alphabet per text, padding complete or absent, unused bits zero, no white space.
 * `undefined` when the text is malformed.
 */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  const length = unpaddedLength(text)
  if (length === undefined || length % 4 === 1) return undefined
  const values = /[-_]/.test(text) ? BASE64URL_VALUES : BASE64_VALUES
  const out = secretBytes((length * 3) >> 2)
  let bits = 0
  let pending = 0
  let written = 0
  for (let i = 0; i < length; i++) {
    const value = values.get(text.charCodeAt(i))
    if (value === undefined) {
      wipe(out)
      return undefined
    }
    bits = ((bits << 6) | value) & 0xfff
    pending += 6
    if (pending >= 8) {
      pending -= 8
      out[written++] = bits >> pending
    }
  }
  if ((bits & ((1 << pending) - 1)) === 0) return out
  wipe(out)
  return undefined
}

/** The UTF-8 form of a text; `undefined` when it holds a lone surrogate, which has none. */
export function utf8(text: string): Uint8Array<ArrayBuffer> | undefined {
  const plain = text.length <= SHORT_TEXT ? ascii(text) : undefined
  if (plain !== undefined) return plain
  return LONE_SURROGATE.test(text) ? undefined : encoder.encode(text)
}

/** Length of the UTF-8 form; `undefined` for a lone surrogate, which has none. */
export function utf8Length(text: string): number | undefined {
  if (ASCII.test(text)) return text.length
  const bytes = utf8(text)
  wipe(bytes)
  return bytes?.length
}

/** Most texts are short and plain, and the encoder costs a microsecond a call. */
function ascii(text: string): Uint8Array<ArrayBuffer> | undefined {
  const out = secretBytes(text.length)
  let bits = 0
  for (let i = 0; i < out.length; i++) {
    const code = text.charCodeAt(i)
    out[i] = code
    bits |= code
  }
  if (bits < 0x80) return out
  wipe(out)
  return undefined
}

/** `u8(length) ‖ ascii(label)`: the injective form in which a label enters a hash (SPEC §2). */
export function labelBytes(label: string): Uint8Array<ArrayBuffer> {
  const length = label.length
  if (length === 0 || length > 255) throw new RangeError('a label has 1 to 255 characters')
  const out = new Uint8Array(1 + length)
  out[0] = length
  for (let i = 0; i < length; i++) {
    const code = label.charCodeAt(i)
    if (code < 0x21 || code > 0x7e) throw new RangeError('a label is printable ASCII without spaces')
    out[1 + i] = code
  }
  return out
}

/** The few labels that a program uses, encoded once. */
const LABELS: Map<string, Uint8Array> = new Map()

/** `labelBytes` for a label that stands in the code: kept for the next call, borrowed. */
export function fixedLabel(label: string): Uint8Array {
  const known = LABELS.get(label)
  if (known !== undefined) return known
  const bytes = labelBytes(label)
  LABELS.set(label, bytes)
  return bytes
}

/** `value` as four bytes, most significant first. Throws `RangeError` outside 0 to 2^32 − 1. */
export function u32be(value: number): Uint8Array<ArrayBuffer> {
  if (!Number.isInteger(value) || value < 0 || value > MAX_U32) throw new RangeError('u32 is out of range')
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)
}

/** Reads four bytes, most significant first. Throws `RangeError` when they are not all there. */
export function readU32be(bytes: Uint8Array, offset = 0): number {
  if (offset < 0 || offset + 4 > bytes.length) throw new RangeError('u32 is out of range')
  const high = (byteAt(bytes, offset) << 8) | byteAt(bytes, offset + 1)
  const low = (byteAt(bytes, offset + 2) << 8) | byteAt(bytes, offset + 3)
  return high * 0x1_0000 + low
}

const BASE64_VALUES: ReadonlyMap<number, number> = valuesOf(BASE64)
const BASE64URL_VALUES: ReadonlyMap<number, number> = valuesOf(BASE64URL)

function valuesOf(alphabet: string): ReadonlyMap<number, number> {
  return new Map(Array.from(alphabet, (character, value) => [character.charCodeAt(0), value]))
}

/** Length without padding; `undefined` when there is padding that does not fill the last group. */
function unpaddedLength(text: string): number | undefined {
  if (!text.endsWith('=')) return text.length
  if (text.length % 4 !== 0) return undefined
  return text.endsWith('==') ? text.length - 2 : text.length - 1
}

/** The index is in range at every call; the cast only satisfies the unchecked-index rule. */
function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] as number
}
