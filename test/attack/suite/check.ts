/** The assertion of the attack suite: every figure of a scenario is in the table, and within it (SPEC §15.7). @module */

import { expect } from 'vitest'
import { cryptoReady } from '../../../src/crypto/sodium.ts'
import { EXPECTED } from '../expected.ts'
import type { Circumstances } from './measure.ts'
import { SCENARIOS } from './scenarios.ts'
import { linesOf, textOf } from './table.ts'

/** @returns the values by name */
export async function checkScenario(
  scenario: string,
  circumstances: Circumstances,
): Promise<ReadonlyMap<string, number>> {
  await cryptoReady()
  const lines = await linesOf(scenario, circumstances)
  console.info([SCENARIOS[scenario]?.title, ...lines.map(textOf)].join('\n'))
  const smoke = circumstances.tier === 'smoke'
  const known = EXPECTED.filter((group) => group.scenario === scenario)
  const ofTier = known.filter(({ slow = false }) => slow !== smoke)
  // What has no rows of its own in the slow tier is measured there once more, with more trials.
  const wanted = (ofTier.length > 0 ? ofTier : known).flatMap(({ rows }) => rows.map(([name]) => name))
  const measured = lines.map(({ name }) => name)
  // Nothing is measured that the table does not know, and what the table knows of this tier is measured.
  expect(lines.filter(({ expectation }) => expectation === undefined)).toEqual([])
  expect(new Set(measured).size).toBe(measured.length)
  expect(wanted.filter((name) => !measured.includes(name))).toEqual([])
  if (smoke) expect(measured.filter((name) => !wanted.includes(name))).toEqual([])
  expect(lines.filter((line) => line.holds !== true).map(textOf)).toEqual([])
  return new Map(lines.map(({ name, value }) => [name, value]))
}
