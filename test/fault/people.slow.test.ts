/** 100,000 people and a purge that is killed twenty times; fewer with GUISE_PURGE_PEOPLE and GUISE_PURGE_KILLS. @module */
/// <reference types="node" />

import { expect, test } from 'vitest'
import { killCounted, killPurge } from './people-kill.ts'

const SUBJECTS = Number(process.env['GUISE_PURGE_PEOPLE'] ?? 100_000)
const KILLS = Number(process.env['GUISE_PURGE_KILLS'] ?? 20)

test('POLICY-43 many people, a purge killed many times: nothing early, late or left', {
  timeout: 7_200_000,
}, async () => {
  const { killed, ...faults } = await killPurge({ subjects: SUBJECTS, kills: KILLS, seed: 43_002 })
  expect(killed).toBe(KILLS)
  expect(faults).toEqual({ early: 0, late: 0, left: 0, unproven: 0 })
})

test('POLICY-45 eight processes, killed twenty times over: the count is that of the codes', {
  timeout: 3_600_000,
}, async () => {
  const { counted, stored } = await killCounted({ rounds: 20, processes: 8 })
  expect(counted).toBe(stored)
})
