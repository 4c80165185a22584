/** Wrapping and opening record secrets for the verbs of a vault (SPEC §4.3). @module */

import { secretBytes, wipe } from '../base/bytes.ts'
import { custodyPrk, type Profile } from '../keys/custody.ts'
import { KeysError } from '../keys/errors.ts'
import { openWrap, type WrapBinding, wrapSecret } from '../keys/wraps.ts'
import { decodeSecretRow, encodeSecretRow, secretHeader, type SecretRow } from '../record/secret-row.ts'
import { type RecordName, secretKey } from '../record/place.ts'
import { sealFailure } from '../seal/errors.ts'
import { PROFILE, type VaultContext } from './context.ts'
import { rejectInput } from './errors.ts'
import { recordId } from './lookup.ts'
import type { ShareSource } from './types.ts'

/** A secret row and the version that a commit must still find. */
export interface StoredSecret {
  readonly row: SecretRow
  readonly version: string
}

/** Reads the wrap of a generation; `undefined` when it is missing. */
export async function readSecret(ctx: VaultContext, name: RecordName): Promise<StoredSecret | undefined> {
  const stored = await ctx.secrets.get('secrets', secretKey(ctx.realm, name.record, name.generation))
  return stored === undefined ? undefined : { row: decodeSecretRow(stored.bytes, name), version: stored.version }
}

/**
 * Asks for the holder's share under custody `holder`; `undefined` under `operator`, where a source is refused. The
 * copy belongs to the caller, who wipes it; the buffer that the source gave is wiped here.
 */
export async function takeShare(
  ctx: VaultContext,
  source: ShareSource | undefined,
  name: RecordName,
): Promise<Uint8Array | undefined> {
  if (ctx.settings.custody === 'operator') {
    if (source !== undefined) throw rejectInput('this vault takes no holder share')
    return undefined
  }
  if (typeof source !== 'function') {
    throw new KeysError('ERR_KEYS_MISSING', 'this vault needs a holder share')
  }
  const generation = Uint8Array.from(name.generation)
  const given: unknown = await source({ realm: ctx.realm, record: recordId(name.record), generation })
  if (!(given instanceof Uint8Array) || given.length !== 32) throw rejectInput('a holder share must have 32 bytes')
  const share = secretBytes(32)
  share.set(given)
  wipe(given)
  return share
}

/** The bytes of a new secret row under the primary epoch. Needs loaded keys; does not wait. */
export function makeSecretRow(
  ctx: VaultContext,
  name: RecordName,
  recordSecret: Uint8Array,
  share: Uint8Array | undefined,
): { readonly bytes: Uint8Array; readonly epoch: number } {
  const epoch = ctx.ring.primary
  const keyVersion = ctx.ring.newestVersion
  const profile = PROFILE[ctx.settings.custody]
  const header = secretHeader({ ...name, epoch, since: epoch, profile, keyVersion })
  const custody = custodyKey(ctx, profile, keyVersion, share)
  try {
    const sealed = ctx.ring.withEpoch(epoch, (prk) =>
      wrapSecret(recordSecret, {
        custody: custody.prk,
        binding: binding(ctx, name, profile, keyVersion),
        outer: { prk, header },
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
  name: RecordName,
  secret: SecretRow,
  share: Uint8Array | undefined,
  use: (recordSecret: Uint8Array, slot: number) => Result,
): Result {
  const profile = secret.profile as Profile
  const custody = custodyKey(ctx, profile, secret.keyVersion, share)
  try {
    const opened = ctx.ring.withEpoch(secret.epoch, (prk) =>
      openWrap(secret, {
        custody: custody.prk,
        binding: binding(ctx, name, profile, secret.keyVersion),
        outer: { prk, header: secret.header },
      }),
    )
    if (opened === undefined) throw sealFailure()
    try {
      return use(opened.recordSecret, opened.slot)
    } finally {
      wipe(opened.recordSecret)
    }
  } finally {
    custody.wipe()
  }
}

/** The custody key, ready to use: kept by the ring for the operator, made for this call for a holder. */
export function custodyKey(
  ctx: VaultContext,
  profile: Profile,
  keyVersion: number,
  share: Uint8Array | undefined,
): { readonly prk: Uint8Array; wipe(): void } {
  const keys = ctx.ring.requireRealmKeys(keyVersion)
  if (profile === PROFILE.operator) return { prk: keys.operatorPrk, wipe: () => undefined }
  const prk = custodyPrk(profile, { custodyKey: keys.custody, share })
  return { prk, wipe: () => wipe(prk) }
}

/** What the inner wrap is bound to. */
export function binding(ctx: VaultContext, name: RecordName, profile: Profile, keyVersion: number): WrapBinding {
  return { ...name, purpose: ctx.settings.profile.purpose, profile, keyVersion }
}

