/** B11: what the members of a shard, but one, tell of that one; the size of a shard rests on it (SPEC §16.2, §19). @module */
import { beforeAll, describe, expect, test } from 'vitest'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { syntheticPeople } from '../../src/dataset/synthetic.ts'
import { loadPeople, type People } from '../../src/evaluate/people.ts'
import { shardCapacity } from '../../src/gallery/declaration.ts'
import { attackShards, gainOf, tableOf } from './shard.ts'

beforeAll(cryptoReady)

async function people(dimensions: number): Promise<People> {
  const dataset = syntheticPeople({ seed: 'shards', subjects: 600, samples: 2, dimensions })
  return await loadPeople(dataset, { model: { id: 'synthetic@1', dimensions, metric: 'cosine' } })
}

describe('B11 all members of a shard but one are known', () => {
  test.each([
    [512, 31],
    [128, 15],
  ])(
    'd = %i: %i pairs are too few',
    async (dimensions, known) => {
      expect(shardCapacity(dimensions) - 1).toBe(known)
      const faces = await people(dimensions)
      const trial = { bits: 512, targets: 300, seed: 'shard' } as const
      const figures = attackShards(faces, { ...trial, known: shardCapacity(dimensions) - 1 })
      console.info(tableOf(figures))
      expect(gainOf(figures).accepted['1e-4'].value).toBeLessThanOrEqual(0.1)
    },
    120_000,
  )
})
