/** SHA-256 (FIPS 180-4). @module */

import { sha256 as sha256Of } from '@noble/hashes/sha2.js'
import { checkBytes } from '../base/check.ts'
import { rejectInput } from './errors.ts'

/**
 * The 32-byte digest. The hash wipes its buffers when it is done, as best effort: it is for public data, and for what is
 * wiped right after. Throws `ERR_CRYPTO_INPUT`.
 */
export function sha256(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  checkBytes(bytes, 'bytes', [0, Number.MAX_SAFE_INTEGER], rejectInput)
  return sha256Of(bytes)
}
