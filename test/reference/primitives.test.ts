/** The reference’s own primitives against published vectors (RFC 5869, RFC 8439, RFC 8949, RFC 9861). @module */
import { expect, test } from 'vitest'
import hkdfVectors from '../vectors/wycheproof/hkdf_sha512_test.json' with { type: 'json' }
import aeadVectors from '../vectors/wycheproof/xchacha20_poly1305_test.json' with { type: 'json' }
import { hex, unhex, utf8 } from './bytes.ts'
import { decode, encode } from './cbor.ts'
import { hkdf, turboshake } from './hashes.ts'
import { aeadOpen, aeadSeal } from './xchacha.ts'

test('XChaCha20-Poly1305: all 315 cases of Wycheproof', () => {
  let cases = 0
  for (const { tests } of aeadVectors.testGroups) {
    for (const { tcId, key, iv, aad, msg, ct, tag, result } of tests) {
      cases++
      const open = (): Uint8Array | undefined => aeadOpen(unhex(key), unhex(iv), unhex(aad), unhex(ct + tag))
      if (iv.length !== 48) {
        expect(open, `case ${tcId}`).toThrow(RangeError)
        continue
      }
      const plaintext = open()
      expect(plaintext === undefined ? 'invalid' : 'valid', `case ${tcId}`).toBe(result)
      if (plaintext === undefined) continue
      expect(hex(plaintext)).toBe(msg)
      expect(hex(aeadSeal(unhex(key), unhex(iv), unhex(aad), unhex(msg)))).toBe(ct + tag)
    }
  }
  expect(cases).toBe(315)
})

test('HKDF-SHA-512: the cases of Wycheproof that have an empty salt', () => {
  let cases = 0
  for (const { tests } of hkdfVectors.testGroups) {
    for (const { tcId, ikm, salt, info, size, okm, result } of tests) {
      if (salt !== '' || result !== 'valid') continue
      cases++
      expect(hex(hkdf(unhex(ikm), unhex(info), size)), `case ${tcId}`).toBe(okm)
    }
  }
  expect(cases).toBeGreaterThan(10)
})

test('TurboSHAKE128 of the empty message, RFC 9861 §5', () => {
  expect(hex(turboshake(new Uint8Array(0), 32))).toBe(
    '1e415f1c5983aff2169217277d17bb538cd945a397ddec541f1ce41af2c1b74c',
  )
})

test.each([
  [0, '00'],
  [23, '17'],
  [24, '1818'],
  [100, '1864'],
  [1000, '1903e8'],
  [1_000_000, '1a000f4240'],
  [1_000_000_000_000, '1b000000e8d4a51000'],
  [false, 'f4'],
  [true, 'f5'],
  [null, 'f6'],
  ['IETF', '6449455446'],
  ['ü', '62c3bc'],
  ['水', '63e6b0b4'],
  ['𐅑', '64f0908591'],
  [[1, [2, 3], [4, 5]], '8301820203820405'],
  [unhex('01020304'), '4401020304'],
])('CBOR of %s, RFC 8949 appendix A', (value, encoded) => {
  expect(hex(encode(value))).toBe(encoded)
  expect(decode(unhex(encoded), 64)).toEqual(value)
})

test('texts have the UTF-8 that the platform writes', () => {
  const text = 'a\u0000\u007f\u0080\u07ff\u0800\uffff\u{10000}\u{10ffff}'
  expect(utf8(text)).toEqual(new TextEncoder().encode(text))
  expect(() => utf8('\ud800')).toThrow()
})
