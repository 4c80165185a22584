/** Sealing a template code under its record secret, rotation key included (SPEC §8). @module */

import { copyPublic, fixedLabel, wipe } from '../base/bytes.ts'
import { giveRoom, takeRoom } from '../base/room.ts'
import { aeadEncrypt } from '../crypto/aead.ts'
import { openLeading } from '../crypto/committing.ts'
import { hkdf } from '../crypto/kdf.ts'
import { randomPublic } from '../crypto/random.ts'
import { SealError, sealFailure } from './errors.ts'

/** A sealed code as the reference row keeps it. */
export interface SealedCode {
  /** 24 bytes. */
  readonly nonce: Uint8Array
  /** 32 bytes. */
  readonly commitment: Uint8Array
  /** The code and a 16-byte tag. */
  readonly ciphertext: Uint8Array
}

const LABEL = 'guise/v1/record'
const NONCE_BYTES = 24
const KEY_BYTES = 32
const TAG_BYTES = 16

/**
 * Seals the code that `makeCode` computes from the rotation key. The rotation key exists only during that call;
 * it and the code are wiped before this returns.
 *
 * @param recordSecret 32 bytes, borrowed; seals one code, once (SEAL-5)
 * @param header the reference row's header, bound as associated data and in the derivation
 */
export function sealCode(
  recordSecret: Uint8Array,
  header: Uint8Array,
  makeCode: (rotationKey: Uint8Array) => Uint8Array,
): SealedCode {
  const nonce = randomPublic(NONCE_BYTES)
  const keys = deriveKeys(recordSecret, nonce, header)
  let code: Uint8Array | undefined
  try {
    code = makeCode(keys.subarray(0, KEY_BYTES))
    const ciphertext = aeadEncrypt(keys.subarray(KEY_BYTES, 2 * KEY_BYTES), nonce, header, code)
    return { nonce, commitment: copyPublic(keys.subarray(2 * KEY_BYTES)), ciphertext }
  } finally {
    wipe(keys, code)
  }
}

/**
 * Opens a sealed code and lends it to `use` together with the rotation key; both are wiped when `use` returns.
 * Throws `ERR_SEAL_OPEN`, and only that, when it does not open.
 *
 * @param codeBytes the length that the code must have, m / 8
 */
export function openCode<Result>(
  recordSecret: Uint8Array,
  header: Uint8Array,
  sealed: SealedCode,
  codeBytes: number,
  use: (code: Uint8Array, rotationKey: Uint8Array) => Result,
): Result {
  if (sealed.ciphertext.length !== codeBytes + TAG_BYTES) throw sealFailure()
  checkSecret(recordSecret)
  const room = takeRoom(KEY_BYTES + codeBytes)
  try {
    const opened = openLeading(recordSecret, LABEL, header, sealed, KEY_BYTES, room)
    if (opened === undefined) throw sealFailure()
    return use(opened.subarray(KEY_BYTES), opened.subarray(0, KEY_BYTES))
  } finally {
    giveRoom(room)
  }
}

function deriveKeys(recordSecret: Uint8Array, nonce: Uint8Array, header: Uint8Array): Uint8Array {
  checkSecret(recordSecret)
  return hkdf(recordSecret, [fixedLabel(LABEL), nonce, header], 3 * KEY_BYTES)
}

function checkSecret(recordSecret: Uint8Array): void {
  if (recordSecret.length !== KEY_BYTES) throw new SealError('ERR_SEAL_INPUT', 'a record secret has 32 bytes')
}
