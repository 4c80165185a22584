/** The key stream of a rotation and its mask (SPEC §5, RFC 9861). @module */

import { concatBytes, labelBytes, wipe } from '../base/bytes.ts'
import { turboshake128 } from '../crypto/xof.ts'
import { TransformError } from './errors.ts'
import { rotationBytes, type Suite, suiteParameters } from './suite.ts'

const KEY_BYTES = 32

/**
 * The bits that steer a rotation of size `n`, followed by the `m` bits that mask the code.
 *
 * @param rotationKey 32 bytes, borrowed
 * @returns off-heap, owned by the caller, who wipes it
 */
export function keyStream(suite: Suite, rotationKey: Uint8Array, n: number, m: number): Uint8Array {
  if (rotationKey.length !== KEY_BYTES) {
    throw new TransformError('ERR_TRANSFORM_INPUT', `a rotation key has ${KEY_BYTES} bytes`)
  }
  const message = concatBytes(labelBytes(suiteParameters(suite).label), rotationKey)
  try {
    return turboshake128(message, rotationBytes(suite, n) + (m >> 3))
  } finally {
    wipe(message)
  }
}

/** The mask within a key stream: its last m/8 bytes, a view that lives as long as the stream. */
export function streamMask(stream: Uint8Array, m: number): Uint8Array {
  return stream.subarray(stream.length - (m >> 3))
}
