/** SHA-256 (FIPS 180-4). @module */

import { sha256 as sha256Of } from '@noble/hashes/sha2.js'
import { builtinModule } from '../base/builtin.ts'
import { checkBytes } from '../base/check.ts'
import { rejectInput } from './errors.ts'

const DIGEST_BYTES = 32

/** What is used of Node's module: the digest as a text of one character a byte. */
interface HashModule {
  readonly hash?: (algorithm: 'sha256', data: Uint8Array, encoding: 'binary') => string
}

/** Node's own, where it has one. */
const platformHash: HashModule['hash'] = (builtinModule('node:crypto') as HashModule | undefined)?.hash

/**
 * The 32-byte digest. The hash wipes its buffers when it is done, as best effort: it is for public data, and for what is
 * wiped right after. Throws `ERR_CRYPTO_INPUT`.
 */
export function sha256(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  checkBytes(bytes, 'bytes', [0, Number.MAX_SAFE_INTEGER], rejectInput)
  return sha256Of(bytes)
}

/** As `sha256`, for what anybody may see: the platform's own costs a fifth, and wipes nothing. */
export function sha256Public(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  if (platformHash === undefined) return sha256(bytes)
  checkBytes(bytes, 'bytes', [0, Number.MAX_SAFE_INTEGER], rejectInput)
  const text = platformHash('sha256', bytes, 'binary')
  const digest = new Uint8Array(DIGEST_BYTES)
  for (let i = 0; i < DIGEST_BYTES; i++) digest[i] = text.charCodeAt(i)
  return digest
}
