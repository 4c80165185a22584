/** Inputs in parts are hashed as if they were one. @module */
import { beforeAll, describe, expect, test } from 'vitest'
import { concatBytes, secretBytes } from '../../src/base/bytes.ts'
import { hkdf, hkdfExpand, hmacSha512, mac, verifyMac } from '../../src/crypto/kdf.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { turboshake128, turboshake128Into } from '../../src/crypto/xof.ts'

const key = new Uint8Array(32).fill(1)
const prk = new Uint8Array(64).fill(2)
const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 7 + length) & 255)

describe('messages in parts', () => {
  beforeAll(cryptoReady)

  test.each([[[]], [[0]], [[1, 2, 3]], [[15, 16, 17]], [[0, 128, 0]], [[129, 1]], [[40_000, 5]]])(
    'lengths %j',
    (lengths) => {
      const parts = lengths.map(bytes)
      const whole = concatBytes(...parts)
      expect(mac(key, parts)).toEqual(mac(key, whole))
      expect(hmacSha512(key, parts)).toEqual(hmacSha512(key, whole))
      expect(hkdf(key, parts, 96)).toEqual(hkdf(key, whole, 96))
      expect(hkdfExpand(prk, parts, 64)).toEqual(hkdfExpand(prk, whole, 64))
      expect(verifyMac(key, parts, mac(key, whole))).toBe(true)
      expect(verifyMac(key, [...parts, Uint8Array.of(0)], mac(key, whole))).toBe(false)
    },
  )

  test('TurboSHAKE128, in a new buffer and in the one given', () => {
    const parts = [bytes(40), bytes(7)]
    const stream = turboshake128(parts, 300)
    expect(stream).toEqual(turboshake128(concatBytes(...parts), 300))
    const into = secretBytes(200)
    turboshake128Into(parts, into)
    expect(into).toEqual(stream.slice(0, 200))
    for (const wrong of [secretBytes(0), [] as unknown as Uint8Array<ArrayBuffer>]) {
      expect(() => turboshake128Into(parts, wrong)).toThrow(
        expect.objectContaining({ code: 'ERR_CRYPTO_INPUT' }),
      )
    }
  })

  test('a part that is no byte string is refused', () => {
    for (const part of ['text', [1], 7, null]) {
      expect(() => mac(key, [key, part as unknown as Uint8Array])).toThrow(
        expect.objectContaining({ code: 'ERR_CRYPTO_INPUT' }),
      )
    }
  })
})
