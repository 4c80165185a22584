/** The transit provider against a server that speaks its protocol over loopback: keys, tokens, seals, failures. @module */
import { inspect } from 'node:util'
import { type TransitFetch, transitKeyProvider } from 'guise/kms'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Realm } from '../../src/base/brand.ts'
import { toHex } from '../../src/base/bytes.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { epochContext } from '../../src/keys/provider.ts'
import { base64Bytes, readText, secretField } from '../../src/keys/transit-body.ts'
import { type TransitServer, transitServer } from '../support/transit-server.ts'
import { failureOf } from './keys-support.ts'

let server: TransitServer
let contexts = 0

beforeAll(async () => {
  await cryptoReady()
  server = await transitServer()
})
afterEach(() => {
  server.outage = () => undefined
  Object.assign(server, { sealed: false, token: 'hvs.example', namespace: undefined, keepsDeleted: false })
  server.forbidden.clear()
})
afterAll(() => server.close())

const SECRET = Uint8Array.from({ length: 32 }, (_, at) => 250 - 7 * at)
const OUTAGE = { code: 'ERR_KEYS_PROVIDER', retryable: true }
const DENIED = { code: 'ERR_KEYS_DENIED', retryable: false }

function provider(
  change: Partial<Parameters<typeof transitKeyProvider>[0]> = {},
): ReturnType<typeof transitKeyProvider> {
  return transitKeyProvider({ address: server.address, token: 'hvs.example', ...change })
}

function fresh(): Uint8Array {
  return epochContext('clinic' as Realm, ++contexts)
}

function nameOf(context: Uint8Array): string {
  return `guise-${toHex(sha256(context))}`
}

describe('transit', () => {
  test('holds one key a context, not exportable, bound to it as associated data', async () => {
    const transit = provider()
    const [context, other] = [fresh(), fresh()]
    const wrapped = await transit.wrap(SECRET, context)
    expect(new TextDecoder().decode(wrapped)).toMatch(/^vault:v1:/)
    expect(await provider().unwrap(wrapped, context)).toEqual(SECRET)
    await transit.wrap(SECRET, other)
    expect(await failureOf(transit.unwrap(wrapped, other))).toMatchObject({
      code: 'ERR_KEYS_RING',
      retryable: false,
    })
    expect(await failureOf(transit.unwrap(wrapped, fresh()))).toMatchObject({ code: 'ERR_KEYS_DESTROYED' })
    expect(server.keys.get(nameOf(context))).toMatchObject({ type: 'aes256-gcm96', exportable: false })
    const said = server.asked.findLast(({ path }) => path.endsWith(`encrypt/${nameOf(context)}`))
    expect(said?.body['associated_data']).toBe(Buffer.from(context).toString('base64'))
    expect(said?.body['plaintext']).toBe(Buffer.from(SECRET).toString('base64'))
    // The key of one context put in the place of another: the associated data does not fit.
    server.keys.set(nameOf(other), server.keys.get(nameOf(context))!)
    expect(await failureOf(transit.unwrap(wrapped, other))).toMatchObject({ code: 'ERR_KEYS_RING' })
  })

  test('refuses what is no ciphertext of transit, or an altered one', async () => {
    const transit = provider()
    const context = fresh()
    const wrapped = await transit.wrap(SECRET, context)
    const asked = server.asked.length
    for (const text of ['vault:v1:', 'vault:v1:a"b', 'vaulted', '{}']) {
      expect(await failureOf(transit.unwrap(new TextEncoder().encode(text), context))).toMatchObject({
        code: 'ERR_KEYS_RING',
      })
    }
    expect(server.asked.length).toBe(asked)
    const altered = Uint8Array.from(wrapped)
    altered[20] = altered[20] === 0x41 ? 0x42 : 0x41
    expect(await failureOf(transit.unwrap(altered, context))).toMatchObject({ code: 'ERR_KEYS_RING' })
    const short = new TextEncoder().encode('vault:v1:AAAA')
    expect(await failureOf(transit.unwrap(short, context))).toMatchObject({ code: 'ERR_KEYS_RING' })
  })

  test('a key that was there in another form is not used', async () => {
    for (const change of [{ exportable: true }, { type: 'chacha20-poly1305' }]) {
      const context = fresh()
      await provider().wrap(SECRET, context)
      const key = server.keys.get(nameOf(context))!
      server.keys.set(nameOf(context), { ...key, ...change })
      expect(await failureOf(provider().wrap(SECRET, context))).toMatchObject({ code: 'ERR_KEYS_INPUT' })
    }
  })

  test('destroys the key, looks that it is gone, and says when', async () => {
    const transit = provider()
    const [gone, kept] = [fresh(), fresh()]
    const wrapped = await transit.wrap(SECRET, gone)
    const other = await transit.wrap(SECRET, kept)
    const before = Date.now()
    const { confirmedAt } = await transit.destroy(gone)
    expect(confirmedAt).toBeGreaterThanOrEqual(before)
    expect(confirmedAt).toBeLessThanOrEqual(Date.now())
    expect((await transit.destroy(gone)).confirmedAt).toBeGreaterThanOrEqual(confirmedAt)
    expect(await failureOf(transit.unwrap(wrapped, gone))).toMatchObject({
      code: 'ERR_KEYS_DESTROYED',
      retryable: false,
    })
    expect(await transit.unwrap(other, kept)).toEqual(SECRET)
  })

  test('another process that deletes first is no failure; a server that keeps the key confirms nothing', async () => {
    const transit = provider()
    const context = fresh()
    await transit.wrap(SECRET, context)
    server.outage = ({ method }) => {
      if (method === 'DELETE') server.keys.delete(nameOf(context))
      return undefined
    }
    await transit.destroy(context)
    server.outage = () => undefined
    await transit.wrap(SECRET, context)
    server.keepsDeleted = true
    expect(await failureOf(transit.destroy(context))).toMatchObject(OUTAGE)
  })

  test('takes the token anew for each call, and goes to mount, namespace and prefix', async () => {
    const mounted = await transitServer('kms/transit')
    mounted.namespace = 'team/clinic'
    const tokens = ['hvs.example', ' hvs.example\n', 'hvs.example']
    const transit = transitKeyProvider({
      address: mounted.address,
      mount: 'kms/transit',
      namespace: 'team/clinic',
      prefix: 'face',
      token: async () => tokens.shift() ?? 'hvs.example',
    })
    expect(transit.id).toBe(`transit:${mounted.address}/team/clinic/kms/transit`)
    expect(String(transit)).toBe('[TransitKeyProvider]')
    const context = fresh()
    expect(await transit.unwrap(await transit.wrap(SECRET, context), context)).toEqual(SECRET)
    expect([...mounted.keys.keys()]).toEqual([`face-${toHex(sha256(context))}`])
    expect(tokens).toEqual([])
    expect(
      await failureOf(
        transitKeyProvider({ address: mounted.address, token: 'hvs.example' }).wrap(SECRET, context),
      ),
    ).toMatchObject({
      code: 'ERR_KEYS_INPUT',
    })
    await mounted.close()
  })
})

describe('a call of transit', () => {
  const answers = [
    [429, 'request path "transit/decrypt": rate limit quota exceeded', 'ERR_KEYS_PROVIDER'],
    [500, 'internal error', 'ERR_KEYS_PROVIDER'],
    [503, 'Vault is sealed', 'ERR_KEYS_PROVIDER'],
    [412, 'required index state not present', 'ERR_KEYS_PROVIDER'],
    [400, 'missing client nonce', 'ERR_KEYS_PROVIDER'],
    [403, 'permission denied', 'ERR_KEYS_DENIED'],
    [401, 'unauthorized', 'ERR_KEYS_DENIED'],
    [404, 'no handler for route', 'ERR_KEYS_INPUT'],
    [400, 'key is soft-deleted', 'ERR_KEYS_DISABLED'],
    [400, 'ciphertext or signature version is disallowed by policy (too old)', 'ERR_KEYS_DISABLED'],
    [400, 'encryption key not found', 'ERR_KEYS_DESTROYED'],
    [400, 'invalid ciphertext: unable to decrypt', 'ERR_KEYS_RING'],
  ] as const
  for (const [status, sentence, code] of answers) {
    test(`that is answered ${status}, ${sentence}: ${code}`, async () => {
      const transit = provider()
      const context = fresh()
      const wrapped = await transit.wrap(SECRET, context)
      server.outage = () => ({ status, body: { errors: [sentence] } })
      const retryable = code === 'ERR_KEYS_PROVIDER'
      expect(await failureOf(transit.unwrap(wrapped, context))).toMatchObject({ code, retryable })
      server.outage = () => undefined
      expect(await transit.unwrap(wrapped, context)).toEqual(SECRET)
    })
  }

  test('that may not be made is denied, and says nothing of token or secret', async () => {
    const transit = provider()
    const context = fresh()
    const wrapped = await transit.wrap(SECRET, context)
    server.token = 'hvs.other'
    const failure = await failureOf(transit.unwrap(wrapped, context))
    expect(failure).toMatchObject(DENIED)
    expect(JSON.stringify(failure) + String(failure) + String((failure as Error).cause)).not.toMatch(/hvs\./)
    server.token = 'hvs.example'
    server.forbidden.add('DELETE keys')
    expect(await failureOf(transit.destroy(context))).toMatchObject(DENIED)
    server.forbidden.clear()
    server.keys.get(nameOf(context))!.deletionAllowed = false
    server.outage = ({ path }) => (path.endsWith('/config') ? { status: 200, body: { data: {} } } : undefined)
    expect(await failureOf(transit.destroy(context))).toMatchObject(DENIED)
    server.outage = () => undefined
    for (const verb of ['POST keys', 'GET keys', 'POST encrypt']) {
      server.forbidden.add(verb)
      expect(await failureOf(provider().wrap(SECRET, context))).toMatchObject(DENIED)
      server.forbidden.clear()
    }
    server.outage = ({ method }) => (method === 'GET' ? { status: 500 } : undefined)
    expect(await failureOf(transit.destroy(context))).toMatchObject(OUTAGE)
  })

  test('is not asked with a token that is no header value, which would be printed', async () => {
    const before = server.asked.length
    for (const token of ['hvs.one\nhvs.two', '', 'hvs.\u00e9']) {
      const failure = await failureOf(provider({ token: async () => token }).wrap(SECRET, fresh()))
      expect(failure).toMatchObject(DENIED)
      expect(inspect(failure)).not.toContain('hvs.')
    }
    expect(server.asked).toHaveLength(before)
  })

  test('that is cut off, or whose answer cannot be right, is an outage', async () => {
    const transit = provider()
    const context = fresh()
    const wrapped = await transit.wrap(SECRET, context)
    server.outage = () => 'drop'
    expect(await failureOf(transit.unwrap(wrapped, context))).toMatchObject(OUTAGE)
    const answers = [
      { data: {} },
      { data: { plaintext: 'AAAA' } },
      { data: { plaintext: 'A*AA' } },
      { data: { plaintext: 7 } },
    ]
    for (const body of answers) {
      server.outage = () => ({ status: 200, body })
      expect(await failureOf(transit.unwrap(wrapped, context))).toMatchObject(OUTAGE)
    }
    for (const body of [
      { data: {} },
      { data: { ciphertext: 'nothing' } },
      { data: { ciphertext: `vault:v1:${'A'.repeat(5000)}` } },
    ]) {
      server.outage = () => ({ status: 200, body })
      expect(await failureOf(transit.wrap(SECRET, context))).toMatchObject(OUTAGE)
    }
    server.outage = () => ({ status: 200, body: { data: { plaintext: 'A'.repeat(70_000) } } })
    expect(await failureOf(transit.unwrap(wrapped, context))).toMatchObject(OUTAGE)
    const failing = provider({ token: () => Promise.reject(new Error('no token at the moment')) })
    expect(await failureOf(failing.unwrap(wrapped, context))).toMatchObject(OUTAGE)
  })

  test('that is silent is left by an abort, and hangs up', async () => {
    const transit = provider()
    const context = fresh()
    const wrapped = await transit.wrap(SECRET, context)
    server.outage = () => 'silence'
    const calls = [
      (signal: AbortSignal) => transit.unwrap(wrapped, context, { signal }),
      (signal: AbortSignal) => transit.wrap(SECRET, context, { signal }),
      (signal: AbortSignal) => transit.destroy(context, { signal }),
    ]
    for (const call of calls) {
      const [asked, left] = [server.asked.length, server.left]
      const controller = new AbortController()
      const waiting = call(controller.signal)
      await vi.waitFor(() => expect(server.asked.length).toBe(asked + 1))
      controller.abort(new Error('enough'))
      expect(await failureOf(waiting)).toMatchObject({ message: 'enough' })
      await vi.waitFor(() => expect(server.left).toBe(left + 1))
      expect(await failureOf(call(AbortSignal.abort(new Error('before'))))).toMatchObject({
        message: 'before',
      })
    }
  })

  test('never sends the token elsewhere, wipes what it sent, and what it was given', async () => {
    const seen: { redirect: string; body: Uint8Array | undefined; answer: Uint8Array }[] = []
    const watched: TransitFetch = async (url, init) => {
      const response = await fetch(url, init)
      const answer = new Uint8Array(await response.arrayBuffer())
      seen.push({ redirect: init.redirect, body: init.body, answer })
      return { status: response.status, arrayBuffer: async () => answer.buffer }
    }
    const transit = provider({ fetch: watched })
    const context = fresh()
    await transit.unwrap(await transit.wrap(SECRET, context), context)
    expect(new Set(seen.map(({ redirect }) => redirect))).toEqual(new Set(['error']))
    const [, , encrypt, decrypt] = seen
    expect(encrypt?.body?.every((byte) => byte === 0)).toBe(true)
    expect(decrypt?.answer.every((byte) => byte === 0)).toBe(true)
  })

  test('with wrong arguments is refused', async () => {
    const refused = expect.objectContaining({ code: 'ERR_KEYS_INPUT' })
    for (const address of [
      'http://vault.example:8200',
      'https://vault/?a',
      'https://user@vault',
      'vault:8200',
      '',
    ]) {
      expect(() => provider({ address })).toThrow(refused)
    }
    for (const change of [
      { mount: '/transit' },
      { mount: '..//a' },
      { namespace: 'a b' },
      { prefix: '-' },
      { token: '' },
      { id: '' },
    ]) {
      expect(() => provider(change)).toThrow(refused)
    }
    expect(() => provider({ fetch: 7 as unknown as TransitFetch })).toThrow(refused)
    expect(await failureOf(provider().wrap(new Uint8Array(16), fresh()))).toEqual(refused)
    expect(await failureOf(provider().unwrap(new Uint8Array(0), fresh()))).toEqual(refused)
    expect(await failureOf(provider().destroy(new Uint8Array(2000)))).toEqual(refused)
  })
})

test('secrets of any length go through base64 as bytes', () => {
  for (let length = 0; length < 70; length++) {
    const bytes = Uint8Array.from({ length }, (_, at) => (at * 41 + length * 7) & 255)
    const text = new TextDecoder().decode(base64Bytes(bytes))
    expect(text).toBe(Buffer.from(bytes).toString('base64'))
    const json = new TextEncoder().encode(
      `{"plaintexts":"AA","data" : {"plaintext" :\n "${text.replaceAll('/', '\\/')}"}}`,
    )
    expect(secretField(json, 'plaintext')).toEqual(bytes)
    expect(readText(json, 'plaintext')).toBe(text)
  }
  expect(secretField(new TextEncoder().encode('{"plaintext":"AAAA'), 'plaintext')).toBeUndefined()
  expect(secretField(new TextEncoder().encode('{"a":"plaintext"}'), 'plaintext')).toBeUndefined()
})
