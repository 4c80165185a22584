/** Byte strings, and how integers and labels become bytes (SPEC §2.1). @module */

/** What the reference throws. `code` is the one that SPEC.md names, or its chapter alone where it names none. */
export class Refused extends Error {
  readonly code: string
  constructor(code: string, why: string) {
    super(`${code}: ${why}`)
    this.code = code
  }
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const joined: number[] = []
  for (const part of parts) for (const byte of part) joined.push(byte)
  return Uint8Array.from(joined)
}

/** `u8(n)`. */
export function u8(n: number): Uint8Array {
  if (!Number.isInteger(n) || n < 0 || n > 255) throw new RangeError('u8')
  return Uint8Array.of(n)
}

/** `u32be(n)`: four bytes, most significant first. */
export function u32be(n: number): Uint8Array {
  if (!Number.isInteger(n) || n < 0 || n > 0xffffffff) throw new RangeError('u32be')
  return Uint8Array.of(
    Math.floor(n / 0x1000000),
    Math.floor(n / 0x10000) % 256,
    Math.floor(n / 0x100) % 256,
    n % 256,
  )
}

/** The bytes of an ASCII string. */
export function ascii(text: string): Uint8Array {
  const bytes: number[] = []
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit > 127) throw new RangeError('ascii')
    bytes.push(unit)
  }
  return Uint8Array.from(bytes)
}

/** `lp(s) = u8(length) ‖ s`. */
export function lp(text: string): Uint8Array {
  return concat(u8(text.length), ascii(text))
}

/** `utf8(s)`, by RFC 3629; a lone surrogate has no UTF-8 form and is refused. */
export function utf8(text: string): Uint8Array {
  const bytes: number[] = []
  for (const symbol of text) {
    const point = symbol.codePointAt(0) as number
    if (point >= 0xd800 && point <= 0xdfff) throw new Refused('ERR_CONVENTIONS', 'a lone surrogate')
    if (point < 0x80) bytes.push(point)
    else if (point < 0x800) bytes.push(0xc0 + (point >> 6), 0x80 + (point & 63))
    else if (point < 0x10000)
      bytes.push(0xe0 + (point >> 12), 0x80 + ((point >> 6) & 63), 0x80 + (point & 63))
    else
      bytes.push(
        0xf0 + (point >> 18),
        0x80 + ((point >> 12) & 63),
        0x80 + ((point >> 6) & 63),
        0x80 + (point & 63),
      )
  }
  return Uint8Array.from(bytes)
}

export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

export function xor(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length !== b.length) throw new RangeError('xor')
  return a.map((byte, i) => byte ^ (b[i] as number))
}

export function hex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0')
  return text
}

export function unhex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || /[^0-9a-f]/.test(text)) throw new RangeError('unhex')
  const bytes: number[] = []
  for (let i = 0; i < text.length; i += 2) bytes.push(Number.parseInt(text.slice(i, i + 2), 16))
  return Uint8Array.from(bytes)
}

/** Little-endian float32, float64 and int32, as models, inputs and probe digests are written. */
export function float32le(values: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * values.length))
  values.forEach((value, i) => view.setFloat32(4 * i, value, true))
  return new Uint8Array(view.buffer)
}

export function float64le(values: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(8 * values.length))
  values.forEach((value, i) => view.setFloat64(8 * i, value, true))
  return new Uint8Array(view.buffer)
}

export function readFloat64le(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const values: number[] = []
  for (let i = 0; i < bytes.length; i += 8) values.push(view.getFloat64(i, true))
  return values
}

export function int32le(values: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * values.length))
  values.forEach((value, i) => view.setInt32(4 * i, value, true))
  return new Uint8Array(view.buffer)
}
