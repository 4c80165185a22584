/** The row of a realm's migration from one model to another (SPEC §9.8). @module */

import type { Realm } from '../base/brand.ts'
import { asArray, asBytes, asText, asUint, type CborValue } from '../base/cbor.ts'
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

/** What a template says of its model. */
export interface ModelSide {
  readonly model: string
  /** 32 bytes. */
  readonly meanHash: Uint8Array
  readonly dimensions: number
  readonly bits: number
}

/** The contents of the row. */
export interface ModelRow {
  readonly realm: Realm
  /** Grows by one with every change. */
  readonly version: number
  readonly finished: boolean
  readonly from: ModelSide
  readonly to: ModelSide
  /** Names of the new model's operating points, 1 to 64 of them. */
  readonly points: readonly string[]
  /** From when on templates of the new model are made, and until when those of the old one may be. */
  readonly opensMs: number
  readonly closesMs: number
  readonly changedMs: number
  readonly keyVersion: number
  /** Old models of the migrations that were finished before this one, the last one last; none when absent, at most 64. */
  readonly ended?: readonly ModelSide[]
}

const SHAPE = { kind: KIND.model, arity: 11, label: 'guise/v1/model', versionAt: 10, longer: true } as const
const MOST_DIMENSIONS = 4096
const MOST_BITS = 1024
const MOST_POINTS = 64
const POINT_DIGITS = 16
export const MOST_ENDED = 64

/** The row's bytes under the state key of `row.keyVersion`. */
export function encodeModelRow(row: ModelRow, key: Uint8Array): Uint8Array {
  return authenticate(
    [
      FORMAT,
      KIND.model,
      row.realm,
      row.version,
      row.finished ? 1 : 0,
      sideToCbor(row.from),
      [...sideToCbor(row.to), [...row.points]],
      row.opensMs,
      row.closesMs,
      row.changedMs,
      row.keyVersion,
      ...(row.ended === undefined ? [] : [row.ended.map(sideToCbor)]),
    ],
    SHAPE.label,
    key,
  )
}

/** Reads a row, checks its tag and that it is this realm's. */
export function decodeModelRow(bytes: Uint8Array, realm: Realm, keyFor: KeyForVersion): ModelRow {
  const items = readAuthenticated(bytes, SHAPE, keyFor)
  const [, , place, version, finished, from, to, opens, closes, changed, keyVersion, ended] = items
  if (asText(place, 64, malformed) !== realm) throw misplaced('another realm')
  const [model, meanHash, dimensions, bits, points] = asArray(to, SIDE + 1, malformed)
  return {
    realm,
    version: asUint(version, Number.MAX_SAFE_INTEGER, malformed),
    finished: asUint(finished, 1, malformed) === 1,
    from: sideFromCbor(asArray(from, SIDE, malformed)),
    to: sideFromCbor([model, meanHash, dimensions, bits]),
    points: pointsFromCbor(points),
    opensMs: asUint(opens, MAX_MILLIS, malformed),
    closesMs: asUint(closes, MAX_MILLIS, malformed),
    changedMs: asUint(changed, MAX_MILLIS, malformed),
    keyVersion: asUint(keyVersion, MAX_U32, malformed),
    ...(items.length === SHAPE.arity ? {} : { ended: endedFromCbor(ended) }),
  }
}

const SIDE = 4

function sideToCbor({ model, meanHash, dimensions, bits }: ModelSide): CborValue[] {
  return [model, meanHash, dimensions, bits]
}

function sideFromCbor([model, meanHash, dimensions, bits]: readonly (CborValue | undefined)[]): ModelSide {
  return {
    model: asText(model, 95, malformed),
    meanHash: asBytes(meanHash, 32, malformed),
    dimensions: asUint(dimensions, MOST_DIMENSIONS, malformed),
    bits: asUint(bits, MOST_BITS, malformed),
  }
}

function pointsFromCbor(value: CborValue | undefined): readonly string[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MOST_POINTS) {
    throw malformed('expected 1 to 64 operating points')
  }
  return (value as readonly CborValue[]).map((point) => asText(point, POINT_DIGITS, malformed))
}

function endedFromCbor(value: CborValue | undefined): readonly ModelSide[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MOST_ENDED) {
    throw malformed('expected 1 to 64 models that have ended')
  }
  return (value as readonly CborValue[]).map((side) => sideFromCbor(asArray(side, SIDE, malformed)))
}
