import { type AddReferenceRequest, secondFactorConfirmed } from 'guise'
import { describe, expect, test } from 'vitest'
import { toIntegers } from '../../src/embedding/embedding.ts'
import {
  addition,
  BITS,
  blend,
  CLASSES,
  outcome,
  pointOf,
  referenceWorld,
  shot,
  strangers,
  strictOf,
  templates,
  WIDE,
  wide,
} from '../support/references.ts'
import { basis, codeOf, MODEL, sample, testVault } from '../support/vault.ts'
import { entriesOf } from '../support/vault-log.ts'

describe('which reference is compared', () => {
  test('VAULT-85 the one of the probe class alone, the primary one where there is none', async () => {
    const { vault, store } = await referenceWorld()
    await vault.enroll({ subject: 'ada', ...shot(1), basis: basis(), references: strangers() })
    const seen = async (person: number): Promise<readonly string[]> =>
      await Promise.all(['any', 'masked', 'glasses', 'desk'].map((name) => outcome(vault, person, name)))
    expect(await seen(1)).toEqual(['match', 'nonmatch', 'nonmatch', 'match'])
    await vault.rebind('ada')
    expect(await seen(100)).toEqual(['nonmatch', 'match', 'nonmatch', 'nonmatch'])
    await vault.rebind('ada')
    expect(await seen(101)).toEqual(['nonmatch', 'nonmatch', 'match', 'nonmatch'])
    await vault.close()
    const answered = (await entriesOf(store)).filter(({ action }) => action === 'verify')
    expect(new Set(answered.map(({ record }) => Buffer.from(record ?? []).toString('hex'))).size).toBe(3)
  })

  test('VAULT-86 the threshold is that of the pair: a class with its reference, a class with the primary one', async () => {
    const { vault, open } = await referenceWorld()
    await vault.enroll({ subject: 'ada', ...shot(1), basis: basis(), references: [shot(1, 'masked')] })
    const hard = await open({
      operatingPoints: [pointOf('any'), pointOf('masked'), pointOf('glasses', 9990)],
      referencePoints: [pointOf('masked', 9990), pointOf('glasses')],
      adaptation: undefined,
    } as never)
    expect(await outcome(hard, 1)).toBe('match')
    expect(await outcome(hard, 1, 'masked')).toBe('nonmatch')
    expect(await outcome(hard, 1, 'glasses')).toBe('nonmatch')
    const easy = await open({
      operatingPoints: [pointOf('any'), pointOf('masked', 9990)],
      referencePoints: [pointOf('masked')],
      adaptation: undefined,
    } as never)
    expect(await outcome(easy, 1, 'masked')).toBe('match')
  })

  test('VAULT-86 a vault without a point for the pair compares with the primary reference', async () => {
    const { vault, open } = await referenceWorld()
    await vault.enroll({ subject: 'ada', ...shot(1), basis: basis(), references: strangers(1) })
    const plain = await open({ referencePoints: undefined } as never)
    expect([await outcome(plain, 100, 'masked'), await outcome(plain, 1, 'masked')]).toEqual([
      'nonmatch',
      'match',
    ])
    const refused = plain.addReference(addition('ada', 1, 'glasses'))
    expect(await codeOf(refused)).toBe('ERR_VAULT_INPUT')
    const many = { subject: 'bob', ...shot(2), basis: basis(), references: [shot(2, 'masked')] }
    expect(await codeOf(plain.enroll(many))).toBe('ERR_VAULT_INPUT')
    for (const wrong of [
      [pointOf('any')],
      [pointOf('unheard')],
      [],
      [pointOf('masked'), pointOf('masked')],
    ]) {
      expect(await codeOf(open({ referencePoints: wrong }))).toBe('ERR_POLICY_OPERATING_POINT')
    }
  })

  test('VAULT-87 failures against any of them lock all', async () => {
    const attempts = { consecutive: 3, total: 3, generation: 100 }
    const { vault } = await referenceWorld({ attempts })
    await vault.enroll({ subject: 'ada', ...shot(1), basis: basis(), references: [shot(1, 'masked')] })
    expect(await outcome(vault, 2, 'masked')).toBe('nonmatch')
    expect(await outcome(vault, 2)).toBe('nonmatch')
    expect(await outcome(vault, 2, 'masked')).toBe('nonmatch')
    for (const name of ['any', 'masked', 'glasses']) {
      expect(await vault.verify({ subject: 'ada', ...shot(1, name) })).toMatchObject({ reason: 'locked' })
    }
  })

  test('VAULT-85 adapt keeps a template that a probe of another class was not compared with', async () => {
    const { vault } = await referenceWorld()
    await vault.enroll({ subject: 'ada', ...shot(1), basis: basis(), references: [shot(1, 'masked')] })
    const masked = await vault.adapt(addition('ada', 1, 'masked'))
    expect(masked).toMatchObject({ outcome: 'match', kept: 'class' })
    expect(await vault.adapt(addition('ada', 1, 'any') as never)).toMatchObject({
      adapted: { generation: 2 },
    })
    expect(await vault.describe('ada')).toMatchObject({ generation: 2, references: ['masked'] })
    expect([await outcome(vault, 1), await outcome(vault, 1, 'masked')]).toEqual(['match', 'match'])
  })
})

describe('adding by a comparison', () => {
  test('VAULT-88 it needs a second factor, a class of its own with an adaptation point, and no operation id', async () => {
    const { vault, open } = await referenceWorld()
    await vault.enroll({ subject: 'ada', ...shot(1), basis: basis() })
    const { [secondFactorConfirmed]: _, ...without } = addition('ada', 1, 'masked')
    expect(await codeOf(vault.addReference(without as AddReferenceRequest))).toBe('ERR_VAULT_INPUT')
    expect(() => toIntegers(without.embedding as never)).toThrow()
    const asked = vault.addReference(addition('ada', 1, 'masked'), { operationId: 'x' })
    expect(await codeOf(asked)).toBe('ERR_VAULT_INPUT')
    expect(await codeOf(vault.addReference(addition('ada', 1, 'any')))).toBe('ERR_VAULT_INPUT')
    const few = await open({ adaptation: { operatingPoints: [strictOf('any')] } })
    expect(await codeOf(few.addReference(addition('ada', 1, 'masked')))).toBe('ERR_VAULT_INPUT')
    const none = await open({ adaptation: undefined } as never)
    expect(await codeOf(none.addReference(addition('ada', 1, 'masked')))).toBe('ERR_VAULT_INPUT')
    expect(await vault.describe('ada')).toMatchObject({ references: [] })
  })

  test('VAULT-89 it is made of the integers that were compared, behind the stricter point alone', async () => {
    const { vault, open } = await referenceWorld()
    await vault.enroll({ subject: 'ada', ...shot(1), basis: basis() })
    expect(await vault.addReference(addition('ada', 2, 'masked'))).toEqual({ outcome: 'nonmatch' })
    expect(await vault.addReference(addition('eve', 1, 'masked'))).toMatchObject({ outcome: 'refused' })
    const hard = await open(wide(WIDE, 9990))
    expect(await hard.addReference(addition('ada', 1, 'masked'))).toMatchObject({
      outcome: 'match',
      kept: 'point',
    })
    expect(await vault.describe('ada')).toMatchObject({ references: [] })
    const first = await vault.describe('ada')
    const soft = await open(wide(WIDE, 3200, 2800))
    const mixed = { subject: 'ada', ...blend(1, 50, 'masked'), [secondFactorConfirmed]: true } as const
    const added = await soft.addReference(mixed)
    expect(added).toMatchObject({ outcome: 'match', record: first?.record, added: { probeClass: 'masked' } })
    // Only a reference that was made of that very picture is like the other half of it.
    expect([await outcome(soft, 50), await outcome(soft, 50, 'masked')]).toEqual(['nonmatch', 'match'])
  })

  test('VAULT-89 whoever is exposed gets none, and matches that are kept for the point use up failures', async () => {
    const attempts = { consecutive: 3, total: 3, generation: 4 }
    const { vault } = await referenceWorld({ attempts, ...wide(WIDE, 9990) })
    await vault.enroll({ subject: 'ada', ...shot(1), basis: basis() })
    for (let i = 0; i < 4; i++) {
      expect(await vault.addReference(addition('ada', 1, 'masked'))).toMatchObject({ kept: 'point' })
    }
    expect(await vault.addReference(addition('ada', 1, 'masked'))).toMatchObject({ reason: 'locked' })
    await vault.revoke('ada', 'breach')
    await vault.reissue({ subject: 'ada', ...shot(1), basis: basis() })
    expect(await vault.addReference(addition('ada', 1, 'masked'))).toMatchObject({ kept: 'exposed' })
  })

  test('VAULT-89 a match that leads to an error is durable before it, and a nonmatch says nothing of room', async () => {
    const { vault, store } = await referenceWorld()
    await vault.enroll({ subject: 'ada', ...shot(1), basis: basis(), references: [shot(1, 'masked')] })
    const again = (person: number): Promise<unknown> => vault.addReference(addition('ada', person, 'masked'))
    expect(await again(2)).toEqual({ outcome: 'nonmatch' })
    expect(await codeOf(again(1))).toBe('ERR_VAULT_REFERENCE')
    await vault.close()
    const verified = (await entriesOf(store)).filter(({ action }) => action === 'verify')
    expect(verified.map(({ outcome: said }) => said)).toEqual(['nonmatch', 'match'])
    expect(await templates(store)).toEqual([2, 2])
  })
})

describe('how many there may be', () => {
  test('TEMPLATE-6 the bits of all stay within the dimensions, and there are four at most', async () => {
    const narrow = { ...WIDE, id: 'narrow@1', dimensions: 1024 } as const
    const { vault } = await testVault(wide(narrow))
    const three = CLASSES.slice(0, 3).map((name) => shot(1, name, 0, narrow))
    const four = CLASSES.map((name) => shot(1, name, 0, narrow))
    const enrol = (references: readonly ReturnType<typeof shot>[]): Promise<unknown> =>
      vault.enroll({ subject: 'ada', ...shot(1, 'any', 0, narrow), basis: basis(), references })
    expect(await codeOf(enrol(four))).toBe('ERR_VAULT_REFERENCE')
    expect(await vault.describe('ada')).toBe(undefined)
    await enrol(three)
    expect(4 * BITS).toBe(narrow.dimensions)
    const fourth = { subject: 'ada', ...shot(1, 'phone', 1, narrow), [secondFactorConfirmed]: true } as const
    expect(await codeOf(vault.addReference(fourth))).toBe('ERR_VAULT_REFERENCE')
    const full = await testVault()
    expect(
      await codeOf(full.vault.enroll({ subject: 'a', ...sample(1), basis: basis(), references: [] })),
    ).toBe('resolved')
    expect(MODEL.dimensions).toBe(128)
  })

  test('TEMPLATE-6 a fifth is refused where bits would let it in', async () => {
    const { vault, open } = await referenceWorld()
    const references = CLASSES.map((name) => shot(1, name))
    await vault.enroll({ subject: 'ada', ...shot(1), basis: basis(), references })
    const more = await open({
      operatingPoints: [pointOf('any'), pointOf('fifth')],
      referencePoints: [pointOf('fifth')],
      adaptation: { operatingPoints: [strictOf('fifth')] },
    })
    expect(await codeOf(more.addReference(addition('ada', 1, 'fifth')))).toBe('ERR_VAULT_REFERENCE')
    expect(await vault.describe('ada')).toMatchObject({ references: CLASSES })
  })

  test('VAULT-98 what cannot be is refused before anybody is enrolled, and every sample is wiped', async () => {
    const { vault } = await referenceWorld()
    const wrong = [[shot(1, 'masked'), shot(1, 'masked')], [shot(1, 'any')], [shot(1, 'unknown')], 'masked']
    for (const references of wrong) {
      const first = shot(1)
      const asked = vault.enroll({ subject: 'ada', ...first, basis: basis(), references } as never)
      expect(['ERR_VAULT_INPUT', 'ERR_VAULT_REFERENCE']).toContain(await codeOf(asked))
      for (const one of [first, ...(Array.isArray(references) ? references : [])]) {
        expect(() => toIntegers(one.embedding)).toThrow()
      }
    }
    expect(await vault.describe('ada')).toBe(undefined)
    const unread = [shot(1, 'masked')]
    const odd = vault.enroll({
      subject: 'ada',
      ...shot(1),
      references: unread,
      get basis(): never {
        throw new Error('unreadable')
      },
    })
    expect(await codeOf(odd)).toBe('ERR_VAULT_INPUT')
    expect(() => toIntegers((unread[0] as ReturnType<typeof shot>).embedding)).toThrow()
  })

  test('VAULT-98 a retry adds what is missing, and nobody else does', async () => {
    const { vault } = await referenceWorld()
    const enrol = (references: readonly ReturnType<typeof shot>[], operationId = 'one'): Promise<unknown> =>
      vault.enroll({ subject: 'ada', ...shot(1), basis: basis(), references }, { operationId })
    await enrol([shot(1, 'masked')])
    await enrol([shot(1, 'masked'), shot(1, 'glasses')])
    expect(await vault.describe('ada')).toMatchObject({ references: ['masked', 'glasses'] })
    expect(await codeOf(enrol([shot(1, 'desk')], 'two'))).toBe('ERR_VAULT_ENROLLED')
    await vault.suspend('ada')
    expect(await codeOf(enrol([shot(1, 'desk')]))).toBe('ERR_VAULT_TRANSITION')
  })

  test('VAULT-99 describe names classes and nothing else of them', async () => {
    const { vault } = await referenceWorld()
    await vault.enroll({ subject: 'ada', ...shot(1), basis: basis(), references: strangers() })
    const described = await vault.describe('ada')
    expect(described?.references).toEqual(['masked', 'glasses'])
    await vault.revoke('ada', 'other')
    expect((await vault.describe('ada'))?.references).toEqual([])
  })
})
