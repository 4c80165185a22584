/** Rows of a gallery, and a search, against the vectors (SPEC §16). @module */
import { beforeAll, describe, expect, test } from 'vitest'
import type { Realm } from '../../src/base/brand.ts'
import { hkdfPrepare } from '../../src/crypto/kdf.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { openQuestion, sealAnswer } from '../../src/gallery/answer-part.ts'
import { openAnswer, questionHash, sealQuestion } from '../../src/gallery/ask-part.ts'
import { decodeBudgetRow, encodeBudgetRow } from '../../src/gallery/budget-row.ts'
import type { GalleryProfile } from '../../src/gallery/declaration.ts'
import { decodeHeadRow, encodeHeadRow } from '../../src/gallery/head-row.ts'
import { decodeMemberRow, openMember } from '../../src/gallery/member-row.ts'
import type { PartPlace } from '../../src/gallery/part-place.ts'
import { budgetKey, galleryHeadKey, memberKey, shardKey } from '../../src/gallery/place.ts'
import { scanTable } from '../../src/gallery/scan.ts'
import {
  decodeShardRow,
  encodeShardRow,
  shardInnerHeader,
  shardOuterHeader,
} from '../../src/gallery/shard-row.ts'
import { openShardKey } from '../../src/gallery/shard-wrap.ts'
import { GalleryTable } from '../../src/gallery/table.ts'
import { encodeReference } from '../../src/template/template.ts'
import { integers, unit } from '../reference/embedding.ts'
import { openMessage } from '../reference/gallery-part.ts'
import { genuineFromSeeds, vectorFromSeed } from '../reference/inputs.ts'
import file from './gallery.json' with { type: 'json' }
import { expectRefused, hex, unhex } from './read.ts'

beforeAll(cryptoReady)

type Vector = Readonly<Record<string, unknown>>
const positive = file.positive as unknown as readonly Vector[]
const negative = file.negative as unknown as readonly Vector[]
const named = (kind: string): Vector => positive.find((vector) => vector['kind'] === kind) as Vector
const bytes = (vector: Vector, field: string): Uint8Array => unhex(String(vector[field]))
const keyFor = (vector: Vector) => (): Uint8Array => bytes(vector, 'macKey')
const integersOf = (x: readonly number[]): Int32Array => Int32Array.from(integers(unit(x, x.length).u))

const readers: Readonly<Record<string, (good: Vector, row: Uint8Array) => unknown>> = {
  head: (good, row) => {
    const head = decodeHeadRow(row, good['realm'] as Realm, keyFor(good))
    return encodeHeadRow(head, bytes(good, 'macKey'))
  },
  shard: (good, row) => {
    const place = { realm: good['realm'] as Realm, number: good['number'] as number }
    return encodeShardRow(decodeShardRow(row, place, keyFor(good)), bytes(good, 'macKey'))
  },
  member: (good, row) => {
    const place = { profile: { realm: good['realm'] as Realm }, handle: bytes(good, 'handle') }
    return openMember(decodeMemberRow(row, place), bytes(good, 'recordSecret'))
  },
  question: (good, row) => asked(good, row),
  answer: (good, row) => answered(good, row),
  budget: (good, row) => {
    const read = decodeBudgetRow(row, good['realm'] as Realm, keyFor(good))
    return encodeBudgetRow(read, bytes(good, 'macKey'))
  },
}

const profileOf = (good: Vector): GalleryProfile => ({
  realm: good['realm'] as Realm,
  purpose: String(good['purpose']),
  model: String(good['model']),
  meanHash: bytes(good, 'meanHash'),
  dimensions: good['d'] as number,
  bits: good['g'] as GalleryProfile['bits'],
})
const placeOf = (good: Vector): PartPlace => ({ index: good['i'] as number, of: good['k'] as number })
const partKey = (good: Vector) => (version: number) =>
  version === good['v'] ? bytes(good, 'key') : undefined
const asked = (good: Vector, row: Uint8Array) =>
  openQuestion(row, { profile: profileOf(good), place: placeOf(good) }, partKey(good))
const answered = (good: Vector, row: Uint8Array) =>
  openAnswer(
    row,
    {
      profile: profileOf(good),
      place: placeOf(good),
      question: questionHash(bytes(good, 'question')),
      threshold: good['scanThreshold'] as number,
    },
    partKey(good),
  )

describe('parts', () => {
  test.each(positive.filter(({ kind }) => kind === 'question').map((good) => [String(good['name']), good]))(
    '%s',
    (_, good) => {
      const { integers: z, threshold, version, hash } = asked(good, bytes(good, 'row'))
      const seed = good['seed'] as number | null
      const d = good['d'] as number
      expect(z).toEqual(seed === null ? new Int32Array(0) : integersOf(vectorFromSeed(seed, d)))
      expect([threshold, version]).toEqual([good['scanThreshold'], good['v']])
      expect(hash).toEqual(questionHash(bytes(good, 'row')))
      // What the library seals the reference opens.
      const to = { profile: profileOf(good), place: placeOf(good) }
      const sealed = sealQuestion(to, { integers: z, threshold }, version, bytes(good, 'key'))
      const opened = openMessage(
        bytes(good, 'key'),
        'guise/v1/gallery-question',
        sealed,
        bytes(good, 'header'),
      )
      expect(hex(opened)).toBe(good['body'])
    },
  )

  test('an answer', () => {
    const good = named('answer')
    const answer = answered(good, bytes(good, 'row'))
    const { members, unreadable, shards, hits } = answer
    expect([members, unreadable, shards]).toEqual([good['members'], good['unreadable'], good['shards']])
    expect(
      hits.map(({ number, slot, handle, sum, energy }) => [number, slot, hex(handle), sum, energy]),
    ).toEqual(
      (good['hits'] as readonly Vector[]).map(({ number, slot, handle, S, Q }) => [
        number,
        slot,
        handle,
        S,
        Q,
      ]),
    )
    const question = { hash: questionHash(bytes(good, 'question')), version: good['v'] as number }
    const of = { profile: profileOf(good), place: placeOf(good) }
    const sealed = sealAnswer(question, of, answer, bytes(good, 'key'))
    const opened = openMessage(bytes(good, 'key'), 'guise/v1/gallery-answer', sealed, bytes(good, 'header'))
    expect(hex(opened)).toBe(good['body'])
    expect(sealed).toHaveLength(bytes(good, 'row').length)
  })
})

describe('rows', () => {
  test('head', () => {
    const good = named('head')
    const head = decodeHeadRow(bytes(good, 'row'), good['realm'] as Realm, keyFor(good))
    expect(head).toMatchObject({ version: 4, basis: 'consent', limit: 5000, count: 3, open: good['open'] })
    expect(head.profile).toMatchObject({ purpose: good['purpose'], dimensions: good['d'], bits: good['g'] })
    expect(readers['head']?.(good, bytes(good, 'row'))).toEqual(bytes(good, 'row'))
    expect(hex(galleryHeadKey(good['realm'] as Realm))).toBe(good['key'])
  })

  test('shard', () => {
    const good = named('shard')
    const number = good['number'] as number
    const shard = decodeShardRow(bytes(good, 'row'), { realm: good['realm'] as Realm, number }, keyFor(good))
    expect(shard.slots.map((slot) => slot && hex(slot))).toEqual(good['slots'])
    expect(hex(shardInnerHeader(shard))).toBe(good['innerAad'])
    expect(hex(shardOuterHeader(shard, shard.epoch, shard.since))).toBe(good['outerHeader'])
    const custody = hkdfPrepare(bytes(good, 'custodyIkm'))
    const epoch = hkdfPrepare(bytes(good, 'epochKey'))
    expect(hex(openShardKey(shard, { custody, epoch }))).toBe(good['rotationKey'])
    expect(readers['shard']?.(good, bytes(good, 'row'))).toEqual(bytes(good, 'row'))
    expect(hex(shardKey(good['realm'] as Realm, number))).toBe(good['key'])
    expect(() => openShardKey({ ...shard, since: 2 }, { custody, epoch })).toThrow()
    expect(() => openShardKey(shard, { custody: epoch, epoch })).toThrow()
  })

  test('member', () => {
    const good = named('member')
    const place = { profile: { realm: good['realm'] as Realm }, handle: bytes(good, 'handle') }
    const member = decodeMemberRow(bytes(good, 'row'), place)
    expect(member).toMatchObject({ number: good['number'], slot: good['slot'] })
    expect(hex(member.name.generation)).toBe(good['generation'])
    expect(hex(member.header)).toBe(good['header'])
    expect(hex(openMember(member, bytes(good, 'recordSecret')))).toBe(good['code'])
    const z = integersOf(vectorFromSeed(good['seed'] as number, good['d'] as number))
    expect(hex(encodeReference(z, 'B6', 64, bytes(good, 'rotationKey')))).toBe(good['code'])
    expect(hex(memberKey(good['realm'] as Realm, place.handle))).toBe(good['key'])
  })

  test('budget', () => {
    const good = named('budget')
    expect(readers['budget']?.(good, bytes(good, 'row'))).toEqual(bytes(good, 'row'))
    expect(hex(budgetKey(good['realm'] as Realm))).toBe(good['key'])
  })

  test.each(negative.map((vector) => [vector['name'] as string, vector] as const))('%s', (name, vector) => {
    const kind = String(vector['kind'])
    const printed = bytes(vector, 'row')
    const row = new Uint8Array(printed.length + (vector['zeros'] as number))
    row.set(printed)
    expectRefused(() => readers[kind]?.(named(kind), row), vector['code'] as string | null, name)
  })
})

test.each(
  positive.filter(({ kind }) => kind === 'search').map((vector) => [vector['name'] as string, vector]),
)('%s', async (_, vector) => {
  const table = new GalleryTable(32, 64)
  const shards = vector['shards'] as readonly {
    readonly rotationKey: string
    readonly seeds: readonly (number | null)[]
    readonly handles: readonly (string | null)[]
    readonly codes: readonly (string | null)[]
  }[]
  for (const [i, { rotationKey, seeds, handles, codes }] of shards.entries()) {
    table.addShard(unhex(rotationKey))
    for (const [slot, seed] of seeds.entries()) {
      const [handle, code] = [handles[slot] ?? null, codes[slot] ?? null]
      if (seed === null || handle === null || code === null) {
        table.addSlot(i + 1, undefined)
        continue
      }
      const made = encodeReference(integersOf(vectorFromSeed(seed, 128)), 'B6', 64, unhex(rotationKey))
      expect(hex(made)).toBe(code)
      table.addSlot(i + 1, { handle: unhex(handle), code: made })
    }
  }
  const [seed, noise] = vector['probe'] as readonly [number, number]
  const z = integersOf(genuineFromSeeds(seed, noise, 128))
  const threshold = vector['scanThreshold'] as number
  const hits = await scanTable(table, { integers: z, bits: 64, threshold })
  expect(hits.map(({ handle }) => hex(handle))).toEqual(vector['hits'])
  expect(hits.length).toBeGreaterThan(0)
})
