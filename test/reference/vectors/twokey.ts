/** Builds a ciphertext that XChaCha20-Poly1305 opens under two keys (why SPEC §8 has a commitment). @module */
import { concat } from '../bytes.ts'
import { bytesFor } from '../inputs.ts'
import { fromLittleEndian, littleEndian, oneTimeKeyOf, pad16, poly1305 } from '../xchacha.ts'

const PRIME = 2n ** 130n - 5n

/**
 * Poly1305 is linear in each block of the message: with both one-time keys known, one free block makes the two tags
 * equal. About one choice of the other block in four leaves a solution of 16 bytes.
 */
export function twoKeyCiphertext(
  first: Uint8Array,
  second: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
): Uint8Array {
  const keys = [oneTimeKeyOf(first, nonce), oneTimeKeyOf(second, nonce)] as const
  const lengths = concat(littleEndian(BigInt(aad.length), 8), littleEndian(32n, 8))
  for (let attempt = 0; ; attempt++) {
    const chosen = bytesFor(`two keys ${attempt}`, 16)
    const before = concat(aad, pad16(aad), chosen)
    // Tag = (A·r² + (block + 2^128)·r² + lengths·r + s) mod 2^128, A being the accumulator before the free block.
    const sides = keys.map((key) => {
      const r = fromLittleEndian(key.slice(0, 16)) & 0x0ffffffc0ffffffc0ffffffc0fffffffn
      const s = fromLittleEndian(key.slice(16))
      const constant =
        accumulatorAfter(before, r) * r * r +
        2n ** 128n * r * r +
        fromLittleEndian(concat(lengths, Uint8Array.of(1))) * r +
        s
      return { square: (r * r) % PRIME, constant: constant % PRIME }
    })
    const [a, b] = sides as [(typeof sides)[0], (typeof sides)[0]]
    const slope = modulo(a.square - b.square)
    const block = modulo(modulo(b.constant - a.constant) * power(slope, PRIME - 2n))
    if (block >= 2n ** 128n) continue
    const ciphertext = concat(chosen, littleEndian(block, 16))
    const [one, two] = keys.map((key) => poly1305(key, concat(aad, pad16(aad), ciphertext, lengths)))
    // The sums were matched modulo the prime; the tags agree unless adding s carried differently.
    if (one !== undefined && two !== undefined && one.every((byte, i) => byte === two[i]))
      return concat(ciphertext, one)
  }
}

function accumulatorAfter(message: Uint8Array, r: bigint): bigint {
  let accumulator = 0n
  for (let at = 0; at < message.length; at += 16)
    accumulator =
      ((accumulator + fromLittleEndian(concat(message.slice(at, at + 16), Uint8Array.of(1)))) * r) % PRIME
  return accumulator
}

function modulo(value: bigint): bigint {
  return ((value % PRIME) + PRIME) % PRIME
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  for (let rest = exponent, square = base; rest > 0n; rest /= 2n) {
    if (rest % 2n === 1n) result = (result * square) % PRIME
    square = (square * square) % PRIME
  }
  return result
}
