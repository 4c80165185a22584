/** Vectors of a gallery: its rows, whole and part by part, and a search (SPEC §16). @module */
import { concat, hex, unhex } from '../bytes.ts'
import { integers, unit } from '../embedding.ts'
import * as gallery from '../gallery.ts'
import { bytesFor, genuineFromSeeds, vectorFromSeed } from '../inputs.ts'
import { type Json, type VectorFile, vectorFile } from './file.ts'
import { impossibleAnswers, partVectors } from './gallery-part.ts'
import * as person from './person.ts'
import { D, G, GALLERY, K, KEYS, SHARD } from './shard.ts'

const ABOUT = [
  'head, shard, member, budget: row is the whole row, key its key in table galleries, macKey the key of its MAC.',
  'shard: rotationKey, inner wrap under custodyIkm, outer wrap under epochKey; member: sample, code, recordSecret.',
  'search: samples by seed (a probe of seed and noise is their sum), the members of each shard in order, null for a hole;',
  'hits: the handles that pass scanThreshold, the most alike first.',
  'question, answer: row is the whole message, key the part key of version v, i the part of k; seed null asks for the numbers alone.',
  'negative: rows with one fault each; code is what a reader must answer, stage where it is found.',
]

const SEED = 71
const SLOTS: readonly (Uint8Array | null)[] = [bytesFor('another handle', 16), null, person.handle]
const MEMBER: gallery.Member = {
  handle: person.handle,
  record: person.record,
  generation: person.generation,
  number: 3,
  slot: 2,
  created: person.CREATED,
}
const HEAD: gallery.HeadFields = {
  version: 4,
  basis: 0,
  limit: 5000,
  created: person.CREATED,
  count: 3,
  open: [0, 3, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0],
  v: 1,
}
const BUDGET = {
  version: 9,
  count: 9,
  time: person.CREATED,
  origin: person.origin,
  steady: 123_456,
  v: 1,
}

const toIntegers = (x: readonly number[]): readonly number[] => integers(unit(x, x.length).u)

export function galleryVectors(): VectorFile {
  const rows = { head: head(), shard: shard(), member: member(), budget: budget() }
  const searches = [search('a search', 0), search('a search that takes more', -1)]
  const parts = partVectors(GALLERY)
  const [question, , answer] = parts as [Record<string, Json>, Record<string, Json>, Record<string, Json>]
  const negative = [...faults({ ...rows, question, answer }), ...impossibleAnswers(GALLERY, question)]
  return vectorFile('chapter 16', ABOUT, [...Object.values(rows), ...searches, ...parts], negative)
}

function profile(): Record<string, Json> {
  const { realm, purpose, model, d, g } = GALLERY
  return { realm, purpose, model, meanHash: hex(GALLERY.meanHash), d, g }
}

function head(): Record<string, Json> {
  const row = gallery.headRow(person.keys.state, GALLERY, HEAD)
  const key = hex(gallery.headKey(person.REALM))
  return {
    name: 'head',
    kind: 'head',
    key,
    ...profile(),
    ...HEAD,
    macKey: hex(person.keys.state),
    row: hex(row),
  }
}

function shard(): Record<string, Json> {
  const nonces = { inner: bytesFor('shard inner nonce', 24), outer: bytesFor('shard outer nonce', 24) }
  const wrap = gallery.wrapKey(K, { gallery: GALLERY, shard: SHARD }, KEYS, nonces)
  if (hex(gallery.unwrapKey(wrap, GALLERY, SHARD, KEYS)) !== hex(K)) throw new Error('the wrap does not open')
  const row = gallery.shardRow(person.keys.state, GALLERY, SHARD, { version: 5, wrap, slots: SLOTS, v: 1 })
  return {
    name: 'shard',
    kind: 'shard',
    key: hex(gallery.shardKey(person.REALM, SHARD.number)),
    ...profile(),
    ...SHARD,
    version: 5,
    slots: SLOTS.map((slot) => slot && hex(slot)),
    v: 1,
    rotationKey: hex(K),
    custodyIkm: hex(KEYS.custodyIkm),
    epochKey: hex(KEYS.epochKey),
    innerAad: hex(gallery.innerAad(GALLERY, SHARD)),
    outerHeader: hex(gallery.outerHeader(GALLERY, SHARD)),
    wrap: hex(wrap),
    macKey: hex(person.keys.state),
    row: hex(row),
  }
}

function member(): Record<string, Json> {
  const header = gallery.memberHeader(GALLERY, MEMBER)
  const code = gallery.memberCode(toIntegers(vectorFromSeed(SEED, D)), G, K)
  const { record, generation, number, slot, created } = MEMBER
  return {
    name: 'member',
    kind: 'member',
    key: hex(gallery.memberKey(person.REALM, person.handle)),
    ...profile(),
    handle: hex(person.handle),
    record: hex(record),
    generation: hex(generation),
    number,
    slot,
    created,
    seed: SEED,
    rotationKey: hex(K),
    recordSecret: hex(person.rs),
    code: hex(code),
    header: hex(header),
    row: hex(gallery.memberRow(header, person.rs, code, bytesFor('member nonce', 24))),
  }
}

function budget(): Record<string, Json> {
  const row = gallery.budgetRow(person.keys.limiter, person.REALM, BUDGET)
  const key = hex(gallery.budgetKey(person.REALM))
  const said = { ...BUDGET, realm: person.REALM, origin: hex(BUDGET.origin) }
  return { name: 'budget', kind: 'budget', key, ...said, macKey: hex(person.keys.limiter), row: hex(row) }
}

/** Three shards of twelve, a hole in each; the probe is a noisy one of the fifth person of the second. */
function search(name: string, lower: number): Record<string, Json> {
  const scanThreshold = 2000 + 1500 * lower
  const shards = [1, 2, 3].map((number) => ({
    rotationKey: bytesFor(`search key ${number}`, 32),
    seeds: Array.from({ length: 12 }, (_, i) => (i === number ? null : 1000 * number + i)),
  }))
  const loaded = shards.map(({ rotationKey, seeds }) => ({
    rotationKey,
    slots: seeds.map((seed) =>
      seed === null
        ? null
        : {
            handle: bytesFor(`handle ${seed}`, 16),
            code: gallery.memberCode(toIntegers(vectorFromSeed(seed, D)), G, rotationKey),
          },
    ),
  }))
  const probe = [2005, 9]
  const z = toIntegers(genuineFromSeeds(2005, 9, D))
  return {
    name,
    kind: 'search',
    d: D,
    g: G,
    probe,
    scanThreshold,
    shards: loaded.map(({ rotationKey, slots }, i) => ({
      rotationKey: hex(rotationKey),
      seeds: shards[i]?.seeds ?? [],
      handles: slots.map((slot) => slot && hex(slot.handle)),
      codes: slots.map((slot) => slot && hex(slot.code)),
    })),
    hits: gallery.scan(z, G, loaded, scanThreshold),
  }
}

/** One bit of the row's beginning, middle and end; a byte more, a byte less; another realm, another key. */
function faults(rows: Readonly<Record<string, Record<string, Json>>>): Record<string, Json>[] {
  return Object.entries(rows).flatMap(([kind, good]) => {
    const row = unhex(good['row'] as string)
    const sealed = kind === 'question' || kind === 'answer' ? 'ERR_GALLERY_PART' : undefined
    const flipped = (at: number): Uint8Array => row.map((byte, i) => (i === at ? byte ^ 1 : byte))
    const cases: readonly (readonly [string, Uint8Array, string | null])[] = [
      ['a bit of the first byte', flipped(0), 'ERR_RECORD_FORMAT'],
      [
        'a bit of the last byte',
        flipped(row.length - 1),
        kind === 'member' ? 'ERR_SEAL_OPEN' : 'ERR_RECORD_MAC',
      ],
      ['a bit in the middle', flipped(Math.floor(row.length * 0.6)), null],
      ['a byte more', concat(row, Uint8Array.of(0)), null],
      ['a byte less', row.slice(0, -1), null],
      ['nothing', new Uint8Array(0), 'ERR_RECORD_FORMAT'],
      ['a row above 64 KiB', concat(row, new Uint8Array(65_537 - row.length)), 'ERR_RECORD_FORMAT'],
    ]
    return cases.map(([fault, bytes, code]) => ({
      name: `${kind}, ${fault}`,
      kind,
      code: sealed ?? code,
      // A row that is too long ends in zeros.
      zeros: fault === 'a row above 64 KiB' ? bytes.length - row.length : 0,
      row: hex(fault === 'a row above 64 KiB' ? row : bytes),
    }))
  })
}
