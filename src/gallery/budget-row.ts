/** How often a gallery may be searched: one counter of the realm, an hour at a time (SPEC §16.7). @module */

import type { Realm } from '../base/brand.ts'
import { equalBytes } from '../base/bytes.ts'
import { asBytes, asUint } from '../base/cbor.ts'
import type { Instant } from '../policy/attempts.ts'
import { malformed } from '../record/errors.ts'
import {
  authenticate,
  FORMAT,
  type KeyForVersion,
  MAX_MILLIS,
  MAX_U32,
  readAuthenticated,
} from '../record/row.ts'
import { GALLERY_KIND, requireRealm } from './rows.ts'

/** The contents of the budget row. */
export interface BudgetRow {
  readonly realm: Realm
  readonly version: number
  /** Searches since the hour began. */
  readonly count: number
  /** When it began: wall clock, and a steady clock with its 16-byte name. */
  readonly timeMs: number
  readonly origin: Uint8Array
  readonly steadyMs: number
  readonly keyVersion: number
}

const HOUR_MS = 3_600_000
const SHAPE = { kind: GALLERY_KIND.budget, arity: 9, label: 'guise/v1/gallery-budget', versionAt: 8 } as const

/** The row's bytes under the limiter key of `row.keyVersion`. */
export function encodeBudgetRow(row: BudgetRow, key: Uint8Array): Uint8Array {
  const { realm, version, count, timeMs, origin, steadyMs, keyVersion } = row
  return authenticate(
    [FORMAT, SHAPE.kind, realm, version, count, timeMs, origin, steadyMs, keyVersion],
    SHAPE.label,
    key,
  )
}

/** Reads the row and checks its tag. */
export function decodeBudgetRow(bytes: Uint8Array, realm: Realm, keyFor: KeyForVersion): BudgetRow {
  const items = readAuthenticated(bytes, SHAPE, keyFor)
  const [, , realmItem, version, count, time, origin, steady, keyVersion] = items
  requireRealm(realmItem, realm)
  return {
    realm,
    version: asUint(version, Number.MAX_SAFE_INTEGER, malformed),
    count: asUint(count, Number.MAX_SAFE_INTEGER, malformed),
    timeMs: asUint(time, MAX_MILLIS, malformed),
    origin: asBytes(origin, 16, malformed),
    steadyMs: asUint(steady, Number.MAX_SAFE_INTEGER, malformed),
    keyVersion: asUint(keyVersion, MAX_U32, malformed),
  }
}

/** What becomes of the row when somebody wants to search: `next` is written, and with `waitMs` nothing is searched. */
export interface Taken {
  readonly next?: Omit<BudgetRow, 'keyVersion'>
  readonly waitMs?: number
}

/** One search more, if the hour has one left. */
export function takeSearch(row: Omit<BudgetRow, 'keyVersion'>, most: number, now: Instant): Taken {
  const version = row.version + 1
  const begun = { timeMs: now.nowMs, origin: now.origin, steadyMs: now.steadyMs }
  const same = equalBytes(row.origin, now.origin)
  const elapsedMs = same ? now.steadyMs - row.steadyMs : now.nowMs - row.timeMs
  if (elapsedMs >= HOUR_MS) return { next: { ...row, ...begun, version, count: 1 } }
  // A wall clock that went back says nothing of the hour: it begins again here, and what was counted stays counted.
  const again = elapsedMs < 0 ? begun : {}
  if (row.count < most) return { next: { ...row, ...again, version, count: row.count + 1 } }
  if (elapsedMs < 0) return { next: { ...row, ...begun, version }, waitMs: HOUR_MS }
  return { waitMs: HOUR_MS - elapsedMs }
}
