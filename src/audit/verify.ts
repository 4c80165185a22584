/** Verification of an exported log from its bytes alone, and what a fault shows (SPEC §14.4). @module */

import { equalBytes, toHex } from '../base/bytes.ts'
import { checkInteger, checkObject } from '../base/check.ts'
import type { CallOptions } from '../base/errors.ts'
import type { Anchor } from './anchor.ts'
import { type Checkpoint, checkCheckpoint, openWith } from './checkpoint.ts'
import { type AuditEntry, decodeEntry } from './entry.ts'
import { AuditError, type AuditErrorCode, rejectInput } from './errors.ts'
import { type Bytes, ExportReader } from './export.ts'
import { KEY_TYPE, parseVerifierKey } from './note.ts'
import { Frontier, HASH_BYTES, hashLeaf } from './tree.ts'

export interface VerifyLogOptions extends Pick<CallOptions, 'signal'> {
  /** The log's verifier key, as text. */
  readonly logKey: string
  /** Signed notes from earlier times, in any order: the log must continue each. */
  readonly olderCheckpoints?: readonly string[]
  /** What was anchored: the log must contain it. */
  readonly anchor?: Anchor | Checkpoint
  /** Memory grows with the number of writers, by about 200 bytes each; default 100,000. */
  readonly maxWriters?: number
  /** Called after every thousand entries, and at the end. */
  readonly onProgress?: (entries: number, total: number) => void
}

export interface VerifiedLog {
  readonly checkpoint: Checkpoint
  readonly writers: number
  /** Sizes at which the root was compared with an older checkpoint or the anchor. */
  readonly compared: readonly number[]
}

const WRITERS = 100_000
const PROGRESS_ENTRIES = 1000

/**
 * Reads an exported log once, from its beginning, with bounded memory, and recomputes everything: signature, root, every
 * writer's chain, and the root at the size of each older checkpoint. Resolves when all holds.
 *
 * Throws an `AuditError` for the first fault, with the `index` of the entry that shows it. What an observer sees decides the code:
 * a writer's number that is missing is a deletion, also when it was edited into another.
 */
export async function verifyLog(source: Bytes, options: VerifyLogOptions): Promise<VerifiedLog> {
  checkObject(options, 'options', rejectInput)
  const { logKey, olderCheckpoints = [], anchor, maxWriters = WRITERS, signal, onProgress } = options
  checkInteger(maxWriters, 'maxWriters', [1, Number.MAX_SAFE_INTEGER], rejectInput)
  const key = parseVerifierKey(logKey, KEY_TYPE.log)
  const older = olderCheckpoints.map((note) => openWith(note, key))
  const anchored = await readAnchor(anchor, key.name, options)
  const known = anchored === undefined ? older : [...older, anchored]
  const reader = new ExportReader(source)
  try {
    const checkpoint = openWith(await reader.header(), key)
    const heads = new KnownHeads(known, checkpoint)
    const chains = new Chains(maxWriters)
    const frontier = new Frontier()
    heads.compare(frontier)
    while (!(await reader.atEnd())) {
      const index = frontier.size
      const bytes = await reader.entry()
      if (bytes === 'cut') throw cutShort(index, checkpoint.size)
      const entry = bytes === 'length' ? undefined : entryOf(bytes)
      if (entry === undefined) throw chains.missing ?? edited(index)
      const leaf = hashLeaf(bytes as Uint8Array)
      chains.follow(entry, leaf, index)
      if (index >= checkpoint.size)
        throw (
          chains.missing ?? fault('INSERTION', 'the log has more entries than its checkpoint counts', index)
        )
      frontier.append(leaf)
      heads.compare(frontier)
      if (frontier.size % PROGRESS_ENTRIES === 0) {
        signal?.throwIfAborted()
        onProgress?.(frontier.size, checkpoint.size)
      }
    }
    if (chains.missing !== undefined) throw chains.missing
    if (frontier.size < checkpoint.size) throw cutShort(frontier.size, checkpoint.size)
    if (!equalBytes(frontier.root(), checkpoint.root))
      throw fault('EDIT', 'the entries are not those that were signed', heads.forkedAt)
    if (heads.forkedAt !== undefined)
      throw fault('FORK', 'the log does not continue an older checkpoint', heads.forkedAt)
    onProgress?.(frontier.size, checkpoint.size)
    return { checkpoint, writers: chains.count, compared: heads.compared }
  } finally {
    await reader.close()
  }
}

/** Follows every writer's chain. Only the newest entry of each is remembered. */
class Chains {
  /** The fault of a gap: told when it is known whether what is missing comes later. */
  missing: AuditError | undefined
  readonly #most: number
  readonly #writers: Map<string, { next: number; leaf: Uint8Array }> = new Map()
  #gap = { writer: '', sequence: 0 }

  constructor(most: number) {
    this.#most = most
  }

  get count(): number {
    return this.#writers.size
  }

  /** Throws the fault that an entry shows. */
  follow(entry: AuditEntry, leaf: Uint8Array, index: number): void {
    const writer = toHex(entry.writer)
    if (this.missing !== undefined) {
      if (writer === this.#gap.writer && entry.sequence === this.#gap.sequence)
        throw fault('REORDER', 'an entry of a writer stands before an earlier one', this.missing.index)
      return
    }
    const known = this.#writers.get(writer)
    const { next, leaf: before } = known ?? { next: 0, leaf: NOTHING_BEFORE }
    if (entry.sequence > next) {
      this.missing = fault('DELETION', 'an entry of a writer is missing', index)
      this.#gap = { writer, sequence: next }
      return
    }
    if (entry.sequence < next) throw repeated(entry.sequence === next - 1 && !equalBytes(before, leaf), index)
    if (!equalBytes(entry.previous, before))
      throw fault('EDIT', 'an entry does not continue the one of its writer before it', index)
    if (known === undefined && this.#writers.size === this.#most)
      throw new AuditError('ERR_AUDIT_LIMIT', 'the log has more writers than are allowed')
    this.#writers.set(writer, { next: next + 1, leaf })
  }
}

const NOTHING_BEFORE: Uint8Array = new Uint8Array(HASH_BYTES)

/** Heads of the tree that are known from elsewhere, to be met on the way. */
class KnownHeads {
  /** The smallest size at which the log is not what was signed or anchored. */
  forkedAt: number | undefined
  readonly compared: number[] = []
  readonly #waiting: Checkpoint[]

  constructor(known: readonly Checkpoint[], { size }: Checkpoint) {
    this.#waiting = [...known].sort((a, b) => b.size - a.size)
    const longest = this.#waiting[0]?.size ?? 0
    if (longest > size)
      throw fault('TRUNCATION', 'the log is shorter than an older checkpoint or the anchor', size)
  }

  compare(frontier: Frontier): void {
    for (let head = this.#waiting.at(-1); head?.size === frontier.size; head = this.#waiting.at(-1)) {
      this.#waiting.pop()
      this.compared.push(head.size)
      if (!equalBytes(head.root, frontier.root())) this.forkedAt ??= head.size
    }
  }
}

async function readAnchor(
  anchor: Anchor | Checkpoint | undefined,
  origin: string,
  { signal }: VerifyLogOptions,
): Promise<Checkpoint | undefined> {
  if (anchor === undefined) return undefined
  checkObject(anchor, 'anchor', rejectInput)
  const kept = 'read' in anchor ? await anchor.read(signal === undefined ? {} : { signal }) : anchor
  if (kept === undefined) return undefined
  const checkpoint = checkCheckpoint(kept)
  if (checkpoint.origin !== origin) throw rejectInput('the anchor is of another log')
  return checkpoint
}

function entryOf(bytes: Uint8Array): AuditEntry | undefined {
  try {
    return decodeEntry(bytes)
  } catch {
    return undefined
  }
}

/** @param different an entry with other content claims the place that was taken just before */
function repeated(different: boolean, index: number): AuditError {
  return different
    ? fault('INSERTION', 'two entries claim one place in the chain of a writer', index)
    : fault('DUPLICATION', 'a place in the chain of a writer occurs twice', index)
}

function edited(index: number): AuditError {
  return fault('EDIT', 'what stands there is no entry', index)
}

/** The stream ends within something, or too early. */
function cutShort(index: number, size: number): AuditError {
  return index < size
    ? fault('TRUNCATION', 'the log ends before its checkpoint does', index)
    : fault('INSERTION', 'something follows the last entry', index)
}

type Fault = 'EDIT' | 'DELETION' | 'REORDER' | 'DUPLICATION' | 'INSERTION' | 'TRUNCATION' | 'FORK'

const CODES: Readonly<Record<Fault, AuditErrorCode>> = {
  EDIT: 'ERR_AUDIT_EDIT',
  DELETION: 'ERR_AUDIT_DELETION',
  REORDER: 'ERR_AUDIT_REORDER',
  DUPLICATION: 'ERR_AUDIT_DUPLICATION',
  INSERTION: 'ERR_AUDIT_INSERTION',
  TRUNCATION: 'ERR_AUDIT_TRUNCATION',
  FORK: 'ERR_AUDIT_FORK',
}

function fault(kind: Fault, why: string, index: number | undefined): AuditError {
  return new AuditError(CODES[kind], why, index === undefined ? {} : { index })
}
