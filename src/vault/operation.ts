/** Digests of operation ids, so that a retry is not done twice (SPEC §11.6). @module */

import { labelBytes, wipe } from '../base/bytes.ts'
import { encodeCbor } from '../base/cbor.ts'
import type { CallOptions } from '../base/errors.ts'
import { sha256 } from '../crypto/hash.ts'
import { mac } from '../crypto/kdf.ts'
import type { VaultContext } from './context.ts'

/** Codes of verbs in digests and state rows. */
export const VERB = {
  enroll: 1,
  verify: 2,
  activate: 3,
  suspend: 4,
  resume: 5,
  hold: 6,
  release: 7,
  revoke: 8,
  reissue: 9,
  rebind: 10,
  erase: 11,
  devices: 12,
  withdraw: 13,
  basis: 14,
  adapt: 15,
  'reference-add': 16,
  'reference-remove': 17,
} as const

export type Verb = keyof typeof VERB

const LABEL = labelBytes('guise/v1/operation')
const NOTHING: Uint8Array = new Uint8Array(0)

/**
 * The 16-byte digest of a call's operation id; `undefined` when it has none.
 *
 * @param who handle, or tag where there is no handle yet
 * @param bound what else the retry must share with the first call
 */
export function operationDigest(
  ctx: VaultContext,
  verb: Verb,
  who: Uint8Array,
  options: CallOptions | undefined,
  bound: Uint8Array = NOTHING,
): Uint8Array | undefined {
  if (options?.operationId === undefined) return undefined
  const { limiter } = ctx.ring.requireRealmKeys(ctx.ring.oldestVersion)
  const open = encodeCbor([VERB[verb], who, options.operationId, NOTHING])
  const digest = mac(limiter, [LABEL, open.subarray(0, -1), byteStringHead(bound.length), bound])
  return digest.subarray(0, 16)
}

/** The head of a CBOR byte string. What a digest is bound to may say something of a face: the codec never sees it. */
function byteStringHead(length: number): Uint8Array {
  return length < 24 ? Uint8Array.of(0x40 + length) : Uint8Array.of(0x58, length)
}

/** Binds a verify to its probe: SHA-256 of the integers, little-endian. The caller wipes it. */
export function probeDigest(integers: Int32Array): Uint8Array {
  const bytes = new Uint8Array(new ArrayBuffer(4 * integers.length))
  const view = new DataView(bytes.buffer)
  for (const [index, value] of integers.entries()) view.setInt32(4 * index, value, true)
  try {
    return sha256(bytes)
  } finally {
    wipe(bytes)
  }
}
