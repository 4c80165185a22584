/** What a remembered answer, a slow store and a wrong share must not give away. @module */
import type { ShareSource, Vault } from 'guise'
import { describe, expect, test } from 'vitest'
import { basis, codeOf, point, sample, testVault } from '../support/vault.ts'

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
    expect(await codeOf(again(vault, { holderShare: share(2) }))).toBe('ERR_SEAL_OPEN')
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
