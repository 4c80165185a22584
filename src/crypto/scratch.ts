/** Calls into libsodium's memory that leave nothing behind. @module */

import { secretBytes } from '../base/bytes.ts'
import { CryptoError, rejectInput } from './errors.ts'
import { type Input, lengthOf } from './input.ts'

/**
 * The raw module beneath the wrappers, reduced to what this library calls. Pointers are byte offsets in
 * `HEAPU8`.
 */
export interface RawSodium {
  /** Replaced by the module when its memory grows: read it again after every call that may allocate. */
  readonly HEAPU8: Uint8Array
  _malloc(length: number): number
  _free(pointer: number): void
  _crypto_kdf_hkdf_sha512_extract(
    prk: number,
    salt: number,
    saltLength: number,
    ikm: number,
    ikmLength: number,
  ): number
  _crypto_kdf_hkdf_sha512_expand(
    out: number,
    outLength: number,
    info: number,
    infoLength: number,
    prk: number,
  ): number
  /** An HMAC whose state may be copied between its calls; `final` wipes it. */
  _crypto_kdf_hkdf_sha512_extract_init(state: number, salt: number, saltLength: number): number
  _crypto_kdf_hkdf_sha512_extract_update(state: number, ikm: number, ikmLength: number): number
  _crypto_kdf_hkdf_sha512_extract_final(state: number, prk: number): number
  _crypto_kdf_hkdf_sha512_statebytes(): number
  /** 64-bit lengths cross the border as two 32-bit halves, the low one first. */
  readonly _crypto_aead_xchacha20poly1305_ietf_encrypt: (
    ciphertext: number,
    ciphertextLength: number,
    message: number,
    messageLow: number,
    messageHigh: number,
    aad: number,
    aadLow: number,
    aadHigh: number,
    secretNonce: number,
    nonce: number,
    key: number,
  ) => number
  readonly _crypto_aead_xchacha20poly1305_ietf_decrypt: (
    message: number,
    messageLength: number,
    secretNonce: number,
    ciphertext: number,
    ciphertextLow: number,
    ciphertextHigh: number,
    aad: number,
    aadLow: number,
    aadHigh: number,
    nonce: number,
    key: number,
  ) => number
  readonly _crypto_sign_verify_detached: (
    signature: number,
    message: number,
    messageLow: number,
    messageHigh: number,
    publicKey: number,
  ) => number
  _crypto_sign_seed_keypair(publicKey: number, secretKey: number, seed: number): number
  _crypto_sign_detached(
    signature: number,
    signatureLength: number,
    message: number,
    messageLow: number,
    messageHigh: number,
    secretKey: number,
  ): number
  _crypto_xof_turboshake128(
    out: number,
    outLength: number,
    message: number,
    messageLow: number,
    messageHigh: number,
  ): number
}

/** The place of each input in the memory. */
export type Places<Inputs extends readonly Input[]> = { readonly [Index in keyof Inputs]: number }

const INITIAL_BYTES = 32_768
const MAX_BYTES = 67_108_864
const NOTHING: Uint8Array<ArrayBuffer> = secretBytes(0)

/**
 * One region of libsodium's memory that every call uses in turn: copy in, call, copy out, wipe. The wrappers
 * allocate for each call and free without wiping, which leaves keys and plaintexts behind.
 *
 * Beside the region, libsodium's own C stack keeps intermediate values (a whole Keccak state, from which its
 * input can be computed). The module exports no stack pointer, so `stackFrom` and `stackTo` are measured at
 * the start; between calls nothing on that stack is alive, so it is wiped as well.
 */
export class Scratch {
  readonly raw: RawSodium
  #base: number
  #sizeBytes: number = INITIAL_BYTES
  #stackFrom = 0
  #stackTo = 0

  /** Throws `ERR_CRYPTO_UNAVAILABLE` when the module has no memory to give. */
  constructor(raw: RawSodium) {
    this.raw = raw
    this.#base = allocate(raw, INITIAL_BYTES)
  }

  /** The part of the memory that `run` wipes beside its own region: `[from, to)`. */
  get stack(): readonly [from: number, to: number] {
    return [this.#stackFrom, this.#stackTo]
  }

  /**
   * Runs `task` and finds out which bytes of the memory it leaves changed below the region: its C stack, for
   * the functions called write nowhere else. From then on `run` wipes that part, and `marginBytes` below it.
   * Throws `ERR_CRYPTO_UNAVAILABLE` when the changes do not look like one short stack.
   */
  measureStack(task: () => void, maxBytes: number, marginBytes: number): void {
    const before = this.raw.HEAPU8.slice(0, this.#base)
    task()
    const after = this.raw.HEAPU8
    let from = 0
    while (from < before.length && before[from] === after[from]) from++
    let to = before.length
    while (to > from && before[to - 1] === after[to - 1]) to--
    if (from === to || to - from > maxBytes || from < marginBytes) {
      throw new CryptoError('ERR_CRYPTO_UNAVAILABLE', 'libsodium lays out its memory in an unknown way')
    }
    this.#stackFrom = this.#stackTo === 0 ? from - marginBytes : Math.min(this.#stackFrom, from - marginBytes)
    this.#stackTo = Math.max(this.#stackTo, to)
  }

  /**
   * Copies `inputs` in, calls, and copies the output out, into an off-heap buffer that the caller owns or has
   * given. Everything the call touched is wiped before this returns or throws.
   *
   * @param spareBytes room before the output that the call may use for an intermediate value
   * @param output the bytes that the caller wants, or a buffer for exactly as many
   * @param call gets the place of each input, of the spare room and of the output; returns 0 on success
   * @returns `undefined` when `call` returns anything but 0
   */
  run<const Inputs extends readonly Input[]>(
    inputs: Inputs,
    spareBytes: number,
    output: number | Uint8Array<ArrayBuffer>,
    call: (raw: RawSodium, places: Places<Inputs>, spare: number, output: number) => number,
  ): Uint8Array<ArrayBuffer> | undefined {
    const outputBytes = typeof output === 'number' ? output : output.length
    let usedBytes = aligned(spareBytes) + outputBytes
    for (const input of inputs) usedBytes += aligned(lengthOf(input))
    if (usedBytes > this.#sizeBytes) this.#grow(usedBytes)
    const base = this.#base
    try {
      const memory = this.raw.HEAPU8
      const places: number[] = []
      let next = base
      for (const input of inputs) {
        places.push(next)
        next += aligned(copyIn(memory, input, next))
      }
      const place = next + aligned(spareBytes)
      if (call(this.raw, places as Places<Inputs>, next, place) !== 0) return undefined
      if (outputBytes === 0) return NOTHING
      const result = typeof output === 'number' ? secretBytes(output) : output
      result.set(this.raw.HEAPU8.subarray(place, place + outputBytes))
      return result
    } finally {
      const memory = this.raw.HEAPU8
      memory.fill(0, base, base + usedBytes)
      memory.fill(0, this.#stackFrom, this.#stackTo)
    }
  }

  #grow(neededBytes: number): void {
    if (neededBytes > MAX_BYTES) throw rejectInput('the input is too long')
    let sizeBytes = this.#sizeBytes
    while (sizeBytes < neededBytes) sizeBytes *= 2
    const base = allocate(this.raw, sizeBytes)
    this.raw._free(this.#base)
    this.#base = base
    this.#sizeBytes = sizeBytes
  }
}

function allocate(raw: RawSodium, sizeBytes: number): number {
  const pointer = raw._malloc(sizeBytes)
  if (pointer === 0) throw new CryptoError('ERR_CRYPTO_UNAVAILABLE', 'libsodium has no memory left')
  return pointer
}

/** Copies an input to `place` and answers its length. */
function copyIn(memory: Uint8Array, input: Input, place: number): number {
  if (input instanceof Uint8Array) {
    memory.set(input, place)
    return input.length
  }
  let next = place
  for (const part of input) {
    memory.set(part, next)
    next += part.length
  }
  return next - place
}

/** The C code copies in words; each part starts on a multiple of 16. */
function aligned(length: number): number {
  return (length + 15) & ~15
}
