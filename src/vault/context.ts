/** What every verb of one open vault shares: configuration, stores, keys, clock, limits. @module */

import type { Realm } from '../base/brand.ts'
import type { Clock } from '../base/clock.ts'
import { KeyedMutex } from '../base/mutex.ts'
import type { AttemptPolicy, Instant } from '../policy/attempts.ts'
import type { OperatingPoint } from '../policy/operating-point.ts'
import type { TemplateProfile } from '../record/reference-row.ts'
import type { KeyForVersion } from '../record/row.ts'
import type { Store, StoreStep } from '../store/store.ts'
import { StoreError } from '../store/errors.ts'
import type { Suite } from '../transform/suite.ts'
import type { VaultKeys } from './keys.ts'
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

/** How often a decision is made anew when others change what it rests on. */
const MOST_TRIES = 64

/** Shared by the verbs of one vault. Internal: verbs take it as their first argument. */
export class VaultContext {
  readonly settings: VaultSettings
  readonly ring: VaultKeys
  readonly store: Store
  readonly secrets: Store
  readonly clock: Clock
  readonly realmLimit: RealmLimit
  /** One verb at a time and subject in this process; between processes the store decides. */
  readonly subjects: KeyedMutex = new KeyedMutex()

  constructor(parts: {
    readonly settings: VaultSettings
    readonly ring: VaultKeys
    readonly secrets: Store
    readonly clock: Clock
    readonly realmLimit: RealmLimit
  }) {
    this.settings = parts.settings
    this.ring = parts.ring
    this.store = parts.ring.store
    this.secrets = parts.secrets
    this.clock = parts.clock
    this.realmLimit = parts.realmLimit
  }

  get realm(): Realm {
    return this.settings.realm
  }

  /** True when wraps lie in a store of their own. */
  get split(): boolean {
    return this.secrets !== this.store
  }

  now(): Instant {
    const { origin, ms } = this.clock.steady()
    return { nowMs: this.clock.nowMs(), origin, steadyMs: ms }
  }

  /** Keys that authenticate state rows; valid until the next `await`. */
  readonly stateKey: KeyForVersion = (version) => this.ring.realmKeys(version)?.state

  /** Keys that authenticate attempts rows; valid until the next `await`. */
  readonly limiterKey: KeyForVersion = (version) => this.ring.realmKeys(version)?.limiter

  /** The step that makes a commit fail when the keyring is no longer the one that was read. */
  ringStep(): StoreStep {
    return this.ring.check()
  }

  /**
   * Runs a decision until what it rests on has not changed meanwhile. A conflict leads to a new decision from fresh
   * rows, a bounded number of times and with growing pauses; then `ERR_STORE_CONFLICT` is thrown on.
   */
  async decide<Result>(signal: AbortSignal | undefined, decision: () => Promise<Result>): Promise<Result> {
    for (let attempt = 1; ; attempt++) {
      signal?.throwIfAborted()
      await this.ring.refresh(signal)
      await this.ring.load(signal)
      try {
        return await decision()
      } catch (error) {
        if (!isConflict(error) || attempt >= MOST_TRIES) throw error
      }
      if (attempt > 2) await pause(attempt)
    }
  }
}

/** True for the conflict that a new decision may resolve. */
export function isConflict(error: unknown): boolean {
  return error instanceof StoreError && error.code === 'ERR_STORE_CONFLICT'
}

/** Yields to other processes; random, so that two of them do not meet again at once. */
function pause(attempt: number): Promise<void> {
  const spread = globalThis.crypto.getRandomValues(new Uint8Array(1))[0] ?? 0
  return new Promise((resolve) => setTimeout(resolve, (Math.min(attempt, 20) * spread) / 256))
}
