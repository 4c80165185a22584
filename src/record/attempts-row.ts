/** Rows that count attempts: of a subject, and of a realm by writer (SPEC §9.4). @module */

import type { Realm } from '../base/brand.ts'
import { equalBytes } from '../base/bytes.ts'
import { asArray, asBytes, asText, asUint, type CborValue } from '../base/cbor.ts'
import type { AttemptCount } from '../policy/attempts.ts'
import { malformed, misplaced } from './errors.ts'
import {
  authenticate,
  FORMAT,
  type KeyForVersion,
  KIND,
  MAX_MILLIS,
  MAX_U32,
  readAuthenticated,
} from './row.ts'
import { type Operation, operationsFromCbor, operationsToCbor } from './state-row.ts'

/** The contents of a subject's attempts row. */
export interface AttemptsRow {
  readonly realm: Realm
  readonly handle: Uint8Array
  readonly scope: number
  readonly generation: Uint8Array
  readonly version: number
  readonly count: AttemptCount
  readonly keyVersion: number
  readonly operations: readonly Operation[]
  /** Of a generation that an adaptation made. */
  readonly adapted?: Adapted
}

/** How far a template has come from the last enrolment or reissue (SPEC §12.8). */
export interface Adapted {
  /** Adaptations in a row, from 1. */
  readonly count: number
  /** Instant of the last one, in milliseconds. */
  readonly lastMs: number
}

/** The contents of one writer's row of the realm's counter. */
export interface RealmAttemptsRow {
  readonly realm: Realm
  /** 16 random bytes that name the writer. */
  readonly writer: Uint8Array
  /** Start of the hour that is counted, in milliseconds. */
  readonly windowMs: number
  readonly count: number
  readonly keyVersion: number
}

/** Operations that an attempts row remembers. */
export const MOST_ATTEMPT_OPERATIONS = 8

const SHAPE = {
  kind: KIND.attempts,
  arity: 14,
  label: 'guise/v1/attempts',
  versionAt: 12,
  other: KIND.liveAttempts,
  longer: true,
} as const
const REALM_SHAPE = {
  kind: KIND.realmAttempts,
  arity: 7,
  label: 'guise/v1/realm-attempts',
  versionAt: 6,
} as const
const MOST_FAILURES = MAX_U32

/** The row's bytes under the limiter key of `row.keyVersion`. */
export function encodeAttemptsRow(row: AttemptsRow, key: Uint8Array): Uint8Array {
  const { run, live, failures, lastMs, origin, steadyMs } = row.count
  return authenticate(
    [
      FORMAT,
      live === true && run > 0 ? KIND.liveAttempts : KIND.attempts,
      row.realm,
      row.handle,
      row.scope,
      row.generation,
      row.version,
      run,
      failures,
      lastMs,
      origin,
      steadyMs,
      row.keyVersion,
      operationsToCbor(row.operations),
      ...(row.adapted === undefined ? [] : [[row.adapted.count, row.adapted.lastMs]]),
    ],
    SHAPE.label,
    key,
  )
}

/** Reads a row, checks its tag and that it is this subject's, scope's and generation's. */
export function decodeAttemptsRow(
  bytes: Uint8Array,
  place: {
    readonly realm: Realm
    readonly handle: Uint8Array
    readonly scope: number
    readonly generation: Uint8Array
  },
  keyFor: KeyForVersion,
): AttemptsRow {
  const items = readAuthenticated(bytes, SHAPE, keyFor)
  const [
    ,
    kind,
    realm,
    handle,
    scope,
    generation,
    version,
    run,
    failures,
    last,
    origin,
    steady,
    keyVersion,
    operations,
    adapted,
  ] = items
  if (asText(realm, 64, malformed) !== place.realm) throw misplaced('another realm')
  if (!equalBytes(asBytes(handle, 16, malformed), place.handle)) throw misplaced('another subject')
  if (asUint(scope, 255, malformed) !== place.scope) throw misplaced('another scope')
  if (!equalBytes(asBytes(generation, 20, malformed), place.generation)) throw misplaced('another generation')
  const live = kind === KIND.liveAttempts
  const failed = asUint(run, MOST_FAILURES, malformed)
  if (live && failed === 0) throw malformed('a run without failures')
  return {
    realm: place.realm,
    handle: place.handle,
    scope: place.scope,
    generation: place.generation,
    version: asUint(version, Number.MAX_SAFE_INTEGER, malformed),
    count: {
      run: failed,
      ...(live ? { live } : {}),
      failures: asUint(failures, MOST_FAILURES, malformed),
      lastMs: asUint(last, MAX_MILLIS, malformed),
      origin: asBytes(origin, 16, malformed),
      steadyMs: asUint(steady, Number.MAX_SAFE_INTEGER, malformed),
    },
    keyVersion: asUint(keyVersion, MAX_U32, malformed),
    operations: operationsFromCbor(operations, MOST_ATTEMPT_OPERATIONS),
    ...(items.length === SHAPE.arity ? {} : { adapted: adaptedFromCbor(adapted) }),
  }
}

function adaptedFromCbor(value: CborValue | undefined): Adapted {
  const [number, last] = asArray(value, 2, malformed)
  const count = asUint(number, MAX_U32, malformed)
  if (count === 0) throw malformed('no adaptation is said by saying nothing')
  return { count, lastMs: asUint(last, MAX_MILLIS, malformed) }
}

/** The row's bytes under the limiter key of `row.keyVersion`. */
export function encodeRealmAttemptsRow(row: RealmAttemptsRow, key: Uint8Array): Uint8Array {
  return authenticate(
    [FORMAT, KIND.realmAttempts, row.realm, row.writer, row.windowMs, row.count, row.keyVersion],
    REALM_SHAPE.label,
    key,
  )
}

/** Reads a writer's row, checks its tag and that it is this realm's. */
export function decodeRealmAttemptsRow(
  bytes: Uint8Array,
  realm: Realm,
  keyFor: KeyForVersion,
): RealmAttemptsRow {
  const [, , place, writer, windowMs, count, keyVersion] = readAuthenticated(bytes, REALM_SHAPE, keyFor)
  if (asText(place, 64, malformed) !== realm) throw misplaced('another realm')
  return {
    realm,
    writer: asBytes(writer, 16, malformed),
    windowMs: asUint(windowMs, MAX_MILLIS, malformed),
    count: asUint(count, MOST_FAILURES, malformed),
    keyVersion: asUint(keyVersion, MAX_U32, malformed),
  }
}
