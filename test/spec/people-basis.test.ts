/** Requirements VAULT-60 and VAULT-61 of SPEC.md: withdrawal and renewal of the legal basis. @module */
import { memoryStore, type Vault } from 'guise'
import { describe, expect, test } from 'vitest'
import { fsck } from '../../src/vault/fsck.ts'
import { logOf } from '../support/people.ts'
import { rowsOf } from '../support/rows.ts'
import { basis, codeOf, manualClock, sample, testVault } from '../support/vault.ts'

async function outcome(vault: Vault, subject = 'anna'): Promise<string> {
  const decision = await vault.verify({ subject, ...sample(1, 1) })
  return decision.outcome === 'refused' ? `refused ${decision.reason}` : decision.outcome
}

describe.each([false, true])('VAULT-60 two stores: %s', (split) => {
  async function made() {
    const secrets = split ? memoryStore() : undefined
    const world = await testVault(secrets === undefined ? {} : { secrets })
    await world.vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
    return { ...world, wraps: secrets ?? world.store, ...(secrets === undefined ? {} : { secrets }) }
  }

  test('VAULT-60 a withdrawal revokes at once, deletes code and wrap, and is logged', async () => {
    const { vault, store, wraps, keyring, ...rest } = await made()
    expect(await outcome(vault)).toBe('match')
    await vault.withdraw('anna', { operationId: 'gone', actor: 'desk-1' })
    await vault.withdraw('anna', { operationId: 'gone', actor: 'desk-1' })
    expect(await outcome(vault)).toBe('refused revoked')
    expect(await rowsOf(store, 'references')).toHaveLength(0)
    expect(await rowsOf(wraps, 'secrets')).toHaveLength(0)
    const told = (await logOf(store)).filter(({ action }) => action === 'withdraw')
    expect(told).toMatchObject([{ outcome: 'done', actor: 'desk-1', basis: 'consent' }])
    const faults = []
    const secrets = 'secrets' in rest ? { secrets: wraps } : {}
    for await (const fault of fsck({ keyring, store, ...secrets })) faults.push(fault)
    expect(faults).toEqual([])
    expect(await codeOf(vault.withdraw('nobody'))).toBe('ERR_VAULT_UNKNOWN_SUBJECT')
  })

  test('VAULT-60 under a legal hold the record stays, and never matches again', async () => {
    const { vault, store } = await made()
    await vault.hold('anna')
    await vault.withdraw('anna')
    expect(await outcome(vault)).toBe('refused held')
    expect(await codeOf(vault.erase('anna'))).toBe('ERR_VAULT_TRANSITION')
    expect(await rowsOf(store, 'references')).toHaveLength(1)
    await vault.release('anna')
    expect(await outcome(vault)).toBe('refused expired')
    expect(await codeOf(vault.resume('anna'))).toBe('ERR_VAULT_TRANSITION')
    await vault.withdraw('anna')
    expect((await vault.describe('anna'))?.state).toBe('revoked')
  })

  test('VAULT-60 a record that is revoked already is noted as withdrawn', async () => {
    const { vault, store } = await made()
    await vault.revoke('anna', 'lost-device')
    await vault.withdraw('anna')
    expect((await vault.describe('anna'))?.state).toBe('revoked')
    expect((await logOf(store)).at(-1)?.action).toBe('withdraw')
  })
})

test('VAULT-60 a withdrawal is let in however many calls are under way', async () => {
  const { vault } = await testVault({ maxInFlight: 1 })
  await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
  const slow = vault.enroll({ subject: 'ben', basis: basis(), ...sample(2) })
  await vault.withdraw('anna')
  await slow
  expect(await outcome(vault)).toBe('refused revoked')
})

describe('VAULT-61', () => {
  test('VAULT-61 a renewal needs no face, and counts from the instants that it names', async () => {
    const clock = manualClock()
    const { vault, store } = await testVault({ clock })
    const now = (): number => clock.nowMs()
    const until = (ms: number) => basis({ grantedAt: new Date(now() - 1), expiresAt: new Date(now() + ms) })
    await vault.enroll({ subject: 'anna', basis: until(1000), ...sample(1) })
    clock.advance(999)
    expect(await outcome(vault)).toBe('match')
    clock.advance(1)
    expect(await outcome(vault)).toBe('refused expired')
    const renewed = { ...until(5000), kind: 'contract', noticeVersion: '2026-02' } as const
    await vault.renewBasis('anna', renewed)
    expect(await outcome(vault)).toBe('match')
    expect((await vault.describe('anna'))?.basis).toMatchObject({
      kind: 'contract',
      noticeVersion: '2026-02',
    })
    clock.advance(4999)
    expect(await outcome(vault)).toBe('match')
    clock.advance(1)
    expect(await outcome(vault)).toBe('refused expired')
    // What waits in the queue is integrated and signed.
    await vault.close()
    expect((await logOf(store)).filter(({ action }) => action === 'basis')).toMatchObject([
      { outcome: 'done', basis: 'contract' },
    ])
  })

  test('VAULT-61 under a hold it changes the basis and nothing else; it takes a withdrawal back', async () => {
    const { vault } = await testVault()
    await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
    await vault.hold('anna')
    await vault.withdraw('anna')
    await vault.renewBasis('anna', basis({ noticeVersion: 'again' }), { operationId: 'once' })
    await vault.renewBasis('anna', basis({ noticeVersion: 'twice' }), { operationId: 'once' })
    expect((await vault.describe('anna'))?.basis.noticeVersion).toBe('again')
    expect(await outcome(vault)).toBe('refused held')
    await vault.release('anna')
    await vault.resume('anna')
    expect(await outcome(vault)).toBe('match')
  })

  test('VAULT-61 refused: no basis, an ended one, another purpose, a revoked or unknown subject', async () => {
    const { vault, open } = await testVault()
    await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
    const before = await vault.describe('anna')
    expect(await codeOf(vault.renewBasis('anna', {} as never))).toBe('ERR_POLICY_BASIS')
    const under14 = basis({ under14: true })
    expect(await codeOf(vault.renewBasis('anna', under14))).toBe('ERR_POLICY_BASIS')
    const ended = basis({ expiresAt: new Date(Date.now() - 1) })
    expect(await codeOf(vault.renewBasis('anna', ended))).toBe('ERR_POLICY_BASIS')
    const other = await open({ purpose: 'door' })
    expect(await codeOf(other.renewBasis('anna', basis({ purpose: 'door' })))).toBe('ERR_RECORD_BINDING')
    expect(await vault.describe('anna')).toEqual(before)
    await vault.revoke('anna', 'other')
    expect(await codeOf(vault.renewBasis('anna', basis()))).toBe('ERR_VAULT_TRANSITION')
    expect(await codeOf(vault.renewBasis('nobody', basis()))).toBe('ERR_VAULT_UNKNOWN_SUBJECT')
  })
})
