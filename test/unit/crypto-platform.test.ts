/** Primitives of the platform: signatures of others, AES-256-GCM, keys that it keeps. @module */
import { createCipheriv, generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, test, vi } from 'vitest'
import { gcmDecrypt, gcmEncrypt } from '../../src/crypto/gcm.ts'
import { platformAlgorithm, platformPublicKey, platformSign } from '../../src/crypto/platform-key.ts'
import { importP256, verifyEd25519Strict, verifyP256 } from '../../src/crypto/verify.ts'
import { otherSignature } from '../reference/cose.ts'

const message = Uint8Array.of(1, 2, 3)

function point(): { readonly publicKey: Uint8Array; readonly signature: Uint8Array } {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { x, y } = pair.publicKey.export({ format: 'jwk' })
  const publicKey = Buffer.concat([
    Buffer.of(4),
    Buffer.from(`${x}`, 'base64url'),
    Buffer.from(`${y}`, 'base64url'),
  ])
  const signature = sign('sha256', message, { key: pair.privateKey, dsaEncoding: 'ieee-p1363' })
  return { publicKey: Uint8Array.from(publicKey), signature: Uint8Array.from(signature) }
}

describe('P-256', () => {
  test('both of s and n − s verify, and nothing else', async () => {
    const { publicKey, signature } = point()
    expect(await verifyP256(signature, message, publicKey)).toBe(true)
    expect(await verifyP256(otherSignature(signature), message, publicKey)).toBe(true)
    expect(await verifyP256(signature, Uint8Array.of(1), publicKey)).toBe(false)
    expect(await verifyP256(signature.slice(1), message, publicKey)).toBe(false)
    expect(await verifyP256(new Uint8Array(64), message, publicKey)).toBe(false)
    expect(await verifyP256(signature, message, new Uint8Array(65))).toBe(false)
  })

  test('a key is an uncompressed point on the curve', async () => {
    const { publicKey } = point()
    expect(await importP256(publicKey)).toBeDefined()
    expect(await importP256(publicKey.slice(1))).toBeUndefined()
    const compressed = Uint8Array.from(publicKey.slice(0, 33))
    compressed[0] = 2 + ((publicKey[64] as number) & 1)
    expect(await importP256(compressed)).toBeUndefined()
    expect(await importP256(Uint8Array.from(publicKey, (byte, i) => (i === 0 ? 6 : byte)))).toBeUndefined()
    expect(
      await importP256(Uint8Array.from(publicKey, (byte, i) => (i === 64 ? byte ^ 1 : byte))),
    ).toBeUndefined()
  })
})

test('Ed25519 of wrong lengths is false', () => {
  expect(verifyEd25519Strict(new Uint8Array(63), message, new Uint8Array(32))).toBe(false)
  expect(verifyEd25519Strict(new Uint8Array(64), message, new Uint8Array(31))).toBe(false)
})

describe('AES-256-GCM', () => {
  const key = Uint8Array.from({ length: 32 }, (_, i) => i)
  const nonce = Uint8Array.from({ length: 12 }, (_, i) => 100 + i)
  const aad = Uint8Array.of(7)

  test('is what OpenSSL computes, and opens under its key, nonce and data alone', async () => {
    const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(aad)
    const wanted = Buffer.concat([cipher.update(message), cipher.final(), cipher.getAuthTag()])
    const sealed = await gcmEncrypt(key, nonce, aad, message)
    expect(Buffer.from(sealed).equals(wanted)).toBe(true)
    expect(await gcmDecrypt(key, nonce, aad, sealed)).toEqual(message)
    expect(await gcmDecrypt(key, nonce, Uint8Array.of(8), sealed)).toBeUndefined()
    expect(await gcmDecrypt(key, nonce, aad, sealed.subarray(1))).toBeUndefined()
  })

  test('refuses keys and nonces of other lengths', async () => {
    const input = { code: 'ERR_CRYPTO_INPUT' }
    await expect(gcmEncrypt(key.subarray(1), nonce, aad, message)).rejects.toMatchObject(input)
    await expect(gcmDecrypt(key, nonce.subarray(1), aad, message)).rejects.toMatchObject(input)
  })
})

describe('keys of the platform', () => {
  test('ECDSA on P-256 and Ed25519 sign; others are told', async () => {
    const curve = { name: 'ECDSA', namedCurve: 'P-256' }
    const ec = await crypto.subtle.generateKey(curve, false, ['sign', 'verify'])
    expect(platformAlgorithm(ec.privateKey)).toBe('ES256')
    const publicKey = await platformPublicKey(ec.publicKey)
    expect(await verifyP256(await platformSign(ec.privateKey, 'ES256', message), message, publicKey)).toBe(
      true,
    )
    const ed = await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify'])
    expect(platformAlgorithm(ed.privateKey)).toBe('EdDSA')
    const signature = await platformSign(ed.privateKey, 'EdDSA', message)
    expect(verifyEd25519Strict(signature, message, await platformPublicKey(ed.publicKey))).toBe(true)
    const agreed = await crypto.subtle.generateKey({ name: 'ECDH', namedCurve: 'P-256' }, false, [
      'deriveBits',
    ])
    expect(platformAlgorithm(agreed.privateKey)).toBeUndefined()
    const larger = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-384' }, false, ['sign'])
    expect(platformAlgorithm(larger.privateKey)).toBeUndefined()
  })
})

test('a digest of public data where there is no platform hash', async () => {
  const absent = vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined)
  try {
    vi.resetModules()
    const { sha256, sha256Public } = await import('../../src/crypto/hash.ts')
    expect(sha256Public(message)).toEqual(sha256(message))
    expect(absent).toHaveBeenCalledWith('node:crypto')
  } finally {
    absent.mockRestore()
    vi.resetModules()
  }
})
