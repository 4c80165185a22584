/** What callers give is read once: no getter, proxy or odd view can change it after the check (SPEC §2). @module */

import { secretBytes, wipe } from '../base/bytes.ts'
import { checkBytes } from '../base/check.ts'
import type { Reject } from '../base/errors.ts'

// A subclass may override `length` and its iterator; this getter reads the engine's own slot.
const TYPED_ARRAY = Object.getPrototypeOf(Uint8Array.prototype) as object

/** The named fields of an object, each read exactly once. A field that cannot be read is a refused argument. */
export function readFields<const Name extends PropertyKey>(
  value: unknown,
  name: string,
  names: readonly Name[],
  reject: Reject,
): Readonly<Record<Name, unknown>> {
  if (typeof value !== 'object' || value === null) throw reject(`${name} must be an object`)
  const fields: Partial<Record<Name, unknown>> = {}
  let isList: boolean
  try {
    isList = Array.isArray(value)
    for (const field of names) fields[field] = (value as Record<PropertyKey, unknown>)[field]
  } catch {
    throw reject(`${name} cannot be read`)
  }
  if (isList) throw reject(`${name} must be an object`)
  return fields as Record<Name, unknown>
}

/** The items of a list of at most `most`, each read exactly once. */
export function readList(value: unknown, name: string, most: number, reject: Reject): readonly unknown[] {
  let items: unknown[] | undefined
  try {
    if (Array.isArray(value)) {
      const { length } = value
      if (length <= most) items = Array.from({ length }, (_, index) => value[index] as unknown)
    }
  } catch {
    throw reject(`${name} cannot be read`)
  }
  if (items === undefined) throw reject(`${name} must be a list of at most ${most}`)
  return items
}

/** A copy off the moving heap of exactly `length` bytes, or within `[min, max]`. */
export function copyBytes(
  value: unknown,
  name: string,
  length: number | readonly [min: number, max: number],
  reject: Reject,
): Uint8Array<ArrayBuffer> {
  const max = typeof length === 'number' ? length : length[1]
  let copy: Uint8Array<ArrayBuffer> | undefined
  try {
    if (value instanceof Uint8Array) {
      const size = Reflect.get(TYPED_ARRAY, 'length', value) as number
      if (size <= max) {
        copy = secretBytes(size)
        copy.set(value)
      }
    }
  } catch {
    throw reject(`${name} cannot be read`)
  }
  if (copy === undefined) throw reject(`${name} must be a Uint8Array of at most ${max} bytes`)
  try {
    checkBytes(copy, name, length, reject)
  } catch (error) {
    wipe(copy)
    throw error
  }
  return copy
}
