/** Embeddings as JSON lines: one object with a subject and a vector a line (RFC 8259). @module */
/// <reference types="node" />

import { basename } from 'node:path'
import { fromBase64, wipe } from '../base/bytes.ts'
import {
  checkDimensions,
  checkFinite,
  checkFrom,
  checkGroup,
  checkSubject,
  type Dataset,
  type LabelledVector,
  type ReadOptions,
  toVector,
} from './dataset.ts'
import { DatasetError, type DatasetPlace } from './errors.ts'
import { type Line, lineError, readLines } from './lines.ts'
import { readElements } from './npy.ts'

export interface JsonLinesOptions {
  /** Field that says whose vector it is: a text or an integer. Default `subject`. */
  readonly subject?: string | undefined
  /** Field with the group: a text or an integer. Default `group`, where a row has it. */
  readonly group?: string | undefined
  /** Field with the vector: an array of numbers, or base64 of little-endian 32-bit floats. Default `vector`. */
  readonly vector?: string | undefined
  /** Default: that of the first row. */
  readonly dimensions?: number | undefined
}

interface Fields {
  readonly subject: string
  /** `undefined`: nobody asked for it. */
  readonly group: string | undefined
  readonly vector: string
}

/** Reads the first line to learn the number of dimensions; an empty file is refused. */
export async function openJsonLines(path: string, options: JsonLinesOptions = {}): Promise<Dataset> {
  const { subject = 'subject', group, vector = 'vector' } = options
  const fields = { subject, group, vector }
  const file = basename(path)
  let found: number | undefined
  for await (const line of readLines(path)) {
    const first = readLine(line, 0, fields, file)
    found = first.vector.length
    wipe(first.vector)
    break
  }
  if (found === undefined) throw new DatasetError('ERR_DATASET_LENGTH', 'the file is empty', { file })
  const dimensions = checkDimensions(options.dimensions ?? found, { file, line: 1 })
  return {
    name: file,
    dimensions,
    rows: undefined,
    synthetic: false,
    read: (readOptions = {}) => readJsonLines(path, fields, dimensions, readOptions),
  }
}

async function* readJsonLines(
  path: string,
  fields: Fields,
  dimensions: number,
  options: ReadOptions,
): AsyncGenerator<LabelledVector> {
  const from = checkFrom(options)
  const file = basename(path)
  let row = 0
  for await (const line of readLines(path, options.signal)) {
    if (row >= from) {
      const labelled = readLine(line, row, fields, file)
      if (labelled.vector.length !== dimensions) {
        wipe(labelled.vector)
        throw new DatasetError('ERR_DATASET_DIMENSIONS', 'the vector has another number of dimensions', {
          file,
          row,
          line: line.number,
        })
      }
      yield labelled
    }
    row++
  }
}

function readLine(line: Line, row: number, fields: Fields, file: string): LabelledVector {
  const place = { file, row, line: line.number }
  let parsed: unknown
  try {
    parsed = JSON.parse(line.text)
  } catch {
    // The parser's own error quotes the text, so it is not kept as the cause.
    throw lineError('the line is not JSON', place)
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw lineError('the line is not a JSON object', place)
  }
  const own = (name: string): unknown =>
    Object.hasOwn(parsed, name) ? (parsed as Readonly<Record<string, unknown>>)[name] : undefined
  const label = (name: string): unknown => {
    const value = own(name)
    return Number.isSafeInteger(value) ? String(value) : value
  }
  if (own(fields.subject) === undefined)
    throw new DatasetError('ERR_DATASET_SUBJECT', `there is no field ${fields.subject}`, place)
  if (own(fields.vector) === undefined) throw lineError(`there is no field ${fields.vector}`, place)
  const subject = checkSubject(label(fields.subject), place)
  const group = checkGroup(label(fields.group ?? 'group'), fields.group !== undefined, place)
  const vector = readVector(own(fields.vector), place)
  return { row, subject, ...(group !== undefined && { group }), vector }
}

function readVector(value: unknown, place: DatasetPlace): Float32Array {
  if (Array.isArray(value)) {
    const numbers = value as readonly unknown[]
    checkDimensions(numbers.length, place)
    return toVector(
      numbers.map((item) => (typeof item === 'number' ? item : Number.NaN)),
      place,
    )
  }
  const bytes = typeof value === 'string' ? fromBase64(value) : undefined
  if (bytes === undefined) throw lineError('the vector is neither an array nor base64', place)
  try {
    checkDimensions(bytes.length / 4, place)
    const vector = readElements(new DataView(bytes.buffer), 0, bytes.length / 4, 'f4')
    checkFinite(vector, place)
    return vector
  } finally {
    wipe(bytes)
  }
}
