/** Checks and copies what enters a store, before anything happens (SPEC §10.1, STORE-6). @module */

import { copyPublic } from '../base/bytes.ts'
import { checkBytes, checkObject, checkOneOf, checkText } from '../base/check.ts'
import { rejectInput, StoreError } from './errors.ts'
import {
  MAX_COMMIT_STEPS,
  MAX_KEY_BYTES,
  MAX_READ_ROWS,
  MAX_ROW_BYTES,
  type RowPlace,
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

/** The places of a reading, copied. */
export function ownPlaces(places: readonly RowPlace[]): readonly RowPlace[] {
  if (!Array.isArray(places)) throw rejectInput('places must be an array')
  const count = places.length
  if (count > MAX_READ_ROWS) throw rejectInput(`a reading has at most ${MAX_READ_ROWS} places`)
  const owned: RowPlace[] = []
  for (let i = 0; i < count; i++) {
    const place = checkObject(places[i], `places[${i}]`, rejectInput)
    owned.push({
      table: ownTable(place['table'], `places[${i}].table`),
      key: ownKey(place['key'], `places[${i}].key`),
    })
  }
  return owned
}

/** The bytes of a key as a text of the same order: one UTF-16 unit a byte. */
export function keyText(key: Uint8Array): string {
  return String.fromCharCode(...key)
}

/** The key of an appended row: the number of the write in the store, eight bytes, most significant first. */
export function sequenceKey(sequence: number): Uint8Array {
  const key = new Uint8Array(8)
  new DataView(key.buffer).setBigUint64(0, BigInt(sequence))
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
  const written = new Set<string>()
  for (const [i, step] of steps.entries()) {
    if (step.step === 'check' || step.step === 'append') continue
    const row = `${step.table}/${keyText(step.key)}`
    if (written.has(row)) throw rejectInput(`steps[${i}] writes a row that an earlier step writes`)
    written.add(row)
  }
}
