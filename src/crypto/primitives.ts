/** The functions of libsodium that this library uses, over wiped memory, with a self-test. @module */

import { equalBytes, publicBytes, toHex } from '../base/bytes.ts'
import { CryptoError } from './errors.ts'
import { type Input, lengthOf } from './input.ts'
import { type Places, type RawSodium, Scratch } from './scratch.ts'

const TAG_BYTES = 16
const PRK_BYTES = 64
const KEY_BYTES = 32
const COMMITMENT_BYTES = 32
const MAC_BYTES = 32
const SIGNING_KEY_BYTES = 64
const SIGNATURE_BYTES = 64
/** The state of an HMAC-SHA-512: two of SHA-512. */
const STATE_BYTES = 416
/** Room for the block before and for the counter, beside the info of an expansion. */
const BLOCK: Uint8Array = new Uint8Array(64)
const COUNTER: Uint8Array = new Uint8Array(1)
const NOTHING: Uint8Array = new Uint8Array(0)
const MAX_STACK_BYTES = 4096
const STACK_MARGIN_BYTES = 512

/**
 * Digests of the self-test's whole chain for two inputs, computed with noble's HKDF, HMAC, Ed25519 and TurboSHAKE and with
 * the AEAD of libsodium's own wrapper, which the Wycheproof vectors check.
 */
const SELF_TESTS: readonly (readonly [seed: number, digest: string])[] = [
  [1, 'a5cc0def7c12f36e3aef8751a2a9ec8c'],
  [2, '7ffe79ea2a73b06c02c586550f8c91f6'],
]

/**
 * libsodium over one scratch region. Lengths are the caller's duty: a short key would let the C code read its
 * neighbour. Results are off-heap and owned by the caller. Every method throws `ERR_CRYPTO_INPUT` when the
 * inputs exceed 64 MiB.
 */
export class Primitives {
  readonly #scratch: Scratch
  /** The state of an HMAC under an empty salt: a constant. */
  readonly #emptySalt: Uint8Array

  /**
   * Throws `ERR_CRYPTO_UNAVAILABLE` when a function computes wrongly or the memory is laid out unexpectedly.
   */
  constructor(raw: RawSodium) {
    if (raw._crypto_kdf_hkdf_sha512_statebytes() !== STATE_BYTES) {
      throw new CryptoError('ERR_CRYPTO_UNAVAILABLE', 'libsodium has an HMAC state of another size')
    }
    this.#scratch = new Scratch(raw)
    this.#emptySalt = this.#run([], 0, STATE_BYTES, (_, __, ___, out) =>
      raw._crypto_kdf_hkdf_sha512_extract_init(out, out, 0),
    )
    for (const [seed, digest] of SELF_TESTS) {
      const task = (): void => selfTest(this, seed, digest)
      this.#scratch.measureStack(task, MAX_STACK_BYTES, STACK_MARGIN_BYTES)
    }
    this.#scratch.measureStack(() => verifyTest(this), MAX_STACK_BYTES, STACK_MARGIN_BYTES)
  }

  /** The part of the memory beside the scratch region that every call wipes: libsodium's C stack. */
  get stack(): readonly [from: number, to: number] {
    return this.#scratch.stack
  }

  /** HKDF-Extract with SHA-512, which is HMAC-SHA-512(salt, ikm): 64 bytes, or the first of them. */
  extract(
    salt: Uint8Array,
    ikm: Input,
    output: number | Uint8Array<ArrayBuffer> = PRK_BYTES,
  ): Uint8Array<ArrayBuffer> {
    const length = typeof output === 'number' ? output : output.length
    return this.#run([salt, ikm], PRK_BYTES, output, (raw, [saltAt, ikmAt], prk, out) => {
      const status = raw._crypto_kdf_hkdf_sha512_extract(prk, saltAt, salt.length, ikmAt, lengthOf(ikm))
      raw.HEAPU8.copyWithin(out, prk, prk + length)
      return status
    })
  }

  /** HKDF-Expand with SHA-512 under a 64-byte `prk`: 1 to 16,320 bytes. */
  expand(prk: Uint8Array, info: Input, length: number): Uint8Array<ArrayBuffer> {
    return this.#run([prk, info], 0, length, (raw, [prkAt, infoAt], _, out) =>
      raw._crypto_kdf_hkdf_sha512_expand(out, length, infoAt, lengthOf(info), prkAt),
    )
  }

  /** HKDF with SHA-512 and an empty salt; the pseudorandom key never leaves libsodium's memory. */
  hkdf(ikm: Uint8Array, info: Input, length: number): Uint8Array<ArrayBuffer> {
    const infoBytes = lengthOf(info)
    const bound = info instanceof Uint8Array ? [BLOCK, info, COUNTER] : [BLOCK, ...info, COUNTER]
    const inputs = [this.#emptySalt, ikm, bound] as const
    const spareBytes = STATE_BYTES + PRK_BYTES + blocksOf(length)
    return this.#run(inputs, spareBytes, length, (raw, [stateAt, ikmAt, blockAt], spare, out) => {
      const prk = spare + STATE_BYTES
      const okm = prk + PRK_BYTES
      const status = extractInto(raw, stateAt, ikmAt, ikm.length, prk)
      const last = expandFrom(raw, { stateAt, workAt: spare, blockAt, infoBytes, okm, length })
      raw.HEAPU8.copyWithin(out, okm, okm + length)
      return status | last
    })
  }

  /**
   * Makes a key-committing seal in one go: what `openCommitted` opens with no lead. The keys never leave libsodium's memory.
   *
   * @returns the commitment and the ciphertext, one after the other; neither is secret
   */
  sealCommitted(
    secret: Uint8Array,
    prepared: boolean,
    bound: { readonly label: Uint8Array; readonly nonce: Uint8Array; readonly aad: Uint8Array },
    plaintext: Uint8Array,
  ): Uint8Array<ArrayBuffer> {
    const { label, nonce, aad } = bound
    const state = prepared ? secret : this.#emptySalt
    const ikm = prepared ? NOTHING : secret
    const infoBytes = label.length + nonce.length + aad.length
    const inputs = [state, ikm, [BLOCK, label, nonce, aad, COUNTER], plaintext] as const
    const length = KEY_BYTES + COMMITMENT_BYTES
    const spareBytes = STATE_BYTES + PRK_BYTES + blocksOf(length)
    const output = publicBytes(COMMITMENT_BYTES + plaintext.length + TAG_BYTES)
    return this.#run(inputs, spareBytes, output, (raw, at, spare, out) => {
      const [stateAt, ikmAt, blockAt, plaintextAt] = at
      const prk = spare + STATE_BYTES
      const key = prk + PRK_BYTES
      let status = prepared ? 0 : extractInto(raw, stateAt, ikmAt, ikm.length, prk)
      status |= expandFrom(raw, { stateAt, workAt: spare, blockAt, infoBytes, okm: key, length })
      raw.HEAPU8.copyWithin(out, key + KEY_BYTES, key + length)
      const nonceAt = blockAt + BLOCK.length + label.length
      const aadAt = nonceAt + nonce.length
      const to = out + COMMITMENT_BYTES
      const encrypt = raw._crypto_aead_xchacha20poly1305_ietf_encrypt
      return status | encrypt(to, 0, plaintextAt, plaintext.length, 0, aadAt, aad.length, 0, 0, nonceAt, key)
    })
  }

  /** XChaCha20-Poly1305: the ciphertext with its 16-byte tag at the end, which is no secret. Key 32 bytes, nonce 24. */
  encrypt(
    key: Uint8Array,
    nonce: Uint8Array,
    aad: Uint8Array,
    plaintext: Uint8Array,
  ): Uint8Array<ArrayBuffer> {
    const { length } = plaintext
    const output = publicBytes(length + TAG_BYTES)
    return this.#run([key, nonce, aad, plaintext], 0, output, (raw, at, _, out) => {
      const encrypt = raw._crypto_aead_xchacha20poly1305_ietf_encrypt
      return encrypt(out, 0, at[3], length, 0, at[2], aad.length, 0, 0, at[1], at[0])
    })
  }

  /** The plaintext, or `undefined` when the tag does not fit. `ciphertext` has at least 16 bytes. */
  decrypt(
    key: Uint8Array,
    nonce: Uint8Array,
    aad: Uint8Array,
    ciphertext: Uint8Array,
  ): Uint8Array<ArrayBuffer> | undefined {
    const { length } = ciphertext
    return this.#scratch.run([key, nonce, aad, ciphertext], 0, length - TAG_BYTES, (raw, at, _, out) => {
      const decrypt = raw._crypto_aead_xchacha20poly1305_ietf_decrypt
      return decrypt(out, 0, 0, at[3], length, 0, at[2], aad.length, 0, at[1], at[0])
    })
  }

  /**
   * HKDF-Extract of `ikm` with an empty salt, as the state of an HMAC that has taken the extracted key in: what every
   * expansion under it begins with. As secret as the key.
   */
  prepare(ikm: Uint8Array): Uint8Array<ArrayBuffer> {
    return this.#run([this.#emptySalt, ikm], PRK_BYTES, STATE_BYTES, (raw, [stateAt, ikmAt], prk, out) => {
      const status = extractInto(raw, stateAt, ikmAt, ikm.length, prk)
      raw.HEAPU8.copyWithin(out, stateAt, stateAt + STATE_BYTES)
      return status
    })
  }

  /** HKDF-Expand under what `prepare` gave: 1 to 16,320 bytes. */
  expandPrepared(state: Uint8Array, info: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
    const infoBytes = lengthOf(info)
    const inputs = [state, [BLOCK, ...info, COUNTER]] as const
    const spareBytes = STATE_BYTES + blocksOf(length)
    return this.#run(inputs, spareBytes, length, (raw, [stateAt, blockAt], spare, out) => {
      const okm = spare + STATE_BYTES
      const status = expandFrom(raw, { stateAt, workAt: spare, blockAt, infoBytes, okm, length })
      raw.HEAPU8.copyWithin(out, okm, okm + length)
      return status
    })
  }

  /**
   * Opens a key-committing seal in one go. HKDF of `secret` gives `leadBytes` bytes for the caller, the AEAD's key and
   * the commitment, which is compared in constant time before anything is decrypted. `undefined` when either does not
   * fit; the keys never leave libsodium's memory.
   *
   * @param secret the input keying material, or what `prepare` made of it when `prepared`
   * @param bound the label and the associated data; with the nonce between them they are the derivation's info
   * @param output room for the result, of exactly its length; a new buffer unless said
   * @returns the lead and the plaintext, one after the other
   */
  openCommitted(
    secret: Uint8Array,
    prepared: boolean,
    bound: { readonly label: Uint8Array; readonly aad: Uint8Array },
    sealed: { readonly nonce: Uint8Array; readonly commitment: Uint8Array; readonly ciphertext: Uint8Array },
    leadBytes: number,
    output: number | Uint8Array<ArrayBuffer> = leadBytes + sealed.ciphertext.length - TAG_BYTES,
  ): Uint8Array<ArrayBuffer> | undefined {
    const { label, aad } = bound
    const { nonce, commitment, ciphertext } = sealed
    const state = prepared ? secret : this.#emptySalt
    const ikm = prepared ? NOTHING : secret
    const infoBytes = label.length + nonce.length + aad.length
    const length = leadBytes + KEY_BYTES + COMMITMENT_BYTES
    const inputs = [state, ikm, [BLOCK, label, nonce, aad, COUNTER], commitment, ciphertext] as const
    const spareBytes = STATE_BYTES + PRK_BYTES + blocksOf(length)
    return this.#scratch.run(inputs, spareBytes, output, (raw, at, spare, out) => {
      const [stateAt, ikmAt, blockAt, commitmentAt, ciphertextAt] = at
      const prk = spare + STATE_BYTES
      const okm = prk + PRK_BYTES
      const key = okm + leadBytes
      let status = prepared ? 0 : extractInto(raw, stateAt, ikmAt, ikm.length, prk)
      status |= expandFrom(raw, { stateAt, workAt: spare, blockAt, infoBytes, okm, length })
      status |= differenceOf(raw.HEAPU8, key + KEY_BYTES, commitmentAt, COMMITMENT_BYTES)
      if (status !== 0) return status
      raw.HEAPU8.copyWithin(out, okm, key)
      const decrypt = raw._crypto_aead_xchacha20poly1305_ietf_decrypt
      const nonceAt = blockAt + BLOCK.length + label.length
      const aadAt = nonceAt + nonce.length
      return decrypt(
        out + leadBytes,
        0,
        0,
        ciphertextAt,
        ciphertext.length,
        0,
        aadAt,
        aad.length,
        0,
        nonceAt,
        key,
      )
    })
  }

  /** True when `tag`, 32 bytes, begins HMAC-SHA-512(key, message). Compared in constant time. */
  verifyMac(key: Uint8Array, message: Input, tag: Uint8Array): boolean {
    const fits = this.#scratch.run(
      [key, message, tag],
      PRK_BYTES,
      0,
      (raw, [keyAt, messageAt, tagAt], mac) => {
        const status = raw._crypto_kdf_hkdf_sha512_extract(
          mac,
          keyAt,
          key.length,
          messageAt,
          lengthOf(message),
        )
        return status | differenceOf(raw.HEAPU8, mac, tagAt, MAC_BYTES)
      },
    )
    return fits !== undefined
  }

  /** TurboSHAKE128 with domain byte 0x1F: `output` bytes in a new buffer, or as many as fill the one given. */
  turboshake128(message: Input, output: number | Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const length = typeof output === 'number' ? output : output.length
    return this.#run([message], 0, output, (raw, [messageAt], _, out) =>
      raw._crypto_xof_turboshake128(out, length, messageAt, lengthOf(message), 0),
    )
  }

  /** The Ed25519 public key of a 32-byte seed (RFC 8032 §5.1.5). */
  publicKey(seed: Uint8Array): Uint8Array<ArrayBuffer> {
    return this.#run([seed], SIGNING_KEY_BYTES, KEY_BYTES, (raw, [seedAt], secret, out) =>
      raw._crypto_sign_seed_keypair(out, secret, seedAt),
    )
  }

  /** The deterministic Ed25519 signature (RFC 8032 §5.1.6); what is derived from the seed never leaves the region. */
  sign(seed: Uint8Array, message: Uint8Array): Uint8Array<ArrayBuffer> {
    const spareBytes = SIGNING_KEY_BYTES + KEY_BYTES
    return this.#run(
      [seed, message],
      spareBytes,
      SIGNATURE_BYTES,
      (raw, [seedAt, messageAt], secret, out) => {
        const status = raw._crypto_sign_seed_keypair(secret + SIGNING_KEY_BYTES, secret, seedAt)
        return status | raw._crypto_sign_detached(out, 0, messageAt, message.length, 0, secret)
      },
    )
  }

  /** True for a signature that libsodium takes: all of them are valid under `verifyEd25519Strict`, which takes a few more. */
  takes(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean {
    const inputs = [signature, message, publicKey] as const
    return (
      this.#scratch.run(inputs, 0, 1, (raw, [signatureAt, messageAt, keyAt]) =>
        raw._crypto_sign_verify_detached(signatureAt, messageAt, message.length, 0, keyAt),
      ) !== undefined
    )
  }

  #run<const Inputs extends readonly Input[]>(
    inputs: Inputs,
    spareBytes: number,
    output: number | Uint8Array<ArrayBuffer>,
    call: (raw: RawSodium, places: Places<Inputs>, spare: number, output: number) => number,
  ): Uint8Array<ArrayBuffer> {
    const result = this.#scratch.run(inputs, spareBytes, output, call)
    if (result === undefined) throw new CryptoError('ERR_CRYPTO_UNAVAILABLE', 'a libsodium function failed')
    return result
  }
}

/** Where an expansion lies in the memory. */
interface Expansion {
  /** The state of an HMAC under the key; left as it is. */
  readonly stateAt: number
  /** Room for a copy of the state. */
  readonly workAt: number
  /** Room for a block, the info, and a byte for the counter, one after the other. */
  readonly blockAt: number
  readonly infoBytes: number
  /** Room for all blocks. */
  readonly okm: number
  /** Bytes that are wanted. */
  readonly length: number
}

/** HKDF-Expand (RFC 5869 §2.3) that takes the key in once, not once a block. 0 on success. */
function expandFrom(raw: RawSodium, { stateAt, workAt, blockAt, infoBytes, okm, length }: Expansion): number {
  const infoAt = blockAt + BLOCK.length
  const counterAt = infoAt + infoBytes
  let status = 0
  for (let done = 0, from = infoAt; done < length; done += BLOCK.length, from = blockAt) {
    raw.HEAPU8.copyWithin(workAt, stateAt, stateAt + STATE_BYTES)
    raw.HEAPU8[counterAt] = done / BLOCK.length + 1
    status |= raw._crypto_kdf_hkdf_sha512_extract_update(workAt, from, counterAt + 1 - from)
    status |= raw._crypto_kdf_hkdf_sha512_extract_final(workAt, okm + done)
    raw.HEAPU8.copyWithin(blockAt, okm + done, okm + done + BLOCK.length)
  }
  return status
}

/**
 * HKDF-Extract from the state of an HMAC under an empty salt, which becomes the state of one under the extracted key.
 * 0 on success.
 */
function extractInto(raw: RawSodium, stateAt: number, ikmAt: number, ikmBytes: number, prk: number): number {
  let status = raw._crypto_kdf_hkdf_sha512_extract_update(stateAt, ikmAt, ikmBytes)
  status |= raw._crypto_kdf_hkdf_sha512_extract_final(stateAt, prk)
  return status | raw._crypto_kdf_hkdf_sha512_extract_init(stateAt, prk, PRK_BYTES)
}

/** `length` rounded up to whole blocks. */
function blocksOf(length: number): number {
  return Math.ceil(length / BLOCK.length) * BLOCK.length
}

/** 0 when both places hold the same bytes. Constant-time. */
function differenceOf(memory: Uint8Array, a: number, b: number, length: number): number {
  let difference = 0
  for (let i = 0; i < length; i++) difference |= (memory[a + i] as number) ^ (memory[b + i] as number)
  return difference
}

/**
 * Chains every function over public inputs; `seed` changes them all. Throws when the end is not as expected.
 */
function selfTest(sodium: Primitives, seed: number, expected: string): void {
  const pattern = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 7 + seed) & 255)
  const prk = sodium.extract(pattern(100 * seed), pattern(300))
  const okm = sodium.expand(prk, pattern(250), 200)
  const key = okm.subarray(0, 32)
  const nonce = sodium.hkdf(okm, pattern(90), 24)
  const prepared = sodium.expandPrepared(sodium.prepare(okm), [pattern(90)], 200)
  const expanded = equalBytes(prepared, sodium.hkdf(okm, pattern(90), 200))
  const ciphertext = sodium.encrypt(key, nonce, pattern(77), pattern(1000))
  const plaintext = sodium.decrypt(key, nonce, pattern(77), ciphertext)
  const forged = sodium.decrypt(key, nonce, pattern(78), ciphertext)
  const signature = sodium.sign(key, ciphertext)
  const end = [ciphertext, signature, sodium.publicKey(key)]
  const digest = toHex(sodium.turboshake128(sodium.turboshake128(end, 400), 16))
  const opens = plaintext !== undefined && equalBytes(plaintext, pattern(1000))
  if (expanded && opens && forged === undefined && digest === expected) return
  throw new CryptoError('ERR_CRYPTO_UNAVAILABLE', 'libsodium computes wrongly')
}

function verifyTest(sodium: Primitives): void {
  const seed = new Uint8Array(KEY_BYTES).fill(1)
  const key = sodium.publicKey(seed)
  const signature = sodium.sign(seed, seed)
  const isTaken = sodium.takes(signature, seed, key)
  signature[7] = (signature[7] as number) ^ 1
  if (!isTaken || sodium.takes(signature, seed, key)) {
    throw new CryptoError('ERR_CRYPTO_UNAVAILABLE', 'libsodium verifies wrongly')
  }
}
