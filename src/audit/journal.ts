/** The journal: entries of this process, one writer for each commit under way (SPEC §14.6). @module */

import type { Realm } from '../base/brand.ts'
import { copyPublic, toHex } from '../base/bytes.ts'
import { type CallOptions, GuiseError } from '../base/errors.ts'
import { randomBytes } from '../crypto/random.ts'
import type { Store, StoreStep } from '../store/store.ts'
import type { AuditEvent } from './chain.ts'
import type { AuditEntry } from './entry.ts'
import { EntryWriter, MOST_WRITTEN_BYTES } from './entry-writer.ts'
import { ENTRY_AT, type LogKeys, sealQueueRow } from './queue.ts'
import { HASH_BYTES, hashLeaf } from './tree.ts'

/** An entry that is in the queue, as whoever wrote it knows it. */
export interface Queued {
  readonly writer: string
  readonly sequence: number
  readonly previous: Uint8Array
  readonly leaf: Uint8Array
  readonly bytes: Uint8Array
  readonly said: Pick<AuditEntry, 'handle' | 'state' | 'attempts' | 'ring'>
  readonly timeMs: number
}

/** What happened, and when. */
export type TimedEvent = AuditEvent & { readonly timeMs: number }

/** What a commit left behind. */
export interface Committed {
  readonly versions: readonly string[]
  readonly entry: Uint8Array
}

/** Told of every entry of this process that became durable, and asked when a caller waits for what follows. */
export interface JournalListener {
  kept(entry: Queued): void
  /** Resolves when all that was kept so far is integrated, signed and anchored. */
  settle(options: CallOptions): Promise<void>
}

/** A writer that has nothing under way: what it writes next is numbered and linked to what it wrote last. */
interface Lane {
  readonly writer: Uint8Array
  readonly name: string
  sequence: number
  previous: Uint8Array
  usedMs: number
}

/** Readers forget writers that are silent for long: a lane goes before that. */
const IDLE_MS = 3_600_000

/** The entries of one process and realm. */
export class Journal {
  readonly #entries: EntryWriter
  readonly #room: Uint8Array = new Uint8Array(ENTRY_AT + MOST_WRITTEN_BYTES + 32)
  readonly #idle: Lane[] = []
  readonly #listeners: Set<JournalListener> = new Set()

  constructor(realm: Realm) {
    this.#entries = new EntryWriter(realm)
  }

  /** Tells a listener of what is kept from now on. */
  listen(listener: JournalListener): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Resolves when everything kept so far is integrated, signed and anchored, as far as somebody here does that. */
  async settle(options: CallOptions = {}): Promise<void> {
    await Promise.all([...this.#listeners].map((listener) => listener.settle(options)))
  }

  /**
   * Commits steps together with the entry that tells of them: both or neither. The keys must be loaded. Its number is used
   * again when the commit is refused, and its writer given up when nobody knows. Resolves with the versions of the steps and the
   * entry's bytes, which nobody changes.
   */
  async commit(
    store: Pick<Store, 'commit'>,
    steps: readonly StoreStep[],
    event: TimedEvent,
    keys: Pick<LogKeys, 'newestVersion' | 'key'>,
    options?: CallOptions,
  ): Promise<Committed> {
    const { timeMs } = event
    const lane = this.#take(timeMs)
    const { writer, sequence, previous, name } = lane
    const { handle = null, state = null, attempts = null, ring = null } = event
    const room = this.#room
    const end = this.#entries.write(room, ENTRY_AT, {
      writer,
      sequence,
      previous,
      timeMs,
      actor: event.actor ?? null,
      action: event.action,
      handle,
      record: event.record ?? null,
      generation: event.generation ?? null,
      outcome: event.outcome,
      epoch: event.epoch ?? null,
      policy: event.policy ?? null,
      basis: event.basis ?? null,
      state,
      attempts,
      ring,
    })
    const version = keys.newestVersion
    const row = copyPublic(sealQueueRow(room, end, version, keys.key(version) as Uint8Array))
    const bytes = row.subarray(ENTRY_AT, end)
    let versions: readonly string[]
    try {
      versions = await store.commit([...steps, { step: 'append', table: 'queue', bytes: row }], options)
    } catch (error) {
      if (wasRefused(error, options)) this.#idle.push(lane)
      throw error
    }
    const leaf = hashLeaf(bytes)
    lane.sequence = sequence + 1
    lane.previous = leaf
    this.#idle.push(lane)
    const said = { handle, state, attempts, ring }
    const queued: Queued = {
      writer: name,
      sequence,
      previous,
      leaf,
      bytes,
      said,
      timeMs,
    }
    for (const listener of this.#listeners) listener.kept(queued)
    return { versions: versions.slice(0, -1), entry: bytes }
  }

  /** The lane used last, so that few are in use; a new one when all have something under way. */
  #take(nowMs: number): Lane {
    const lane = this.#idle.pop()
    if (lane !== undefined && nowMs - lane.usedMs < IDLE_MS && nowMs >= lane.usedMs) {
      lane.usedMs = nowMs
      return lane
    }
    // Those below were used even earlier.
    this.#idle.length = 0
    const writer = randomBytes(16)
    return {
      writer,
      name: toHex(writer),
      sequence: 0,
      previous: new Uint8Array(HASH_BYTES),
      usedMs: nowMs,
    }
  }
}

/** True when nothing was written: every error of a store but one says so, and so does an abort that came in time. */
function wasRefused(error: unknown, options: CallOptions | undefined): boolean {
  if (error instanceof GuiseError) return error.code !== 'ERR_STORE_INDETERMINATE'
  return options?.signal?.aborted === true && error === options.signal.reason
}
