/** 100,000 people and a purge that is killed twenty times, on either store; fewer with GUISE_PURGE_PEOPLE and GUISE_PURGE_KILLS. @module */
/// <reference types="node" />

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type TestServer, testServer } from '../support/postgres.ts'
import { killCounted, killPurge } from './people-kill.ts'
import { countSteps } from './people-steps.ts'
import { killWatchers } from './people-watch.ts'

const SUBJECTS = Number(process.env['GUISE_PURGE_PEOPLE'] ?? 100_000)
const KILLS = Number(process.env['GUISE_PURGE_KILLS'] ?? 20)

describe.each(['LMDB', 'PostgreSQL'])('on %s', (store) => {
  let server: TestServer | undefined

  if (store === 'PostgreSQL') {
    beforeAll(async () => {
      // One of its own, whose files can be read.
      server = await testServer(['max_connections=100'])
    }, 120_000)
    afterAll(async () => {
      await server?.stop()
    }, 60_000)
  }

  /** The store of a trial. */
  const where = () => (server === undefined ? {} : { server })

  test('POLICY-43 many people, a purge killed many times: nothing early, late or left', {
    timeout: 7_200_000,
  }, async () => {
    const begun = Date.now()
    const { killed, residue, ...faults } = await killPurge({
      subjects: SUBJECTS,
      kills: KILLS,
      seed: 43_002,
      ...where(),
    })
    console.log(
      JSON.stringify({ store, SUBJECTS, killed, ...faults, residue, seconds: (Date.now() - begun) / 1000 }),
    )
    expect(killed).toBe(KILLS)
    expect(faults).toEqual({ early: 0, late: 0, left: 0, unproven: 0 })
    expect(residue.of).toBe(Math.ceil(SUBJECTS / 3) * 6)
    // Pages of a copy may repeat what other pages of it hold.
    expect(residue.before).toBeGreaterThanOrEqual(residue.of)
    expect(residue.after).toBe(0)
  })

  test('POLICY-45 10,000 steps: after each the count by the log is that of rows and model', {
    timeout: 3_600_000,
  }, async () => {
    const counted = await countSteps({ steps: 10_000, seed: 45_002, ...where() })
    console.log(JSON.stringify({ store, ...counted }))
    expect(counted).toMatchObject({ done: 10_000, wrong: 0 })
    expect(counted.most).toBeGreaterThan(20)
  })

  test('POLICY-45 eight processes, killed twenty times over: the count is that of the codes', {
    timeout: 3_600_000,
  }, async () => {
    const { counted, stored, verbs } = await killCounted({ rounds: 20, processes: 8, ...where() })
    console.log(JSON.stringify({ store, counted, stored, verbs }))
    expect(counted).toBe(stored)
  })

  test('POLICY-56 100,000 people by four processes, watchers killed meanwhile: 90,000 and 100,000 are told of once', {
    timeout: 3_600_000,
  }, async () => {
    const begun = Date.now()
    const people = Math.max(100, SUBJECTS)
    const thresholds = [0.9 * people, people]
    const rounds = 10
    const told = await killWatchers({
      rounds,
      workers: 4,
      verbs: 0,
      fill: Math.ceil((1.002 * people) / (4 * rounds)),
      watchers: 2,
      readings: 5,
      thresholds,
      ...where(),
    })
    console.log(JSON.stringify({ store, people, ...told, seconds: (Date.now() - begun) / 1000 }))
    expect(told).toMatchObject({ crossings: 2, events: 2, missed: 0 })
    expect(told.killed).toBe(2 * rounds)
  })

  test('POLICY-56 eight workers and three watchers, killed twenty times over: every crossing is told of', {
    timeout: 3_600_000,
  }, async () => {
    const thresholds = [5, 10, 20, 30, 40, 50, 60]
    const told = await killWatchers({
      rounds: 20,
      workers: 8,
      verbs: 60,
      watchers: 3,
      readings: 15,
      thresholds,
      ...where(),
    })
    console.log(JSON.stringify({ store, ...told }))
    expect(told.missed).toBe(0)
  })
})
