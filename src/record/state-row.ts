/** The state row: everything about a record that may change, under a tag (SPEC §9.3). @module */

import type { Realm } from '../base/brand.ts'
import { equalBytes, toHex } from '../base/bytes.ts'
import { asArray, asBoolean, asBytes, asText, asUint, type CborValue, encodeCbor } from '../base/cbor.ts'
import { basisFromCbor, basisToCbor, type StoredBasis } from '../policy/basis.ts'
import { STATES, type State } from '../policy/states.ts'
import { malformed, misplaced, RecordError } from './errors.ts'
import {
  authenticate,
  FORMAT,
  type KeyForVersion,
  KIND,
  MAX_MILLIS,
  MAX_U32,
  readAuthenticated,
} from './row.ts'

/** A finished write, remembered so that a retry with the same operation id is not done twice (SPEC §11.6). */
export interface Operation {
  /** 16 bytes. */
  readonly digest: Uint8Array
  /** The verb in the state row; the outcome in the attempts row. */
  readonly code: number
}

/** One more template of a subject, for probes of one class (SPEC §11.15). */
export interface FurtherReference {
  /** Of probes that are compared with it. */
  readonly probeClass: string
  readonly record: Uint8Array
  readonly generation: Uint8Array
  readonly bits: number
}

/** The contents of a state row. */
export interface StateRow {
  readonly realm: Realm
  readonly handle: Uint8Array
  readonly record: Uint8Array
  readonly generation: Uint8Array
  /** Grows by one with every change. */
  readonly version: number
  readonly state: State
  /** True when code and key were once stolen together; survives reissue. */
  readonly exposed: boolean
  readonly profile: number
  /** Identifiers of the person's devices by slot, 16 bytes each, zero bytes for a free slot. */
  readonly devices: readonly Uint8Array[]
  readonly keyVersion: number
  readonly model: string
  readonly bits: number
  readonly basis: StoredBasis | null
  /** First and last epoch known to have wrapped this generation's secret. */
  readonly since: number
  readonly last: number
  readonly changedMs: number
  /** Index of the revocation reason, 0 for none. */
  readonly reason: number
  readonly operations: readonly Operation[]
  /** Further references, 1 to 4 of them; `undefined` for none. */
  readonly references?: readonly FurtherReference[] | undefined
}

/** Further references of one subject. */
export const MOST_FURTHER = 4
/** The class of whoever names none: its reference is the primary one. */
export const ANY_CLASS = 'any'

const SHAPE = { kind: KIND.state, arity: 20, label: 'guise/v1/state', versionAt: 11, longer: true } as const
const HANDLE_BYTES = 16
const RECORD_BYTES = 16
const GENERATION_BYTES = 20
const MOST_DEVICES = 4
/** Codes of the reasons of a revocation go from 1 to 6; 0 is none. */
const MOST_REASON = 6
/** The code of a person's withdrawal. */
export const REASON_WITHDRAWN = 3
const PROFILES = 4
const BITS: readonly number[] = [64, 128, 256, 512, 1024]
const MOST_OPERATIONS = 4
const MOST_CLASS_BYTES = 64

/** The row's bytes under the state key of `row.keyVersion`. */
export function encodeStateRow(row: StateRow, key: Uint8Array): Uint8Array {
  return authenticate(
    [
      FORMAT,
      KIND.state,
      row.realm,
      row.handle,
      row.record,
      row.generation,
      row.version,
      STATES.indexOf(row.state),
      row.exposed,
      row.profile,
      row.devices,
      row.keyVersion,
      row.model,
      row.bits,
      row.basis === null ? null : basisToCbor(row.basis),
      row.since,
      row.last,
      row.changedMs,
      row.reason,
      operationsToCbor(row.operations),
      ...(row.references === undefined ? [] : [row.references.map(referenceToCbor)]),
    ],
    SHAPE.label,
    key,
  )
}

/**
 * Where a row holds record and generation: for a reading that follows it before the tag is looked at. What stands before them has one
 * length in a realm.
 */
export function statePieces(realm: Realm): {
  readonly record: { readonly at: number; readonly length: number }
  readonly generation: { readonly at: number; readonly length: number }
} {
  // Each byte string follows one byte that says its length.
  const record = encodeCbor([FORMAT, KIND.state, realm]).length + 1 + HANDLE_BYTES + 1
  return {
    record: { at: record, length: RECORD_BYTES },
    generation: { at: record + RECORD_BYTES + 1, length: GENERATION_BYTES },
  }
}

/** Reads a row, checks its tag and that it is this subject's. */
export function decodeStateRow(
  bytes: Uint8Array,
  place: { readonly realm: Realm; readonly handle: Uint8Array },
  keyFor: KeyForVersion,
): StateRow {
  const items = readAuthenticated(bytes, SHAPE, keyFor)
  const [, , realm, handle, record, generation, version, state, exposed, profile] = items
  const [devices, keyVersion, model, bits, basis, since, last, changed, reason, operations, further] =
    items.slice(10)
  if (asText(realm, 64, malformed) !== place.realm) throw misplaced('another realm')
  if (!equalBytes(asBytes(handle, HANDLE_BYTES, malformed), place.handle)) throw misplaced('another subject')
  const primary = asBytes(record, RECORD_BYTES, malformed)
  return {
    realm: place.realm,
    handle: place.handle,
    record: primary,
    generation: asBytes(generation, GENERATION_BYTES, malformed),
    version: asUint(version, Number.MAX_SAFE_INTEGER, malformed),
    state: storedState(asUint(state, STATES.length - 1, malformed)),
    exposed: asBoolean(exposed, malformed),
    profile: knownProfile(asUint(profile, 255, malformed)),
    devices: deviceList(devices),
    keyVersion: asUint(keyVersion, MAX_U32, malformed),
    model: asText(model, 95, malformed),
    bits: knownBits(asUint(bits, 1024, malformed)),
    basis: basis === null ? null : basisFromCbor(basis, malformed),
    since: asUint(since, MAX_U32, malformed),
    last: asUint(last, MAX_U32, malformed),
    changedMs: asUint(changed, MAX_MILLIS, malformed),
    reason: asUint(reason, MOST_REASON, malformed),
    operations: operationsFromCbor(operations, MOST_OPERATIONS),
    ...(items.length === SHAPE.arity ? {} : { references: referencesFromCbor(further, primary) }),
  }
}

function referenceToCbor({ probeClass, record, generation, bits }: FurtherReference): CborValue {
  return [probeClass, record, generation, bits]
}

/** None is said by saying nothing; no class and no record stands twice. */
function referencesFromCbor(value: CborValue | undefined, primary: Uint8Array): readonly FurtherReference[] {
  const references = listOf(value, MOST_FURTHER).map((item) => {
    const [probeClass, record, generation, bits] = asArray(item, 4, malformed)
    return {
      probeClass: asText(probeClass, MOST_CLASS_BYTES, malformed),
      record: asBytes(record, RECORD_BYTES, malformed),
      generation: asBytes(generation, GENERATION_BYTES, malformed),
      bits: knownBits(asUint(bits, 1024, malformed)),
    }
  })
  const classes = new Set([ANY_CLASS, '', ...references.map(({ probeClass }) => probeClass)])
  const records = new Set([primary, ...references.map(({ record }) => record)].map((record) => toHex(record)))
  if (
    references.length === 0 ||
    classes.size !== references.length + 2 ||
    records.size !== references.length + 1
  ) {
    throw malformed('expected 1 to 4 references, each of a class and a record of its own')
  }
  return references
}

/** The list with one more at its end; the oldest falls off. */
export function rememberOperation(
  list: readonly Operation[],
  operation: Operation | undefined,
  most: number = MOST_OPERATIONS,
): readonly Operation[] {
  return operation === undefined ? list : [...list, operation].slice(-most)
}

/** The remembered operation with this digest. */
export function findOperation(list: readonly Operation[], digest: Uint8Array): Operation | undefined {
  return list.find((operation) => equalBytes(operation.digest, digest))
}

/** The CBOR form of remembered operations. */
export function operationsToCbor(list: readonly Operation[]): CborValue {
  return list.map(({ digest, code }) => [digest, code])
}

/** Reads remembered operations back. */
export function operationsFromCbor(value: CborValue | undefined, most: number): readonly Operation[] {
  return listOf(value, most).map((item) => {
    const [digest, code] = listOf(item, 2)
    return { digest: asBytes(digest, 16, malformed), code: asUint(code, 255, malformed) }
  })
}

function listOf(value: CborValue | undefined, most: number): readonly CborValue[] {
  if (!Array.isArray(value) || value.length > most) throw malformed(`expected a list of at most ${most}`)
  return value as readonly CborValue[]
}

/** A state is computed as expired, never stored so. */
function storedState(code: number): State {
  const state = STATES[code] as State
  if (state === 'expired') throw malformed('a state that is never stored')
  return state
}

function knownProfile(code: number): number {
  if (code >= PROFILES)
    throw new RecordError('ERR_RECORD_VERSION', 'the custody profile of a record is unknown')
  return code
}

function knownBits(bits: number): number {
  if (!BITS.includes(bits)) throw malformed('a number of bits that no template has')
  return bits
}

/** One for each slot, or none at all. */
function deviceList(value: CborValue | undefined): readonly Uint8Array[] {
  const devices = listOf(value, MOST_DEVICES).map((device) => asBytes(device, 16, malformed))
  if (devices.length !== 0 && devices.length !== MOST_DEVICES) throw malformed('a wrong number of devices')
  return devices
}
