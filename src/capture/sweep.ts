/** Removing what has expired: challenges, and probes that are known for long enough (SPEC §20.1, §20.6). @module */

import type { Realm } from '../base/brand.ts'
import { equalBytes, readU32be } from '../base/bytes.ts'
import type { CallOptions } from '../base/errors.ts'
import type { Store, StoredRow, StoreStep } from '../store/store.ts'
import { expiryOf } from './challenge.ts'
import { areaKey, CHALLENGES, NONCE_BYTES, REPEATS, TABLE } from './rows.ts'
import { ignoreConflict } from './transport-keys.ts'

const MOST_ROWS = 256
const MOST_PAGES = 4
const PERIOD_BYTES = 4

/** Up to 1,024 rows of each kind; keys begin with their time, so that nothing is read that stays. */
export async function sweepRows(
  store: Store,
  realm: Realm,
  nowMs: number,
  retentionMs: number,
  options: CallOptions,
): Promise<void> {
  const former = periodOf(nowMs, retentionMs) - 1
  const areas = [
    { area: CHALLENGES, bytes: NONCE_BYTES, isOver: (rest: Uint8Array) => expiryOf(rest) <= nowMs },
    { area: REPEATS, bytes: PERIOD_BYTES, isOver: (rest: Uint8Array) => readU32be(rest) < former },
  ]
  for (const { area, bytes, isOver } of areas) {
    const from = areaKey(realm, area)
    for (let page = 0, found = MOST_ROWS; page < MOST_PAGES && found === MOST_ROWS; page++) {
      const rows = await expired(store.scan(TABLE, from, options), from, bytes, isOver)
      // Whoever sweeps at the same time removes the same rows.
      if (rows.length > 0) await store.commit(rows.map(removal), options).catch(ignoreConflict)
      found = rows.length
    }
  }
}

/** Which period an instant lies in. */
export function periodOf(nowMs: number, retentionMs: number): number {
  return Math.floor(nowMs / retentionMs)
}

async function expired(
  rows: AsyncIterable<StoredRow>,
  from: Uint8Array,
  bytes: number,
  isOver: (rest: Uint8Array) => boolean,
): Promise<readonly StoredRow[]> {
  const found: StoredRow[] = []
  for await (const row of rows) {
    const rest = row.key.subarray(from.length)
    if (!equalBytes(row.key.subarray(0, from.length), from)) break
    // A key that is too short for what it should name is nobody's: it goes too, or it would keep all behind it.
    if (rest.length >= bytes && !isOver(rest)) break
    found.push(row)
    if (found.length === MOST_ROWS) break
  }
  return found
}

function removal({ key, version }: StoredRow): StoreStep {
  return { step: 'delete', table: TABLE, key, expected: version }
}
