/** A generation that ended, and of which fewer holders of the quorum than needed know (SPEC §9.7). @module */

import type { Realm } from '../base/brand.ts'
import { equalBytes } from '../base/bytes.ts'
import { asBytes, asText, asUint } from '../base/cbor.ts'
import { malformed, misplaced } from './errors.ts'
import type { RecordName } from './place.ts'
import { authenticate, FORMAT, type KeyForVersion, KIND, MAX_U32, readAuthenticated } from './row.ts'

/** What the holders have to be told. */
export interface EndingRow extends RecordName {
  readonly keyVersion: number
}

const SHAPE = { kind: KIND.ending, arity: 7, label: 'guise/v1/ending', versionAt: 6 } as const

/** The row's bytes under the state key of `row.keyVersion`. */
export function encodeEndingRow(row: EndingRow, key: Uint8Array): Uint8Array {
  const { realm, handle, record, generation, keyVersion } = row
  return authenticate([FORMAT, KIND.ending, realm, handle, record, generation, keyVersion], SHAPE.label, key)
}

/** Reads a row, checks its tag and that it is about the generation that its key names. */
export function decodeEndingRow(
  bytes: Uint8Array,
  place: { readonly realm: Realm; readonly record: Uint8Array; readonly generation: Uint8Array },
  keyFor: KeyForVersion,
): EndingRow {
  const [, , realm, handle, record, generation, keyVersion] = readAuthenticated(bytes, SHAPE, keyFor)
  if (asText(realm, 64, malformed) !== place.realm) throw misplaced('another realm')
  if (!equalBytes(asBytes(record, 16, malformed), place.record)) throw misplaced('another record')
  if (!equalBytes(asBytes(generation, 20, malformed), place.generation)) throw misplaced('another generation')
  return {
    realm: place.realm,
    handle: asBytes(handle, 16, malformed),
    record: place.record,
    generation: place.generation,
    keyVersion: asUint(keyVersion, MAX_U32, malformed),
  }
}
