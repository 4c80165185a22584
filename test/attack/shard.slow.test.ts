/** B11 on faces of your own: GUISE_DATA names a folder of sets, GUISE_SETS some of them; synthetic people without (SPEC §16.2). @module */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import type { Dataset } from '../../src/dataset/dataset.ts'
import { openDataset } from '../../src/dataset/open.ts'
import { syntheticPeople } from '../../src/dataset/synthetic.ts'
import { loadPeople } from '../../src/evaluate/people.ts'
import { shardCapacity } from '../../src/gallery/declaration.ts'
import { attackShards, gainOf, type ShardFigures, tableOf } from './shard.ts'

const {
  GUISE_DATA: folder,
  GUISE_SETS: names,
  GUISE_SHARDS: sizes = '',
  GUISE_BITS: bits = '512',
} = process.env
const TARGETS = 400
const ONE_KEY = 1024
const SHRINKAGES = [0.2, 0.5, 0.8]

async function sets(): Promise<readonly Dataset[]> {
  if (folder === undefined) {
    return [512, 128].map((dimensions) =>
      syntheticPeople({ seed: 'shards', subjects: 1000, samples: 2, dimensions }),
    )
  }
  const chosen = names?.split(',') ?? readdirSync(folder).filter((name) => !name.includes('.'))
  return await Promise.all(chosen.map((name) => openDataset(join(folder, name))))
}

test('B11 shards of several sizes, and one key for all', async () => {
  await cryptoReady()
  for (const dataset of await sets()) {
    const { dimensions } = dataset
    const model = { id: 'measured@1', dimensions, metric: 'cosine' } as const
    const people = await loadPeople(dataset, { model })
    const own = shardCapacity(dimensions, Number(bits))
    const members = [...new Set([own, ...sizes.split(',').filter(Boolean).map(Number)])]
    const trial = { bits: Number(bits) as 512, targets: TARGETS, seed: 'shard', shrinkages: SHRINKAGES }
    console.info(`## ${dataset.name}: d = ${dimensions}, g = ${bits}, shards of ${own}`)
    let shard: ShardFigures | undefined
    for (const count of members) {
      const figures = attackShards(people, { ...trial, known: count - 1 })
      shard ??= figures
      console.info(tableOf(figures))
      // Lets the line out before the next minutes.
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    const shared = attackShards(people, { ...trial, known: ONE_KEY, oneKeyGroups: 10 })
    console.info(`one key for all\n${tableOf(shared)}`)
    const gains = [shard as ShardFigures, shared].map((figures) => gainOf(figures).accepted['1e-4'].value)
    expect(gains[1]).toBeGreaterThan(2 * (gains[0] as number))
    people.dispose()
  }
})
