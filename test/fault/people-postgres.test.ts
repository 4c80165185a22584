/** Retention, count and crossings on PostgreSQL beside killed processes; 100,000 people are in the slow run. @module */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestServer, testServer } from '../support/postgres.ts'
import { killCounted, killPurge } from './people-kill.ts'
import { killWatchers } from './people-watch.ts'

let server: TestServer

beforeAll(async () => {
  // One of its own, whose files can be read.
  server = await testServer(['max_connections=60'])
}, 120_000)

afterAll(async () => {
  await server?.stop()
}, 60_000)

test('POLICY-43, POLICY-75 on PostgreSQL 90 people, a purge killed twice: nothing early, late or left, no piece after VACUUM FULL', {
  timeout: 240_000,
}, async () => {
  const { killed, residue, ...faults } = await killPurge({ subjects: 90, kills: 2, seed: 43_003, server })
  expect(killed).toBe(2)
  expect(faults).toEqual({ early: 0, late: 0, left: 0, unproven: 0 })
  expect(residue.of).toBe(30 * 6)
  expect(residue.before).toBeGreaterThanOrEqual(residue.of)
  expect(residue.after).toBe(0)
})

test('POLICY-43, POLICY-75 control on PostgreSQL: a purge without bounds, and a server that samples rows for its planner, are caught', {
  timeout: 240_000,
}, async () => {
  const from = 'fromMs + Math.round(days * DAY_MS)'
  const mutation = { file: 'src/policy/retention.ts', from, to: 'fromMs' }
  const { early, residue } = await killPurge({
    subjects: 90,
    kills: 0,
    seed: 1,
    mutation,
    server,
    sampled: true,
  })
  expect(early).toBe(30)
  expect(residue.after).toBeGreaterThan(0)
})

test('POLICY-45 on PostgreSQL three processes killed: the count is that of the codes, and a false count is caught', {
  timeout: 240_000,
}, async () => {
  const { counted, stored, verbs } = await killCounted({ rounds: 1, processes: 3, server })
  expect(verbs).toBeGreaterThanOrEqual(120)
  expect(stored).toBeGreaterThan(0)
  expect(counted).toBe(stored)
  const mutation = {
    file: 'src/vault/lives.ts',
    from: "if (life.stands === 'kept') {",
    to: "this.#people -= 1\n      if (life.stands === 'kept') {",
  }
  const control = await killCounted({ rounds: 1, processes: 2, mutation, server })
  expect(control.counted).not.toBe(control.stored)
})

test('POLICY-56 on PostgreSQL workers and watchers killed: every crossing is told of', {
  timeout: 240_000,
}, async () => {
  const thresholds = [3, 5, 8, 12, 16]
  const told = await killWatchers({
    rounds: 1,
    workers: 3,
    verbs: 50,
    watchers: 1,
    readings: 10,
    thresholds,
    server,
  })
  expect(told.killed).toBe(4)
  expect(told.crossings).toBeGreaterThan(2)
  expect(told.missed).toBe(0)
})
