/** Log entries: one closed vocabulary, one encoding (SPEC §14.2). No vectors, scores or external identifiers. @module */

import { asArray, asBytes, asText, asUint, type CborValue, decodeCbor, encodeCbor } from '../base/cbor.ts'
import { checkBytes, checkInteger, checkObject, checkOneOf, checkText } from '../base/check.ts'
import { checkRealm } from '../base/identifier.ts'
import { malformed, rejectInput } from './errors.ts'
import { HASH_BYTES } from './tree.ts'

/** What may be logged, and its number in the encoding. */
export const ACTION_NUMBERS = {
  enroll: 0,
  verify: 1,
  activate: 2,
  suspend: 3,
  resume: 4,
  hold: 5,
  release: 6,
  rebind: 7,
  revoke: 8,
  reissue: 9,
  rotate: 10,
  erase: 11,
  devices: 12,
  'key-add': 13,
  'key-promote': 14,
  'key-disable': 15,
  'key-destroy': 16,
  'key-renew': 17,
  'anchor-accept': 18,
  'key-enable': 19,
  'key-retire': 20,
  identify: 21,
  gallery: 22,
  open: 23,
  'key-migrate': 24,
  campaign: 25,
  withdraw: 26,
  basis: 27,
  capture: 28,
  adapt: 32,
  'model-announce': 33,
  'model-withdraw': 34,
  'model-finish': 35,
  people: 36,
  export: 37,
  'reference-add': 40,
  'reference-remove': 41,
} as const

/** How it ended, in classes that tell no score. */
export const OUTCOMES = ['done', 'match', 'nonmatch', 'refused', 'failed'] as const

export const BASIS_KINDS = ['consent', 'contract', 'law', 'vital-interest'] as const

export type AuditAction = keyof typeof ACTION_NUMBERS
export type AuditOutcome = (typeof OUTCOMES)[number]
export type AuditBasisKind = (typeof BASIS_KINDS)[number]

export const ACTIONS: readonly AuditAction[] = Object.keys(ACTION_NUMBERS) as AuditAction[]
const ACTION_NAMES: ReadonlyMap<unknown, AuditAction> = new Map(
  ACTIONS.map((name) => [ACTION_NUMBERS[name], name]),
)

/** One entry. `null` where a field says nothing. */
export interface AuditEntry {
  readonly realm: string
  /** Names the queue that the entry came through: 16 random bytes, new with every chain. */
  readonly writer: Uint8Array
  /** 0, 1, 2 … of this writer. */
  readonly sequence: number
  /** Leaf hash of this writer's entry before; 32 zero bytes in its first. */
  readonly previous: Uint8Array
  /** Milliseconds since 1970. */
  readonly timeMs: number
  /** Who asked, a pseudonym of 1 to 64 bytes. */
  readonly actor: string | null
  readonly action: AuditAction
  /** 16 bytes that stand for a subject; not the external identifier. */
  readonly handle: Uint8Array | null
  /** 16 bytes. */
  readonly record: Uint8Array | null
  /** 20 bytes. */
  readonly generation: Uint8Array | null
  readonly outcome: AuditOutcome
  /** Of a wrap key. */
  readonly epoch: number | null
  /** Of the policy that decided, 1 to 64 bytes. */
  readonly policy: string | null
  readonly basis: AuditBasisKind | null
  /** First 16 bytes of the tag of the state row that this left behind; zeros when it was deleted. */
  readonly state: Uint8Array | null
  /** The same of the subject's attempts row. */
  readonly attempts: Uint8Array | null
  /** The same of the keyring's row. */
  readonly ring: Uint8Array | null
}

export const MAX_ENTRY_BYTES = 1024
const FORMAT = 1
const KIND = 12
const ARITY = 19
/** Of an authenticated row, its last 32 bytes are the tag; an entry names the first 16 of them. */
export const ROW_TAG_BYTES = 16
const TEXT_BYTES = 64
const MAX_MILLIS = 8_640_000_000_000_000
const MAX_UINT = Number.MAX_SAFE_INTEGER

/** The bytes of an entry. Throws `ERR_AUDIT_INPUT`. */
export function encodeEntry(entry: AuditEntry): Uint8Array {
  checkObject(entry, 'entry', rejectInput)
  return encodeCbor([
    FORMAT,
    KIND,
    checkRealm(entry.realm, rejectInput),
    checkBytes(entry.writer, 'writer', 16, rejectInput),
    checkInteger(entry.sequence, 'sequence', [0, MAX_UINT], rejectInput),
    checkBytes(entry.previous, 'previous', HASH_BYTES, rejectInput),
    checkInteger(entry.timeMs, 'timeMs', [0, MAX_MILLIS], rejectInput),
    checkShort(entry.actor, 'actor'),
    ACTION_NUMBERS[checkOneOf(entry.action, 'action', ACTIONS, rejectInput)],
    checkName(entry.handle, 'handle', 16),
    checkName(entry.record, 'record', 16),
    checkName(entry.generation, 'generation', 20),
    OUTCOMES.indexOf(checkOneOf(entry.outcome, 'outcome', OUTCOMES, rejectInput)),
    entry.epoch === null ? null : checkInteger(entry.epoch, 'epoch', [0, MAX_UINT], rejectInput),
    checkShort(entry.policy, 'policy'),
    entry.basis === null
      ? null
      : BASIS_KINDS.indexOf(checkOneOf(entry.basis, 'basis', BASIS_KINDS, rejectInput)),
    checkName(entry.state, 'state', ROW_TAG_BYTES),
    checkName(entry.attempts, 'attempts', ROW_TAG_BYTES),
    checkName(entry.ring, 'ring', ROW_TAG_BYTES),
  ])
}

/** Reads an entry. Whatever `encodeEntry` would not have written is refused with `ERR_AUDIT_FORMAT`. */
export function decodeEntry(bytes: Uint8Array): AuditEntry {
  checkBytes(bytes, 'entry', [0, MAX_UINT], rejectInput)
  const items = asArray(decodeCbor(bytes, MAX_ENTRY_BYTES, malformed), ARITY, malformed)
  const [format, kind, realm, writer, sequence, previous, time, actor, action, ...rest] = items
  const [handle, record, generation, outcome, epoch, policy, basis, state, attempts, ring] = rest
  if (format !== FORMAT || kind !== KIND) throw malformed('the format or kind of an entry is unknown')
  return {
    realm: checkRealm(realm, malformed),
    writer: asBytes(writer, 16, malformed),
    sequence: asUint(sequence, MAX_UINT, malformed),
    previous: asBytes(previous, HASH_BYTES, malformed),
    timeMs: asUint(time, MAX_MILLIS, malformed),
    actor: shortText(actor),
    action: knownAction(action),
    handle: optional(handle, (value) => asBytes(value, 16, malformed)),
    record: optional(record, (value) => asBytes(value, 16, malformed)),
    generation: optional(generation, (value) => asBytes(value, 20, malformed)),
    outcome: oneOf(outcome, OUTCOMES),
    epoch: optional(epoch, (value) => asUint(value, MAX_UINT, malformed)),
    policy: shortText(policy),
    basis: optional(basis, (value) => oneOf(value, BASIS_KINDS)),
    state: optional(state, rowTag),
    attempts: optional(attempts, rowTag),
    ring: optional(ring, rowTag),
  }
}

function checkName(value: Uint8Array | null, name: string, length: number): Uint8Array | null {
  return value === null ? null : checkBytes(value, name, length, rejectInput)
}

function checkShort(value: string | null, name: string): string | null {
  return value === null ? null : checkText(value, name, { maxBytes: TEXT_BYTES }, rejectInput)
}

function optional<Value>(
  value: CborValue | undefined,
  read: (value: CborValue | undefined) => Value,
): Value | null {
  return value === null ? null : read(value)
}

function rowTag(value: CborValue | undefined): Uint8Array {
  return asBytes(value, ROW_TAG_BYTES, malformed)
}

function shortText(value: CborValue | undefined): string | null {
  if (value === '') throw malformed('an empty text in an entry')
  return optional(value, (text) => asText(text, TEXT_BYTES, malformed))
}

function knownAction(value: CborValue | undefined): AuditAction {
  const name = ACTION_NAMES.get(value)
  if (name === undefined) throw malformed('an action that is not known')
  return name
}

function oneOf<const Word extends string>(value: CborValue | undefined, words: readonly Word[]): Word {
  return words[asUint(value, words.length - 1, malformed)] as Word
}
