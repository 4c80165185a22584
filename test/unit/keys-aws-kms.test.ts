/** The AWS KMS provider against a server that speaks its protocol over loopback: states of keys, races, failures. @module */
import { type AwsKmsClient, awsKmsKeyProvider } from 'guise/kms'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Realm } from '../../src/base/brand.ts'
import { fromBase64, toHex } from '../../src/base/bytes.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { epochContext } from '../../src/keys/provider.ts'
import { type AwsKmsServer, awsKmsClient, awsKmsServer } from '../support/aws-kms-server.ts'
import { failureOf } from './keys-support.ts'

let server: AwsKmsServer
let contexts = 0

beforeAll(async () => {
  await cryptoReady()
  server = await awsKmsServer()
})
afterEach(() => {
  server.outage = () => undefined
  server.accessKey = 'AKIDEXAMPLE'
})
afterAll(() => server.close())

const ID = 'aws-kms:eu-central-1:111122223333'
const SECRET = Uint8Array.from({ length: 32 }, (_, at) => 3 * at + 2)
const OUTAGE = { code: 'ERR_KEYS_PROVIDER', retryable: true }
const DAY_MS = 86_400_000

function provider(
  change: Partial<Parameters<typeof awsKmsKeyProvider>[0]> = {},
): ReturnType<typeof awsKmsKeyProvider> {
  return awsKmsKeyProvider({ client: awsKmsClient(server.address), id: ID, ...change })
}

/** A provider whose client does something else in one call. */
function withClient(change: Partial<AwsKmsClient>): ReturnType<typeof awsKmsKeyProvider> {
  return provider({ client: { ...awsKmsClient(server.address), ...change } })
}

function fresh(): Uint8Array {
  return epochContext('clinic' as Realm, ++contexts)
}

function keyOf(context: Uint8Array): { id: string; state: string } {
  const key = server.keys.get(server.aliases.get(`alias/guise/${toHex(sha256(context))}`) ?? '')
  if (key === undefined) throw new Error('there is no key')
  return key
}

describe('AWS KMS', () => {
  test('makes one key a context, bound to it as encryption context', async () => {
    const kms = provider()
    const [context, other] = [fresh(), fresh()]
    const before = server.keys.size
    const wrapped = await kms.wrap(SECRET, context)
    const again = await kms.wrap(SECRET, context)
    await kms.wrap(SECRET, other)
    expect(server.keys.size).toBe(before + 2)
    for (const bytes of [wrapped, again]) expect(await provider().unwrap(bytes, context)).toEqual(SECRET)
    const asked = server.asked.filter(({ headers }) => headers['x-amz-target'] === 'TrentService.Encrypt')
    const said = asked.at(-1)?.body['EncryptionContext'] as Record<string, string>
    expect(Object.keys(said)).toEqual(['guise:context'])
    expect(fromBase64(said['guise:context'] ?? '')).toEqual(other)
    expect(await failureOf(kms.unwrap(wrapped, other))).toMatchObject({
      code: 'ERR_KEYS_RING',
      retryable: false,
    })
    expect(await failureOf(kms.unwrap(wrapped, fresh()))).toMatchObject({ code: 'ERR_KEYS_DESTROYED' })
    const altered = Uint8Array.from(wrapped)
    altered[altered.length - 1]! ^= 1
    expect(await failureOf(kms.unwrap(altered, context))).toMatchObject({ code: 'ERR_KEYS_RING' })
  })

  test('opens nothing under a key of somebody else, though the client may use it', async () => {
    const [context, theirs] = [fresh(), fresh()]
    const kms = provider()
    await kms.wrap(SECRET, context)
    await kms.wrap(SECRET, theirs)
    const client = awsKmsClient(server.address)
    const { CiphertextBlob } = await client.encrypt({
      KeyId: keyOf(theirs).id,
      Plaintext: SECRET,
      EncryptionContext: { 'guise:context': Buffer.from(context).toString('base64url') },
    })
    expect(await failureOf(kms.unwrap(CiphertextBlob!, context))).toMatchObject({ code: 'ERR_KEYS_RING' })
  })

  test('two processes that make a key at once use the one that the alias names, and the other one ends', async () => {
    const context = fresh()
    const held: (() => void)[] = []
    const waiting = (client: AwsKmsClient): AwsKmsClient => ({
      ...client,
      createAlias: async (...args) => {
        await new Promise<void>((resolve) => {
          held.push(resolve)
        })
        return await client.createAlias(...args)
      },
    })
    const providers = [1, 2].map(() => provider({ client: waiting(awsKmsClient(server.address)) }))
    const before = new Set(server.keys.keys())
    const wraps = providers.map((kms) => kms.wrap(SECRET, context))
    await vi.waitFor(() => expect(held).toHaveLength(2))
    for (const go of held) go()
    for (const wrapped of await Promise.all(wraps))
      expect(await provider().unwrap(wrapped, context)).toEqual(SECRET)
    const made = [...server.keys.values()].filter(({ id }) => !before.has(id))
    expect(made.map(({ state }) => state).toSorted()).toEqual(['Enabled', 'PendingDeletion'])
    expect(keyOf(context).state).toBe('Enabled')
  })

  test('a key whose alias cannot be made is not left behind', async () => {
    const before = new Set(server.keys.keys())
    const failing = withClient({
      createAlias: async () => {
        throw Object.assign(new Error('slow down'), { name: 'ThrottlingException' })
      },
    })
    expect(await failureOf(failing.wrap(SECRET, fresh()))).toMatchObject(OUTAGE)
    const left = [...server.keys.values()].filter(({ id }) => !before.has(id))
    expect(left.map(({ state }) => state)).toEqual(['PendingDeletion'])
  })

  test('an alias that is known nowhere yet does not matter to the process that made it', async () => {
    const client = awsKmsClient(server.address)
    const slow = withClient({
      decrypt: async (input, options) => {
        if (input.KeyId.startsWith('alias/')) throw Object.assign(new Error(), { name: 'NotFoundException' })
        return await client.decrypt(input, options)
      },
    })
    const context = fresh()
    expect(await slow.unwrap(await slow.wrap(SECRET, context), context)).toEqual(SECRET)
  })
})

describe('destruction in AWS KMS', () => {
  test('is confirmed for the instant at which it takes effect, again and again, and opens nothing meanwhile', async () => {
    const kms = provider({ waitingDays: 9 })
    const context = fresh()
    const wrapped = await kms.wrap(SECRET, context)
    const { confirmedAt } = await kms.destroy(context)
    expect(confirmedAt).toBe(server.nowMs + 9 * DAY_MS)
    server.nowMs += DAY_MS
    expect(await kms.destroy(context)).toEqual({ confirmedAt })
    expect(await provider().destroy(context)).toEqual({ confirmedAt })
    const destroyed = { code: 'ERR_KEYS_DESTROYED', retryable: false }
    expect(await failureOf(kms.unwrap(wrapped, context))).toMatchObject(destroyed)
    expect(await failureOf(kms.wrap(SECRET, context))).toMatchObject(destroyed)
    server.nowMs = confirmedAt + 1
    expect(await failureOf(kms.unwrap(wrapped, context))).toMatchObject(destroyed)
    // AWS does not tell any more when it was.
    const before = Date.now()
    expect((await provider().destroy(context)).confirmedAt).toBeGreaterThanOrEqual(before)
  })

  test('of a disabled key works; another process at the same work gives its instant', async () => {
    const kms = provider()
    const context = fresh()
    await kms.wrap(SECRET, context)
    keyOf(context).state = 'Disabled'
    const client = awsKmsClient(server.address)
    const { id } = keyOf(context)
    const late = withClient({
      scheduleKeyDeletion: async (input, options) => {
        await client.scheduleKeyDeletion({ KeyId: id, PendingWindowInDays: 30 })
        return await client.scheduleKeyDeletion(input, options)
      },
    })
    expect(await late.destroy(context)).toEqual({ confirmedAt: server.nowMs + 30 * DAY_MS })
  })

  test('without an instant is not confirmed', async () => {
    const context = fresh()
    await provider().wrap(SECRET, context)
    const silent = withClient({ scheduleKeyDeletion: async () => ({}) })
    expect(await failureOf(silent.destroy(context))).toMatchObject(OUTAGE)
    expect(
      await failureOf(
        withClient({
          describeKey: async () => {
            throw new Error('down')
          },
        }).destroy(context),
      ),
    ).toMatchObject(OUTAGE)
    const denied = withClient({
      scheduleKeyDeletion: async () => {
        throw Object.assign(new Error(), { name: 'AccessDeniedException' })
      },
    })
    expect(await failureOf(denied.destroy(context))).toMatchObject({
      code: 'ERR_KEYS_DENIED',
      retryable: false,
    })
  })
})

describe('a key of AWS KMS', () => {
  for (const [state, code, retryable] of [
    ['Disabled', 'ERR_KEYS_DISABLED', false],
    ['PendingDeletion', 'ERR_KEYS_DESTROYED', false],
    ['Unavailable', 'ERR_KEYS_PROVIDER', true],
  ] as const) {
    test(`that is ${state} is refused with ${code}`, async () => {
      const kms = provider()
      const context = fresh()
      const wrapped = await kms.wrap(SECRET, context)
      const key = keyOf(context)
      Object.assign(key, { state, deletionMs: server.nowMs + DAY_MS })
      expect(await failureOf(kms.unwrap(wrapped, context))).toMatchObject({ code, retryable })
      expect(await failureOf(kms.wrap(SECRET, context))).toMatchObject({ code, retryable })
      key.state = 'Enabled'
      expect(await kms.unwrap(wrapped, context)).toEqual(SECRET)
    })
  }

  test('whose state says Disabled where the call said only that it does not fit', async () => {
    const context = fresh()
    await provider().wrap(SECRET, context)
    keyOf(context).state = 'Disabled'
    const vague = withClient({
      encrypt: async () => {
        throw Object.assign(new Error(), { name: 'KMSInvalidStateException' })
      },
    })
    expect(await failureOf(vague.wrap(SECRET, context))).toMatchObject({ code: 'ERR_KEYS_DISABLED' })
  })
})

describe('a call of AWS KMS', () => {
  const failures = [
    ['ThrottlingException', 400, 'ERR_KEYS_PROVIDER'],
    ['KMSInternalException', 500, 'ERR_KEYS_PROVIDER'],
    ['DependencyTimeoutException', 503, 'ERR_KEYS_PROVIDER'],
    ['KeyUnavailableException', 500, 'ERR_KEYS_PROVIDER'],
    ['LimitExceededException', 400, 'ERR_KEYS_PROVIDER'],
    ['AccessDeniedException', 400, 'ERR_KEYS_DENIED'],
    ['ExpiredTokenException', 400, 'ERR_KEYS_DENIED'],
    ['DisabledException', 400, 'ERR_KEYS_DISABLED'],
    ['InvalidCiphertextException', 400, 'ERR_KEYS_RING'],
    ['IncorrectKeyException', 400, 'ERR_KEYS_RING'],
  ] as const
  for (const [type, status, code] of failures) {
    test(`that ends with ${type} is ${code}`, async () => {
      const context = fresh()
      const kms = provider()
      const wrapped = await kms.wrap(SECRET, context)
      server.outage = () => ({ status, body: { __type: type, message: 'no' } })
      const retryable = code === 'ERR_KEYS_PROVIDER'
      expect(await failureOf(kms.unwrap(wrapped, context))).toMatchObject({ code, retryable })
      server.outage = () => undefined
      expect(await kms.unwrap(wrapped, context)).toEqual(SECRET)
    })
  }

  test('that is cut off is an outage; wrong credentials are denied', async () => {
    const context = fresh()
    const kms = provider()
    const wrapped = await kms.wrap(SECRET, context)
    server.outage = () => 'drop'
    expect(await failureOf(kms.unwrap(wrapped, context))).toMatchObject(OUTAGE)
    server.outage = () => undefined
    server.accessKey = 'AKIDOTHER'
    expect(await failureOf(kms.unwrap(wrapped, context))).toMatchObject({ code: 'ERR_KEYS_DENIED' })
  })

  test('that is silent is left by an abort, and the client hangs up', async () => {
    const context = fresh()
    const kms = provider()
    const wrapped = await kms.wrap(SECRET, context)
    server.outage = () => 'silence'
    const calls = [
      (signal: AbortSignal) => kms.unwrap(wrapped, context, { signal }),
      (signal: AbortSignal) => kms.wrap(SECRET, context, { signal }),
      (signal: AbortSignal) => kms.destroy(context, { signal }),
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

  test('of a client that does not listen is left all the same, and its late secret is wiped', async () => {
    const context = fresh()
    let finish = (): void => undefined
    const late = Uint8Array.from(SECRET)
    const deaf = withClient({
      decrypt: () =>
        new Promise((resolve) => {
          finish = () => resolve({ Plaintext: late })
        }),
    })
    const wrapped = await deaf.wrap(SECRET, context)
    const controller = new AbortController()
    const waiting = deaf.unwrap(wrapped, context, { signal: controller.signal })
    controller.abort(new Error('enough'))
    expect(await failureOf(waiting)).toMatchObject({ message: 'enough' })
    finish()
    await vi.waitFor(() => expect(late.every((byte) => byte === 0)).toBe(true))
  })

  test('whose answer is not what it should be is an outage', async () => {
    const context = fresh()
    const wrapped = await provider().wrap(SECRET, context)
    for (const change of [
      { decrypt: async () => ({ Plaintext: new Uint8Array(31) }) },
      { decrypt: async () => ({}) },
      { encrypt: async () => ({}) },
      { encrypt: async () => ({ CiphertextBlob: new Uint8Array(4097) }) },
      { decrypt: () => Promise.reject(new Error('no name')) },
    ]) {
      const kms = withClient(change)
      const call = 'decrypt' in change ? kms.unwrap(wrapped, context) : kms.wrap(SECRET, context)
      expect(await failureOf(call)).toMatchObject(OUTAGE)
    }
    const nameless = withClient({ createKey: async () => ({}) })
    expect(await failureOf(nameless.wrap(SECRET, fresh()))).toMatchObject(OUTAGE)
  })

  test('with wrong arguments is refused', async () => {
    const refused = expect.objectContaining({ code: 'ERR_KEYS_INPUT' })
    expect(() => provider({ id: '' })).toThrow(refused)
    expect(() => provider({ prefix: 'aws' })).toThrow(refused)
    expect(() => provider({ prefix: 'a/b' })).toThrow(refused)
    expect(() => provider({ waitingDays: 6 })).toThrow(refused)
    expect(() => provider({ client: {} as AwsKmsClient })).toThrow(refused)
    expect(String(provider())).toBe('[AwsKmsKeyProvider]')
    expect(await failureOf(provider().wrap(new Uint8Array(33), fresh()))).toEqual(refused)
    expect(await failureOf(provider().unwrap(new Uint8Array(4097), fresh()))).toEqual(refused)
    expect(await failureOf(provider().destroy(new Uint8Array(0)))).toEqual(refused)
  })
})
