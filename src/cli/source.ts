/** What a command works on: a data set, the operating point that names its model, and the model. @module */
/// <reference types="node" />

import { readFileSync } from 'node:fs'
import type { Column } from '../dataset/csv.ts'
import type { Dataset } from '../dataset/dataset.ts'
import { openDataset } from '../dataset/open.ts'
import type { Model } from '../embedding/model.ts'
import { decodeOperatingPoint } from '../evaluate/operating-file.ts'
import type { OperatingPoint } from '../policy/operating-point.ts'
import { readModel } from './model.ts'
import { needed } from './secret.ts'

/** The options of a command line that say where it is. */
export interface SourceValues {
  readonly data?: string | undefined
  readonly point?: string | undefined
  readonly mean?: string | undefined
  readonly labels?: string | undefined
  readonly subject?: string | undefined
  readonly vector?: string | undefined
}

export interface Source {
  readonly dataset: Dataset
  readonly model: Model
  readonly point: OperatingPoint
}

/** Where the labels and columns of a data set are. */
export const columnsUsage = `--labels FILE      labels of a matrix; default labels.csv beside it
  --subject COLUMN   column or field of the subject; default subject; in a .csv also a number from 0
  --vector COLUMN    column or field where the vector begins (.csv, .jsonl); in a .csv also a number from 0`

/** They as options of a command line. */
export const columnsOptions = {
  labels: { type: 'string' },
  subject: { type: 'string' },
  vector: { type: 'string' },
} as const

type ColumnsValues = Pick<SourceValues, 'labels' | 'subject' | 'vector'>

/** Opens a data set with the columns that the command line names. Those of a .csv may be given by their number. */
export function openColumns(data: string, values: ColumnsValues, group?: string): Promise<Dataset> {
  const column = (given: string): Column =>
    data.endsWith('.csv') && /^\d{1,9}$/.test(given) ? Number(given) : given
  return openDataset(data, {
    ...(values.labels !== undefined && { labels: values.labels }),
    ...(values.subject !== undefined && { subject: column(values.subject) }),
    ...(values.vector !== undefined && { vector: column(values.vector) }),
    ...(group !== undefined && { group: column(group) }),
  })
}

export async function openSource(values: SourceValues): Promise<Source> {
  const data = needed(values.data, '--data')
  const point = decodeOperatingPoint(readFileSync(needed(values.point, '--point'), 'utf8'))
  const dataset = await openColumns(data, values)
  return { dataset, point, model: readModel(point.model, dataset.dimensions, values.mean) }
}
