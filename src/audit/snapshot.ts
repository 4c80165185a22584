/** Snapshots: what a reader made of the log, kept beside it, so that opening need not read all of it (SPEC §14.7). @module */

import type { Realm } from '../base/brand.ts'
import { fromHex, joinBytes, labelBytes, readU32be, toHex, u32be } from '../base/bytes.ts'
import { asArray, asBytes, asUint, type CborValue, decodeCbor, encodeCbor } from '../base/cbor.ts'
import type { CallOptions } from '../base/errors.ts'
import { realmPrefix } from '../base/identifier.ts'
import { sha256 } from '../crypto/hash.ts'
import { mac, verifyMac } from '../crypto/kdf.ts'
import type { Store, StoreStep } from '../store/store.ts'
import { ROW_TAG_BYTES } from './entry.ts'
import { malformed } from './errors.ts'
import type { Ahead, Captured, Follower } from './follower.ts'
import type { LogKeys } from './queue.ts'
import { Frontier, HASH_BYTES } from './tree.ts'

const SNAPSHOT = 4
const PART = 5
const FORMAT = 1
const KIND = 14
const TAG_BYTES = 32
const LABEL = labelBytes('guise/v1/log-snapshot')
const MAX_VERSION = 0xffff_ffff
const MAX_PARTS = 0xffff_ffff
const PART_BYTES = 61_440
const SUBJECT_BYTES = 28
const CHAIN_BYTES = 64
const AHEAD_BYTES = 56
const MAX_HEAD_BYTES = 65_536
/** Reading so many entries takes about a second. */
const LEAST_ENTRIES = 32_768
/** A snapshot is as large as its subjects are many: it is written when as many entries have come as make it worth while. */
const SUBJECTS_PER_ENTRY = 8

/** Where a log lies and what authenticates it. */
export interface SnapshotPlace {
  readonly store: Pick<Store, 'get' | 'commit'>
  readonly realm: Realm
  readonly keys: LogKeys
}

/** True when a snapshot at `size` entries would spare the next opening enough. */
export function isDue(follower: Follower, snapshotSize: number): boolean {
  const { size, changes } = follower
  return size - snapshotSize >= Math.max(LEAST_ENTRIES, changes.size / SUBJECTS_PER_ENTRY)
}

/** Writes a snapshot in the slot that the present one does not use. Resolves with the size of the log that it stands for. */
export async function writeSnapshot(
  place: SnapshotPlace,
  follower: Follower,
  options?: CallOptions,
): Promise<number> {
  const { store, realm, keys } = place
  const key = snapshotKey(realm)
  const before = await store.get('log', key, options)
  const present = before && (await readHead(place, before.bytes))
  const slot = present?.slot === 0 ? 1 : 0
  const captured = follower.capture()
  const digests: Uint8Array[] = []
  const write = async (bytes: Uint8Array): Promise<void> => {
    await putPart(place, slot, digests.length, bytes, options)
    digests.push(sha256(bytes))
    // Others get a turn between two parts.
    await new Promise((resolve) => setTimeout(resolve, 0))
  }
  for (const part of cut(rowsOf(captured), PART_BYTES)) await write(part)
  const own = digests.length
  for (const part of cut(changesOf(follower), PART_BYTES - (PART_BYTES % SUBJECT_BYTES))) await write(part)
  const { frontier, ring, chains, ahead } = captured
  const counts = [slot, own, digests.length, chains.length, ahead.length]
  const digest = sha256(joinBytes(...digests))
  await keys.load(options)
  const version = keys.newestVersion
  const body = encodeCbor([
    FORMAT,
    KIND,
    realm,
    frontier.size,
    frontier.roots,
    // A log without an event of the keyring would be none: the first entry of each tells of one.
    ring as Uint8Array,
    counts,
    digest,
    version,
  ])
  const bytes = joinBytes(body, mac(keys.key(version) as Uint8Array, [LABEL, body]))
  await store.commit([{ step: 'put', table: 'log', key, bytes, expected: before?.version ?? null }], options)
  return frontier.size
}

/**
 * Lets a follower that has read nothing yet go on from the snapshot. False when there is none that holds: whatever is wrong with it,
 * the log itself is read then.
 */
export async function readSnapshot(
  place: SnapshotPlace,
  follower: Follower,
  options?: CallOptions,
): Promise<boolean> {
  const row = await place.store.get('log', snapshotKey(place.realm), options)
  const head = row && (await readHead(place, row.bytes, options))
  return head !== undefined && (await goOnFrom(head, place, follower, options))
}

async function goOnFrom(
  head: SnapshotHead,
  place: SnapshotPlace,
  follower: Follower,
  options?: CallOptions,
): Promise<boolean> {
  const parts: Uint8Array[] = []
  const digests: Uint8Array[] = []
  for (let number = 0; number < head.parts; number++) {
    const part = await place.store.get('log', partKey(place.realm, head.slot, number), options)
    if (part === undefined) return false
    parts.push(part.bytes)
    digests.push(sha256(part.bytes))
    await new Promise((resolve) => setTimeout(resolve, 0))
  }
  if (toHex(sha256(joinBytes(...digests))) !== toHex(head.digest)) return false
  const own = joinBytes(...parts.slice(0, head.own))
  if (own.length !== head.chains * CHAIN_BYTES + head.ahead * AHEAD_BYTES) return false
  const { frontier, ring } = head
  follower.restore({ frontier, ring, ...readRows(own, head.chains, head.ahead) })
  for (const part of parts.slice(head.own)) follower.changes.import(wordsOf(part))
  return true
}

interface SnapshotHead {
  readonly frontier: Frontier
  readonly ring: Uint8Array | undefined
  readonly slot: number
  /** Parts that hold chains and what is ahead; the others hold changes. */
  readonly own: number
  readonly parts: number
  readonly chains: number
  readonly ahead: number
  readonly digest: Uint8Array
}

async function readHead(
  { realm, keys }: SnapshotPlace,
  row: Uint8Array,
  options?: CallOptions,
): Promise<SnapshotHead | undefined> {
  await keys.load(options)
  try {
    const body = row.subarray(0, Math.max(0, row.length - TAG_BYTES))
    const items = asArray(decodeCbor(body, MAX_HEAD_BYTES, malformed), 9, malformed)
    const [format, kind, of, size, roots, ring, counts, digest, version] = items
    const key = keys.key(asUint(version, MAX_VERSION, malformed))
    // Nothing but the tag says that this is a snapshot of the realm's log; the rest was written so.
    const genuine = key !== undefined && verifyMac(key, [LABEL, body], row.subarray(body.length))
    if (!genuine || format !== FORMAT || kind !== KIND || of !== realm) return undefined
    const [slot, own, parts, chains, ahead] = asArray(counts, 5, malformed).map((count) =>
      asUint(count, MAX_PARTS, malformed),
    ) as [number, number, number, number, number]
    const hashes = (roots as readonly CborValue[]).map((root) => asBytes(root, HASH_BYTES, malformed))
    return {
      frontier: new Frontier(asUint(size, Number.MAX_SAFE_INTEGER, malformed), hashes),
      ring: asBytes(ring, ROW_TAG_BYTES, malformed),
      slot,
      own,
      parts,
      chains,
      ahead,
      digest: asBytes(digest, HASH_BYTES, malformed),
    }
  } catch {
    return undefined
  }
}

async function putPart(
  { store, realm }: SnapshotPlace,
  slot: number,
  number: number,
  bytes: Uint8Array,
  options?: CallOptions,
): Promise<void> {
  const key = partKey(realm, slot, number)
  const before = await store.get('log', key, options)
  const step: StoreStep = { step: 'put', table: 'log', key, bytes, expected: before?.version ?? null }
  await store.commit([step], options)
}

function rowsOf({ chains, ahead }: Captured): readonly Uint8Array[] {
  return [
    ...chains.map(([writer, next, leaf, seenMs]) =>
      joinBytes(fromHex(writer) as Uint8Array, u64be(next), leaf, u64be(seenMs)),
    ),
    ...ahead.map(({ writer, sequence, leaf }) =>
      joinBytes(fromHex(writer) as Uint8Array, u64be(sequence), leaf),
    ),
  ]
}

function readRows(bytes: Uint8Array, chains: number, ahead: number): Pick<Captured, 'chains' | 'ahead'> {
  const from = chains * CHAIN_BYTES
  return {
    chains: Array.from({ length: chains }, (_, i) => {
      const row = bytes.subarray(i * CHAIN_BYTES, (i + 1) * CHAIN_BYTES)
      return [toHex(row.subarray(0, 16)), readU64be(row, 16), row.slice(24, 56), readU64be(row, 56)] as const
    }),
    ahead: Array.from({ length: ahead }, (_, i): Ahead => {
      const row = bytes.subarray(from + i * AHEAD_BYTES, from + (i + 1) * AHEAD_BYTES)
      return { writer: toHex(row.subarray(0, 16)), sequence: readU64be(row, 16), leaf: row.slice(24, 56) }
    }),
  }
}

/** Pieces of at most `most` bytes of what stands one after the other; a piece never ends within what is shorter. */
function* cut(rows: Iterable<Uint8Array>, most: number): Generator<Uint8Array> {
  let room: Uint8Array[] = []
  let length = 0
  for (const row of rows) {
    for (let from = 0; from < row.length; from += most) {
      const piece = row.subarray(from, from + most)
      if (length + piece.length > most) {
        yield joinBytes(...room)
        room = []
        length = 0
      }
      room.push(piece)
      length += piece.length
    }
  }
  if (length > 0) yield joinBytes(...room)
}

function* changesOf({ changes }: Follower): Generator<Uint8Array> {
  for (const words of changes.export()) yield bytesOf(words)
}

function bytesOf(words: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(4 * words.length)
  const view = new DataView(bytes.buffer)
  for (const [i, word] of words.entries()) view.setUint32(4 * i, word)
  return bytes
}

function wordsOf(bytes: Uint8Array): Uint32Array {
  return Uint32Array.from({ length: bytes.length / 4 }, (_, i) => readU32be(bytes, 4 * i))
}

function u64be(value: number): Uint8Array {
  return joinBytes(u32be(Math.floor(value / 2 ** 32)), u32be(value % 2 ** 32))
}

function readU64be(bytes: Uint8Array, at: number): number {
  return readU32be(bytes, at) * 2 ** 32 + readU32be(bytes, at + 4)
}

function snapshotKey(realm: Realm): Uint8Array {
  return joinBytes(realmPrefix(realm), Uint8Array.of(SNAPSHOT))
}

function partKey(realm: Realm, slot: number, number: number): Uint8Array {
  return joinBytes(realmPrefix(realm), Uint8Array.of(PART, slot), u32be(number))
}
