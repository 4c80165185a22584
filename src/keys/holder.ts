/** The holder's share, made on the person's device: Node, browsers, and where WebAssembly is forbidden (SPEC §4.3). @module */

import type { Brand } from '../base/brand.ts'
import { concatBytes, fromBase64, labelBytes, secretBytes, wipe } from '../base/bytes.ts'
import { encodeCbor } from '../base/cbor.ts'
import { checkBytes } from '../base/check.ts'
import { checkRealm } from '../base/identifier.ts'
import { hkdfPortable } from '../crypto/kdf-portable.ts'
import { badInput } from './errors.ts'

/** 32 bytes that open one generation of one template. The vault sees them during a call and forgets them. */
export type HolderShare = Brand<Uint8Array, 'HolderShare'>

/** The template that a share is for, as the vault names it. */
export interface HolderContext {
  readonly realm: string
  /** 16 bytes, or the base64url text of them that a vault gives as record id. */
  readonly record: string | Uint8Array
  /** 20 bytes. */
  readonly generation: Uint8Array
}

const LABEL = labelBytes('guise/v1/holder')
const SHARE_BYTES = 32
const DEVICE_SECRET_BYTES = [32, 1024] as const

/**
 * Derives the share from the device's secret, which never leaves the device. A share opens one generation of one
 * template and tells nothing of any other. The caller wipes it once the vault has answered.
 *
 * Throws `ERR_KEYS_INPUT`.
 *
 * @param deviceSecret 32 to 1024 random bytes, borrowed
 *
 * @example
 * ```ts
 * const deviceSecret = crypto.getRandomValues(new Uint8Array(32))
 * const share = holderShare(deviceSecret, {
 *   realm: 'clinic',
 *   record: new Uint8Array(16),
 *   generation: new Uint8Array(20),
 * })
 * ```
 */
export function holderShare(deviceSecret: Uint8Array, context: HolderContext): HolderShare {
  checkBytes(deviceSecret, 'deviceSecret', DEVICE_SECRET_BYTES, badInput)
  const realm = checkRealm(context.realm, badInput)
  const record = checkBytes(asBytes(context.record), 'record', 16, badInput)
  const generation = checkBytes(context.generation, 'generation', 20, badInput)
  const derived = hkdfPortable(
    deviceSecret,
    concatBytes(LABEL, encodeCbor([realm, record, generation])),
    SHARE_BYTES,
  )
  const share = secretBytes(SHARE_BYTES)
  share.set(derived)
  wipe(derived)
  return share as Uint8Array as HolderShare
}

function asBytes(record: string | Uint8Array): Uint8Array | undefined {
  return typeof record === 'string' ? fromBase64(record) : record
}
