/** The seal of what parts of a gallery are asked and answer (SPEC §16.9). @module */

import { equalBytes } from '../base/bytes.ts'
import { asArray, asBytes, asUint, type CborValue, decodeCbor, encodeCbor } from '../base/cbor.ts'
import { committingOpen, committingSeal } from '../crypto/committing.ts'
import { FORMAT, MAX_ROW_BYTES, MAX_U32 } from '../record/row.ts'
import { type GalleryProfile, sameProfile } from './declaration.ts'
import { partFailure } from './errors.ts'
import type { PartPlace } from './part-place.ts'
import { GALLERY_KIND, profileFromCbor, profileToCbor, USE } from './rows.ts'

/** What is said to whom. */
export interface PartMessage {
  readonly kind: 'question' | 'answer'
  readonly profile: GalleryProfile
  readonly place: PartPlace
  /** Of an answer: SHA-256 of the question. */
  readonly question?: Uint8Array
}

/** Gives the key for a version of the realm keys, borrowed; `undefined` when there is none. */
export type PartKey = (version: number) => Uint8Array | undefined

export const MOST_HITS = 64
/** Of one hit in an answer. */
export const HIT_BYTES = 32
export const NUMBERS_BYTES = 16

const LABELS = { question: 'guise/v1/gallery-question', answer: 'guise/v1/gallery-answer' } as const
const HASH_BYTES = 32
const PLACE_AT = 10

/** The message; `body` and `key` are borrowed. */
export function sealPart(
  message: PartMessage,
  version: number,
  key: Uint8Array,
  body: Uint8Array,
): Uint8Array {
  const header = encodeCbor([...opening(message), version])
  const { nonce, commitment, ciphertext } = committingSeal(key, LABELS[message.kind], header, body)
  return encodeCbor([header, nonce, commitment, ciphertext])
}

/** What was sealed, off the heap, and the version of the key. Throws `ERR_GALLERY_PART` for whatever is not `expected`. */
export function openPart(
  bytes: Uint8Array,
  expected: PartMessage,
  keyFor: PartKey,
): { readonly body: Uint8Array; readonly version: number } {
  const [first, nonce, commitment, ciphertext] = asArray(decodeCbor(bytes, MAX_ROW_BYTES, broken), 4, broken)
  const header = asBytes(first, [1, MAX_ROW_BYTES], broken)
  const version = readHeader(header, expected)
  const key = keyFor(version)
  const sealed = {
    nonce: asBytes(nonce, 24, broken),
    commitment: asBytes(commitment, 32, broken),
    ciphertext: asBytes(ciphertext, [0, MAX_ROW_BYTES], broken),
  }
  const body = key && committingOpen(key, LABELS[expected.kind], header, sealed)
  if (body === undefined) throw partFailure('it does not open')
  return { body, version }
}

function opening({ kind, profile, place, question }: PartMessage): readonly CborValue[] {
  const begin = [FORMAT, GALLERY_KIND[kind], profile.realm, USE, ...profileToCbor(profile)]
  return [...begin, place.index, place.of, ...(question === undefined ? [] : [question])]
}

/** The version of the key, once everything before it is what was expected. */
function readHeader(header: Uint8Array, { kind, profile, place, question }: PartMessage): number {
  const arity = PLACE_AT + (question === undefined ? 3 : 4)
  const items = asArray(decodeCbor(header, MAX_ROW_BYTES, broken), arity, broken)
  if (
    items[0] !== FORMAT ||
    items[1] !== GALLERY_KIND[kind] ||
    items[2] !== profile.realm ||
    items[3] !== USE
  ) {
    throw partFailure('it is of another realm or kind')
  }
  if (!sameProfile(readProfile(profile, items), profile)) throw partFailure('it is of another gallery')
  if (items[PLACE_AT] !== place.index || items[PLACE_AT + 1] !== place.of) {
    throw partFailure('it is of another part, or of another number of parts')
  }
  if (question !== undefined && !equalBytes(asBytes(items[PLACE_AT + 2], HASH_BYTES, broken), question)) {
    throw partFailure('it answers another question')
  }
  return asUint(items[arity - 1], MAX_U32, broken)
}

function readProfile({ realm }: GalleryProfile, items: readonly CborValue[]): GalleryProfile {
  try {
    return profileFromCbor(realm, items.slice(4, PLACE_AT))
  } catch (cause) {
    throw partFailure('it is malformed', cause)
  }
}

function broken(why: string): Error {
  return partFailure(`it is malformed: ${why}`)
}
