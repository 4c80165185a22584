/** Embeddings in a CSV file: a subject and d numbers a line (RFC 4180). @module */
/// <reference types="node" />

import { basename } from 'node:path'
import {
  checkDimensions,
  checkFrom,
  checkGroup,
  checkSubject,
  type Dataset,
  type LabelledVector,
  type ReadOptions,
  toVector,
} from './dataset.ts'
import { DatasetError, type DatasetPlace } from './errors.ts'
import { parseNumber, splitFields } from './fields.ts'
import { type Line, lineError, readLines } from './lines.ts'

/** A column by its name in the heading, or by its number from 0. */
export type Column = string | number

export interface CsvOptions {
  /** Whose vector it is. Default: the column `subject`, else the first. */
  readonly subject?: Column | undefined
  /** Its group. Default: the column `group`, where there is one. */
  readonly group?: Column | undefined
  /**
   * Where the numbers begin; they run to a later column of groups or to the end of the line unless `dimensions` says
   * less. One field that holds `[0.1, 0.2, …]` is read too. Default: the column `vector` or `embedding`, else the
   * one after the subject, or after the group that follows it.
   */
  readonly vector?: Column | undefined
  readonly dimensions?: number | undefined
  /** Whether the first line is a heading. Default: it is when its vector does not begin with a number. */
  readonly header?: boolean | undefined
}

interface Layout {
  readonly heading: boolean
  readonly subject: number
  /** −1 when there are no groups. */
  readonly group: number
  readonly groupAsked: boolean
  readonly vector: number
  readonly dimensions: number
  /** All numbers stand in one field, in brackets. */
  readonly packed: boolean
  readonly fields: number
}

/** Reads the first lines to find the columns; an empty file is refused. */
export async function openCsv(path: string, options: CsvOptions = {}): Promise<Dataset> {
  const layout = await readLayout(path, options)
  return {
    name: basename(path),
    dimensions: layout.dimensions,
    rows: undefined,
    synthetic: false,
    read: (readOptions = {}) => readCsv(path, layout, readOptions),
  }
}

async function* readCsv(path: string, layout: Layout, options: ReadOptions): AsyncGenerator<LabelledVector> {
  const from = checkFrom(options)
  const file = basename(path)
  let row = layout.heading ? -1 : 0
  for await (const line of readLines(path, options.signal)) {
    if (row >= from) {
      const place = { file, row, line: line.number }
      const fields = splitFields(line.text, place)
      if (fields.length !== layout.fields) throw lineError('the line has another number of fields', place)
      const subject = checkSubject(fields[layout.subject], place)
      const group =
        layout.group === -1 ? undefined : checkGroup(fields[layout.group], layout.groupAsked, place)
      const vector = readVector(fields, layout, place)
      yield { row, subject, ...(group !== undefined && { group }), vector }
    }
    row++
  }
}

function readVector(fields: readonly string[], layout: Layout, place: DatasetPlace): Float32Array {
  const texts = layout.packed
    ? unpack(fields[layout.vector])
    : fields.slice(layout.vector, layout.vector + layout.dimensions)
  if (texts?.length !== layout.dimensions) {
    throw new DatasetError('ERR_DATASET_DIMENSIONS', 'the vector has another number of dimensions', place)
  }
  return toVector(
    texts.map((text) => parseNumber(text) ?? Number.NaN),
    place,
  )
}

async function readLayout(path: string, options: CsvOptions): Promise<Layout> {
  const file = basename(path)
  const lines: Line[] = []
  for await (const line of readLines(path)) if (lines.push(line) === 2) break
  const [first, second] = lines.map((line) => splitFields(line.text, { file, line: line.number }))
  if (first === undefined) throw new DatasetError('ERR_DATASET_LENGTH', 'the file is empty', { file })
  const columns = findColumns(first, options, file)
  const heading = options.header ?? (columns.named || !beginsWithNumber(first[columns.vector]))
  const sample = heading ? second : first
  if (sample === undefined)
    throw new DatasetError('ERR_DATASET_LENGTH', 'there is no row below the heading', { file })
  const text = sample[columns.vector]
  const packed = text?.trim().startsWith('[') === true
  const end = columns.group > columns.vector ? columns.group : sample.length
  const found = packed ? unpack(text)?.length : end - columns.vector
  const place = { file, line: heading ? 2 : 1 }
  const dimensions = checkDimensions(options.dimensions ?? found, place)
  return {
    heading,
    subject: columns.subject,
    group: columns.group,
    groupAsked: options.group !== undefined,
    vector: columns.vector,
    dimensions,
    packed,
    fields: sample.length,
  }
}

/** `named` is true when a column was found by its name, so that the first line must be a heading. */
function findColumns(
  first: readonly string[],
  options: CsvOptions,
  file: string,
): { subject: number; group: number; vector: number; named: boolean } {
  const names = first.map((name) => name.trim().toLowerCase())
  const find = (column: Column | undefined, usual: readonly string[]): number => {
    if (typeof column === 'number') return column
    if (column === undefined) return names.findIndex((name) => usual.includes(name))
    const found = names.indexOf(column.toLowerCase())
    if (found === -1)
      throw new DatasetError('ERR_DATASET_OPTIONS', 'the heading does not name this column', { file })
    return found
  }
  const whose = find(options.subject, ['subject'])
  const subject = whose === -1 ? 0 : whose
  const start = find(options.vector, ['vector', 'embedding'])
  const group = find(options.group, ['group'])
  const vector = start === -1 ? subject + (group === subject + 1 ? 2 : 1) : start
  for (const column of [subject, vector, ...(options.group === undefined && group === -1 ? [] : [group])]) {
    if (Number.isInteger(column) && column >= 0 && column < first.length) continue
    throw new DatasetError('ERR_DATASET_OPTIONS', 'a column lies outside the line', { file })
  }
  const byName = typeof options.subject !== 'number' && whose !== -1
  const named = byName || (typeof options.vector !== 'number' && start !== -1)
  return { subject, group, vector, named }
}

function beginsWithNumber(field: string | undefined): boolean {
  const text = field?.trim() ?? ''
  return text.startsWith('[') || parseNumber(text) !== undefined
}

/** The texts between brackets; `undefined` when there are no brackets. */
function unpack(field: string | undefined): readonly string[] | undefined {
  return /^\s*\[([^[\]]*)\]\s*$/.exec(field ?? '')?.[1]?.split(',')
}
