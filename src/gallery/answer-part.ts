/** What a part does: opens questions, seals answers (SPEC §16.9). @module */

import { secretBytes, wipe } from '../base/bytes.ts'
import { sha256 } from '../crypto/hash.ts'
import type { PartAnswer, PartQuestion } from './ask-part.ts'
import type { GalleryProfile } from './declaration.ts'
import { partFailure } from './errors.ts'
import { HIT_BYTES, MOST_HITS, NUMBERS_BYTES, openPart, type PartKey, sealPart } from './part.ts'
import type { PartPlace } from './part-place.ts'

/** A question that was opened; the caller wipes `integers`. */
export interface OpenedQuestion extends PartQuestion {
  /** SHA-256 of the question. */
  readonly hash: Uint8Array
  readonly version: number
}

const MOST_THRESHOLD = 10_000

/** What is asked. Throws `ERR_GALLERY_PART`. */
export function openQuestion(
  bytes: Uint8Array,
  of: { readonly profile: GalleryProfile; readonly place: PartPlace },
  keyFor: PartKey,
): OpenedQuestion {
  const { body, version } = openPart(bytes, { kind: 'question', ...of }, keyFor)
  try {
    const count = (body.length - 4) / 4
    if (count !== 0 && count !== of.profile.dimensions)
      throw partFailure('it asks for another number of integers')
    const view = new DataView(body.buffer, body.byteOffset, body.length)
    const threshold = view.getUint32(0)
    if (threshold < 1 || threshold > MOST_THRESHOLD) throw partFailure('it asks for a threshold that is none')
    const integers = new Int32Array(new ArrayBuffer(4 * count))
    for (let i = 0; i < count; i++) integers[i] = view.getInt32(4 + 4 * i)
    return { integers, threshold, hash: sha256(bytes), version }
  } finally {
    wipe(body)
  }
}

/** The answer: always of one length. */
export function sealAnswer(
  question: Pick<OpenedQuestion, 'hash' | 'version'>,
  of: { readonly profile: GalleryProfile; readonly place: PartPlace },
  answer: PartAnswer,
  key: Uint8Array,
): Uint8Array {
  const body = secretBytes(NUMBERS_BYTES + MOST_HITS * HIT_BYTES)
  try {
    const view = new DataView(body.buffer)
    const { members, unreadable, shards, hits } = answer
    for (const [i, number] of [members, unreadable, shards, hits.length].entries())
      view.setUint32(4 * i, number)
    for (const [i, hit] of hits.entries()) {
      const at = NUMBERS_BYTES + HIT_BYTES * i
      view.setUint32(at, hit.number)
      view.setUint32(at + 4, hit.slot)
      body.set(hit.handle, at + 8)
      view.setUint32(at + 24, hit.sum)
      view.setUint32(at + 28, hit.energy)
    }
    return sealPart({ kind: 'answer', ...of, question: question.hash }, question.version, key, body)
  } finally {
    wipe(body)
  }
}
