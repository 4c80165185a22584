/** The buffers of a rotation, kept from one to the next. @module */

import { secretBytes, wipe } from '../base/bytes.ts'
import { streamBytes } from './stream.ts'
import type { Suite } from './suite.ts'

/** What a rotation works on. */
export interface Workspace {
  /** n integers, zero at first. */
  readonly values: Int32Array
  /** The key stream of the suite and the mask behind it. */
  readonly stream: Uint8Array<ArrayBuffer>
}

/** The buffers that nobody has at the moment. To allocate them anew costs more than a tenth of a comparison. */
let idle: Workspace | undefined

/**
 * Lends buffers for rotations of size `n` with `m` mask bits to `use`; they are wiped when it returns or throws. Whoever
 * asks while they are lent gets others.
 */
export function withWorkspace<Result>(
  suite: Suite,
  n: number,
  m: number,
  use: (space: Workspace) => Result,
): Result {
  const length = streamBytes(suite, n, m)
  const space = idle?.values.length === n && idle.stream.length === length ? idle : allocate(n, length)
  idle = undefined
  try {
    return use(space)
  } finally {
    wipe(space.values, space.stream)
    idle = space
  }
}

function allocate(n: number, length: number): Workspace {
  return { values: new Int32Array(new ArrayBuffer(4 * n)), stream: secretBytes(length) }
}
