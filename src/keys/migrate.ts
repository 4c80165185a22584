/** A ring moves from one key provider to another, and the keys that it leaves behind are destroyed (SPEC §4.11). @module */

import type { Millis } from '../base/brand.ts'
import { equalBytes, wipe } from '../base/bytes.ts'
import { checkText } from '../base/check.ts'
import { systemClock } from '../base/clock.ts'
import type { CallOptions } from '../base/errors.ts'
import { badInput, badWrap, KeysError } from './errors.ts'
import { type Keyring, ringState } from './keyring.ts'
import { epochContext, type GuardedProvider, realmContext } from './provider.ts'
import { providerOf } from './providers.ts'
import { RealmKeys } from './realm-keys.ts'
import { DESTROYED, findSecret, MOST_FORMER, newestVersion, type Ring, type RingFormer } from './ring.ts'
import { changeRing } from './ring-change.ts'
import type { RingState } from './ring-state.ts'
import { next } from './transition.ts'
import { wrapProved } from './wrap-fresh.ts'

/**
 * Moves a ring to another provider: unwraps every epoch key and every version of the realm secret under the provider
 * that it is under, wraps them under `to`, and writes all of it in one change. Until that change nothing has happened,
 * and a call after a crash begins anew; after it, every process that has both providers at hand goes on with the new one
 * at its next verb. No template is touched. The keys of the old provider stay: `destroyFormerKeys` destroys them.
 *
 * Does nothing when the ring is under `to` already. Throws `ERR_KEYS_TRANSITION` for a former provider that cannot be
 * gone back to: the destruction of its keys has begun, or an epoch that it still holds has been destroyed since.
 *
 * @param to the id of a provider that the keyring was opened with
 *
 * @example
 * ```ts
 * const keyring = await openKeyring({ realm: 'clinic', provider: old, otherProviders: [hsm], store })
 * await migrateKeyring(keyring, hsm.id)
 * ```
 */
export async function migrateKeyring(keyring: Keyring, to: string, options: CallOptions = {}): Promise<void> {
  const state = ringState(keyring)
  const target = providerOf(state.providers, checkText(to, 'to', { maxBytes: 256 }, badInput))
  await changeRing(state, { action: 'key-migrate' }, options, async (ring) => {
    if (ring.provider === to) return undefined
    requireReturn(ring, to)
    return { ring: await rewrapped(state, ring, target, options) }
  })
}

/**
 * Destroys the keys that a former provider holds of a ring, for good: once it has shown that it opens what it wrapped,
 * every epoch and every version. A call after a crash finishes it. Resolves with the latest instant that the provider
 * confirmed; erasures that waited for it are irrecoverable from then on.
 *
 * Throws `ERR_KEYS_TRANSITION` when the ring names no such former provider, `ERR_KEYS_INPUT` when the keyring was opened
 * without it, or it cannot destroy.
 *
 * @param provider the id of a former provider, at hand among `otherProviders`
 *
 * @example
 * ```ts
 * const { confirmedAt } = await destroyFormerKeys(keyring, 'local')
 * ```
 */
export async function destroyFormerKeys(
  keyring: Keyring,
  provider: string,
  options: CallOptions = {},
): Promise<{ readonly confirmedAt: Millis }> {
  const state = ringState(keyring)
  const former = providerOf(state.providers, checkText(provider, 'provider', { maxBytes: 256 }, badInput))
  if (!former.canDestroy) throw badInput('this key provider cannot destroy keys')
  const event = { action: 'key-destroy' } as const
  await changeRing(state, event, options, async (ring) => {
    const entry = requireFormer(ring, provider)
    if (entry.proof.length === 0) return undefined
    await proveHolding(state, former, entry, options)
    return { ring: withFormer(ring, { ...entry, proof: new Uint8Array(0) }) }
  })
  const confirmed = await destroyAll(state, former, provider, options)
  await changeRing(state, event, options, async (ring) => {
    const entry = findFormer(ring, provider)
    // Another process finished the same work meanwhile: both are done.
    if (entry === undefined) return undefined
    // A key that only waits for its end can be called back: an epoch that is destroyed here meanwhile is held there still.
    const isAlive = (epoch: number): boolean => ring.epochs[epoch - 1]?.status !== DESTROYED
    if (confirmed.latest > systemClock.nowMs() && entry.epochs.some(isAlive)) return undefined
    return { ring: withoutFormer(ring, provider, confirmed.epochs) }
  })
  return { confirmedAt: confirmed.latest as Millis }
}

/** The instants that a provider confirmed: of each epoch, and the latest of all. */
interface Confirmed {
  readonly epochs: ReadonlyMap<number, number>
  readonly latest: number
}

async function rewrapped(
  state: RingState,
  ring: Ring,
  target: GuardedProvider,
  options: CallOptions,
): Promise<Ring> {
  const source = providerOf(state.providers, ring.provider)
  const rewrap = async (wrapped: Uint8Array, context: Uint8Array): Promise<Uint8Array> => {
    const secret = await source.unwrap(wrapped, context, options)
    try {
      return await wrapProved(target, secret, context, options)
    } finally {
      wipe(secret)
    }
  }
  const epochs = []
  for (const entry of ring.epochs) {
    const context = epochContext(ring.realm, entry.epoch)
    epochs.push(
      entry.status === DESTROYED ? entry : { ...entry, wrapped: await rewrap(entry.wrapped, context) },
    )
  }
  const secrets = []
  for (const entry of ring.secrets) {
    secrets.push({ ...entry, wrapped: await rewrap(entry.wrapped, realmContext(ring.realm, entry.version)) })
  }
  const left: RingFormer = {
    provider: ring.provider,
    epochs: ring.epochs.filter(({ status }) => status !== DESTROYED).map(({ epoch }) => epoch),
    versions: ring.secrets.map(({ version }) => version),
    proof: findSecret(ring, newestVersion(ring))?.wrapped ?? new Uint8Array(0),
  }
  const others = (ring.former ?? []).filter(({ provider }) => provider !== target.id)
  if (others.length === MOST_FORMER) {
    throw new KeysError('ERR_KEYS_FULL', `a ring names at most ${MOST_FORMER} former providers`)
  }
  return next(ring, { provider: target.id, epochs, secrets, former: [...others, left] })
}

/** A former provider may become the one of the ring again while it holds nothing that has been destroyed since. */
function requireReturn(ring: Ring, to: string): void {
  const entry = findFormer(ring, to)
  if (entry === undefined) return
  if (entry.proof.length === 0) throw refused('the destruction of its keys has begun')
  if (entry.epochs.some((epoch) => ring.epochs[epoch - 1]?.status === DESTROYED)) {
    throw refused('it still holds an epoch that has been destroyed')
  }
}

/** The former provider opens what it wrapped: it is the one, and in the place, that the ring means. */
async function proveHolding(
  state: RingState,
  former: GuardedProvider,
  { versions, proof }: RingFormer,
  options: CallOptions,
): Promise<void> {
  const version = versions.at(-1) ?? 0
  const secret = await former.unwrap(proof, realmContext(state.realm, version), options)
  try {
    const known = await state.loadRealmKeys(version, options)
    const keys = new RealmKeys(state.realm, version, secret)
    const same = equalBytes(keys.ring, known.ring)
    keys.dispose()
    if (!same) throw badWrap()
  } finally {
    wipe(secret)
  }
}

async function destroyAll(
  state: RingState,
  former: GuardedProvider,
  provider: string,
  options: CallOptions,
): Promise<Confirmed> {
  const entry = findFormer(state.ring, provider)
  const epochs = new Map<number, number>()
  let latest = 0
  const destroy = async (context: Uint8Array): Promise<number> => {
    const confirmedMs = (await former.destroy(context, options)) ?? 0
    latest = Math.max(latest, confirmedMs)
    return confirmedMs
  }
  for (const epoch of entry?.epochs ?? []) {
    epochs.set(epoch, await destroy(epochContext(state.realm, epoch)))
  }
  for (const version of entry?.versions ?? []) await destroy(realmContext(state.realm, version))
  return { epochs, latest }
}

/** An epoch that was destroyed at its provider is gone for good only when it is gone from every one. */
function withoutFormer(ring: Ring, provider: string, confirmed: ReadonlyMap<number, number>): Ring {
  const former = (ring.former ?? []).filter((entry) => entry.provider !== provider)
  const epochs = ring.epochs.map((entry) => {
    if (entry.status !== DESTROYED || entry.changedMs === 0) return entry
    return { ...entry, changedMs: Math.max(entry.changedMs, confirmed.get(entry.epoch) ?? 0) }
  })
  return next(ring, { former, epochs })
}

function withFormer(ring: Ring, entry: RingFormer): Ring {
  const former = (ring.former ?? []).map((old) => (old.provider === entry.provider ? entry : old))
  return next(ring, { former })
}

function findFormer(ring: Ring, provider: string): RingFormer | undefined {
  return ring.former?.find((entry) => entry.provider === provider)
}

function requireFormer(ring: Ring, provider: string): RingFormer {
  const entry = findFormer(ring, provider)
  if (entry === undefined) {
    throw new KeysError('ERR_KEYS_TRANSITION', 'the ring names no such former key provider')
  }
  return entry
}

function refused(why: string): KeysError {
  return new KeysError('ERR_KEYS_TRANSITION', `the ring cannot go back to this key provider: ${why}`)
}
