/** The people of the suite who do not exist, loaded when they are first asked for (SPEC §15.7). @module */

import type { Dataset } from '../../../src/dataset/dataset.ts'
import { syntheticPeople } from '../../../src/dataset/synthetic.ts'
import { loadPeople, type People } from '../../../src/evaluate/people.ts'
import type { Circumstances, Tier } from './measure.ts'

const DIMENSIONS = 512
const SEED = 'attacks'

/** Smoke: 1,000 people of two samples, slow: 3,000. Beside them 6,000 whom the thief knows, and 30,000 whose codes are aligned. */
export function syntheticCircumstances(tier: Tier, seed: string = SEED): Circumstances {
  return {
    seed,
    tier,
    people: once(`${seed} people`, tier === 'smoke' ? 1000 : 3000, 2),
    others: once(`${seed} others`, 6000, 1),
    crowd: once(`${seed} crowd`, 30_000, 1),
  }
}

function once(seed: string, subjects: number, samples: number): () => Promise<People> {
  let people: Promise<People> | undefined
  return () => {
    people ??= loadPeople(syntheticPeople({ seed, subjects, samples, dimensions: DIMENSIONS }), {
      model: { id: 'synthetic@1', dimensions: DIMENSIONS, metric: 'cosine' },
    })
    return people
  }
}

/** People of a data set: half of them is all that the thief knows, and their codes are the ones to align. */
export function circumstancesOf(dataset: Dataset, tier: Tier, seed: string): Circumstances {
  let people: Promise<People> | undefined
  const open = (): Promise<People> => {
    people ??= loadPeople(dataset, {
      model: { id: 'measured@1', dimensions: dataset.dimensions, metric: 'cosine' },
    })
    return people
  }
  return { seed, tier, people: open, crowd: open }
}
