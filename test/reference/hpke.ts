/** HPKE in base mode, DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, one message: spelled out from RFC 9180 §4, §5, §7. @module */
/// <reference types="node" />
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { p256 } from '@noble/curves/nist.js'
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { ascii, concat, u8, xor } from './bytes.ts'

/** What a message was sealed with, value by value. */
export interface Schedule {
  readonly enc: Uint8Array
  readonly sharedSecret: Uint8Array
  readonly key: Uint8Array
  readonly baseNonce: Uint8Array
}

const KEM = concat(ascii('KEM'), Uint8Array.of(0, 0x10))
const SUITE = concat(ascii('HPKE'), Uint8Array.of(0, 0x10, 0, 1, 0, 1))
const NOTHING = new Uint8Array(0)

export function publicKeyOf(secret: Uint8Array): Uint8Array {
  return p256.getPublicKey(secret, false)
}

/** §6.1 SealBase, with an ephemeral key that is given so that the bytes are fixed. */
export function seal(
  recipient: Uint8Array,
  ephemeral: Uint8Array,
  info: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
): Schedule & { readonly ciphertext: Uint8Array } {
  const enc = publicKeyOf(ephemeral)
  const made = schedule(dh(ephemeral, recipient), enc, recipient, info)
  const cipher = createCipheriv('aes-128-gcm', made.key, made.baseNonce)
  cipher.setAAD(aad)
  const hidden = concat(cipher.update(plaintext), cipher.final())
  return { ...made, ciphertext: concat(hidden, cipher.getAuthTag()) }
}

/** §6.1 OpenBase; `undefined` when it does not open. */
export function open(
  secret: Uint8Array,
  enc: Uint8Array,
  info: Uint8Array,
  aad: Uint8Array,
  ciphertext: Uint8Array,
): Uint8Array | undefined {
  try {
    const made = schedule(dh(secret, enc), enc, publicKeyOf(secret), info)
    const cipher = createDecipheriv('aes-128-gcm', made.key, made.baseNonce)
    cipher.setAAD(aad)
    cipher.setAuthTag(ciphertext.slice(ciphertext.length - 16))
    return concat(cipher.update(ciphertext.slice(0, ciphertext.length - 16)), cipher.final())
  } catch {
    return undefined
  }
}

/** §4.1, §5.1: what encapsulation and the key schedule give. The first nonce is the base nonce XOR 0. */
function schedule(shared: Uint8Array, enc: Uint8Array, recipient: Uint8Array, info: Uint8Array): Schedule {
  const prk = labeledExtract(KEM, NOTHING, 'eae_prk', shared)
  const sharedSecret = labeledExpand(KEM, prk, 'shared_secret', concat(enc, recipient), 32)
  const context = concat(
    u8(0),
    labeledExtract(SUITE, NOTHING, 'psk_id_hash', NOTHING),
    labeledExtract(SUITE, NOTHING, 'info_hash', info),
  )
  const secret = labeledExtract(SUITE, sharedSecret, 'secret', NOTHING)
  const baseNonce = labeledExpand(SUITE, secret, 'base_nonce', context, 12)
  return {
    enc,
    sharedSecret,
    key: labeledExpand(SUITE, secret, 'key', context, 16),
    baseNonce: xor(baseNonce, new Uint8Array(12)),
  }
}

/** The x coordinate of the common point. */
function dh(secret: Uint8Array, point: Uint8Array): Uint8Array {
  if (point.length !== 65 || point[0] !== 4) throw new RangeError('an uncompressed point')
  return p256.getSharedSecret(secret, point, false).slice(1, 33)
}

function labeledExtract(suite: Uint8Array, salt: Uint8Array, label: string, ikm: Uint8Array): Uint8Array {
  const key = salt.length === 0 ? new Uint8Array(32) : salt
  return hmac(sha256, key, concat(ascii('HPKE-v1'), suite, ascii(label), ikm))
}

/** One block is enough: no output has more than 32 bytes. */
function labeledExpand(
  suite: Uint8Array,
  prk: Uint8Array,
  label: string,
  info: Uint8Array,
  length: number,
): Uint8Array {
  const labeled = concat(Uint8Array.of(0, length), ascii('HPKE-v1'), suite, ascii(label), info)
  return hmac(sha256, prk, concat(labeled, u8(1))).slice(0, length)
}
