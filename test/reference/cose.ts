/** Maps with integer labels, tokens and key thumbprints (SPEC §20.2; RFC 8949 §4.2.1, RFC 9052, RFC 9679). @module */
import { p256 } from '@noble/curves/nist.js'
import { concat, equal, Refused, u8 } from './bytes.ts'
import { decode, encode, type Value } from './cbor.ts'
import { ed25519PublicKey, ed25519Sign, ed25519Verify, sha256 } from './hashes.ts'
import { publicKeyOf } from './hpke.ts'

export type Pair = readonly [label: number, value: Value]

/** A label: an integer of either sign. */
function label(n: number): Uint8Array {
  if (n >= 0) return encode(n)
  const bytes = encode(-1 - n)
  return concat(u8((bytes[0] as number) + 0x20), bytes.slice(1))
}

/** The pairs as they are given. */
export function map(pairs: readonly Pair[]): Uint8Array {
  return concat(u8(0xa0 + pairs.length), ...pairs.flatMap(([name, value]) => [label(name), encode(value)]))
}

/** The values of a map with exactly these labels in this order: looked for in all splits, and encoded again. */
export function unmap(bytes: Uint8Array, labels: readonly number[]): readonly Value[] {
  const bad = (): Refused => new Refused('ERR_CONVENTIONS', 'another map')
  if (bytes[0] !== 0xa0 + labels.length) throw bad()
  const values: Value[] = []
  let at = 1
  for (const name of labels) {
    const wanted = label(name)
    if (!equal(bytes.slice(at, at + wanted.length), wanted)) throw bad()
    at += wanted.length
    const length = itemLength(bytes, at)
    values.push(decode(bytes.slice(at, at + length), bytes.length))
    at += length
  }
  if (at !== bytes.length) throw bad()
  return values
}

/** How long the item is that begins at `at`: the shortest prefix that is an item. */
function itemLength(bytes: Uint8Array, at: number): number {
  for (let length = 1; at + length <= bytes.length; length++) {
    try {
      decode(bytes.slice(at, at + length), bytes.length)
      return length
    } catch {
      // Longer.
    }
  }
  throw new Refused('ERR_CONVENTIONS', 'no item')
}

/** `cbor(["Signature1", protected, h'', payload])`. */
export function signedOf(header: Uint8Array, payload: Uint8Array): Uint8Array {
  return encode(['Signature1', header, new Uint8Array(0), payload])
}

/** `18([protected, {}, payload, signature])`. */
export function tokenOf(header: Uint8Array, payload: Uint8Array, signature: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(0xd2, 0x84), encode(header), u8(0xa0), encode(payload), encode(signature))
}

export type Algorithm = 'EdDSA' | 'ES256'

export function devicePublicKey(algorithm: Algorithm, secret: Uint8Array): Uint8Array {
  return algorithm === 'EdDSA' ? ed25519PublicKey(secret) : publicKeyOf(secret)
}

/** RFC 9679 §3: SHA-256 over the required fields of the COSE_Key. */
export function thumbprint(algorithm: Algorithm, publicKey: Uint8Array): Uint8Array {
  const fields: readonly Pair[] =
    algorithm === 'EdDSA'
      ? [
          [1, 1],
          [-1, 6],
          [-2, publicKey],
        ]
      : [
          [1, 2],
          [-1, 1],
          [-2, publicKey.slice(1, 33)],
          [-3, publicKey.slice(33)],
        ]
  return sha256(map(fields))
}

/** ES256 with the nonce of RFC 6979, so that the bytes are fixed; s as it comes. */
export function signWith(algorithm: Algorithm, secret: Uint8Array, message: Uint8Array): Uint8Array {
  return algorithm === 'EdDSA'
    ? ed25519Sign(secret, message)
    : p256.sign(message, secret, { lowS: false, prehash: true, format: 'compact' })
}

export function verifyWith(
  algorithm: Algorithm,
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (algorithm === 'EdDSA') return ed25519Verify(publicKey, message, signature)
  try {
    return p256.verify(signature, message, publicKey, { lowS: false, prehash: true, format: 'compact' })
  } catch {
    return false
  }
}

/** The other signature that verifies as well: n − s. */
export function otherSignature(signature: Uint8Array): Uint8Array {
  const { r, s } = p256.Signature.fromBytes(signature, 'compact')
  return new p256.Signature(r, p256.Point.Fn.ORDER - s).toBytes('compact')
}
