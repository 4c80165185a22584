/** How long does it take to score a pair for a calibration? @module */

import { choosePairs } from '../../dist/evaluate/pairs.js'
import { loadPeople } from '../../dist/evaluate/people.js'
import { scorePairs } from '../../dist/evaluate/scores.js'
import { syntheticPeople } from '../../dist/testing.js'
import { cosine } from './peers.ts'
import { makePeople, modelOf, pick } from './people.ts'
import { oursTwice, type Plan, type Scenario, type Series } from './scenario.ts'
import { timeBatches } from './timing.ts'

const DIMENSIONS = 512
const BITS = 512
const COSINE = 'cosine in plain JavaScript'
const EACH = 'a pair'

export const evaluateScenario: Scenario = {
  name: 'evaluate',
  question: 'scoring pairs of a calibration, each under the key of its reference: 512 bits of d = 512',
  notes: [
    'ours: all of scorePairs, keys, grades and turns of the event loop included, over 1,000 people of 5 samples; 1 µs a pair is 1 s a million',
    'the peer knows no key: the cosine of two vectors',
  ],
  repeats: true,
  claims: [{ series: EACH, most: 4 }],
  variants: [...oursTwice(ours), { name: COSINE, role: 'peer', run: plainCosine }],
}

async function ours(plan: Plan): Promise<readonly Series[]> {
  const quick = plan.people < 256
  const subjects = quick ? 20 : 1000
  const dataset = syntheticPeople({ seed: plan.seed, subjects, samples: 5, dimensions: DIMENSIONS })
  const people = await loadPeople(dataset, { model: modelOf(DIMENSIONS) })
  const pairs = await choosePairs(people, { impostors: quick ? 2000 : 300_000, seed: plan.seed })
  const count = pairs.mated.references.length + pairs.nonMated.references.length
  const values: number[] = []
  for (let turn = 0; turn <= Math.ceil(plan.batches / 20); turn++) {
    const begin = performance.now()
    await scorePairs(people, pairs, { bits: [BITS], seed: plan.seed })
    // The first turn meets code that no compiler has settled yet.
    if (turn > 0) values.push(((performance.now() - begin) * 1000) / count)
  }
  people.dispose()
  return [{ name: EACH, unit: 'µs', values }]
}

async function plainCosine(plan: Plan): Promise<readonly Series[]> {
  const people = await makePeople(plan.seed, 256, DIMENSIONS)
  const call = (turn: number): number => cosine(pick(people, turn).vector, pick(people, turn + 1).vector)
  return timeBatches([{ name: EACH, call }], plan)
}
