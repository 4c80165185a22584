/** Calls that never end must not keep anyone from revoking. @module */
import type { ShareSource } from 'guise'
import { afterEach, expect, test, vi } from 'vitest'
import { basis, codeOf, sample, testVault } from '../support/vault.ts'

const given: ShareSource = async () => new Uint8Array(32).fill(1)
const silent: ShareSource = () => new Promise(() => undefined)

afterEach(() => {
  vi.useRealTimers()
})

test('VAULT-14 with every place taken, revoke, suspend, hold and health are let in', async () => {
  const { vault } = await testVault({ custody: { profile: 'holder' }, maxInFlight: 2 })
  for (const subject of ['anna', 'ben', 'cleo']) {
    await vault.enroll({ subject, basis: basis(), ...sample(1), holderShare: given })
  }
  const controller = new AbortController()
  const ask = (): ReturnType<typeof vault.verify> =>
    vault.verify({ subject: 'anna', ...sample(1), holderShare: silent }, { signal: controller.signal })
  const waiting = Promise.allSettled([ask(), ask()])
  expect(await codeOf(ask())).toBe('ERR_VAULT_OVERLOADED')
  expect(await codeOf(vault.resume('anna'))).toBe('ERR_VAULT_OVERLOADED')
  await vault.revoke('anna', 'breach')
  await vault.suspend('ben')
  await vault.hold('cleo')
  expect(await vault.health()).toMatchObject({ ok: true })
  controller.abort()
  await waiting
  expect((await vault.describe('anna'))?.state).toBe('revoked')
})

test('VAULT-14 a device that stays silent is waited for two minutes, and its late share is wiped', async () => {
  const { vault } = await testVault({ custody: { profile: 'holder' } })
  await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1), holderShare: given })
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const late = new Uint8Array(32).fill(1)
  let answer: (share: Uint8Array) => void = () => undefined
  let asked = (): void => undefined
  const isAsked = new Promise<void>((resolve) => {
    asked = resolve
  })
  const holderShare: ShareSource = () =>
    new Promise((resolve) => {
      answer = resolve
      asked()
    })
  const added = codeOf(vault.reissue({ subject: 'anna', basis: basis(), ...sample(1), holderShare }))
  await isAsked
  await vi.advanceTimersByTimeAsync(120_000)
  expect(await added).toBe('ERR_KEYS_MISSING')
  answer(late)
  await vi.advanceTimersByTimeAsync(1)
  expect(late).toEqual(new Uint8Array(32))
})
