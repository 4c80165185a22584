/** The buffers of a rotation, kept from one to the next. @module */

import { wipe } from '../base/bytes.ts'
import { portableKernel, type Workspace } from './kernel.ts'
import { kernel } from './rotate.ts'
import { streamBytes } from './stream.ts'
import type { Suite } from './suite.ts'

/** The kernel's buffers of the size last asked for. To make them anew costs more than a tenth of a comparison. */
let kept: Workspace | undefined
let lent = false

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
  if (lent) return lend(portableKernel.workspace(n, length), use)
  const space =
    kept?.values.length === n && kept.stream.length === length ? kept : kernel().workspace(n, length)
  kept = space
  lent = true
  try {
    return lend(space, use)
  } finally {
    lent = false
  }
}

function lend<Result>(space: Workspace, use: (space: Workspace) => Result): Result {
  try {
    return use(space)
  } finally {
    wipe(space.values, space.stream)
  }
}
