/** A token that fails, call by call, hangs, is not there, or draws the initialisation vector itself. @module */
import { execFileSync } from 'node:child_process'
import { type Pkcs11KeyProvider, pkcs11KeyProvider } from 'guise/pkcs11'
import type * as Cryptoki from 'pkcs11js'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Realm } from '../../src/base/brand.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { epochContext } from '../../src/keys/provider.ts'
import { type SoftToken, softToken } from '../support/softhsm.ts'
import { failureOf } from './keys-support.ts'

/** What happens to a call of the token; `undefined` lets it through. */
type Plan = (name: string, args: readonly unknown[]) => unknown

const script = vi.hoisted(() => ({ plan: (() => undefined) as Plan, calls: [] as string[] }))

vi.mock('pkcs11js', async (original) => {
  const real = await original<{ default: typeof Cryptoki }>()
  const module = real.default
  class Planned extends module.PKCS11 {
    constructor() {
      super()
      const methods = this as unknown as Record<string, (...args: unknown[]) => unknown>
      for (const name of [...Object.keys(methods), 'C_CreateObject']) {
        const method = methods[name]
        if (typeof method !== 'function') continue
        methods[name] = (...args) => {
          script.calls.push(name)
          const planned = script.plan(name, args)
          if (planned instanceof Error) {
            if (name.endsWith('Async')) return Promise.reject(planned)
            throw planned
          }
          if (planned instanceof Promise) return planned.then(() => method.apply(this, args))
          return planned ?? method.apply(this, args)
        }
      }
    }
  }
  const mocked = { ...module, PKCS11: Planned }
  return { ...mocked, default: mocked }
})

let soft: SoftToken
const open: Pkcs11KeyProvider[] = []
let contexts = 0

beforeAll(async () => {
  await cryptoReady()
  soft = softToken()
})
afterEach(async () => {
  script.plan = () => undefined
  for (const provider of open.splice(0)) provider.close()
  // Sessions close in turn.
  await new Promise((resolve) => setImmediate(resolve))
  script.calls.length = 0
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

function returns(value: string): Error {
  return new Error(value)
}

function count(name: string): number {
  return script.calls.filter((call) => call === name).length
}

const SECRET = Uint8Array.from({ length: 32 }, (_, at) => 5 * at + 3)
const OUTAGE = { code: 'ERR_KEYS_PROVIDER', retryable: true }

describe('a token that fails in', () => {
  const calls = {
    wrap: [
      'C_FindObjectsInit',
      'C_FindObjects',
      'C_GenerateKeyAsync',
      'C_GenerateRandom',
      'C_EncryptInit',
      'C_EncryptAsync',
    ],
    unwrap: ['C_FindObjectsInit', 'C_FindObjectsFinal', 'C_DecryptInit', 'C_DecryptAsync'],
    destroy: ['C_FindObjects', 'C_DestroyObject', 'C_CreateObject', 'C_GetAttributeValue'],
  } as const
  const starting = ['C_GetSlotList', 'C_GetTokenInfo', 'C_OpenSession', 'C_Login'] as const
  for (const verb of ['wrap', 'unwrap', 'destroy'] as const) {
    for (const name of [...calls[verb], ...starting]) {
      test(`${name} while it is to ${verb}: an outage, and the next call begins anew`, async () => {
        const token = provider()
        const context = fresh()
        const wrapped = verb === 'wrap' ? new Uint8Array(0) : await token.wrap(SECRET, context)
        // What is opened first belongs to another session: this one begins with the failure.
        const asked = starting.some((start) => start === name) ? provider() : token
        const run = {
          wrap: () => asked.wrap(SECRET, context),
          unwrap: () => asked.unwrap(wrapped, context),
          destroy: () => asked.destroy(context),
        }[verb]
        script.plan = (call) => (call === name ? returns('CKR_DEVICE_ERROR') : undefined)
        expect(await failureOf(run())).toMatchObject(OUTAGE)
        script.plan = () => undefined
        await run()
      })
    }
  }
})

describe('a token', () => {
  test('that refuses says so, and no retry mends it', async () => {
    const token = provider()
    const context = fresh()
    const wrapped = await token.wrap(SECRET, context)
    script.plan = (call) => (call === 'C_DecryptInit' ? returns('CKR_KEY_FUNCTION_NOT_PERMITTED') : undefined)
    expect(await failureOf(token.unwrap(wrapped, context))).toMatchObject({
      code: 'ERR_KEYS_DENIED',
      retryable: false,
    })
    script.plan = (call) => (call === 'C_EncryptInit' ? returns('CKR_MECHANISM_INVALID') : undefined)
    expect(await failureOf(token.wrap(SECRET, context))).toMatchObject({
      code: 'ERR_KEYS_INPUT',
      retryable: false,
    })
    script.plan = (call) => (call === 'C_FindObjectsInit' ? returns('CKR_ENCRYPTED_DATA_INVALID') : undefined)
    expect(await failureOf(token.unwrap(wrapped, context))).toMatchObject({ code: 'ERR_KEYS_RING' })
    script.plan = (call) => (call === 'C_FindObjectsInit' ? new TypeError('the addon is broken') : undefined)
    expect(await failureOf(token.unwrap(wrapped, context))).toMatchObject(OUTAGE)
    script.plan = () => undefined
    expect(await token.unwrap(wrapped, context)).toEqual(SECRET)
  })

  test('that fails in general while it opens is an outage, and no sign of an altered ring', async () => {
    const token = provider()
    const context = fresh()
    const wrapped = await token.wrap(SECRET, context)
    script.plan = (call) => (call === 'C_DecryptAsync' ? returns('CKR_GENERAL_ERROR') : undefined)
    expect(await failureOf(token.unwrap(wrapped, context))).toMatchObject(OUTAGE)
    script.plan = (call) => (call === 'C_DecryptAsync' ? returns('CKR_AEAD_DECRYPT_FAILED') : undefined)
    expect(await failureOf(token.unwrap(wrapped, context))).toMatchObject({ code: 'ERR_KEYS_RING' })
    script.plan = () => undefined
    const altered = Uint8Array.from(wrapped)
    altered[60]! ^= 1
    expect(await failureOf(provider().unwrap(altered, context))).toMatchObject({ code: 'ERR_KEYS_RING' })
  })

  test('is given a wrong PIN once: retries would lock it', async () => {
    const token = provider({ pin: '0000' })
    const context = fresh()
    const first = await failureOf(token.wrap(SECRET, context))
    expect(first).toMatchObject({ code: 'ERR_KEYS_DENIED', retryable: false })
    expect(String(first)).not.toContain('0000')
    for (let attempt = 0; attempt < 9; attempt++)
      expect(await failureOf(token.wrap(SECRET, context))).toBe(first)
    expect(count('C_Login')).toBe(1)
    await provider().wrap(SECRET, context)
  })

  test('that is not there is an outage; two of one label are not', async () => {
    expect(await failureOf(provider({ token: 'nowhere' }).wrap(SECRET, fresh()))).toMatchObject(OUTAGE)
    script.plan = (call) => (call === 'C_GetTokenInfo' ? { label: 'clinic'.padEnd(32) } : undefined)
    expect(await failureOf(provider().wrap(SECRET, fresh()))).toMatchObject({ code: 'ERR_KEYS_INPUT' })
  })

  test('whose library is not there is absent', async () => {
    const absent = provider({ module: '/nonexistent/library.so' })
    expect(await failureOf(absent.wrap(SECRET, fresh()))).toMatchObject({ code: 'ERR_KEYS_ABSENT' })
  })

  test('whose library fails to begin is an outage, and one that has begun is used', async () => {
    // Another path is another library for the provider, and the same one for the loader.
    const other = soft.module.replace('/lib/', '/lib/./')
    script.plan = (call) => (call === 'C_Initialize' ? returns('CKR_HOST_MEMORY') : undefined)
    expect(await failureOf(provider({ module: other }).wrap(SECRET, fresh()))).toMatchObject(OUTAGE)
    script.plan = () => undefined
    await provider().wrap(SECRET, fresh())
    await provider({ module: other }).wrap(SECRET, fresh())
  })

  test('without random numbers is given some; any other failure of them is an outage', async () => {
    script.plan = (call) => (call === 'C_GenerateRandom' ? returns('CKR_RANDOM_NO_RNG') : undefined)
    const token = provider()
    const context = fresh()
    expect(await token.unwrap(await token.wrap(SECRET, context), context)).toEqual(SECRET)
  })

  test('that draws the initialisation vector itself is read; one that was to and did not is refused', async () => {
    const token = provider({ iv: 'token' })
    const context = fresh()
    expect(await failureOf(token.wrap(SECRET, context))).toMatchObject(OUTAGE)
    const drawn = Uint8Array.from({ length: 12 }, (_, at) => at + 1)
    script.plan = (call, [, mechanism]) => {
      if (call === 'C_EncryptInit') (mechanism as { parameter: Cryptoki.AesGCM }).parameter.iv?.set(drawn)
      return undefined
    }
    const wrapped = await token.wrap(SECRET, context)
    expect(wrapped.subarray(1, 13)).toEqual(drawn)
    expect(await token.unwrap(wrapped, context)).toEqual(SECRET)
  })

  test('that keeps a key it was to destroy confirms nothing', async () => {
    const token = provider()
    const context = fresh()
    await token.wrap(SECRET, context)
    script.plan = (call) => (call === 'C_DestroyObject' ? returns('CKR_OBJECT_HANDLE_INVALID') : undefined)
    expect(await failureOf(token.destroy(context))).toMatchObject(OUTAGE)
    script.plan = () => undefined
    await token.destroy(context)
  })

  test('that hangs is left by an abort, later calls wait for it, and the late secret is wiped', async () => {
    const token = provider()
    const context = fresh()
    const wrapped = await token.wrap(SECRET, context)
    let finish = (): void => undefined
    const hanging = new Promise<void>((resolve) => {
      finish = resolve
    })
    const outputs: Uint8Array[] = []
    script.plan = (call, args) => {
      if (call !== 'C_DecryptAsync') return undefined
      outputs.push(args[2] as Uint8Array)
      return outputs.length === 1 ? hanging : undefined
    }
    const controller = new AbortController()
    const waiting = token.unwrap(wrapped, context, { signal: controller.signal })
    await vi.waitFor(() => expect(outputs).toHaveLength(1))
    const queued = new AbortController()
    const behind = token.unwrap(wrapped, context, { signal: queued.signal })
    controller.abort(new Error('enough'))
    queued.abort(new Error('enough of waiting'))
    expect(await failureOf(waiting)).toMatchObject({ message: 'enough' })
    expect(await failureOf(behind)).toMatchObject({ message: 'enough of waiting' })
    const last = token.unwrap(wrapped, context)
    expect(outputs).toHaveLength(1)
    finish()
    expect(await last).toEqual(SECRET)
    for (const output of outputs) expect(output.every((byte) => byte === 0)).toBe(true)
  })
})

test('the package is asked for by name when it is missing', () => {
  const source = `
    import { register } from 'node:module'
    register('data:text/javascript,' + encodeURIComponent(
      'export const resolve = (name, context, next) => { if (name === "pkcs11js") throw new Error("missing"); return next(name, context) }'))
    const { pkcs11KeyProvider } = await import(process.argv[1])
    const provider = pkcs11KeyProvider({ module: '/nonexistent', token: 'a', pin: 'b' })
    await provider.wrap(new Uint8Array(32), new Uint8Array(1)).catch((error) => console.log(error.code, error.message))`
  const entry = String(new URL('../../dist/pkcs11.js', import.meta.url))
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', source, entry], {
    encoding: 'utf8',
  })
  expect(said).toMatch(/^ERR_KEYS_ABSENT .*pkcs11js/)
})
