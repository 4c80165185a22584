/** Ed25519: signing through libsodium, verification under one pinned, strict rule (RFC 8032 §5.1, FIPS 186-5). @module */

import { secretBytes } from '../base/bytes.ts'
import { checkBytes } from '../base/check.ts'
import { rejectInput } from './errors.ts'
import { primitives, startedPrimitives } from './sodium.ts'
import { verifyEd25519Strict } from './verify.ts'

const SIGNING_SEED_BYTES = 32
const SIGNATURE_BYTES = 64
const PUBLIC_KEY_BYTES = 32
const MAX_MESSAGE_BYTES = 16_777_216

/** An Ed25519 key pair. `seed` is the secret (RFC 8032 §5.1.5), 32 bytes, off-heap, wiped by its owner. */
export interface SigningKeyPair {
  readonly seed: Uint8Array
  readonly publicKey: Uint8Array
}

/** The key pair of a uniformly random 32-byte seed, which is copied. Throws `ERR_CRYPTO_INPUT`, `ERR_CRYPTO_NOT_READY`. */
export function keyPairEd25519(seed: Uint8Array): SigningKeyPair {
  checkBytes(seed, 'seed', SIGNING_SEED_BYTES, rejectInput)
  const own = secretBytes(SIGNING_SEED_BYTES)
  own.set(seed)
  return { seed: own, publicKey: primitives().publicKey(own) }
}

/**
 * The 64-byte deterministic signature of `message` by the key pair of `seed`. Throws `ERR_CRYPTO_INPUT`,
 * `ERR_CRYPTO_NOT_READY`.
 */
export function signEd25519(message: Uint8Array, seed: Uint8Array): Uint8Array {
  checkBytes(message, 'message', [0, MAX_MESSAGE_BYTES], rejectInput)
  checkBytes(seed, 'seed', SIGNING_SEED_BYTES, rejectInput)
  return primitives().sign(seed, message)
}

/** The verdict of `verifyEd25519Strict`, for those who sign too: sooner where libsodium runs and takes the signature. */
export function verifyEd25519(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean {
  const isSized = signature.length === SIGNATURE_BYTES && publicKey.length === PUBLIC_KEY_BYTES
  const isShort = isSized && message.length <= MAX_MESSAGE_BYTES
  if (isShort && startedPrimitives()?.takes(signature, message, publicKey) === true) return true
  return verifyEd25519Strict(signature, message, publicKey)
}
