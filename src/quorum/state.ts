/** What a holder remembers, durable before it answers, and how it notices that its store was put back (SPEC §13.5). @module */

import type { Anchor } from '../audit/anchor.ts'
import { type LocalLogSigner, logSigner, openCheckpoint, signCheckpoint } from '../audit/checkpoint.ts'
import { HASH_BYTES } from '../audit/tree.ts'
import { concatBytes, equalBytes, fixedLabel, toHex, utf8, wipe } from '../base/bytes.ts'
import { encodeCbor } from '../base/cbor.ts'
import type { CallOptions } from '../base/errors.ts'
import { realmPrefix } from '../base/identifier.ts'
import { Secret } from '../base/secret.ts'
import { hkdf } from '../crypto/kdf.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import type { Store, StoredRow, StoreStep } from '../store/store.ts'
import {
  type AcceptanceRow,
  type AcceptedLog,
  acceptanceKey,
  acceptanceText,
  noteOf,
  openAcceptance,
  sealAcceptance,
} from './acceptance.ts'
import { QuorumError, rejectInput } from './errors.ts'
import {
  type HeadRow,
  type HolderName,
  openHead,
  openRecord,
  type RecordRow,
  recordKey,
  sealHead,
  sealRecord,
  TagSum,
} from './rows.ts'

const KEY_BYTES = 32
/** The least key of a generation's row is a prefix followed by this many bytes. */
const NAME_BYTES = 36
/** The key of an acceptance is a prefix followed by its number. */
const NUMBER_BYTES = 4

export interface StateParts {
  readonly name: HolderName
  readonly store: Store
  readonly anchor: Anchor | undefined
  /** The holder's own secret, 32 bytes; borrowed while the state opens. */
  readonly key: Uint8Array
}

interface Kept {
  readonly row: RecordRow
  readonly version: string
  readonly tag: Uint8Array
}

const EMPTY: HeadRow = Object.freeze({
  sequence: 0,
  size: 0,
  root: new Uint8Array(HASH_BYTES),
  hour: 0,
  count: 0,
  rows: 0,
  leastEpoch: 1,
  floors: Object.freeze([]),
})

/**
 * All rows of a holder in memory, and every change of them in the store and in the anchor before anybody acts on it. One task at a time:
 * whoever calls takes turns.
 */
export class HolderState {
  readonly #name: HolderName
  readonly #store: Store
  readonly #anchor: Anchor | undefined
  readonly #key: Secret
  readonly #signer: LocalLogSigner
  readonly #rows = new Map<string, Kept>()
  #acceptances: readonly AcceptanceRow[] = []
  #sum = new TagSum()
  #head: HeadRow = EMPTY
  #headTag: Uint8Array = EMPTY.root
  #headVersion: string | null = null
  #anchored = 0
  /** True after a commit of which nobody knows whether it happened. */
  #unsure = true

  private constructor(parts: StateParts, key: Secret, signer: LocalLogSigner) {
    this.#name = parts.name
    this.#store = parts.store
    this.#anchor = parts.anchor
    this.#key = key
    this.#signer = signer
  }

  /** Reads everything. Throws `ERR_QUORUM_ROLLBACK` when it is not what the holder left (QUORUM-13). */
  static async open(parts: StateParts, options: CallOptions): Promise<HolderState> {
    await cryptoReady()
    const { realm, index } = parts.name
    const bound = encodeCbor([realm, index])
    const derive = (label: string): Uint8Array => hkdf(parts.key, [fixedLabel(label), bound], KEY_BYTES)
    const key = derive('guise/v1/quorum-state')
    const seed = derive('guise/v1/quorum-sign')
    try {
      const signer = await logSigner(`${realm}/quorum/${index}`, seed)
      const state = new HolderState(parts, new Secret(key, closed), signer)
      await state.settle(options)
      return state
    } finally {
      wipe(key, seed)
    }
  }

  get head(): HeadRow {
    return this.#head
  }

  /** How many generations are remembered, and how many of them as revoked. */
  get counts(): { readonly generations: number; readonly revoked: number } {
    const rows = [...this.#rows.values()]
    return { generations: rows.length, revoked: rows.filter(({ row }) => row.revoked).length }
  }

  /** Of all generations that are remembered. */
  get rows(): readonly RecordRow[] {
    return [...this.#rows.values()].map(({ row }) => row)
  }

  /** Rollbacks of the vault's log that were accepted, the oldest first. */
  get acceptances(): readonly AcceptanceRow[] {
    return this.#acceptances
  }

  /** The holder's verifier key, as text. */
  get verifierKey(): string {
    return this.#signer.verifierKey
  }

  row(record: Uint8Array, generation: Uint8Array): RecordRow {
    const kept = this.#rows.get(toHex(concatBytes(record, generation)))
    return kept?.row ?? { record, generation, revoked: false, total: 0, hour: 0, count: 0, next: 0 }
  }

  /** What was changed last is durable and anchored, or this throws `ERR_QUORUM_UNAVAILABLE` or `ERR_QUORUM_ROLLBACK`. */
  async settle(options: CallOptions): Promise<void> {
    if (this.#unsure) await this.#read(options)
    if (this.#head.sequence > this.#anchored) await this.#advance(options)
  }

  /** Keeps rows, each of another generation, and a head; durable and anchored when it resolves. */
  async keep(
    head: Omit<HeadRow, 'sequence' | 'rows'>,
    rows: readonly RecordRow[],
    options: CallOptions,
    acceptance?: AcceptanceRow,
  ): Promise<void> {
    const sum = this.#sum.clone()
    const steps: StoreStep[] = []
    let added = 0
    const sealed = rows.map((row) => {
      const place = toHex(concatBytes(row.record, row.generation))
      const before = this.#rows.get(place)
      const { bytes, tag } = this.#key.use((key) => sealRecord(this.#name, row, key))
      if (before === undefined) added += 1
      else sum.remove(before.tag)
      sum.add(tag)
      const key = recordKey(this.#name, row.record, row.generation)
      steps.push({ step: 'put', table: 'states', key, bytes, expected: before?.version ?? null })
      return { place, row, tag }
    })
    if (acceptance !== undefined) {
      const { bytes, tag } = this.#key.use((key) => sealAcceptance(this.#name, acceptance, key))
      sum.add(tag)
      added += 1
      const key = acceptanceKey(this.#name, acceptance.number)
      steps.push({ step: 'put', table: 'log', key, bytes, expected: null })
    }
    const next = { ...head, sequence: this.#head.sequence + 1, rows: this.#head.rows + added }
    const { bytes, tag: headTag } = this.#key.use((key) => sealHead(this.#name, next, sum.bytes(), key))
    steps.push({ step: 'put', table: 'log', key: this.#prefix(), bytes, expected: this.#headVersion })
    const versions = await this.#commit(steps, options)
    for (const [i, { place, row, tag }] of sealed.entries()) {
      this.#rows.set(place, { row, version: versions[i] as string, tag })
    }
    if (acceptance !== undefined) this.#acceptances = [...this.#acceptances, acceptance]
    this.#sum = sum
    this.#head = next
    this.#headTag = headTag
    this.#headVersion = versions.at(-1) as string
    await this.#advance(options)
  }

  /**
   * Goes on from another head of the vault's log. Every count and every revocation stays; entries before that head are answered no more, and those
   * behind it for the first time, wherever the lost log had others. Resolves with a note that the holder signed.
   */
  async accept(
    { to, digest }: AcceptedLog,
    { actor, timeMs }: { readonly actor: string; readonly timeMs: number },
    options: CallOptions,
  ): Promise<{ readonly row: AcceptanceRow; readonly statement: string }> {
    const { size, root } = this.#head
    const number = this.#acceptances.length + 1
    const row: AcceptanceRow = { number, from: { size, root }, to, actor, timeMs, digest }
    const ahead = [...this.#rows.values()].filter((kept) => kept.row.next > to.size)
    const rows = ahead.map((kept) => ({ ...kept.row, next: to.size }))
    await this.keep({ ...this.#head, size: to.size, root: to.root }, rows, options, row)
    const text = acceptanceText(this.#signer.origin, row)
    return { row, statement: noteOf(text, this.#signer, await this.sign(utf8(text) as Uint8Array)) }
  }

  /** The Ed25519 signature of the holder. */
  sign(message: Uint8Array): Promise<Uint8Array> {
    return this.#signer.sign(message)
  }

  /** Wipes the keys. The store stays the caller's. */
  close(): void {
    this.#key.dispose()
    this.#signer.close()
  }

  async #commit(steps: readonly StoreStep[], options: CallOptions): Promise<readonly string[]> {
    // Until the answer is there nobody knows what the store holds.
    this.#unsure = true
    try {
      const versions = await this.#store.commit(steps, options)
      this.#unsure = false
      return versions
    } catch (error) {
      options.signal?.throwIfAborted()
      throw unavailable('the holder cannot write', error)
    }
  }

  async #advance(options: CallOptions): Promise<void> {
    const { sequence } = this.#head
    if (this.#anchor !== undefined) {
      const head = { size: sequence, root: this.#headTag }
      const checkpoint = await signCheckpoint(this.#signer, head, options)
      try {
        await this.#anchor.advance(checkpoint, options)
      } catch (error) {
        options.signal?.throwIfAborted()
        throw unavailable('the holder’s anchor does not go forward', error)
      }
    }
    this.#anchored = sequence
  }

  async #read(options: CallOptions): Promise<void> {
    const rows = await this.#scan('states', NAME_BYTES, options)
    const accepted = await this.#scan('log', NUMBER_BYTES, options)
    const headRow = await this.#store.get('log', this.#prefix(), options)
    this.#take(rows, accepted, headRow)
    await this.#checkAnchor(options)
    this.#unsure = false
  }

  /** The rows behind the prefix whose names have so many bytes; the head has none. */
  async #scan(
    table: 'states' | 'log',
    nameBytes: number,
    options: CallOptions,
  ): Promise<readonly StoredRow[]> {
    const prefix = this.#prefix()
    const rows: StoredRow[] = []
    for await (const row of this.#store.scan(table, prefix, options)) {
      if (table === 'log' && equalBytes(row.key, prefix)) continue
      const isOwn =
        row.key.length === prefix.length + nameBytes && equalBytes(row.key.subarray(0, prefix.length), prefix)
      if (!isOwn) break
      rows.push(row)
    }
    return rows
  }

  #take(rows: readonly StoredRow[], accepted: readonly StoredRow[], headRow: StoredRow | undefined): void {
    this.#rows.clear()
    this.#sum = new TagSum()
    for (const { key, bytes, version } of rows) {
      const { tag, ...row } = genuine(() => this.#key.use((own) => openRecord(this.#name, bytes, own)))
      if (!equalBytes(key, recordKey(this.#name, row.record, row.generation))) throw rolledBack()
      this.#rows.set(toHex(concatBytes(row.record, row.generation)), { row, version, tag })
      this.#sum.add(tag)
    }
    this.#acceptances = accepted.map(({ key, bytes }) => {
      const { tag, ...row } = genuine(() => this.#key.use((own) => openAcceptance(this.#name, bytes, own)))
      if (!equalBytes(key, acceptanceKey(this.#name, row.number))) throw rolledBack()
      this.#sum.add(tag)
      return row
    })
    const count = rows.length + accepted.length
    if (headRow === undefined) {
      if (count > 0) throw rolledBack()
      this.#head = EMPTY
      this.#headTag = EMPTY.root
      this.#headVersion = null
      return
    }
    const sum = this.#sum.bytes()
    const { tag, ...head } = genuine(() =>
      this.#key.use((own) => openHead(this.#name, headRow.bytes, sum, own)),
    )
    if (head.rows !== count) throw rolledBack()
    this.#head = head
    this.#headTag = tag
    this.#headVersion = headRow.version
  }

  async #checkAnchor(options: CallOptions): Promise<void> {
    this.#anchored = this.#anchor === undefined ? this.#head.sequence : 0
    const kept = await this.#anchor?.read(options)
    if (kept === undefined) return
    const { size, root } = genuine(() => openCheckpoint(kept.note, this.#signer.verifierKey))
    const same = size === this.#head.sequence
    if (size > this.#head.sequence || (same && !equalBytes(root, this.#headTag))) throw rolledBack()
    this.#anchored = size
  }

  #prefix(): Uint8Array {
    return realmPrefix(this.#name.realm)
  }
}

/** Whatever is wrong with what a holder wrote itself means that somebody else wrote it, or put it back. */
function genuine<Result>(read: () => Result): Result {
  try {
    return read()
  } catch (error) {
    throw rolledBack(error)
  }
}

function rolledBack(cause?: unknown): QuorumError {
  return new QuorumError('ERR_QUORUM_ROLLBACK', 'the store is not what the holder left', { cause })
}

function unavailable(why: string, cause: unknown): QuorumError {
  return new QuorumError('ERR_QUORUM_UNAVAILABLE', why, { cause, retryable: true })
}

function closed(): QuorumError {
  return rejectInput('the holder is closed')
}
