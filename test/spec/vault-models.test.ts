import type { Vault } from 'guise'
import { finishModel, fsck, modelStatus, vaultStatus, withdrawModel } from 'guise/node'
import { describe, expect, test } from 'vitest'
import { toIntegers } from '../../src/embedding/embedding.ts'
import {
  adaptRequest,
  DAY,
  type ModelWorld,
  modelWorld,
  NEXT,
  NEXT_BITS,
  nextModel,
  nextSample,
  strict,
} from '../support/models.ts'
import { basis, codeOf, point, sample } from '../support/vault.ts'
import { entriesOf } from '../support/vault-log.ts'

async function enrolled(people = 1): Promise<ModelWorld> {
  const world = await modelWorld()
  const ends = new Date(world.clock.nowMs() + 900 * DAY)
  for (let i = 0; i < people; i++) {
    await world.vault.enroll({ subject: `p${i}`, ...sample(i), basis: basis({ expiresAt: ends }) })
  }
  return world
}

describe('a vault with two models', () => {
  test('VAULT-70 opens only on what was announced', async () => {
    const { open, announce, dual } = await enrolled(0)
    expect(await codeOf(dual())).toBe('ERR_VAULT_MODEL')
    await announce()
    await (await dual()).close()
    const other = {
      ...nextModel,
      model: { ...NEXT, id: 'next@2' },
      operatingPoints: [point({ ...NEXT, id: 'next@2' }, 256)],
    }
    expect(await codeOf(open({ nextModel: other }))).toBe('ERR_VAULT_MODEL')
    const moved = { ...nextModel, operatingPoints: [point(NEXT, NEXT_BITS, 4000)] }
    expect(await codeOf(open({ nextModel: moved }))).toBe('ERR_VAULT_MODEL')
    const swapped = {
      model: NEXT,
      operatingPoints: [point(NEXT, NEXT_BITS)],
      adaptation: undefined,
      nextModel: { model: nextModel.model, operatingPoints: nextModel.operatingPoints },
    }
    expect(await codeOf(open(swapped as never))).toBe('ERR_VAULT_CONFIGURATION')
    const third = {
      model: { ...NEXT, id: 'third@1' },
      operatingPoints: [point({ ...NEXT, id: 'third@1' }, 256)],
      adaptation: undefined,
    }
    expect(await codeOf(open(third as never))).toBe('ERR_VAULT_MODEL')
  })

  test('VAULT-70 has no gallery', async () => {
    const { open, announce } = await enrolled(0)
    await announce()
    expect(await codeOf(open({ nextModel, gallery: {} as never }))).toBe('ERR_VAULT_CONFIGURATION')
  })

  test('VAULT-71 compares a probe with a template of its own model only, and counts nothing else', async () => {
    const { announce, dual } = await enrolled()
    await announce()
    const vault = await dual()
    await vault.enroll({ subject: 'new', ...nextSample(7), basis: basis() })
    for (let i = 0; i < 8; i++) {
      expect(await vault.verify({ subject: 'p0', ...nextSample(0, 1) })).toEqual({
        outcome: 'refused',
        reason: 'model',
      })
      expect(await vault.verify({ subject: 'new', ...sample(7, 1) })).toEqual({
        outcome: 'refused',
        reason: 'model',
      })
    }
    expect(await vault.verify({ subject: 'p0', ...sample(0, 1) })).toMatchObject({ outcome: 'match' })
    expect(await vault.verify({ subject: 'new', ...nextSample(7, 1) })).toMatchObject({ outcome: 'match' })
  })

  test('VAULT-72 takes both probes, and compares the one that fits', async () => {
    const { announce, dual } = await enrolled()
    await announce()
    const vault = await dual()
    await vault.enroll({ subject: 'new', ...nextSample(7), basis: basis() })
    const match = { outcome: 'match' }
    expect(await vault.verify({ subject: 'p0', ...sample(0, 1), also: nextSample(0, 1) })).toMatchObject(
      match,
    )
    expect(await vault.verify({ subject: 'p0', ...nextSample(0, 1), also: sample(0, 1) })).toMatchObject(
      match,
    )
    expect(await vault.verify({ subject: 'new', ...sample(7, 1), also: nextSample(7, 1) })).toMatchObject(
      match,
    )
    // The other one is not asked: a stranger's does not help, nor harm.
    expect(await vault.verify({ subject: 'p0', ...sample(3, 1), also: nextSample(0, 1) })).toEqual({
      outcome: 'nonmatch',
    })
    const [one, two] = [sample(0, 1), sample(0, 2)]
    expect(await codeOf(vault.verify({ subject: 'p0', ...one, also: two }))).toBe('ERR_VAULT_INPUT')
    for (const { embedding } of [one, two]) expect(() => toIntegers(embedding)).toThrow()
    const late = nextSample(0)
    expect(await codeOf(vault.verify({ subject: 'p0', ...sample(0), also: late }, { actor: '' }))).toBe(
      'ERR_VAULT_INPUT',
    )
    expect(() => toIntegers(late.embedding)).toThrow()
  })
})

describe('a move', () => {
  test('VAULT-73 needs the word that both probes are of one image', async () => {
    const { announce, dual } = await enrolled()
    await announce()
    const vault = await dual()
    const request = { ...adaptRequest('p0', 0), also: nextSample(0, 1) }
    expect(await codeOf(vault.adapt(request))).toBe('ERR_VAULT_INPUT')
  })

  test('VAULT-74 takes the person to the next model in one batch', async () => {
    const { store, announce, dual, vault: old, place } = await enrolled()
    await announce()
    const vault = await dual()
    const before = await vault.describe('p0')
    const decision = await vault.adapt(adaptRequest('p0', 0, 1, true))
    expect(decision).toMatchObject({ outcome: 'match', adapted: { generation: 2 } })
    expect(await vault.describe('p0')).toMatchObject({
      ...before,
      model: NEXT.id,
      bits: NEXT_BITS,
      generation: 2,
      changedAt: expect.anything(),
    })
    expect(await vault.verify({ subject: 'p0', ...nextSample(0, 2) })).toMatchObject({ outcome: 'match' })
    expect(await vault.verify({ subject: 'p0', ...sample(0, 2) })).toMatchObject({ reason: 'model' })
    expect(await codeOf(old.verify({ subject: 'p0', ...sample(0, 2) }))).toBe('ERR_RECORD_BINDING')
    // A repeated call finds that it was done.
    expect(await vault.adapt(adaptRequest('p0', 0, 1, true))).toMatchObject({
      outcome: 'match',
      kept: 'model',
    })
    const actions = (await entriesOf(store)).map(({ action }) => action)
    expect(actions.filter((action) => action === 'adapt')).toHaveLength(1)
    const faults = []
    for await (const fault of fsck(place)) faults.push(fault)
    expect(faults).toEqual([])
    expect((await vaultStatus(place)).people).toBe(1)
    const receipt = await vault.erase('p0')
    expect(receipt.record).toBe(before?.record)
  })

  test('VAULT-75 is not made behind a probe that a verify alone accepts', async () => {
    const { announce, dual } = await enrolled()
    await announce()
    const vault = await dual(9000)
    expect(await vault.adapt(adaptRequest('p0', 0, 1, true))).toMatchObject({
      outcome: 'match',
      kept: 'point',
    })
    expect((await vault.describe('p0'))?.model).toBe('test@1')
  })

  test('POLICY-71 counts among the adaptations in a row, and waits for none', async () => {
    const { announce, dual, vault, clock } = await enrolled(2)
    for (let i = 0; i < 3; i++) {
      expect(await vault.adapt(adaptRequest('p0', 0))).toMatchObject({ adapted: { generation: i + 2 } })
      clock.advance(31 * DAY)
    }
    expect(await vault.adapt(adaptRequest('p1', 1))).toMatchObject({ adapted: { generation: 2 } })
    await announce()
    const both = await dual()
    expect(await both.adapt(adaptRequest('p0', 0, 1, true))).toMatchObject({ kept: 'limit' })
    expect(await both.adapt(adaptRequest('p1', 1, 1, true))).toMatchObject({ adapted: { generation: 3 } })
  })

  test('POLICY-70 a class without an adaptation point moves nobody, and counts nothing', async () => {
    const { open, announce } = await enrolled()
    await announce()
    const vault = await open({
      adaptation: undefined,
      nextModel: { ...nextModel, adaptation: { operatingPoints: [strict(NEXT, NEXT_BITS)] } },
    } as never)
    for (let i = 0; i < 3; i++) {
      expect(await vault.adapt(adaptRequest('p0', 0, 1, true))).toMatchObject({
        outcome: 'match',
        kept: 'point',
      })
    }
  })
})

type Stage = 'none' | 'announced' | 'dual' | 'closed' | 'finished'
const STAGES: readonly Stage[] = ['none', 'announced', 'dual', 'closed', 'finished']

/** A realm in a stage, with one person of the old model unless it is finished. */
async function inStage(stage: Stage): Promise<ModelWorld & { readonly both: Vault }> {
  const world = await enrolled()
  if (stage === 'none') return { ...world, both: world.vault }
  await world.announce({ opensAt: new Date(world.clock.nowMs() + DAY) })
  const both = await world.dual()
  if (stage === 'dual') world.clock.advance(DAY)
  if (stage === 'closed' || stage === 'finished') world.clock.advance(30 * DAY)
  if (stage === 'finished') await finishModel({ ...world.place, rest: 'suspend' })
  return { ...world, both }
}

/** What the table of SPEC §11.14 says: a stage that it leads to, or a refusal. */
const TABLE: Readonly<Record<Stage, Readonly<Record<string, string>>>> = {
  none: {
    announce: 'dual',
    window: 'dual',
    withdraw: '-',
    finish: '-',
    move: 'ERR_VAULT_INPUT',
    old: 'made',
    new: 'ERR_VAULT_INPUT',
    other: 'announced',
  },
  announced: {
    announce: 'dual',
    window: 'announced',
    withdraw: 'none',
    finish: '-',
    move: 'model',
    old: 'made',
    new: '-',
    other: '-',
  },
  dual: {
    announce: 'dual',
    window: 'dual',
    withdraw: '-',
    finish: 'finished',
    move: 'moved',
    old: 'made',
    new: 'made',
    other: '-',
  },
  closed: {
    announce: 'dual',
    window: 'dual',
    withdraw: '-',
    finish: 'finished',
    move: 'model',
    old: '-',
    new: 'made',
    other: '-',
  },
  finished: {
    announce: '-',
    window: '-',
    withdraw: '-',
    finish: 'finished',
    move: 'refused',
    old: '-',
    new: 'made',
    other: '-',
  },
}

const REFUSED = new Set(['ERR_VAULT_TRANSITION', 'ERR_VAULT_MODEL'])

async function said(task: () => Promise<string>): Promise<string> {
  try {
    return await task()
  } catch (error) {
    const code = String((error as { code?: unknown }).code ?? error)
    return REFUSED.has(code) ? '-' : code
  }
}

describe('the table of a migration', () => {
  for (const stage of STAGES) {
    const ask: Readonly<Record<string, (world: ModelWorld & { readonly both: Vault }) => Promise<string>>> = {
      announce: async ({ announce }) => (await announce()).stage,
      window: async ({ announce, clock }) => {
        const now = clock.nowMs()
        const opensAt = stage === 'announced' ? { opensAt: new Date(now + DAY) } : {}
        return (await announce({ ...opensAt, closesAt: new Date(now + 9 * DAY) })).stage
      },
      withdraw: async ({ place }) => (await withdrawModel(place)).stage,
      finish: async ({ place }) => (await finishModel({ ...place, rest: 'suspend' })).migration.stage,
      move: async ({ both }) => {
        const decision = await both.adapt(adaptRequest('p0', 0, 1, true))
        if (decision.outcome !== 'match') return decision.outcome
        return decision.adapted === undefined ? decision.kept : 'moved'
      },
      old: async ({ both }) => {
        await both.enroll({ subject: 'more', ...sample(8), basis: basis() })
        return 'made'
      },
      new: async ({ both }) => {
        await both.enroll({ subject: 'more', ...nextSample(8), basis: basis() })
        return 'made'
      },
      other: async ({ announce, clock }) => {
        const to = {
          model: { ...NEXT, id: 'next@2' },
          operatingPoints: [point({ ...NEXT, id: 'next@2' }, 256)],
        }
        return (await announce({ to, opensAt: new Date(clock.nowMs() + DAY) })).stage
      },
    }
    for (const [verb, expected] of Object.entries(TABLE[stage])) {
      test(`VAULT-77 ${stage}: ${verb} is ${expected}`, async () => {
        const world = await inStage(stage)
        expect((await modelStatus(world.place)).stage).toBe(stage)
        expect(await said(() => (ask[verb] as (typeof ask)[string])(world))).toBe(expected)
        if (expected === '-') expect((await modelStatus(world.place)).stage).toBe(stage)
      })
    }
  }
})
