/** Vectors as callers have them, copied once and checked in the copy (SPEC §3). @module */

import { fromBase64, secretBytes, wipe } from '../base/bytes.ts'
import { EmbeddingError } from './errors.ts'
import { MAX_MAGNITUDE } from './model.ts'
import { decodeNpy, maxNpyBytes } from './npy.ts'
import { viewOf } from './views.ts'

/**
 * A face vector: numbers, or the bytes that other tools write. `f32le`: raw little-endian float32; `base64`: the
 * same bytes in base64 or base64url; `npy`: a NumPy file of one vector in float16, float32 or float64.
 *
 * It is copied and never kept; whoever owns it wipes it.
 */
export type VectorInput =
  | Float32Array
  | Float64Array
  | readonly number[]
  | { readonly base64: string }
  | { readonly npy: Uint8Array }
  | { readonly f32le: Uint8Array }

const ENCODINGS = ['base64', 'npy', 'f32le'] as const

/**
 * Takes one copy of a vector and checks the copy, so that nothing the caller does meanwhile has an effect.
 *
 * Order: type, then length, then range.
 *
 * @returns `dimensions` finite values off-heap, owned by the caller, who wipes them
 */
export function readVector(input: unknown, dimensions: number): Float64Array<ArrayBuffer> {
  const copy = new Float64Array(new ArrayBuffer(8 * dimensions))
  try {
    copyInto(copy, input)
    checkRange(copy)
  } catch (error) {
    wipe(copy)
    // What is not ours was thrown by a getter or a proxy of the caller's, and may hold anything.
    throw error instanceof EmbeddingError ? error : wrongType('a property of the vector cannot be read')
  }
  return copy
}

function copyInto(copy: Float64Array, input: unknown): void {
  const view = viewOf(input)
  if (view?.kind === 'Float32Array' || view?.kind === 'Float64Array') {
    checkLength(view.length, copy.length)
    copy.set(input as Float32Array | Float64Array)
  } else if (Array.isArray(input)) copyArray(copy, input)
  else if (view === undefined && typeof input === 'object' && input !== null) copyEncoded(copy, input)
  else
    throw wrongType('a vector must be a Float32Array, a Float64Array, an array of numbers or encoded bytes')
}

/** Reads every element once. A hole is refused even where a prototype would fill it. */
function copyArray(copy: Float64Array, array: readonly unknown[]): void {
  checkLength(array.length, copy.length)
  for (let i = 0; i < copy.length; i++) {
    if (!Object.hasOwn(array, i)) throw wrongType('a vector must not be sparse')
    const value = array[i]
    if (typeof value !== 'number') throw wrongType('a vector must hold numbers only')
    copy[i] = value
  }
}

function copyEncoded(copy: Float64Array, input: object): void {
  const [encoding, ...others] = ENCODINGS.filter((name) => Object.hasOwn(input, name))
  if (encoding === undefined || others.length > 0) {
    throw wrongType('an encoded vector must have exactly one of base64, npy and f32le')
  }
  const value = (input as Readonly<Record<string, unknown>>)[encoding]
  if (encoding === 'base64') copyBase64(copy, value)
  else if (encoding === 'npy')
    copyBytes(value, [0, maxNpyBytes(copy.length)], (bytes) => decodeNpy(bytes, copy))
  else copyBytes(value, [4 * copy.length, 4 * copy.length], (bytes) => decodeFloats(bytes, copy))
}

function copyBase64(copy: Float64Array, text: unknown): void {
  if (typeof text !== 'string') throw wrongType('base64 must be a string')
  // The length is bounded before anything is decoded: 4 digits for 3 bytes, padded or not.
  const digits = Math.ceil((16 * copy.length) / 3)
  checkLength(text.length, digits, Math.ceil(digits / 4) * 4)
  const bytes = fromBase64(text)
  if (bytes === undefined) throw new EmbeddingError('ERR_EMBEDDING_FORMAT', 'base64 is malformed')
  try {
    checkLength(bytes.length, 4 * copy.length)
    decodeFloats(bytes, copy)
  } finally {
    wipe(bytes)
  }
}

/** Lends a copy of a Uint8Array of a bounded length to `decode`, and wipes it. */
function copyBytes(
  value: unknown,
  [min, max]: readonly [number, number],
  decode: (bytes: Uint8Array) => void,
): void {
  const view = viewOf(value)
  if (view?.kind !== 'Uint8Array') throw wrongType('encoded bytes must be a Uint8Array of fixed memory')
  checkLength(view.length, min, max)
  const bytes = secretBytes(view.length)
  try {
    bytes.set(value as Uint8Array)
    decode(bytes)
  } finally {
    wipe(bytes)
  }
}

function decodeFloats(bytes: Uint8Array, into: Float64Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let i = 0; i < into.length; i++) into[i] = view.getFloat32(4 * i, true)
}

function checkRange(values: Float64Array): void {
  // A callback would get every number in a box of its own, which is as much garbage as the vector.
  for (let i = 0; i < values.length; i++) {
    // The negated form also refuses NaN.
    if (Math.abs(values[i] as number) <= MAX_MAGNITUDE) continue
    throw new EmbeddingError(
      'ERR_EMBEDDING_RANGE',
      'a vector must hold finite numbers of at most 2^60 in magnitude',
    )
  }
}

function checkLength(length: number, min: number, max: number = min): void {
  if (length < min || length > max) {
    throw new EmbeddingError('ERR_EMBEDDING_LENGTH', 'the vector does not have the length that the model has')
  }
}

function wrongType(why: string): EmbeddingError {
  return new EmbeddingError('ERR_EMBEDDING_TYPE', why)
}
