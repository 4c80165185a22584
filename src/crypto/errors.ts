/** What can go wrong with the primitives (SPEC §2). @module */

import { GuiseError } from '../base/errors.ts'

/**
 * - `ERR_CRYPTO_UNAVAILABLE`: libsodium does not start here, lacks a function or computes wrongly
 * - `ERR_CRYPTO_NOT_READY`: a primitive was called before `cryptoReady()` resolved
 * - `ERR_CRYPTO_INPUT`: an argument has the wrong type, length or range
 */
export type CryptoErrorCode = 'ERR_CRYPTO_UNAVAILABLE' | 'ERR_CRYPTO_NOT_READY' | 'ERR_CRYPTO_INPUT'

/** Thrown by everything in this folder. */
export class CryptoError extends GuiseError {
  readonly code: CryptoErrorCode

  constructor(code: CryptoErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

/** Makes the error of a failed argument check. */
export function rejectInput(why: string): CryptoError {
  return new CryptoError('ERR_CRYPTO_INPUT', why)
}
