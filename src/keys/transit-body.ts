/** Secrets in the bodies of transit, read and written as bytes, because a text cannot be wiped (SPEC §4.10). @module */

import { secretBytes, wipe } from '../base/bytes.ts'

const ALPHABET: Uint8Array = new TextEncoder().encode(
  'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
)
const VALUES: ReadonlyMap<number, number> = new Map([...ALPHABET].map((code, value) => [code, value]))
const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const EQUALS = 0x3d
const SPACES: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d])

/** Base64 (RFC 4648 §4) as bytes, off the heap. The caller wipes them. */
export function base64Bytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = secretBytes(4 * Math.ceil(bytes.length / 3))
  let at = 0
  for (let from = 0; from < bytes.length; from += 3) {
    const [a = 0, b = 0, c = 0] = bytes.subarray(from, from + 3)
    const bits = (a << 16) | (b << 8) | c
    for (let shift = 18; shift >= 0; shift -= 6) out[at++] = ALPHABET[(bits >> shift) & 63] ?? 0
  }
  for (let missing = (3 - (bytes.length % 3)) % 3; missing > 0; missing--) out[at - missing] = EQUALS
  return out
}

/** The value of a field of JSON as bytes of base64, decoded, off the heap; `undefined` when it is not there or malformed. */
export function secretField(json: Uint8Array, name: string): Uint8Array<ArrayBuffer> | undefined {
  const range = field(json, name)
  if (range === undefined) return undefined
  const out = secretBytes(json.length)
  let written = 0
  let bits = 0
  let pending = 0
  for (const code of range) {
    // JSON may write a slash with a backslash before it.
    if (code === BACKSLASH || code === EQUALS) continue
    const value = VALUES.get(code)
    if (value === undefined) {
      wipe(out)
      return undefined
    }
    bits = ((bits << 6) | value) & 0xfff
    pending += 6
    if (pending < 8) continue
    pending -= 8
    out[written++] = bits >> pending
  }
  const secret = secretBytes(written)
  secret.set(out.subarray(0, written))
  wipe(out)
  return secret
}

/** The value of a field of JSON that is no secret. */
export function readText(json: Uint8Array, name: string): string | undefined {
  const range = field(json, name)
  return range && new TextDecoder().decode(range).replaceAll('\\/', '/')
}

/** The bytes between the quotes of the first field of that name. */
function field(json: Uint8Array, name: string): Uint8Array | undefined {
  const wanted = new TextEncoder().encode(`"${name}"`)
  for (let at = json.indexOf(QUOTE); at >= 0; at = json.indexOf(QUOTE, at + 1)) {
    if (!wanted.every((code, index) => json[at + index] === code)) continue
    const colon = skipSpaces(json, at + wanted.length)
    if (json[colon] !== COLON) continue
    const start = skipSpaces(json, colon + 1)
    if (json[start] !== QUOTE) return undefined
    const end = json.indexOf(QUOTE, start + 1)
    return end < 0 ? undefined : json.subarray(start + 1, end)
  }
  return undefined
}

function skipSpaces(json: Uint8Array, from: number): number {
  let at = from
  while (SPACES.has(json[at] ?? -1)) at++
  return at
}
