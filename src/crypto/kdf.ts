/** HKDF-SHA-512 (RFC 5869) and HMAC-SHA-512 (RFC 2104), through libsodium. @module */

import { checkBytes, checkInteger } from '../base/check.ts'
import { rejectInput } from './errors.ts'
import { checkInput, type Input } from './input.ts'
import { primitives } from './sodium.ts'

/** Length of an extracted key and of a whole HMAC. */
const PRK_BYTES = 64

/** Length of a key in the form of `hkdfPrepare`. */
export const PREPARED_BYTES = 416

/** Length of what `mac` returns. */
export const MAC_BYTES = 32

const MAX_OUTPUT_BYTES = 255 * 64

/**
 * Derives `length` bytes (1 to 16,320) from `ikm` with an empty salt. Here and below, `info` or `message` in parts
 * means the parts one after the other, without a copy that someone would have to wipe. The result is off-heap; the caller
 * wipes it. Throws `ERR_CRYPTO_INPUT`, `ERR_CRYPTO_NOT_READY`.
 */
export function hkdf(ikm: Uint8Array, info: Input, length: number): Uint8Array<ArrayBuffer> {
  checkInput(ikm, 'ikm')
  checkInput(info, 'info')
  checkInteger(length, 'length', [1, MAX_OUTPUT_BYTES], rejectInput)
  return primitives().hkdf(ikm, info, length)
}

/**
 * The 64-byte pseudorandom key of RFC 5869 §2.2. Off-heap; the caller wipes it. Throws `ERR_CRYPTO_INPUT`,
 * `ERR_CRYPTO_NOT_READY`.
 */
export function hkdfExtract(salt: Uint8Array, ikm: Uint8Array): Uint8Array<ArrayBuffer> {
  checkInput(salt, 'salt')
  checkInput(ikm, 'ikm')
  return primitives().extract(salt, ikm)
}

/**
 * `hkdfExtract` with an empty salt, in the form in which expansions are cheapest: the state of an HMAC that has taken the
 * extracted key in, 416 bytes, as secret as the key. For a key that lives long. Off-heap; the caller wipes it. Throws as
 * `hkdfExtract`.
 */
export function hkdfPrepare(ikm: Uint8Array): Uint8Array<ArrayBuffer> {
  checkInput(ikm, 'ikm')
  return primitives().prepare(ikm)
}

/** `length` bytes from what `hkdfPrepare` gave: what `hkdf` gives for the same key. Throws as `hkdfExtract`. */
export function hkdfExpandPrepared(
  prepared: Uint8Array,
  info: readonly Uint8Array[],
  length: number,
): Uint8Array<ArrayBuffer> {
  checkBytes(prepared, 'prepared', PREPARED_BYTES, rejectInput)
  checkInput(info, 'info')
  checkInteger(length, 'length', [1, MAX_OUTPUT_BYTES], rejectInput)
  return primitives().expandPrepared(prepared, info, length)
}

/**
 * `length` bytes (1 to 16,320) from a 64-byte key of `hkdfExtract`, RFC 5869 §2.3. Off-heap; the caller wipes
 * it. Throws `ERR_CRYPTO_INPUT`, `ERR_CRYPTO_NOT_READY`.
 */
export function hkdfExpand(prk: Uint8Array, info: Input, length: number): Uint8Array<ArrayBuffer> {
  checkBytes(prk, 'prk', PRK_BYTES, rejectInput)
  checkInput(info, 'info')
  checkInteger(length, 'length', [1, MAX_OUTPUT_BYTES], rejectInput)
  return primitives().expand(prk, info, length)
}

/**
 * HMAC-SHA-512, 64 bytes, for keys of any length: the same function as HKDF-Extract. Throws as `hkdfExtract`.
 */
export function hmacSha512(key: Uint8Array, message: Input): Uint8Array<ArrayBuffer> {
  checkInput(key, 'key')
  checkInput(message, 'message')
  return primitives().extract(key, message)
}

/** A tag: the first 32 bytes of HMAC-SHA-512. Tags are public, so this is an ordinary array. Throws as `hkdfExtract`. */
export function mac(key: Uint8Array, message: Input): Uint8Array<ArrayBuffer> {
  checkInput(key, 'key')
  checkInput(message, 'message')
  return primitives().extract(key, message, new Uint8Array(MAC_BYTES))
}

/**
 * True when `tag` is `mac(key, message)`. Takes the same time for every tag of 32 bytes; a tag of any other
 * length is false. Throws as `hkdfExtract`.
 */
export function verifyMac(key: Uint8Array, message: Input, tag: Uint8Array): boolean {
  checkInput(key, 'key')
  checkInput(message, 'message')
  return tag.length === MAC_BYTES && primitives().verifyMac(key, message, tag)
}
