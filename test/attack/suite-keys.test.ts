/** The attack suite, smoke tier: one key for many codes (SPEC §15.7). @module */
import { expect, test } from 'vitest'
import { checkScenario } from './suite/check.ts'
import { syntheticCircumstances } from './suite/synthetic.ts'

const CIRCUMSTANCES = syntheticCircumstances('smoke')
const TIMEOUT = 120_000

test(
  'EVALUATE-52 B08 known pairs give what a dense random key gives, and no more',
  async () => {
    await checkScenario('sharedKey', CIRCUMSTANCES)
  },
  TIMEOUT,
)

test(
  'EVALUATE-51 EVALUATE-52 B09 searches of rank one break weak keys, and B4 and B6 not above the baseline',
  async () => {
    await checkScenario('structure', CIRCUMSTANCES)
  },
  TIMEOUT,
)

test(
  'EVALUATE-51 EVALUATE-52 B09 the Gram matrix of halves shows the exchanges of two rounds, not of three, B4 or B6',
  async () => {
    await checkScenario('halvesOfColumns', CIRCUMSTANCES)
  },
  TIMEOUT,
)

test(
  'EVALUATE-52 B09 known whole, two rounds have a signature, B4 and B6 none',
  async () => {
    await checkScenario('exactMatrix', CIRCUMSTANCES)
  },
  TIMEOUT,
)

test(
  'EVALUATE-54 B10 codes of one key are aligned without a pair, codes of own keys are not',
  async () => {
    const values = await checkScenario('unsupervised', CIRCUMSTANCES)
    expect(values.get('one key: cosine')).toBeGreaterThan(5 * Math.abs(values.get('own keys: cosine') ?? 1))
  },
  TIMEOUT,
)
