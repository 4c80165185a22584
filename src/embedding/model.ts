/** Models: where embeddings come from (SPEC §3). @module */

import type { ModelId } from '../base/brand.ts'
import { concatBytes, labelBytes, u32be } from '../base/bytes.ts'
import { checkInteger, checkObject, checkOneOf, checkText } from '../base/check.ts'
import { sha256 } from '../crypto/hash.ts'
import { EmbeddingError } from './errors.ts'
import { viewOf } from './views.ts'

/**
 * A face recognition model, as the caller describes it.
 *
 * `mean`: a public constant of the model, computed from a public set and never from the people enrolled. It is
 * subtracted before vectors are normalised, and its hash is bound into every template.
 *
 * @example
 * ```ts
 * const model: Model = { id: 'arcface-r100@1', dimensions: 512, metric: 'cosine' }
 * ```
 */
export interface Model {
  /** `name@version`: lower-case letters, digits and `. _ -`. */
  readonly id: string
  /** 64 to 4096. */
  readonly dimensions: number
  readonly metric: 'cosine'
  readonly mean?: Float32Array
}

/** A model that passed the check; holds copies. */
export interface CheckedModel {
  readonly id: ModelId
  readonly dimensions: number
  readonly mean: Float32Array | undefined
  /** 32 bytes; whoever reads it does not write to it. */
  readonly meanHash: Uint8Array
}

export const MIN_DIMENSIONS = 64
export const MAX_DIMENSIONS = 4096

/** Largest magnitude of a value and of a norm: squares and their sums stay far from infinity. */
export const MAX_MAGNITUDE: number = 2 ** 60

const ID = /^[a-z0-9][a-z0-9._-]{0,62}@[a-z0-9][a-z0-9._-]{0,30}$/
const MAX_ID_BYTES = 95

/** Models that compare by Euclidean distance: their norms carry meaning that normalising destroys. */
const NORM_BEARING = /(?:^|[^a-z])(?:dlib|face[._-]?api|faceres|human)(?:[^a-z]|$)/

/**
 * Reads a model once, checks what was read and copies it.
 *
 * Nothing is remembered for the object: its owner may change it between two calls.
 */
export function checkModel(model: unknown): CheckedModel {
  const { id, dimensions, metric, mean } = readModel(model)
  const checkedId = checkText(id, 'model.id', { maxBytes: MAX_ID_BYTES, pattern: ID }, reject) as ModelId
  const checkedDimensions = checkInteger(
    dimensions,
    'model.dimensions',
    [MIN_DIMENSIONS, MAX_DIMENSIONS],
    reject,
  )
  checkOneOf(metric, 'model.metric', ['cosine'], reject)
  if (NORM_BEARING.test(checkedId.slice(0, checkedId.indexOf('@')))) {
    throw reject(
      'the lengths of vectors of dlib, face-api and faceres carry meaning: such models are not supported',
    )
  }
  const checkedMean = mean === undefined ? undefined : copyMean(mean, checkedDimensions)
  return {
    id: checkedId,
    dimensions: checkedDimensions,
    mean: checkedMean,
    meanHash: hashOf(checkedMean, checkedDimensions),
  }
}

function readModel(model: unknown): { id: unknown; dimensions: unknown; metric: unknown; mean: unknown } {
  const given = checkObject(model, 'model', reject)
  try {
    return { id: given['id'], dimensions: given['dimensions'], metric: given['metric'], mean: given['mean'] }
  } catch {
    throw reject('a property of the model cannot be read')
  }
}

function copyMean(mean: unknown, dimensions: number): Float32Array {
  const view = viewOf(mean)
  if (view?.kind !== 'Float32Array') throw reject('model.mean must be a Float32Array of its own fixed memory')
  if (view.length !== dimensions)
    throw reject('model.mean must have as many values as the model has dimensions')
  const copy = new Float32Array(dimensions)
  copy.set(mean as Float32Array)
  // The negated form also refuses NaN.
  if (!copy.every((value) => Math.abs(value) <= MAX_MAGNITUDE)) {
    throw reject('model.mean must hold finite numbers of at most 2^60 in magnitude')
  }
  return copy
}

/** Hashes of absent means by dimensions: the usual case, and most of the cost of making an embedding. */
const absentMeans = new Map<number, Uint8Array>()

function hashOf(mean: Float32Array | undefined, dimensions: number): Uint8Array {
  if (mean !== undefined) return hashMean(mean)
  const known = absentMeans.get(dimensions) ?? hashMean(new Float32Array(dimensions))
  absentMeans.set(dimensions, known)
  return known.slice()
}

/** SHA-256(lp("guise/v1/mean") ‖ u32be(d) ‖ mean as little-endian float32). */
function hashMean(mean: Float32Array): Uint8Array {
  const bytes = new Uint8Array(4 * mean.length)
  const view = new DataView(bytes.buffer)
  mean.forEach((value, i) => {
    view.setFloat32(4 * i, value, true)
  })
  return sha256(concatBytes(labelBytes('guise/v1/mean'), u32be(mean.length), bytes))
}

function reject(why: string): EmbeddingError {
  return new EmbeddingError('ERR_EMBEDDING_MODEL', why)
}
