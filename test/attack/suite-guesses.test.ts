/** The attack suite, smoke tier: guessing and asking, and the table itself (SPEC §15.7). @module */
import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { EXPECTED, HOLDERS } from './expected.ts'
import { checkScenario } from './suite/check.ts'
import { SCENARIOS } from './suite/scenarios.ts'
import { syntheticCircumstances } from './suite/synthetic.ts'
import { holdersText } from './suite/table.ts'

const CIRCUMSTANCES = syntheticCircumstances('smoke')
const TIMEOUT = 120_000

test('EVALUATE-50 every attack from B01 to B25 is held by figures or tests that exist, or says that nothing holds it', () => {
  console.info(holdersText())
  const ids = Array.from({ length: 25 }, (_, i) => `B${String(i + 1).padStart(2, '0')}`)
  expect(Object.keys(HOLDERS)).toEqual(ids)
  for (const [attack, { figures, tests, missing }] of Object.entries(HOLDERS)) {
    expect([attack, figures.length + tests.length > 0]).toEqual([attack, missing === undefined])
    for (const file of tests)
      expect([file, existsSync(new URL(`../${file}`, import.meta.url))]).toEqual([file, true])
    for (const key of figures) expect(SCENARIOS[key]?.attack.split(' ')).toContain(attack)
  }
})

test('EVALUATE-50 every expected value has a tolerance, a reason and a scenario, and stands once', () => {
  const names = EXPECTED.flatMap(({ scenario, rows }) => rows.map(([name]) => `${scenario}: ${name}`))
  expect(new Set(names).size).toBe(names.length)
  expect([...new Set(EXPECTED.map(({ scenario }) => scenario))].sort()).toEqual(Object.keys(SCENARIOS).sort())
  for (const { why, rows } of EXPECTED) {
    expect(why.length).toBeGreaterThan(10)
    for (const [, expected, tolerance] of rows) {
      expect(Number.isFinite(expected)).toBe(true)
      expect(tolerance).toBeGreaterThanOrEqual(0)
    }
  }
})

test(
  'EVALUATE-54 B01 rows alone tell nothing of each other and open nothing',
  async () => {
    await checkScenario('withoutKeys', CIRCUMSTANCES)
  },
  TIMEOUT,
)

test(
  'EVALUATE-57 B05 accuracy with the right key, coins with a wrong one',
  async () => {
    await checkScenario('accuracy', CIRCUMSTANCES)
  },
  TIMEOUT,
)

test(
  'EVALUATE-57 B15 B16 B25 a dictionary opens templates with their keys, some people sooner than others',
  async () => {
    await checkScenario('dictionary', CIRCUMSTANCES)
  },
  TIMEOUT,
)

test(
  'EVALUATE-57 B15 what a thief can guess at all is decided by custody',
  async () => {
    await checkScenario('custody', CIRCUMSTANCES)
  },
  TIMEOUT,
)

test(
  'EVALUATE-55 B12 a cosine that is told gives the face away',
  async () => {
    await checkScenario('cosineOracle', CIRCUMSTANCES)
  },
  TIMEOUT,
)

test(
  'EVALUATE-55 B13 so does a score under a secret key',
  async () => {
    await checkScenario('scoreOracle', CIRCUMSTANCES)
  },
  TIMEOUT,
)

test(
  'EVALUATE-56 B14 decisions without a limit',
  async () => {
    await checkScenario('decisions', CIRCUMSTANCES)
  },
  TIMEOUT,
)

test(
  'EVALUATE-56 B14 decisions of a vault, its limiter on',
  async () => {
    await checkScenario('limited', CIRCUMSTANCES)
  },
  TIMEOUT,
)
