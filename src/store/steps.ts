/** Checks and copies what enters a store, before anything happens (SPEC §10.1, STORE-6). @module */

import { byteText, copyPublic, publicBytes } from '../base/bytes.ts'
import { checkBytes, checkInteger, checkObject, checkOneOf, checkText } from '../base/check.ts'
import { rejectInput, StoreError } from './errors.ts'
import {
  type KeyPiece,
  type LinkedPlace,
  MAX_COMMIT_STEPS,
  MAX_KEY_BYTES,
  MAX_KEY_PARTS,
  MAX_READ_ROWS,
  MAX_ROW_BYTES,
  type RowPlace,
  type StoredRow,
  type StoreStep,
  TABLES,
  type Table,
} from './store.ts'

/** A checked step that owns its bytes. An `append` has an empty key, a step without bytes empty ones. */
export interface OwnedStep {
  readonly step: StoreStep['step']
  readonly table: Table
  readonly key: Uint8Array
  readonly bytes: Uint8Array
  readonly expected: string | null
}

/**
 * The steps of a commit, copied.
 *
 * @throws {StoreError} `ERR_STORE_INPUT` for a wrong type, length or name, and for two writes to one row.
 */
export function ownSteps(steps: readonly StoreStep[]): readonly OwnedStep[] {
  if (!Array.isArray(steps)) throw rejectInput('steps must be an array')
  const count = steps.length
  if (count > MAX_COMMIT_STEPS) throw rejectInput(`a commit has at most ${MAX_COMMIT_STEPS} steps`)
  const owned: OwnedStep[] = []
  for (let i = 0; i < count; i++) owned.push(ownStep(steps[i], `steps[${i}]`))
  if (count > 1) refuseTwoWrites(owned)
  return owned
}

/** The name of a table. */
export function ownTable(value: unknown, name = 'table'): Table {
  return checkOneOf(value, name, TABLES, rejectInput)
}

/** A copy of a key of 1 to 256 bytes; `minBytes` is 0 for the start of a scan. */
export function ownKey(value: unknown, name = 'key', minBytes = 1): Uint8Array {
  return copyPublic(checkBytes(value, name, [minBytes, MAX_KEY_BYTES], rejectInput))
}

/** A place of a reading that owns its bytes; most keys have one part. */
export interface OwnedPlace {
  readonly table: Table
  readonly parts: readonly (Uint8Array | KeyPiece)[]
}

/** The places of a reading, copied. */
export function ownPlaces(places: readonly (RowPlace | LinkedPlace)[]): readonly OwnedPlace[] {
  if (!Array.isArray(places)) throw rejectInput('places must be an array')
  const count = places.length
  if (count > MAX_READ_ROWS) throw rejectInput(`a reading has at most ${MAX_READ_ROWS} places`)
  const owned: OwnedPlace[] = []
  for (let i = 0; i < count; i++) {
    const place = checkObject(places[i], `places[${i}]`, rejectInput)
    const table = ownTable(place['table'], `places[${i}].table`)
    const key = place['key']
    const name = `places[${i}].key`
    owned.push({ table, parts: Array.isArray(key) ? ownParts(key, name, i) : [ownKey(key, name)] })
  }
  return owned
}

function ownParts(key: readonly unknown[], name: string, rows: number): OwnedPlace['parts'] {
  const count = key.length
  if (count === 0 || count > MAX_KEY_PARTS) throw rejectInput(`${name} must have 1 to ${MAX_KEY_PARTS} parts`)
  const parts: (Uint8Array | KeyPiece)[] = []
  for (let i = 0; i < count; i++) {
    const part = key[i]
    parts.push(part instanceof Uint8Array ? ownKey(part, name, 0) : ownPiece(part, `${name}[${i}]`, rows))
  }
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  if (length === 0 || length > MAX_KEY_BYTES)
    throw rejectInput(`${name} must have 1 to ${MAX_KEY_BYTES} bytes`)
  return parts
}

/** A row names only what is read after it, so that a reading ends. */
function ownPiece(value: unknown, name: string, rows: number): KeyPiece {
  if (rows === 0) throw rejectInput(`${name}: no row is read before the first`)
  const piece = checkObject(value, name, rejectInput)
  return {
    row: checkInteger(piece['row'], `${name}.row`, [0, rows - 1], rejectInput),
    at: checkInteger(piece['at'], `${name}.at`, [-MAX_ROW_BYTES, MAX_ROW_BYTES], rejectInput),
    length: checkInteger(piece['length'], `${name}.length`, [1, MAX_KEY_BYTES], rejectInput),
  }
}

/** The key of a place, given the rows that were read before it. The bytes are the caller's when no piece is among them. */
export function placeKey(
  { parts }: Pick<OwnedPlace, 'parts'>,
  rows: readonly (Pick<StoredRow, 'bytes'> | undefined)[],
): Uint8Array {
  const [first] = parts
  if (parts.length === 1 && first instanceof Uint8Array) return first
  let length = 0
  for (const part of parts) length += part.length
  const key = publicBytes(length)
  let next = 0
  for (const part of parts) {
    if (part instanceof Uint8Array) key.set(part, next)
    else writePiece(key, next, part, rows[part.row]?.bytes)
    next += part.length
  }
  return key
}

/** What a missing or too short row would have given stays zero. */
function writePiece(
  key: Uint8Array,
  next: number,
  { at, length }: KeyPiece,
  bytes: Uint8Array | undefined,
): void {
  if (bytes === undefined) return
  const from = at < 0 ? bytes.length + at : at
  if (from < 0 || from + length > bytes.length) return
  for (let i = 0; i < length; i++) key[next + i] = bytes[from + i] as number
}

/** The bytes of a key as a text of the same order: one UTF-16 unit a byte. */
export function keyText(key: Uint8Array): string {
  return byteText(key)
}

/** The key of an appended row: the number of the write in the store, eight bytes, most significant first. */
export function sequenceKey(sequence: number): Uint8Array {
  const key = new Uint8Array(8)
  let rest = sequence
  for (let i = 7; i >= 0; i--) {
    key[i] = rest % 256
    rest = Math.floor(rest / 256)
  }
  return key
}

/** Names the step and the table, never the key: keys carry handles of subjects. */
export function conflict(step: { readonly step: string; readonly table: string }, index: number): StoreError {
  return new StoreError(
    'ERR_STORE_CONFLICT',
    `steps[${index}] (${step.step} in ${step.table}) expects another version of its row`,
  )
}

const NO_BYTES = new Uint8Array(0)
const KINDS = ['check', 'put', 'delete', 'append'] as const
const MAX_VERSION_BYTES = 128

function ownStep(value: unknown, name: string): OwnedStep {
  const step = checkObject(value, name, rejectInput)
  const kind = checkOneOf(step['step'], `${name}.step`, KINDS, rejectInput)
  const table = ownTable(step['table'], `${name}.table`)
  if (kind === 'append') {
    if (table !== 'queue') throw rejectInput(`${name}.table must be queue for an append`)
    return { step: kind, table, key: NO_BYTES, bytes: ownBytes(step['bytes'], name), expected: null }
  }
  const key = ownKey(step['key'], `${name}.key`)
  const expected = ownExpected(step['expected'], name, kind)
  if (kind !== 'put') return { step: kind, table, key, bytes: NO_BYTES, expected }
  if (table === 'queue') throw rejectInput(`${name}.table must not be queue for a put`)
  return { step: kind, table, key, bytes: ownBytes(step['bytes'], name), expected }
}

function ownBytes(value: unknown, name: string): Uint8Array {
  return copyPublic(checkBytes(value, `${name}.bytes`, [0, MAX_ROW_BYTES], rejectInput))
}

function ownExpected(value: unknown, name: string, kind: OwnedStep['step']): string | null {
  if (value === null && kind !== 'delete') return null
  return checkText(value, `${name}.expected`, { maxBytes: MAX_VERSION_BYTES }, rejectInput)
}

/** Two writes to one row would need an order within the instant, which no two stores would choose alike. */
function refuseTwoWrites(steps: readonly OwnedStep[]): void {
  const writes = steps.filter(({ step }) => step === 'put' || step === 'delete')
  if (writes.length < 2) return
  const written = new Set<string>()
  for (const step of writes) {
    const row = `${step.table}/${keyText(step.key)}`
    if (written.has(row))
      throw rejectInput(`steps[${steps.indexOf(step)}] writes a row that an earlier step writes`)
    written.add(row)
  }
}
