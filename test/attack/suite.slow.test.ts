/** The attack suite in full: every scenario with more people, pairs and targets (SPEC §15.7). @module */
import { test } from 'vitest'
import { checkScenario } from './suite/check.ts'
import { SCENARIOS } from './suite/scenarios.ts'
import { syntheticCircumstances } from './suite/synthetic.ts'

const CIRCUMSTANCES = syntheticCircumstances('slow')

test.each(Object.keys(SCENARIOS))('%s', async (scenario) => {
  await checkScenario(scenario, CIRCUMSTANCES)
})
