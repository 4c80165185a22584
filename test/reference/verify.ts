/** The verification of an export with its codes, and of proofs, everything in memory (SPEC §14.1, §14.4, §14.5). @module */
import { leafHash, mth, readEntry, rootOfPath } from './audit.ts'
import { concat, equal, hex, lp, Refused } from './bytes.ts'
import { sha256 } from './hashes.ts'
import { type Head, readCheckpoint } from './notes.ts'

function audit(what: string): Refused {
  return new Refused(`ERR_AUDIT_${what}`, what)
}

interface Stream {
  readonly note: Uint8Array
  readonly parts: readonly (Uint8Array | 'cut' | 'length')[]
}

function split(bytes: Uint8Array): Stream {
  const label = lp('guise/v1/log')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = label.length
  if (!equal(bytes.slice(0, at), label) || at + 4 > bytes.length) throw audit('FORMAT')
  const length = view.getUint32(at)
  at += 4
  if (at + length > bytes.length) throw audit('FORMAT')
  const note = bytes.slice(at, at + length)
  at += length
  const parts: (Uint8Array | 'cut' | 'length')[] = []
  while (at < bytes.length) {
    const size = at + 4 > bytes.length ? undefined : view.getUint32(at)
    const end = at + 4 + (size ?? 0)
    if (size === 0 || (size ?? 0) > 1024) parts.push('length')
    else parts.push(size === undefined || end > bytes.length ? 'cut' : bytes.slice(at + 4, end))
    if (typeof parts.at(-1) === 'string') break
    at = end
  }
  return { note, parts }
}

export interface Verified {
  readonly size: number
  readonly writers: number
}

/** Procedure `verify`, the steps of §14.4 one after another. */
export function verifyLog(
  bytes: Uint8Array,
  logKey: string,
  older: readonly Uint8Array[],
  anchor?: Uint8Array,
): Verified {
  const heads = [...older, ...(anchor === undefined ? [] : [anchor])].map((note) =>
    readCheckpoint(note, logKey),
  )
  const { note, parts } = split(bytes)
  const head = readCheckpoint(note, logKey)
  if (heads.some(({ size }) => size > head.size)) throw audit('TRUNCATION')
  const entries: Uint8Array[] = []
  const chains = new Map<string, Uint8Array[]>()
  for (const [i, part] of parts.entries()) {
    if (part === 'cut') throw audit('TRUNCATION')
    follow(chains, part, parts.slice(i + 1))
    if (i >= head.size) throw audit('INSERTION')
    entries.push(part as Uint8Array)
  }
  if (entries.length < head.size) throw audit('TRUNCATION')
  if (!equal(mth(entries), head.root)) throw audit('EDIT')
  for (const { size, root } of heads) if (!equal(mth(entries.slice(0, size)), root)) throw audit('FORK')
  return { size: entries.length, writers: chains.size }
}

type Part = Uint8Array | 'cut' | 'length'

/** Step 2 of the procedure for one entry. */
function follow(chains: Map<string, Uint8Array[]>, part: Part, rest: readonly Part[]): void {
  const fields = entryOf(part)
  if (fields === undefined) throw audit('EDIT')
  const writer = hex(fields.writer)
  const chain = chains.get(writer) ?? []
  const last = chain.at(-1)
  if (fields.sequence > chain.length) {
    const comesLater = rest
      .map(entryOf)
      .some((later) => later !== undefined && hex(later.writer) === writer && later.sequence === chain.length)
    throw audit(comesLater ? 'REORDER' : 'DELETION')
  }
  if (fields.sequence < chain.length) {
    const other = fields.sequence === chain.length - 1 && !equal(last as Uint8Array, part as Uint8Array)
    throw audit(other ? 'INSERTION' : 'DUPLICATION')
  }
  if (!equal(fields.previous, last === undefined ? new Uint8Array(32) : leafHash(last))) throw audit('EDIT')
  chains.set(writer, [...chain, part as Uint8Array])
}

function entryOf(part: Part): ReturnType<typeof readEntry> | undefined {
  if (typeof part === 'string') return undefined
  try {
    return readEntry(part)
  } catch (error) {
    if (error instanceof Refused) return undefined
    throw error
  }
}

/** Hashes of 32 bytes, one after another. */
export function hashesOf(bytes: Uint8Array): readonly Uint8Array[] {
  const hashes: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += 32) hashes.push(bytes.slice(at, at + 32))
  return hashes
}

export function verifyInclusion(
  entry: Uint8Array,
  index: number,
  size: number,
  root: Uint8Array,
  hashes: readonly Uint8Array[],
): void {
  if (index >= size) throw audit('PROOF')
  if (!equal(rootOfPath(leafHash(entry), index, size, hashes), root)) throw audit('PROOF')
}

/** §2.1.4 by its recursive definition: what the proof says of both roots at once. */
export function verifyConsistency(
  older: Omit<Head, 'origin'>,
  newer: Omit<Head, 'origin'>,
  hashes: readonly Uint8Array[],
): void {
  if (older.size === newer.size || older.size === 0) {
    const same = older.size === 0 || equal(older.root, newer.root)
    if (!same || hashes.length > 0) throw audit('PROOF')
    return
  }
  const [oldRoot, newRoot] = roots(older.size, newer.size, hashes, older.root)
  if (!equal(oldRoot, older.root) || !equal(newRoot, newer.root)) throw audit('PROOF')
}

/** `SUBPROOF(m, D_n, b)` read backwards; `whole` is the older root as long as b is true. */
function roots(
  m: number,
  n: number,
  hashes: readonly Uint8Array[],
  whole: Uint8Array | undefined,
): readonly [older: Uint8Array, newer: Uint8Array] {
  const last = hashes.at(-1)
  if (m === n) {
    const root = whole ?? last
    if (root === undefined || hashes.length !== (whole === undefined ? 1 : 0)) throw audit('PROOF')
    return [root, root]
  }
  if (last === undefined) throw audit('PROOF')
  const rest = hashes.slice(0, -1)
  let k = 1
  while (2 * k < n) k *= 2
  if (m <= k) {
    const [older, newer] = roots(m, k, rest, whole)
    return [older, node(newer, last)]
  }
  const [older, newer] = roots(m - k, n - k, rest, undefined)
  return [node(last, older), node(last, newer)]
}

function node(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(concat(Uint8Array.of(1), left, right))
}
