/** How long does the keyed rotation take, against a dense matrix? @module */

import { wipe } from '../../dist/base/bytes.js'
import { cryptoReady } from '../../dist/crypto/sodium.js'
import { turboshake128 } from '../../dist/crypto/xof.js'
import { embedding, toIntegers } from '../../dist/embedding/embedding.js'
import { rotate } from '../../dist/transform/rotate.js'
import { keyStream } from '../../dist/transform/stream.js'
import { multiply } from './peers.ts'
import { makePeople, modelOf, pick } from './people.ts'
import { oursTwice, type Plan, type Scenario, type Series } from './scenario.ts'
import { timeBatches } from './timing.ts'

const N = 512
const VECTORS = 16

export const rotateScenario: Scenario = {
  name: 'rotate',
  question: 'rotating 512 values by 4 rounds, key stream ready, against a dense 512 × 512 matrix',
  notes: ['JavaScript kernel; wiping of the result included', 'the matrix is kept, 1 MiB of it'],
  repeats: true,
  claims: [
    { series: 'rotate', over: { variant: 'dense matrix, plain JavaScript', series: 'multiply' }, most: 0.1 },
  ],
  variants: [...oursTwice(ours), { name: 'dense matrix, plain JavaScript', role: 'peer', run: dense }],
}

async function ours(plan: Plan): Promise<readonly Series[]> {
  const people = await makePeople(plan.seed, VECTORS)
  const model = modelOf(N)
  const works = people.map(({ vector, subject }) => ({
    integers: toIntegers(embedding(vector, model)),
    stream: keyStream('B4', turboshake128(new TextEncoder().encode(subject), 32), N, N),
  }))
  const call = (turn: number): number => {
    const { integers, stream } = pick(works, turn)
    const values = rotate(integers, 'B4', N, stream)
    const first = values[0] as number
    wipe(values)
    return first
  }
  return timeBatches([{ name: 'rotate', call }], plan)
}

async function dense(plan: Plan): Promise<readonly Series[]> {
  await cryptoReady()
  const people = await makePeople(plan.seed, VECTORS)
  const matrix = Float32Array.from(turboshake128(new Uint8Array(32), N * N), (byte) => (byte - 127.5) / 128)
  const out = new Float32Array(N)
  const call = (turn: number): number => multiply(matrix, pick(people, turn).vector, out)[0] as number
  return timeBatches([{ name: 'multiply', call }], plan)
}
