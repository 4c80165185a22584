/** B11: what the members of a shard, but one, tell of that one; the size of a shard rests on it (SPEC §16.2, §19). @module */
import { beforeAll, describe, expect, test } from 'vitest'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { syntheticPeople } from '../../src/dataset/synthetic.ts'
import { loadPeople, type People } from '../../src/evaluate/people.ts'
import { shardCapacity } from '../../src/gallery/declaration.ts'
import { attackShards, gainOf, tableOf } from './shard.ts'

beforeAll(cryptoReady)

const TRIAL = { bits: 512, targets: 300, seed: 'shard', shrinkages: [0.8] } as const

async function people(dimensions: number): Promise<People> {
  const dataset = syntheticPeople({ seed: 'shards', subjects: 400, samples: 2, dimensions })
  return await loadPeople(dataset, { model: { id: 'synthetic@1', dimensions, metric: 'cosine' } })
}

describe('B11 all members of a shard but one are known, face and code', () => {
  // Synthetic faces have a known spectrum and no tails: their thresholds are lower than those of real models, and a thief gains more.
  test.each([
    [512, 0.311, 0.28],
    [128, 0.427, 0.073],
  ])(
    'd = %i: the preimage of the last one is poor',
    async (dimensions, cosine, accepted) => {
      const figures = attackShards(await people(dimensions), {
        ...TRIAL,
        known: shardCapacity(dimensions, TRIAL.bits) - 1,
      })
      console.info(tableOf(figures))
      const gain = gainOf(figures)
      expect(Math.abs(gain.cosine - cosine)).toBeLessThan(0.03)
      expect(Math.abs(gain.accepted['1e-4'].value - accepted)).toBeLessThan(0.1)
      // What the estimators are measured with: nothing known, and everything.
      expect(figures.gains.get('mean face')!.accepted['1e-3'].value).toBeLessThan(0.02)
      expect(figures.gains.get('the face itself')!.accepted['1e-4'].value).toBeGreaterThan(0.95)
    },
    120_000,
  )

  test('the control: one key for 512 members gives them away', async () => {
    const figures = attackShards(await people(512), {
      ...TRIAL,
      shrinkages: [],
      known: 511,
      oneKeyGroups: 3,
    })
    console.info(tableOf(figures))
    expect(figures.known).toBe(511)
    expect(gainOf(figures).accepted['1e-4'].value).toBeGreaterThan(0.85)
  }, 120_000)

  test('GALLERY-4 a key serves as many insertions as this attack was measured with', () => {
    const sizes = [64, 128, 200, 256, 512, 1024, 4096]
    expect(sizes.map((d) => shardCapacity(d, 64))).toEqual([8, 16, 25, 32, 32, 32, 32])
    expect(sizes.map((d) => shardCapacity(d, 512))).toEqual([8, 16, 24, 24, 24, 32, 32])
  })
})
