/** Faces as the attacks need them: round ones, integers of any vector, codes as −1 and 1. @module */

import { concatBytes, labelBytes, u32be, utf8 } from '../../../src/base/bytes.ts'
import { turboshake128 } from '../../../src/crypto/xof.ts'
import { embedding, toIntegers } from '../../../src/embedding/embedding.ts'
import type { Model } from '../../../src/embedding/model.ts'
import type { People } from '../../../src/evaluate/people.ts'
import type { Bits } from '../../../src/policy/operating-point.ts'
import { encodeReference } from '../../../src/template/template.ts'
import { keyStream, streamMask } from '../../../src/transform/stream.ts'
import { rotationSize, type Suite } from '../../../src/transform/suite.ts'
import { dot, type Matrix, matrix, row } from '../matrix.ts'

/** Standard normal numbers of a seed. Box–Muller: engines may differ in the last digit, which no tolerance sees. */
export function normals(seed: string, count: number): Float64Array {
  const pairs = Math.ceil(count / 2)
  const text = utf8(seed) as Uint8Array
  const bytes = turboshake128(concatBytes(labelBytes('attack'), u32be(text.length), text), 8 * pairs)
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const values = new Float64Array(2 * pairs)
  for (let i = 0; i < pairs; i++) {
    const radius = Math.sqrt(-2 * Math.log((view.getUint32(8 * i) + 0.5) / 2 ** 32))
    const angle = (2 * Math.PI * (view.getUint32(8 * i + 4) + 0.5)) / 2 ** 32
    values[2 * i] = radius * Math.cos(angle)
    values[2 * i + 1] = radius * Math.sin(angle)
  }
  return values.subarray(0, count)
}

/** Unit vectors without any preferred direction, a row each. */
export function roundFaces(seed: string, count: number, dimensions: number): Matrix {
  const faces = { rows: count, columns: dimensions, data: normals(seed, count * dimensions) }
  for (let i = 0; i < count; i++) {
    const values = row(faces, i)
    const length = Math.sqrt(dot(values, values))
    for (let j = 0; j < dimensions; j++) values[j] = (values[j] as number) / length
  }
  return faces
}

/** The faces of some samples, a row each. */
export function facesOf(people: People, samples: readonly number[]): Matrix {
  const { dimensions, units } = people
  return matrix(
    samples.length,
    dimensions,
    (i, j) => units[(samples[i] as number) * dimensions + j] as number,
  )
}

/** The integers that the library makes of a vector of any length (SPEC §3). */
export function integersOf(vector: Float64Array): Int32Array {
  const model: Model = { id: 'attack@1', dimensions: vector.length, metric: 'cosine' }
  const held = embedding(vector, model)
  const integers = toIntegers(held)
  held[Symbol.dispose]()
  return integers
}

/** Codes of the library, masked as they are stored: −1 and 1, a row a face. */
export function codesOf(faces: Matrix, keys: KeyOf, { suite, bits, unmasked = false }: CodeOptions): Matrix {
  const codes = matrix(faces.rows, bits)
  for (let i = 0; i < faces.rows; i++) {
    const key = keys(i)
    const code = encodeReference(integersOf(row(faces, i)), suite, bits, key)
    setSigns(unmasked ? withMask(code, key, suite, faces.columns) : code, row(codes, i))
  }
  return codes
}

/** Puts the mask on a code, or takes it off. */
export function withMask(code: Uint8Array, key: Uint8Array, suite: Suite, dimensions: number): Uint8Array {
  const bits = 8 * code.length
  const mask = streamMask(keyStream(suite, key, rotationSize(dimensions, bits), bits), bits)
  return code.map((byte, i) => byte ^ (mask[i] as number))
}

export interface CodeOptions {
  readonly suite: Suite
  readonly bits: Bits
  /** In favour of a thief: the mask, another layer of unknown signs that attacks on structure meet first, is known and taken off. */
  readonly unmasked?: boolean
}

/** The rotation key of a row. */
export type KeyOf = (index: number) => Uint8Array

export function setSigns(code: Uint8Array, signs: Float64Array): void {
  for (let bit = 0; bit < signs.length; bit++) {
    signs[bit] = (((code[bit >> 3] as number) >> (bit & 7)) & 1) * 2 - 1
  }
}

export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const square = dot(a, a) * dot(b, b)
  return square > 0 ? dot(a, b) / Math.sqrt(square) : 0
}
