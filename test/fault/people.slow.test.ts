/** 100,000 people and a purge that is killed twenty times; fewer with GUISE_PURGE_PEOPLE and GUISE_PURGE_KILLS. @module */
/// <reference types="node" />

import { expect, test } from 'vitest'
import { killCounted, killPurge } from './people-kill.ts'

const SUBJECTS = Number(process.env['GUISE_PURGE_PEOPLE'] ?? 100_000)
const KILLS = Number(process.env['GUISE_PURGE_KILLS'] ?? 20)

test('POLICY-43 many people, a purge killed many times: nothing early, late or left', {
  timeout: 7_200_000,
}, async () => {
  const begun = Date.now()
  const { killed, residue, ...faults } = await killPurge({ subjects: SUBJECTS, kills: KILLS, seed: 43_002 })
  console.log(JSON.stringify({ SUBJECTS, killed, ...faults, residue, seconds: (Date.now() - begun) / 1000 }))
  expect(killed).toBe(KILLS)
  expect(faults).toEqual({ early: 0, late: 0, left: 0, unproven: 0 })
  expect(residue.of).toBe(Math.ceil(SUBJECTS / 3) * 6)
  // Pages of a copy may repeat what other pages of it hold.
  expect(residue.before).toBeGreaterThanOrEqual(residue.of)
  expect(residue.after).toBe(0)
})

test('POLICY-45 eight processes, killed twenty times over: the count is that of the codes', {
  timeout: 3_600_000,
}, async () => {
  const { counted, stored } = await killCounted({ rounds: 20, processes: 8 })
  expect(counted).toBe(stored)
})
