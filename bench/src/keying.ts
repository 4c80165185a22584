/** How long does it take to make a rotation from a key? @module */

import { wipe } from '../../dist/base/bytes.js'
import { cryptoReady } from '../../dist/crypto/sodium.js'
import { turboshake128 } from '../../dist/crypto/xof.js'
import { keyStream } from '../../dist/transform/stream.js'
import { orthonormal } from './peers.ts'
import { pick } from './people.ts'
import { oursTwice, type Plan, type Scenario, type Series } from './scenario.ts'
import { timeBatches } from './timing.ts'

const N = 512
const KEYS = 16
const PEER = 'Gaussian matrix and Gram–Schmidt'

export const keyingScenario: Scenario = {
  name: 'keying',
  question:
    'from a 32-byte key to a rotation of 512 values, against an orthonormal matrix as BioHashing makes one',
  notes: ['ours: the key stream is all there is to set up; its wiping included'],
  repeats: true,
  claims: [{ series: 'key stream', over: { variant: PEER, series: 'matrix' }, most: 1e-4 }],
  variants: [...oursTwice(ours), { name: PEER, role: 'peer', run: gramSchmidt }],
}

async function ours(plan: Plan): Promise<readonly Series[]> {
  const keys = await makeKeys(plan)
  const call = (turn: number): number => {
    const stream = keyStream('B4', pick(keys, turn), N, N)
    const first = stream[0] as number
    wipe(stream)
    return first
  }
  return timeBatches([{ name: 'key stream', call }], plan)
}

async function gramSchmidt(plan: Plan): Promise<readonly Series[]> {
  const keys = await makeKeys(plan)
  const call = (turn: number): number => orthonormal(pick(keys, turn), N)[0] as number
  return timeBatches([{ name: 'matrix', call }], { ...plan, batches: Math.ceil(plan.batches / 10) })
}

async function makeKeys(plan: Plan): Promise<readonly Uint8Array[]> {
  await cryptoReady()
  const bytes = turboshake128(new TextEncoder().encode(plan.seed), 32 * KEYS)
  return Array.from({ length: KEYS }, (_, i) => bytes.slice(32 * i, 32 * (i + 1)))
}
