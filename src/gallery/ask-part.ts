/** What a coordinator does: seals questions, opens answers, merges what was found (SPEC §16.9). @module */

import { readU32be, secretBytes, wipe } from '../base/bytes.ts'
import { accepts } from '../compare/decide.ts'
import { sha256 } from '../crypto/hash.ts'
import { shardCapacity } from './declaration.ts'
import { partFailure } from './errors.ts'
import {
  HIT_BYTES,
  MOST_HITS,
  NUMBERS_BYTES,
  openPart,
  type PartKey,
  type PartMessage,
  sealPart,
} from './part.ts'
import { isOwn } from './part-place.ts'
import { type Hit, rankOf } from './scan.ts'

/** What a part is asked. Without integers only how much it has. */
export interface PartQuestion {
  /** Borrowed. */
  readonly integers: Int32Array
  /** Ten-thousandths. */
  readonly threshold: number
}

/** What a part answered. */
export interface PartAnswer {
  readonly members: number
  readonly unreadable: number
  readonly shards: number
  readonly hits: readonly Hit[]
}

/** Of codes and probes with so many bits: the largest S and Q there are. */
const MOST_SUM = 7
const MOST_ENERGY = 49

/** The question to one part. */
export function sealQuestion(
  to: Pick<PartMessage, 'profile' | 'place'>,
  { integers, threshold }: PartQuestion,
  version: number,
  key: Uint8Array,
): Uint8Array {
  const body = secretBytes(4 + 4 * integers.length)
  try {
    const view = new DataView(body.buffer)
    view.setUint32(0, threshold)
    for (const [i, value] of integers.entries()) view.setInt32(4 + 4 * i, value)
    return sealPart({ ...to, kind: 'question' }, version, key, body)
  } finally {
    wipe(body)
  }
}

/** What the answer's header names the question by. */
export function questionHash(question: Uint8Array): Uint8Array {
  return sha256(question)
}

/** What a part answered. Throws `ERR_GALLERY_PART`. */
export function openAnswer(
  bytes: Uint8Array,
  from: Pick<PartMessage, 'profile' | 'place'> & {
    readonly question: Uint8Array
    readonly threshold: number
  },
  keyFor: PartKey,
): PartAnswer {
  const { profile, place, question } = from
  const { body } = openPart(bytes, { kind: 'answer', profile, place, question }, keyFor)
  if (body.length !== NUMBERS_BYTES + MOST_HITS * HIT_BYTES) throw impossible()
  const [members, unreadable, shards, count] = [0, 4, 8, 12].map((at) => readU32be(body, at)) as [
    number,
    number,
    number,
    number,
  ]
  const end = NUMBERS_BYTES + HIT_BYTES * count
  if (count > MOST_HITS || body.subarray(end).some((byte) => byte !== 0)) throw impossible()
  const hits = Array.from({ length: count }, (_, i) => readHit(body, NUMBERS_BYTES + HIT_BYTES * i))
  const { bits } = profile
  for (const { number, slot, sum, energy } of hits) {
    const placed = number > 0 && isOwn(place, number) && slot < shardCapacity(profile.dimensions, bits)
    const scored = energy > 0 && energy <= MOST_ENERGY * bits && sum <= MOST_SUM * bits
    if (!placed || !scored || !accepts(sum, energy, bits, from.threshold)) throw impossible()
  }
  return { members, unreadable, shards, hits }
}

/** The best of all answers, as one scan of the undivided gallery would give them. */
export function mergeHits(answers: readonly PartAnswer[]): readonly Hit[] {
  const all = answers.flatMap(({ hits }) => hits)
  all.sort((a, b) => b.rank - a.rank || a.number - b.number || a.slot - b.slot)
  return all.slice(0, MOST_HITS)
}

function readHit(body: Uint8Array, at: number): Hit {
  const sum = readU32be(body, at + 24)
  const energy = readU32be(body, at + 28)
  return {
    number: readU32be(body, at),
    slot: readU32be(body, at + 4),
    handle: body.slice(at + 8, at + 24),
    sum,
    energy,
    rank: rankOf(sum, energy),
  }
}

function impossible(): Error {
  return partFailure('it holds what no gallery gives')
}
