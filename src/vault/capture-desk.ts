/** A vault's own desk for captures: over its store, under its realm's capture key, and in its log (SPEC §20.8). @module */

import { equalBytes, wipe } from '../base/bytes.ts'
import { checkObject } from '../base/check.ts'
import type { CallOptions } from '../base/errors.ts'
import { type CaptureDesk, type CaptureDeskOptions, deskWith } from '../capture/desk.ts'
import { type DeviceRegistry, type DeviceTrust, deviceRegistry } from '../capture/devices.ts'
import type { CaptureReason } from '../capture/errors.ts'
import { verifyEd25519 } from '../crypto/sign.ts'
import { checkModel } from '../embedding/model.ts'
import { checkCall } from './calls.ts'
import type { VaultContext } from './context.ts'
import { rejectConfiguration, rejectInput } from './errors.ts'
import { contextOf, type Vault } from './vault.ts'

/** As of `captureDesk`; store, realm, secret and clock are the vault's. `model` as the vault was opened with, or its next one. */
export interface VaultDeskOptions
  extends Omit<CaptureDeskOptions, 'store' | 'realm' | 'secret' | 'devices' | 'clock'>,
    Pick<CallOptions, 'signal'> {
  /** Whose captures are accepted. Default: the registry that lies in the vault's store. */
  readonly devices?: DeviceTrust
}

/** A desk and the devices that lie beside it. */
export interface VaultDesk {
  readonly desk: CaptureDesk
  readonly devices: DeviceRegistry
}

/** In a minute a desk logs no more refusals: who may send captures must not be able to fill the log. */
const MOST_LOGGED = 60
/** Nor of one reason: some can be had without a device's key, and must leave room for the others. */
const MOST_OF_REASON = 12
const WINDOW_MS = 60_000
/** Whoever knows the transport key, which is no secret, can have these. */
const UNLOGGED: ReadonlySet<CaptureReason> = new Set(['format', 'suite', 'recipient', 'sealed', 'statement'])

/**
 * Opens a desk on the vault's realm: what it accepts, the vault takes. Refused captures are told to the vault's log, up to 60 a minute and 12 of one reason. Dispose of the
 * desk before the vault is closed.
 *
 * @example
 * ```ts
 * const { desk, devices } = await openCaptureDesk(vault, { model, policies: [{ purpose: 'login', liveness: 'not-needed' }] })
 * const capture = await desk.openCapture(sealed, { subject: 'user-1', purpose: 'login' })
 * const { outcome } = await vault.verify({ subject: 'user-1', capture })
 * ```
 *
 * @throws {VaultError} `ERR_VAULT_CONFIGURATION` for another model than the vault's; and what `captureDesk` throws
 */
export async function openCaptureDesk(vault: Vault, options: VaultDeskOptions): Promise<VaultDesk> {
  const ctx = contextOf(vault)
  const {
    devices: given,
    signal,
    ...rest
  } = checkObject(options, 'options', rejectInput) as unknown as VaultDeskOptions
  const { id, dimensions, meanHash } = checkModel(rest.model)
  const { profile } = (ctx.forModel(id) ?? ctx).settings
  if (id !== profile.model || dimensions !== profile.dimensions || !equalBytes(meanHash, profile.meanHash)) {
    throw rejectConfiguration('the desk is for another model or mean than the vault')
  }
  const secret = await captureSecret(ctx.within(checkCall(signal === undefined ? {} : { signal })))
  try {
    const { realm, store, clock } = { realm: ctx.realm, store: ctx.ring.store, clock: ctx.clock }
    const devices = deviceRegistry({ store, realm, secret, clock })
    const desk = deskWith(
      { ...rest, store, realm, secret, clock, devices: given ?? devices },
      {
        refused: teller(ctx),
        verifyEd25519,
      },
    )
    return { desk, devices }
  } finally {
    wipe(secret)
  }
}

/** A copy of the oldest version's capture key: a new version leaves the rows of desks readable. */
async function captureSecret(ctx: VaultContext): Promise<Uint8Array> {
  await ctx.ring.refresh()
  await ctx.ring.load()
  return Uint8Array.from(ctx.ring.requireRealmKeys(ctx.ring.oldestVersion).capture)
}

/** Tells the log why captures were refused, not of whom. */
function teller(ctx: VaultContext): (reason: CaptureReason) => Promise<void> {
  let sinceMs = Number.NEGATIVE_INFINITY
  let logged = 0
  const counts = new Map<CaptureReason, number>()
  return async (reason) => {
    if (UNLOGGED.has(reason)) return
    const { ms } = ctx.clock.steady()
    if (ms - sinceMs >= WINDOW_MS) {
      sinceMs = ms
      logged = 0
      counts.clear()
    }
    const count = counts.get(reason) ?? 0
    if (logged >= MOST_LOGGED || count >= MOST_OF_REASON) return
    logged += 1
    counts.set(reason, count + 1)
    try {
      await ctx.commitLogged([], { action: 'capture', outcome: 'refused', policy: `capture/${reason}` })
    } catch {
      // The refusal stands, whatever becomes of its entry.
    }
  }
}
