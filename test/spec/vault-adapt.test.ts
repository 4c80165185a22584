import { type AdaptRequest, secondFactorConfirmed } from 'guise'
import { describe, expect, test } from 'vitest'
import { fromBase64 } from '../../src/base/bytes.ts'
import { toIntegers } from '../../src/embedding/embedding.ts'
import { adaptation, adaptRequest, DAY, modelWorld, strict } from '../support/models.ts'
import { enrolled, outcomeOf, own, SUBJECT } from '../support/quorum-vault.ts'
import { basis, codeOf, manualClock, sample, testVault } from '../support/vault.ts'
import { entriesOf } from '../support/vault-log.ts'

describe('the operating points of adaptations', () => {
  test('POLICY-70 points that are not ten times stricter are refused when a vault opens', async () => {
    const { open } = await testVault()
    const base = strict()
    const wrong = [
      { ...base, threshold: 4500 },
      { ...base, falseMatchRate: { ...base.falseMatchRate, value: 1.1e-5 } },
      { ...base, falseMatchRate: { ...base.falseMatchRate, value: 0, low: 0, high: 4e-5, trials: 299_999 } },
      { ...base, probeClass: 'mask' },
    ]
    for (const one of wrong) {
      const opened = open({ adaptation: { operatingPoints: [one] } })
      expect(await codeOf(opened)).toBe('ERR_POLICY_ADAPTATION')
    }
    expect(await codeOf(open({ adaptation: { operatingPoints: [] } }))).toBe('ERR_POLICY_OPERATING_POINT')
    const other = { ...base, model: 'other@1' as typeof base.model }
    expect(await codeOf(open({ adaptation: { operatingPoints: [other] } }))).toBe(
      'ERR_POLICY_OPERATING_POINT',
    )
    for (const limits of [{ mostInARow: 0 }, { mostInARow: 11 }, { leastIntervalMs: 3_599_999 }]) {
      const opened = open({ adaptation: { operatingPoints: [base], ...limits } })
      expect(await codeOf(opened)).toBe('ERR_POLICY_ADAPTATION')
    }
    await (await open({ adaptation: adaptation() })).close()
  })
})

describe('adaptation to a newer capture', () => {
  test('VAULT-73 it needs a second factor, an open door and no operation id, and wipes the probe', async () => {
    const { vault, open } = await testVault({ adaptation: adaptation() })
    await vault.enroll({ subject: 'ada', ...sample(1), basis: basis() })
    const { [secondFactorConfirmed]: _, ...without } = adaptRequest('ada', 1)
    expect(await codeOf(vault.adapt(without as AdaptRequest))).toBe('ERR_VAULT_INPUT')
    expect(() => toIntegers(without.embedding as never)).toThrow()
    expect(await codeOf(vault.adapt(adaptRequest('ada', 1), { operationId: 'x' }))).toBe('ERR_VAULT_INPUT')
    const plain = await open({ adaptation: undefined } as never)
    expect(await codeOf(plain.adapt(adaptRequest('ada', 1)))).toBe('ERR_VAULT_INPUT')
    expect((await vault.describe('ada'))?.generation).toBe(1)
  })

  test('VAULT-76 the next generation is made of the very probe that was accepted', async () => {
    const { vault } = await testVault({ adaptation: adaptation() })
    const first = await vault.enroll({ subject: 'ada', ...sample(1), basis: basis() })
    const decision = await vault.adapt(adaptRequest('ada', 1, 5))
    expect(decision).toMatchObject({
      outcome: 'match',
      adapted: { record: first.record, subject: first.subject, generation: 2 },
    })
    expect(await vault.verify({ subject: 'ada', ...sample(1, 5) })).toMatchObject({ outcome: 'match' })
    expect(await vault.describe('ada')).toMatchObject({ generation: 2, state: 'active', exposed: false })
  })

  test('VAULT-75 a probe that only a verify accepts leaves the template', async () => {
    const { vault } = await testVault({ adaptation: adaptation(9000) })
    await vault.enroll({ subject: 'ada', ...sample(1), basis: basis() })
    expect(await vault.adapt(adaptRequest('ada', 1))).toMatchObject({ outcome: 'match', kept: 'point' })
    expect(await vault.adapt(adaptRequest('ada', 2))).toEqual({ outcome: 'nonmatch' })
    expect(await vault.adapt(adaptRequest('eve', 2))).toMatchObject({ outcome: 'refused' })
    expect((await vault.describe('ada'))?.generation).toBe(1)
  })

  test('POLICY-71 three in a row, each 30 days after the last; a reissue begins anew', async () => {
    const clock = manualClock()
    const { vault } = await testVault({ clock, adaptation: adaptation() })
    const ends = new Date(clock.nowMs() + 900 * DAY)
    await vault.enroll({ subject: 'ada', ...sample(1), basis: basis({ expiresAt: ends }) })
    const kept = async (): Promise<string | undefined> => {
      const decision = await vault.adapt(adaptRequest('ada', 1))
      if (decision.outcome !== 'match') throw new Error(decision.outcome)
      return decision.kept
    }
    expect(await kept()).toBe(undefined)
    expect(await kept()).toBe('interval')
    clock.advance(30 * DAY - 1)
    expect(await kept()).toBe('interval')
    clock.advance(1)
    expect(await kept()).toBe(undefined)
    clock.jump(-DAY)
    expect(await kept()).toBe('interval')
    clock.advance(40 * DAY)
    await vault.rebind('ada')
    expect(await kept()).toBe(undefined)
    clock.advance(40 * DAY)
    expect(await kept()).toBe('limit')
    await vault.reissue({ subject: 'ada', ...sample(1), basis: basis({ expiresAt: ends }) })
    expect(await kept()).toBe(undefined)
    expect((await vault.describe('ada'))?.generation).toBe(6)
  })

  test('POLICY-71 whoever is exposed keeps the template until a reissue that is none of this', async () => {
    const { vault } = await testVault({ adaptation: adaptation() })
    await vault.enroll({ subject: 'ada', ...sample(1), basis: basis() })
    await vault.revoke('ada', 'breach')
    await vault.reissue({ subject: 'ada', ...sample(1), basis: basis() })
    expect(await vault.adapt(adaptRequest('ada', 1))).toMatchObject({ kept: 'exposed', exposed: true })
  })

  test('POLICY-72 failures of a generation go on counting', async () => {
    const attempts = { consecutive: 3, total: 3, generation: 4 }
    const { vault } = await testVault({ attempts, adaptation: adaptation() })
    await vault.enroll({ subject: 'ada', ...sample(1), basis: basis() })
    expect(await vault.adapt(adaptRequest('ada', 2))).toEqual({ outcome: 'nonmatch' })
    expect(await vault.adapt(adaptRequest('ada', 2))).toEqual({ outcome: 'nonmatch' })
    expect(await vault.adapt(adaptRequest('ada', 1))).toMatchObject({ adapted: { generation: 2 } })
    const wrong = (): Promise<unknown> => vault.verify({ subject: 'ada', ...sample(2) })
    expect([await wrong(), await wrong()]).toEqual([{ outcome: 'nonmatch' }, { outcome: 'nonmatch' }])
    expect(await wrong()).toMatchObject({ outcome: 'refused', reason: 'locked' })
  })

  test('POLICY-72 matches at the plain point alone use up the failures of the generation', async () => {
    const clock = manualClock()
    const attempts = { consecutive: 3, total: 3, generation: 4 }
    const { vault } = await testVault({ clock, attempts, adaptation: adaptation(9000) })
    await vault.enroll({ subject: 'ada', ...sample(1), basis: basis() })
    for (let i = 0; i < 4; i++) {
      expect(await vault.adapt(adaptRequest('ada', 1))).toMatchObject({ outcome: 'match', kept: 'point' })
    }
    expect(await vault.adapt(adaptRequest('ada', 1))).toMatchObject({ outcome: 'refused', reason: 'locked' })
    expect(await vault.verify({ subject: 'ada', ...sample(1) })).toMatchObject({ reason: 'locked' })
  })

  test('VAULT-74 the former generation ends with the batch: no row of it is left, and the log tells of one adaptation', async () => {
    const { vault, store } = await modelWorld()
    await vault.enroll({ subject: 'ada', ...sample(1), basis: basis() })
    const rows = async (table: 'references' | 'secrets'): Promise<readonly string[]> => {
      const found: string[] = []
      for await (const { key, bytes } of store.scan(table, new Uint8Array(1))) {
        found.push(`${Buffer.from(key).toString('hex')} ${Buffer.from(bytes).toString('hex')}`)
      }
      return found
    }
    const before = [...(await rows('references')), ...(await rows('secrets'))]
    const decision = await vault.adapt(adaptRequest('ada', 1))
    const after = [...(await rows('references')), ...(await rows('secrets'))]
    expect(after).toHaveLength(2)
    expect(after.filter((row) => before.includes(row))).toEqual([])
    const entries = await entriesOf(store)
    const [entry, ...more] = entries.filter(({ action }) => action === 'adapt')
    expect(more).toEqual([])
    expect(entry).toMatchObject({ outcome: 'done', epoch: 1, basis: 'consent' })
    const subject = decision.outcome === 'match' ? fromBase64(decision.subject) : undefined
    expect(entry?.handle).toEqual(subject)
    expect(entry?.state).not.toBe(null)
    expect(entry?.attempts).not.toBe(null)
    expect(entries.filter(({ action }) => action === 'verify')).toEqual([])
  })

  test('VAULT-2 a record that may not match is not adapted', async () => {
    const { vault } = await testVault({ adaptation: adaptation() })
    await vault.enroll({ subject: 'ada', ...sample(1), basis: basis() })
    await vault.suspend('ada')
    expect(await vault.adapt(adaptRequest('ada', 1))).toMatchObject({
      outcome: 'refused',
      reason: 'suspended',
    })
  })
})

test('VAULT-74 the same under a holder: the device gives a share of each generation', async () => {
  const { vault } = await testVault({ custody: { profile: 'holder' }, adaptation: adaptation() })
  const asked: number[] = []
  const holderShare = async ({ generation }: { generation: Uint8Array }): Promise<Uint8Array> => {
    asked.push(generation[3] ?? 0)
    return Uint8Array.from({ length: 32 }, (_, i) => (generation[i % 20] ?? 0) ^ i)
  }
  await vault.enroll({ subject: 'ada', ...sample(1), basis: basis(), holderShare })
  const decision = await vault.adapt({ ...adaptRequest('ada', 1), holderShare })
  expect(decision).toMatchObject({ outcome: 'match', adapted: { generation: 2 } })
  expect(await vault.verify({ subject: 'ada', ...sample(1), holderShare })).toMatchObject({
    outcome: 'match',
  })
  expect(new Set(asked)).toEqual(new Set([1, 2]))
})

test('VAULT-74 the same under a quorum: each generation is asked for, and the former one is over with every holder', async () => {
  const world = await enrolled({ adaptation: adaptation() })
  const { vault } = world
  expect(await vault.adapt(adaptRequest(SUBJECT, 1))).toMatchObject({
    outcome: 'match',
    adapted: { generation: 2 },
  })
  expect(await outcomeOf(vault, own())).toBe('match')
  expect(await vault.health()).toMatchObject({ unfinished: 0 })
  await vault.close()
  await world.end()
})
