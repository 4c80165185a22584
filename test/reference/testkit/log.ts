/** The log that the files of chapter 14 are about: the entries of audit.json, and what can be made of them. @module */
import { checkpointText, leafHash, mth, signNote, verifierKey } from '../audit.ts'
import { unhex } from '../bytes.ts'
import { decode, encode, type Value } from '../cbor.ts'
import { ed25519PublicKey } from '../hashes.ts'
import { bytesFor } from '../inputs.ts'
import { auditVectors } from '../vectors/audit.ts'

export const ORIGIN = 'clinic.example/guise'
export const SEED: Uint8Array = bytesFor('log signer', 32)
export const OTHER_SEED: Uint8Array = bytesFor('another log signer', 32)
export const KEY: string = verifierKey(ORIGIN, 1, ed25519PublicKey(SEED))

export const entries: readonly Uint8Array[] = auditVectors()
  .positive.filter(({ kind }) => kind === 'entry')
  .map(({ entry }) => unhex(entry as string))

/** Places within an entry, SPEC §14.2. */
export const AT = {
  format: 0,
  kind: 1,
  realm: 2,
  writer: 3,
  sequence: 4,
  previous: 5,
  time: 6,
  actor: 7,
  action: 8,
  handle: 9,
  record: 10,
  generation: 11,
  outcome: 12,
  epoch: 13,
  policy: 14,
  basis: 15,
} as const

export function valuesOf(entry: Uint8Array): readonly Value[] {
  return decode(entry, 1024) as readonly Value[]
}

/** The entry with one of its values changed. */
export function withValue(entry: Uint8Array, at: number, value: Value): Uint8Array {
  return encode(valuesOf(entry).with(at, value))
}

export function entryAt(index: number): Uint8Array {
  return entries[index] as Uint8Array
}

/** What the writer of the last entry might have logged next. */
export function nextEntry(): Uint8Array {
  const last = entryAt(entries.length - 1)
  const sequence = Number(valuesOf(last)[AT.sequence]) + 1
  return withValue(withValue(last, AT.sequence, sequence), AT.previous, leafHash(last))
}

/** A checkpoint over entries, signed. */
export function noteOver(list: readonly Uint8Array[], seed: Uint8Array = SEED): string {
  return signNote(checkpointText(ORIGIN, list.length, mth(list)), ORIGIN, seed)
}
