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

/** Columns of a .csv may be given by their number. */
export async function openSource(values: SourceValues): Promise<Source> {
  const data = needed(values.data, '--data')
  const point = decodeOperatingPoint(readFileSync(needed(values.point, '--point'), 'utf8'))
  const column = (given: string): Column =>
    data.endsWith('.csv') && /^\d{1,9}$/.test(given) ? Number(given) : given
  const dataset = await openDataset(data, {
    ...(values.labels !== undefined && { labels: values.labels }),
    ...(values.subject !== undefined && { subject: column(values.subject) }),
    ...(values.vector !== undefined && { vector: column(values.vector) }),
  })
  return { dataset, point, model: readModel(point.model, dataset.dimensions, values.mean) }
}
