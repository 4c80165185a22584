/** Wrapping and opening record secrets for the verbs of a vault (SPEC §4.3). @module */

import { wipe } from '../base/bytes.ts'
import { giveRoom, takeRoom } from '../base/room.ts'
import { type CustodyParts, type Profile, preparedCustody } from '../keys/custody.ts'
import { KeysError } from '../keys/errors.ts'
import { openWrap, RECORD_SECRET_BYTES, type WrapBinding, wrapSecret } from '../keys/wraps.ts'
import { type RecordName, secretKey } from '../record/place.ts'
import { decodeSecretRow, encodeSecretRow, type SecretRow, secretHeader } from '../record/secret-row.ts'
import { SealError, sealFailure } from '../seal/errors.ts'
import type { StoredRow } from '../store/store.ts'
import type { VaultContext } from './context.ts'
import { PROFILE } from './custody.ts'
import { rewrapRow } from './rewrap.ts'

/** A secret row and the version that a commit must still find. */
export interface StoredSecret {
  readonly row: SecretRow
  readonly version: string
}

/** A generation and the devices that may open it: a state row, for one. */
export interface TemplateName extends RecordName {
  /** By slot, as in the state row; empty without holder. */
  readonly devices: readonly Uint8Array[]
}

/** What opens a template beside the realm's own key, as its custody asks for. Borrowed. */
export type Presented = Pick<CustodyParts, 'quorum' | 'share'>

/** Nobody but the operator takes part. */
export const NOBODY: Presented = Object.freeze({})

/** Reads the wrap of a generation; `undefined` when it is missing. */
export async function readSecret(ctx: VaultContext, name: RecordName): Promise<StoredSecret | undefined> {
  return openSecret(
    name,
    await ctx.secrets.get('secrets', secretKey(ctx.realm, name.record, name.generation)),
  )
}

/** A secret row that was read for the generation; `undefined` when there was none. */
export function openSecret(name: RecordName, stored: StoredRow | undefined): StoredSecret | undefined {
  return stored === undefined
    ? undefined
    : { row: decodeSecretRow(stored.bytes, name), version: stored.version }
}

/** True for a slot that belongs to a device. */
export function isDevice(device: Uint8Array): boolean {
  return device.some((byte) => byte !== 0)
}

/** The bytes of a new secret row under the primary epoch, for the first device of the template. Needs loaded keys; does not wait. */
export function makeSecretRow(
  ctx: VaultContext,
  name: TemplateName,
  recordSecret: Uint8Array,
  presented: Presented,
): { readonly bytes: Uint8Array; readonly epoch: number } {
  const epoch = ctx.ring.primary
  const keyVersion = ctx.ring.newestVersion
  const profile = PROFILE[ctx.settings.custody]
  const quorumEpoch = ctx.settings.quorum?.epoch
  const header = secretHeader({ ...name, epoch, since: epoch, profile, keyVersion, quorumEpoch })
  const custody = custodyKey(ctx, profile, keyVersion, presented)
  try {
    const sealed = ctx.ring.withEpoch(epoch, (prepared) =>
      wrapSecret(recordSecret, {
        custody: custody.prepared,
        binding: binding(ctx, name, profile, keyVersion),
        slot: Math.max(0, name.devices.findIndex(isDevice)),
        outer: { prepared, header },
      }),
    )
    return { bytes: encodeSecretRow({ header, ...sealed }), epoch }
  } finally {
    custody.wipe()
  }
}

/**
 * Opens a wrap and lends the record secret to `use`; it is wiped when `use` returns. Needs loaded keys; does not wait.
 * Throws `ERR_SEAL_OPEN` when it does not open, `ERR_KEYS_*` when its epoch may not be used.
 */
export function withRecordSecret<Result>(
  ctx: VaultContext,
  name: TemplateName,
  secret: SecretRow,
  presented: Presented,
  use: (recordSecret: Uint8Array, slot: number) => Result,
): Result {
  const profile = secret.profile as Profile
  const custody = custodyKey(ctx, profile, secret.keyVersion, presented)
  const room = takeRoom(RECORD_SECRET_BYTES)
  try {
    const opened = ctx.ring.withEpoch(secret.epoch, (prepared) =>
      openWrap(secret, {
        custody: custody.prepared,
        binding: binding(ctx, name, profile, secret.keyVersion),
        outer: { prepared, header: secret.header },
        room,
      }),
    )
    if (opened === undefined) throw sealFailure()
    return use(opened.recordSecret, opened.slot)
  } finally {
    giveRoom(room)
    custody.wipe()
  }
}

/** True when the row's own epoch vouches for its header. False too when that epoch cannot be asked. */
export async function isAuthentic(ctx: VaultContext, row: SecretRow): Promise<boolean> {
  try {
    await ctx.ring.loadEpoch(row.epoch)
    rewrapRow(ctx.ring, row, row.epoch)
    return true
  } catch (error) {
    if (error instanceof SealError || error instanceof KeysError) return false
    throw error
  }
}

/** True when nothing but the share keeps the wrap shut: its epoch vouches for it, and it does not open. */
export async function isWrongShare(
  ctx: VaultContext,
  name: TemplateName,
  { row }: StoredSecret,
  presented: Presented,
): Promise<boolean> {
  try {
    withRecordSecret(ctx, name, row, presented, () => undefined)
    return false
  } catch (error) {
    if (error instanceof SealError && (await isAuthentic(ctx, row))) return true
    throw error
  }
}

/** The custody key, ready to use: kept by the ring for the operator, made for this call where others take part. */
export function custodyKey(
  ctx: VaultContext,
  profile: Profile,
  keyVersion: number,
  presented: Presented,
): { readonly prepared: Uint8Array; wipe(): void } {
  // What a row says of itself: nothing vouches for it before its wrap opens.
  if (!ctx.ring.versions.includes(keyVersion)) throw sealFailure()
  const keys = ctx.ring.requireRealmKeys(keyVersion)
  if (profile === PROFILE.operator) return { prepared: keys.preparedOperator, wipe: () => undefined }
  const prepared = preparedCustody(profile, { ...presented, custodyKey: keys.custody })
  return { prepared, wipe: () => wipe(prepared) }
}

/** What the inner wrap is bound to. */
export function binding(
  ctx: VaultContext,
  name: TemplateName,
  profile: Profile,
  keyVersion: number,
): WrapBinding {
  const { realm, record, handle, generation, devices } = name
  const { purpose } = ctx.settings.profile
  return { realm, record, handle, generation, purpose, profile, keyVersion, devices }
}
