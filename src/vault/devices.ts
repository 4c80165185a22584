/** Devices of a holder: each has a slot of its own in the wrap (SPEC §11.7). @module */

import { equalBytes, fromBase64, toBase64Url } from '../base/bytes.ts'
import { checkText } from '../base/check.ts'
import type { CallOptions } from '../base/errors.ts'
import { randomBytes } from '../crypto/random.ts'
import type { Profile } from '../keys/custody.ts'
import { addSlot, removeSlot, type SlotChange } from '../keys/wraps.ts'
import { readFields } from '../policy/fields.ts'
import { secretKey } from '../record/place.ts'
import { encodeSecretRow, secretHeader } from '../record/secret-row.ts'
import type { StateRow } from '../record/state-row.ts'
import { sealFailure } from '../seal/errors.ts'
import type { StoreStep } from '../store/store.ts'
import { changedRow, changeEvent, changeSubject, type Subject, stateStep } from './change.ts'
import type { VaultContext } from './context.ts'
import { asksHolder } from './custody.ts'
import { rejectInput, VaultError } from './errors.ts'
import { requireUnchanged } from './lookup.ts'
import { openEvent } from './outputs.ts'
import { templatesOf } from './references.ts'
import { type Shares, withShares } from './shares.ts'
import { secondFactorConfirmed } from './symbols.ts'
import type { AddDeviceRequest, RemoveDeviceRequest } from './types.ts'
import { binding, custodyKey, isAuthentic, type Presented, readSecret, type StoredSecret } from './wrap.ts'

const ADD_FIELDS = ['subject', 'holderShare', 'newShare', secondFactorConfirmed] as const
const REMOVE_FIELDS = ['subject', 'holderShare', 'device', secondFactorConfirmed] as const
const DEVICE_BYTES = 16
const FREE: Uint8Array = new Uint8Array(DEVICE_BYTES)

/** Gives another device a share. Resolves with the device's identifier. */
export async function addDevice(
  ctx: VaultContext,
  request: AddDeviceRequest,
  options?: CallOptions,
): Promise<string> {
  const given = readFields(request, 'the request', ADD_FIELDS, rejectInput)
  checkRequest(ctx, given)
  return withShares(ctx, { present: given.holderShare, added: given.newShare }, (shares) =>
    changeSubject(
      ctx,
      'devices',
      { subject: given.subject, options },
      {
        repeat: (_, digest) => toBase64Url(digest),
        change: async (found) => {
          const slot = found.row.devices.findIndex(isFree)
          if (slot < 0) throw new VaultError('ERR_VAULT_DEVICE', 'all four slots for devices are taken')
          // Named by its operation where there is one, so that a retry knows which device it was.
          const device = found.digest ?? randomBytes(DEVICE_BYTES)
          await changeWrap(ctx, found, { shares, slot, device, adds: true })
          return toBase64Url(device)
        },
      },
    ),
  )
}

/** Takes a device's share away: it does not open the wrap any more. */
export async function removeDevice(
  ctx: VaultContext,
  request: RemoveDeviceRequest,
  options?: CallOptions,
): Promise<void> {
  const given = readFields(request, 'the request', REMOVE_FIELDS, rejectInput)
  checkRequest(ctx, given)
  const device = checkDevice(given.device)
  return withShares(ctx, { present: given.holderShare }, (shares) =>
    changeSubject(
      ctx,
      'devices',
      { subject: given.subject, options, bound: device },
      {
        repeat: () => undefined,
        change: async (found) => {
          const slot = found.row.devices.findIndex((known) => equalBytes(known, device))
          if (slot < 0) throw new VaultError('ERR_VAULT_DEVICE', 'the subject has no such device')
          await changeWrap(ctx, found, { shares, slot, device: FREE, adds: false })
        },
      },
    ),
  )
}

interface DeviceChange {
  readonly shares: Shares
  readonly slot: number
  /** What the state row says of the slot from now on. */
  readonly device: Uint8Array
  readonly adds: boolean
}

/**
 * Writes the wraps first where they lie in a store of their own, then the state row: a crash between them loses nothing. Those of all
 * references: what a device could open it cannot open any more (VAULT-94).
 */
async function changeWrap(ctx: VaultContext, found: Subject, change: DeviceChange): Promise<void> {
  if (found.row.state === 'revoked' || found.row.state === 'erased') {
    throw new VaultError(
      'ERR_VAULT_TRANSITION',
      `devices cannot change for a record that is ${found.row.state}`,
    )
  }
  const parts: TemplateChange[] = []
  for (const template of templatesOf(found.row)) {
    const secret = await readSecret(ctx, template)
    if (secret === undefined) {
      await requireUnchanged(ctx, found, found.found.ring)
      throw new VaultError('ERR_VAULT_TRANSITION', 'the record has no wrap')
    }
    const presented = await presentedFor(ctx, { template, ring: found.found.ring }, secret, change)
    parts.push({ template, secret, presented })
  }
  for (const { secret } of parts) await ctx.ring.loadEpoch(secret.row.epoch)
  const wraps = parts.map((part) => wrapStep(ctx, part, change))
  const devices = found.row.devices.map((known, slot) => (slot === change.slot ? change.device : known))
  const next = stateStep(ctx, found, changedRow(ctx, found, 'devices', { devices }))
  if (ctx.split) await ctx.secrets.commit(wraps)
  await ctx.commitLogged(
    [next, found.found.ring, ...(ctx.split ? [] : wraps)],
    changeEvent('devices', found.row),
  )
}

/** One reference, its wrap, and what opens it. */
interface TemplateChange {
  readonly template: StateRow
  readonly secret: StoredSecret
  readonly presented: DeviceParts
}

/** What the device that is present opens the template with, and the one that is added. */
interface DeviceParts {
  readonly present: Presented
  readonly added: Presented | undefined
}

/** Both shares are asked for before the quorum is. */
async function presentedFor(
  ctx: VaultContext,
  { template: row, ring }: { readonly template: StateRow; readonly ring: StoreStep },
  secret: StoredSecret,
  { shares, adds }: DeviceChange,
): Promise<DeviceParts> {
  const share = shares.of(row)
  const addedShare = adds ? shares.of(row, 'added') : undefined
  const quorum = await shares.outputs.of(row, secret.row.quorumEpoch, async (epoch) => {
    if (!(await isAuthentic(ctx, secret.row))) throw sealFailure()
    return await ctx.commitLogged([ring], openEvent(row, epoch))
  })
  const added = addedShare === undefined ? undefined : { share: addedShare, quorum }
  return { present: { share, quorum }, added }
}

function wrapStep(
  ctx: VaultContext,
  { template: state, secret, presented }: TemplateChange,
  change: DeviceChange,
): StoreStep {
  const { row } = secret
  const profile = row.profile as Profile
  const epoch = Math.max(row.epoch, ctx.ring.primary)
  const header = secretHeader({ ...row, epoch })
  const present = custodyKey(ctx, profile, row.keyVersion, presented.present)
  const added = presented.added && custodyKey(ctx, profile, row.keyVersion, presented.added)
  try {
    const sealed = ctx.ring.withEpoch(row.epoch, (from) =>
      ctx.ring.withEpoch(epoch, (to) => {
        const slots: SlotChange = {
          present: present.prepared,
          binding: binding(ctx, state, profile, row.keyVersion),
          from: { prepared: from, header: row.header },
          to: { prepared: to, header },
          slot: change.slot,
        }
        return added === undefined
          ? removeSlot(row, slots)
          : addSlot(row, { ...slots, added: added.prepared, device: change.device })
      }),
    )
    if (sealed === undefined) throw sealFailure()
    const key = secretKey(ctx.realm, state.record, state.generation)
    return {
      step: 'put',
      table: 'secrets',
      key,
      bytes: encodeSecretRow({ header, ...sealed }),
      expected: secret.version,
    }
  } finally {
    present.wipe()
    added?.wipe()
  }
}

function checkRequest(ctx: VaultContext, given: { readonly [secondFactorConfirmed]: unknown }): void {
  if (!asksHolder(ctx.settings.custody)) {
    throw new VaultError('ERR_VAULT_CUSTODY', 'devices exist under custody with a holder only')
  }
  if (given[secondFactorConfirmed] !== true) {
    throw rejectInput('a change of devices needs [secondFactorConfirmed]: true')
  }
}

function checkDevice(value: unknown): Uint8Array {
  const device = fromBase64(checkText(value, 'device', { maxBytes: 24 }, rejectInput))
  if (device?.length !== DEVICE_BYTES || isFree(device)) {
    throw new VaultError('ERR_VAULT_DEVICE', 'the subject has no such device')
  }
  return device
}

function isFree(device: Uint8Array): boolean {
  return device.every((byte) => byte === 0)
}
