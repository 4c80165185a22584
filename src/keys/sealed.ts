/** A seal in one piece: nonce, commitment, ciphertext (SPEC §4.3, §8). @module */

import { concatBytes } from '../base/bytes.ts'
import type { Sealed } from '../crypto/committing.ts'

const NONCE_BYTES = 24
const COMMITMENT_END = 56

export function packSealed({ nonce, commitment, ciphertext }: Sealed): Uint8Array {
  return concatBytes(nonce, commitment, ciphertext)
}

/** The parts of whatever bytes there are: a wrong length does not open. */
export function unpackSealed(bytes: Uint8Array): Sealed {
  return {
    nonce: bytes.subarray(0, NONCE_BYTES),
    commitment: bytes.subarray(NONCE_BYTES, COMMITMENT_END),
    ciphertext: bytes.subarray(COMMITMENT_END),
  }
}
