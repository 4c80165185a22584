/** Requirements SEAL-1 to SEAL-6 of SPEC.md. @module */
import { beforeAll, describe, expect, test } from 'vitest'
import * as bytes from '../../src/base/bytes.ts'
import { aeadDecrypt, aeadEncrypt } from '../../src/crypto/aead.ts'
import { hkdf } from '../../src/crypto/kdf.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { openCode, type SealedCode, sealCode } from '../../src/seal/code.ts'
import { SealError } from '../../src/seal/errors.ts'

const secret = new Uint8Array(32).fill(3)
const header = Uint8Array.from({ length: 40 }, (_, i) => i)
const code = Uint8Array.from({ length: 64 }, (_, i) => 255 - i)

beforeAll(cryptoReady)

function seal(): SealedCode {
  return sealCode(secret, header, () => Uint8Array.from(code))
}

function failure(run: () => unknown): SealError {
  try {
    run()
  } catch (error) {
    if (error instanceof SealError) return error
    throw error
  }
  throw new Error('it opened')
}

function open(sealed: SealedCode, key = secret, bound = header, length = 64): Uint8Array {
  return openCode(key, bound, sealed, length, (opened) => Uint8Array.from(opened))
}

/** The same seal with other keys or another associated data, as SPEC §8 writes it. */
function sealBy(parts: { readonly info: Uint8Array; readonly aad: Uint8Array }): SealedCode {
  const nonce = new Uint8Array(24).fill(1)
  const label = bytes.labelBytes('guise/v1/record')
  const okm = hkdf(secret, bytes.concatBytes(label, nonce, parts.info), 96)
  const ciphertext = aeadEncrypt(okm.subarray(32, 64), nonce, parts.aad, code)
  return { nonce, commitment: okm.slice(64), ciphertext }
}

test('SEAL-1 the header is bound twice: in the derivation and as associated data', () => {
  const short = header.subarray(0, 39)
  expect(open(sealBy({ info: header, aad: header }))).toEqual(code)
  expect(failure(() => open(sealBy({ info: short, aad: header }))).code).toBe('ERR_SEAL_OPEN')
  expect(failure(() => open(sealBy({ info: header, aad: short }))).code).toBe('ERR_SEAL_OPEN')
  const sealed = seal()
  for (let bit = 0; bit < 8 * header.length; bit++) {
    const other = Uint8Array.from(header)
    other[bit >> 3] = (other[bit >> 3] as number) ^ (1 << (bit & 7))
    expect(failure(() => open(sealed, secret, other)).code).toBe('ERR_SEAL_OPEN')
  }
})

test('SEAL-2 the commitment decides before anything is decrypted', () => {
  const good = sealBy({ info: header, aad: header })
  const okm = hkdf(secret, bytes.concatBytes(bytes.labelBytes('guise/v1/record'), good.nonce, header), 96)
  expect(good.commitment).toEqual(okm.slice(64))
  // The ciphertext alone would open: only the commitment refuses it.
  expect(aeadDecrypt(okm.subarray(32, 64), good.nonce, header, good.ciphertext)).toEqual(code)
  for (let bit = 0; bit < 256; bit++) {
    const commitment = Uint8Array.from(good.commitment)
    commitment[bit >> 3] = (commitment[bit >> 3] as number) ^ (1 << (bit & 7))
    let used = false
    const run = (): unknown =>
      openCode(secret, header, { ...good, commitment }, 64, () => {
        used = true
      })
    expect(failure(run).code).toBe('ERR_SEAL_OPEN')
    expect(used).toBe(false)
  }
  expect(failure(() => open({ ...good, commitment: new Uint8Array(0) })).code).toBe('ERR_SEAL_OPEN')
})

test('SEAL-3 every way of failing is one error with one message', () => {
  const sealed = seal()
  const flip = (input: Uint8Array): Uint8Array<ArrayBuffer> =>
    Uint8Array.from(input).map((byte, i) => (i === 0 ? byte ^ 1 : byte))
  const errors = [
    () => open({ ...sealed, nonce: flip(sealed.nonce) }),
    () => open({ ...sealed, commitment: flip(sealed.commitment) }),
    () => open({ ...sealed, ciphertext: flip(sealed.ciphertext) }),
    () => open({ ...sealed, nonce: sealed.nonce.subarray(1) }),
    () => open({ ...sealed, commitment: sealed.commitment.subarray(1) }),
    () => open({ ...sealed, ciphertext: sealed.ciphertext.subarray(1) }),
    () => open({ ...sealed, ciphertext: new Uint8Array(0) }),
    () => open(sealed, flip(secret)),
    () => open(sealed, secret, flip(header)),
    () => open(sealed, secret, header, 32),
  ].map(failure)
  expect(
    new Set(errors.map((error) => `${error.name} ${error.code} ${error.message} ${error.retryable}`)).size,
  ).toBe(1)
  expect(errors[0]?.code).toBe('ERR_SEAL_OPEN')
  expect(errors.every((error) => error.cause === undefined)).toBe(true)
})

describe('SEAL-4 the length of the plaintext is fixed', () => {
  test.each([8, 16, 32, 64, 128])('SEAL-4 a code of %i bytes opens as that and as nothing else', (length) => {
    const sealed = sealCode(secret, header, () => new Uint8Array(length))
    expect(sealed.ciphertext).toHaveLength(length + 16)
    expect(open(sealed, secret, header, length)).toHaveLength(length)
    for (const other of [8, 16, 32, 64, 128].filter((one) => one !== length)) {
      expect(failure(() => open(sealed, secret, header, other)).code).toBe('ERR_SEAL_OPEN')
    }
  })

  test('SEAL-4 a record secret has 32 bytes', () => {
    for (const length of [0, 31, 33]) {
      const wrong = new Uint8Array(length)
      expect(failure(() => sealCode(wrong, header, () => code)).code).toBe('ERR_SEAL_INPUT')
      expect(failure(() => open(seal(), wrong)).code).toBe('ERR_SEAL_INPUT')
    }
  })
})

test('SEAL-5 a new secret for every template: none seals twice', async () => {
  const { spyOnSecrets } = await import('../support/secrets.ts')
  const secrets = await spyOnSecrets(20)
  expect(secrets).toHaveLength(20)
  expect(new Set(secrets).size).toBe(20)
  const nonces = Array.from({ length: 50 }, () => bytes.toHex(seal().nonce))
  expect(new Set(nonces).size).toBe(50)
})

describe('SEAL-6 nothing secret stays in the memory of the sealer', () => {
  const isZero = (view: Uint8Array | undefined): boolean => view?.every((byte) => byte === 0) === true

  test('SEAL-6 after sealing, also when the code could not be made', () => {
    let rotationKey: Uint8Array | undefined
    const own = Uint8Array.from(code)
    sealCode(secret, header, (key) => {
      rotationKey = key
      expect(isZero(key)).toBe(false)
      return own
    })
    expect(isZero(own)).toBe(true)
    expect(isZero(rotationKey)).toBe(true)
    expect(isZero(new Uint8Array(rotationKey?.buffer ?? new ArrayBuffer(1)))).toBe(true)
    const fail = (key: Uint8Array): Uint8Array => {
      rotationKey = key
      throw new RangeError('no code')
    }
    expect(() => sealCode(secret, header, fail)).toThrow('no code')
    expect(isZero(new Uint8Array(rotationKey?.buffer ?? new ArrayBuffer(1)))).toBe(true)
  })

  test('SEAL-6 after opening, also when whoever used the code failed', () => {
    const sealed = seal()
    const held: Uint8Array[] = []
    openCode(secret, header, sealed, 64, (opened, key) => held.push(opened, key))
    const fail = (opened: Uint8Array, key: Uint8Array): void => {
      held.push(opened, key)
      throw new RangeError('used up')
    }
    expect(() => openCode(secret, header, sealed, 64, fail)).toThrow('used up')
    expect(held).toHaveLength(4)
    expect(held.every(isZero)).toBe(true)
    // What was lent was no copy of something else that stays.
    expect(held.every((view) => isZero(new Uint8Array(view.buffer)))).toBe(true)
  })
})
