/** Vectors of what a part of a gallery is asked and answers (SPEC §16.9). @module */
import { concat, hex, unhex } from '../bytes.ts'
import { integers, unit } from '../embedding.ts'
import type { Gallery } from '../gallery.ts'
import * as part from '../gallery-part.ts'
import { bytesFor, vectorFromSeed } from '../inputs.ts'
import type { Json } from './file.ts'
import * as person from './person.ts'

const SEED = 71
const PLACE: part.Part = { i: 1, k: 3, v: 1 }
const ANSWER: part.Answer = {
  members: 21_000,
  unreadable: 2,
  shards: 1400,
  hits: [
    { number: 4, slot: 7, handle: bytesFor('hit 1', 16), S: 210, Q: 1100 },
    { number: 7, slot: 0, handle: bytesFor('hit 2', 16), S: 190, Q: 1100 },
    { number: 3001, slot: 15, handle: bytesFor('hit 3', 16), S: 190, Q: 1100 },
  ],
}
const THRESHOLD = 4000

/** A question with a probe, one for the numbers alone, and the answer to the first. */
export function partVectors(gallery: Gallery): Record<string, Json>[] {
  const x = vectorFromSeed(SEED, gallery.d)
  const z = integers(unit(x, gallery.d).u)
  const asked = question(gallery, 'a question', z)
  return [asked, question(gallery, 'a question for the numbers alone', []), answer(gallery, asked)]
}

function common(gallery: Gallery): Record<string, Json> {
  const { realm, purpose, model, d, g } = gallery
  const key = hex(person.keys.part)
  return { realm, purpose, model, meanHash: hex(gallery.meanHash), d, g, ...PLACE, key }
}

function question(gallery: Gallery, name: string, z: readonly number[]): Record<string, Json> {
  const header = part.questionHeader(gallery, PLACE)
  const body = part.questionBody(THRESHOLD, z)
  const row = part.question(person.keys.part, header, body, bytesFor(`nonce of ${name}`, 24))
  return {
    name,
    kind: 'question',
    ...common(gallery),
    scanThreshold: THRESHOLD,
    seed: z.length === 0 ? null : SEED,
    header: hex(header),
    body: hex(body),
    row: hex(row),
  }
}

function answer(gallery: Gallery, asked: Record<string, Json>): Record<string, Json> {
  const question = unhex(asked['row'] as string)
  const header = part.answerHeader(gallery, PLACE, question)
  const body = part.answerBody(ANSWER)
  const { members, unreadable, shards, hits } = ANSWER
  return {
    name: 'an answer',
    kind: 'answer',
    ...common(gallery),
    scanThreshold: THRESHOLD,
    question: hex(question),
    members,
    unreadable,
    shards,
    hits: hits.map(({ handle, ...hit }) => ({ ...hit, handle: hex(handle) })),
    header: hex(header),
    body: hex(body),
    row: hex(part.answer(person.keys.part, header, body, bytesFor('nonce of an answer', 24))),
  }
}

/** Answers that are sealed as they should be and hold what no part may give. */
export function impossibleAnswers(gallery: Gallery, asked: Record<string, Json>): Record<string, Json>[] {
  const header = part.answerHeader(gallery, PLACE, unhex(asked['row'] as string))
  const [first] = ANSWER.hits as readonly [part.Hit]
  const body = part.answerBody(ANSWER)
  const with1 = (change: Partial<part.Hit>): Uint8Array =>
    part.answerBody({ ...ANSWER, hits: [{ ...first, ...change }] })
  const cases: readonly (readonly [string, Uint8Array])[] = [
    ['a shard of another part', with1({ number: 5 })],
    ['shard 0', with1({ number: 0 })],
    ['a slot that no shard has', with1({ slot: 16 })],
    ['an S that no code gives', with1({ S: 449 })],
    ['a Q that no probe gives', with1({ Q: 3137 })],
    ['a Q of zero', with1({ Q: 0 })],
    ['a hit below the threshold', with1({ S: 100 })],
    ['65 hits', concat(body.slice(0, 12), Uint8Array.of(0, 0, 0, 65), body.slice(16))],
    ['something after the last hit', concat(body.slice(0, -1), Uint8Array.of(1))],
    ['a byte less in the body', body.slice(0, -1)],
  ]
  return cases.map(([fault, changed]) => ({
    name: `answer, ${fault}`,
    kind: 'answer',
    code: 'ERR_GALLERY_PART',
    zeros: 0,
    row: hex(part.answer(person.keys.part, header, changed, bytesFor('nonce of an answer', 24))),
  }))
}
