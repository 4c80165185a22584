/** Labels of a matrix: whose each row is (SPEC §3). @module */
/// <reference types="node" />

import { basename } from 'node:path'
import { checkSubject } from './dataset.ts'
import { DatasetError, type DatasetPlace } from './errors.ts'
import { splitFields } from './fields.ts'
import { type Line, readLines } from './lines.ts'

/** Where a row of labels says whose it is, and which row it means. */
interface Columns {
  readonly subject: number
  /** −1 when the order of the lines is the order of the rows. */
  readonly row: number
}

/**
 * The subjects of rows 0, 1, 2 …: a CSV with a heading that names a column `subject` (and perhaps `row`), a CSV
 * of `row,subject,…` without one, or one label a line. Row numbers must count up from 0.
 */
export async function* readLabels(
  path: string,
  column: string,
  signal?: AbortSignal,
): AsyncGenerator<string> {
  const file = basename(path)
  let columns: Columns | undefined
  let row = 0
  for await (const line of readLines(path, signal)) {
    const place = { file, line: line.number }
    const fields = splitFields(line.text, place)
    if (columns === undefined) {
      const heading = readHeading(fields, column)
      columns = heading ?? { subject: fields.length === 1 ? 0 : 1, row: fields.length === 1 ? -1 : 0 }
      if (heading !== undefined) continue
    }
    yield readLabel(fields, columns, row, { ...place, row })
    row++
  }
}

/** How many rows `readLabels` will name. */
export async function countLabels(path: string, column: string, signal?: AbortSignal): Promise<number> {
  let count = 0
  let first: Line | undefined
  for await (const line of readLines(path, signal)) {
    first ??= line
    count++
  }
  if (first === undefined) return 0
  const place = { file: basename(path), line: first.number }
  return readHeading(splitFields(first.text, place), column) === undefined ? count : count - 1
}

function readHeading(fields: readonly string[], column: string): Columns | undefined {
  const names = fields.map((name) => name.trim().toLowerCase())
  const subject = names.indexOf(column.toLowerCase())
  return subject === -1 ? undefined : { subject, row: names.indexOf('row') }
}

function readLabel(fields: readonly string[], columns: Columns, row: number, place: DatasetPlace): string {
  if (columns.row !== -1 && fields[columns.row]?.trim() !== String(row)) {
    throw new DatasetError('ERR_DATASET_SUBJECT', 'row numbers must count up from 0', place)
  }
  return checkSubject(fields[columns.subject], place)
}
