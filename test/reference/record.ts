/** Rows and their keys, byte for byte (SPEC §4.4, §4.5, §9). @module */
import { ascii, concat, equal, lp, Refused, u8, u32be } from './bytes.ts'
import { encode, type Value } from './cbor.ts'
import { mac } from './hashes.ts'
import type { Sealed } from './seal.ts'
import {
  decodeShape,
  type Fields,
  type Shape,
  sealedRow,
  secretHeader,
  secretHeaderOfQuorum,
} from './shapes.ts'

/** `P = u8(length of realm) ‖ realm`. */
export function prefix(realm: string): Uint8Array {
  return concat(u8(realm.length), ascii(realm))
}

const FFFF: Uint8Array = new Uint8Array(16).fill(0xff)

export function referenceKey(realm: string, record: Uint8Array): Uint8Array {
  return concat(prefix(realm), record)
}

export function secretKey(realm: string, record: Uint8Array, generation: Uint8Array): Uint8Array {
  return concat(prefix(realm), record, generation)
}

export function stateKey(realm: string, handle: Uint8Array): Uint8Array {
  return concat(prefix(realm), handle)
}

export function attemptsKey(realm: string, handle: Uint8Array, scope: number): Uint8Array {
  return concat(prefix(realm), handle, u8(scope))
}

export function realmAttemptsKey(realm: string, writer: Uint8Array): Uint8Array {
  return concat(prefix(realm), FFFF, writer)
}

export function endingKey(realm: string, record: Uint8Array, generation: Uint8Array): Uint8Array {
  return concat(prefix(realm), new Uint8Array(32).fill(0xff), record, generation)
}

export function unfinishedKey(realm: string, record: Uint8Array, generation: Uint8Array): Uint8Array {
  return concat(prefix(realm), FFFF, record, generation)
}

/** §9.8. */
export function modelKey(realm: string): Uint8Array {
  return concat(prefix(realm), FFFF)
}

/** Where the receipt of an erasure lies for a repeated call. */
export function receiptKey(realm: string, digest: Uint8Array): Uint8Array {
  return concat(prefix(realm), FFFF, digest)
}

export function indexKey(realm: string, v: number, tag: Uint8Array): Uint8Array {
  return concat(prefix(realm), u32be(v), tag)
}

/** A generation: its counter, then 16 random bytes. */
export function generationOf(counter: number, random: Uint8Array): Uint8Array {
  if (random.length !== 16) throw new RangeError('generation')
  return concat(u32be(counter), random)
}

/** `cbor([header, nonce, commitment, ciphertext])`, for references and secrets. */
export function encodeSealedRow(header: Uint8Array, sealed: Sealed): Uint8Array {
  return encode([header, sealed.nonce, sealed.commitment, sealed.ciphertext])
}

export interface SealedRow extends Sealed {
  readonly header: Uint8Array
  readonly fields: Fields
}

export function decodeSealedRow(shape: Shape, row: Uint8Array): SealedRow {
  const outer = decodeShape(sealedRow, row)
  const header = outer['header'] as Uint8Array
  return {
    header,
    nonce: outer['nonce'] as Uint8Array,
    commitment: outer['commitment'] as Uint8Array,
    ciphertext: outer['ciphertext'] as Uint8Array,
    fields: decodeShape(shape, header),
  }
}

/** §9.2: a quorum's epoch where the profile is 1 or 3, and nowhere else. */
export function decodeSecretRow(row: Uint8Array): SealedRow {
  const [first] = decodeShape(sealedRow, row)['header'] as Uint8Array
  const found = decodeSealedRow(first === 0x8a ? secretHeaderOfQuorum : secretHeader, row)
  if (((found.fields['profile'] as number) % 2 === 1) !== (first === 0x8a))
    throw new Refused('ERR_RECORD_FORMAT', 'epoch of the quorum')
  return found
}

/** The rows that are `body ‖ mac(key, context ‖ body)`; `context` is a label, or 0x02 and the tag in the index. */
export function encodeMacRow(key: Uint8Array, context: Uint8Array, body: Uint8Array): Uint8Array {
  return concat(body, mac(key, concat(context, body)))
}

export function decodeMacRow(
  shape: Shape,
  row: Uint8Array,
  context: Uint8Array,
  keyOf: (v: number) => Uint8Array | undefined,
  versionOf: (fields: Fields) => number = (fields) => fields['v'] as number,
): Fields {
  if (row.length > 65_536) throw new Refused('ERR_RECORD_SIZE', 'above 64 KiB')
  if (row.length < 33) throw new Refused('ERR_RECORD_FORMAT', 'too short for a MAC')
  const body = row.slice(0, row.length - 32)
  const fields = decodeShape(shape, body)
  checkReferences(fields)
  const key = keyOf(versionOf(fields))
  if (key === undefined) throw new Refused('ERR_RECORD_MAC', 'no key of this version')
  if (!equal(mac(key, concat(context, body)), row.slice(row.length - 32)))
    throw new Refused('ERR_RECORD_MAC', 'mac')
  return fields
}

/** §9.3: none of them is the primary one. */
function checkReferences({ record, references = [] }: Fields): void {
  for (const [, further] of references as readonly (readonly Value[])[]) {
    if (equal(further as Uint8Array, record as Uint8Array))
      throw new Refused('ERR_RECORD_FORMAT', 'the primary record')
  }
}

export const STATE_CONTEXT: Uint8Array = lp('guise/v1/state')
export const MODEL_CONTEXT: Uint8Array = lp('guise/v1/model')
export const ATTEMPTS_CONTEXT: Uint8Array = lp('guise/v1/attempts')
export const REALM_ATTEMPTS_CONTEXT: Uint8Array = lp('guise/v1/realm-attempts')
export const ENDING_CONTEXT: Uint8Array = lp('guise/v1/ending')
export const UNFINISHED_CONTEXT: Uint8Array = lp('guise/v1/unfinished')
export const RECEIPT_ROW_CONTEXT: Uint8Array = lp('guise/v1/receipt-row')
export const RING_CONTEXT: Uint8Array = lp('guise/v1/ring')

export function indexContext(tag: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(2), tag)
}

/** RECORD-2: what a row says must be what its key, the state row and the call say. */
export function checkBinding(fields: Fields, expected: Fields): void {
  for (const [name, value] of Object.entries(expected)) {
    const found = fields[name]
    if (found === undefined || !equal(encode(found), encode(value)))
      throw new Refused('ERR_RECORD_BINDING', name)
  }
}
