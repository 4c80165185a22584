/** TurboSHAKE128 with domain byte 0x1F (RFC 9861), through libsodium. @module */

import { checkBytes, checkInteger } from '../base/check.ts'
import { rejectInput } from './errors.ts'
import { primitives } from './sodium.ts'

const MAX_MESSAGE_BYTES = 16_777_216
const MAX_OUTPUT_BYTES = 16_777_216

/**
 * The first `lengthBytes` (1 to 16 MiB) bytes of the output for `message`, off-heap; the caller wipes them
 * when the message was secret. Throws `ERR_CRYPTO_INPUT`, `ERR_CRYPTO_NOT_READY`.
 */
export function turboshake128(message: Uint8Array, lengthBytes: number): Uint8Array<ArrayBuffer> {
  checkBytes(message, 'message', [0, MAX_MESSAGE_BYTES], rejectInput)
  checkInteger(lengthBytes, 'lengthBytes', [1, MAX_OUTPUT_BYTES], rejectInput)
  return primitives().turboshake128(message, lengthBytes)
}
