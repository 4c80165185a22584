/** Key-committing encryption: XChaCha20-Poly1305 with an HKDF commitment (SPEC §8). @module */

import { fixedLabel } from '../base/bytes.ts'
import { checkBytes } from '../base/check.ts'
import { AEAD_MAX_BYTES, AEAD_NONCE_BYTES, AEAD_TAG_BYTES } from './aead.ts'
import { rejectInput } from './errors.ts'
import { checkInput } from './input.ts'
import { PREPARED_BYTES } from './kdf.ts'
import { randomPublic } from './random.ts'
import { primitives } from './sodium.ts'

const COMMITMENT_BYTES = 32

/** What a seal leaves to be stored; none of it is secret. */
export interface Sealed {
  /** 24 bytes, random. */
  readonly nonce: Uint8Array
  /** 32 bytes, binding key, nonce, label and associated data. */
  readonly commitment: Uint8Array
  /** As long as the plaintext and 16 bytes more. */
  readonly ciphertext: Uint8Array
}

const IKM_BYTES = [32, 1024] as const

/**
 * Seals `plaintext` under a uniformly random `ikm` (32 to 1,024 bytes). `label` names the use (1 to 255
 * printable ASCII characters), `aad` is bound and not stored. The plaintext's length shows. Throws
 * `ERR_CRYPTO_INPUT`, `ERR_CRYPTO_NOT_READY`.
 *
 * @example
 * ```ts
 * const sealed = committingSeal(key, 'guise/v1/example', aad, plaintext)
 * const opened = committingOpen(key, 'guise/v1/example', aad, sealed) // plaintext, or undefined
 * ```
 */
export function committingSeal(
  ikm: Uint8Array,
  label: string,
  aad: Uint8Array,
  plaintext: Uint8Array,
): Sealed {
  checkBytes(ikm, 'ikm', IKM_BYTES, rejectInput)
  return seal(ikm, false, label, aad, plaintext)
}

/**
 * The plaintext, off-heap and owned by the caller, or `undefined` for whatever does not fit: key, label,
 * associated data, or any byte of `sealed`. The commitment is compared in constant time before anything is
 * decrypted. `room` takes the plaintext where the caller has one of its length. Throws `ERR_CRYPTO_INPUT` for an `ikm` of the
 * wrong length, `ERR_CRYPTO_NOT_READY`.
 */
export function committingOpen(
  ikm: Uint8Array,
  label: string,
  aad: Uint8Array,
  sealed: Sealed,
  room?: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> | undefined {
  return openLeading(ikm, label, aad, sealed, 0, room)
}

/**
 * `committingOpen` for a seal whose derivation gives `leadBytes` bytes for another use before its key and commitment.
 * The result holds these bytes first, then the plaintext. `room` takes it where the caller has one of that length.
 */
export function openLeading(
  ikm: Uint8Array,
  label: string,
  aad: Uint8Array,
  sealed: Sealed,
  leadBytes: number,
  room?: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> | undefined {
  checkBytes(ikm, 'ikm', IKM_BYTES, rejectInput)
  checkInput(aad, 'aad')
  if (!hasShape(sealed)) return undefined
  const bound = { label: fixedLabel(label), aad }
  return primitives().openCommitted(ikm, false, bound, sealed, leadBytes, checkRoom(room, sealed, leadBytes))
}

/**
 * `committingSeal` under `hkdfPrepare(ikm)`: the same result, half of the derivation saved.
 */
export function committingSealPrepared(
  prepared: Uint8Array,
  label: string,
  aad: Uint8Array,
  plaintext: Uint8Array,
): Sealed {
  checkBytes(prepared, 'prepared', PREPARED_BYTES, rejectInput)
  return seal(prepared, true, label, aad, plaintext)
}

/** `committingOpen` under `hkdfPrepare(ikm)`. `room` takes the plaintext where the caller has one of its length. */
export function committingOpenPrepared(
  prepared: Uint8Array,
  label: string,
  aad: Uint8Array,
  sealed: Sealed,
  room?: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> | undefined {
  checkBytes(prepared, 'prepared', PREPARED_BYTES, rejectInput)
  checkInput(aad, 'aad')
  if (!hasShape(sealed)) return undefined
  const bound = { label: fixedLabel(label), aad }
  return primitives().openCommitted(prepared, true, bound, sealed, 0, checkRoom(room, sealed, 0))
}

function seal(
  secret: Uint8Array,
  prepared: boolean,
  label: string,
  aad: Uint8Array,
  plaintext: Uint8Array,
): Sealed {
  checkInput(aad, 'aad')
  checkBytes(plaintext, 'plaintext', [0, AEAD_MAX_BYTES], rejectInput)
  const nonce = randomPublic(AEAD_NONCE_BYTES)
  const sealed = primitives().sealCommitted(
    secret,
    prepared,
    { label: fixedLabel(label), nonce, aad },
    plaintext,
  )
  return {
    nonce,
    commitment: sealed.subarray(0, COMMITMENT_BYTES),
    ciphertext: sealed.subarray(COMMITMENT_BYTES),
  }
}

function checkRoom(
  room: Uint8Array<ArrayBuffer> | undefined,
  { ciphertext }: Sealed,
  leadBytes: number,
): Uint8Array<ArrayBuffer> | undefined {
  if (room !== undefined)
    checkBytes(room, 'room', leadBytes + ciphertext.length - AEAD_TAG_BYTES, rejectInput)
  return room
}

/** Whether the parts have the lengths that the primitives read. */
function hasShape({ nonce, commitment, ciphertext }: Sealed): boolean {
  return (
    nonce.length === AEAD_NONCE_BYTES &&
    commitment.length === COMMITMENT_BYTES &&
    ciphertext.length >= AEAD_TAG_BYTES
  )
}
