/** Notes of work that a crash may leave between two stores (SPEC §9.5). @module */

import type { Realm } from '../base/brand.ts'
import { equalBytes } from '../base/bytes.ts'
import { asBytes, asText, asUint } from '../base/cbor.ts'
import { malformed, misplaced } from './errors.ts'
import type { RecordName } from './place.ts'
import {
  authenticate,
  FORMAT,
  type KeyForVersion,
  KIND,
  MAX_MILLIS,
  MAX_U32,
  readAuthenticated,
} from './row.ts'

/** A wrap that waits for its deciding batch, or for its deletion. */
export interface UnfinishedRow extends RecordName {
  readonly timeMs: number
  /** The steady clock at that time: its 16-byte name and reading. */
  readonly origin: Uint8Array
  readonly steadyMs: number
  readonly keyVersion: number
}

const SHAPE = { kind: KIND.unfinished, arity: 10, label: 'guise/v1/unfinished', versionAt: 9 } as const

/** The row's bytes under the state key of `row.keyVersion`. */
export function encodeUnfinishedRow(row: UnfinishedRow, key: Uint8Array): Uint8Array {
  const { realm, handle, record, generation, timeMs, origin, steadyMs, keyVersion } = row
  return authenticate(
    [FORMAT, KIND.unfinished, realm, handle, record, generation, timeMs, origin, steadyMs, keyVersion],
    SHAPE.label,
    key,
  )
}

/** Reads a row, checks its tag and that it is about the generation that its key names. */
export function decodeUnfinishedRow(
  bytes: Uint8Array,
  place: { readonly realm: Realm; readonly record: Uint8Array; readonly generation: Uint8Array },
  keyFor: KeyForVersion,
): UnfinishedRow {
  const items = readAuthenticated(bytes, SHAPE, keyFor)
  const [, , realm, handle, record, generation, time, origin, steady, keyVersion] = items
  if (asText(realm, 64, malformed) !== place.realm) throw misplaced('another realm')
  if (!equalBytes(asBytes(record, 16, malformed), place.record)) throw misplaced('another record')
  if (!equalBytes(asBytes(generation, 20, malformed), place.generation)) throw misplaced('another generation')
  return {
    realm: place.realm,
    handle: asBytes(handle, 16, malformed),
    record: place.record,
    generation: place.generation,
    timeMs: asUint(time, MAX_MILLIS, malformed),
    origin: asBytes(origin, 16, malformed),
    steadyMs: asUint(steady, Number.MAX_SAFE_INTEGER, malformed),
    keyVersion: asUint(keyVersion, MAX_U32, malformed),
  }
}
