/** The attack suite, smoke tier: code and key are stolen together (SPEC §15.7). @module */
import { expect, test } from 'vitest'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { syntheticPeople } from '../../src/dataset/synthetic.ts'
import { checkScenario } from './suite/check.ts'
import { SCENARIOS } from './suite/scenarios.ts'
import { circumstancesOf, syntheticCircumstances } from './suite/synthetic.ts'

const CIRCUMSTANCES = syntheticCircumstances('smoke')
const TIMEOUT = 120_000

test(
  'EVALUATE-53 B02 the linear preimage, and that it gives the stored bits again',
  async () => {
    await checkScenario('linear', CIRCUMSTANCES)
  },
  TIMEOUT,
)

test(
  'EVALUATE-53 B03 B04 preimages with a prior, and who accepts them',
  async () => {
    await checkScenario('accepted', CIRCUMSTANCES)
  },
  TIMEOUT,
)

test(
  'EVALUATE-53 B06 with both keys codes are linkable',
  async () => {
    await checkScenario('linkedByKeys', CIRCUMSTANCES)
  },
  TIMEOUT,
)

test(
  'EVALUATE-53 B07 several old codes with their keys',
  async () => {
    await checkScenario('accumulated', CIRCUMSTANCES)
  },
  TIMEOUT,
)

test(
  'EVALUATE-59 the same seed gives the same figures, another one others',
  async () => {
    await cryptoReady()
    const values = async (scenario: string, seed: string): Promise<readonly number[]> => {
      const figures = await SCENARIOS[scenario]?.run({ ...CIRCUMSTANCES, seed })
      return (figures ?? []).map(({ value }) => value)
    }
    for (const scenario of ['linear', 'accumulated', 'sharedKey']) {
      const once = await values(scenario, 'one')
      expect(once.length).toBeGreaterThan(4)
      expect(await values(scenario, 'one')).toEqual(once)
      expect(await values(scenario, 'two')).not.toEqual(once)
    }
  },
  TIMEOUT,
)

test('a data set of one’s own is attacked alike, with as many bits as it has dimensions', async () => {
  const dataset = syntheticPeople({ seed: 'own', subjects: 300, samples: 2, dimensions: 128 })
  const figures = await SCENARIOS['linkedByKeys']?.run(circumstancesOf(dataset, 'smoke', 'own'))
  expect(figures?.map(({ name }) => name)).toEqual(['m = 128: D_sys'])
  expect(figures?.[0]?.value).toBeGreaterThan(0.8)
})
