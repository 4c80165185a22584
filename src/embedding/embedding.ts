/** Embeddings: checked, copied, normalised face vectors (SPEC §3). @module */

import type { ModelId } from '../base/brand.ts'
import { equalBytes, wipe } from '../base/bytes.ts'
import { EmbeddingError } from './errors.ts'
import { readVector, type VectorInput } from './input.ts'
import { type CheckedModel, checkModel, MAX_MAGNITUDE, type Model } from './model.ts'

/**
 * A face vector that passed the door: copied, centred, of unit length. Prints as `[Embedding]`, refuses JSON, is
 * wiped on dispose and by the verb that takes it. Only `embedding()` makes one.
 */
export interface Embedding extends Disposable {
  readonly model: ModelId
  readonly dimensions: number
  /** `[Embedding]`. */
  toString(): string
}

/** The least norm that still has a direction. */
const MIN_NORM = 2 ** -20
/** The least norm of a sum of unit vectors, for each vector: below it they contradict each other. */
const MIN_FUSED_NORM = 2 ** -10
/** Embeddings become integers in units of 2^-20. */
const UNIT = 2 ** 20

/**
 * Checks a vector, copies it, subtracts the model's mean and normalises it. The input is left as it is.
 *
 * Throws `EmbeddingError` for a vector of the wrong type, length or range, without a direction, or of a model that
 * is refused; see `EmbeddingErrorCode`.
 *
 * @example
 * ```ts
 * const face = embedding(vector, { id: 'arcface-r100@1', dimensions: 512, metric: 'cosine' })
 * try {
 *   console.log(String(face)) // [Embedding]
 * } finally {
 *   face[Symbol.dispose]()
 * }
 * ```
 */
export function embedding(vector: VectorInput, model: Model): Embedding {
  const checked = checkModel(model)
  const values = readVector(vector, checked.dimensions)
  try {
    const { mean } = checked
    if (mean !== undefined) {
      for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) - (mean[i] as number)
    }
    normalize(values, MIN_NORM)
  } catch (error) {
    wipe(values)
    throw error
  }
  return new UnitVector(values, checked)
}

/**
 * One embedding from several samples of one person; a copy when there is only one. The samples are left as they
 * are, for their owner to dispose of.
 */
export function fuse(embeddings: readonly Embedding[]): Embedding {
  const [first, ...others] = embeddings
  if (first === undefined) throw new EmbeddingError('ERR_EMBEDDING_LENGTH', 'there is nothing to fuse')
  const model = embeddingModel(first)
  for (const other of others) checkSameModel(model, embeddingModel(other))
  const sum = new Float64Array(new ArrayBuffer(8 * model.dimensions))
  try {
    sum.set(unitVector(first))
    for (const other of others) {
      const u = unitVector(other)
      for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + (u[i] as number)
    }
    if (others.length > 0) normalize(sum, MIN_FUSED_NORM * embeddings.length)
  } catch (error) {
    wipe(sum)
    throw error
  }
  return new UnitVector(sum, model)
}

/** True for what `embedding()` made; a look-alike is none. */
export function isEmbedding(value: unknown): value is Embedding {
  return UnitVector.is(value)
}

/** The unit vector, borrowed: not to be written to, kept or handed on. */
export function unitVector(face: Embedding): Float64Array {
  return UnitVector.valuesOf(face)
}

/** Model, dimensions and mean hash; stays readable after dispose. */
export function embeddingModel(face: Embedding): CheckedModel {
  return UnitVector.modelOf(face)
}

/**
 * The unit vector in integers of 2^-20: sgn(u) · ⌊|u| · 2^20 + 0.5⌋.
 *
 * @returns off-heap, owned by the caller, who wipes them
 */
export function toIntegers(face: Embedding): Int32Array {
  const u = unitVector(face)
  const z = new Int32Array(new ArrayBuffer(4 * u.length))
  for (let i = 0; i < u.length; i++) {
    const value = u[i] as number
    const magnitude = (Math.abs(value) * UNIT + 0.5) | 0
    // All ones below zero, unless the magnitude is none: nobody can foretell signs, and a branch would be taken wrongly half of the time.
    const sign = ((value * 4 * UNIT) | 0) >> 31
    z[i] = (magnitude ^ sign) - sign
  }
  return z
}

/** Divides by the norm: a plain sum of squares in ascending order, so that every engine gets the same bits. */
function normalize(values: Float64Array, least: number): void {
  let squares = 0
  for (let i = 0; i < values.length; i++) squares += (values[i] as number) * (values[i] as number)
  const norm = Math.sqrt(squares)
  if (norm < least || norm > MAX_MAGNITUDE) {
    throw new EmbeddingError('ERR_EMBEDDING_NORM', 'the vector is too short or too long to have a direction')
  }
  for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) / norm
}

function checkSameModel(a: CheckedModel, b: CheckedModel): void {
  if (a.id !== b.id || a.dimensions !== b.dimensions || !equalBytes(a.meanHash, b.meanHash)) {
    throw new EmbeddingError(
      'ERR_EMBEDDING_MISMATCH',
      'embeddings of different models or means cannot be fused',
    )
  }
}

/** Everything readable is a getter of the prototype, so that a structured clone carries nothing. */
class UnitVector implements Embedding {
  static {
    // Node's inspector would list the getters; it asks this symbol first.
    const inspect = Symbol.for('nodejs.util.inspect.custom')
    Object.defineProperty(UnitVector.prototype, inspect, { value: () => '[Embedding]' })
  }

  readonly #values: Float64Array<ArrayBuffer>
  readonly #model: CheckedModel
  #disposed = false

  /** Takes ownership of `values`. */
  constructor(values: Float64Array<ArrayBuffer>, model: CheckedModel) {
    this.#values = values
    this.#model = model
  }

  /** Knows the real ones by their private fields: neither a look-alike nor a proxy has them. */
  static is(value: unknown): value is UnitVector {
    return typeof value === 'object' && value !== null && #values in value
  }

  static valuesOf(value: unknown): Float64Array {
    const face = UnitVector.#from(value)
    if (face.#disposed) throw new EmbeddingError('ERR_EMBEDDING_DISPOSED', 'the embedding was disposed of')
    return face.#values
  }

  static modelOf(value: unknown): CheckedModel {
    return UnitVector.#from(value).#model
  }

  static #from(value: unknown): UnitVector {
    if (UnitVector.is(value)) return value
    throw new EmbeddingError('ERR_EMBEDDING_TYPE', 'an embedding must come from embedding()')
  }

  get model(): ModelId {
    return this.#model.id
  }

  get dimensions(): number {
    return this.#model.dimensions
  }

  /** Wipes the vector. A second call does nothing. */
  [Symbol.dispose](): void {
    this.#disposed = true
    wipe(this.#values)
  }

  toString(): string {
    return '[Embedding]'
  }

  toJSON(): never {
    throw new EmbeddingError('ERR_EMBEDDING_EXPORT', 'an embedding has no JSON form')
  }
}
