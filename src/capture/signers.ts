/** How a device signs: with a key of its own, or through an authenticator (SPEC §20.2). @module */

import { secretBytes } from '../base/bytes.ts'
import { platformAlgorithm, platformPublicKey, platformSign } from '../crypto/platform-key.ts'
import { copyBytes } from '../policy/fields.ts'
import type { Assertion } from './assertion.ts'
import { type DeviceKey, SIGNATURE_BYTES } from './device-key.ts'
import { CaptureError, rejectInput } from './errors.ts'

/** Signs bytes with a device's key: 64 bytes, or for ES256 what Android Keystore and the Secure Enclave give, in ASN.1. */
export interface TokenSigner {
  readonly key: DeviceKey
  sign(message: Uint8Array): Promise<Uint8Array>
}

/** Has an authenticator sign a challenge of 32 bytes: `navigator.credentials.get` with it, and the answer as it is. */
export interface AssertionSigner {
  readonly key: DeviceKey
  assert(challenge: Uint8Array): Promise<Assertion>
}

export type DeviceSigner = TokenSigner | AssertionSigner

/** A key pair of the platform: ECDSA on P-256, or Ed25519 where there is one. The private key need not be extractable. */
export async function platformSigner(pair: {
  readonly privateKey: CryptoKey
  readonly publicKey: CryptoKey
}): Promise<TokenSigner> {
  const algorithm = platformAlgorithm(pair.privateKey)
  if (algorithm === undefined) throw rejectInput('a device key is for Ed25519 or for ECDSA on P-256')
  const publicKey = await platformPublicKey(pair.publicKey)
  return {
    key: { algorithm, publicKey },
    sign: (message) => platformSign(pair.privateKey, algorithm, message),
  }
}

const MOST_BYTES = 72
const SEQUENCE = 0x30
const INTEGER = 0x02
const HALF_BYTES = 32

/** A signature as it is sealed: 64 bytes. Throws `ERR_CAPTURE_SIGNER` for what is none. */
export function fixedSignature(given: unknown, { algorithm }: DeviceKey): Uint8Array {
  const signature = copyBytes(given, 'a signature', [0, MOST_BYTES], rejectSigner)
  if (signature.length === SIGNATURE_BYTES) return signature
  const fixed = algorithm === 'ES256' ? fromSequence(signature) : undefined
  if (fixed === undefined) throw rejectSigner('a signature has another form')
  return fixed
}

export function rejectSigner(why: string): CaptureError {
  return new CaptureError('ERR_CAPTURE_SIGNER', why)
}

/** r ‖ s of an ECDSA-Sig-Value (RFC 3279 §2.2.3). */
function fromSequence(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes[0] !== SEQUENCE || bytes[1] !== bytes.length - 2) return undefined
  const fixed = secretBytes(SIGNATURE_BYTES)
  const next = readInteger(bytes, 2, fixed.subarray(0, HALF_BYTES))
  const end = next === undefined ? undefined : readInteger(bytes, next, fixed.subarray(HALF_BYTES))
  return end === bytes.length ? fixed : undefined
}

/** Where the next item begins; `undefined` when there is no unsigned integer of at most 32 bytes. */
function readInteger(bytes: Uint8Array, at: number, into: Uint8Array): number | undefined {
  const length = bytes[at + 1] ?? 0
  const value = bytes.subarray(at + 2, at + 2 + length)
  if (bytes[at] !== INTEGER || length === 0 || value.length !== length) return undefined
  // A leading zero keeps a large number from being read as a negative one.
  const digits = value[0] === 0 ? value.subarray(1) : value
  if (digits.length > HALF_BYTES) return undefined
  into.set(digits, HALF_BYTES - digits.length)
  return at + 2 + length
}
