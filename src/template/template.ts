/** References and probes from an embedding's integers (SPEC §6). @module */

import type { Bits } from '../policy/operating-point.ts'
import { quantize, signBits } from '../transform/quantize.ts'
import { rotate } from '../transform/rotate.ts'
import { keyStream, streamMask } from '../transform/stream.ts'
import { rotationSize, type Suite } from '../transform/suite.ts'
import { withWorkspace } from '../transform/workspace.ts'
import { Probe } from './probe.ts'

/**
 * The code that is stored: the signs of the rotated values, masked.
 *
 * @param z the integers of an embedding; borrowed, the caller wipes them
 * @param rotationKey 32 bytes that serve this record only; borrowed
 * @returns m/8 bytes off-heap, owned by the caller, who wipes them once sealed
 */
export function encodeReference(z: Int32Array, suite: Suite, m: Bits, rotationKey: Uint8Array): Uint8Array {
  return withRotated(z, suite, m, rotationKey, (values, mask) => {
    const code = signBits(values, m)
    for (let i = 0; i < code.length; i++) code[i] = (code[i] as number) ^ (mask[i] as number)
    return code
  })
}

/**
 * The probe that is compared with the code of the same key; never stored.
 *
 * @param z the integers of an embedding; borrowed, the caller wipes them
 * @param rotationKey the key of the reference; borrowed
 * @returns owned by the caller, who calls `wipe()` after the comparison
 */
export function encodeProbe(z: Int32Array, suite: Suite, m: Bits, rotationKey: Uint8Array): Probe {
  return withRotated(z, suite, m, rotationKey, (values, mask) => {
    const room = new ArrayBuffer(m + mask.length)
    const own = new Uint8Array(room, m)
    own.set(mask)
    return new Probe(quantize(values, m, new Int8Array(room, 0, m)), own)
  })
}

/** Lends the rotated values and the mask to `task`; afterwards both are wiped, and the key stream. */
function withRotated<Result>(
  z: Int32Array,
  suite: Suite,
  m: Bits,
  rotationKey: Uint8Array,
  task: (values: Int32Array, mask: Uint8Array) => Result,
): Result {
  const n = rotationSize(z.length, m)
  return withWorkspace(suite, n, m, (space) => {
    const stream = keyStream(suite, rotationKey, n, m, space.stream)
    const values = rotate(z, suite, n, stream, space.values)
    return task(values, streamMask(stream, m))
  })
}
