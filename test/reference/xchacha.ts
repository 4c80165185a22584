/** XChaCha20-Poly1305, slowly (RFC 8439 §2, draft-irtf-cfrg-xchacha-03 §2). @module */
import { concat, equal } from './bytes.ts'

/** `aead(k, n, a, p)`: ciphertext ‖ 16-byte tag. */
export function aeadSeal(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array {
  const [subkey, subnonce] = derive(key, nonce)
  const ciphertext = chacha20(subkey, 1, subnonce, plaintext)
  return concat(ciphertext, tagOf(subkey, subnonce, aad, ciphertext))
}

/** The plaintext, or undefined when the tag does not fit. */
export function aeadOpen(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  sealed: Uint8Array,
): Uint8Array | undefined {
  const [subkey, subnonce] = derive(key, nonce)
  if (sealed.length < 16) return undefined
  const ciphertext = sealed.slice(0, sealed.length - 16)
  const tag = sealed.slice(sealed.length - 16)
  if (!equal(tag, tagOf(subkey, subnonce, aad, ciphertext))) return undefined
  return chacha20(subkey, 1, subnonce, ciphertext)
}

/** draft-irtf-cfrg-xchacha-03 §2.3: HChaCha20 over the first 16 nonce bytes, four zero bytes before the last 8. */
function derive(key: Uint8Array, nonce: Uint8Array): [Uint8Array, Uint8Array] {
  if (key.length !== 32 || nonce.length !== 24) throw new RangeError('XChaCha20-Poly1305 key or nonce')
  return [hchacha20(key, nonce.slice(0, 16)), concat(new Uint8Array(4), nonce.slice(16))]
}

/** The Poly1305 key of a message: the first half of block 0 under the derived key, RFC 8439 §2.6. */
export function oneTimeKeyOf(key: Uint8Array, nonce: Uint8Array): Uint8Array {
  const [subkey, subnonce] = derive(key, nonce)
  return chacha20(subkey, 0, subnonce, new Uint8Array(32))
}

/** RFC 8439 §2.8; lengths are little-endian, 8 bytes each. */
function tagOf(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  const oneTimeKey = chacha20(key, 0, nonce, new Uint8Array(32))
  const lengths = concat(littleEndian(BigInt(aad.length), 8), littleEndian(BigInt(ciphertext.length), 8))
  return poly1305(oneTimeKey, concat(aad, pad16(aad), ciphertext, pad16(ciphertext), lengths))
}

export function pad16(bytes: Uint8Array): Uint8Array {
  return new Uint8Array((16 - (bytes.length % 16)) % 16)
}

export function littleEndian(value: bigint, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = Number((value >> BigInt(8 * i)) & 255n)
  return bytes
}

export function fromLittleEndian(bytes: Uint8Array): bigint {
  let value = 0n
  for (let i = bytes.length - 1; i >= 0; i--) value = value * 256n + BigInt(bytes[i] as number)
  return value
}

/** RFC 8439 §2.5. */
export function poly1305(key: Uint8Array, message: Uint8Array): Uint8Array {
  const prime = 2n ** 130n - 5n
  const r = fromLittleEndian(key.slice(0, 16)) & 0x0ffffffc0ffffffc0ffffffc0fffffffn
  const s = fromLittleEndian(key.slice(16, 32))
  let accumulator = 0n
  for (let at = 0; at < message.length; at += 16) {
    const block = message.slice(at, at + 16)
    accumulator = ((accumulator + fromLittleEndian(concat(block, Uint8Array.of(1)))) * r) % prime
  }
  return littleEndian((accumulator + s) & (2n ** 128n - 1n), 16)
}

const CONSTANTS = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574]

function wordsOf(bytes: Uint8Array): number[] {
  const words: number[] = []
  for (let at = 0; at < bytes.length; at += 4) words.push(Number(fromLittleEndian(bytes.slice(at, at + 4))))
  return words
}

function bytesOf(words: readonly number[]): Uint8Array {
  return concat(...words.map((word) => littleEndian(BigInt(word >>> 0), 4)))
}

/** RFC 8439 §2.1. */
function quarterRound(state: number[], a: number, b: number, c: number, d: number): void {
  const step = (x: number, y: number, z: number, turn: number): void => {
    state[x] = ((state[x] as number) + (state[y] as number)) >>> 0
    const mixed = ((state[z] as number) ^ state[x]) >>> 0
    state[z] = ((mixed << turn) | (mixed >>> (32 - turn))) >>> 0
  }
  step(a, b, d, 16)
  step(c, d, b, 12)
  step(a, b, d, 8)
  step(c, d, b, 7)
}

/** Ten times a column round and a diagonal round: RFC 8439 §2.3.1. */
function twentyRounds(initial: readonly number[]): number[] {
  const state = [...initial]
  for (let i = 0; i < 10; i++) {
    quarterRound(state, 0, 4, 8, 12)
    quarterRound(state, 1, 5, 9, 13)
    quarterRound(state, 2, 6, 10, 14)
    quarterRound(state, 3, 7, 11, 15)
    quarterRound(state, 0, 5, 10, 15)
    quarterRound(state, 1, 6, 11, 12)
    quarterRound(state, 2, 7, 8, 13)
    quarterRound(state, 3, 4, 9, 14)
  }
  return state
}

/** draft-irtf-cfrg-xchacha-03 §2.2: the first and the last row, without the final addition. */
function hchacha20(key: Uint8Array, nonce: Uint8Array): Uint8Array {
  const state = twentyRounds([...CONSTANTS, ...wordsOf(key), ...wordsOf(nonce)])
  return bytesOf([...state.slice(0, 4), ...state.slice(12, 16)])
}

/** RFC 8439 §2.4. */
function chacha20(key: Uint8Array, counter: number, nonce: Uint8Array, input: Uint8Array): Uint8Array {
  const output = new Uint8Array(input.length)
  for (let at = 0; at < input.length; at += 64) {
    const initial = [...CONSTANTS, ...wordsOf(key), counter + at / 64, ...wordsOf(nonce)]
    const block = bytesOf(twentyRounds(initial).map((word, i) => word + (initial[i] as number)))
    for (let i = at; i < Math.min(at + 64, input.length); i++)
      output[i] = (input[i] as number) ^ (block[i - at] as number)
  }
  return output
}
