/** A realm opened for work that compares nothing: no model, no operating point (SPEC §12.4). @module */

import type { Anchor } from '../audit/anchor.ts'
import type { LogSigner } from '../audit/checkpoint.ts'
import { Ledger } from '../audit/ledger.ts'
import type { Realm } from '../base/brand.ts'
import { checkInteger } from '../base/check.ts'
import { type Clock, systemClock } from '../base/clock.ts'
import type { CallOptions } from '../base/errors.ts'
import { KeyedMutex } from '../base/mutex.ts'
import { type Keyring, ringAccess } from '../keys/keyring.ts'
import { checkAttemptPolicy } from '../policy/attempts.ts'
import type { Store } from '../store/store.ts'
import { VaultContext, type VaultSettings } from './context.ts'
import { Decoys } from './decoy.ts'
import { rejectConfiguration } from './errors.ts'
import { VaultKeys } from './keys.ts'
import { ModelWindow } from './model-window.ts'
import { RealmLimit } from './realm-limit.ts'
import { recover } from './recover.ts'
import { testClock } from './symbols.ts'

/** Where a realm lies, and who signs its log. */
export interface RealmOptions extends Pick<CallOptions, 'signal' | 'actor'> {
  readonly keyring: Keyring
  /** The store that holds the keyring. */
  readonly store: Store
  /** Where wraps lie when they have a store of their own. */
  readonly secrets?: Store
  /** Left out where a vault with the log's key is open meanwhile: it integrates and signs what this work logs. */
  readonly logSigner?: LogSigner
  readonly anchor?: Anchor
  /** How long the realm takes at most to destroy an epoch after an erasure, in milliseconds. Default 30 days. */
  readonly erasureBoundMs?: number
  readonly [testClock]?: Clock
}

const DAY_MS = 86_400_000

/** Opens the realm, finishes what a crash left, lends it and closes the log's reader whatever happens. */
export async function openRealm(options: RealmOptions): Promise<VaultContext> {
  const { keyring, store, secrets = store, logSigner: signer, anchor, signal, actor } = options
  const access = ringAccess(keyring)
  if (access.store !== store) throw rejectConfiguration('store must be the store that holds the keyring')
  const clock = options[testClock] ?? systemClock
  if (clock !== systemClock && (store.durable || secrets.durable))
    throw rejectConfiguration('a test clock is refused by a durable store')
  const ring = new VaultKeys(access)
  const settings = settingsOf(access.realm, options.erasureBoundMs)
  const ctx = new VaultContext({
    settings,
    ring,
    store,
    secrets,
    clock,
    realmLimit: new RealmLimit(ring, access.realm, clock, settings.attempts.realmPerHour),
    ledger: new Ledger({ store, realm: access.realm, keys: ring, journal: ring.journal, signer, anchor }),
    subjects: new KeyedMutex(),
    decoys: new Decoys(settings.profile, clock.nowMs()),
    gallery: undefined,
    models: new ModelWindow(),
  })
  const call = ctx.within({
    ...(signal === undefined ? {} : { signal }),
    ...(actor === undefined ? {} : { actor }),
  })
  try {
    await call.ring.refresh()
    await call.ring.load()
    await ctx.ledger.open(signal === undefined ? {} : { signal })
    await recover(call)
    return call
  } catch (error) {
    await ctx.ledger.close()
    throw error
  }
}

/** A profile that no template has: nothing is compared here. */
function settingsOf(realm: Realm, erasureBoundMs: number | undefined): VaultSettings {
  const meanHash = new Uint8Array(32)
  return {
    realm,
    profile: { realm, purpose: 'none', model: 'none@0', meanHash, dimensions: 64, bits: 64, suite: 'B4' },
    suite: 'B4',
    custody: 'operator',
    quorum: undefined,
    points: new Map(),
    referencePoints: undefined,
    attempts: checkAttemptPolicy(undefined),
    adaptation: undefined,
    erasureBoundMs: checkInteger(
      erasureBoundMs ?? 30 * DAY_MS,
      'erasureBoundMs',
      [1, 3653 * DAY_MS],
      rejectConfiguration,
    ),
    maxInFlight: 1,
    reveal: false,
    meter: undefined,
  }
}
