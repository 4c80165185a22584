/** The keyed rotation of an embedding's integers (SPEC §5). @module */

import { wipe } from '../base/bytes.ts'
import { assemblyKernel } from './assembly.ts'
import { TransformError } from './errors.ts'
import { type Kernel, portableKernel } from './kernel.ts'
import { rotationBytes, type Suite, suiteParameters } from './suite.ts'

/**
 * Pads the integers with zeros to `n` and rotates them.
 *
 * @param z the integers of an embedding, at most `n`; borrowed
 * @param n size of the rotation, as `rotationSize` gives it
 * @param stream the key stream of the same suite and size; borrowed
 * @param into n zeros off the heap to work on, in place of a new buffer
 * @returns n integers off-heap, owned by the caller, who wipes them
 */
export function rotate(
  z: Int32Array,
  suite: Suite,
  n: number,
  stream: Uint8Array,
  into?: Int32Array,
): Int32Array {
  if (n < 64 || n > 4096 || (n & (n - 1)) !== 0 || z.length > n || stream.length < rotationBytes(suite, n)) {
    throw new TransformError('ERR_TRANSFORM_INPUT', 'the sizes of a rotation do not fit together')
  }
  const values = into ?? new Int32Array(new ArrayBuffer(4 * n))
  values.set(z)
  try {
    kernel().rotate(values, suiteParameters(suite).rounds, stream)
  } catch (error) {
    wipe(values)
    throw error
  }
  return values
}

let chosen: Kernel | undefined

/** The kernel of this process, chosen at the first use: importing starts nothing. */
export function kernel(): Kernel {
  chosen ??= chooseKernel()
  return chosen
}

/** The one place that decides which kernel runs; every kernel computes the same integers. */
export function chooseKernel(module?: string): Kernel {
  return assemblyKernel(module) ?? portableKernel
}
