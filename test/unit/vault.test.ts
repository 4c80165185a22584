/** The verbs of a vault on a memory store. @module */
import { describe, expect, test } from 'vitest'
import { basis, codeOf, face, faceOf, manualClock, sample, testVault } from '../support/vault.ts'

describe('a template from enrolment to erasure', () => {
  test('the person matches, others do not, and every verb changes what it says', async () => {
    const { vault } = await testVault()
    const enrolled = await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
    expect(enrolled.generation).toBe(1)
    expect((await vault.verify({ subject: 'anna', ...sample(1, 1) })).outcome).toBe('match')
    expect(await vault.verify({ subject: 'anna', ...sample(2, 1) })).toEqual({ outcome: 'nonmatch' })
    await vault.suspend('anna')
    expect(await vault.verify({ subject: 'anna', ...sample(1, 1) })).toEqual({
      outcome: 'refused',
      reason: 'suspended',
    })
    await vault.resume('anna')
    expect((await vault.verify({ subject: 'anna', ...sample(1, 1) })).outcome).toBe('match')
    await vault.revoke('anna', 'lost-device')
    expect(await vault.verify({ subject: 'anna', ...sample(1, 1) })).toEqual({
      outcome: 'refused',
      reason: 'revoked',
    })
    const again = await vault.reissue({ subject: 'anna', basis: basis(), ...sample(1, 2) })
    expect(again.generation).toBe(2)
    expect((await vault.verify({ subject: 'anna', ...sample(1, 3) })).outcome).toBe('match')
    const receipt = await vault.erase('anna')
    expect(receipt.irrecoverable).toEqual({ by: receipt.unreachableAt + 30 * 86_400_000 })
    expect(await vault.verify({ subject: 'anna', ...sample(1, 3) })).toEqual({
      outcome: 'refused',
      reason: 'unknown-subject',
    })
    expect(await vault.describe('anna')).toBeUndefined()
  })

  test('rotation moves every wrap and every template still matches', async () => {
    const { vault, keyring } = await testVault()
    for (let person = 0; person < 5; person++) {
      await vault.enroll({ subject: `p${person}`, basis: basis(), ...sample(person) })
    }
    const epoch = await keyring.add()
    await keyring.promote(epoch)
    const results = []
    for await (const result of vault.rotate()) results.push(result)
    expect(results.map((result) => result.ok)).toEqual([true, true, true, true, true])
    await keyring.disable(1)
    await keyring.destroy(1)
    for (let person = 0; person < 5; person++) {
      const decision = await vault.verify({ subject: `p${person}`, ...sample(person, 1) })
      expect(decision).toMatchObject({ outcome: 'match', epoch })
    }
  })

  test('five failures, then a delay, then one for each delay, then rebind', async () => {
    const clock = manualClock()
    const { vault } = await testVault({ clock })
    await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
    for (let i = 0; i < 5; i++) {
      expect((await vault.verify({ subject: 'anna', ...sample(2, i) })).outcome).toBe('nonmatch')
    }
    expect(await vault.verify({ subject: 'anna', ...sample(1, 1) })).toEqual({
      outcome: 'refused',
      reason: 'throttled',
      retryAfterMs: 30_000,
    })
    clock.advance(29_999)
    expect((await vault.verify({ subject: 'anna', ...sample(2, 6) })).outcome).toBe('refused')
    clock.advance(1)
    expect((await vault.verify({ subject: 'anna', ...sample(2, 6) })).outcome).toBe('nonmatch')
    await vault.rebind('anna')
    expect((await vault.verify({ subject: 'anna', ...sample(1, 1) })).outcome).toBe('match')
  })
})

test('faces are seeded', () => {
  expect(face(1)).toEqual(face(1))
  faceOf(1)[Symbol.dispose]()
})

test('a second enrolment of a subject is refused', async () => {
  const { vault } = await testVault()
  await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
  expect(await codeOf(vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) }))).toBe(
    'ERR_VAULT_ENROLLED',
  )
})
