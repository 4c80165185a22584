/** Hybrid public key encryption in one suite: P-256, HKDF-SHA256, AES-128-GCM, base mode, one message (RFC 9180). @module */

import { expand, extract } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import {
  AEAD_AES_128_GCM,
  CipherSuite,
  DecapError,
  type KDF,
  KDF_HKDF_SHA256,
  KEM_DHKEM_P256_HKDF_SHA256,
  type Key,
  type KeyPair,
  OpenError,
} from 'hpke'
import { concatBytes, secretBytes, wipe } from '../base/bytes.ts'

/** kem_id ‖ kdf_id ‖ aead_id. */
export const HPKE_SUITE: Uint8Array = Uint8Array.of(0, 0x10, 0, 1, 0, 1)
/** The sender's public key of one message: an uncompressed point. */
const HPKE_ENC_BYTES = 65
export const HPKE_PUBLIC_BYTES = 65
export const HPKE_PRIVATE_BYTES = 32
/** By how much a ciphertext is longer than what it hides. */
export const HPKE_TAG_BYTES = 16

/** What only this file can use: the private part may lie outside JavaScript's memory. */
export type HpkePrivateKey = KeyPair

export interface HpkeKeyPair {
  readonly publicKey: Uint8Array
  /** 32 bytes, off-heap, wiped by its owner. */
  readonly privateKey: Uint8Array
}

export interface HpkeSealed {
  readonly enc: Uint8Array
  readonly ciphertext: Uint8Array
}

/** The library's HKDF-SHA256 (RFC 5869), at once: through the platform each of its hashes waits twice for another thread. */
function hkdfSha256(): KDF {
  const Extract: KDF['Extract'] = async (salt, ikm) => extract(sha256, ikm, salt)
  const Expand: KDF['Expand'] = async (prk, info, length) => expand(sha256, prk, info, length)
  return { ...KDF_HKDF_SHA256(), Extract, Expand }
}

/** The library's, with the same derivation inside; where it takes none the result is the same. */
function dhkemP256(): ReturnType<typeof KEM_DHKEM_P256_HKDF_SHA256> {
  const kem = KEM_DHKEM_P256_HKDF_SHA256()
  return Object.assign(kem, { kdf: hkdfSha256() })
}

const suite: CipherSuite = /* @__PURE__ */ new CipherSuite(dhkemP256, hkdfSha256, AEAD_AES_128_GCM)

/** A new key pair. */
export async function hpkeKeyPair(): Promise<HpkeKeyPair> {
  const pair = await suite.GenerateKeyPair(true)
  const scalar = await suite.SerializePrivateKey(pair.privateKey)
  const privateKey = secretBytes(HPKE_PRIVATE_BYTES)
  privateKey.set(scalar)
  wipe(scalar)
  return { publicKey: await suite.SerializePublicKey(pair.publicKey), privateKey }
}

/** The private key of 32 bytes, from which it cannot be had back, with its public key. */
export async function hpkePrivateKey(bytes: Uint8Array, publicKey: Uint8Array): Promise<HpkePrivateKey> {
  return {
    privateKey: await suite.DeserializePrivateKey(bytes, false),
    publicKey: await suite.DeserializePublicKey(publicKey),
  }
}

/** Seals to a public key of 65 bytes; `undefined` when it is none. */
export async function hpkeSeal(
  publicKey: Uint8Array,
  info: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
): Promise<HpkeSealed | undefined> {
  let key: Key
  try {
    key = await suite.DeserializePublicKey(publicKey)
  } catch {
    return undefined
  }
  const { encapsulatedSecret, ciphertext } = await suite.Seal(key, plaintext, { info, aad })
  return { enc: encapsulatedSecret, ciphertext }
}

/** The plaintext, off-heap, wiped by its owner; `undefined` when it does not open. */
export async function hpkeOpen(
  privateKey: HpkePrivateKey,
  { enc, ciphertext }: HpkeSealed,
  info: Uint8Array,
  aad: Uint8Array,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (enc.length !== HPKE_ENC_BYTES || ciphertext.length < HPKE_TAG_BYTES) return undefined
  try {
    const opened = await suite.Open(privateKey, enc, ciphertext, { info, aad })
    const plaintext = concatBytes(opened)
    wipe(opened)
    return plaintext
  } catch (error) {
    if (error instanceof OpenError || error instanceof DecapError) return undefined
    throw error
  }
}
