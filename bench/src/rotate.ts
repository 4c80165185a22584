/** How long does the keyed rotation take, against a dense matrix? @module */

import { wipe } from '../../dist/base/bytes.js'
import { cryptoReady } from '../../dist/crypto/sodium.js'
import { turboshake128 } from '../../dist/crypto/xof.js'
import { embedding, toIntegers } from '../../dist/embedding/embedding.js'
import { portableKernel } from '../../dist/transform/kernel.js'
import { kernel, rotate } from '../../dist/transform/rotate.js'
import { keyStream } from '../../dist/transform/stream.js'
import { compileAssembly, compileClang } from './native.ts'
import { multiply } from './peers.ts'
import { makePeople, modelOf, pick } from './people.ts'
import { oursTwice, type Plan, type Scenario, type Series } from './scenario.ts'
import { timeBatches } from './timing.ts'

const N = 512
const VECTORS = 16
const ROUNDS = 4
/** Behind what clang puts at the beginning of a memory: its stack. */
const MATRIX_AT = 2 ** 17
const PAGES = 20
const DENSE = 'dense matrix, plain JavaScript'
const DENSE_VECTORS = 'dense matrix, WebAssembly with vectors'
const DENSE_CLANG = 'dense matrix, C by clang to WebAssembly with vectors'
const CHOSEN = 'kernel'
const PORTABLE = 'kernel in JavaScript'

export const rotateScenario: Scenario = {
  name: 'rotate',
  question: 'rotating 512 values by 4 rounds, key stream ready, against a dense 512 × 512 matrix',
  notes: [
    'rotate: into a buffer of its own, from buffers of the caller; wiping of the result included',
    'kernel: what a template is made with, in its own workspace; beside it the one in JavaScript, which runs where WebAssembly has no vectors',
    'two peers in WebAssembly: a loop that a compiler turns into vectors, which the goal was set against, and one that takes four rows at once by hand and is twice as fast',
    'one matrix of 1 MiB, again and again: it stays in the cache of the processor where nobody else wants that, as one for each record would not; in WebAssembly matrix, vector and result lie in its memory',
  ],
  repeats: true,
  claims: [
    { series: 'rotate', over: { variant: DENSE, series: 'multiply' }, most: 0.1 },
    { series: CHOSEN, over: { variant: DENSE, series: 'multiply' }, most: 1 / 60 },
    { series: CHOSEN, over: { variant: DENSE_VECTORS, series: 'multiply' }, most: 1 / 10 },
    { series: CHOSEN, over: { variant: DENSE_CLANG, series: 'multiply' }, most: 1 / 10 },
    { series: PORTABLE, over: { variant: 'guise', series: CHOSEN }, most: 10 },
  ],
  variants: [
    ...oursTwice(ours),
    { name: DENSE, role: 'peer', run: dense },
    { name: DENSE_VECTORS, role: 'peer', run: denseVectors },
    { name: DENSE_CLANG, role: 'peer', run: denseClang },
  ],
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
  const people = await makePeople(plan.seed, VECTORS)
  const matrix = await makeMatrix()
  const out = new Float32Array(N)
  const call = (turn: number): number => multiply(matrix, pick(people, turn).vector, out)[0] as number
  return timeBatches([{ name: 'multiply', call }], plan)
}

async function denseVectors(plan: Plan): Promise<readonly Series[]> {
  return await timeModule(plan, await compileAssembly('dense.as'))
}

async function denseClang(plan: Plan): Promise<readonly Series[]> {
  const module = compileClang('dense.c')
  return module === undefined ? [] : await timeModule(plan, module)
}

async function timeModule(plan: Plan, module: WebAssembly.Module): Promise<readonly Series[]> {
  const people = await makePeople(plan.seed, VECTORS)
  const memory = new WebAssembly.Memory({ initial: PAGES })
  const { exports } = new WebAssembly.Instance(module, { env: { memory } })
  const product = exports['multiply'] as (matrix: number, vector: number, out: number, n: number) => void
  const matrix = await makeMatrix()
  const vectorAt = MATRIX_AT + matrix.byteLength
  const outAt = vectorAt + 4 * N
  new Float32Array(memory.buffer, MATRIX_AT, matrix.length).set(matrix)
  const vector = new Float32Array(memory.buffer, vectorAt, N)
  const out = new Float32Array(memory.buffer, outAt, N)
  const call = (turn: number): number => {
    vector.set(pick(people, turn).vector)
    product(MATRIX_AT, vectorAt, outAt, N)
    return out[0] as number
  }
  const expected = multiply(matrix, pick(people, 0).vector, new Float32Array(N))
  if (!(Math.abs(call(0) - (expected[0] as number)) < 1e-4)) throw new Error('the product is wrong')
  return timeBatches([{ name: 'multiply', call }], plan)
}

async function makeMatrix(): Promise<Float32Array> {
  await cryptoReady()
  return Float32Array.from(turboshake128(new Uint8Array(32), N * N), (byte) => (byte - 127.5) / 128)
}
