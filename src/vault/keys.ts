/** The keyring as verbs use it: loaded first, then lent without a pause (SPEC §4.4). @module */

import type { Journal } from '../audit/journal.ts'
import type { Epoch, Millis } from '../base/brand.ts'
import { KeysError } from '../keys/errors.ts'
import type { RealmKeys } from '../keys/realm-keys.ts'
import type { CheckStep, RingAccess, RingReader } from '../keys/ring-access.ts'
import type { Store } from '../store/store.ts'

/** A cache that keeps dropping what was just loaded is too small for the realm: after so many passes it is said. */
const MOST_PASSES = 4

/** Keys that are lent stay valid until the caller's next `await`; `load` again after it. */
export class VaultKeys {
  readonly #ring: RingAccess
  readonly #options: { readonly signal?: AbortSignal }

  /** @param signal ends every waiting with its reason */
  constructor(ring: RingAccess, signal?: AbortSignal) {
    this.#ring = ring
    this.#options = signal === undefined ? {} : { signal }
  }

  /** The same keys for one call. */
  within(signal: AbortSignal): VaultKeys {
    return new VaultKeys(this.#ring, signal)
  }

  get store(): Store {
    return this.#ring.store
  }

  get canDestroy(): boolean {
    return this.#ring.canDestroy
  }

  get primary(): Epoch {
    return this.#ring.primary
  }

  /** The highest epoch that the ring knows: the primary one may lie below it. */
  get newestEpoch(): Epoch {
    return this.#ring.newestEpoch
  }

  get newestVersion(): number {
    return this.#ring.newestVersion
  }

  get oldestVersion(): number {
    return this.versions.at(-1) as number
  }

  /** The newest first. */
  get versions(): readonly number[] {
    return this.#ring.versions
  }

  get journal(): Journal {
    return this.#ring.journal
  }

  /** The tag of the keyring's row as last read, as log entries name it. */
  get rowTag(): Uint8Array {
    return this.#ring.rowTag
  }

  /** The log key of a version; `undefined` when it is not loaded. */
  key(version: number): Uint8Array | undefined {
    return this.realmKeys(version)?.log
  }

  /** The step that makes a commit fail unless the ring is the one last read. */
  check(): CheckStep {
    return this.#ring.check()
  }

  destroyedAt(epoch: number): Millis | undefined {
    return this.#ring.destroyedAt(epoch)
  }

  /** Reads the ring again when its row changed. */
  refresh(): Promise<void> {
    return this.#ring.refresh(this.#options)
  }

  /** As `refresh`; `read` reads the row, and others with it. */
  refreshWith(read: RingReader): Promise<void> {
    return this.#ring.refresh(this.#options, read)
  }

  /** True when the realm keys of every version are held. */
  get hasRealmKeys(): boolean {
    return this.versions.every((version) => this.#ring.realmKeys(version) !== undefined)
  }

  /** True when `load` would have nothing to do: whoever looks first is spared a pause. */
  get isLoaded(): boolean {
    return this.hasRealmKeys && this.#ring.preparedEpoch(this.primary) !== undefined
  }

  /** Resolves when the provider itself, not a cache, opens the primary epoch. */
  askProvider(): Promise<void> {
    return this.#ring.askProvider(this.#options)
  }

  /**
   * Unwraps, where they are not held, the realm keys of every version and the primary epoch's key. The ring last read may
   * be out of date, its primary epoch gone by now (KEYS-12): before a failure is believed, the ring is read again.
   */
  async load(): Promise<void> {
    if (this.isLoaded) return
    try {
      await this.#loadWith(this.primary)
    } catch (error) {
      if (!(error instanceof KeysError)) throw error
      await this.refresh()
      await this.#loadWith(this.primary)
    }
  }

  /** As `load`, and the key of one more epoch. Throws the errors of KEYS-11 when it may not be used. */
  async loadEpoch(epoch: number): Promise<void> {
    if (!this.isLoaded || this.#ring.preparedEpoch(epoch) === undefined) await this.#loadWith(epoch)
  }

  realmKeys(version: number): RealmKeys | undefined {
    return this.versions.includes(version) ? this.#ring.realmKeys(version) : undefined
  }

  requireRealmKeys(version: number): RealmKeys {
    return this.realmKeys(version) ?? dropped()
  }

  /** Lends the prepared epoch key to `task`, which must not wait. */
  withEpoch<Result>(epoch: number, task: (prepared: Uint8Array) => Result): Result {
    return (this.#ring.preparedEpoch(epoch) ?? dropped()).use(task)
  }

  async #loadWith(epoch: number): Promise<void> {
    for (let pass = 0; pass < MOST_PASSES; pass++) {
      await this.#ring.useEpoch(epoch, () => undefined, this.#options)
      await this.#ring.useEpoch(this.primary, () => undefined, this.#options)
      for (const version of this.versions) await this.#ring.loadRealmKeys(version, this.#options)
      if (this.isLoaded && this.#ring.preparedEpoch(epoch) !== undefined) return
    }
    dropped()
  }
}

/** Only reached when a cache is smaller than what one verb needs. */
function dropped(): never {
  throw new KeysError(
    'ERR_KEYS_DISPOSED',
    'a key was dropped while it was needed: the cache of the keyring is too small',
  )
}
