/** TurboSHAKE128 in plain JavaScript (RFC 9861), for runtimes without WebAssembly. @module */

import { turboshake128 } from '@noble/hashes/sha3-addons.js'
import { secretBytes } from '../base/bytes.ts'

/**
 * Equal to `turboshake128` of `xof.ts`, about ten times slower; copies of the message stay on the moving
 * heap.
 */
export function turboshake128Portable(message: Uint8Array, lengthBytes: number): Uint8Array<ArrayBuffer> {
  return turboshake128.create({ D: 0x1f }).update(message).xofInto(secretBytes(lengthBytes))
}
