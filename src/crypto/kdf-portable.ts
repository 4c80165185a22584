/** HKDF-SHA-512 and HMAC-SHA-512 in plain JavaScript, for runtimes without WebAssembly. @module */

import { hkdf } from '@noble/hashes/hkdf.js'
import { hmac } from '@noble/hashes/hmac.js'
import { sha512 } from '@noble/hashes/sha2.js'
import { concatBytes, wipe } from '../base/bytes.ts'

/**
 * Equal to `hkdf` of `kdf.ts`, about four times slower, and without its promise about memory: the hash works in
 * JavaScript arrays that the garbage collector may copy. `length` is 1 to 16,320 bytes. The result is off-heap.
 */
export function hkdfPortable(ikm: Uint8Array, info: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  return offHeap(hkdf(sha512, ikm, undefined, info, length))
}

/** Equal to `hmacSha512` of `kdf.ts`, 64 bytes; the same restrictions hold as for `hkdfPortable`. */
export function hmacSha512Portable(key: Uint8Array, message: Uint8Array): Uint8Array<ArrayBuffer> {
  return offHeap(hmac(sha512, key, message))
}

function offHeap(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = concatBytes(bytes)
  wipe(bytes)
  return copy
}
