/** TurboSHAKE128 with domain byte 0x1F: RFC 9861 §5, and libsodium against another implementation. @module */
import { turboshake128 as independent } from '@noble/hashes/sha3-addons.js'
import { beforeAll, expect, test } from 'vitest'
import { toHex } from '../../src/base/bytes.ts'
import { randomBytes } from '../../src/crypto/random.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { turboshake128 } from '../../src/crypto/xof.ts'

beforeAll(cryptoReady)

/** `ptn(n)` of RFC 9861 §5: 00 01 … FA, repeated to n bytes. */
function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i % 251)
}

const VECTORS: readonly (readonly [messageBytes: number, outputBytes: number, end: string])[] = [
  [0, 32, '1e415f1c5983aff2169217277d17bb538cd945a397ddec541f1ce41af2c1b74c'],
  [0, 64, '3e8ccae2a4dae56c84a04c2385c03c15e8193bdf58737363321691c05462c8df'],
  [0, 10032, 'a3b9b0385900ce761f22aed548e754da10a5242d62e8c658e3f3a923a7555607'],
  [1, 32, '55cedd6f60af7bb29a4042ae832ef3f58db7299f893ebb9247247d856958daa9'],
  [17, 32, '9c97d036a3bac819db70ede0ca554ec6e4c2a1a4ffbfd9ec269ca6a111161233'],
  [17 ** 2, 32, '96c77c279e0126f7fc07c9b07f5cdae1e0be60bdbe10620040e75d7223a624d2'],
  [17 ** 3, 32, 'd4976eb56bcf118520582b709f73e1d6853e001fdaf80e1b13e0d0599d5fb372'],
  [17 ** 4, 32, 'da67c7039e98bf530cf7a37830c6664e14cbab7f540f58403b1b82951318ee5c'],
  [17 ** 5, 32, 'b97a906fbf83ef7c812517abf3b2d0aea0c4f60318ce11cf103925127f59eecd'],
]

test.each(VECTORS)('ptn(%i), the last 32 of %i bytes', (messageBytes, outputBytes, end) => {
  const message = pattern(messageBytes)
  expect(toHex(turboshake128(message, outputBytes).subarray(-32))).toBe(end)
  expect(toHex(independent(message, { D: 0x1f, dkLen: outputBytes }).subarray(-32))).toBe(end)
})

test('two implementations agree on 1,000 random messages and lengths', () => {
  let pairs = 0
  for (let i = 0; i < 1000; i++) {
    const [low = 0, high = 0] = randomBytes(2)
    const message = randomBytes((i * 7) % 700)
    const length = 1 + ((low + 256 * high) % 1500)
    expect(toHex(turboshake128(message, length))).toBe(
      toHex(independent(message, { D: 0x1f, dkLen: length })),
    )
    pairs++
  }
  expect(pairs).toBe(1000)
})
