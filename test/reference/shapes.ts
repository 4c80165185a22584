/** The arrays that rows are made of, field by field in their order (SPEC §4.4, §4.5, §9, §11.3). @module */
import { Refused } from './bytes.ts'
import { decode, encode, type Value } from './cbor.ts'
import { isModelId, isRealm } from './identifiers.ts'
import { SIZES } from './transform.ts'

export type Check = (value: Value) => boolean
export type Shape = readonly (readonly [name: string, check: Check, code?: string])[]
export type Fields = Readonly<Record<string, Value>>

export const uint: Check = (value) => typeof value === 'number'
export const upTo =
  (max: number): Check =>
  (value) =>
    typeof value === 'number' && value <= max
const exactly =
  (constant: number): Check =>
  (value) =>
    value === constant
export const bytes =
  (...lengths: readonly number[]): Check =>
  (value) =>
    value instanceof Uint8Array && lengths.includes(value.length)
const someBytes: Check = (value) => value instanceof Uint8Array
export const text: Check = (value) => typeof value === 'string'
const boolean: Check = (value) => typeof value === 'boolean'
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value)
export const realm: Check = (value) => typeof value === 'string' && isRealm(value)
export const model: Check = (value) => typeof value === 'string' && isModelId(value)
const tuple =
  (...checks: readonly Check[]): Check =>
  (value) =>
    Array.isArray(value) &&
    value.length === checks.length &&
    checks.every((check, i) => check(value[i] as Value))
export const listOf =
  (check: Check, max: number, min = 0): Check =>
  (value) =>
    Array.isArray(value) &&
    value.length >= min &&
    value.length <= max &&
    value.every((entry) => check(entry as Value))

export const VERSION = 'ERR_RECORD_VERSION'
export const kind = (number: number): Shape => [
  ['format', exactly(1), VERSION],
  ['kind', exactly(number), VERSION],
]

const operation = tuple(bytes(16), upTo(255))
const basis = tuple(upTo(3), text, uint, uint, text, bytes(32), boolean, boolean, orNull(bytes(32)))

const devices = listOf(bytes(16), 4)

/** §9.1. */
export const referenceHeader: Shape = [
  ...kind(1),
  ['realm', realm],
  ['record', bytes(16)],
  ['handle', bytes(16)],
  ['generation', bytes(20)],
  ['purpose', realm],
  ['model', model],
  ['meanHash', bytes(32)],
  ['d', (value) => typeof value === 'number' && value >= 64 && value <= 4096],
  ['m', (value) => typeof value === 'number' && SIZES.includes(value)],
  ['suite', (value) => value === 'B4' || value === 'B6', VERSION],
  ['created', uint],
]

/** §9.2. */
export const secretHeader: Shape = [
  ...kind(2),
  ['realm', realm],
  ['record', bytes(16)],
  ['generation', bytes(20)],
  ['epoch', bytes(4)],
  ['since', bytes(4)],
  ['profile', upTo(3), VERSION],
  ['v', bytes(4)],
]

/** §9.2, profiles 1 and 3. */
export const secretHeaderOfQuorum: Shape = [
  ...secretHeader,
  ['quorumEpoch', (value) => bytes(4)(value) && (value as Uint8Array).some((byte) => byte !== 0)],
]

/** The outer array of §9.1 and §9.2. */
export const sealedRow: Shape = [
  ['header', someBytes],
  ['nonce', bytes(24)],
  ['commitment', bytes(32)],
  ['ciphertext', someBytes],
]

/** §9.3. */
export const stateBody: Shape = [
  ...kind(4),
  ['realm', realm],
  ['handle', bytes(16)],
  ['record', bytes(16)],
  ['generation', bytes(20)],
  ['version', uint],
  ['state', (value) => typeof value === 'number' && value <= 6 && value !== 5],
  ['exposed', boolean],
  ['profile', upTo(3), VERSION],
  ['devices', (value) => devices(value) && [0, 4].includes((value as readonly Value[]).length)],
  ['v', uint],
  ['model', model],
  ['bits', (value) => typeof value === 'number' && SIZES.includes(value)],
  ['basis', orNull(basis)],
  ['since', uint],
  ['last', uint],
  ['changed', uint],
  ['reason', upTo(6)],
  ['operations', listOf(operation, 4)],
]

/** §9.3: 1 to 4 further references, no class and no record of which stands twice. */
const references: Check = (value) => {
  if (!listOf(tuple(probeClass, bytes(16), bytes(20), size), 4, 1)(value)) return false
  const rows = value as readonly (readonly [string, Uint8Array, Uint8Array, number])[]
  const distinct = (names: readonly string[]): boolean => new Set(names).size === names.length
  return distinct(rows.map(([name]) => name)) && distinct(rows.map(([, record]) => record.join()))
}
const probeClass: Check = (value) =>
  typeof value === 'string' && value !== 'any' && value !== '' && new TextEncoder().encode(value).length <= 64
const size: Check = (value) => typeof value === 'number' && SIZES.includes(value)

/** §9.3, of a subject with further references. */
export const stateBodyOfMany: Shape = [...stateBody, ['references', references]]

/** §4.5. */
export const indexBody: Shape = [...kind(5), ['realm', realm], ['v', uint], ['handle', bytes(16)]]

/** §9.4. */
export const attemptsBody: Shape = [
  ['format', exactly(1), VERSION],
  ['kind', (value) => value === 6 || value === 68, VERSION],
  ['realm', realm],
  ['handle', bytes(16)],
  ['scope', uint],
  ['generation', bytes(20)],
  ['version', uint],
  ['run', uint],
  ['failures', uint],
  ['last', uint],
  ['origin', bytes(16)],
  ['steady', uint],
  ['v', uint],
  ['operations', listOf(operation, 8)],
]

/** §9.4, of a generation that an adaptation made. */
export const adaptedAttemptsBody: Shape = [
  ...attemptsBody,
  ['adapted', (value) => tuple(uint, uint)(value) && (value as readonly number[])[0] !== 0],
]

/** §9.8. */
const side: readonly Check[] = [
  model,
  bytes(32),
  upTo(4096),
  (value) => typeof value === 'number' && SIZES.includes(value),
]
export const modelBody: Shape = [
  ...kind(50),
  ['realm', realm],
  ['version', uint],
  ['finished', upTo(1)],
  ['from', tuple(...side)],
  ['to', tuple(...side, listOf(text, 64, 1))],
  ['opens', uint],
  ['closes', uint],
  ['changed', uint],
  ['v', uint],
]

/** §9.4, the realm’s counters. */
export const realmAttemptsBody: Shape = [
  ...kind(8),
  ['realm', realm],
  ['writer', bytes(16)],
  ['window', uint],
  ['count', uint],
  ['v', uint],
]

/** §4.4. */
const keyringFields: Shape = [
  ['realm', realm],
  ['version', uint],
  ['provider', text],
  ['primary', uint],
  ['minAccepted', uint],
  ['epochs', listOf(tuple(uint, upTo(2), uint, uint, someBytes), 1000, 1)],
  ['versions', listOf(tuple(uint, uint, someBytes), 1000, 1)],
]
export const keyringBody: Shape = [...kind(7), ...keyringFields]

const numbers = listOf(uint, 1000, 1)

/** §4.4, format 2. */
export const movedKeyringBody: Shape = [
  ['format', exactly(2), VERSION],
  ['kind', exactly(7), VERSION],
  ...keyringFields,
  ['former', listOf(tuple(text, numbers, numbers, someBytes), 16, 1)],
]

/** §9.5. */
export const unfinishedBody: Shape = [
  ...kind(9),
  ['realm', realm],
  ['handle', bytes(16)],
  ['record', bytes(16)],
  ['generation', bytes(20)],
  ['time', uint],
  ['origin', bytes(16)],
  ['steady', uint],
  ['v', uint],
]

/** §9.7. */
export const endingBody: Shape = [
  ...kind(44),
  ['realm', realm],
  ['handle', bytes(16)],
  ['record', bytes(16)],
  ['generation', bytes(20)],
  ['v', uint],
]

/** §11.3. */
export const receiptBody: Shape = [
  ...kind(10),
  ['realm', realm],
  ['record', bytes(16)],
  ['generation', bytes(20)],
  ['unreachable', uint],
  ['since', uint],
  ['last', uint],
  ['bound', uint],
  ['v', uint],
]

/** §9.6. */
export const receiptRow: Shape = [
  ...kind(11),
  ['realm', realm],
  ['digest', bytes(16)],
  ['statement', someBytes],
  ['signature', bytes(64)],
  ['v', uint],
]

/** Writes the fields in the order of the shape. */
export function encodeShape(shape: Shape, fields: Fields): Uint8Array {
  return encode(
    shape.map(([name, check]) => {
      const value = fields[name]
      if (value === undefined || !check(value)) throw new RangeError(`field ${name}`)
      return value
    }),
  )
}

/** Reads them again; what does not fit the shape is refused. */
export function decodeShape(shape: Shape, encoded: Uint8Array): Fields {
  const value = decode(encoded, 65_536)
  if (!Array.isArray(value)) throw new Refused('ERR_RECORD_FORMAT', 'not an array')
  const fields: Record<string, Value> = {}
  shape.forEach(([name, check, code], i) => {
    const field = value[i] as Value | undefined
    if (field === undefined || !check(field)) throw new Refused(code ?? 'ERR_RECORD_FORMAT', name)
    fields[name] = field
  })
  if (value.length !== shape.length) throw new Refused('ERR_RECORD_FORMAT', 'arity')
  return fields
}
