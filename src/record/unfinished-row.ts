/** Notes of work that a crash may leave between two stores (SPEC §9.5). @module */

import type { Realm } from '../base/brand.ts'
import { asBytes, asText, asUint, encodeCbor } from '../base/cbor.ts'
import { malformed, misplaced } from './errors.ts'
import type { RecordName } from './place.ts'
import { decodeStructure, FORMAT, KIND, MAX_MILLIS } from './row.ts'

/** A wrap that waits for its deciding batch, or for its deletion. */
export interface UnfinishedRow extends RecordName {
  readonly timeMs: number
  /** The steady clock at that time: its 16-byte name and reading. */
  readonly origin: Uint8Array
  readonly steadyMs: number
}

/** The row's bytes. */
export function encodeUnfinishedRow(row: UnfinishedRow): Uint8Array {
  const { realm, handle, record, generation, timeMs, origin, steadyMs } = row
  return encodeCbor([FORMAT, KIND.unfinished, realm, handle, record, generation, timeMs, origin, steadyMs])
}

/** Reads a row and checks that it is this realm's. It is not authenticated: it can only lead to what a look-up confirms. */
export function decodeUnfinishedRow(bytes: Uint8Array, realm: Realm): UnfinishedRow {
  const [, , place, handle, record, generation, time, origin, steady] = decodeStructure(
    bytes,
    KIND.unfinished,
    9,
  )
  if (asText(place, 64, malformed) !== realm) throw misplaced('another realm')
  return {
    realm,
    handle: asBytes(handle, 16, malformed),
    record: asBytes(record, 16, malformed),
    generation: asBytes(generation, 20, malformed),
    timeMs: asUint(time, MAX_MILLIS, malformed),
    origin: asBytes(origin, 16, malformed),
    steadyMs: asUint(steady, Number.MAX_SAFE_INTEGER, malformed),
  }
}
