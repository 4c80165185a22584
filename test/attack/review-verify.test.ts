/** What a remembered answer, a slow store and a wrong share must not give away. @module */
import { memoryStore, revealReason, type ShareSource, type Vault, type VaultOptions } from 'guise'
import { describe, expect, test } from 'vitest'
import { concatBytes, labelBytes } from '../../src/base/bytes.ts'
import { encodeCbor } from '../../src/base/cbor.ts'
import { mac } from '../../src/crypto/kdf.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import type { VaultContext } from '../../src/vault/context.ts'
import { operationDigest } from '../../src/vault/operation.ts'
import { hookedStore } from '../support/rows.ts'
import { basis, codeOf, manualClock, point, sample, testVault } from '../support/vault.ts'

const ANNA = { subject: 'anna', basis: basis() }
const share =
  (byte: number): ShareSource =>
  async () =>
    new Uint8Array(32).fill(byte)

function again(vault: Vault, more: { readonly holderShare?: ShareSource } = {}): ReturnType<Vault['verify']> {
  return vault.verify({ subject: 'anna', ...sample(1), ...more }, { operationId: 'once' })
}

describe('VAULT-15 a remembered match is given again only to whoever would get it now', () => {
  test('not to a vault of another purpose, custody or threshold', async () => {
    const { vault, open } = await testVault()
    await vault.enroll({ ...ANNA, ...sample(1) })
    expect((await again(vault)).outcome).toBe('match')
    expect((await again(vault)).outcome).toBe('match')
    const strict = await open({ operatingPoints: [point(undefined, 128, 10_000)] })
    expect((await again(strict)).outcome).toBe('nonmatch')
    expect(await codeOf(again(await open({ purpose: 'payment' })))).toBe('ERR_RECORD_BINDING')
    const holder = await open({ custody: { profile: 'holder' } })
    expect(await codeOf(again(holder, { holderShare: share(1) }))).toBe('ERR_RECORD_BINDING')
  })

  test('not without the share that it was given for', async () => {
    const { vault } = await testVault({ custody: { profile: 'holder' } })
    await vault.enroll({ ...ANNA, ...sample(1), holderShare: share(1) })
    expect((await again(vault, { holderShare: share(1) })).outcome).toBe('match')
    expect(await again(vault, { holderShare: share(2) })).toMatchObject({ reason: 'holder-share' })
    expect((await again(vault, { holderShare: share(1) })).outcome).toBe('match')
  })

  test('not once its epoch is disabled', async () => {
    const { vault, keyring } = await testVault()
    await vault.enroll({ ...ANNA, ...sample(1) })
    expect((await again(vault)).outcome).toBe('match')
    await keyring.add()
    await keyring.promote(2)
    await keyring.disable(1)
    expect(await codeOf(again(vault))).toBe('ERR_KEYS_DISABLED')
    await keyring.enable(1)
    expect((await again(vault)).outcome).toBe('match')
  })

  test('a remembered nonmatch is neither counted again nor turned into a match', async () => {
    const { vault } = await testVault({ attempts: { consecutive: 2 } })
    await vault.enroll({ ...ANNA, ...sample(1) })
    const wrong = (): ReturnType<Vault['verify']> =>
      vault.verify({ subject: 'anna', ...sample(2) }, { operationId: 'once' })
    for (let i = 0; i < 5; i++) expect((await wrong()).outcome).toBe('nonmatch')
    expect((await vault.verify({ subject: 'anna', ...sample(1) })).outcome).toBe('match')
  })
})

describe('POLICY-2 a basis that ends while the store is waited for', () => {
  test.each([undefined, { operationId: 'once' }])('matches no more (%j)', async (options) => {
    const store = hookedStore(memoryStore())
    const clock = manualClock()
    const { vault } = await testVault({ store, clock })
    const expiresAt = new Date(clock.nowMs() + 1000)
    const grantedAt = new Date(clock.nowMs() - 1000)
    await vault.enroll({ subject: 'anna', basis: basis({ grantedAt, expiresAt }), ...sample(1) })
    const ask = (): ReturnType<Vault['verify']> => vault.verify({ subject: 'anna', ...sample(1) }, options)
    clock.advance(998)
    expect((await ask()).outcome).toBe('match')
    store.fault = { after: (call) => (call.table === 'secrets' ? clock.advance(2) : undefined) }
    expect(await ask()).toEqual({ outcome: 'refused', reason: 'expired' })
  })
})

test('POLICY-6 the delay counts from the answer, not from when the store was asked', async () => {
  const store = hookedStore(memoryStore())
  const clock = manualClock()
  const { vault } = await testVault({ store, clock, attempts: { consecutive: 1, delayMs: 30_000 } })
  await vault.enroll({ ...ANNA, ...sample(1) })
  store.fault = { after: (call) => (call.table === 'secrets' ? clock.advance(40_000) : undefined) }
  expect((await vault.verify({ subject: 'anna', ...sample(2) })).outcome).toBe('nonmatch')
  store.fault = {}
  expect(await vault.verify({ subject: 'anna', ...sample(1) })).toMatchObject({ reason: 'throttled' })
  clock.advance(30_000)
  expect((await vault.verify({ subject: 'anna', ...sample(1) })).outcome).toBe('match')
})

test('VAULT-13 an epoch that ends between reading the wrap and opening it leads to a new decision', async () => {
  const store = hookedStore(memoryStore())
  const { vault, keyring } = await testVault({ store })
  await vault.enroll({ ...ANNA, ...sample(1) })
  const seen = { turned: false }
  store.fault = {
    after: async (call) => {
      if (seen.turned || call.name !== 'get' || call.table !== 'secrets') return
      seen.turned = true
      await keyring.add()
      await keyring.promote(2)
      for await (const result of vault.rotate()) expect(result.ok).toBe(true)
      await keyring.disable(1)
    },
  }
  expect((await vault.verify({ subject: 'anna', ...sample(1, 1) })).outcome).toBe('match')
  expect(seen.turned).toBe(true)
})

describe('VAULT-7 a device tells nobody whether a subject exists', () => {
  const SOURCES: Readonly<Record<string, ShareSource>> = {
    'a wrong share': share(9),
    'a share of the wrong length': async () => new Uint8Array(31),
    'no share': async () => {
      throw new Error('gone')
    },
  }

  test.each(Object.entries(SOURCES))('%s', async (_, holderShare) => {
    const { open } = await testVault({ custody: { profile: 'holder' } })
    const vault = await open({ [revealReason]: undefined } as unknown as Partial<VaultOptions>)
    await vault.enroll({ ...ANNA, ...sample(1), holderShare: share(1) })
    const ask = (subject: string, by = vault): ReturnType<Vault['verify']> =>
      by.verify({ subject, ...sample(1), holderShare })
    expect(await ask('anna')).toEqual({ outcome: 'refused' })
    expect(await ask('anna')).toEqual(await ask('nobody'))
    expect(await ask('anna', await open())).toEqual({ outcome: 'refused', reason: 'holder-share' })
    expect((await vault.verify({ subject: 'anna', ...sample(1), holderShare: share(1) })).outcome).toBe(
      'match',
    )
  })

  test('the one that cannot be wiped by its device is wiped here', async () => {
    const { vault } = await testVault({ custody: { profile: 'holder' } })
    await vault.enroll({ ...ANNA, ...sample(1), holderShare: share(1) })
    const short = new Uint8Array(31).fill(5)
    await vault.verify({ subject: 'anna', ...sample(1), holderShare: async () => short })
    expect(short).toEqual(new Uint8Array(31))
  })
})

test('an operation digest is over the CBOR of its parts, though the codec never sees what it is bound to', async () => {
  await cryptoReady()
  const limiter = new Uint8Array(32).fill(3)
  const ctx = { ring: { oldestVersion: 1, requireRealmKeys: () => ({ limiter }) } } as unknown as VaultContext
  const who = new Uint8Array(16).fill(4)
  for (const length of [0, 16, 32]) {
    const bound = new Uint8Array(length).fill(5)
    const message = concatBytes(labelBytes('guise/v1/operation'), encodeCbor([2, who, 'once', bound]))
    const digest = operationDigest(ctx, 'verify', who, { operationId: 'once' }, bound)
    expect(digest).toEqual(mac(limiter, message).subarray(0, 16))
  }
})
