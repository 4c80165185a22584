/** TurboSHAKE128 with domain byte 0x1F (RFC 9861), through libsodium. @module */

import { checkBytes, checkInteger } from '../base/check.ts'
import { rejectInput } from './errors.ts'
import { checkInput, type Input } from './input.ts'
import { primitives } from './sodium.ts'

const MAX_OUTPUT_BYTES = 16_777_216

/**
 * The first `lengthBytes` (1 to 16 MiB) bytes of the output for `message`, off-heap; the caller wipes them
 * when the message was secret. Throws `ERR_CRYPTO_INPUT`, `ERR_CRYPTO_NOT_READY`.
 */
export function turboshake128(message: Input, lengthBytes: number): Uint8Array<ArrayBuffer> {
  checkInput(message, 'message')
  checkInteger(lengthBytes, 'lengthBytes', [1, MAX_OUTPUT_BYTES], rejectInput)
  return primitives().turboshake128(message, lengthBytes)
}

/** Fills `output` (1 to 16 MiB) with the bytes that `turboshake128` would give. Throws as it does. */
export function turboshake128Into(message: Input, output: Uint8Array<ArrayBuffer>): void {
  checkInput(message, 'message')
  checkBytes(output, 'output', [1, MAX_OUTPUT_BYTES], rejectInput)
  primitives().turboshake128(message, output)
}
