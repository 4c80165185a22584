/** The one place that draws randomness. @module */

import { publicBytes, secretBytes } from '../base/bytes.ts'
import { checkInteger } from '../base/check.ts'
import { rejectInput } from './errors.ts'

/** The platform's generator costs 2 µs a call whatever the length: small draws share one. */
const POOL_BYTES = 1024
const MAX_POOLED_BYTES = 256
/** What the platform's generator gives at most in one call. */
const MAX_CALL_BYTES = 65_536
const MAX_BYTES = 16_777_216

const pool: Uint8Array<ArrayBuffer> = secretBytes(POOL_BYTES)
let next = POOL_BYTES

/**
 * `length` bytes (0 to 16 MiB) from the platform's cryptographically secure generator, off-heap and owned by
 * the caller. Bytes handed out are wiped from the pool. Throws `ERR_CRYPTO_INPUT`.
 */
export function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  checkInteger(length, 'length', [0, MAX_BYTES], rejectInput)
  return fill(secretBytes(length))
}

/** `length` bytes (0 to 256) for what is no secret, such as a nonce: as `randomBytes`, at a fifth of its price. */
export function randomPublic(length: number): Uint8Array<ArrayBuffer> {
  checkInteger(length, 'length', [0, MAX_POOLED_BYTES], rejectInput)
  return fill(publicBytes(length))
}

function fill(out: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const { length } = out
  if (length > MAX_POOLED_BYTES) {
    for (let from = 0; from < length; from += MAX_CALL_BYTES) {
      globalThis.crypto.getRandomValues(out.subarray(from, from + MAX_CALL_BYTES))
    }
    return out
  }
  if (next + length > POOL_BYTES) {
    globalThis.crypto.getRandomValues(pool)
    next = 0
  }
  const end = next + length
  out.set(pool.subarray(next, end))
  pool.fill(0, next, end)
  next = end
  return out
}
