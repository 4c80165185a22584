/** Galleries: rows, wraps, member codes and the search, step by step (SPEC §16). @module */
import { concat, hex, lp, u8, u32be } from './bytes.ts'
import { encode, type Value } from './cbor.ts'
import { accepts, type Score, score } from './compare.ts'
import { mac } from './hashes.ts'
import { encodeSealedRow, prefix } from './record.ts'
import { open, type Sealed, seal } from './seal.ts'
import { probeCode, referenceCode } from './template.ts'

/** What every row repeats. */
export interface Gallery {
  readonly realm: string
  readonly purpose: string
  readonly model: string
  readonly meanHash: Uint8Array
  readonly d: number
  readonly g: number
}

export interface Shard {
  readonly number: number
  readonly created: number
  /** Version of the custody key. */
  readonly w: number
  readonly epoch: number
  readonly since: number
}

export interface Member {
  readonly handle: Uint8Array
  readonly record: Uint8Array
  readonly generation: Uint8Array
  readonly number: number
  readonly slot: number
  readonly created: number
}

export const headKey = (realm: string): Uint8Array => concat(prefix(realm), u8(0))
export const shardKey = (realm: string, number: number): Uint8Array =>
  concat(prefix(realm), u8(1), u32be(number))
export const memberKey = (realm: string, handle: Uint8Array): Uint8Array =>
  concat(prefix(realm), u8(2), handle)
export const budgetKey = (realm: string): Uint8Array => concat(prefix(realm), u8(3))

function made({ model, meanHash, d, g }: Gallery): readonly Value[] {
  return [model, meanHash, d, g, 'B6']
}

function authenticated(key: Uint8Array, label: string, body: readonly Value[]): Uint8Array {
  const bytes = encode(body)
  return concat(bytes, mac(key, concat(lp(label), bytes)))
}

export interface HeadFields {
  readonly version: number
  readonly basis: number
  readonly limit: number
  readonly created: number
  readonly count: number
  readonly open: readonly number[]
  readonly v: number
}

/** §16.1. */
export function headRow(key: Uint8Array, gallery: Gallery, head: HeadFields): Uint8Array {
  const { version, basis, limit, created, count, open: places, v } = head
  const begin = [1, 15, gallery.realm, version, gallery.purpose, basis, limit]
  return authenticated(key, 'guise/v1/gallery', [...begin, ...made(gallery), created, count, places, v])
}

export function innerAad(gallery: Gallery, { number, created, w }: Shard): Uint8Array {
  const begin = [1, 18, gallery.realm, 'identify', gallery.purpose]
  return encode([...begin, ...made(gallery), number, created, w])
}

export function outerHeader(gallery: Gallery, { number, created, w, epoch, since }: Shard): Uint8Array {
  const begin = [1, 19, gallery.realm, 'identify', gallery.purpose]
  return encode([...begin, ...made(gallery), number, created, w, epoch, since])
}

const pack = ({ nonce, commitment, ciphertext }: Sealed): Uint8Array => concat(nonce, commitment, ciphertext)
const unpack = (bytes: Uint8Array): Sealed => ({
  nonce: bytes.slice(0, 24),
  commitment: bytes.slice(24, 56),
  ciphertext: bytes.slice(56),
})

/** §16.2: `wrap`. */
export function wrapKey(
  rotationKey: Uint8Array,
  where: { readonly gallery: Gallery; readonly shard: Shard },
  keys: { readonly custodyIkm: Uint8Array; readonly epochKey: Uint8Array },
  nonces: { readonly inner: Uint8Array; readonly outer: Uint8Array },
): Uint8Array {
  const { gallery, shard } = where
  const aad = innerAad(gallery, shard)
  const inner = seal(keys.custodyIkm, 'guise/v1/shard-inner', aad, rotationKey, nonces.inner)
  const header = outerHeader(gallery, shard)
  return pack(seal(keys.epochKey, 'guise/v1/shard-outer', header, pack(inner), nonces.outer))
}

export function unwrapKey(
  wrap: Uint8Array,
  gallery: Gallery,
  shard: Shard,
  keys: { readonly custodyIkm: Uint8Array; readonly epochKey: Uint8Array },
): Uint8Array {
  const outer = outerHeader(gallery, shard)
  const inner = open(keys.epochKey, 'guise/v1/shard-outer', outer, unpack(wrap))
  return open(keys.custodyIkm, 'guise/v1/shard-inner', innerAad(gallery, shard), unpack(inner))
}

export function shardRow(
  key: Uint8Array,
  gallery: Gallery,
  shard: Shard,
  rest: {
    readonly version: number
    readonly wrap: Uint8Array
    readonly slots: readonly (Uint8Array | null)[]
    readonly v: number
  },
): Uint8Array {
  const { number, created, w, epoch, since } = shard
  const begin = [1, 16, gallery.realm, number, rest.version, gallery.purpose]
  const body = [...begin, ...made(gallery), created, epoch, since, w, rest.wrap, rest.slots, rest.v]
  return authenticated(key, 'guise/v1/gallery-shard', body)
}

export function memberHeader(gallery: Gallery, member: Member): Uint8Array {
  const { handle, record, generation, number, slot, created } = member
  const begin = [1, 17, gallery.realm, 'identify', handle, record, generation, gallery.purpose]
  return encode([...begin, ...made(gallery), number, slot, created])
}

/** §16.3: the code of a member, and its row. */
export function memberCode(z: readonly number[], g: number, rotationKey: Uint8Array): Uint8Array {
  return referenceCode(z, 'B6', g, rotationKey)
}

export function memberRow(
  header: Uint8Array,
  rs: Uint8Array,
  code: Uint8Array,
  nonce: Uint8Array,
): Uint8Array {
  return encodeSealedRow(header, seal(rs, 'guise/v1/gallery-member', header, code, nonce))
}

/** §16.7. */
export function budgetRow(
  key: Uint8Array,
  realm: string,
  row: {
    readonly version: number
    readonly count: number
    readonly time: number
    readonly origin: Uint8Array
    readonly steady: number
    readonly v: number
  },
): Uint8Array {
  const { version, count, time, origin, steady, v } = row
  return authenticated(key, 'guise/v1/gallery-budget', [
    1,
    20,
    realm,
    version,
    count,
    time,
    origin,
    steady,
    v,
  ])
}

/** A shard in memory: its key, and each slot's handle and code, or a hole. */
export interface LoadedShard {
  readonly rotationKey: Uint8Array
  readonly slots: readonly ({ readonly handle: Uint8Array; readonly code: Uint8Array } | null)[]
}

/** §16.5, step 3: the handles that pass the scan, the most alike first, at most 64. */
export function scan(
  z: readonly number[],
  g: number,
  shards: readonly LoadedShard[],
  scanThreshold: number,
): readonly string[] {
  const hits: { readonly handle: string; readonly found: Score; readonly place: number }[] = []
  for (const { rotationKey, slots } of shards) {
    const probe = probeCode(z, 'B6', g, rotationKey)
    for (const member of slots) {
      if (member === null) continue
      const found = score(member.code, probe)
      if (accepts(found, g, scanThreshold))
        hits.push({ handle: hex(member.handle), found, place: hits.length })
    }
  }
  const rank = ({ sum, energy }: Score): number => sum / Math.sqrt(energy)
  return [...hits]
    .sort((a, b) => rank(b.found) - rank(a.found) || a.place - b.place)
    .slice(0, 64)
    .map(({ handle }) => handle)
}
