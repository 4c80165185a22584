/** B17: a ciphertext that the plain AEAD opens under two keys, and the commitment that refuses it. @module */
import { beforeAll, describe, expect, test } from 'vitest'
import { concatBytes, equalBytes, labelBytes } from '../../src/base/bytes.ts'
import { aeadDecrypt } from '../../src/crypto/aead.ts'
import { committingOpen } from '../../src/crypto/committing.ts'
import { hkdf } from '../../src/crypto/kdf.ts'
import { randomBytes } from '../../src/crypto/random.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { twoKeyCiphertext } from './two-keys.ts'

beforeAll(cryptoReady)

const LABEL = 'guise/v1/attack'

describe('a ciphertext for two keys', () => {
  test.each([2, 3, 4, 65])('of %i blocks', (blocks) => {
    const nonce = randomBytes(24)
    const aad = randomBytes(37)
    const secrets = [randomBytes(32), randomBytes(32)] as const
    const okms = secrets.map((secret) => hkdf(secret, concatBytes(labelBytes(LABEL), nonce, aad), 64))
    const keys = okms.map((okm) => okm.slice(0, 32)) as [Uint8Array, Uint8Array]
    const { ciphertext } = twoKeyCiphertext(keys, nonce, aad, blocks, randomBytes)

    const [one, other] = keys.map((key) => aeadDecrypt(key, nonce, aad, ciphertext))
    expect(one).toHaveLength(16 * blocks)
    expect(other).toHaveLength(16 * blocks)
    expect(equalBytes(one as Uint8Array, other as Uint8Array)).toBe(false)

    // Whichever commitment the attacker stores, one of the two keys refuses before it decrypts.
    for (const [mine, okm] of okms.entries()) {
      const sealed = { nonce, commitment: okm.slice(32), ciphertext }
      const opened = secrets.map((secret) => committingOpen(secret, LABEL, aad, sealed) !== undefined)
      expect(opened).toEqual([mine === 0, mine === 1])
    }
    const neither = { nonce, commitment: randomBytes(32), ciphertext }
    for (const secret of secrets) expect(committingOpen(secret, LABEL, aad, neither)).toBeUndefined()
  })

  test('takes few tries', () => {
    let tries = 0
    const aad = new Uint8Array(0)
    for (let i = 0; i < 50; i++) {
      tries += twoKeyCiphertext(
        [randomBytes(32), randomBytes(32)],
        randomBytes(24),
        aad,
        2,
        randomBytes,
      ).tries
    }
    console.log(`two-key ciphertexts: ${tries / 50} tries on average`)
    expect(tries / 50).toBeLessThan(20)
  })
})
