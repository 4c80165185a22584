/** What may become of an epoch, and which epochs still open (SPEC §4.4). @module */

import { KeysError } from './errors.ts'
import { DESTROYED, DISABLED, ENABLED, findEpoch, newestVersion, type Ring, type RingEpoch } from './ring.ts'

export type EpochStatus = 'primary' | 'enabled' | 'disabled' | 'destroyed'
export type EpochVerb = 'promote' | 'disable' | 'enable' | 'destroy'

/** The published table: the states that each verb accepts. Everything else is refused (KEYS-10). */
const ACCEPTED: Readonly<Record<EpochVerb, EpochStatus>> = {
  promote: 'enabled',
  disable: 'enabled',
  enable: 'disabled',
  destroy: 'disabled',
}

/** True when a former provider may still hold a key of the epoch: then its destruction is not complete. */
export function isHeldElsewhere(ring: Ring, epoch: number): boolean {
  return ring.former?.some(({ epochs }) => epochs.includes(epoch)) === true
}

/** The state of an epoch that the ring knows. */
export function statusOf(ring: Ring, entry: RingEpoch): EpochStatus {
  if (entry.status === DESTROYED) return 'destroyed'
  if (entry.status === DISABLED) return 'disabled'
  return entry.epoch === ring.primary ? 'primary' : 'enabled'
}

/** The epoch, when the verb is allowed on it. Throws `ERR_KEYS_TRANSITION` and the errors of KEYS-11. */
export function requireTransition(ring: Ring, verb: EpochVerb, epoch: number): RingEpoch {
  const entry = requireKnown(ring, epoch)
  const status = statusOf(ring, entry)
  if (status !== ACCEPTED[verb]) {
    throw new KeysError('ERR_KEYS_TRANSITION', `cannot ${verb} epoch ${epoch}, which is ${status}`)
  }
  // A primary below minAccepted would make wraps that nobody may open.
  if (verb === 'promote') requireAccepted(ring, epoch)
  return entry
}

/** The epoch, when wraps of it may be opened. Throws the errors of KEYS-11. */
export function requireOpenable(ring: Ring, epoch: number): RingEpoch {
  const entry = requireKnown(ring, epoch)
  requireAccepted(ring, epoch)
  if (entry.status === DISABLED) throw new KeysError('ERR_KEYS_DISABLED', `epoch ${epoch} is disabled`)
  if (entry.status === DESTROYED)
    throw new KeysError('ERR_KEYS_DESTROYED', `epoch ${epoch} has been destroyed`)
  return entry
}

/** The ring with a new enabled epoch; the primary stays (KEYS-9). */
export function withEpoch(ring: Ring, wrapped: Uint8Array, nowMs: number): Ring {
  const entry = {
    epoch: ring.epochs.length + 1,
    status: ENABLED,
    createdMs: nowMs,
    changedMs: nowMs,
    wrapped,
  } as const
  return next(ring, { epochs: [...ring.epochs, entry] })
}

/** The ring with a new version of the realm secret. */
export function withSecret(ring: Ring, wrapped: Uint8Array, nowMs: number): Ring {
  return next(ring, {
    secrets: [...ring.secrets, { version: newestVersion(ring) + 1, createdMs: nowMs, wrapped }],
  })
}

/** The ring with another primary epoch; the old one stays enabled. */
export function withPrimary(ring: Ring, epoch: number): Ring {
  return next(ring, { primary: requireTransition(ring, 'promote', epoch).epoch })
}

/** The ring with an epoch disabled or enabled. */
export function withStatus(ring: Ring, verb: 'disable' | 'enable', epoch: number, nowMs: number): Ring {
  const entry = requireTransition(ring, verb, epoch)
  return replace(ring, { ...entry, status: verb === 'disable' ? DISABLED : ENABLED, changedMs: nowMs })
}

/** The ring with an epoch destroyed. `confirmedMs`: what the provider confirmed, 0 when it confirmed nothing. */
export function withDestroyed(ring: Ring, epoch: number, confirmedMs: number): Ring {
  const entry = requireTransition(ring, 'destroy', epoch)
  return replace(ring, { ...entry, status: DESTROYED, changedMs: confirmedMs, wrapped: new Uint8Array(0) })
}

/** The ring that accepts no epoch below `minAccepted`; `undefined` when that is so already (KEYS-11). */
export function withMinAccepted(ring: Ring, minAccepted: number): Ring | undefined {
  requireKnown(ring, minAccepted)
  if (minAccepted === ring.minAccepted) return undefined
  if (minAccepted < ring.minAccepted) {
    throw new KeysError('ERR_KEYS_TRANSITION', 'the lowest accepted epoch can only grow')
  }
  if (minAccepted > ring.primary) {
    throw new KeysError('ERR_KEYS_TRANSITION', 'the lowest accepted epoch cannot pass the primary one')
  }
  return next(ring, { minAccepted })
}

function requireKnown(ring: Ring, epoch: number): RingEpoch {
  const entry = findEpoch(ring, epoch)
  if (entry === undefined) throw new KeysError('ERR_KEYS_UNKNOWN_EPOCH', 'the ring knows no such epoch')
  return entry
}

function requireAccepted(ring: Ring, epoch: number): void {
  if (epoch < ring.minAccepted) throw new KeysError('ERR_KEYS_RETIRED', `epoch ${epoch} is retired`)
}

function replace(ring: Ring, entry: RingEpoch): Ring {
  return next(ring, { epochs: ring.epochs.map((old) => (old.epoch === entry.epoch ? entry : old)) })
}

/** The ring after a change. */
export function next(ring: Ring, change: Partial<Ring>): Ring {
  return { ...ring, ...change, version: ring.version + 1 }
}
