/** What every verb of one open vault shares: configuration, stores, keys, clock, limits. @module */

import type { Realm } from '../base/brand.ts'
import type { Clock } from '../base/clock.ts'
import type { KeyedMutex } from '../base/mutex.ts'
import { randomBytes } from '../crypto/random.ts'
import type { AttemptPolicy, Instant } from '../policy/attempts.ts'
import type { OperatingPoint } from '../policy/operating-point.ts'
import type { TemplateProfile } from '../record/reference-row.ts'
import type { KeyForVersion } from '../record/row.ts'
import type { Store, StoreStep } from '../store/store.ts'
import type { Suite } from '../transform/suite.ts'
import type { VaultKeys } from './keys.ts'
import { isConflict } from './outcome.ts'
import type { RealmLimit } from './realm-limit.ts'

/** Codes of custody profiles in rows (SPEC §4.3). */
export const PROFILE = { operator: 0, quorum: 1, holder: 2, 'quorum+holder': 3 } as const

/** The checked configuration of a vault. */
export interface VaultSettings {
  readonly realm: Realm
  readonly profile: TemplateProfile
  readonly suite: Suite
  readonly custody: 'operator' | 'holder'
  readonly points: ReadonlyMap<string, OperatingPoint>
  readonly attempts: AttemptPolicy
  readonly erasureBoundMs: number
  readonly maxInFlight: number
  readonly reveal: boolean
}

/** What verbs need of a store. */
export type VaultStore = Pick<Store, 'get' | 'commit' | 'scan'>

/** How often a decision is made anew when others change what it rests on. */
const MOST_TRIES = 64

/** What a vault is made of. */
export interface VaultParts {
  readonly settings: VaultSettings
  readonly ring: VaultKeys
  readonly store: VaultStore
  readonly secrets: VaultStore
  readonly clock: Clock
  readonly realmLimit: RealmLimit
  /** One verb at a time and subject in this process; between processes the store decides. */
  readonly subjects: KeyedMutex
}

/** Shared by the verbs of one vault. Internal: verbs take it as their first argument. */
export class VaultContext {
  readonly #parts: VaultParts
  readonly settings: VaultSettings
  readonly ring: VaultKeys
  readonly store: VaultStore
  readonly secrets: VaultStore
  /** True when wraps lie in a store of their own. */
  readonly split: boolean
  readonly clock: Clock
  readonly realmLimit: RealmLimit
  readonly subjects: KeyedMutex
  /** Ends the call that this context serves. */
  readonly signal: AbortSignal | undefined
  /** The same without a signal: for what must end even when the caller has gone. */
  readonly unabortable: VaultContext

  constructor(parts: VaultParts, call?: { readonly signal: AbortSignal; readonly base: VaultContext }) {
    this.#parts = parts
    this.settings = parts.settings
    this.ring = call === undefined ? parts.ring : parts.ring.within(call.signal)
    this.store = call === undefined ? parts.store : abortable(parts.store, call.signal)
    this.secrets = call === undefined ? parts.secrets : abortable(parts.secrets, call.signal)
    this.split = parts.secrets !== parts.store
    this.clock = parts.clock
    this.realmLimit = parts.realmLimit
    this.subjects = parts.subjects
    this.signal = call?.signal
    this.unabortable = call?.base ?? this
  }

  /** The context of one call: whatever it waits for ends with the signal. */
  within(signal: AbortSignal | undefined): VaultContext {
    return signal === undefined ? this : new VaultContext(this.#parts, { signal, base: this })
  }

  get realm(): Realm {
    return this.settings.realm
  }

  now(): Instant {
    const { origin, ms } = this.clock.steady()
    return { nowMs: this.clock.nowMs(), origin, steadyMs: ms }
  }

  /** Keys that authenticate state rows; valid until the next `await`. */
  readonly stateKey: KeyForVersion = (version) => this.ring.realmKeys(version)?.state

  /** Keys that authenticate attempts rows; valid until the next `await`. */
  readonly limiterKey: KeyForVersion = (version) => this.ring.realmKeys(version)?.limiter

  /**
   * The step that makes a commit fail when the keyring is no longer the one in force now. Taken where a decision
   * begins to rest on the keyring: other calls of this process may read it anew while the decision waits.
   */
  ringStep(): StoreStep {
    return this.ring.check()
  }

  /**
   * Runs a decision until what it rests on has not changed meanwhile. A conflict leads to a new decision from fresh
   * rows, a bounded number of times and with growing pauses; then `ERR_STORE_CONFLICT` is thrown on.
   */
  async decide<Result>(decision: () => Promise<Result>): Promise<Result> {
    for (let attempt = 1; ; attempt++) {
      this.signal?.throwIfAborted()
      await this.ring.refresh()
      await this.ring.load()
      try {
        return await decision()
      } catch (error) {
        if (!isConflict(error) || attempt >= MOST_TRIES) throw error
      }
      if (attempt > 2) await pause(attempt)
    }
  }
}

/** The store with the signal of one call; nothing else of the call concerns a store. */
function abortable(store: VaultStore, signal: AbortSignal): VaultStore {
  const options = { signal }
  return {
    get: (table, key) => store.get(table, key, options),
    commit: (steps) => store.commit(steps, options),
    scan: (table, from) => store.scan(table, from, options),
  }
}

/** Yields to other processes; random, so that two of them do not meet again at once. */
function pause(attempt: number): Promise<void> {
  const spread = randomBytes(1)[0] as number
  return new Promise((resolve) => setTimeout(resolve, (Math.min(attempt, 20) * spread) / 256))
}
