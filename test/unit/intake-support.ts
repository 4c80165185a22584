/** Data sets in memory that keep what they handed out, for the tests of src/intake. @module */
import type { Dataset, LabelledVector } from '../../src/dataset/dataset.ts'
import { DatasetError } from '../../src/dataset/errors.ts'
import { face } from '../support/vault.ts'

/** `person` draws the vector; `bad` is thrown when the row is read. */
export interface FakeRow {
  readonly subject: string
  readonly person: number
  readonly sample?: number
  readonly vector?: Float32Array
  readonly bad?: Error
}

export interface FakeDataset extends Dataset {
  /** Every vector that was handed out. */
  readonly given: Float32Array[]
  /** The first row of each reading. */
  readonly readings: number[]
}

export function fake(rows: readonly FakeRow[], dimensions = 128): FakeDataset {
  const given: Float32Array[] = []
  const readings: number[] = []
  return {
    name: 'fake',
    dimensions,
    rows: rows.length,
    synthetic: true,
    given,
    readings,
    async *read({ from = 0, signal } = {}): AsyncGenerator<LabelledVector> {
      readings.push(from)
      for (const [row, what] of rows.entries()) {
        if (row < from) continue
        signal?.throwIfAborted()
        if (what.bad !== undefined) throw what.bad
        const vector = what.vector ?? face(what.person, what.sample, dimensions)
        given.push(vector)
        yield { row, subject: what.subject, vector }
      }
    },
  }
}

/** People 0 to `count − 1`, a row each. */
export function people(count: number): FakeRow[] {
  return Array.from({ length: count }, (_, person) => ({ subject: `p${person}`, person }))
}

export function badRow(row: number): FakeRow {
  const bad = new DatasetError('ERR_DATASET_VALUE', 'value 3 is not a finite 32-bit float', {
    file: 'fake',
    row,
  })
  return { subject: '', person: 0, bad }
}

export function wiped(dataset: FakeDataset): boolean {
  return dataset.given.every((vector) => vector.every((value) => value === 0))
}
