/** Which numbers of people a realm has reached, kept where every process can read it: a copy of what the log tells (SPEC §12.5). @module */

import type { Millis, Realm } from '../base/brand.ts'
import { joinBytes } from '../base/bytes.ts'
import { asArray, asText, asUint, type CborValue } from '../base/cbor.ts'
import { realmPrefix } from '../base/identifier.ts'
import { malformed, misplaced, RecordError } from '../record/errors.ts'
import { authenticate, FORMAT, type KeyForVersion, MAX_MILLIS, readAuthenticated } from '../record/row.ts'
import type { Store } from '../store/store.ts'
import type { VaultKeys } from './keys.ts'

/** A number of live persons that a realm came to, from below. */
export interface PeopleReached {
  readonly threshold: number
  /** When the newest event of it was logged; the number may be lower again by now. */
  readonly at: Millis
}

/** From one person to as many as an integer can say. */
export const MOST_PEOPLE = 1_000_000_000
const PLACE: Uint8Array = Uint8Array.of(6)
const SHAPE = { kind: 55, arity: 5, label: 'guise/v1/people', versionAt: 4 } as const

/** Of table `log`. */
export function peopleKey(realm: Realm): Uint8Array {
  return joinBytes(realmPrefix(realm), PLACE)
}

/** The row's bytes under the log key of `version`. */
export function encodePeopleRow(
  realm: Realm,
  reached: readonly PeopleReached[],
  version: number,
  key: Uint8Array,
): Uint8Array {
  const list = reached.map(({ threshold, at }) => [threshold, at])
  return authenticate([FORMAT, SHAPE.kind, realm, list, version], SHAPE.label, key)
}

/**
 * What the realm's row says was reached: nothing without a row, `undefined` for one that cannot be read. The log tells the same; `version`
 * is that of the row, `null` for none.
 */
export async function readReached({
  store,
  realm,
  ring,
}: {
  readonly store: Pick<Store, 'get'>
  readonly realm: Realm
  readonly ring: Pick<VaultKeys, 'load' | 'key'>
}): Promise<{ readonly reached: readonly PeopleReached[] | undefined; readonly version: string | null }> {
  const row = await store.get('log', peopleKey(realm))
  if (row === undefined) return { reached: [], version: null }
  await ring.load()
  try {
    return { reached: decodePeopleRow(row.bytes, realm, (v) => ring.key(v)), version: row.version }
  } catch (error) {
    if (!(error instanceof RecordError)) throw error
    return { reached: undefined, version: row.version }
  }
}

/** Reads a row and checks its tag. */
function decodePeopleRow(bytes: Uint8Array, realm: Realm, keyFor: KeyForVersion): readonly PeopleReached[] {
  const [, , name, list] = readAuthenticated(bytes, SHAPE, keyFor)
  if (asText(name, 64, malformed) !== realm) throw misplaced('another realm')
  if (!Array.isArray(list)) throw malformed('expected a list')
  return (list as readonly CborValue[]).map((item) => {
    const [threshold, at] = asArray(item, 2, malformed)
    return {
      threshold: asUint(threshold, MOST_PEOPLE, malformed),
      at: asUint(at, MAX_MILLIS, malformed) as Millis,
    }
  })
}
