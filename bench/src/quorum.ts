/** What does one holder's evaluation cost, beside a verifiable evaluation of noble's own OPRF? @module */

import { ristretto255_oprf } from '@noble/curves/ed25519.js'
import { evaluateShare, quorumInput } from '../../dist/quorum/evaluate.js'
import { dealQuorum, type QuorumShare } from '../../dist/quorum.js'
import { oursTwice, type Plan, type Scenario, type Series } from './scenario.ts'
import { timeBatches } from './timing.ts'

const NOBLE = 'noble VOPRF'

export const quorumScenario: Scenario = {
  name: 'quorum',
  question: 'one share holder evaluates and proves, against blindEvaluate of noble’s VOPRF on the same group',
  notes: [
    'ours: hash to the group, the evaluation and the proof’s nonce each as two multiplications by fresh summands, a hedged nonce; without receipt and store',
    'noble: reads the point, one multiplication each, no blinding',
  ],
  repeats: true,
  claims: [{ series: 'evaluate', over: { variant: NOBLE, series: 'evaluate' }, most: 2.2 }],
  variants: [...oursTwice(ours), { name: NOBLE, role: 'peer', run: noble }],
}

async function ours(plan: Plan): Promise<readonly Series[]> {
  const { key, shares } = dealQuorum({ realm: 'bench', epoch: 1, threshold: 2, holders: 3 })
  const share = shares[0] as QuorumShare
  key.shareKey(1)
  const record = new Uint8Array(16)
  const call = (turn: number): unknown => {
    record[0] = turn & 255
    return evaluateShare(
      share,
      quorumInput({ realm: key.realm, record, generation: new Uint8Array(20), epoch: 1 }),
    )
  }
  return timeBatches([{ name: 'evaluate', call }], plan)
}

async function noble(plan: Plan): Promise<readonly Series[]> {
  const { voprf } = ristretto255_oprf
  const { secretKey, publicKey } = voprf.generateKeyPair()
  const blinded = Array.from({ length: 16 }, (_, i) => voprf.blind(Uint8Array.of(i)).blinded)
  const call = (turn: number): unknown =>
    voprf.blindEvaluate(secretKey, publicKey, blinded[turn & 15] as Uint8Array)
  return timeBatches([{ name: 'evaluate', call }], plan)
}
