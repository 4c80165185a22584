/** Following a log in a store: what was integrated, then what waits in the queue, each entry once (SPEC §14.7). @module */

import type { Realm } from '../base/brand.ts'
import { byteText, copyPublic, equalBytes, joinBytes, toHex } from '../base/bytes.ts'
import type { CallOptions } from '../base/errors.ts'
import type { Store, StoredRow } from '../store/store.ts'
import { WriterChains } from './chains.ts'
import { type AuditEntry, decodeEntry } from './entry.ts'
import { AuditError } from './errors.ts'
import { Fifo } from './fifo.ts'
import type { Queued } from './journal.ts'
import { LastChanges } from './last-change.ts'
import { damaged, decodeHead, decodePage, headKey, type LogHead, PAGE_ENTRIES, pageKey } from './log-rows.ts'
import { entryStart, isGenuine, type LogKeys, readQueueRow } from './queue.ts'
import { Frontier, hashLeaf } from './tree.ts'

/** An entry that is read, and waits to be integrated. */
export interface Waiting {
  readonly writer: string
  readonly sequence: number
  readonly bytes: Uint8Array
  readonly leaf: Uint8Array
  /** Of its row in the queue. */
  readonly key: Uint8Array
  readonly version: string
}

/** An entry that is known and not integrated. */
export interface Ahead {
  readonly writer: string
  readonly sequence: number
  readonly leaf: Uint8Array
}

/** An entry whose writer is named by a text. */
export type ReadEntry = Omit<AuditEntry, 'writer'> & { readonly writer: string }

/** Where a reading of the log stands. */
export interface Captured {
  readonly frontier: Frontier
  /** First bytes of the tag of the keyring's row; `undefined` when no entry told of it. */
  readonly ring: Uint8Array | undefined
  readonly chains: readonly (readonly [writer: string, next: number, leaf: Uint8Array, seenMs: number])[]
  /** Entries that the chains count and the frontier does not. */
  readonly ahead: readonly Ahead[]
}

/** What stands for the version of a row that was not read. */
const AHEAD = 'ahead '
/** Writer and number as they are encoded: heads, 16 bytes, at most 8. */
const PLACE_BYTES = 26
const UNREAD = { bytes: new Uint8Array(0) } as const
const NOTHING_MET: ReadonlySet<string> = new Set()
/** Of every table, a place that nothing follows. */
const START: Uint8Array = new Uint8Array(1)
/** How many entries are read before others get a turn. */
const TURN_ENTRIES = 128
/** So many rows of the queue are held at once; fewer while others integrate them faster than they are read. */
const MOST_ROWS = 4096
const LEAST_ROWS = 64
/** A head that others wrote meanwhile is read again; so often when the log did not grow. */
const MOST_PASSES = 64

export class Follower {
  readonly changes: LastChanges = new LastChanges()
  readonly chains: WriterChains = new WriterChains()
  /** Entries of the queue, in the order in which they are to be integrated. */
  readonly #waiting: Fifo<Waiting> = new Fifo()
  ring: Uint8Array | undefined
  frontier: Frontier = new Frontier()
  /** Version of the head's row. */
  headVersion: string | null = null
  /** Rows of the queue that look like this realm's and that no holder of its keys wrote. */
  strange = 0
  readonly #store: Pick<Store, 'get' | 'scan'>
  readonly #realm: Realm
  readonly #keys: LogKeys
  readonly #start: Uint8Array
  readonly #onlyReads: boolean
  readonly #listener: ((entry: ReadEntry) => void) | undefined
  /** Entries of this process that are durable and were not met in the queue yet. */
  readonly #own: Map<string, Ahead & Pick<Queued, 'bytes'> & { readonly serial: number }> = new Map()
  #serial = 0
  /** Rows that were met before and may be met again, while the queue is read once more from its beginning. */
  #met: ReadonlySet<string> = new Set()
  #cursor: Uint8Array = START
  #untilTurn = TURN_ENTRIES

  /**
   * @param onlyReads does without the bytes of what waits: somebody else integrates it
   * @param listener told of each entry once, in the order of what it tells of a subject; of a process's own entries not at all
   */
  constructor(
    store: Pick<Store, 'get' | 'scan'>,
    realm: Realm,
    keys: LogKeys,
    onlyReads = false,
    listener?: (entry: ReadEntry) => void,
  ) {
    this.#onlyReads = onlyReads
    this.#listener = listener
    this.#store = store
    this.#realm = realm
    this.#keys = keys
    this.#start = entryStart(realm)
  }

  /** Integrated entries that were read. */
  get size(): number {
    return this.frontier.size
  }

  /** Entries that are known and not integrated. */
  get queued(): number {
    return this.#waiting.size + this.#own.size
  }

  /** The entries that are to be integrated next, at most so many. */
  oldest(most: number): readonly Waiting[] {
    return this.#waiting.first(most)
  }

  /** An entry of this process became durable. */
  kept(entry: Queued): void {
    if (this.chains.follow(entry) !== 'next') return
    this.#own.set(this.#placeOf(entry.bytes), { ...entry, serial: ++this.#serial })
    this.#apply(entry.said)
  }

  /** Reads all that is new. Throws an `AuditError` for what should not be there, or should be. */
  async follow(options?: CallOptions): Promise<void> {
    const serial = this.#serial
    let again = false
    let most = MOST_ROWS
    for (let pass = 1; ; pass++) {
      const { size } = this
      await this.#readHead(options)
      if (this.size > size) pass = 1
      const read = await this.#readQueue(most, options)
      if (read === 'moved') {
        if (pass === MOST_PASSES) throw damaged()
        most = Math.max(LEAST_ROWS, most / 4)
        continue
      }
      this.#met = NOTHING_MET
      if (read === 'whole' && !this.#lacks(serial)) return
      if (again) throw missing()
      // Before anything is said to be missing the whole queue is read once more.
      again = true
      this.#cursor = START
      this.#met = new Set(this.#waiting.first(Number.POSITIVE_INFINITY).map(nameOf))
    }
  }

  /** True when an entry that was durable when the reading began stands nowhere. */
  #lacks(serial: number): boolean {
    const [first] = this.#own.values()
    return first !== undefined && first.serial <= serial
  }

  /** Where the reading stands: all of it at one instant, but for the changes, which may run ahead. */
  capture(): Captured {
    const ahead = [...this.#waiting.first(Number.POSITIVE_INFINITY), ...this.#own.values()]
    return {
      frontier: this.frontier.clone(),
      ring: this.ring,
      chains: [...this.chains.export()],
      ahead: ahead.map(({ writer, sequence, leaf }) => ({ writer, sequence, leaf })),
    }
  }

  /** Goes on from what was captured; the changes are filled in by whoever calls. */
  restore({ frontier, ring, chains, ahead }: Captured): void {
    this.frontier = frontier
    this.ring = ring
    for (const link of chains) this.chains.import(...link)
    for (const [i, entry] of ahead.entries()) {
      this.#own.set(`${AHEAD}${i}`, { ...entry, ...UNREAD, serial: this.#serial })
    }
  }

  /** What waited is integrated: the sequencer of this process did it. */
  integrated(entries: readonly Waiting[], frontier: Frontier, headVersion: string): void {
    this.#waiting.drop(entries.length)
    this.frontier = frontier
    this.headVersion = headVersion
  }

  /** For whoever cannot integrate what waits although nobody else did: says what stands in the way. */
  async requireWaiting(options?: CallOptions): Promise<never> {
    for (const { key, version } of this.#waiting.first(Number.POSITIVE_INFINITY)) {
      const row = await this.#store.get('queue', key, options)
      if (row?.version !== version) throw missing()
    }
    throw damaged(this.size)
  }

  async #readHead(options?: CallOptions): Promise<void> {
    const row = await this.#store.get('log', headKey(this.#realm), options)
    if ((row?.version ?? null) === this.headVersion) return
    if (row === undefined) throw rolledBack()
    const head = await this.#openHead(row, options)
    if (head.size < this.size) throw rolledBack()
    await this.#readPages(head, options)
    if (!equalBytes(this.frontier.root(), head.root)) throw damaged()
    this.headVersion = row.version
  }

  async #openHead(row: StoredRow, options?: CallOptions): Promise<LogHead> {
    const head = decodeHead(row.bytes, this.#realm)
    const key = await this.#key(head.version, options)
    if (key === undefined || !head.isGenuine(key)) throw damaged()
    return head
  }

  async #readPages({ size }: LogHead, options?: CallOptions): Promise<void> {
    while (this.size < size) {
      const index = this.size
      const page = await this.#store.get('log', pageKey(this.#realm, index), options)
      const entries = page === undefined ? [] : decodePage(page.bytes)
      const from = index % PAGE_ENTRIES
      const to = Math.min(entries.length, from + size - index)
      if (to <= from) throw damaged(index)
      for (const entry of entries.slice(from, to)) this.#takeLogged(entry)
      await this.#giveTurn(to - from)
    }
  }

  #takeLogged(bytes: Uint8Array): void {
    const index = this.size
    // What is integrated is, as a rule, what waits longest.
    const first = this.#waiting.peek()
    if (first !== undefined && equalBytes(first.bytes, bytes)) {
      this.#waiting.drop(1)
      this.frontier.append(first.leaf)
      return
    }
    const leaf = hashLeaf(bytes)
    const entry = readEntry(bytes, this.#realm, index)
    const place = this.chains.follow({ ...entry, leaf })
    if (place === 'gap') throw missing(index)
    if (place === 'next') this.#take(entry)
    else this.#takeKnown(entry, leaf, index)
    this.frontier.append(leaf)
  }

  /** An entry that was read or written here before it was integrated by somebody else. */
  #takeKnown(entry: ReadEntry, leaf: Uint8Array, index: number): void {
    const same = isEntry(entry)
    let before: Ahead | undefined = this.#waiting.take(same)
    before ??= this.#takeOwn(same)
    if (before === undefined)
      throw new AuditError('ERR_AUDIT_DUPLICATION', 'a place in a writer’s chain occurs twice', { index })
    if (!equalBytes(before.leaf, leaf)) throw damaged(index)
  }

  /**
   * Takes what waits in the queue, as long as the log does not grow: an entry that was integrated meanwhile comes before what
   * still waits, and must be read before it. A `gap` when some of a writer's entries are missing.
   */
  async #readQueue(most: number, options?: CallOptions): Promise<'whole' | 'gap' | 'moved'> {
    for (;;) {
      const rows: StoredRow[] = []
      for await (const row of this.#store.scan('queue', this.#cursor, options)) {
        if (rows.push(row) === most) break
        await this.#giveTurn(1)
      }
      const head = await this.#store.get('log', headKey(this.#realm), options)
      if ((head?.version ?? null) !== this.headVersion) return 'moved'
      for (const row of rows) {
        if (!(await this.#takeQueued(row, options))) return 'gap'
        // The least key behind this one.
        this.#cursor = joinBytes(row.key, START)
        await this.#giveTurn(1)
      }
      if (rows.length < most) return 'whole'
    }
  }

  async #takeQueued({ key, bytes, version }: StoredRow, options?: CallOptions): Promise<boolean> {
    const row = readQueueRow(bytes)
    if (row === undefined || !startsWith(row.entry, this.#start)) return true
    const place = this.#placeOf(row.entry)
    const own = this.#own.get(place)
    if (own !== undefined && equalBytes(own.bytes, row.entry)) {
      this.#own.delete(place)
      this.#wait(own, own.bytes, key, version)
      return true
    }
    const logKey = await this.#key(row.version, options)
    if (logKey === undefined || !isGenuine(row, logKey)) {
      this.strange += 1
      return true
    }
    const entry = readEntry(row.entry, this.#realm)
    const leaf = hashLeaf(row.entry)
    const order = this.chains.follow({ ...entry, leaf })
    if (order === 'gap') return false
    if (order === 'next') this.#take(entry)
    else if (!this.#isAhead(entry, leaf)) {
      if (!this.#met.has(nameOf(entry))) this.strange += 1
      return true
    }
    const { writer, sequence } = entry
    this.#wait({ writer, sequence, leaf }, row.entry, key, version)
    return true
  }

  #wait({ writer, sequence, leaf }: Ahead, entry: Uint8Array, key: Uint8Array, version: string): void {
    const bytes = this.#onlyReads ? UNREAD.bytes : copyPublic(entry)
    this.#waiting.add({ writer, sequence, bytes, leaf, key, version })
  }

  /** True for a row of the queue that is known already, here or from a snapshot, and was not met in the queue yet. */
  #isAhead(entry: ReadEntry, leaf: Uint8Array): boolean {
    return this.#takeOwn((one) => isEntry(entry)(one) && equalBytes(one.leaf, leaf)) !== undefined
  }

  /** The bytes of an entry that tell its writer and its number in the chain, and no other entry has. */
  #placeOf(entry: Uint8Array): string {
    const from = this.#start.length
    return byteText(entry.subarray(from, from + PLACE_BYTES))
  }

  #takeOwn(fits: (one: Ahead) => boolean): Ahead | undefined {
    for (const [place, own] of this.#own) {
      if (!fits(own)) continue
      this.#own.delete(place)
      return own
    }
    return undefined
  }

  #take(entry: ReadEntry): void {
    this.#apply(entry)
    this.#listener?.(entry)
  }

  #apply({ handle, state, attempts, ring }: Queued['said']): void {
    if (handle !== null && state !== null) this.changes.set(handle, 'state', state)
    if (handle !== null && attempts !== null) this.changes.set(handle, 'attempts', attempts)
    if (ring !== null) this.ring = Uint8Array.from(ring)
  }

  /** A key of the log; another process may have made its version since the ring was read. */
  async #key(version: number, options?: CallOptions): Promise<Uint8Array | undefined> {
    const known = this.#keys.key(version)
    if (known !== undefined) return known
    await this.#keys.load(options)
    const loaded = this.#keys.key(version)
    if (loaded !== undefined) return loaded
    await this.#keys.refresh(options)
    await this.#keys.load(options)
    return this.#keys.key(version)
  }

  async #giveTurn(entries: number): Promise<void> {
    this.#untilTurn -= entries
    if (this.#untilTurn > 0) return
    this.#untilTurn = TURN_ENTRIES
    await new Promise((resolve) => setTimeout(resolve, 0))
  }
}

/** Makes the error of a log or a row that is older than what is known. */
export function rolledBack(): AuditError {
  return new AuditError('ERR_AUDIT_ROLLBACK', 'the store holds an older state than its log or anchor knows')
}

function missing(index?: number): AuditError {
  return new AuditError(
    'ERR_AUDIT_DELETION',
    'an entry of a writer is missing',
    index === undefined ? {} : { index },
  )
}

function readEntry(bytes: Uint8Array, realm: Realm, index?: number): ReadEntry {
  let entry: AuditEntry
  try {
    entry = decodeEntry(bytes)
  } catch {
    throw damaged(index)
  }
  if (entry.realm !== realm) throw damaged(index)
  return { ...entry, writer: toHex(entry.writer) }
}

function isEntry({ writer, sequence }: Ahead | ReadEntry): (one: Ahead) => boolean {
  return (one) => one.sequence === sequence && one.writer === writer
}

function nameOf({ writer, sequence }: { readonly writer: string; readonly sequence: number }): string {
  return `${writer}:${sequence}`
}

function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  return bytes.length >= start.length && start.every((byte, index) => bytes[index] === byte)
}
