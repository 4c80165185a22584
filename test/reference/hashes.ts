/** Hashes and key derivation as SPEC §2.1 names them; HKDF is spelled out from RFC 5869. @module */
import { ed25519 } from '@noble/curves/ed25519.js'
import { hmac as nobleHmac } from '@noble/hashes/hmac.js'
import { sha256 as nobleSha256, sha512 as nobleSha512 } from '@noble/hashes/sha2.js'
import { turboshake128 } from '@noble/hashes/sha3-addons.js'
import { concat, u8 } from './bytes.ts'

export function sha256(message: Uint8Array): Uint8Array {
  return nobleSha256(message)
}

/** `hmac(k, x)`: HMAC-SHA-512, 64 bytes. */
function hmac(key: Uint8Array, message: Uint8Array): Uint8Array {
  return nobleHmac(nobleSha512, key, message)
}

/** `mac(k, x)`: the first 32 bytes of `hmac(k, x)`. */
export function mac(key: Uint8Array, message: Uint8Array): Uint8Array {
  return hmac(key, message).slice(0, 32)
}

/** `hkdf(k, info, L)`: HKDF-SHA-512 with an empty salt, RFC 5869 §2. */
export function hkdf(key: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  const prk = hmac(new Uint8Array(64), key) // "if not provided, [salt] is set to a string of HashLen zeros"
  let output = new Uint8Array(0)
  let block = new Uint8Array(0)
  for (let counter = 1; output.length < length; counter++) {
    block = Uint8Array.from(hmac(prk, concat(block, info, u8(counter))))
    output = Uint8Array.from(concat(output, block))
  }
  return output.slice(0, length)
}

/** `turboshake(x, L)`: TurboSHAKE128, RFC 9861, domain byte 0x1F. */
export function turboshake(message: Uint8Array, length: number): Uint8Array {
  return turboshake128(message, { dkLen: length, D: 0x1f })
}

export function ed25519PublicKey(seed: Uint8Array): Uint8Array {
  return ed25519.getPublicKey(seed)
}

export function ed25519Sign(seed: Uint8Array, message: Uint8Array): Uint8Array {
  return ed25519.sign(message, seed)
}

/** Strict: RFC 8032 §5.1.7, canonical encodings only (`zip215: false`). */
export function ed25519Verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false
  return ed25519.verify(signature, message, publicKey, { zip215: false })
}
