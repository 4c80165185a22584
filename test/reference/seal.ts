/** The committing seal, with its nonce as a parameter so that vectors can be fixed (SPEC §8). @module */
import { concat, equal, lp, Refused } from './bytes.ts'
import { hkdf } from './hashes.ts'
import { aeadOpen, aeadSeal } from './xchacha.ts'

export interface Sealed {
  readonly nonce: Uint8Array
  readonly commitment: Uint8Array
  readonly ciphertext: Uint8Array
}

export interface SealKeys {
  readonly okm: Uint8Array
  readonly key: Uint8Array
  readonly commitment: Uint8Array
}

/** Step 2 of `seal`. */
export function sealKeys(k: Uint8Array, label: string, nonce: Uint8Array, aad: Uint8Array): SealKeys {
  const okm = hkdf(k, concat(lp(label), nonce, aad), 64)
  return { okm, key: okm.slice(0, 32), commitment: okm.slice(32, 64) }
}

/** Procedure `seal(k, label, aad, plaintext)`. */
export function seal(
  k: Uint8Array,
  label: string,
  aad: Uint8Array,
  plaintext: Uint8Array,
  nonce: Uint8Array,
): Sealed {
  const { key, commitment } = sealKeys(k, label, nonce, aad)
  return { nonce, commitment, ciphertext: aeadSeal(key, nonce, aad, plaintext) }
}

/** Procedure `open`. The message tells the stage; the code is the same for every way of failing. */
export function open(k: Uint8Array, label: string, aad: Uint8Array, sealed: Sealed): Uint8Array {
  const { key, commitment } = sealKeys(k, label, sealed.nonce, aad)
  return openWith(key, commitment, aad, sealed)
}

export interface RecordKeys {
  readonly okm: Uint8Array
  readonly rotationKey: Uint8Array
  readonly key: Uint8Array
  readonly commitment: Uint8Array
}

/** The one expand of 96 bytes from the record secret. */
export function recordKeys(rs: Uint8Array, nonce: Uint8Array, header: Uint8Array): RecordKeys {
  const okm = hkdf(rs, concat(lp('guise/v1/record'), nonce, header), 96)
  return { okm, rotationKey: okm.slice(0, 32), key: okm.slice(32, 64), commitment: okm.slice(64, 96) }
}

export function recordSeal(rs: Uint8Array, header: Uint8Array, code: Uint8Array, nonce: Uint8Array): Sealed {
  const { key, commitment } = recordKeys(rs, nonce, header)
  return { nonce, commitment, ciphertext: aeadSeal(key, nonce, header, code) }
}

export function recordOpen(rs: Uint8Array, header: Uint8Array, sealed: Sealed): Uint8Array {
  const { key, commitment } = recordKeys(rs, sealed.nonce, header)
  return openWith(key, commitment, header, sealed)
}

function openWith(key: Uint8Array, commitment: Uint8Array, aad: Uint8Array, sealed: Sealed): Uint8Array {
  if (!equal(commitment, sealed.commitment)) throw new Refused('ERR_SEAL_OPEN', 'commitment')
  const plaintext = aeadOpen(key, sealed.nonce, aad, sealed.ciphertext)
  if (plaintext === undefined) throw new Refused('ERR_SEAL_OPEN', 'tag')
  return plaintext
}
