/** The primitives: lengths, ownership of buffers, refusals, agreement of the two paths. @module */
import { hkdfSync } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { concatBytes, fromHex, toHex, utf8 } from '../../src/base/bytes.ts'
import { aeadDecrypt, aeadEncrypt } from '../../src/crypto/aead.ts'
import { argon2idKey } from '../../src/crypto/argon.ts'
import {
  committingOpen,
  committingOpenPrepared,
  committingSeal,
  committingSealPrepared,
  type Sealed,
} from '../../src/crypto/committing.ts'
import { CryptoError } from '../../src/crypto/errors.ts'
import { sha256, sha256Public } from '../../src/crypto/hash.ts'
import {
  hkdf,
  hkdfExpand,
  hkdfExpandPrepared,
  hkdfExtract,
  hkdfPrepare,
  hmacSha512,
  mac,
  verifyMac,
} from '../../src/crypto/kdf.ts'
import { hkdfPortable, hmacSha512Portable } from '../../src/crypto/kdf-portable.ts'
import { randomBytes } from '../../src/crypto/random.ts'
import { keyPairEd25519, signEd25519, verifyEd25519 } from '../../src/crypto/sign.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { turboshake128 } from '../../src/crypto/xof.ts'

beforeAll(cryptoReady)

const none = new Uint8Array(0)
const INPUT = { code: 'ERR_CRYPTO_INPUT' }
/** 16 MiB and one byte: the smallest input that is too long. Zero pages cost nothing until they are touched. */
const tooLong = new Uint8Array(16_777_217)

function bytes(hex: string): Uint8Array {
  return fromHex(hex) as Uint8Array
}

/** Flips one bit of a copy. */
function flipped(value: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(value)
  copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7))
  return copy
}

function expectOffHeap(...results: readonly Uint8Array[]): void {
  for (const result of results) {
    expect(result.constructor).toBe(Uint8Array)
    expect(result.byteOffset).toBe(0)
    expect(result.buffer.byteLength).toBe(result.length)
  }
}

describe('kdf', () => {
  const ikm = bytes('0b'.repeat(22))

  test('agrees with the platform and the portable path for every length of output', () => {
    for (const length of [1, 31, 32, 63, 64, 65, 96, 192, 1000, 16_320]) {
      const info = randomBytes(length % 300)
      const expected = new Uint8Array(hkdfSync('sha512', ikm, none, info, length))
      expect(hkdf(ikm, info, length)).toEqual(expected)
      expect(hkdfExpand(hkdfExtract(none, ikm), info, length)).toEqual(expected)
      expect(hkdfExpandPrepared(hkdfPrepare(ikm), [info], length)).toEqual(expected)
      expect(hkdfPortable(ikm, info, length)).toEqual(expected)
    }
  })

  test('HMAC is HKDF-Extract, and mac its first half, for keys of any length', () => {
    for (const length of [0, 1, 32, 64, 127, 128, 129, 1000]) {
      const key = randomBytes(length)
      const message = randomBytes(2 * length)
      const whole = hmacSha512(key, message)
      expect(whole).toEqual(hkdfExtract(key, message))
      expect(whole).toEqual(hmacSha512Portable(key, message))
      expect(mac(key, message)).toEqual(whole.slice(0, 32))
      expect(verifyMac(key, message, whole.subarray(0, 32))).toBe(true)
      expect(verifyMac(key, message, whole)).toBe(false)
      expect(verifyMac(key, message, whole.subarray(0, 31))).toBe(false)
    }
  })

  test('verifyMac refuses a flip of every bit', () => {
    const key = randomBytes(32)
    const message = randomBytes(100)
    const tag = mac(key, message)
    for (let bit = 0; bit < 256; bit++) expect(verifyMac(key, message, flipped(tag, bit))).toBe(false)
  })

  test('results are off-heap', () => {
    const prk = hkdfExtract(none, ikm)
    expectOffHeap(prk, hkdf(ikm, none, 32), hkdfExpand(prk, none, 32), hmacSha512(ikm, none), mac(ikm, none))
    expectOffHeap(hkdfPortable(ikm, none, 32), hmacSha512Portable(ikm, none))
  })

  test.each<readonly [string, () => unknown]>([
    ['ikm of another type', () => hkdf('0b' as never, none, 32)],
    ['info of another type', () => hkdf(ikm, 'info' as never, 32)],
    ['output length 0', () => hkdf(ikm, none, 0)],
    ['output length 16,321', () => hkdf(ikm, none, 16_321)],
    ['output length 32.5', () => hkdfExpand(new Uint8Array(64), none, 32.5)],
    ['expand output length 0', () => hkdfExpand(new Uint8Array(64), none, 0)],
    ['a prk of 63 bytes', () => hkdfExpand(new Uint8Array(63), none, 32)],
    ['a prk of 65 bytes', () => hkdfExpand(new Uint8Array(65), none, 32)],
    ['an ikm above 16 MiB', () => hkdf(tooLong, none, 32)],
    ['a salt above 16 MiB', () => hkdfExtract(tooLong, none)],
    ['an extracted ikm above 16 MiB', () => hkdfExtract(none, tooLong)],
    ['an info above 16 MiB', () => hkdfExpand(new Uint8Array(64), tooLong, 32)],
    ['a message above 16 MiB', () => mac(ikm, tooLong)],
    ['a MAC key of another type', () => hmacSha512([1] as never, none)],
  ])('refuses %s', (_, task) => {
    expect(task).toThrow(CryptoError)
    expect(task).toThrow(expect.objectContaining(INPUT))
  })
})

describe('aead', () => {
  const key = randomBytes(32)
  const nonce = randomBytes(24)

  test('opens what it sealed, for lengths around every block boundary', () => {
    for (const length of [0, 1, 15, 16, 17, 63, 64, 65, 127, 128, 1000, 40_000, 100_000]) {
      const plaintext = randomBytes(length)
      const aad = randomBytes(length % 77)
      const ciphertext = aeadEncrypt(key, nonce, aad, plaintext)
      expect(ciphertext).toHaveLength(length + 16)
      expect(aeadDecrypt(key, nonce, aad, ciphertext)).toEqual(plaintext)
      expectOffHeap(aeadDecrypt(key, nonce, aad, ciphertext) as Uint8Array)
    }
  })

  test('refuses a flip of every bit of key, nonce, associated data and ciphertext', () => {
    const aad = randomBytes(20)
    const ciphertext = aeadEncrypt(key, nonce, aad, randomBytes(32))
    const parts = [key, nonce, aad, ciphertext] as const
    let flips = 0
    for (const [index, part] of parts.entries()) {
      for (let bit = 0; bit < 8 * part.length; bit++) {
        const changed = parts.map((value, i) => (i === index ? flipped(value, bit) : value))
        expect(aeadDecrypt(...(changed as [Uint8Array, Uint8Array, Uint8Array, Uint8Array]))).toBeUndefined()
        flips++
      }
    }
    expect(flips).toBe(8 * (32 + 24 + 20 + 48))
  })

  test('a ciphertext shorter than its tag is not authentic', () => {
    for (let length = 0; length < 16; length++) {
      expect(aeadDecrypt(key, nonce, none, new Uint8Array(length))).toBeUndefined()
    }
  })

  test.each<readonly [string, () => unknown]>([
    ['a key of 31 bytes', () => aeadEncrypt(key.subarray(1), nonce, none, none)],
    ['a nonce of 23 bytes', () => aeadEncrypt(key, nonce.subarray(1), none, none)],
    ['associated data of another type', () => aeadEncrypt(key, nonce, 'aad' as never, none)],
    ['a plaintext above 16 MiB', () => aeadEncrypt(key, nonce, none, tooLong)],
    [
      'a key of 33 bytes',
      () => aeadDecrypt(concatBytes(key, key.subarray(31)), nonce, none, new Uint8Array(16)),
    ],
    ['a nonce of 25 bytes', () => aeadDecrypt(key, new Uint8Array(25), none, new Uint8Array(16))],
    ['associated data above 16 MiB', () => aeadDecrypt(key, nonce, tooLong, new Uint8Array(16))],
    ['a ciphertext of another type', () => aeadDecrypt(key, nonce, none, null as never)],
  ])('refuses %s', (_, task) => {
    expect(task).toThrow(expect.objectContaining(INPUT))
  })
})

describe('committing encryption', () => {
  const ikm = randomBytes(32)
  const aad = randomBytes(50)
  const plaintext = randomBytes(64)
  const label = 'guise/v1/test'
  const prepared = (): Uint8Array => hkdfPrepare(ikm)

  test('is the construction of SPEC §8', () => {
    const { nonce, commitment, ciphertext } = committingSeal(ikm, label, aad, plaintext)
    const info = concatBytes(Uint8Array.of(label.length), utf8(label) as Uint8Array, nonce, aad)
    const okm = hkdfPortable(ikm, info, 64)
    expect(commitment).toEqual(okm.slice(32))
    expect(aeadDecrypt(okm.slice(0, 32), nonce, aad, ciphertext)).toEqual(plaintext)
    expectOffHeap(committingOpen(ikm, label, aad, { nonce, commitment, ciphertext }) as Uint8Array)
    expect(ciphertext).toHaveLength(plaintext.length + 16)
  })

  test('the key and its extracted form seal and open for each other', () => {
    const one = committingSeal(ikm, label, aad, plaintext)
    const other = committingSealPrepared(prepared(), label, aad, plaintext)
    expect(one.nonce).not.toEqual(other.nonce)
    for (const sealed of [one, other]) {
      expect(committingOpen(ikm, label, aad, sealed)).toEqual(plaintext)
      expect(committingOpenPrepared(prepared(), label, aad, sealed)).toEqual(plaintext)
      expectOffHeap(committingOpen(ikm, label, aad, sealed) as Uint8Array)
    }
  })

  test('refuses a flip of every bit of everything', () => {
    const sealed = committingSeal(ikm, label, aad, plaintext)
    for (const part of ['nonce', 'commitment', 'ciphertext'] as const) {
      for (let bit = 0; bit < 8 * sealed[part].length; bit++) {
        const changed = { ...sealed, [part]: flipped(sealed[part], bit) }
        expect(committingOpen(ikm, label, aad, changed)).toBeUndefined()
      }
    }
    for (let bit = 0; bit < 8 * aad.length; bit++) {
      expect(committingOpen(ikm, label, flipped(aad, bit), sealed)).toBeUndefined()
    }
    for (let bit = 0; bit < 256; bit++) {
      expect(committingOpen(flipped(ikm, bit), label, aad, sealed)).toBeUndefined()
    }
    expect(committingOpen(ikm, 'guise/v1/tess', aad, sealed)).toBeUndefined()
    expect(committingOpenPrepared(hkdfPrepare(randomBytes(64)), label, aad, sealed)).toBeUndefined()
  })

  test('refuses parts of the wrong length', () => {
    const sealed = committingSeal(ikm, label, aad, plaintext)
    const wrong: readonly Partial<Sealed>[] = [
      { nonce: sealed.nonce.subarray(1) },
      { nonce: concatBytes(sealed.nonce, none, Uint8Array.of(0)) },
      { commitment: none },
      { commitment: sealed.commitment.subarray(0, 31) },
      { ciphertext: none },
      { ciphertext: sealed.ciphertext.subarray(0, 15) },
    ]
    for (const part of wrong) expect(committingOpen(ikm, label, aad, { ...sealed, ...part })).toBeUndefined()
  })

  test('label and associated data cannot trade bytes', () => {
    const sealed = committingSeal(ikm, 'ab', utf8('c') as Uint8Array, plaintext)
    expect(committingOpen(ikm, 'a', utf8('bc') as Uint8Array, sealed)).toBeUndefined()
    expect(committingOpen(ikm, 'abc', none, sealed)).toBeUndefined()
  })

  test.each<readonly [string, () => unknown]>([
    ['an ikm of 31 bytes', () => committingSeal(ikm.subarray(1), label, aad, plaintext)],
    ['an ikm of 1,025 bytes', () => committingSeal(new Uint8Array(1025), label, aad, plaintext)],
    ['opening under an ikm of 31 bytes', () => committingOpen(ikm.subarray(1), label, aad, {} as never)],
    ['a prepared key of 32 bytes', () => committingSealPrepared(ikm, label, aad, plaintext)],
    ['opening under a prepared key of 32 bytes', () => committingOpenPrepared(ikm, label, aad, {} as never)],
    ['associated data that are no bytes', () => committingOpen(ikm, label, 'aad' as never, {} as never)],
  ])('refuses %s', (_, task) => {
    expect(task).toThrow(expect.objectContaining(INPUT))
  })
})

describe('xof, hash, random', () => {
  test('TurboSHAKE128 gives a prefix of one stream', () => {
    const long = turboshake128(utf8('seed') as Uint8Array, 22_000)
    expectOffHeap(long)
    expect(turboshake128(utf8('seed') as Uint8Array, 100)).toEqual(long.slice(0, 100))
    for (const [message, length] of [
      [none, 0],
      [none, 1.5],
      [none, 16_777_217],
      [tooLong, 1],
      ['a', 1],
    ] as const) {
      expect(() => turboshake128(message as Uint8Array, length)).toThrow(expect.objectContaining(INPUT))
    }
  })

  test('the digest SHA-256', () => {
    expect(toHex(sha256(utf8('abc') as Uint8Array))).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    )
    expect(() => sha256('abc' as never)).toThrow(expect.objectContaining(INPUT))
    for (const length of [0, 1, 55, 56, 64, 300]) {
      const message = randomBytes(length)
      expect(sha256Public(message)).toEqual(sha256(message))
    }
    expect(() => sha256Public('abc' as never)).toThrow(expect.objectContaining(INPUT))
  })

  test('random bytes are of the length asked for, fresh, and a buffer of their own', () => {
    const seen = new Set<string>()
    for (let i = 0; i < 2000; i++) {
      const drawn = randomBytes(16 + (i % 32))
      expectOffHeap(drawn)
      expect(drawn).toHaveLength(16 + (i % 32))
      seen.add(toHex(drawn.subarray(0, 16)))
    }
    expect(seen.size).toBe(2000)
    for (const length of [0, 1, 256, 257, 65_536, 65_537, 200_000]) {
      expect(randomBytes(length)).toHaveLength(length)
    }
    const end = randomBytes(200_000).subarray(196_608)
    expect(new Set(end).size).toBe(256)
  })

  test('random bytes are uniform: chi-squared over 256 values stays within five sigma', () => {
    const counts = new Float64Array(256)
    const draws = 400_000
    for (let i = 0; i < draws / 40; i++)
      for (const byte of randomBytes(40)) counts[byte] = (counts[byte] ?? 0) + 1
    const expected = draws / 256
    let chi = 0
    for (const count of counts) chi += (count - expected) ** 2 / expected
    expect(Math.abs(chi - 255)).toBeLessThan(5 * Math.sqrt(2 * 255))
  })

  test.each([-1, 0.5, 16_777_217, Number.NaN, '16'])('randomBytes refuses %j', (length) => {
    expect(() => randomBytes(length as number)).toThrow(expect.objectContaining(INPUT))
  })
})

describe('Ed25519', () => {
  // RFC 8032 §7.1, test 2
  const seed = bytes('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb')
  const publicKey = bytes('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c')
  const signature = bytes(
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da' +
      '085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  )
  const message = Uint8Array.of(0x72)

  test('signs as RFC 8032 §7.1 says', () => {
    const pair = keyPairEd25519(seed)
    expect(pair).toEqual({ seed, publicKey })
    expectOffHeap(pair.seed)
    expect(pair.seed).not.toBe(seed)
    expect(signEd25519(message, seed)).toEqual(signature)
    expect(verifyEd25519(signature, message, publicKey)).toBe(true)
  })

  test('refuses another message, a flip of every bit, and wrong lengths', () => {
    expect(verifyEd25519(signature, none, publicKey)).toBe(false)
    for (let bit = 0; bit < 512; bit += 3) {
      expect(verifyEd25519(flipped(signature, bit), message, publicKey)).toBe(false)
    }
    expect(verifyEd25519(signature.subarray(1), message, publicKey)).toBe(false)
    expect(verifyEd25519(signature, message, publicKey.subarray(1))).toBe(false)
    expect(verifyEd25519(signature, message, new Uint8Array(32).fill(255))).toBe(false)
    expect(() => keyPairEd25519(seed.subarray(1))).toThrow(expect.objectContaining(INPUT))
    expect(() => signEd25519(message, publicKey.subarray(1))).toThrow(expect.objectContaining(INPUT))
    expect(() => signEd25519('r' as never, seed)).toThrow(expect.objectContaining(INPUT))
  })
})

describe('Argon2id', () => {
  const salt = new Uint8Array(16).fill(2)

  // The reference implementation's own tests, test.c of P-H-C/phc-winner-argon2, version 0x13
  test.each([
    [256, 2, 'password', 'somesalt', '9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe'],
    [65_536, 1, 'password', 'somesalt', 'f6a5adc1ba723dddef9b5ac1d464e180fcd9dffc9d1cbf76cca2fed795d9ca98'],
  ])('%i KiB, %i passes, %s, %s', async (memoryKiB, passes, passphrase, withSalt, expected) => {
    const cost = { memoryKiB, passes }
    const key = await argon2idKey(utf8(passphrase) as Uint8Array, utf8(withSalt) as Uint8Array, cost)
    expect(toHex(key)).toBe(expected)
    expectOffHeap(key)
  })

  test('depends on passphrase, salt, memory and passes', async () => {
    const cost = { memoryKiB: 8, passes: 1 }
    const keys = await Promise.all([
      argon2idKey(none, salt, cost),
      argon2idKey(Uint8Array.of(0), salt, cost),
      argon2idKey(none, randomBytes(16), cost),
      argon2idKey(none, salt, { ...cost, memoryKiB: 9 + 8 }),
      argon2idKey(none, salt, { ...cost, passes: 2 }),
    ])
    expect(new Set(keys.map(toHex)).size).toBe(keys.length)
  })

  test.each<readonly [string, unknown, Uint8Array, number, number]>([
    ['a passphrase of another type', 'password', salt, 8, 1],
    ['a passphrase above 4,096 bytes', new Uint8Array(4097), salt, 8, 1],
    ['a salt of 7 bytes', none, salt.subarray(9), 8, 1],
    ['7 KiB', none, salt, 7, 1],
    ['no pass', none, salt, 8, 0],
  ])('refuses %s', async (_, passphrase, withSalt, memoryKiB, passes) => {
    const key = argon2idKey(passphrase as Uint8Array, withSalt, { memoryKiB, passes })
    await expect(key).rejects.toMatchObject(INPUT)
  })
})
