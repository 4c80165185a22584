/** AES-256-GCM through the platform, for runtimes without WebAssembly (SP 800-38D). Not key-committing. @module */

import { secretBytes, wipe } from '../base/bytes.ts'
import { checkBytes } from '../base/check.ts'
import { rejectInput } from './errors.ts'

const KEY_BYTES = 32
export const GCM_NONCE_BYTES = 12
const GCM_TAG_BYTES = 16

/** Encrypts and appends the 16-byte tag. `nonce` never repeats under one key. Throws `ERR_CRYPTO_INPUT`. */
export async function gcmEncrypt(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  const given = parameters(nonce, aad)
  const imported = await importKey(key, 'encrypt')
  const own = copy(plaintext)
  try {
    return new Uint8Array(await globalThis.crypto.subtle.encrypt(given, imported, own))
  } finally {
    wipe(own)
  }
}

/** The plaintext, off-heap and owned by the caller, or `undefined` for what is not authentic. Throws `ERR_CRYPTO_INPUT`. */
export async function gcmDecrypt(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  ciphertext: Uint8Array,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const given = parameters(nonce, aad)
  const imported = await importKey(key, 'decrypt')
  try {
    return new Uint8Array(await globalThis.crypto.subtle.decrypt(given, imported, copy(ciphertext)))
  } catch {
    return undefined
  }
}

async function importKey(key: Uint8Array, use: KeyUsage): Promise<CryptoKey> {
  checkBytes(key, 'key', KEY_BYTES, rejectInput)
  const own = copy(key)
  try {
    return await globalThis.crypto.subtle.importKey('raw', own, 'AES-GCM', false, [use])
  } finally {
    wipe(own)
  }
}

function parameters(nonce: Uint8Array, aad: Uint8Array): AesGcmParams {
  checkBytes(nonce, 'nonce', GCM_NONCE_BYTES, rejectInput)
  return { name: 'AES-GCM', iv: copy(nonce), additionalData: copy(aad), tagLength: 8 * GCM_TAG_BYTES }
}

/** The platform wants memory that is not shared. */
function copy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const own = secretBytes(bytes.length)
  own.set(bytes)
  return own
}
