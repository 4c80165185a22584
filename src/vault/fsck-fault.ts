/** The faults that fsck tells (SPEC §11.8). @module */

import { KeysError } from '../keys/errors.ts'
import { RecordError, type RecordErrorCode } from '../record/errors.ts'
import { SealError } from '../seal/errors.ts'
import type { Table } from '../store/store.ts'

/**
 * - `damaged`: the bytes are no row of a known format
 * - `forged`: the authentication tag does not fit
 * - `misplaced`: a genuine row in another row's place
 * - `missing`: a row that must be there is not
 * - `orphan`: a row that belongs to nobody
 * - `sealed`: a wrap or a code does not open
 * - `epoch`: a wrap's epoch is unknown, disabled, too old or destroyed
 * - `old`: a genuine state or attempts row that is not the one that the log names last: somebody put it back
 * - `log`: the log does not hold; `row` is empty
 */
export type FaultKind =
  | 'damaged'
  | 'forged'
  | 'misplaced'
  | 'missing'
  | 'orphan'
  | 'sealed'
  | 'epoch'
  | 'old'
  | 'log'

/** One thing that does not fit. */
export interface Fault {
  readonly kind: FaultKind
  readonly table: Table
  /** The row's key behind the realm's prefix, in hexadecimal: random identifiers and keyed tags only. */
  readonly row: string
}

const OF_RECORD: Readonly<Record<RecordErrorCode, FaultKind>> = {
  ERR_RECORD_FORMAT: 'damaged',
  ERR_RECORD_VERSION: 'damaged',
  ERR_RECORD_MAC: 'forged',
  ERR_RECORD_BINDING: 'misplaced',
  ERR_RECORD_MISSING: 'missing',
}

/** The fault that an error of reading a row stands for; whatever says nothing about the row is thrown on. */
export function kindOf(error: unknown): FaultKind {
  if (error instanceof RecordError) return OF_RECORD[error.code]
  if (error instanceof SealError) return 'sealed'
  if (!(error instanceof KeysError) || error.retryable) throw error
  if (error.code === 'ERR_KEYS_INDEX') return 'forged'
  if (error.code === 'ERR_KEYS_DISPOSED') throw error
  return 'epoch'
}
