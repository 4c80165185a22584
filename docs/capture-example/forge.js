// @ts-check
/** What an attacker can do by themselves: the form of a sealed capture is public, and so is the key that it is sealed to (SPEC §20.2, §20.3). */

import { decode, encode } from 'cborg'
import { AEAD_AES_128_GCM, CipherSuite, KDF_HKDF_SHA256, KEM_DHKEM_P256_HKDF_SHA256 } from 'hpke'

const suite = new CipherSuite(KEM_DHKEM_P256_HKDF_SHA256, KDF_HKDF_SHA256, AEAD_AES_128_GCM)
const SUITE = Uint8Array.of(0, 0x10, 0, 1, 0, 1)
/** `{"crv": P-256, "kty": EC2, x, y}` of a COSE key, as its thumbprint hashes it (RFC 9679). */
const EC2 = Uint8Array.of(0xa4, 0x01, 0x02, 0x20, 0x01, 0x21, 0x58, 0x20)
const EC2_Y = Uint8Array.of(0x22, 0x58, 0x20)

/**
 * What a challenge says.
 *
 * @param {Uint8Array} challenge
 * @returns {{ realm: string, purpose: string, nonce: Uint8Array, recipient: Uint8Array, publicKey: Uint8Array }}
 */
export function readChallenge(challenge) {
  const [, , realm, purpose, nonce, recipient, publicKey] = decode(challenge)
  return { realm, purpose, nonce, recipient, publicKey }
}

/**
 * A challenge that names a key of the attacker's, with what is needed to open what is sealed to it.
 *
 * @param {Uint8Array} challenge
 * @returns {Promise<{ challenge: Uint8Array, open: (sealed: Uint8Array) => Promise<Uint8Array> }>}
 */
export async function divert(challenge) {
  const { realm, purpose, nonce } = readChallenge(challenge)
  const pair = await suite.GenerateKeyPair(false)
  const publicKey = await suite.SerializePublicKey(pair.publicKey)
  const key = join(EC2, publicKey.subarray(1, 33), EC2_Y, publicKey.subarray(33))
  const recipient = new Uint8Array(await crypto.subtle.digest('SHA-256', key))
  return {
    challenge: encode([1, 66, realm, purpose, nonce, recipient, publicKey]),
    open: (sealed) => {
      const [, , , , enc, ciphertext] = decode(sealed)
      return suite.Open(pair, enc, ciphertext, { info: infoOf(realm), aad: aadOf(recipient) })
    },
  }
}

/**
 * Seals any plaintext to the key of a challenge.
 *
 * @param {Uint8Array} plaintext
 * @param {Uint8Array} challenge
 * @returns {Promise<Uint8Array>}
 */
export async function sealAnything(plaintext, challenge) {
  const { realm, recipient, publicKey } = readChallenge(challenge)
  const options = { info: infoOf(realm), aad: aadOf(recipient) }
  const { encapsulatedSecret, ciphertext } = await suite.Seal(
    await suite.DeserializePublicKey(publicKey),
    plaintext,
    options,
  )
  return encode([1, 60, SUITE, recipient, encapsulatedSecret, ciphertext])
}

/**
 * A plaintext of a statement as a device signed it, and of numbers that it need not have signed.
 *
 * @param {Uint8Array} signed the bytes under the signature
 * @param {Uint8Array} signature
 * @param {Float32Array} vector
 * @returns {Uint8Array}
 */
export function plaintextOf(signed, signature, vector) {
  const [, header, , payload] = decode(signed)
  const token = join(
    Uint8Array.of(0xd2, 0x84),
    encode(header),
    Uint8Array.of(0xa0),
    encode(payload),
    encode(signature),
  )
  return encode([1, 61, token, new Uint8Array(Float32Array.from(vector).buffer), null])
}

/** @param {string} realm */
function infoOf(realm) {
  return join(labelled('guise/v1/capture-transport'), labelled(realm))
}

/** @param {Uint8Array} recipient */
function aadOf(recipient) {
  return encode([1, 60, SUITE, recipient])
}

/**
 * @param {string} text
 * @returns {Uint8Array}
 */
function labelled(text) {
  return join(Uint8Array.of(text.length), new TextEncoder().encode(text))
}

/**
 * @param {...Uint8Array} parts
 * @returns {Uint8Array<ArrayBuffer>}
 */
function join(...parts) {
  return new Uint8Array(parts.flatMap((part) => [...part]))
}
