/** A realm's log as its store holds it, for whoever reads rows and has no key (SPEC §14.4, §14.7). @module */

import type { Realm } from '../base/brand.ts'
import type { CallOptions } from '../base/errors.ts'
import { checkRealm } from '../base/identifier.ts'
import type { Store } from '../store/store.ts'
import { type Checkpoint, readCheckpoint } from './checkpoint.ts'
import { type AuditEntry, decodeEntry } from './entry.ts'
import { rejectInput } from './errors.ts'
import { exportLog } from './export.ts'
import { checkpointKey, damaged, decodePage, PAGE_ENTRIES, pageKey } from './log-rows.ts'
import type { InclusionProof } from './proof.ts'
import { storedHashes } from './stored-hashes.ts'
import { openTree } from './tree.ts'

/** An entry and the proof that it is in the log: `verifyInclusion(entry, proof, logKey)`. */
export interface EntryProof extends InclusionProof {
  readonly entry: Uint8Array
}

/** Reads a log without deciding whether it is genuine: that is what its proofs and its export are for. */
export interface StoredLog {
  /** The newest signed checkpoint; `undefined` before the first. Its signature is not looked at. */
  checkpoint(options?: CallOptions): Promise<Checkpoint | undefined>
  /** The bytes of the entry at `index`. Throws `ERR_AUDIT_EDIT` when they are not there. */
  entry(index: number, options?: CallOptions): Promise<Uint8Array>
  /** The proof that the entry at `index` is in the log of the newest checkpoint. Throws `ERR_AUDIT_INPUT` when it is not. */
  inclusion(index: number, options?: CallOptions): Promise<InclusionProof>
  /** The proof that the log of `from` entries begins the one of `to`. */
  consistency(from: number, to: number, options?: CallOptions): Promise<readonly Uint8Array[]>
  /**
   * The newest entry that `fits`, with its proof; `undefined` when none of the last `most` entries under the newest checkpoint does.
   */
  prove(
    fits: (entry: AuditEntry) => boolean,
    most: number,
    options?: CallOptions,
  ): Promise<EntryProof | undefined>
  /** The stream that `verifyLog` reads, up to the newest checkpoint. Throws `ERR_AUDIT_INPUT` before the first. */
  export(options?: CallOptions): AsyncIterable<Uint8Array>
}

/**
 * The log of a realm. Nothing but `get` of the store is used: a role that may read the tables of the log suffices.
 *
 * @example
 * ```ts
 * const log = storedLog(store, 'clinic')
 * const { checkpoint } = await verifyLog(log.export(), { logKey: signer.verifierKey })
 * ```
 */
export function storedLog(store: Pick<Store, 'get'>, realm: string): StoredLog {
  const name = checkRealm(realm, rejectInput)
  return new RowsOfLog(store, name)
}

/** `prove` of a realm's log under a checkpoint that may not be stored yet. */
export function proveUnder(
  { store, realm }: { readonly store: Pick<Store, 'get'>; readonly realm: Realm },
  checkpoint: Checkpoint,
  fits: (entry: AuditEntry) => boolean,
  most: number,
  options?: CallOptions,
): Promise<EntryProof | undefined> {
  return new RowsOfLog(store, realm).proveUnder(checkpoint, fits, most, options)
}

const TEXT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

class RowsOfLog implements StoredLog {
  readonly #store: Pick<Store, 'get'>
  readonly #realm: Realm

  constructor(store: Pick<Store, 'get'>, realm: Realm) {
    this.#store = store
    this.#realm = realm
  }

  async checkpoint(options?: CallOptions): Promise<Checkpoint | undefined> {
    const row = await this.#store.get('log', checkpointKey(this.#realm), options)
    return row && readCheckpoint(TEXT.decode(row.bytes))
  }

  async entry(index: number, options?: CallOptions): Promise<Uint8Array> {
    const page = await this.#page(index, options)
    const entry = page[index % PAGE_ENTRIES]
    if (entry === undefined) throw damaged(index)
    return Uint8Array.from(entry)
  }

  async inclusion(index: number, options?: CallOptions): Promise<InclusionProof> {
    return this.#inclusionUnder(await this.#signed(options), index, options)
  }

  async consistency(from: number, to: number, options?: CallOptions): Promise<readonly Uint8Array[]> {
    return await (await this.#tree(to, options)).consistency(from, to)
  }

  async prove(
    fits: (entry: AuditEntry) => boolean,
    most: number,
    options?: CallOptions,
  ): Promise<EntryProof | undefined> {
    const checkpoint = await this.checkpoint(options)
    return checkpoint && this.proveUnder(checkpoint, fits, most, options)
  }

  async proveUnder(
    checkpoint: Checkpoint,
    fits: (entry: AuditEntry) => boolean,
    most: number,
    options?: CallOptions,
  ): Promise<EntryProof | undefined> {
    const { size } = checkpoint
    const from = Math.max(0, size - most)
    let page: readonly Uint8Array[] = []
    for (let index = size - 1; index >= from; index--) {
      const place = index % PAGE_ENTRIES
      if (page.length === 0 || place === PAGE_ENTRIES - 1) page = await this.#page(index, options)
      const entry = page[place]
      if (entry === undefined) throw damaged(index)
      if (fits(decodeEntry(entry))) {
        return { entry: Uint8Array.from(entry), ...(await this.#inclusionUnder(checkpoint, index, options)) }
      }
    }
    return undefined
  }

  async #inclusionUnder(
    { size, note }: Checkpoint,
    index: number,
    options?: CallOptions,
  ): Promise<InclusionProof> {
    const hashes = await (await this.#tree(size, options)).inclusion(index, size)
    return { index, size, hashes, checkpoint: note }
  }

  async *export(options?: CallOptions): AsyncGenerator<Uint8Array, void> {
    const checkpoint = await this.#signed(options)
    yield* exportLog(this.#entries(checkpoint.size, options), checkpoint)
  }

  async *#entries(size: number, options?: CallOptions): AsyncGenerator<Uint8Array, void> {
    for (let index = 0; index < size; ) {
      const page = await this.#page(index, options)
      if (page.length === 0) throw damaged(index)
      yield* page
      index += page.length
    }
  }

  async #page(index: number, options?: CallOptions): Promise<readonly Uint8Array[]> {
    const row = await this.#store.get('log', pageKey(this.#realm, index), options)
    return row === undefined ? [] : decodePage(row.bytes)
  }

  async #signed(options?: CallOptions): Promise<Checkpoint> {
    const checkpoint = await this.checkpoint(options)
    if (checkpoint === undefined) throw rejectInput('the log has no checkpoint yet')
    return checkpoint
  }

  #tree(size: number, options?: CallOptions): ReturnType<typeof openTree> {
    return openTree(storedHashes(this.#store, this.#realm, options), size)
  }
}
