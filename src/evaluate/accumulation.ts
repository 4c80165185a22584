/** Old templates of one person add up: what the next template makes of their common preimage (SPEC §15.6). @module */

import { wipe } from '../base/bytes.ts'
import type { Model } from '../embedding/model.ts'
import type { Bits } from '../policy/operating-point.ts'
import { accumulatedPreimage } from './accumulated-preimage.ts'
import type { AccumulationFigures } from './figures.ts'
import type { AttackOptions } from './inversion-attacks.ts'
import { acceptedAt, drawSubjects, mean } from './inversion-figures.ts'
import { chooseTargets, type Target, type ThresholdPair } from './inversion-plan.ts'
import type { Pace } from './pace.ts'
import type { People } from './people.ts'
import type { Population } from './population.ts'
import { cosineTo, integersOf } from './preimage.ts'
import { type Presented, present } from './presentation.ts'
import { seededKey } from './random.ts'
import type { BitGroup } from './scores.ts'
import { KEY_USES, type Thefts } from './theft.ts'

/** How many old templates are put together, where people have one capture more. */
const GENERATIONS = [1, 2, 4, 8] as const

export interface AccumulationPlan {
  /** The first capture of each is that of the template that is left, the others were stolen before it. */
  readonly targets: readonly (readonly number[])[]
  readonly generations: readonly number[]
}

/** All targets have captures for every number of generations, so that the numbers compare. */
export function planAccumulation(subjects: readonly (readonly number[])[], most: number): AccumulationPlan {
  const longest = Math.max(0, ...subjects.map((samples) => samples.length))
  const generations = GENERATIONS.filter((count) => count < longest)
  const needed = (generations.at(-1) ?? 0) + 1
  const able = subjects.filter((samples) => samples.length >= needed && needed > 1)
  const byFirst = new Map(
    able.flatMap((samples) => samples.map((sample, i) => [sample, { samples, i }] as const)),
  )
  const targets = chooseTargets(able, most).map(({ sample }: Target) => {
    const { samples, i } = byFirst.get(sample) as { samples: readonly number[]; i: number }
    return Array.from({ length: needed }, (_, step) => samples[(i + step) % samples.length] as number)
  })
  return { targets, generations }
}

export async function accumulate(
  people: People,
  { targets, generations }: AccumulationPlan,
  group: BitGroup,
  {
    thefts,
    population,
    coherence,
    thresholds,
  }: {
    readonly thefts: Thefts
    readonly population: Population
    readonly coherence: number
    readonly thresholds: ReadonlyMap<Bits, ThresholdPair>
  },
  { suite, seed, keys, replicates }: AttackOptions,
  pace: Pace,
): Promise<readonly AccumulationFigures[]> {
  const model: Model = { id: people.model, dimensions: people.dimensions, metric: 'cosine' }
  const first = (target: number): number => targets[target]?.[0] as number
  const draws = drawSubjects(
    targets.map((_, target) => people.subjectOf[first(target)] as number),
    replicates,
    seed,
  )
  const found: AccumulationFigures[] = []
  for (const count of generations) {
    const cosines = new Map(group.bits.map((m) => [m, new Float64Array(targets.length)]))
    const integers = new Map<Bits, Int32Array[]>(group.bits.map((m) => [m, []]))
    for (const [target, [other, ...old]] of targets.entries()) {
      const stolen = old.slice(0, count).map((sample) => thefts.take(sample, group))
      for (const m of group.bits) {
        const face = accumulatedPreimage(population, stolen, m, coherence)
        ;(cosines.get(m) as Float64Array)[target] = cosineTo(people, other as number, face)
        integers.get(m)?.push(integersOf(face, model))
        wipe(face)
      }
      await pace.step(1)
    }
    const at = (target: number, m: Bits): Int32Array => integers.get(m)?.[target] as Int32Array
    const presented: Presented[] = [{ name: 'prior', at, byBits: true }]
    const fresh = await present(
      people,
      targets.length,
      presented,
      {
        suite,
        group,
        thresholds,
        keys,
        keyOf: (_, key) => seededKey(seed, KEY_USES.fresh, key),
        referenceOf: first,
      },
      pace,
    )
    for (const bits of group.bits) {
      const shares = fresh.get('prior')?.get(bits)?.shares ?? []
      found.push({
        bits,
        generations: count,
        targets: targets.length,
        subjects: draws.subjects,
        cosineToOther: mean(cosines.get(bits) as Float64Array),
        prar: acceptedAt(shares, thresholds.get(bits) ?? [], draws),
      })
    }
    for (const all of integers.values()) wipe(...all)
  }
  return found
}
