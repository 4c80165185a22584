/** The key stream of a rotation and its mask (SPEC §5, RFC 9861). @module */

import { secretBytes } from '../base/bytes.ts'
import { turboshake128Into } from '../crypto/xof.ts'
import { TransformError } from './errors.ts'
import { rotationBytes, type Suite, suiteParameters } from './suite.ts'

const KEY_BYTES = 32

/** Bytes of the key stream of a rotation of size `n`, with `m` mask bits behind it. */
export function streamBytes(suite: Suite, n: number, m: number): number {
  return rotationBytes(suite, n) + (m >> 3)
}

/**
 * The bits that steer a rotation of size `n`, followed by the `m` bits that mask the code.
 *
 * @param rotationKey 32 bytes, borrowed
 * @param into a buffer of `streamBytes(suite, n, m)` bytes to fill, in place of a new one
 * @returns off-heap, owned by the caller, who wipes it
 */
export function keyStream(
  suite: Suite,
  rotationKey: Uint8Array,
  n: number,
  m: number,
  into: Uint8Array<ArrayBuffer> = secretBytes(streamBytes(suite, n, m)),
): Uint8Array {
  if (rotationKey.length !== KEY_BYTES) {
    throw new TransformError('ERR_TRANSFORM_INPUT', `a rotation key has ${KEY_BYTES} bytes`)
  }
  turboshake128Into([suiteParameters(suite).label, rotationKey], into)
  return into
}

/** The mask within a key stream: its last m/8 bytes, a view that lives as long as the stream. */
export function streamMask(stream: Uint8Array, m: number): Uint8Array {
  return stream.subarray(stream.length - (m >> 3))
}
