/** From a durable head to an anchored checkpoint (SPEC §14.7, AUDIT-20). @module */

import type { Realm } from '../base/brand.ts'
import { type CallOptions, GuiseError } from '../base/errors.ts'
import type { Store } from '../store/store.ts'
import type { Anchor } from './anchor.ts'
import { forked } from './anchor.ts'
import { type Checkpoint, type LogSigner, openWith, readCheckpoint, signCheckpoint } from './checkpoint.ts'
import { AuditError } from './errors.ts'
import { rolledBack } from './follower.ts'
import { checkpointKey, type LogHead } from './log-rows.ts'
import { bytesOf, KEY_TYPE, keyHashOf } from './note.ts'
import { verifyConsistency } from './proof.ts'
import { storedHashes } from './stored-hashes.ts'
import { openTree } from './tree.ts'

/** Where checkpoints come from and where they go. */
export interface PublisherParts {
  readonly store: Pick<Store, 'get' | 'commit'>
  readonly realm: Realm
  readonly signer: LogSigner | undefined
  readonly anchor: Anchor | undefined
}

/** Signs heads and anchors what was signed; only ever forward. */
export class Publisher {
  readonly #parts: PublisherParts
  #checkpoint: Checkpoint | undefined
  /** The newest that was signed or met, stored or about to be. */
  #signed: Checkpoint | undefined
  #storing: Promise<unknown> = Promise.resolve()
  #anchored = 0

  constructor(parts: PublisherParts) {
    this.#parts = parts
  }

  /** Entries that the anchor knows of, as far as this process knows. */
  get anchored(): number {
    return this.#anchored
  }

  /** The newest checkpoint that was signed or met. */
  get checkpoint(): Checkpoint | undefined {
    return this.#checkpoint
  }

  /** The newest that was signed or met; it may not be in the store yet. */
  get signed(): Checkpoint | undefined {
    return this.#signed
  }

  /** Resolves when nothing is being stored any more. */
  async idle(): Promise<void> {
    await this.#storing
  }

  /** Reads what the anchor keeps, before the log is read: the log may only be newer. */
  async readAnchor(options?: CallOptions): Promise<Checkpoint | undefined> {
    const kept = await this.#parts.anchor?.read(options)
    return kept && this.#genuine(kept)
  }

  /** True when the log's key signed a checkpoint. */
  isGenuine(checkpoint: Checkpoint): boolean {
    try {
      this.#genuine(checkpoint)
      return true
    } catch {
      return false
    }
  }

  /** True when a log of this head continues the one that `known` is of. */
  async continues(known: Checkpoint, head: LogHead, options?: CallOptions): Promise<boolean> {
    if (known.size > head.size) return false
    const proof = await this.consistency(known.size, head.size, options)
    try {
      verifyConsistency(known, head, proof)
      return true
    } catch {
      return false
    }
  }

  /** Throws `ERR_AUDIT_ROLLBACK` or `ERR_AUDIT_FORK` unless the log continues what was anchored. */
  async requireContinues(kept: Checkpoint, head: LogHead, options?: CallOptions): Promise<void> {
    await this.#requireBegins(kept, head, options)
    this.#anchored = Math.max(this.#anchored, kept.size)
  }

  async #requireBegins(known: Checkpoint, head: LogHead, options?: CallOptions): Promise<void> {
    if (known.size > head.size) throw rolledBack()
    if (!(await this.continues(known, head, options))) throw forked()
  }

  /** The proof that the log of `from` entries begins the one of `to`. */
  async consistency(from: number, to: number, options?: CallOptions): Promise<readonly Uint8Array[]> {
    const tree = await openTree(storedHashes(this.#parts.store, this.#parts.realm, options), to)
    return await tree.consistency(from, to)
  }

  /** Signs a durable head, and stores the checkpoint meanwhile; without a signer it takes what others signed. */
  async sign(head: LogHead, readOn: () => Promise<LogHead>, options: CallOptions = {}): Promise<void> {
    if (this.#signed !== undefined && this.#signed.size >= head.size) return
    const { signer } = this.#parts
    const stored = await this.#read(head, readOn, options)
    if (stored.isCurrent || signer === undefined || head.size === 0) return
    const next = await signCheckpoint(signer, head, options)
    this.#signed = next
    // Whoever needs it there stores it again when this fails.
    this.#storing = this.#store(next, stored.version, {}).catch(() => undefined)
  }

  /**
   * Signs a durable head, stores the checkpoint, and anchors it. Without a signer it takes what others signed. A stored checkpoint
   * beyond the head is taken when the log continues it: `readOn` gives the head as it is then.
   */
  async publish(head: LogHead, readOn: () => Promise<LogHead>, options: CallOptions = {}): Promise<void> {
    const checkpoint = await this.#sign(head, readOn, options)
    if (checkpoint === undefined || this.#parts.anchor === undefined) return
    if (checkpoint.size > this.#anchored || this.#anchored === 0) await this.#advance(checkpoint, options)
  }

  async #sign(
    head: LogHead,
    readOn: () => Promise<LogHead>,
    options: CallOptions,
  ): Promise<Checkpoint | undefined> {
    const { signer } = this.#parts
    await this.#storing
    for (;;) {
      if (this.#checkpoint !== undefined && this.#checkpoint.size >= head.size) return this.#checkpoint
      const stored = await this.#read(head, readOn, options)
      if (stored.isCurrent || signer === undefined || head.size === 0) return stored.known
      const next = await signCheckpoint(signer, head, options)
      try {
        await this.#store(next, stored.version, options)
        return next
      } catch (error) {
        // Another process was first: its checkpoint may do.
        if (!(error instanceof GuiseError) || error.code !== 'ERR_STORE_CONFLICT') throw error
      }
    }
  }

  /** The stored checkpoint; taken when it is of this head or a later one. */
  async #read(
    head: LogHead,
    readOn: () => Promise<LogHead>,
    options: CallOptions,
  ): Promise<{
    readonly known: Checkpoint | undefined
    readonly version: string | null
    readonly isCurrent: boolean
  }> {
    const { store, realm } = this.#parts
    const row = await store.get('log', checkpointKey(realm), options)
    const known = row && this.#known(row.bytes)
    const isCurrent = known !== undefined && known.size >= head.size
    if (isCurrent) {
      // What is signed is durable before: whoever reads on finds it, or the checkpoint is of another log.
      await this.#requireBegins(known, known.size > head.size ? await readOn() : head, options)
      this.#take(known)
    }
    return { known, version: row?.version ?? null, isCurrent }
  }

  async #store(next: Checkpoint, expected: string | null, options: CallOptions): Promise<void> {
    const { store, realm } = this.#parts
    const key = checkpointKey(realm)
    const bytes = bytesOf(next.note)
    await store.commit([{ step: 'put', table: 'log', key, bytes, expected }], options)
    this.#take(next)
  }

  #take(checkpoint: Checkpoint): void {
    this.#checkpoint = later(this.#checkpoint, checkpoint)
    this.#signed = later(this.#signed, checkpoint)
  }

  async #advance(checkpoint: Checkpoint, options: CallOptions): Promise<void> {
    const anchor = this.#parts.anchor as Anchor
    const consistency = (from: number, to: number) => this.consistency(from, to, options)
    try {
      await anchor.advance(checkpoint, { ...options, consistency })
      this.#anchored = Math.max(this.#anchored, checkpoint.size)
    } catch (error) {
      if (!(error instanceof AuditError) || error.code !== 'ERR_AUDIT_ROLLBACK') throw error
      // Another process may have anchored a longer log: whoever follows it finds it so.
      throw new AuditError('ERR_AUDIT_ANCHOR', 'the anchor knows a longer log', {
        cause: error,
        retryable: true,
      })
    }
  }

  /** A stored checkpoint; what the log's key did not sign, or not this one, is signed anew: the head vouches for the log. */
  #known(bytes: Uint8Array): Checkpoint | undefined {
    try {
      const checkpoint = readCheckpoint(TEXT.decode(bytes))
      return this.isGenuine(checkpoint) ? checkpoint : undefined
    } catch {
      return undefined
    }
  }

  /** A checkpoint that the log's own key signed; without the signer nobody here can tell. */
  #genuine(checkpoint: Checkpoint): Checkpoint {
    const { signer } = this.#parts
    if (signer === undefined) return checkpoint
    const { origin: name, publicKey } = signer
    return openWith(checkpoint.note, {
      name,
      type: KEY_TYPE.log,
      publicKey,
      keyHash: keyHashOf(name, KEY_TYPE.log, publicKey),
    })
  }
}

const TEXT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function later(known: Checkpoint | undefined, next: Checkpoint): Checkpoint {
  return known !== undefined && known.size >= next.size ? known : next
}
