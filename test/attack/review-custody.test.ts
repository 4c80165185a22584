/** A record leaves neither its holder's custody nor its purpose by way of another vault. @module */
import { type ShareSource, secondFactorConfirmed } from 'guise'
import { expect, test } from 'vitest'
import { dump } from '../support/rows.ts'
import { basis, codeOf, sample, testVault } from '../support/vault.ts'

const share =
  (byte: number): ShareSource =>
  async () =>
    new Uint8Array(32).fill(byte)

test('VAULT-17 a reissue takes a record neither from its holder nor to another purpose', async () => {
  const { vault, open, store } = await testVault({ custody: { profile: 'holder' } })
  const holderShare = share(1)
  await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1), holderShare })
  const operator = await open({ custody: { profile: 'operator' } })
  const payment = await open({ purpose: 'payment' })
  const before = await dump(store)
  const again = { subject: 'anna', basis: basis(), ...sample(1) }
  expect(await codeOf(operator.reissue(again))).toBe('ERR_VAULT_CUSTODY')
  const elsewhere = { ...again, basis: basis({ purpose: 'payment' }), ...sample(1), holderShare }
  expect(await codeOf(payment.reissue(elsewhere))).toBe('ERR_RECORD_BINDING')
  const factor = { [secondFactorConfirmed]: true } as const
  const device = { subject: 'anna', holderShare, newShare: share(2), ...factor }
  expect(await codeOf(payment.addDevice(device))).toBe('ERR_RECORD_BINDING')
  expect(await dump(store)).toEqual(before)
  await vault.revoke('anna', 'other')
  expect(await codeOf(operator.reissue({ ...again, ...sample(1) }))).toBe('ERR_VAULT_CUSTODY')
})

test('VAULT-17 a reissue may bring a holder in; devices wait for that', async () => {
  const { vault, open } = await testVault()
  await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
  const holder = await open({ custody: { profile: 'holder' } })
  const factor = { [secondFactorConfirmed]: true } as const
  const device = { subject: 'anna', holderShare: share(1), newShare: share(2), ...factor }
  expect(await codeOf(holder.addDevice(device))).toBe('ERR_VAULT_CUSTODY')
  await holder.reissue({ subject: 'anna', basis: basis(), ...sample(1), holderShare: share(1) })
  expect(await codeOf(holder.addDevice(device))).toBe('resolved')
  expect((await holder.describe('anna'))?.custody).toBe('holder')
})
