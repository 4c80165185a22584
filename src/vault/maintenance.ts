/** A vault's inside for whoever manages records and compares none: no model, no purpose, no operating point (SPEC §11.12). @module */

import type { Anchor } from '../audit/anchor.ts'
import type { LogSigner } from '../audit/checkpoint.ts'
import { Ledger } from '../audit/ledger.ts'
import type { ModelId } from '../base/brand.ts'
import { systemClock } from '../base/clock.ts'
import { KeyedMutex } from '../base/mutex.ts'
import { ringAccess } from '../keys/keyring.ts'
import { checkAttemptPolicy } from '../policy/attempts.ts'
import { VaultContext, type VaultSettings } from './context.ts'
import { Decoys } from './decoy.ts'
import { rejectConfiguration } from './errors.ts'
import { VaultKeys } from './keys.ts'
import { RealmLimit } from './realm-limit.ts'
import { recover } from './recover.ts'
import type { RealmPlace } from './rewrap-host.ts'

export interface MaintenancePlace extends RealmPlace {
  /** With it what is done is integrated and signed before the call ends; else by the next vault that has it. */
  readonly logSigner?: LogSigner
  readonly anchor?: Anchor
}

/** Opens the inside for `task`: finishes what a crash left, reads the log, compares it with the anchor. */
export async function withMaintenance<Result>(
  place: MaintenancePlace,
  task: (ctx: VaultContext) => Promise<Result>,
): Promise<Result> {
  const { keyring, store, secrets = store, signal, actor, logSigner: signer, anchor } = place
  const access = ringAccess(keyring)
  if (access.store !== store) throw rejectConfiguration('store must be the store that holds the keyring')
  const ring = new VaultKeys(access)
  const { realm } = access
  const settings = nothingToCompare(realm)
  const clock = systemClock
  const ctx = new VaultContext({
    settings,
    ring,
    store,
    secrets,
    clock,
    realmLimit: new RealmLimit(ring, realm, clock, settings.attempts.realmPerHour),
    ledger: new Ledger({ store, realm, keys: ring, journal: ring.journal, signer, anchor }),
    subjects: new KeyedMutex(),
    decoys: new Decoys(settings.profile, clock.nowMs()),
    gallery: undefined,
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
    const result = await task(call)
    if (signer !== undefined) await ctx.ledger.settle(signal === undefined ? {} : { signal })
    return result
  } finally {
    await ctx.ledger.close()
  }
}

/** Settings that no template fits. */
function nothingToCompare(realm: VaultSettings['realm']): VaultSettings {
  const model = 'none@0' as ModelId
  const meanHash = new Uint8Array(32)
  return {
    realm,
    profile: { realm, purpose: 'none', model, meanHash, dimensions: 64, bits: 64, suite: 'B4' },
    suite: 'B4',
    custody: 'operator',
    quorum: undefined,
    points: new Map(),
    attempts: checkAttemptPolicy(undefined),
    erasureBoundMs: 1,
    maxInFlight: 1,
    reveal: false,
    meter: undefined,
  }
}
