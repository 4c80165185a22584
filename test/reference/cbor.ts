/** Deterministic CBOR, the part that SPEC uses (SPEC §2.1, CONVENTIONS-1; RFC 8949 §4.2.1). @module */
import { concat, equal, Refused, utf8 } from './bytes.ts'

export type Value = number | string | boolean | null | Uint8Array | readonly Value[]

/** `cbor(x)`: shortest heads, definite lengths. Unsigned integers, byte and text strings, arrays, booleans, null. */
export function encode(value: Value): Uint8Array {
  if (value === false) return Uint8Array.of(0xf4)
  if (value === true) return Uint8Array.of(0xf5)
  if (value === null) return Uint8Array.of(0xf6)
  if (typeof value === 'number') return head(0, value)
  if (typeof value === 'string') return concat(head(3, utf8(value).length), utf8(value))
  if (value instanceof Uint8Array) return concat(head(2, value.length), value)
  return concat(head(4, value.length), ...value.map(encode))
}

/** RFC 8949 §3: the major type in three bits, the argument in as few bytes as hold it. */
function head(major: number, argument: number): Uint8Array {
  if (!Number.isSafeInteger(argument) || argument < 0) throw new RangeError('cbor integer')
  const bytesOf = (width: number): Uint8Array => {
    const bytes: number[] = []
    for (let i = width - 1; i >= 0; i--) bytes.push(Math.floor(argument / 256 ** i) % 256)
    return Uint8Array.from(bytes)
  }
  if (argument < 24) return Uint8Array.of(32 * major + argument)
  if (argument < 256) return concat(Uint8Array.of(32 * major + 24), bytesOf(1))
  if (argument < 65_536) return concat(Uint8Array.of(32 * major + 25), bytesOf(2))
  if (argument < 4_294_967_296) return concat(Uint8Array.of(32 * major + 26), bytesOf(4))
  return concat(Uint8Array.of(32 * major + 27), bytesOf(8))
}

/** Decodes one item that is the whole input; anything that `encode` would not write again is refused. */
export function decode(bytes: Uint8Array, maxBytes: number): Value {
  if (bytes.length > maxBytes) throw new Refused('ERR_CONVENTIONS', 'longer than its bound')
  const [value, end] = item(bytes, 0, 0)
  if (end !== bytes.length) throw new Refused('ERR_CONVENTIONS', 'trailing bytes')
  if (!equal(encode(value), bytes)) throw new Refused('ERR_CONVENTIONS', 'not deterministic')
  return value
}

function item(bytes: Uint8Array, start: number, depth: number): [Value, number] {
  if (start >= bytes.length) throw new Refused('ERR_CONVENTIONS', 'ends early')
  if (depth > 16) throw new Refused('ERR_CONVENTIONS', 'nested too deeply')
  const first = bytes[start] as number
  if (first === 0xf4) return [false, start + 1]
  if (first === 0xf5) return [true, start + 1]
  if (first === 0xf6) return [null, start + 1]
  const major = first >> 5
  const [argument, next] = argumentAt(bytes, start)
  if (major === 0) return [argument, next]
  if (major === 2 || major === 3) {
    if (argument > bytes.length - next) throw new Refused('ERR_CONVENTIONS', 'ends early')
    const content = bytes.slice(next, next + argument)
    return [major === 2 ? content : textOf(content), next + argument]
  }
  if (major === 4) {
    if (argument > bytes.length - next) throw new Refused('ERR_CONVENTIONS', 'ends early')
    const values: Value[] = []
    let at = next
    for (let i = 0; i < argument; i++) {
      const [value, end] = item(bytes, at, depth + 1)
      values.push(value)
      at = end
    }
    return [values, at]
  }
  throw new Refused('ERR_CONVENTIONS', 'a type that no structure uses')
}

function argumentAt(bytes: Uint8Array, start: number): [number, number] {
  const short = (bytes[start] as number) & 31
  if (short < 24) return [short, start + 1]
  if (short > 27) throw new Refused('ERR_CONVENTIONS', 'indefinite or reserved length')
  const width = 2 ** (short - 24)
  if (start + 1 + width > bytes.length) throw new Refused('ERR_CONVENTIONS', 'ends early')
  let argument = 0
  for (let i = 0; i < width; i++) argument = argument * 256 + (bytes[start + 1 + i] as number)
  if (!Number.isSafeInteger(argument)) throw new Refused('ERR_CONVENTIONS', 'integer above 2^53 - 1')
  return [argument, start + 1 + width]
}

function textOf(content: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content)
  } catch {
    throw new Refused('ERR_CONVENTIONS', 'text that is not UTF-8')
  }
}
