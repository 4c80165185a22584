/** The keyring of a realm: wrap epochs and realm keys, in the store and in no process alone (SPEC §4). @module */

import type { Epoch, Millis, Realm } from '../base/brand.ts'
import { wipe } from '../base/bytes.ts'
import { checkFunction, checkInteger, checkObject } from '../base/check.ts'
import { systemClock } from '../base/clock.ts'
import type { CallOptions } from '../base/errors.ts'
import { checkRealm } from '../base/identifier.ts'
import { keyPairEd25519 } from '../crypto/sign.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import type { Store } from '../store/store.ts'
import { type CacheOptions, checkCache } from './cache.ts'
import { badInput } from './errors.ts'
import { asEpoch, epochContext, type KeyProvider, realmContext } from './provider.ts'
import { checkProviders } from './providers.ts'
import { RealmKeys } from './realm-keys.ts'
import { DESTROYED, ENABLED, findEpoch, newestVersion, type Ring } from './ring.ts'
import type { RingAccess } from './ring-access.ts'
import { changeRing } from './ring-change.ts'
import { RingState } from './ring-state.ts'
import {
  type EpochStatus,
  requireTransition,
  statusOf,
  withDestroyed,
  withEpoch,
  withMinAccepted,
  withPrimary,
  withSecret,
  withStatus,
} from './transition.ts'
import { forget, wrapFresh } from './wrap-fresh.ts'

/**
 * One wrap epoch. `changedAt`: of a destroyed one the instant that the provider confirmed, which may lie ahead;
 * `undefined` when none did, or when a former provider still holds its key.
 */
export interface EpochInfo {
  readonly epoch: Epoch
  readonly status: EpochStatus
  readonly createdAt: Millis
  readonly changedAt: Millis | undefined
}

/** Where a keyring lives and what guards it. */
export interface KeyringOptions extends CallOptions {
  /** 1 to 64 characters of `a–z 0–9 . _ -`, beginning and ending with a letter or digit. */
  readonly realm: string
  readonly provider: KeyProvider
  /** Under which the ring may be too: while it moves from one provider to another, every process has both at hand. */
  readonly otherProviders?: readonly KeyProvider[]
  readonly store: Store
  /** How many unwrapped secrets to hold, for how long, and how long to wait for the provider. */
  readonly cache?: CacheOptions
}

/**
 * The keyring of one realm. It lives in the store, wrapped by the provider; every change is compare-and-set and is
 * seen by every process at its next verb. What is read here (`primary`, `epochs`) is the ring as last read.
 *
 * `close` (or `using`) wipes every unwrapped secret; later use throws `ERR_KEYS_DISPOSED`. It closes neither the
 * store nor the provider.
 *
 * Every call may throw `KeysError` and `StoreError`. `ERR_KEYS_PROVIDER` and `ERR_KEYS_CONFLICT` are retryable and
 * leave the ring as it was.
 */
export interface Keyring extends Disposable {
  readonly realm: Realm
  /** The epoch that new wraps use. */
  readonly primary: Epoch
  readonly epochs: readonly EpochInfo[]
  /** The lowest epoch whose wraps are still accepted. */
  readonly minAccepted: Epoch
  /** The newest version of the realm keys. */
  readonly version: number
  /** The id of the provider that the ring is under. */
  readonly provider: string
  /** Ids of providers that it was under before and that still hold keys of it. */
  readonly formerProviders: readonly string[]

  /** Reads the ring again when another process changed it. Every other call does so by itself. */
  refresh(options?: CallOptions): Promise<void>

  /** Adds an epoch without using it. Let every process see it, then `promote`: rotation has no gap. */
  add(options?: CallOptions): Promise<Epoch>

  /** Makes an enabled epoch the one that new wraps use; the old one stays enabled. */
  promote(epoch: number, options?: CallOptions): Promise<void>

  /** Refuses every wrap of an enabled epoch until it is enabled again. */
  disable(epoch: number, options?: CallOptions): Promise<void>

  /** Takes back `disable`, once the provider has shown that it still unwraps the epoch. */
  enable(epoch: number, options?: CallOptions): Promise<void>

  /** Irreversible: every template still wrapped by this disabled epoch is noise from now on. */
  destroy(epoch: number, options?: CallOptions): Promise<void>

  /** Refuses every wrap below `minAccepted` from now on. It only grows and never passes the primary. */
  retire(minAccepted: number, options?: CallOptions): Promise<void>

  /**
   * Adds a version of the realm keys; new rows use it, old rows keep theirs. Resolves with its number. `ERR_KEYS_FULL` when
   * the cache (`cache.maxSecrets`) could not hold all versions and three epochs at once, which verbs need.
   */
  renew(options?: CallOptions): Promise<number>

  /** The Ed25519 key, 32 bytes, that verifies erasure receipts of a version of the realm keys, by default the newest. */
  receiptPublicKey(options?: CallOptions & { readonly version?: number }): Promise<Uint8Array>

  close(): void

  /** `[Keyring]`. */
  toString(): string
}

/**
 * Makes the keyring of a realm: epoch 1, version 1 of the realm keys. Throws `ERR_KEYS_EXISTS` when there is one.
 *
 * @example
 * ```ts
 * const keyring = await createKeyring({ realm: 'clinic', provider, store })
 * ```
 */
export async function createKeyring(options: KeyringOptions): Promise<Keyring> {
  const { state, call } = await openState(options)
  try {
    await state.requireAbsent(call)
    const nowMs = systemClock.nowMs()
    const { realm, provider } = state
    const epoch = await wrapFresh(provider, epochContext(realm, 1), call, forget)
    const secret = await wrapFresh(
      provider,
      realmContext(realm, 1),
      call,
      (bytes) => new RealmKeys(realm, 1, bytes),
    )
    const ring: Ring = {
      realm,
      version: 1,
      provider: provider.id,
      primary: 1,
      minAccepted: 1,
      epochs: [{ epoch: 1, status: ENABLED, createdMs: nowMs, changedMs: nowMs, wrapped: epoch.wrapped }],
      secrets: [{ version: 1, createdMs: nowMs, wrapped: secret.wrapped }],
    }
    await state.create({ ring, keys: secret.made, event: { action: 'key-add', epoch: 1 } }, call)
    return new StoredKeyring(state)
  } catch (error) {
    state.close()
    throw error
  }
}

/** Opens the keyring of a realm. Throws `ERR_KEYS_ABSENT` when there is none, `ERR_KEYS_RING` when it is not genuine. */
export async function openKeyring(options: KeyringOptions): Promise<Keyring> {
  const { state, call } = await openState(options)
  try {
    await state.refresh(call)
    return new StoredKeyring(state)
  } catch (error) {
    state.close()
    throw error
  }
}

/** What a keyring stands on: for work on rings above its verbs. */
export function ringState(keyring: Keyring): RingState {
  const state = ACCESS.get(keyring)
  if (state === undefined) throw badInput('keyring must come from createKeyring or openKeyring')
  return state
}

/** The vault's side of a keyring that `createKeyring` or `openKeyring` gave. */
export function ringAccess(keyring: Keyring): RingAccess {
  return ringState(keyring)
}

const ACCESS: WeakMap<Keyring, RingState> = new WeakMap()
const MAX_EPOCH = 0xffff_ffff

class StoredKeyring implements Keyring {
  readonly #state: RingState

  constructor(state: RingState) {
    this.#state = state
    ACCESS.set(this, state)
  }

  get realm(): Realm {
    return this.#state.realm
  }

  get primary(): Epoch {
    return this.#state.primary
  }

  get epochs(): readonly EpochInfo[] {
    const { ring } = this.#state
    return ring.epochs.map((entry) => ({
      epoch: asEpoch(entry.epoch),
      status: statusOf(ring, entry),
      createdAt: entry.createdMs as Millis,
      changedAt:
        statusOf(ring, entry) === 'destroyed'
          ? this.#state.destroyedAt(entry.epoch)
          : (entry.changedMs as Millis),
    }))
  }

  get minAccepted(): Epoch {
    return asEpoch(this.#state.ring.minAccepted)
  }

  get version(): number {
    return this.#state.newestVersion
  }

  get provider(): string {
    return this.#state.ring.provider
  }

  get formerProviders(): readonly string[] {
    return (this.#state.ring.former ?? []).map(({ provider }) => provider)
  }

  async refresh(options: CallOptions = {}): Promise<void> {
    await this.#state.refresh(options)
  }

  async add(options: CallOptions = {}): Promise<Epoch> {
    let epoch = 0
    await changeRing(this.#state, { action: 'key-add' }, options, async (ring) => {
      epoch = ring.epochs.length + 1
      const { wrapped } = await wrapFresh(
        this.#state.provider,
        epochContext(this.#state.realm, epoch),
        options,
        forget,
      )
      return { ring: withEpoch(ring, wrapped, systemClock.nowMs()), event: { action: 'key-add', epoch } }
    })
    return asEpoch(epoch)
  }

  async promote(epoch: number, options: CallOptions = {}): Promise<void> {
    checkEpoch(epoch)
    await changeRing(this.#state, { action: 'key-promote', epoch }, options, async (ring) => {
      const next = withPrimary(ring, epoch)
      // An epoch that cannot be unwrapped must not become the one that every enrolment needs.
      await this.#state.useEpoch(epoch, () => undefined, options)
      return { ring: next }
    })
  }

  async disable(epoch: number, options: CallOptions = {}): Promise<void> {
    checkEpoch(epoch)
    await changeRing(this.#state, { action: 'key-disable', epoch }, options, async (ring) => ({
      ring: withStatus(ring, 'disable', epoch, systemClock.nowMs()),
    }))
  }

  async enable(epoch: number, options: CallOptions = {}): Promise<void> {
    checkEpoch(epoch)
    await changeRing(this.#state, { action: 'key-enable', epoch }, options, async (ring) => {
      const { wrapped } = requireTransition(ring, 'enable', epoch)
      // Its destruction may have been cut off between the provider and the ring: then it stays disabled.
      wipe(await this.#state.provider.unwrap(wrapped, epochContext(this.#state.realm, epoch), options))
      return { ring: withStatus(ring, 'enable', epoch, systemClock.nowMs()) }
    })
  }

  async destroy(epoch: number, options: CallOptions = {}): Promise<void> {
    checkEpoch(epoch)
    let asked = false
    await changeRing(this.#state, { action: 'key-destroy', epoch }, options, async (ring) => {
      // Another process finished the same destruction while this one asked the provider: both are done.
      if (asked && findEpoch(ring, epoch)?.status === DESTROYED) return undefined
      requireTransition(ring, 'destroy', epoch)
      // One that looks in the wrong place finds no key there, and would confirm that.
      await this.#state.askProvider(options)
      asked = true
      const confirmedAt = await this.#state.provider.destroy(epochContext(this.#state.realm, epoch), options)
      return { ring: withDestroyed(ring, epoch, confirmedAt ?? 0) }
    })
  }

  async retire(minAccepted: number, options: CallOptions = {}): Promise<void> {
    checkEpoch(minAccepted)
    await changeRing(this.#state, { action: 'key-retire', epoch: minAccepted }, options, async (ring) => {
      const next = withMinAccepted(ring, minAccepted)
      return next === undefined ? undefined : { ring: next }
    })
  }

  async renew(options: CallOptions = {}): Promise<number> {
    let version = 0
    await changeRing(this.#state, { action: 'key-renew' }, options, async (ring) => {
      version = newestVersion(ring) + 1
      this.#state.requireRoom(version)
      const { wrapped, made } = await wrapFresh(
        this.#state.provider,
        realmContext(this.#state.realm, version),
        options,
        (secret) => new RealmKeys(this.#state.realm, version, secret),
      )
      return { ring: withSecret(ring, wrapped, systemClock.nowMs()), keys: made }
    })
    return version
  }

  async receiptPublicKey(options: CallOptions & { readonly version?: number } = {}): Promise<Uint8Array> {
    await this.#state.refresh(options)
    const keys = await this.#state.loadRealmKeys(options.version ?? this.version, options)
    const { seed, publicKey } = keyPairEd25519(keys.receipt)
    wipe(seed)
    return publicKey
  }

  close(): void {
    this.#state.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  toString(): string {
    return '[Keyring]'
  }
}

async function openState(options: KeyringOptions): Promise<{ state: RingState; call: CallOptions }> {
  checkObject(options, 'options', badInput)
  const realm = checkRealm(options.realm, badInput)
  const cache = checkCache(options.cache)
  const providers = checkProviders(options.provider, options.otherProviders, cache.timeoutMs)
  const store = checkObject(options.store, 'store', badInput)
  checkFunction(store['get'], 'store.get', badInput)
  checkFunction(store['commit'], 'store.commit', badInput)
  const { signal, actor, operationId } = options
  await cryptoReady()
  const state = new RingState(realm, options.store, providers, cache)
  const call: CallOptions = {
    ...(signal === undefined ? {} : { signal }),
    ...(actor === undefined ? {} : { actor }),
    ...(operationId === undefined ? {} : { operationId }),
  }
  return { state, call }
}

function checkEpoch(epoch: number): void {
  checkInteger(epoch, 'epoch', [1, MAX_EPOCH], badInput)
}
