/** Argument checks at the door, in a fixed order: type, length, range, meaning (SPEC §2). @module */

import { utf8Length } from './bytes.ts'
import type { Reject } from './errors.ts'

/** Accepts any object that is not null, an array or a function. Reads no property. */
export function checkObject(value: unknown, name: string, reject: Reject): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || isListOrRevoked(value)) {
    throw reject(`${name} must be an object`)
  }
  return value as Readonly<Record<string, unknown>>
}

/** A revoked proxy has no kind any more: to ask for it throws. */
function isListOrRevoked(value: object): boolean {
  try {
    return Array.isArray(value)
  } catch {
    return true
  }
}

/**
 * Accepts a Uint8Array (a Buffer is one) of exactly `length` bytes, or within `[min, max]`. Does not copy.
 */
export function checkBytes(
  value: unknown,
  name: string,
  length: number | readonly [min: number, max: number],
  reject: Reject,
): Uint8Array {
  if (!(value instanceof Uint8Array)) throw reject(`${name} must be a Uint8Array`)
  const min = typeof length === 'number' ? length : length[0]
  const max = typeof length === 'number' ? length : length[1]
  if (value.length < min || value.length > max) {
    throw reject(min === max ? `${name} must have ${min} bytes` : `${name} must have ${min} to ${max} bytes`)
  }
  return value
}

/** Accepts an integer in `[min, max]`; −0 is refused because it has no encoding. */
export function checkInteger(
  value: unknown,
  name: string,
  [min, max]: readonly [min: number, max: number],
  reject: Reject,
): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || Object.is(value, -0)) {
    throw reject(`${name} must be an integer`)
  }
  if (value < min || value > max) throw reject(`${name} must be between ${min} and ${max}`)
  return value
}

/**
 * Accepts a text of 1 to `maxBytes` UTF-8 bytes without lone surrogates that matches `pattern`, if one is
 * given.
 */
export function checkText(
  value: unknown,
  name: string,
  { maxBytes, pattern }: { readonly maxBytes: number; readonly pattern?: RegExp },
  reject: Reject,
): string {
  if (typeof value !== 'string') throw reject(`${name} must be a string`)
  // A UTF-16 unit takes at least one byte: a longer text is refused before it is encoded.
  if (value.length === 0 || value.length > maxBytes) throw reject(`${name} must have 1 to ${maxBytes} bytes`)
  const length = utf8Length(value)
  if (length === undefined) throw reject(`${name} must be well-formed Unicode`)
  if (length > maxBytes) throw reject(`${name} must have 1 to ${maxBytes} bytes`)
  if (pattern !== undefined && !pattern.test(value)) throw reject(`${name} must match ${pattern.source}`)
  return value
}

/** Accepts `true` or `false`. */
export function checkBoolean(value: unknown, name: string, reject: Reject): boolean {
  if (typeof value !== 'boolean') throw reject(`${name} must be true or false`)
  return value
}

/** Accepts a function. */
export function checkFunction(value: unknown, name: string, reject: Reject): (...args: never[]) => unknown {
  if (typeof value !== 'function') throw reject(`${name} must be a function`)
  return value as (...args: never[]) => unknown
}

/** Accepts one of the listed values, compared with `===`. */
export function checkOneOf<const Choice extends string | number>(
  value: unknown,
  name: string,
  choices: readonly Choice[],
  reject: Reject,
): Choice {
  const place = choices.indexOf(value as Choice)
  if (place >= 0) return choices[place] as Choice
  throw reject(`${name} must be one of ${choices.join(', ')}`)
}
