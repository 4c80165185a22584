/** Keys of devices: algorithms, ids, signatures (SPEC §20.2, RFC 9679). @module */

import { joinBytes, toHex } from '../base/bytes.ts'
import { checkOneOf } from '../base/check.ts'
import { sha256 } from '../crypto/hash.ts'
import { importP256, verifyEd25519Strict, verifyP256 } from '../crypto/verify.ts'
import { copyBytes, readFields } from '../policy/fields.ts'
import { rejectDevice } from './errors.ts'

/** The COSE algorithms of a device: Ed25519, and ECDSA on P-256 with SHA-256. */
export type DeviceAlgorithm = 'EdDSA' | 'ES256'

/** The strict verification of a signature by a public key (SPEC §14.3). */
export type VerifyEd25519 = typeof verifyEd25519Strict

/** What a device signs with: a token of its own key, or an assertion of WebAuthn. */
export type DeviceCarrier = 'token' | 'assertion'

/** In the order of their codes in rows. */
export const ALGORITHMS: readonly DeviceAlgorithm[] = ['EdDSA', 'ES256']
export const CARRIERS: readonly DeviceCarrier[] = ['token', 'assertion']

/** `publicKey`: 32 bytes for EdDSA; for ES256 the 65 bytes of the uncompressed point. */
export interface DeviceKey {
  readonly algorithm: DeviceAlgorithm
  readonly publicKey: Uint8Array
}

export const SIGNATURE_BYTES = 64
const KEY_BYTES: Readonly<Record<DeviceAlgorithm, number>> = { EdDSA: 32, ES256: 65 }

/** The required fields of a COSE_Key, in order, around the coordinates. */
const OKP_HEAD = Uint8Array.of(0xa3, 0x01, 0x01, 0x20, 0x06, 0x21, 0x58, 0x20)
const EC2_HEAD = Uint8Array.of(0xa4, 0x01, 0x02, 0x20, 0x01, 0x21, 0x58, 0x20)
const EC2_Y = Uint8Array.of(0x22, 0x58, 0x20)

/** A checked copy. Throws `ERR_CAPTURE_DEVICE`; whether a point lies on its curve is for `isPoint`. */
export function checkDeviceKey(value: unknown): DeviceKey {
  const given = readFields(value, 'a device key', ['algorithm', 'publicKey'], rejectDevice)
  const algorithm = checkOneOf(given.algorithm, 'algorithm', ALGORITHMS, rejectDevice)
  return {
    algorithm,
    publicKey: copyBytes(given.publicKey, 'publicKey', KEY_BYTES[algorithm], rejectDevice),
  }
}

/** Whether a P-256 key is a point on the curve; an Ed25519 key is judged with its signatures. */
export async function isPoint({ algorithm, publicKey }: DeviceKey): Promise<boolean> {
  return algorithm === 'EdDSA' || (await importP256(publicKey)) !== undefined
}

/** The COSE Key thumbprint of a key: SHA-256 over its required fields, 32 bytes. */
export function thumbprint({ algorithm, publicKey }: DeviceKey): Uint8Array {
  if (algorithm === 'EdDSA') return sha256(joinBytes(OKP_HEAD, publicKey))
  return sha256(joinBytes(EC2_HEAD, publicKey.subarray(1, 33), EC2_Y, publicKey.subarray(33)))
}

/** What a device is called in the registry and in what the desk answers: 64 hexadecimal digits. Throws `ERR_CAPTURE_DEVICE`. */
export function deviceId(key: DeviceKey): string {
  return toHex(thumbprint(checkDeviceKey(key)))
}

/** Whether a signature of 64 bytes verifies. */
export async function verifySignature(
  { algorithm, publicKey }: DeviceKey,
  message: Uint8Array,
  signature: Uint8Array,
  verifyEd25519: VerifyEd25519 = verifyEd25519Strict,
): Promise<boolean> {
  return algorithm === 'EdDSA'
    ? verifyEd25519(signature, message, publicKey)
    : verifyP256(signature, message, publicKey)
}
