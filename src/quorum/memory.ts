/** What a holder remembers, signed for the one that takes the place of a lost one (SPEC §13.5). @module */

import { KEY_TYPE, parseVerifierKey } from '../audit/note.ts'
import type { TreeHead } from '../audit/proof.ts'
import { HASH_BYTES } from '../audit/tree.ts'
import type { Realm } from '../base/brand.ts'
import { concatBytes, equalBytes, fixedLabel, toHex } from '../base/bytes.ts'
import { asArray, asBoolean, asBytes, asUint, decodeCbor, encodeCbor } from '../base/cbor.ts'
import { checkBytes, checkInteger, checkObject, checkText } from '../base/check.ts'
import { checkRealm } from '../base/identifier.ts'
import { verifyEd25519 } from '../crypto/sign.ts'
import { blame, malformed, rejectInput } from './errors.ts'
import { MOST_EPOCHS } from './holder-check.ts'
import { epochOf, FORMAT, indexOf, MAX_EPOCH, requireKind } from './key.ts'
import { GENERATION_BYTES, RECORD_BYTES } from './messages.ts'
import type { Floor, HeadRow, HolderName, RecordRow } from './rows.ts'

const KIND = 56
const SIGNATURE_BYTES = 64
const MAX_UINT = Number.MAX_SAFE_INTEGER
const MAX_BYTES = 0x4000_0000

/** Another holder's memory, and the pinned key that it must be signed with. */
export interface HolderMemory {
  readonly index: number
  /** As text, as a vault pins it. */
  readonly verifierKey: string
  /** What that holder's `memory` gave. */
  readonly memory: Uint8Array
}

/** All that a holder goes by. */
export interface Memory {
  readonly head: Omit<HeadRow, 'sequence' | 'rows'>
  readonly rows: readonly RecordRow[]
}

/** The signed memory of a holder. */
export async function signMemory(
  name: HolderName,
  state: Memory & { sign(message: Uint8Array): Promise<Uint8Array> },
): Promise<Uint8Array> {
  const body = encodeMemory(name, state)
  return concatBytes(body, await state.sign(signedBytes(body)))
}

function signedBytes(body: Uint8Array): Uint8Array {
  return concatBytes(fixedLabel('guise/v1/quorum-memory'), body)
}

function encodeMemory({ realm, index }: HolderName, { head, rows }: Memory): Uint8Array {
  const { size, root, hour, count, leastEpoch, floors } = head
  const pairs = floors.map(({ epoch, refresh }) => [epoch, refresh])
  const kept = rows.map((row) => {
    const { record, generation, revoked, total } = row
    return [record, generation, revoked, total, row.hour, row.count, row.next]
  })
  return encodeCbor([FORMAT, KIND, realm, index, size, root, hour, count, leastEpoch, pairs, kept])
}

/**
 * One memory of all: revoked where one says so, of each count and floor the greatest, the log as far as anybody saw it. Throws `ERR_QUORUM_INPUT` for
 * fewer than `threshold` memories of other holders, `ERR_QUORUM_ROUND` with the index of whose memory is not signed or contradicts another's.
 */
export function mergeMemories(name: HolderName, threshold: number, given: readonly HolderMemory[]): Memory {
  if (!Array.isArray(given)) throw rejectInput('memories must be a list')
  const indices = new Set<number>()
  const memories = given.map((one: HolderMemory) => {
    checkObject(one, 'memory', rejectInput)
    const index = checkInteger(one.index, 'index', [1, 16], rejectInput)
    if (index === name.index || indices.has(index)) throw rejectInput('each memory is of another holder')
    indices.add(index)
    return { index, ...readMemory(name.realm, { ...one, index }) }
  })
  if (memories.length < threshold) throw rejectInput('as many memories as the threshold are needed')
  let seen: TreeHead = { size: 0, root: new Uint8Array(HASH_BYTES) }
  for (const { index, head } of memories) seen = laterOf(seen, head, index)
  const busiest = memories.map(({ head }) => head).reduce(laterHour)
  const rows = new Map<string, RecordRow>()
  for (const memory of memories) {
    for (const row of memory.rows) {
      const place = toHex(concatBytes(row.record, row.generation))
      const other = rows.get(place)
      rows.set(place, other === undefined ? row : mergeRows(other, row))
    }
  }
  const leastEpoch = Math.max(...memories.map(({ head }) => head.leastEpoch))
  const all = mergeFloors(memories.flatMap(({ head }) => head.floors))
  const floors = all.filter(({ epoch }) => epoch >= leastEpoch)
  if (floors.length > MOST_EPOCHS) throw rejectInput('the others have not retired the same epochs yet')
  const { hour, count } = busiest
  const head = {
    size: seen.size,
    root: seen.root,
    hour,
    count,
    leastEpoch,
    floors,
  }
  return { head, rows: [...rows.values()] }
}

function readMemory(realm: Realm, { index, verifierKey, memory }: HolderMemory): Memory {
  checkText(verifierKey, 'verifierKey', { maxBytes: 512 }, rejectInput)
  checkBytes(memory, 'memory', [0, MAX_BYTES], rejectInput)
  const end = memory.length - SIGNATURE_BYTES
  const { publicKey } = parseVerifierKey(verifierKey, KEY_TYPE.log)
  const body = memory.slice(0, Math.max(end, 0))
  if (end <= 0 || !verifyEd25519(memory.slice(end), signedBytes(body), publicKey)) {
    throw blame(index, 'this memory is not signed by its holder')
  }
  const items = asArray(decodeCbor(body, MAX_BYTES, malformed), 11, malformed)
  const [format, kind, of, from, size, root, hour, count, least, floors, rows] = items
  requireKind(format, kind, KIND)
  if (checkRealm(of, malformed) !== realm || indexOf(from) !== index) {
    throw blame(index, 'this memory is of another holder')
  }
  const head = {
    size: asUint(size, MAX_UINT, malformed),
    root: asBytes(root, HASH_BYTES, malformed),
    hour: asUint(hour, MAX_UINT, malformed),
    count: asUint(count, MAX_UINT, malformed),
    leastEpoch: epochOf(least),
    floors: listOf(floors).map((pair) => {
      const [epoch, refresh] = asArray(pair, 2, malformed)
      return { epoch: epochOf(epoch), refresh: asUint(refresh, MAX_EPOCH, malformed) }
    }),
  }
  return { head, rows: listOf(rows).map(rowOf) }
}

function rowOf(value: unknown): RecordRow {
  const items = asArray(value as never, 7, malformed)
  const [record, generation, revoked, total, hour, count, next] = items
  return {
    record: asBytes(record, RECORD_BYTES, malformed),
    generation: asBytes(generation, GENERATION_BYTES, malformed),
    revoked: asBoolean(revoked, malformed),
    total: asUint(total, MAX_UINT, malformed),
    hour: asUint(hour, MAX_UINT, malformed),
    count: asUint(count, MAX_UINT, malformed),
    next: asUint(next, MAX_UINT, malformed),
  }
}

function listOf(value: unknown): readonly never[] {
  if (!Array.isArray(value)) throw malformed('a list is missing')
  return value as never[]
}

/** The newer of two heads of one log. */
function laterOf(a: TreeHead, b: TreeHead, index: number): TreeHead {
  if (a.size === b.size && !equalBytes(a.root, b.root)) {
    throw blame(index, 'this memory has seen another log than the one before')
  }
  return b.size > a.size ? b : a
}

type Hourly = Pick<RecordRow, 'hour' | 'count'>

function laterHour<Row extends Hourly>(a: Row, b: Row): Row {
  if (a.hour === b.hour) return a.count >= b.count ? a : b
  return a.hour > b.hour ? a : b
}

function mergeRows(a: RecordRow, b: RecordRow): RecordRow {
  const { hour, count } = laterHour(a, b)
  return {
    ...a,
    revoked: a.revoked || b.revoked,
    total: Math.max(a.total, b.total),
    hour,
    count,
    next: Math.max(a.next, b.next),
  }
}

/** The greatest of each epoch, in ascending order. */
function mergeFloors(floors: readonly Floor[]): readonly Floor[] {
  const greatest = new Map<number, number>()
  for (const { epoch, refresh } of floors) greatest.set(epoch, Math.max(refresh, greatest.get(epoch) ?? 0))
  return [...greatest].sort(([a], [b]) => a - b).map(([epoch, refresh]) => ({ epoch, refresh }))
}
