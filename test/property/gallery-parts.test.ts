/** A gallery in parts finds what the undivided one finds, bit for bit, whatever the shards, holes and ties (SPEC §16.9). @module */
import { assert, asyncProperty, integer, nat, property } from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import type { Realm } from '../../src/base/brand.ts'
import { toHex, u32be } from '../../src/base/bytes.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { openQuestion, sealAnswer } from '../../src/gallery/answer-part.ts'
import { mergeHits, openAnswer, questionHash, sealQuestion } from '../../src/gallery/ask-part.ts'
import type { GalleryProfile } from '../../src/gallery/declaration.ts'
import { isOwn, numberOf, ownShards, type PartPlace, positionOf } from '../../src/gallery/part-place.ts'
import { type Hit, scanTable } from '../../src/gallery/scan.ts'
import { GalleryTable } from '../../src/gallery/table.ts'
import { merge, shardsOf } from '../reference/gallery-part.ts'
import { numbers } from '../support/vault.ts'

beforeAll(cryptoReady)

const D = 128
const BITS = 64
const CAPACITY = 16
const KEY = new Uint8Array(32).fill(5)
const PROFILE: GalleryProfile = {
  realm: 'clinic' as Realm,
  purpose: 'one-record',
  model: 'test@1',
  meanHash: new Uint8Array(32),
  dimensions: D,
  bits: BITS,
}

/** What lies in a slot: a code drawn from few, so that there are ties, or a hole. */
interface Gallery {
  readonly keys: readonly Uint8Array[]
  readonly slots: readonly (readonly (number | null)[])[]
  readonly codes: readonly Uint8Array[]
}

function galleryOf(seed: number, shards: number): Gallery {
  const random = numbers(seed)
  const draw = (length: number): Uint8Array => Uint8Array.from({ length }, () => Math.floor(256 * random()))
  // Some shards share a key: then codes in them tie.
  const few = Array.from({ length: 4 }, () => draw(32))
  return {
    keys: Array.from({ length: shards }, () => few[Math.floor(4 * random())] as Uint8Array),
    slots: Array.from({ length: shards }, () =>
      Array.from({ length: 1 + Math.floor(CAPACITY * random()) }, () =>
        random() < 0.2 ? null : Math.floor(8 * random()),
      ),
    ),
    codes: Array.from({ length: 8 }, () => draw(BITS / 8)),
  }
}

/** The shards of a part; handles tell shard and slot. */
function tableOf({ keys, slots, codes }: Gallery, place: PartPlace): GalleryTable {
  const table = new GalleryTable(CAPACITY, BITS, { blockShards: 4 })
  for (const [i, key] of keys.entries()) {
    if (!isOwn(place, i + 1)) continue
    table.addShard(key)
    for (const [slot, code] of (slots[i] ?? []).entries()) {
      const handle = new Uint8Array(16).fill(1)
      handle.set([...u32be(i + 1), ...u32be(slot)])
      const made = code === null ? undefined : codes[code]
      table.addSlot(table.shards, made === undefined ? undefined : { handle, code: made })
    }
  }
  return table
}

const shown = ({ number, slot, handle, sum, energy, rank }: Hit): string =>
  [number, slot, toHex(handle), sum, energy, rank].join(' ')

test('GALLERY-21 merged answers of any number of parts are the undivided scan, bit for bit', async () => {
  let most = 0
  await assert(
    asyncProperty(
      nat(1e9),
      integer({ min: 0, max: 40 }),
      integer({ min: 1, max: 9 }),
      integer({ min: 1, max: 6000 }),
      async (seed, shards, of, threshold) => {
        const gallery = galleryOf(seed, shards)
        const random = numbers(seed + 1)
        const integers = Int32Array.from({ length: D }, () => Math.round((random() - 0.5) * 300_000))
        const whole = await scanTable(tableOf(gallery, { index: 0, of: 1 }), {
          integers,
          bits: BITS,
          threshold,
        })
        const answers = await Promise.all(
          Array.from({ length: of }, async (_, index) => {
            const place = { index, of }
            const to = { profile: PROFILE, place }
            const question = sealQuestion(to, { integers, threshold }, 1, KEY)
            const asked = openQuestion(question, to, () => KEY)
            expect(asked.integers).toEqual(integers)
            const table = tableOf(gallery, place)
            const found = await scanTable(table, { integers: asked.integers, bits: BITS, threshold })
            const hits = found.map((hit) => ({ ...hit, number: numberOf(place, hit.number) }))
            const told = { members: table.members, unreadable: 0, shards: table.shards, hits }
            const answer = sealAnswer(asked, to, told, KEY)
            return openAnswer(answer, { ...to, question: questionHash(question), threshold }, () => KEY)
          }),
        )
        const merged = mergeHits(answers)
        expect(merged.map(shown)).toEqual(whole.map(shown))
        const plain = merge(
          answers.map(({ hits, ...told }) => ({
            ...told,
            hits: hits.map(({ number, slot, handle, sum, energy }) => ({
              number,
              slot,
              handle,
              S: sum,
              Q: energy,
            })),
          })),
        )
        expect(plain.map(({ number, slot }) => [number, slot])).toEqual(
          whole.map(({ number, slot }) => [number, slot]),
        )
        most = Math.max(most, whole.length)
      },
    ),
    { numRuns: 150 },
  )
  expect(most).toBe(64)
}, 120_000)

test('every shard belongs to one part, where it has one position', () => {
  assert(
    property(integer({ min: 1, max: 64 }), nat(500), (of, count) => {
      const places = Array.from({ length: of }, (_, index) => ({ index, of }))
      const numbersOf = places.map((place) =>
        Array.from({ length: ownShards(place, count) }, (_, i) => numberOf(place, i + 1)),
      )
      expect(numbersOf).toEqual(places.map(({ index }) => shardsOf({ i: index, k: of }, count)))
      expect(numbersOf.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i + 1))
      for (const [index, own] of numbersOf.entries()) {
        const place = { index, of }
        expect(own.every((number, i) => isOwn(place, number) && positionOf(place, number) === i + 1)).toBe(
          true,
        )
      }
    }),
  )
})
