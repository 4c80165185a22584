/** Errors of reading labelled embeddings (SPEC §3). @module */

import { GuiseError } from '../base/errors.ts'

export type DatasetErrorCode =
  /** A file is missing, unreadable or not a regular file. */
  | 'ERR_DATASET_FILE'
  /** The format is unknown, or a header or `meta.json` is malformed. */
  | 'ERR_DATASET_FORMAT'
  /** An option is malformed, or names a column that is not there. */
  | 'ERR_DATASET_OPTIONS'
  /** The number of dimensions is missing, out of range, or not the same in every row. */
  | 'ERR_DATASET_DIMENSIONS'
  /** The file ends within a row, or labels and vectors are not equally many. */
  | 'ERR_DATASET_LENGTH'
  /** A line is too long, blank, not UTF-8 or not well-formed in its format. */
  | 'ERR_DATASET_LINE'
  /** A row has no subject, or one that is not 1 to 256 bytes of text, or the wrong row number. */
  | 'ERR_DATASET_SUBJECT'
  /** A group is not 1 to 256 bytes of text, or is missing where it was asked for, or a subject has two. */
  | 'ERR_DATASET_GROUP'
  /** A value is not a finite number that a 32-bit float can hold. */
  | 'ERR_DATASET_VALUE'

/** Where something is wrong; never what stands there. */
export interface DatasetPlace {
  /** Name of the file, without its folder. */
  readonly file?: string
  /** The first row is 0. To go on after a bad row, read from `row + 1`. */
  readonly row?: number
  /** The first line is 1. */
  readonly line?: number
}

/** Embeddings that cannot be read as they are. Never retryable, and never says what the file holds. */
export class DatasetError extends GuiseError {
  readonly code: DatasetErrorCode
  readonly row: number | undefined
  readonly line: number | undefined

  constructor(
    code: DatasetErrorCode,
    message: string,
    { file, row, line, cause }: DatasetPlace & { readonly cause?: unknown } = {},
  ) {
    const where = [
      file,
      row === undefined ? undefined : `row ${row}`,
      line === undefined ? undefined : `line ${line}`,
    ]
    const place = where.filter((part) => part !== undefined).join(', ')
    super(place === '' ? message : `${place}: ${message}`, { cause })
    this.code = code
    this.row = row
    this.line = line
  }
}
