/** Requirements KEYS-1, KEYS-14 and KEYS-17 to KEYS-22, asked of every provider outside the process. @module */
import { createKeyring, type KeyProvider, memoryStore, openKeyring } from 'guise'
import { awsKmsKeyProvider, transitKeyProvider } from 'guise/kms'
import { type Pkcs11KeyProvider, pkcs11KeyProvider } from 'guise/pkcs11'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { toHex } from '../../src/base/bytes.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { ringAccess } from '../../src/keys/keyring.ts'
import { epochContext, realmContext } from '../../src/keys/provider.ts'
import { type AwsKmsServer, awsKmsClient, awsKmsServer } from '../support/aws-kms-server.ts'
import { type SoftToken, softToken } from '../support/softhsm.ts'
import { type TransitServer, transitServer } from '../support/transit-server.ts'
import { failureOf, preparedOf, type REALM } from '../unit/keys-support.ts'

let soft: SoftToken
let aws: AwsKmsServer
let transit: TransitServer
let places = 0
const tokens: Pkcs11KeyProvider[] = []

beforeAll(async () => {
  await cryptoReady()
  soft = softToken()
  aws = await awsKmsServer()
  transit = await transitServer()
})
afterEach(async () => {
  vi.useRealTimers()
  for (const token of tokens.splice(0)) token.close()
  // Sessions close in turn; with the last of them the process is logged out.
  await new Promise((resolve) => setImmediate(resolve))
  aws.outage = () => undefined
  transit.outage = () => undefined
})
afterAll(async () => {
  soft.remove()
  await aws.close()
  await transit.close()
})

/** A provider that shares keys with no other test: its contexts are those of a realm of its own. */
const PROVIDERS: Readonly<Record<string, () => KeyProvider>> = {
  'pkcs#11': () => tokenOf(soft.pin),
  'aws kms': () =>
    awsKmsKeyProvider({ client: awsKmsClient(aws.address), id: 'aws-kms:eu-central-1:111122223333' }),
  transit: () => transitKeyProvider({ address: transit.address, token: 'hvs.example' }),
}

function tokenOf(pin: string): Pkcs11KeyProvider {
  const made = pkcs11KeyProvider({ module: soft.module, token: soft.token, pin })
  tokens.push(made)
  return made
}

function freshRealm(): typeof REALM {
  return `place-${++places}` as typeof REALM
}

const SECRET = Uint8Array.from({ length: 32 }, (_, at) => 101 + at)

for (const [name, make] of Object.entries(PROVIDERS)) {
  describe(`${name}:`, () => {
    test('KEYS-1 each context has a key of its own; destroying one takes exactly that secret', async () => {
      const provider = make()
      const realm = freshRealm()
      const contexts = [
        epochContext(realm, 1),
        epochContext(realm, 2),
        realmContext(realm, 1),
        realmContext(realm, 2),
      ]
      const wrapped = await Promise.all(contexts.map((context) => provider.wrap(SECRET, context)))
      for (const [gone, context] of contexts.entries()) {
        for (const [at, other] of contexts.entries()) {
          if (at === gone) continue
          expect(await failureOf(provider.unwrap(wrapped[gone]!, other))).toBeInstanceOf(Error)
        }
        expect(await provider.unwrap(wrapped[gone]!, context)).toEqual(SECRET)
      }
      for (const [gone, context] of contexts.entries()) {
        await provider.destroy?.(context)
        for (const [at, other] of contexts.entries()) {
          const opened = provider.unwrap(wrapped[at]!, other)
          if (at > gone) expect(await opened).toEqual(SECRET)
          else expect(await failureOf(opened)).toMatchObject({ code: 'ERR_KEYS_DESTROYED' })
        }
      }
    })

    test('KEYS-14 KEYS-18 nothing is unwrapped twice while the cache holds it, and always anew when its time is over', async () => {
      const inner = make()
      let unwraps = 0
      const given: Uint8Array[] = []
      const provider: KeyProvider = {
        ...inner,
        id: inner.id,
        wrap: (...args) => inner.wrap(...args),
        unwrap: async (...args) => {
          unwraps++
          const secret = await inner.unwrap(...args)
          given.push(secret)
          return secret
        },
      }
      const lifetimeMs = 60_000
      const realm = freshRealm()
      const keyring = await createKeyring({ realm, provider, store: memoryStore(), cache: { lifetimeMs } })
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
      const access = ringAccess(keyring)
      const first = toHex(await preparedOf(keyring, 1))
      const before = unwraps
      for (let turn = 0; turn < 3; turn++) {
        for (let use = 0; use < 20; use++) expect(toHex(await preparedOf(keyring, 1))).toBe(first)
        expect(unwraps).toBe(before + turn)
        const prepared = access.preparedEpoch(1)
        vi.advanceTimersByTime(lifetimeMs - 1)
        expect(prepared?.disposed).toBe(false)
        vi.advanceTimersByTime(1)
        expect(prepared?.disposed).toBe(true)
        expect(access.preparedEpoch(1)).toBeUndefined()
        await preparedOf(keyring, 1)
      }
      // What the provider gave was wiped as soon as it was copied: it holds no reference that it could give again.
      expect(given.length).toBeGreaterThan(4)
      for (const secret of given) expect(secret.every((byte) => byte === 0)).toBe(true)
    })

    test('KEYS-18 a keyring lives on it: rotation, destruction, another process', async () => {
      const store = memoryStore()
      const realm = freshRealm()
      const where = { realm, store }
      const keyring = await createKeyring({ ...where, provider: make() })
      await keyring.promote(await keyring.add())
      const key = await preparedOf(keyring, 2)
      await keyring.disable(1)
      await keyring.destroy(1)
      const other = await openKeyring({ ...where, provider: make() })
      expect(await preparedOf(other, 2)).toEqual(key)
      expect(await failureOf(other.enable(1))).toMatchObject({ code: 'ERR_KEYS_TRANSITION' })
      const { epochs } = other
      expect(epochs.map(({ status }) => status)).toEqual(['destroyed', 'primary'])
      expect(epochs[0]?.changedAt).toBeGreaterThan(1_700_000_000_000)
      for (const ring of [keyring, other]) ring.close()
    })
  })
}

describe('a failure', () => {
  const sentences = [
    ['an outage', { status: 500 }, { status: 502 }, 'ERR_KEYS_PROVIDER'],
    [
      'throttling',
      { status: 400, body: { __type: 'ThrottlingException' } },
      { status: 429 },
      'ERR_KEYS_PROVIDER',
    ],
    [
      'a refusal',
      { status: 400, body: { __type: 'AccessDeniedException' } },
      { status: 403 },
      'ERR_KEYS_DENIED',
    ],
    [
      'a disabled key',
      { status: 400, body: { __type: 'DisabledException' } },
      { status: 400, body: { errors: ['key is soft-deleted'] } },
      'ERR_KEYS_DISABLED',
    ],
    [
      'a key that is gone',
      { status: 400, body: { __type: 'NotFoundException' } },
      { status: 400, body: { errors: ['encryption key not found'] } },
      'ERR_KEYS_DESTROYED',
    ],
  ] as const
  for (const [what, ofAws, ofTransit, code] of sentences) {
    test(`KEYS-17 ${what} reaches the caller of the keyring as ${code}, and leaves the ring as it was`, async () => {
      for (const [make, plan] of [
        [PROVIDERS['aws kms'], () => (aws.outage = () => ofAws)],
        [PROVIDERS['transit'], () => (transit.outage = () => ofTransit)],
      ] as const) {
        const store = memoryStore()
        const keyring = await createKeyring({ realm: freshRealm(), provider: make!(), store })
        const epochs = JSON.stringify(keyring.epochs)
        plan()
        expect(await failureOf(preparedOf(keyring, 1))).toMatchObject({
          code,
          retryable: code === 'ERR_KEYS_PROVIDER',
        })
        aws.outage = () => undefined
        transit.outage = () => undefined
        await keyring.refresh()
        expect(JSON.stringify(keyring.epochs)).toBe(epochs)
        expect(await preparedOf(keyring, 1)).toHaveLength(416)
      }
    })
  }
})

test('KEYS-19 no key is made again for a context whose destruction is noted in the token', async () => {
  const provider = PROVIDERS['pkcs#11']!()
  const context = epochContext(freshRealm(), 1)
  await provider.wrap(SECRET, context)
  await provider.destroy?.(context)
  expect(await failureOf(PROVIDERS['pkcs#11']!().wrap(SECRET, context))).toMatchObject({
    code: 'ERR_KEYS_DESTROYED',
  })
})

test('KEYS-20 a refused PIN is not given again', async () => {
  const provider = tokenOf('1384')
  const context = epochContext(freshRealm(), 1)
  const failure = await failureOf(provider.wrap(SECRET, context))
  expect(failure).toMatchObject({ code: 'ERR_KEYS_DENIED', retryable: false })
  // Now the process is logged in: a PIN that was asked for would not be looked at, and the call would succeed.
  await tokenOf(soft.pin).wrap(SECRET, context)
  expect(await failureOf(provider.wrap(SECRET, context))).toBe(failure)
})

test('KEYS-21 a destruction in AWS KMS is confirmed for the instant at which it takes effect', async () => {
  const store = memoryStore()
  const provider = PROVIDERS['aws kms']!()
  const keyring = await createKeyring({ realm: freshRealm(), provider, store })
  await keyring.promote(await keyring.add())
  await keyring.disable(1)
  await keyring.destroy(1)
  const at = aws.nowMs + 7 * 86_400_000
  expect(keyring.epochs[0]).toMatchObject({ status: 'destroyed', changedAt: at })
  expect(ringAccess(keyring).destroyedAt(1)).toBe(at)
})

test('KEYS-22 a transit key is made and looked at before it is used, and the token follows no redirect', async () => {
  const before = transit.asked.length
  const provider = PROVIDERS['transit']!()
  const context = epochContext(freshRealm(), 1)
  await provider.wrap(SECRET, context)
  const asked = transit.asked.slice(before).map(({ method, path }) => `${method} ${path.split('/')[3]}`)
  expect(asked).toEqual(['POST keys', 'GET keys', 'POST encrypt'])
  const elsewhere = await transitServer()
  transit.outage = () => ({ status: 307, location: `${elsewhere.address}/v1/transit/keys/a` })
  expect(await failureOf(PROVIDERS['transit']!().wrap(SECRET, context))).toMatchObject({
    code: 'ERR_KEYS_PROVIDER',
  })
  expect(elsewhere.asked).toEqual([])
  await elsewhere.close()
})
