/** Purges that are killed, counts and watches beside killed processes; 100,000 people are in the slow run. @module */

import { expect, test } from 'vitest'
import { killCounted, killPurge } from './people-kill.ts'
import { countSteps } from './people-steps.ts'
import { killWatchers } from './people-watch.ts'

const SUBJECTS = 150

test('POLICY-43 150 people, a purge killed twice: nothing early, late or left, every receipt once', {
  timeout: 240_000,
}, async () => {
  const { killed, residue, ...faults } = await killPurge({ subjects: SUBJECTS, kills: 2, seed: 43_001 })
  expect(killed).toBe(2)
  expect(residue.after).toBe(0)
  expect(faults).toEqual({ early: 0, late: 0, left: 0, unproven: 0 })
})

test('POLICY-43 control: a purge that takes no bound for a bound of nothing is caught', {
  timeout: 240_000,
}, async () => {
  const from = 'fromMs + Math.round(days * DAY_MS)'
  const mutation = { file: 'src/policy/retention.ts', from, to: 'fromMs' }
  const { early } = await killPurge({ subjects: 30, kills: 0, seed: 1, mutation })
  expect(early).toBe(10)
})

test('POLICY-50 a copy before a purge holds every piece of what is erased, a copy after it none', {
  timeout: 240_000,
}, async () => {
  const { residue } = await killPurge({ subjects: 60, kills: 0, seed: 50 })
  expect(residue.of).toBe(20 * 6)
  // Pages of a copy may repeat what other pages of it hold.
  expect(residue.before).toBeGreaterThanOrEqual(residue.of)
  expect(residue.after).toBe(0)
})

test('POLICY-45 100 steps: after each the count by the log is that of rows and model; a model that forgets is seen', {
  timeout: 120_000,
}, async () => {
  const { most, wrong } = await countSteps({ steps: 100, seed: 45_001 })
  expect([most > 20, wrong]).toEqual([true, 0])
  expect((await countSteps({ steps: 40, seed: 45_001, forget: 7 })).wrong).toBeGreaterThan(0)
})

test('POLICY-45 three processes killed twice over: the count is that of the codes', {
  timeout: 240_000,
}, async () => {
  const { counted, stored, verbs } = await killCounted({ rounds: 2, processes: 3 })
  expect(verbs).toBeGreaterThanOrEqual(240)
  expect(stored).toBeGreaterThan(0)
  expect(counted).toBe(stored)
})

test('POLICY-45 control: a count that takes every revocation for one person less is caught', {
  timeout: 240_000,
}, async () => {
  const mutation = {
    file: 'src/vault/lives.ts',
    from: "if (life.stands === 'kept') {",
    to: "this.#people -= 1\n      if (life.stands === 'kept') {",
  }
  const { counted, stored } = await killCounted({ rounds: 1, processes: 2, mutation })
  expect(counted).not.toBe(stored)
})

const WATCHED = { rounds: 2, workers: 3, verbs: 60, watchers: 2, readings: 15, thresholds: [3, 5, 8, 12, 16] }

test('POLICY-56 workers and watchers killed twice over: every crossing is told of', {
  timeout: 240_000,
}, async () => {
  const { killed, crossings, events, missed } = await killWatchers(WATCHED)
  expect(killed).toBe(10)
  expect(crossings).toBeGreaterThan(4)
  expect(missed).toBe(0)
  expect(events).toBeGreaterThan(0)
})

test('POLICY-56 control: a watch that forgets a crossing when the number is lower again is caught', {
  timeout: 240_000,
}, async () => {
  const mutation = {
    file: 'src/vault/watch-people.ts',
    from: 'mark.below = true',
    to: '{ mark.below = true; mark.due = false }',
  }
  // Nobody looks before the end, when the number has been above the threshold and is below.
  const thresholds = Array.from({ length: 60 }, (_, i) => 1 + i)
  // Most rounds end below a threshold that they had crossed; not each does.
  let missed = 0
  for (let round = 0; round < 20 && missed === 0; round++) {
    const told = await killWatchers({ ...WATCHED, thresholds, rounds: 1, watchers: 0, mutation })
    expect(told.crossings).toBeGreaterThan(0)
    missed = told.missed
  }
  expect(missed).toBeGreaterThan(0)
})
