/** A part of a gallery in a process of its own: answers questions, decides nothing (SPEC §16.9). @module */

import { wipe } from '../base/bytes.ts'
import { checkInteger } from '../base/check.ts'
import type { CallOptions } from '../base/errors.ts'
import { Turns } from '../base/turns.ts'
import { type OpenedQuestion, openQuestion, sealAnswer } from '../gallery/answer-part.ts'
import type { GalleryProfile } from '../gallery/declaration.ts'
import { partFailure, rejectDeclaration } from '../gallery/errors.ts'
import { MOST_PARTS, numberOf, type PartPlace } from '../gallery/part-place.ts'
import { scanTable } from '../gallery/scan.ts'
import { readFields } from '../policy/fields.ts'
import { checkCall } from './calls.ts'
import type { VaultContext } from './context.ts'
import { overloaded, rejectConfiguration, VaultError } from './errors.ts'
import type { Gallery } from './gallery.ts'
import { type GalleryMoment, sync } from './gallery-sync.ts'
import { requireGallery } from './identify.ts'
import { checkLoad, loadGallery } from './load-gallery.ts'
import { openContext } from './open.ts'
import { logElsewhere } from './symbols.ts'
import type { LoadedGallery, LoadGalleryOptions, VaultOptions } from './types.ts'

/** What a vault of the realm is opened with, and which part this is. It signs no log and needs no anchor. */
export interface GalleryPartOptions extends Omit<VaultOptions, 'logSigner' | 'anchor' | 'telemetry'> {
  readonly part: PartPlace
}

/** An open part. */
export interface OpenGalleryPart extends AsyncDisposable {
  readonly index: number
  readonly of: number
  /** The sealed answer to a coordinator's question. `ERR_GALLERY_PART` for what is none, or is another part's. */
  answer(question: Uint8Array, options?: CallOptions): Promise<Uint8Array>
  /** Loads this part's shards, or brings them up to date, so that no question has to wait for that. */
  load(options?: LoadGalleryOptions): Promise<LoadedGallery>
  /** Waits for the answers under way, and wipes the index. Closes neither the stores nor the keyring. */
  close(): Promise<void>
}

/**
 * Opens one part of a gallery that several processes keep. The vault that asks is opened with `gallery: { …, parts }`. Never writes a
 * row. Throws as `openVault` does.
 *
 * @example
 * ```ts
 * const part = await openGalleryPart({ keyring, store, model, purpose, operatingPoints, custody, gallery, part: { index: 0, of: 2 } })
 * await part.load()
 * const answer = await part.answer(question) // from the coordinator, by whatever way
 * ```
 */
export async function openGalleryPart(options: GalleryPartOptions): Promise<OpenGalleryPart> {
  const { part } = readFields(options, 'options', ['part'], rejectConfiguration)
  const given = readFields(part, 'part', ['index', 'of'], rejectDeclaration)
  const of = checkInteger(given.of, 'part.of', [1, MOST_PARTS], rejectDeclaration)
  const index = checkInteger(given.index, 'part.index', [0, of - 1], rejectDeclaration)
  const ctx = await openContext({ ...options, [logElsewhere]: true }, { index, of })
  try {
    return new Part(ctx, requireGallery(ctx))
  } catch (error) {
    await ctx.ledger.close()
    throw error
  }
}

class Part implements OpenGalleryPart {
  readonly #ctx: VaultContext
  readonly #gallery: Gallery
  readonly #running: Set<Promise<unknown>> = new Set()
  readonly #turns: Turns = new Turns()
  #next: Promise<GalleryMoment> | undefined
  #closed = false

  constructor(ctx: VaultContext, gallery: Gallery) {
    this.#ctx = ctx
    this.#gallery = gallery
  }

  get index(): number {
    return this.#gallery.place.index
  }

  get of(): number {
    return this.#gallery.place.of
  }

  async answer(question: Uint8Array, options?: CallOptions): Promise<Uint8Array> {
    if (!(question instanceof Uint8Array)) throw partFailure('a question must be a Uint8Array')
    const asked = Uint8Array.from(question)
    return await this.#run(options, (ctx) => this.#answer(ctx, asked))
  }

  async load(options?: LoadGalleryOptions): Promise<LoadedGallery> {
    const progress = checkLoad(options)
    return await this.#run(options, (ctx) => loadGallery(ctx, progress))
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await Promise.allSettled(this.#running)
    await this.#gallery.dispose()
    await this.#ctx.ledger.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #run<Result>(
    options: CallOptions | undefined,
    task: (ctx: VaultContext) => Promise<Result>,
  ): Promise<Result> {
    const { signal } = checkCall({ signal: options?.signal })
    if (this.#closed) throw new VaultError('ERR_VAULT_CLOSED', 'the part is closed')
    if (this.#running.size >= this.#ctx.settings.maxInFlight) throw overloaded()
    signal?.throwIfAborted()
    const running = task(this.#ctx.within(signal === undefined ? {} : { signal }))
    this.#running.add(running)
    try {
      return await running
    } finally {
      this.#running.delete(running)
    }
  }

  async #answer(ctx: VaultContext, bytes: Uint8Array): Promise<Uint8Array> {
    const { place, settings, table } = this.#gallery
    const of = { profile: settings.profile, place }
    const question = await openWithKeys(ctx, bytes, of)
    const { integers, threshold, version } = question
    try {
      const { members, unreadable } = await this.#fresh()
      const { bits } = settings.profile
      const probe = { integers, bits, threshold, signal: ctx.signal }
      const found = integers.length === 0 ? [] : await scanTable(table, probe)
      wipe(integers)
      const hits = found.map((hit) => ({ ...hit, number: numberOf(place, hit.number) }))
      await ctx.ring.load()
      const answer = { members, unreadable, shards: table.shards, hits }
      return sealAnswer(question, of, answer, ctx.ring.requireRealmKeys(version).part)
    } finally {
      wipe(integers)
    }
  }

  /** Brings the index up to date after now; whoever asks before that has begun shares it. */
  #fresh(): Promise<GalleryMoment> {
    this.#next ??= this.#turns.run(() => {
      this.#next = undefined
      return this.#ctx.decide(() => sync(this.#ctx, this.#gallery))
    })
    return this.#next
  }
}

/** A question under a version of the keys that this process has not seen yet makes it read the keyring. */
async function openWithKeys(
  ctx: VaultContext,
  bytes: Uint8Array,
  of: { readonly profile: GalleryProfile; readonly place: PartPlace },
): Promise<OpenedQuestion> {
  await ctx.ring.load()
  let known = true
  const open = (): OpenedQuestion =>
    openQuestion(bytes, of, (version) => {
      known = ctx.ring.versions.includes(version)
      return ctx.ring.realmKeys(version)?.part
    })
  try {
    return open()
  } catch (error) {
    if (known) throw error
    await ctx.ring.refresh()
    await ctx.ring.load()
    return open()
  }
}
