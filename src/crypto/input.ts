/** What functions over bytes read: one piece, or several as if they were one. @module */

import { checkBytes } from '../base/check.ts'
import { rejectInput } from './errors.ts'

/** Bytes, or parts that are read one after the other, without a copy that someone would have to wipe. */
export type Input = Uint8Array | readonly Uint8Array[]

const PART_BYTES = [0, 16_777_216] as const

/** Together, in bytes. */
export function lengthOf(input: Input): number {
  if (input instanceof Uint8Array) return input.length
  let length = 0
  for (const part of input) length += part.length
  return length
}

/** Accepts parts of at most 16 MiB each. */
export function checkInput(value: Input, name: string): void {
  if (Array.isArray(value)) {
    for (const part of value as readonly Uint8Array[]) checkBytes(part, name, PART_BYTES, rejectInput)
  } else checkBytes(value, name, PART_BYTES, rejectInput)
}
