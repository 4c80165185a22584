/** The PKCS#11 provider on a token of SoftHSM2: what it makes there, what it refuses, what it leaves. @module */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Pkcs11KeyProvider, pkcs11KeyProvider } from 'guise/pkcs11'
import pkcs11js from 'pkcs11js'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Realm } from '../../src/base/brand.ts'
import { toHex } from '../../src/base/bytes.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import type { Pkcs11Module } from '../../src/keys/pkcs11-module.ts'
import { epochContext } from '../../src/keys/provider.ts'
import { type SoftToken, softToken } from '../support/softhsm.ts'
import { failureOf } from './keys-support.ts'

let soft: SoftToken
const open: Pkcs11KeyProvider[] = []
let contexts = 0

beforeAll(async () => {
  await cryptoReady()
  soft = softToken()
})
afterEach(() => {
  for (const provider of open.splice(0)) provider.close()
})
afterAll(() => soft.remove())

function provider(change: Partial<Parameters<typeof pkcs11KeyProvider>[0]> = {}): Pkcs11KeyProvider {
  const { module, token, pin } = soft
  const made = pkcs11KeyProvider({ module, token, pin, ...change })
  open.push(made)
  return made
}

function fresh(): Uint8Array {
  return epochContext('clinic' as Realm, ++contexts)
}

const SECRET = Uint8Array.from({ length: 32 }, (_, at) => 7 * at + 1)

describe('a token', () => {
  test('wraps and unwraps; what it wraps differs each time and opens under its context only', async () => {
    const token = provider()
    const context = fresh()
    const [first, second] = [await token.wrap(SECRET, context), await token.wrap(SECRET, context)]
    expect(first).toHaveLength(61)
    expect(first[0]).toBe(1)
    expect(toHex(first)).not.toBe(toHex(second))
    expect(await token.unwrap(first, context)).toEqual(SECRET)
    expect(await provider().unwrap(second, context)).toEqual(SECRET)
    const other = fresh()
    expect(await failureOf(token.unwrap(first, other))).toMatchObject({ code: 'ERR_KEYS_DESTROYED' })
    await token.wrap(SECRET, other)
    expect(await failureOf(token.unwrap(first, other))).toMatchObject({
      code: 'ERR_KEYS_RING',
      retryable: false,
    })
  })

  test('every altered byte is refused, and so is another length', async () => {
    const token = provider()
    const context = fresh()
    const wrapped = await token.wrap(SECRET, context)
    for (let at = 0; at < wrapped.length; at += 4) {
      const altered = Uint8Array.from(wrapped)
      altered[at]! ^= 1
      expect(await failureOf(token.unwrap(altered, context))).toMatchObject({ code: 'ERR_KEYS_RING' })
    }
    expect(await failureOf(token.unwrap(wrapped.subarray(0, 60), context))).toMatchObject({
      code: 'ERR_KEYS_RING',
    })
    expect(await token.unwrap(wrapped, context)).toEqual(SECRET)
  })

  test('holds an AES-256 key a context that cannot be read out, and nothing of the secret', async () => {
    const context = fresh()
    const token = provider()
    await token.wrap(SECRET, context)
    const { api, session } = look()
    const c = pkcs11js
    api.C_FindObjectsInit(session, [{ type: c.CKA_ID, value: Buffer.from(sha256(context)) }])
    const keys = api.C_FindObjects(session, 9)
    api.C_FindObjectsFinal(session)
    expect(keys).toHaveLength(1)
    const key = keys[0]!
    const names = [
      'SENSITIVE',
      'EXTRACTABLE',
      'NEVER_EXTRACTABLE',
      'ALWAYS_SENSITIVE',
      'WRAP',
      'UNWRAP',
      'DERIVE',
    ] as const
    const attributes = api.C_GetAttributeValue(
      session,
      key,
      names.map((name) => ({ type: c[`CKA_${name}`] })),
    )
    expect(attributes.map(({ value }) => value[0])).toEqual([1, 0, 1, 1, 0, 0, 0])
    expect(() => api.C_GetAttributeValue(session, key, [{ type: c.CKA_VALUE }])).toThrow(/SENSITIVE/)
    api.C_CloseSession(session)
  })

  test('destroys the key, says when, and says the same again', async () => {
    const token = provider()
    const [gone, kept] = [fresh(), fresh()]
    const wrapped = await token.wrap(SECRET, gone)
    const other = await token.wrap(SECRET, kept)
    const before = Date.now()
    const { confirmedAt } = await token.destroy(gone)
    expect(confirmedAt).toBeGreaterThanOrEqual(before)
    expect(confirmedAt).toBeLessThanOrEqual(Date.now())
    expect(await provider().destroy(gone)).toEqual({ confirmedAt })
    const destroyed = { code: 'ERR_KEYS_DESTROYED', retryable: false }
    expect(await failureOf(token.unwrap(wrapped, gone))).toMatchObject(destroyed)
    expect(await failureOf(token.wrap(SECRET, gone))).toMatchObject(destroyed)
    expect(await token.unwrap(other, kept)).toEqual(SECRET)
  })

  test('confirms the destruction of a key that it never had, and makes none from then on', async () => {
    const token = provider()
    const context = fresh()
    const confirmed = await token.destroy(context)
    expect(await token.destroy(context)).toEqual(confirmed)
    expect(await failureOf(token.wrap(SECRET, context))).toMatchObject({ code: 'ERR_KEYS_DESTROYED' })
  })

  test('two processes that made a key at once: what either wrapped opens, and both keys are destroyed', async () => {
    const context = fresh()
    const token = provider()
    const first = await token.wrap(SECRET, context)
    const { api, session } = look()
    const second = wrapAsAnother(api, session, context)
    for (const bytes of [first, second]) expect(await token.unwrap(bytes, context)).toEqual(SECRET)
    await token.destroy(context)
    for (const bytes of [first, second]) {
      expect(await failureOf(token.unwrap(bytes, context))).toMatchObject({ code: 'ERR_KEYS_DESTROYED' })
    }
    api.C_CloseSession(session)
  })

  test('a key that somebody planted in a form that can be read is not used', async () => {
    const context = fresh()
    const { api, session } = look()
    const c = pkcs11js
    api.C_CreateObject(session, [
      { type: c.CKA_CLASS, value: c.CKO_SECRET_KEY },
      { type: c.CKA_KEY_TYPE, value: c.CKK_AES },
      { type: c.CKA_TOKEN, value: true },
      { type: c.CKA_ID, value: Buffer.from(sha256(context)) },
      { type: c.CKA_VALUE, value: Buffer.alloc(32, 7) },
      { type: c.CKA_SENSITIVE, value: false },
      { type: c.CKA_EXTRACTABLE, value: true },
      { type: c.CKA_ENCRYPT, value: true },
      { type: c.CKA_DECRYPT, value: true },
    ])
    const token = provider()
    expect(await failureOf(token.unwrap(new Uint8Array(61).fill(1), context))).toMatchObject({
      code: 'ERR_KEYS_DESTROYED',
    })
    await token.wrap(SECRET, context)
    api.C_FindObjectsInit(session, [{ type: c.CKA_ID, value: Buffer.from(sha256(context)) }])
    expect(api.C_FindObjects(session, 9)).toHaveLength(2)
    api.C_FindObjectsFinal(session)
    await token.destroy(context)
    api.C_FindObjectsInit(session, [{ type: c.CKA_ID, value: Buffer.from(sha256(context)) }])
    expect(api.C_FindObjects(session, 9)).toHaveLength(0)
    api.C_FindObjectsFinal(session)
    api.C_CloseSession(session)
  })

  test('no file of the token holds the secret or the PIN', async () => {
    await provider().wrap(SECRET, fresh())
    const files = readdirSync(soft.folder, { recursive: true, withFileTypes: true }).filter((file) =>
      file.isFile(),
    )
    expect(files.length).toBeGreaterThan(2)
    for (const file of files) {
      const bytes = readFileSync(join(file.parentPath, file.name))
      expect(bytes.includes(Buffer.from(SECRET.subarray(0, 8)))).toBe(false)
    }
  })
})

describe('a call', () => {
  test('with a signal that has come is not made', async () => {
    const token = provider()
    const signal = AbortSignal.abort(new Error('enough'))
    const context = fresh()
    for (const call of [token.wrap(SECRET, context, { signal }), token.destroy(context, { signal })]) {
      expect(await failureOf(call)).toMatchObject({ message: 'enough' })
    }
    expect(await failureOf(token.unwrap(new Uint8Array(61), context, { signal }))).toMatchObject({
      message: 'enough',
    })
  })

  test('wrong arguments are refused before the token is asked', async () => {
    const refused = expect.objectContaining({ code: 'ERR_KEYS_INPUT' })
    expect(() => provider({ module: '' })).toThrow(refused)
    expect(() => provider({ token: 'x'.repeat(33) })).toThrow(refused)
    expect(() => provider({ pin: '' })).toThrow(refused)
    expect(() => provider({ pin: '\ud800' })).toThrow(refused)
    expect(() => provider({ id: '' })).toThrow(refused)
    expect(() => provider({ iv: 'zero' as 'token' })).toThrow(refused)
    const token = provider({ pin: new TextEncoder().encode(soft.pin), id: 'hsm' })
    expect(token.id).toBe('hsm')
    expect(provider().id).toBe('pkcs11:clinic')
    expect(String(token)).toBe('[Pkcs11KeyProvider]')
    expect(await failureOf(token.wrap(new Uint8Array(31), fresh()))).toEqual(refused)
    expect(await failureOf(token.unwrap(new Uint8Array(0), fresh()))).toEqual(refused)
    expect(await failureOf(token.wrap(SECRET, new Uint8Array(0)))).toEqual(refused)
  })

  test('after close is refused', async () => {
    using token = provider()
    const context = fresh()
    await token.wrap(SECRET, context)
    token.close()
    token.close()
    expect(await failureOf(token.wrap(SECRET, context))).toMatchObject({ code: 'ERR_KEYS_DISPOSED' })
    expect(await failureOf(token.destroy(context))).toMatchObject({ code: 'ERR_KEYS_DISPOSED' })
  })
})

/** A session of the test's own, which shares the library and its login with the provider. */
function look(): { api: pkcs11js.PKCS11; session: Buffer } {
  // What is used of the package is declared here as the package declares it.
  const { PKCS11 } = pkcs11js satisfies Pkcs11Module
  const api = new PKCS11()
  api.load(soft.module)
  const slot = api.C_GetSlotList(true).find((at) => api.C_GetTokenInfo(at).label.trim() === soft.token)
  if (slot === undefined) throw new Error('there is no token')
  const session = api.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION | pkcs11js.CKF_RW_SESSION)
  try {
    api.C_Login(session, pkcs11js.CKU_USER, soft.pin)
  } catch (error) {
    if (!/ALREADY/.test(String(error))) throw error
  }
  return { api, session }
}

/** A second key of the same name, made and used as the text of the specification says. */
function wrapAsAnother(api: pkcs11js.PKCS11, session: Buffer, context: Uint8Array): Uint8Array {
  const c = pkcs11js
  const key = api.C_GenerateKey(session, { mechanism: c.CKM_AES_KEY_GEN }, [
    { type: c.CKA_CLASS, value: c.CKO_SECRET_KEY },
    { type: c.CKA_KEY_TYPE, value: c.CKK_AES },
    { type: c.CKA_VALUE_LEN, value: 32 },
    { type: c.CKA_ID, value: Buffer.from(sha256(context)) },
    { type: c.CKA_TOKEN, value: true },
    { type: c.CKA_PRIVATE, value: true },
    { type: c.CKA_SENSITIVE, value: true },
    { type: c.CKA_EXTRACTABLE, value: false },
    { type: c.CKA_ENCRYPT, value: true },
    { type: c.CKA_DECRYPT, value: true },
  ])
  const iv = Buffer.from(crypto.getRandomValues(new Uint8Array(12)))
  const parameter: pkcs11js.AesGCM = {
    type: c.CK_PARAMS_AES_GCM_v240,
    iv,
    ivBits: 96,
    aad: Buffer.from(context),
    tagBits: 128,
  }
  api.C_EncryptInit(session, { mechanism: c.CKM_AES_GCM, parameter }, key)
  const sealed = api.C_Encrypt(session, Buffer.from(SECRET), Buffer.alloc(48))
  return Uint8Array.from([1, ...iv, ...sealed])
}
