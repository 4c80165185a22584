/** XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03), through libsodium. Not key-committing. @module */

import { checkBytes } from '../base/check.ts'
import { rejectInput } from './errors.ts'
import { primitives } from './sodium.ts'

const AEAD_KEY_BYTES = 32
export const AEAD_NONCE_BYTES = 24
export const AEAD_TAG_BYTES = 16

export const AEAD_MAX_BYTES = 16_777_216

/**
 * Encrypts and appends the 16-byte tag. `nonce` never repeats under one key: draw it at random. At most 16
 * MiB. Whoever may choose keys can make one ciphertext that opens under two of them: seals use
 * `committing.ts`. Throws `ERR_CRYPTO_INPUT`, `ERR_CRYPTO_NOT_READY`.
 */
export function aeadEncrypt(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array<ArrayBuffer> {
  checkBytes(key, 'key', AEAD_KEY_BYTES, rejectInput)
  checkBytes(nonce, 'nonce', AEAD_NONCE_BYTES, rejectInput)
  checkBytes(aad, 'aad', [0, AEAD_MAX_BYTES], rejectInput)
  checkBytes(plaintext, 'plaintext', [0, AEAD_MAX_BYTES], rejectInput)
  return primitives().encrypt(key, nonce, aad, plaintext)
}

/**
 * The plaintext, off-heap and owned by the caller, or `undefined` for a ciphertext that is not authentic or
 * shorter than its tag. Throws `ERR_CRYPTO_INPUT` for a key or nonce of the wrong length,
 * `ERR_CRYPTO_NOT_READY`.
 */
export function aeadDecrypt(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  ciphertext: Uint8Array,
): Uint8Array<ArrayBuffer> | undefined {
  checkBytes(key, 'key', AEAD_KEY_BYTES, rejectInput)
  checkBytes(nonce, 'nonce', AEAD_NONCE_BYTES, rejectInput)
  checkBytes(aad, 'aad', [0, AEAD_MAX_BYTES], rejectInput)
  checkBytes(ciphertext, 'ciphertext', [0, AEAD_MAX_BYTES], rejectInput)
  if (ciphertext.length < AEAD_TAG_BYTES) return undefined
  return primitives().decrypt(key, nonce, aad, ciphertext)
}
