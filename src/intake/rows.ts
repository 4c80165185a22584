/** Rows of an import: read, grouped by person, and wiped; bad rows are set aside with their number. @module */

import { wipe } from '../base/bytes.ts'
import type { Dataset, LabelledVector } from '../dataset/dataset.ts'
import { DatasetError } from '../dataset/errors.ts'

/** Neighbouring rows of one subject. */
export interface Group {
  /** The first of them. */
  readonly row: number
  readonly subject: string
  /** Wiped as soon as the next group is asked for. */
  readonly vectors: Float32Array[]
}

/** A row that could not be read. */
export interface BadRow {
  readonly row: number
  readonly error: DatasetError
}

export interface GroupOptions {
  readonly from: number
  readonly fuse: boolean
  readonly signal: AbortSignal | undefined
}

/** As many rows of one subject are fused at most. */
const MOST_FUSED = 32
/** A file with more bad rows than this is another file than its reader thinks. */
const MOST_BAD_ROWS = 1000

/**
 * Groups and bad rows in the order of the data set. Whoever takes a group copies its vectors at once: they are wiped when the
 * next one is asked for, and when the iteration is given up.
 */
export async function* groupRows(dataset: Dataset, options: GroupOptions): AsyncGenerator<Group | BadRow> {
  let group: Group | undefined
  try {
    for await (const item of readRows(dataset, options)) {
      if ('vector' in item && group !== undefined && belongs(item, group, options)) {
        group.vectors.push(item.vector)
        continue
      }
      const ready: Group | undefined = group
      group = 'vector' in item ? { row: item.row, subject: item.subject, vectors: [item.vector] } : undefined
      if (ready !== undefined) yield* lend(ready)
      if (!('vector' in item)) yield item
    }
    const last = group
    group = undefined
    if (last !== undefined) yield* lend(last)
  } finally {
    if (group !== undefined) wipe(...group.vectors)
  }
}

function* lend(group: Group): Generator<Group> {
  try {
    yield group
  } finally {
    wipe(...group.vectors)
  }
}

function belongs(labelled: LabelledVector, group: Group, options: GroupOptions): boolean {
  return options.fuse && labelled.subject === group.subject && group.vectors.length < MOST_FUSED
}

/** Goes on behind a bad row. What is wrong with a file as a whole, and too many bad rows, end it. */
async function* readRows(dataset: Dataset, options: GroupOptions): AsyncGenerator<LabelledVector | BadRow> {
  const { signal } = options
  let { from } = options
  for (let bad = 0; ; bad++) {
    try {
      yield* dataset.read({ from, ...(signal !== undefined && { signal }) })
      return
    } catch (error) {
      if (!(error instanceof DatasetError) || error.row === undefined) throw error
      // A row that was passed over already is bad for every reading: labels are always read from the start.
      if (error.row < from || bad === MOST_BAD_ROWS) throw error
      yield { row: error.row, error }
      from = error.row + 1
    }
  }
}
