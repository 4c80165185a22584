/** What a part of a gallery is asked and answers, step by step (SPEC §16.9). @module */
import { concat, equal, Refused, u32be } from './bytes.ts'
import { decode, encode, type Value } from './cbor.ts'
import type { Gallery } from './gallery.ts'
import { sha256 } from './hashes.ts'
import { open, type Sealed, seal } from './seal.ts'

/** Part `i` of `k`, and the version of its key. */
export interface Part {
  readonly i: number
  readonly k: number
  readonly v: number
}

export interface Hit {
  readonly number: number
  readonly slot: number
  readonly handle: Uint8Array
  readonly S: number
  readonly Q: number
}

export interface Answer {
  readonly members: number
  readonly unreadable: number
  readonly shards: number
  readonly hits: readonly Hit[]
}

function opening(kind: number, { realm, purpose, model, meanHash, d, g }: Gallery): readonly Value[] {
  return [1, kind, realm, 'identify', purpose, model, meanHash, d, g, 'B6']
}

export function questionHeader(gallery: Gallery, { i, k, v }: Part): Uint8Array {
  return encode([...opening(21, gallery), i, k, v])
}

export function answerHeader(gallery: Gallery, { i, k, v }: Part, question: Uint8Array): Uint8Array {
  return encode([...opening(22, gallery), i, k, sha256(question), v])
}

export function questionBody(scanThreshold: number, z: readonly number[]): Uint8Array {
  return concat(u32be(scanThreshold), ...z.map((value) => u32be(value < 0 ? value + 2 ** 32 : value)))
}

export function answerBody({ members, unreadable, shards, hits }: Answer): Uint8Array {
  const numbers = [members, unreadable, shards, hits.length].map(u32be)
  const written = hits.map(({ number, slot, handle, S, Q }) =>
    concat(u32be(number), u32be(slot), handle, u32be(S), u32be(Q)),
  )
  return concat(...numbers, ...written, new Uint8Array(32 * (64 - hits.length)))
}

function message(header: Uint8Array, { nonce, commitment, ciphertext }: Sealed): Uint8Array {
  return encode([header, nonce, commitment, ciphertext])
}

export function question(
  key: Uint8Array,
  header: Uint8Array,
  body: Uint8Array,
  nonce: Uint8Array,
): Uint8Array {
  return message(header, seal(key, 'guise/v1/gallery-question', header, body, nonce))
}

export function answer(key: Uint8Array, header: Uint8Array, body: Uint8Array, nonce: Uint8Array): Uint8Array {
  return message(header, seal(key, 'guise/v1/gallery-answer', header, body, nonce))
}

/** The body of a message whose header must be `expected`. */
export function openMessage(
  key: Uint8Array,
  label: string,
  bytes: Uint8Array,
  expected: Uint8Array,
): Uint8Array {
  const [header, nonce, commitment, ciphertext] = decode(bytes, 65_536) as readonly Uint8Array[]
  if (header === undefined || !equal(header, expected)) throw new Refused('ERR_GALLERY_PART', 'header')
  return open(key, label, header, { nonce, commitment, ciphertext } as Sealed)
}

/** Numbers of the shards that part i of k keeps. */
export function shardsOf({ i, k }: Pick<Part, 'i' | 'k'>, count: number): readonly number[] {
  return Array.from({ length: count }, (_, at) => at + 1).filter((number) => number % k === i)
}

/** The best 64 of what all parts found. */
export function merge(answers: readonly Answer[]): readonly Hit[] {
  const rank = ({ S, Q }: Hit): number => S / Math.sqrt(Q)
  return answers
    .flatMap(({ hits }) => hits)
    .sort((a, b) => rank(b) - rank(a) || a.number - b.number || a.slot - b.slot)
    .slice(0, 64)
}
