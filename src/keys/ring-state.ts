/** One process's view of a ring: read again when its row changed, changed by compare-and-set (SPEC §4.4). @module */

import type { AuditEvent } from '../audit/chain.ts'
import { ROW_TAG_BYTES } from '../audit/entry.ts'
import { Journal } from '../audit/journal.ts'
import type { Epoch, Millis, Realm } from '../base/brand.ts'
import { equalBytes, wipe } from '../base/bytes.ts'
import { systemClock } from '../base/clock.ts'
import { type CallOptions, GuiseError } from '../base/errors.ts'
import { KeyedMutex } from '../base/mutex.ts'
import { Secret } from '../base/secret.ts'
import { hkdfPrepare } from '../crypto/kdf.ts'
import type { Store, StoredRow, StoreStep } from '../store/store.ts'
import { type CacheOptions, SecretCache } from './cache.ts'
import { badRing, disposed, KeysError } from './errors.ts'
import { asEpoch, epochContext, type GuardedProvider, realmContext } from './provider.ts'
import { canDestroy, type Providers, providerOf } from './providers.ts'
import { RealmKeys } from './realm-keys.ts'
import {
  DESTROYED,
  decodeRing,
  encodeRing,
  findEpoch,
  findSecret,
  newestVersion,
  type Ring,
  ringIsGenuine,
  ringRowKey,
  TAG_BYTES,
} from './ring.ts'
import type { CheckStep, RingAccess, RingReader } from './ring-access.ts'
import { isHeldElsewhere, requireOpenable } from './transition.ts'

const MAX_ATTEMPTS = 8 // Other processes change the ring meanwhile, but not so often in a row by chance.
const EPOCHS_OF_A_VERB = 3 // The one of a wrap, the primary one, and one that is about to become it.
const TABLE = 'keyrings'

/** The ring as last read, with the row's version in the store and its tag. */
interface View {
  readonly ring: Ring
  readonly rowVersion: string
  readonly tag: Uint8Array
}

/** What the log is told of a change. */
export type KeyEvent = Pick<AuditEvent, 'action'> & Partial<Pick<AuditEvent, 'epoch' | 'outcome'>>

/** What a change wants to be written: a ring, and the keys of its newest version when that is new. */
export interface Proposal {
  readonly ring: Ring
  readonly event: KeyEvent
  /** Owned by whoever the proposal is given to. */
  readonly keys?: RealmKeys
}

export class RingState implements RingAccess {
  readonly realm: Realm
  readonly store: Store
  readonly journal: Journal
  readonly providers: Providers
  readonly #key: Uint8Array
  readonly #cache: SecretCache
  readonly #maxSecrets: number
  readonly #changes = new KeyedMutex()
  #view: View | undefined
  /** Of the view, the newest first. */
  #versions: readonly number[] = []
  #closed = false

  constructor(realm: Realm, store: Store, providers: Providers, options: Required<CacheOptions>) {
    this.realm = realm
    this.store = store
    this.providers = providers
    this.journal = new Journal(realm)
    this.#key = ringRowKey(realm)
    this.#cache = new SecretCache(options)
    this.#maxSecrets = options.maxSecrets
  }

  /** The ring as last read. */
  get ring(): Ring {
    return this.#current().ring
  }

  /** The provider of the ring as last read; before that, the one for a new ring. */
  get provider(): GuardedProvider {
    const [first] = this.providers.keys()
    return providerOf(this.providers, this.#view?.ring.provider ?? first)
  }

  get canDestroy(): boolean {
    return canDestroy(this.providers, this.ring)
  }

  get primary(): Epoch {
    return asEpoch(this.ring.primary)
  }

  get newestEpoch(): Epoch {
    return asEpoch(this.ring.epochs.length)
  }

  get newestVersion(): number {
    return newestVersion(this.ring)
  }

  get versions(): readonly number[] {
    this.#current()
    return this.#versions
  }

  get rowTag(): Uint8Array {
    return this.#current().tag.subarray(0, ROW_TAG_BYTES)
  }

  row(): { readonly key: Uint8Array; readonly version: string } {
    return { key: Uint8Array.from(this.#key), version: this.#current().rowVersion }
  }

  check(): CheckStep {
    return { step: 'check', table: TABLE, key: this.#key, expected: this.#current().rowVersion }
  }

  async refresh(options: CallOptions = {}, read?: RingReader): Promise<void> {
    this.#alive()
    const row = await (read === undefined
      ? this.store.get(TABLE, this.#key, options)
      : read({ table: TABLE, key: this.#key }))
    this.#alive()
    if (row === undefined) throw new KeysError('ERR_KEYS_ABSENT', 'the store holds no keyring of this realm')
    if (row.version !== this.#view?.rowVersion) await this.#accept(row, options)
  }

  /**
   * Writes the ring that `step` makes of the current one, and again from a fresh ring when another process was
   * first. `step` gives `undefined` when nothing needs to change; what it throws leaves the ring as it was.
   */
  async change(step: (ring: Ring) => Promise<Proposal | undefined>, options: CallOptions): Promise<void> {
    await this.#changes.run('', () => this.#attempt(step, options), options.signal)
    await this.journal.settle(options)
  }

  /** Logs that a change was refused. */
  async logRefused(event: KeyEvent, options: CallOptions): Promise<void> {
    const keys = await this.#newestKeys(this.ring, options)
    await this.#log([], { ...event, outcome: 'refused' }, keys, options)
  }

  /** Throws `ERR_KEYS_EXISTS` when the realm has a ring. */
  async requireAbsent(options: CallOptions): Promise<void> {
    if ((await this.store.get(TABLE, this.#key, options)) !== undefined) throw exists()
  }

  /** Writes the first ring of a realm. */
  async create(proposal: Required<Proposal>, options: CallOptions): Promise<void> {
    try {
      await this.#write(proposal, null, options)
    } catch (error) {
      if (!isConflict(error)) throw error
      throw exists(error)
    }
  }

  /** Throws `ERR_KEYS_FULL` unless so many versions of the realm keys fit into the cache together with a verb's epochs. */
  requireRoom(versions: number): void {
    if (versions + EPOCHS_OF_A_VERB <= this.#maxSecrets) return
    throw new KeysError(
      'ERR_KEYS_FULL',
      'the cache of the keyring is too small for another version of the realm keys',
    )
  }

  requireOpenable(epoch: number): void {
    requireOpenable(this.ring, epoch)
  }

  preparedEpoch(epoch: number): Secret | undefined {
    this.requireOpenable(epoch)
    return this.#cache.get(epochName(epoch)) as Secret | undefined
  }

  async useEpoch<Result>(
    epoch: number,
    task: (prepared: Uint8Array) => Result,
    options: CallOptions = {},
  ): Promise<Result> {
    for (;;) {
      const prepared = this.preparedEpoch(epoch)
      if (prepared !== undefined) return prepared.use(task)
      await this.#cache.fill(epochName(epoch), (signal) => this.#loadEpoch(epoch, signal), options.signal)
    }
  }

  async askProvider(options: CallOptions = {}): Promise<void> {
    const { wrapped } = requireOpenable(this.ring, this.primary)
    wipe(await this.provider.unwrap(wrapped, epochContext(this.realm, this.primary), options))
  }

  realmKeys(version: number): RealmKeys | undefined {
    requireVersion(this.ring, version)
    return this.#cache.get(realmName(version)) as RealmKeys | undefined
  }

  async loadRealmKeys(version: number, options: CallOptions = {}): Promise<RealmKeys> {
    return await this.#realmKeysFrom(this.ring, version, options)
  }

  destroyedAt(epoch: number): Millis | undefined {
    const entry = findEpoch(this.ring, epoch)
    if (entry === undefined || entry.status !== DESTROYED || entry.changedMs === 0) return undefined
    if (isHeldElsewhere(this.ring, epoch)) return undefined
    return entry.changedMs as Millis
  }

  /** Wipes every unwrapped secret. A second call does nothing. */
  close(): void {
    this.#closed = true
    this.#cache.close()
  }

  #alive(): void {
    if (this.#closed) throw disposed()
  }

  #current(): View {
    // Nobody outside gets hold of a state before its ring has been read.
    if (this.#closed || this.#view === undefined) throw disposed()
    return this.#view
  }

  async #attempt(step: (ring: Ring) => Promise<Proposal | undefined>, options: CallOptions): Promise<void> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      await this.refresh(options)
      const { ring, rowVersion } = this.#current()
      const proposal = await step(ring)
      if (proposal === undefined) return
      try {
        await this.#write(proposal, rowVersion, options)
        return
      } catch (error) {
        if (!isConflict(error)) throw error
      }
    }
    throw new KeysError('ERR_KEYS_CONFLICT', 'other processes keep changing the ring')
  }

  /** New keys are cached once their ring is in force: another process may have made others of the same version. */
  async #write(
    { ring, keys, event }: Proposal,
    expected: string | null,
    options: CallOptions,
  ): Promise<void> {
    let written = false
    try {
      const newest = keys ?? (await this.#newestKeys(ring, options))
      const bytes = encodeRing(ring, newest.ring)
      const tag = bytes.slice(-TAG_BYTES)
      const [version] = await this.#log(
        [{ step: 'put', table: TABLE, key: this.#key, bytes, expected }],
        { ...event, ring: tag.subarray(0, ROW_TAG_BYTES) },
        newest,
        options,
      )
      this.#alive()
      written = true
      this.#apply({ ring, rowVersion: version ?? '', tag })
    } finally {
      if (!written) keys?.dispose()
    }
    if (keys !== undefined) this.#cache.put(realmName(keys.version), keys)
  }

  /** Commits with an entry under the keys of the ring that will be in force. */
  async #log(
    steps: readonly StoreStep[],
    event: KeyEvent & Pick<AuditEvent, 'ring'>,
    keys: RealmKeys,
    options: CallOptions,
  ): Promise<readonly string[]> {
    const { version, log } = keys
    const access = { newestVersion: version, key: () => log }
    const said = {
      outcome: 'done',
      actor: options.actor ?? null,
      timeMs: systemClock.nowMs(),
      ...event,
    } as const
    const { versions } = await this.journal.commit(this.store, steps, said, access, options)
    return versions
  }

  /** Checks a row that differs from the one last read, and takes it over. */
  async #accept(row: StoredRow, options: CallOptions): Promise<void> {
    const decoded = decodeRing(row.bytes, { realm: this.realm, provider: this.providers })
    const { ring, tag } = decoded
    // A version that was known before keeps its keys: a ring with another secret in its place does not fit them.
    const keys = await this.#newestKeys(ring, options)
    if (!ringIsGenuine(decoded, keys.ring)) {
      if (this.#view === undefined || keys.version > newestVersion(this.#view.ring)) {
        this.#cache.drop(realmName(keys.version))
      }
      throw badRing('its authentication tag does not fit')
    }
    const seen = this.#view
    // A read may answer after a later one, or lag behind: then what is known is as new as this caller may ask for.
    const older = seen !== undefined && ring.version < seen.ring.version
    if (older && !(await this.#isInForce(row, options))) return
    const forked = seen?.ring.version === ring.version && !equalBytes(seen.tag, tag)
    if (older || forked) throw badRing('a newer one was in force before')
    this.#apply({ ring, rowVersion: row.version, tag })
  }

  /** True when the row is the one in the store now, decided by a commit and not by another read. */
  async #isInForce(row: StoredRow, options: CallOptions): Promise<boolean> {
    try {
      await this.store.commit([{ ...this.check(), expected: row.version }], options)
      return true
    } catch (error) {
      if (isConflict(error)) return false
      throw error
    }
  }

  #apply(view: View): void {
    this.#view = view
    this.#versions = view.ring.secrets.map((secret) => secret.version).reverse()
    // What may no longer be opened need not stay in memory.
    for (const { epoch, status } of view.ring.epochs) {
      if (status !== 0 || epoch < view.ring.minAccepted) this.#cache.drop(epochName(epoch))
    }
  }

  #newestKeys(ring: Ring, options: CallOptions): Promise<RealmKeys> {
    return this.#realmKeysFrom(ring, newestVersion(ring), options)
  }

  async #realmKeysFrom(ring: Ring, version: number, options: CallOptions): Promise<RealmKeys> {
    const [name, wrapped] = [realmName(version), requireVersion(ring, version)]
    const provider = providerOf(this.providers, ring.provider)
    for (;;) {
      this.#alive()
      const keys = this.#cache.get(name) as RealmKeys | undefined
      if (keys !== undefined) return keys
      const load = (signal: AbortSignal): Promise<RealmKeys> =>
        this.#loadRealm(provider, version, wrapped, signal)
      await this.#cache.fill(name, load, options.signal)
    }
  }

  async #loadRealm(
    provider: GuardedProvider,
    version: number,
    wrapped: Uint8Array,
    signal: AbortSignal,
  ): Promise<RealmKeys> {
    const secret = await provider.unwrap(wrapped, realmContext(this.realm, version), { signal })
    try {
      return new RealmKeys(this.realm, version, secret)
    } finally {
      wipe(secret)
    }
  }

  async #loadEpoch(epoch: number, signal: AbortSignal): Promise<Secret> {
    const { wrapped } = requireOpenable(this.ring, epoch)
    const secret = await this.provider.unwrap(wrapped, epochContext(this.realm, epoch), { signal })
    let prepared: Uint8Array | undefined
    try {
      // It may have been disabled while the provider was at work.
      this.requireOpenable(epoch)
      prepared = hkdfPrepare(secret)
      return new Secret(prepared, dropped)
    } finally {
      wipe(secret, prepared)
    }
  }
}

function exists(cause?: unknown): KeysError {
  return new KeysError('ERR_KEYS_EXISTS', 'the realm has a keyring already', { cause })
}

function dropped(): KeysError {
  return new KeysError('ERR_KEYS_DISPOSED', 'the epoch key was dropped: ask for it again')
}

function requireVersion(ring: Ring, version: number): Uint8Array {
  const secret = findSecret(ring, version)
  if (secret !== undefined) return secret.wrapped
  throw new KeysError('ERR_KEYS_UNKNOWN_VERSION', 'the ring knows no such version of the realm keys')
}

/** In the cache an epoch goes by its number, a version of the realm keys by its negative: text costs a hash a look-up. */
const epochName = (epoch: number): number => epoch
const realmName = (version: number): number => -version

/** Stores of other makers may have classes of their own: the code is the contract. */
function isConflict(error: unknown): boolean {
  return error instanceof GuiseError && error.code === 'ERR_STORE_CONFLICT'
}
