/** A vault whose templates open with a quorum (SPEC §13.9). */
import { describe, expect, test } from 'vitest'
import { outcomeOf, type QuorumVault, quorumVault } from '../support/quorum-vault.ts'
import { basis, codeOf, sample } from '../support/vault.ts'

const SUBJECT = 'user-1'

async function enrolled(options: Parameters<typeof quorumVault>[0] = {}): Promise<QuorumVault> {
  const world = await quorumVault(options)
  await world.vault.enroll({ ...sample(1), subject: SUBJECT, basis: basis() })
  return world
}

describe('custody quorum', () => {
  test('QUORUM-24 enroll, verify and reissue ask the holders', async () => {
    const world = await enrolled()
    const { vault } = world
    expect(await outcomeOf(vault, { ...sample(1, 1), subject: SUBJECT })).toBe('match')
    expect(await outcomeOf(vault, { ...sample(2), subject: SUBJECT })).toBe('nonmatch')
    await vault.reissue({ ...sample(1), subject: SUBJECT, basis: basis() })
    expect(await outcomeOf(vault, { ...sample(1, 1), subject: SUBJECT })).toBe('match')
    expect(await vault.describe(SUBJECT)).toMatchObject({ custody: 'quorum', generation: 2 })
    expect(Math.min(...world.asked)).toBeGreaterThan(0)
    await world.end()
  })

  test('QUORUM-27 without enough holders nothing is lost', async () => {
    const world = await enrolled({ timeoutMs: 300 })
    world.manners[0] = 'gone'
    expect(await outcomeOf(world.vault, { ...sample(1, 1), subject: SUBJECT })).toBe('match')
    world.manners[1] = 'gone'
    for (let i = 0; i < 7; i++) {
      expect(await codeOf(world.vault.verify({ ...sample(1, 1), subject: SUBJECT }))).toBe(
        'ERR_QUORUM_UNAVAILABLE',
      )
    }
    world.manners.fill('honest')
    expect(await outcomeOf(world.vault, { ...sample(1, 1), subject: SUBJECT })).toBe('match')
    await world.end()
  })

  test('VAULT-23 revoke and erase', async () => {
    const world = await enrolled()
    await world.vault.revoke(SUBJECT, 'fraud')
    expect(await outcomeOf(world.vault, { ...sample(1, 1), subject: SUBJECT })).toBe('refused revoked')
    await world.vault.erase(SUBJECT)
    await world.end()
  })
})
