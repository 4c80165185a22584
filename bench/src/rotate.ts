/** How long does the keyed rotation take, against a dense matrix? @module */

import { wipe } from '../../dist/base/bytes.js'
import { cryptoReady } from '../../dist/crypto/sodium.js'
import { turboshake128 } from '../../dist/crypto/xof.js'
import { embedding, toIntegers } from '../../dist/embedding/embedding.js'
import { portableKernel } from '../../dist/transform/kernel.js'
import { kernel, rotate } from '../../dist/transform/rotate.js'
import { keyStream } from '../../dist/transform/stream.js'
import { multiply } from './peers.ts'
import { makePeople, modelOf, pick } from './people.ts'
import { oursTwice, type Plan, type Scenario, type Series } from './scenario.ts'
import { timeBatches } from './timing.ts'

const N = 512
const VECTORS = 16
const ROUNDS = 4
const DENSE = 'dense matrix, plain JavaScript'
const CHOSEN = 'kernel'
const PORTABLE = 'kernel in JavaScript'

export const rotateScenario: Scenario = {
  name: 'rotate',
  question: 'rotating 512 values by 4 rounds, key stream ready, against a dense 512 × 512 matrix',
  notes: [
    'rotate: into a buffer of its own, from buffers of the caller; wiping of the result included',
    'kernel: what a template is made with, in its own workspace; beside it the one in JavaScript, which runs where WebAssembly has no vectors',
    'the matrix is kept, 1 MiB of it',
  ],
  repeats: true,
  claims: [
    { series: 'rotate', over: { variant: DENSE, series: 'multiply' }, most: 0.1 },
    { series: CHOSEN, over: { variant: DENSE, series: 'multiply' }, most: 1 / 60 },
    { series: PORTABLE, over: { variant: 'guise', series: CHOSEN }, most: 10 },
  ],
  variants: [...oursTwice(ours), { name: DENSE, role: 'peer', run: dense }],
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
  const [first] = works as [(typeof works)[number]]
  const alone = [
    [CHOSEN, kernel()],
    [PORTABLE, portableKernel],
  ] as const
  const kernels = alone.map(([name, each]) => {
    const space = each.workspace(N, first.stream.length)
    space.values.set(first.integers)
    space.stream.set(first.stream)
    // Rotated again and again: the work does not depend on the values, whose norm stays.
    return { name, call: () => each.rotate(space.values, ROUNDS, space.stream) }
  })
  return timeBatches([{ name: 'rotate', call }, ...kernels], plan)
}

async function dense(plan: Plan): Promise<readonly Series[]> {
  await cryptoReady()
  const people = await makePeople(plan.seed, VECTORS)
  const matrix = Float32Array.from(turboshake128(new Uint8Array(32), N * N), (byte) => (byte - 127.5) / 128)
  const out = new Float32Array(N)
  const call = (turn: number): number => multiply(matrix, pick(people, turn).vector, out)[0] as number
  return timeBatches([{ name: 'multiply', call }], plan)
}
