/** Wycheproof through the shipped functions: every case, and how many there were. @module */
import { beforeAll, expect, test } from 'vitest'
import { equalBytes, fromHex } from '../../src/base/bytes.ts'
import { aeadDecrypt, aeadEncrypt } from '../../src/crypto/aead.ts'
import {
  hkdf,
  hkdfExpand,
  hkdfExpandPrepared,
  hkdfExtract,
  hkdfPrepare,
  hmacSha512,
  MAC_BYTES,
  verifyMac,
} from '../../src/crypto/kdf.ts'
import { hkdfPortable, hmacSha512Portable } from '../../src/crypto/kdf-portable.ts'
import { verifyEd25519 } from '../../src/crypto/sign.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import ed25519 from './wycheproof/ed25519_test.json' with { type: 'json' }
import hkdfSha512 from './wycheproof/hkdf_sha512_test.json' with { type: 'json' }
import hmac from './wycheproof/hmac_sha512_test.json' with { type: 'json' }
import xchacha from './wycheproof/xchacha20_poly1305_test.json' with { type: 'json' }

beforeAll(cryptoReady)

function bytes(hex: string): Uint8Array {
  const decoded = fromHex(hex)
  if (decoded === undefined) throw new Error(`not hexadecimal: ${hex}`)
  return decoded
}

/** What a refusal by exception means here: the case is not valid. */
function orUndefined<Result>(task: () => Result): Result | undefined {
  try {
    return task()
  } catch (error) {
    expect(error).toMatchObject({ code: 'ERR_CRYPTO_INPUT' })
    return undefined
  }
}

interface Tally {
  total: number
  readonly wrong: number[]
}

function tally<Case extends { readonly tcId: number; readonly result: string }>(
  cases: readonly Case[],
  accepts: (one: Case) => boolean,
  to: Tally = { total: 0, wrong: [] },
): Tally {
  for (const one of cases) {
    to.total++
    if (accepts(one) !== (one.result === 'valid')) to.wrong.push(one.tcId)
  }
  return to
}

test('XChaCha20-Poly1305: 315 of 315', () => {
  const cases = xchacha.testGroups.flatMap((group) => group.tests)
  const opened = tally(cases, ({ key, iv, aad, msg, ct, tag }) => {
    const plaintext = orUndefined(() => aeadDecrypt(bytes(key), bytes(iv), bytes(aad), bytes(ct + tag)))
    return plaintext !== undefined && equalBytes(plaintext, bytes(msg))
  })
  const sealed = tally(
    cases.filter(({ result }) => result === 'valid'),
    ({ key, iv, aad, msg, ct, tag }) =>
      equalBytes(aeadEncrypt(bytes(key), bytes(iv), bytes(aad), bytes(msg)), bytes(ct + tag)),
  )
  console.log(`XChaCha20-Poly1305: ${opened.total} opened or refused, ${sealed.total} sealed`)
  expect(opened).toEqual({ total: 315, wrong: [] })
  expect(sealed).toEqual({ total: 246, wrong: [] })
})

test('HKDF-SHA-512: 83 of 83, and the 22 without salt in one step and through the portable path', () => {
  const cases = hkdfSha512.testGroups.flatMap((group) => group.tests)
  const result = tally(cases, ({ ikm, salt, info, size, okm }) => {
    const prk = hkdfExtract(bytes(salt), bytes(ikm))
    const derived = orUndefined(() => hkdfExpand(prk, bytes(info), size))
    return derived !== undefined && equalBytes(derived, bytes(okm))
  })
  const unsalted = cases.filter(({ salt, result: expected }) => salt === '' && expected === 'valid')
  for (const { ikm, info, size, okm } of unsalted) {
    expect(hkdf(bytes(ikm), bytes(info), size)).toEqual(bytes(okm))
    expect(hkdfExpandPrepared(hkdfPrepare(bytes(ikm)), [bytes(info)], size)).toEqual(bytes(okm))
    expect(hkdfPortable(bytes(ikm), bytes(info), size)).toEqual(bytes(okm))
  }
  console.log(`HKDF-SHA-512: ${result.total} cases, ${unsalted.length} of them in one step and portably`)
  expect(result).toEqual({ total: 83, wrong: [] })
  expect(unsalted).toHaveLength(22)
})

test('HMAC-SHA-512: 174 of 174, through both paths', () => {
  const result: Tally = { total: 0, wrong: [] }
  const portable: Tally = { total: 0, wrong: [] }
  let halves = 0
  for (const group of hmac.testGroups) {
    const length = group.tagSize / 8
    tally(
      group.tests,
      ({ key, msg, tag }) => {
        const whole = hmacSha512(bytes(key), bytes(msg))
        const accepted = equalBytes(whole.subarray(0, length), bytes(tag))
        if (length === MAC_BYTES) {
          halves++
          expect(verifyMac(bytes(key), bytes(msg), bytes(tag))).toBe(accepted)
        }
        return accepted
      },
      result,
    )
    tally(
      group.tests,
      ({ key, msg, tag }) =>
        equalBytes(hmacSha512Portable(bytes(key), bytes(msg)).subarray(0, length), bytes(tag)),
      portable,
    )
  }
  console.log(`HMAC-SHA-512: ${result.total} cases, ${halves} of them as 32-byte tags`)
  expect(result).toEqual({ total: 174, wrong: [] })
  expect(portable).toEqual({ total: 174, wrong: [] })
  expect(halves).toBe(87)
})

test('Ed25519, strict: 151 of 151', () => {
  const result: Tally = { total: 0, wrong: [] }
  for (const { publicKey, tests } of ed25519.testGroups) {
    const key = bytes(publicKey.pk)
    tally(tests, ({ sig, msg }) => verifyEd25519(bytes(sig), bytes(msg), key), result)
  }
  console.log(`Ed25519: ${result.total} cases`)
  expect(result).toEqual({ total: 151, wrong: [] })
})
