/** Verifying signatures of others without WebAssembly: Ed25519 under one strict rule, ECDSA on P-256 (RFC 8032 §5.1, FIPS 186-5). @module */

import { ed25519 } from '@noble/curves/ed25519.js'

const SIGNATURE_BYTES = 64
const ED25519_KEY_BYTES = 32
/** An uncompressed point: 4, x, y. */
const P256_KEY_BYTES = 65
const UNCOMPRESSED = 4

const ECDSA: EcKeyImportParams = { name: 'ECDSA', namedCurve: 'P-256' }
const SHA_256: EcdsaParams = { name: 'ECDSA', hash: 'SHA-256' }

/**
 * True when `signature` is valid: canonical encodings of both points and of the scalar, a public key that is not
 * of low order, and the equation multiplied by the cofactor. Libraries disagree on 783 of 914 edge cases, so every
 * party uses this very rule. Whatever has the wrong length is false, not an error.
 */
export function verifyEd25519Strict(
  signature: Uint8Array,
  message: Uint8Array,
  publicKey: Uint8Array,
): boolean {
  if (signature.length !== SIGNATURE_BYTES || publicKey.length !== ED25519_KEY_BYTES) return false
  return ed25519.verify(signature, message, publicKey, { zip215: false })
}

/** The public key of a point of 65 bytes; `undefined` when it is none on the curve. */
export async function importP256(publicKey: Uint8Array): Promise<CryptoKey | undefined> {
  if (publicKey.length !== P256_KEY_BYTES || publicKey[0] !== UNCOMPRESSED) return undefined
  try {
    return await globalThis.crypto.subtle.importKey('raw', Uint8Array.from(publicKey), ECDSA, true, [
      'verify',
    ])
  } catch {
    return undefined
  }
}

/**
 * True when `signature`, r ‖ s in 64 bytes, is valid for the SHA-256 of `message`. Both of s and n − s are: signers in phones and
 * browsers do not choose. Whatever has the wrong length, and a key that is none, is false.
 */
export async function verifyP256(
  signature: Uint8Array,
  message: Uint8Array,
  publicKey: Uint8Array,
): Promise<boolean> {
  if (signature.length !== SIGNATURE_BYTES) return false
  const key = await importP256(publicKey)
  if (key === undefined) return false
  return globalThis.crypto.subtle.verify(SHA_256, key, Uint8Array.from(signature), Uint8Array.from(message))
}
