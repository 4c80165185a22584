/** Where rows lie in the store: keys under the realm's prefix (SPEC §9, §10.2). @module */

import type { Realm } from '../base/brand.ts'
import { joinBytes } from '../base/bytes.ts'
import { realmPrefix } from '../base/identifier.ts'

/** Sixteen bytes that no handle ever is: below them lie rows that belong to no subject. */
const NOBODY: Uint8Array = new Uint8Array(16).fill(0xff)

/** Names one generation of one record. */
export interface RecordName {
  readonly realm: Realm
  /** 16 bytes. */
  readonly handle: Uint8Array
  /** 16 bytes. */
  readonly record: Uint8Array
  /** 20 bytes: counter and 16 random bytes. */
  readonly generation: Uint8Array
}

/** Attempt scope of a subject with all unbound devices together. */
export const SCOPE_UNBOUND = 1

/** Stands in the log for the realm's migration of models, whose row lies where a state row of this handle would. */
export const MODEL_HANDLE: Uint8Array = NOBODY

/** Where the realm's migration of models lies. */
export function modelPlace({ realm }: { readonly realm: Realm }): {
  readonly table: 'states'
  readonly key: Uint8Array
} {
  return { table: 'states', key: stateKey(realm, MODEL_HANDLE) }
}

export function referenceKey(realm: Realm, record: Uint8Array): Uint8Array {
  return joinBytes(realmPrefix(realm), record)
}

export function secretKey(realm: Realm, record: Uint8Array, generation: Uint8Array): Uint8Array {
  return joinBytes(realmPrefix(realm), record, generation)
}

export function stateKey(realm: Realm, handle: Uint8Array): Uint8Array {
  return joinBytes(realmPrefix(realm), handle)
}

export function attemptsKey(realm: Realm, handle: Uint8Array, scope: number): Uint8Array {
  return joinBytes(realmPrefix(realm), handle, Uint8Array.of(scope))
}

export function realmAttemptsKey(realm: Realm, writer: Uint8Array): Uint8Array {
  return joinBytes(realmPrefix(realm), NOBODY, writer)
}

/** Where the realm's per-writer counters begin. */
export function realmAttemptsStart(realm: Realm): Uint8Array {
  return joinBytes(realmPrefix(realm), NOBODY)
}

export function unfinishedKey(realm: Realm, record: Uint8Array, generation: Uint8Array): Uint8Array {
  return joinBytes(realmPrefix(realm), NOBODY, record, generation)
}

/** Where the receipt of an erasure lies for a repeated call; `digest` has 16 bytes, so it is never a note's key. */
export function receiptKey(realm: Realm, digest: Uint8Array): Uint8Array {
  return joinBytes(realmPrefix(realm), NOBODY, digest)
}

/** Where a generation lies that ended, and of which fewer holders than needed know. */
export function endingKey(realm: Realm, record: Uint8Array, generation: Uint8Array): Uint8Array {
  return joinBytes(endingStart(realm), record, generation)
}

/** Where the realm's ended generations begin that the quorum has to be told of; no receipt or note lies there, for names are random. */
export function endingStart(realm: Realm): Uint8Array {
  return joinBytes(realmPrefix(realm), NOBODY, NOBODY)
}

/** Where the realm's unfinished work begins. */
export function unfinishedStart(realm: Realm): Uint8Array {
  return joinBytes(realmPrefix(realm), NOBODY)
}

/** True when a key lies under the realm's prefix, and not among the rows that belong to no subject. */
export function isSubjectKey(realm: Realm, key: Uint8Array): boolean {
  const prefix = realmPrefix(realm)
  return startsWith(key, prefix) && !startsWith(key.subarray(prefix.length), NOBODY)
}

/** True when `key` begins with `prefix`. */
export function startsWith(key: Uint8Array, prefix: Uint8Array): boolean {
  return key.length >= prefix.length && prefix.every((byte, index) => key[index] === byte)
}
