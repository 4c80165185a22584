/** Who re-wraps with the keyring of a realm and no vault: nothing is compared, so nothing but keys and stores is needed (SPEC §11.11). @module */

import type { Realm } from '../base/brand.ts'
import { systemClock } from '../base/clock.ts'
import { type Keyring, ringAccess } from '../keys/keyring.ts'
import type { CheckStep } from '../keys/ring-access.ts'
import type { KeyForVersion } from '../record/row.ts'
import type { Store, StoreStep } from '../store/store.ts'
import type { VaultEvent, VaultStore } from './context.ts'
import { rejectConfiguration } from './errors.ts'
import { VaultKeys } from './keys.ts'
import { isConflict } from './outcome.ts'
import type { Rewrapper } from './rewrap.ts'

/** A realm as whoever has its keyring works on it. */
export interface RealmPlace {
  readonly keyring: Keyring
  /** The store that holds the keyring. */
  readonly store: Store
  /** Where wraps lie when they have a store of their own. */
  readonly secrets?: Store
  readonly signal?: AbortSignal
  /** A pseudonym for the log: who asked. */
  readonly actor?: string
}

export class RingHost implements Rewrapper {
  readonly realm: Realm
  readonly ring: VaultKeys
  readonly store: VaultStore
  readonly secrets: VaultStore
  readonly split: boolean
  readonly #place: RealmPlace
  readonly stateKey: KeyForVersion = (version) => this.ring.realmKeys(version)?.state

  constructor(place: RealmPlace) {
    const { keyring, store, secrets = store, signal } = place
    const access = ringAccess(keyring)
    if (access.store !== store) throw rejectConfiguration('store must be the store that holds the keyring')
    this.#place = place
    this.realm = access.realm
    this.ring = new VaultKeys(access, signal)
    this.store = store
    this.secrets = secrets
    this.split = secrets !== store
  }

  ringStep(): CheckStep {
    return this.ring.check()
  }

  async commitLogged(steps: readonly StoreStep[], event: VaultEvent): Promise<Uint8Array> {
    const { store, signal, actor = null } = this.#place
    await this.ring.load()
    const said = { actor, timeMs: systemClock.nowMs(), ...event }
    const { entry } = await this.ring.journal.commit(
      store,
      steps,
      said,
      this.ring,
      signal === undefined ? undefined : { signal },
    )
    return entry
  }

  async decide<Result>(decision: () => Promise<Result>): Promise<Result> {
    const { signal } = this.#place
    return await decideAgain(async () => {
      signal?.throwIfAborted()
      await this.ring.refresh()
      await this.ring.load()
      return await decision()
    })
  }
}

const MOST_TRIES = 64

/** Runs a decision again, with growing pauses, when what it rests on has changed meanwhile; a bounded number of times. */
export async function decideAgain<Result>(decision: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await decision()
    } catch (error) {
      if (!isConflict(error) || attempt >= MOST_TRIES) throw error
    }
    if (attempt > 2) await new Promise((resolve) => setTimeout(resolve, Math.min(attempt, 20)))
  }
}
