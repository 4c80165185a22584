/** Labelled embeddings, read one after the other (SPEC §3). @module */

import { checkText } from '../base/check.ts'
import { MAX_DIMENSIONS, MIN_DIMENSIONS } from '../embedding/model.ts'
import type { DatasetPlace } from './errors.ts'
import { DatasetError } from './errors.ts'

/** One vector and whose it is. The vector is the reader's own copy; whoever takes it wipes it. */
export interface LabelledVector {
  /** Place in the data set, from 0. */
  readonly row: number
  /** A pseudonym; equal texts are the same person. */
  readonly subject: string
  /** The group whose rates are told apart, such as an age band; the same in all rows of a subject. */
  readonly group?: string
  /** As the file has it, not normalised. */
  readonly vector: Float32Array
}

/**
 * A source of labelled vectors. It holds no row: every `read` opens the source anew, in bounded memory.
 *
 * A row that is malformed ends the iteration with a `DatasetError` that carries its number; nothing is skipped.
 */
export interface Dataset {
  readonly name: string
  readonly dimensions: number
  /** Number of rows; `undefined` where only reading to the end can tell. */
  readonly rows: number | undefined
  /** True for people who do not exist. */
  readonly synthetic: boolean
  read(options?: ReadOptions): AsyncIterable<LabelledVector>
}

export interface ReadOptions {
  /** First row to give; earlier ones are passed over. Default 0. */
  readonly from?: number
  readonly signal?: AbortSignal
}

/** Bounds of SPEC §3 for the number of dimensions, checked before anything is allocated. */
export function checkDimensions(value: unknown, place: DatasetPlace): number {
  if (
    typeof value !== 'number' ||
    !Number.isInteger(value) ||
    value < MIN_DIMENSIONS ||
    value > MAX_DIMENSIONS
  ) {
    throw new DatasetError('ERR_DATASET_DIMENSIONS', 'the number of dimensions must be 64 to 4096', place)
  }
  return value
}

/** A subject of 1 to 256 bytes of well-formed text. */
export function checkSubject(value: unknown, place: DatasetPlace): string {
  return checkText(
    value,
    'subject',
    { maxBytes: 256 },
    (why) => new DatasetError('ERR_DATASET_SUBJECT', why, place),
  )
}

/**
 * A group of 1 to 256 bytes of well-formed text; `undefined` for a row that has none, which is refused when a group
 * was asked for by name.
 */
export function checkGroup(value: unknown, asked: boolean, place: DatasetPlace): string | undefined {
  if ((value === undefined || value === null || value === '') && !asked) return undefined
  return checkText(
    value,
    'the group',
    { maxBytes: 256 },
    (message) => new DatasetError('ERR_DATASET_GROUP', message, place),
  )
}

/** The row to begin with. */
export function checkFrom(options: ReadOptions): number {
  const { from = 0 } = options
  if (!Number.isSafeInteger(from) || from < 0) {
    throw new DatasetError('ERR_DATASET_OPTIONS', 'from must be a row number')
  }
  return from
}

/** Fills a vector from numbers and refuses what a 32-bit float cannot hold. */
export function toVector(numbers: ArrayLike<number>, place: DatasetPlace): Float32Array {
  const vector = new Float32Array(new ArrayBuffer(4 * numbers.length))
  for (let i = 0; i < vector.length; i++) vector[i] = numbers[i] as number
  checkFinite(vector, place)
  return vector
}

/** Wipes the vector before it refuses it. */
export function checkFinite(vector: Float32Array, place: DatasetPlace): void {
  for (let i = 0; i < vector.length; i++) {
    if (Number.isFinite(vector[i])) continue
    vector.fill(0)
    throw new DatasetError('ERR_DATASET_VALUE', `value ${i} is not a finite 32-bit float`, place)
  }
}
