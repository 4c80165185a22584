/** Four processes: verifies during rotation and reissue, races for one subject (I-24, I-25); the full run is slow. @module */

import { beforeAll, expect, test } from 'vitest'
import { compile } from './compile.ts'
import { VAULT_FOLDERS } from './vault-folders.ts'
import { raceTrial, type StormResult, stormTrial } from './vault-storm-trial.ts'

const PEOPLE = Number(process.env['GUISE_STORM_PEOPLE_SMOKE'] ?? 600)
const VERIFIES = Number(process.env['GUISE_STORM_VERIFIES_SMOKE'] ?? 1500)
const RACES = Number(process.env['GUISE_RACES_SMOKE'] ?? 6)
const timeout = 240_000
let compiled = ''

beforeAll(() => {
  compiled = compile({ folders: VAULT_FOLDERS })
}, 120_000)

function told({ busy, idle, ...rest }: StormResult): string {
  const worst = (tallies: typeof busy): string => Math.max(...tallies.map(({ p99Ms }) => p99Ms)).toFixed(1)
  const transient = busy.map((tally) => JSON.stringify(tally.transient)).join(' ')
  return `${JSON.stringify(rest)}; p99 ${worst(idle)} ms before, ${worst(busy)} ms during; tried again: ${transient}`
}

test(`VAULT-13 ${VERIFIES} verifies of ${PEOPLE} people during rotation and reissue: none wrong`, {
  timeout,
}, async () => {
  const result = await stormTrial({ compiled, people: PEOPLE, verifies: VERIFIES, seed: 24001 })
  console.info(`seed 24001: ${told(result)}`)
  expect([...result.idle, ...result.busy].flatMap(({ wrong }) => wrong)).toEqual([])
  expect([...result.idle, ...result.busy].flatMap(({ errors }) => errors)).toEqual([])
  expect(result.verifies).toBeGreaterThanOrEqual(VERIFIES)
  expect(Math.min(...result.busy.map(({ nonmatches }) => nonmatches))).toBeGreaterThan(0)
  expect(result.wrapped).toBeGreaterThan(PEOPLE / 10)
  expect(result.reissues).toBeGreaterThan(0)
})

test('the control that deletes a wrap before it writes the next is caught', { timeout }, async () => {
  const control = { people: 64, verifies: 1500, seed: 24002, torn: true }
  const { busy } = await stormTrial({ compiled, ...control })
  const caught = busy.flatMap(({ wrong, errors }) => [...wrong, ...errors])
  console.info(`seed 24002, control: ${caught.length} wrong or failed`)
  expect(caught.length).toBeGreaterThan(0)
})

test(`VAULT-3 ${RACES} races of 64 for one subject: one winner a generation, nothing left of the others`, {
  timeout,
}, async () => {
  const result = await raceTrial({ compiled, rounds: RACES })
  console.info(JSON.stringify({ ...result, faults: result.faults.length }))
  expect(result.faults).toEqual([])
  expect(result.enrolled).toBe(RACES)
  expect(result.calls).toBe(64 * (RACES + Math.ceil(RACES / 5)))
})

test('the control that writes without compare-and-set has more winners', { timeout }, async () => {
  const { faults } = await raceTrial({ compiled, rounds: 20, variant: 'blind' })
  console.info(`control: ${faults[0]}`)
  expect(faults.length).toBeGreaterThan(0)
})
