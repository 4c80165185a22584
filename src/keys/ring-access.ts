/** The vault's side of a keyring (SPEC §4.4). @module */

import type { Journal } from '../audit/journal.ts'
import type { Epoch, Millis, Realm } from '../base/brand.ts'
import type { CallOptions } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'
import type { RowPlace, Store, StoredRow, StoreStep } from '../store/store.ts'
import type { RealmKeys } from './realm-keys.ts'

/**
 * What a vault needs of a keyring. Whatever hands out a key lends it until the caller's next `await`: ask again
 * after it, which costs nothing while the key is cached.
 */
export interface RingAccess {
  readonly realm: Realm
  /** The store that holds the ring; the keyring does not own it. */
  readonly store: Store
  /** False when the provider cannot destroy: then no erasure ever becomes irrecoverable. */
  readonly canDestroy: boolean
  /** The epoch that new wraps use. */
  readonly primary: Epoch
  readonly newestVersion: number
  /** The highest epoch that the ring knows, whatever became of it. */
  readonly newestEpoch: Epoch
  /** Every version of the realm keys, newest first. */
  readonly versions: readonly number[]

  /** Where the ring lies, and its version there when it was last read. */
  row(): { readonly key: Uint8Array; readonly version: string }

  /** The step that makes a commit fail with `ERR_STORE_CONFLICT` unless the ring is the one last read. */
  check(): CheckStep

  /** Reads the ring again when its row changed. Every verb begins with it (KEYS-12). `read`: reads the row, and others with it. */
  refresh(options?: CallOptions, read?: RingReader): Promise<void>

  /** Throws the errors of KEYS-11 unless wraps of the epoch may be opened. */
  requireOpenable(epoch: number): void

  /**
   * The prepared epoch key, 416 bytes, when it is cached. Throws the errors of KEYS-11.
   * `use` of a secret that the cache has dropped meanwhile throws `ERR_KEYS_DISPOSED`.
   */
  preparedEpoch(epoch: number): Secret | undefined

  /** Lends the prepared epoch key to `task`, which must be synchronous. Unwraps it when it is not cached. */
  useEpoch<Result>(
    epoch: number,
    task: (prepared: Uint8Array) => Result,
    options?: CallOptions,
  ): Promise<Result>

  /** Has the provider unwrap the primary epoch's key, whatever is cached, and wipes it: is the provider there? */
  askProvider(options?: CallOptions): Promise<void>

  /** The realm keys of a version when they are cached. Throws `ERR_KEYS_UNKNOWN_VERSION`. */
  realmKeys(version: number): RealmKeys | undefined

  /** The realm keys of a version; unwraps them when they are not cached. */
  loadRealmKeys(version: number, options?: CallOptions): Promise<RealmKeys>

  /** The instant at which the provider confirmed the epoch's destruction; `undefined` when it has not. */
  destroyedAt(epoch: number): Millis | undefined

  /** Where this process's entries of the log go. */
  readonly journal: Journal

  /** The first 16 bytes of the tag of the row that was last read, as log entries name it. */
  readonly rowTag: Uint8Array
}

/** Reads the ring's row in the ring's store. */
export type RingReader = (place: RowPlace) => Promise<StoredRow | undefined>

/** The step that only asserts. */
export type CheckStep = Extract<StoreStep, { readonly step: 'check' }>
