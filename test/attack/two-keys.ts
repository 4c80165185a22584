/** One ciphertext, one tag, two keys: why XChaCha20-Poly1305 alone does not say which key sealed. @module */
import { createCipheriv } from 'node:crypto'
import { concatBytes } from '../../src/base/bytes.ts'

const PRIME = 2n ** 130n - 5n
const WORD = 2n ** 128n
const CLAMP = 0x0ffffffc0ffffffc0ffffffc0fffffffn

/** What Poly1305 is keyed with for one message: the evaluation point and what is added at the end. */
interface OneTimeKey {
  readonly r: bigint
  readonly s: bigint
}

/**
 * A ciphertext (with its tag) of `blocks` times 16 bytes, at least two, that opens under both keys.
 * All blocks but the last are random; the last is solved for, which works for most choices of the others.
 *
 * @returns the ciphertext and how many choices it took
 */
export function twoKeyCiphertext(
  keys: readonly [Uint8Array, Uint8Array],
  nonce: Uint8Array,
  aad: Uint8Array,
  blocks: number,
  random: (length: number) => Uint8Array,
): { readonly ciphertext: Uint8Array; readonly tries: number } {
  const [first, second] = keys.map((key) => oneTimeKey(key, nonce)) as [OneTimeKey, OneTimeKey]
  for (let tries = 1; tries <= 1000; tries++) {
    const start = random(16 * (blocks - 1))
    for (const multiple of [-2n, -1n, 0n, 1n, 2n]) {
      const last = solve(first, second, aad, start, multiple)
      if (last === undefined) continue
      const body = concatBytes(start, last)
      const tag = poly1305(first, message(aad, body))
      if (tag === poly1305(second, message(aad, body))) {
        return { ciphertext: concatBytes(body, bytesOf(tag, 16)), tries }
      }
    }
  }
  throw new Error('no ciphertext in 1,000 tries')
}

/**
 * The block x with P₁(x) + s₁ = P₂(x) + s₂ + multiple · 2^128 modulo the prime, where Pᵢ is linear in the last
 * block: Pᵢ(x) = Pᵢ(0) + x · rᵢ². `undefined` when x is not a block of 128 bits.
 */
function solve(
  first: OneTimeKey,
  second: OneTimeKey,
  aad: Uint8Array,
  start: Uint8Array,
  multiple: bigint,
): Uint8Array | undefined {
  const zero = message(aad, concatBytes(start, new Uint8Array(16)))
  const constant = evaluate(second.r, zero) + second.s - evaluate(first.r, zero) - first.s + multiple * WORD
  const slope = first.r ** 2n - second.r ** 2n
  const x = mod(constant * inverse(mod(slope)))
  return x < WORD ? bytesOf(x, 16) : undefined
}

/** RFC 8439 §2.8: what the tag is computed over. */
function message(aad: Uint8Array, body: Uint8Array): Uint8Array {
  const pad = new Uint8Array((16 - (aad.length % 16)) % 16)
  return concatBytes(aad, pad, body, bytesOf(BigInt(aad.length), 8), bytesOf(BigInt(body.length), 8))
}

function poly1305({ r, s }: OneTimeKey, bytes: Uint8Array): bigint {
  return (evaluate(r, bytes) + s) % WORD
}

function evaluate(r: bigint, bytes: Uint8Array): bigint {
  let sum = 0n
  for (let at = 0; at < bytes.length; at += 16) {
    sum = mod((sum + numberOf(bytes.subarray(at, at + 16)) + WORD) * r)
  }
  return sum
}

/** draft-irtf-cfrg-xchacha-03 §2.3 and RFC 8439 §2.6. */
function oneTimeKey(key: Uint8Array, nonce: Uint8Array): OneTimeKey {
  const subkey = hchacha20(key, nonce.subarray(0, 16))
  const block = chacha20Block(subkey, concatBytes(new Uint8Array(8), nonce.subarray(16)))
  return { r: numberOf(block.subarray(0, 16)) & CLAMP, s: numberOf(block.subarray(16, 32)) }
}

/** Of the platform's ChaCha20 block, the first and last rows without the final addition of the initial state. */
function hchacha20(key: Uint8Array, input: Uint8Array): Uint8Array {
  const block = new DataView(chacha20Block(key, input).buffer)
  const constants = new TextEncoder().encode('expand 32-byte k')
  const initial = new DataView(concatBytes(constants, key, input).buffer)
  const out = new DataView(new ArrayBuffer(32))
  for (let i = 0; i < 4; i++) {
    out.setUint32(4 * i, block.getUint32(4 * i, true) - initial.getUint32(4 * i, true), true)
    out.setUint32(16 + 4 * i, block.getUint32(48 + 4 * i, true) - initial.getUint32(48 + 4 * i, true), true)
  }
  return new Uint8Array(out.buffer)
}

/** One block under a 16-byte input: the counter, little-endian, and the 96-bit nonce. */
function chacha20Block(key: Uint8Array, input: Uint8Array): Uint8Array<ArrayBuffer> {
  return concatBytes(createCipheriv('chacha20', key, input).update(new Uint8Array(64)))
}

function mod(value: bigint): bigint {
  return ((value % PRIME) + PRIME) % PRIME
}

/** By Fermat's little theorem. */
function inverse(value: bigint): bigint {
  let result = 1n
  let base = value
  for (let exponent = PRIME - 2n; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = mod(result * base)
    base = mod(base * base)
  }
  return result
}

function numberOf(bytes: Uint8Array): bigint {
  let value = 0n
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] as number)
  return value
}

function bytesOf(value: bigint, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => Number((value >> BigInt(8 * i)) & 255n))
}
