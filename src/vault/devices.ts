/** Devices of a holder: each has a slot of its own in the wrap (SPEC §11.7). @module */

import { equalBytes, fromBase64, toBase64Url, wipe } from '../base/bytes.ts'
import { checkObject, checkText } from '../base/check.ts'
import type { CallOptions } from '../base/errors.ts'
import { randomBytes } from '../crypto/random.ts'
import type { Profile } from '../keys/custody.ts'
import { addSlot, removeSlot, type SlotChange } from '../keys/wraps.ts'
import { secretKey } from '../record/place.ts'
import { encodeSecretRow, secretHeader } from '../record/secret-row.ts'
import type { StateRow } from '../record/state-row.ts'
import { sealFailure } from '../seal/errors.ts'
import type { StoreStep } from '../store/store.ts'
import { changedRow, changeSubject, stateStep, type Subject } from './change.ts'
import type { VaultContext } from './context.ts'
import { rejectInput, VaultError } from './errors.ts'
import { secondFactorConfirmed } from './symbols.ts'
import type { AddDeviceRequest, RemoveDeviceRequest, ShareSource } from './types.ts'
import { binding, custodyKey, readSecret, type StoredSecret, takeShare } from './wrap.ts'

/** Gives another device a share. Resolves with the device's identifier. */
export async function addDevice(ctx: VaultContext, request: AddDeviceRequest, options?: CallOptions): Promise<string> {
  checkRequest(ctx, request)
  return changeSubject(ctx, 'devices', { subject: request.subject, options }, {
    repeat: (state) => toBase64Url(state.devices.findLast((device) => !isFree(device)) ?? new Uint8Array(16)),
    change: async (found) => {
      const slot = found.row.devices.findIndex(isFree)
      if (slot < 0) throw new VaultError('ERR_VAULT_DEVICE', 'all four slots for devices are taken')
      const device = randomBytes(16)
      const added = await takeShare(ctx, request.newShare, found.row)
      try {
        await changeWrap(ctx, found, { source: request.holderShare, slot, device, added })
      } finally {
        wipe(added)
      }
      return toBase64Url(device)
    },
  })
}

/** Takes a device's share away: it does not open the wrap any more. */
export async function removeDevice(
  ctx: VaultContext,
  request: RemoveDeviceRequest,
  options?: CallOptions,
): Promise<void> {
  checkRequest(ctx, request)
  const device = fromBase64(checkText(request.device, 'device', { maxBytes: 22 }, rejectInput))
  return changeSubject(ctx, 'devices', { subject: request.subject, options }, {
    repeat: () => undefined,
    change: async (found) => {
      const slot = found.row.devices.findIndex((known) => device !== undefined && equalBytes(known, device))
      if (slot < 0 || device === undefined || isFree(device)) {
        throw new VaultError('ERR_VAULT_DEVICE', 'the subject has no such device')
      }
      await changeWrap(ctx, found, { source: request.holderShare, slot, device: new Uint8Array(16), added: undefined })
    },
  })
}

interface DeviceChange {
  readonly source: ShareSource
  readonly slot: number
  /** What the state row says of the slot from now on. */
  readonly device: Uint8Array
  readonly added: Uint8Array | undefined
}

/** Writes the wrap first where it lies in a store of its own, then the state row: a crash between them loses nothing. */
async function changeWrap(ctx: VaultContext, found: Subject, change: DeviceChange): Promise<void> {
  if (found.row.state === 'revoked' || found.row.state === 'erased') {
    throw new VaultError('ERR_VAULT_TRANSITION', `devices cannot change for a record that is ${found.row.state}`)
  }
  const secret = await readSecret(ctx, found.row)
  if (secret === undefined) throw new VaultError('ERR_VAULT_TRANSITION', 'the record has no wrap')
  const share = await takeShare(ctx, change.source, found.row)
  try {
    await ctx.ring.loadEpoch(secret.row.epoch)
    const step = wrapStep(ctx, found.row, secret, { ...change, share })
    const devices = found.row.devices.map((known, slot) => (slot === change.slot ? change.device : known))
    const next = stateStep(ctx, found, changedRow(ctx, found, 'devices', { devices }))
    if (ctx.split) await ctx.secrets.commit([step])
    await ctx.store.commit([next, ctx.ringStep(), ...(ctx.split ? [] : [step])])
  } finally {
    wipe(share)
  }
}

function wrapStep(
  ctx: VaultContext,
  state: StateRow,
  secret: StoredSecret,
  change: DeviceChange & { readonly share: Uint8Array | undefined },
): StoreStep {
  const { row } = secret
  const profile = row.profile as Profile
  const epoch = ctx.ring.primary
  const header = secretHeader({ ...row, epoch })
  const present = custodyKey(ctx, profile, row.keyVersion, change.share)
  const added = change.added && custodyKey(ctx, profile, row.keyVersion, change.added)
  try {
    const sealed = ctx.ring.withEpoch(row.epoch, (from) =>
      ctx.ring.withEpoch(epoch, (to) => {
        const slots: SlotChange = {
          present: present.prk,
          binding: binding(ctx, state, profile, row.keyVersion),
          from: { prk: from, header: row.header },
          to: { prk: to, header },
          slot: change.slot,
        }
        return added === undefined ? removeSlot(row, slots) : addSlot(row, { ...slots, added: added.prk })
      }),
    )
    if (sealed === undefined) throw sealFailure()
    const key = secretKey(ctx.realm, state.record, state.generation)
    return { step: 'put', table: 'secrets', key, bytes: encodeSecretRow({ header, ...sealed }), expected: secret.version }
  } finally {
    present.wipe()
    added?.wipe()
  }
}

function checkRequest(ctx: VaultContext, request: AddDeviceRequest | RemoveDeviceRequest): void {
  checkObject(request, 'the request', rejectInput)
  if (ctx.settings.custody !== 'holder') {
    throw new VaultError('ERR_VAULT_CUSTODY', 'devices exist under custody holder only')
  }
  if (request[secondFactorConfirmed] !== true) {
    throw rejectInput('a change of devices needs [secondFactorConfirmed]: true')
  }
}

function isFree(device: Uint8Array): boolean {
  return device.every((byte) => byte === 0)
}
