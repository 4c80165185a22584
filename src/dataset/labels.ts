/** Labels of a matrix: whose each row is (SPEC §3). @module */
/// <reference types="node" />

import { basename } from 'node:path'
import { checkGroup, checkSubject } from './dataset.ts'
import { DatasetError, type DatasetPlace } from './errors.ts'
import { splitFields } from './fields.ts'
import { type Line, readLines } from './lines.ts'

/** What a row of labels says. */
export interface Label {
  readonly subject: string
  readonly group: string | undefined
}

/** Names of columns in the heading. */
export interface LabelColumns {
  readonly subject: string
  /** Default `group`, where there is such a column. */
  readonly group: string | undefined
}

/** Where a row of labels says whose it is, and which row it means. */
interface Columns {
  readonly subject: number
  /** −1 when there are no groups. */
  readonly group: number
  readonly groupAsked: boolean
  /** −1 when the order of the lines is the order of the rows. */
  readonly row: number
}

/**
 * The labels of rows 0, 1, 2 …: a CSV with a heading that names a column `subject` (and perhaps `row` and `group`), a CSV
 * of `row,subject,…` without one, or one label a line. Row numbers must count up from 0.
 */
export async function* readLabels(
  path: string,
  names: LabelColumns,
  signal?: AbortSignal,
): AsyncGenerator<Label> {
  const file = basename(path)
  let columns: Columns | undefined
  let row = 0
  for await (const line of readLines(path, signal)) {
    const place = { file, line: line.number }
    const fields = splitFields(line.text, place)
    if (columns === undefined) {
      const heading = readHeading(fields, names, place)
      columns = heading ?? withoutHeading(fields.length, names, place)
      if (heading !== undefined) continue
    }
    yield readLabel(fields, columns, row, { ...place, row })
    row++
  }
}

/** How many rows `readLabels` will name. */
export async function countLabels(path: string, names: LabelColumns, signal?: AbortSignal): Promise<number> {
  let count = 0
  let first: Line | undefined
  for await (const line of readLines(path, signal)) {
    first ??= line
    count++
  }
  if (first === undefined) return 0
  const place = { file: basename(path), line: first.number }
  return readHeading(splitFields(first.text, place), names, place) === undefined ? count : count - 1
}

function readHeading(
  fields: readonly string[],
  asked: LabelColumns,
  place: DatasetPlace,
): Columns | undefined {
  const names = fields.map((name) => name.trim().toLowerCase())
  const subject = names.indexOf(asked.subject.toLowerCase())
  if (subject === -1) return undefined
  const group = names.indexOf((asked.group ?? 'group').toLowerCase())
  if (group === -1 && asked.group !== undefined) throw noGroups(place)
  return { subject, group, groupAsked: asked.group !== undefined, row: names.indexOf('row') }
}

function withoutHeading(fields: number, { group }: LabelColumns, place: DatasetPlace): Columns {
  if (group !== undefined) throw noGroups(place)
  const columns = fields === 1 ? { subject: 0, row: -1 } : { subject: 1, row: 0 }
  return { ...columns, group: -1, groupAsked: false }
}

function readLabel(fields: readonly string[], columns: Columns, row: number, place: DatasetPlace): Label {
  if (columns.row !== -1 && fields[columns.row]?.trim() !== String(row)) {
    throw new DatasetError('ERR_DATASET_SUBJECT', 'row numbers must count up from 0', place)
  }
  const subject = checkSubject(fields[columns.subject], place)
  return {
    subject,
    group: columns.group === -1 ? undefined : checkGroup(fields[columns.group], columns.groupAsked, place),
  }
}

function noGroups(place: DatasetPlace): DatasetError {
  return new DatasetError('ERR_DATASET_OPTIONS', 'the labels have no such column of groups', place)
}
