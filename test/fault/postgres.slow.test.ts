/** The trials of the store on PostgreSQL in full counts, with their controls (I-15, I-16). @module */

import { expect, test } from 'vitest'
import { type OwnServer, type TestServer, testServer } from '../support/postgres.ts'
import { crashTrial, cutTrial } from './postgres-trials.ts'

const CUTS = Number(process.env['GUISE_POSTGRES_CUTS'] ?? 2000)
const CRASHES = Number(process.env['GUISE_POSTGRES_CRASHES'] ?? 300)
const ACKNOWLEDGED = Number(process.env['GUISE_POSTGRES_ACKNOWLEDGED'] ?? 360)

async function withServer<Result>(
  settings: readonly string[],
  work: (server: TestServer & { readonly own: OwnServer }) => Promise<Result>,
): Promise<Result> {
  const server = (await testServer(['max_connections=60', ...settings])) as TestServer & {
    readonly own: OwnServer
  }
  try {
    return await work(server)
  } finally {
    await server.stop()
  }
}

test(`STORE-17 ${CUTS} connections cut at random bytes`, async () => {
  const result = await withServer([], (server) => cutTrial(server, { cuts: CUTS, seed: 42001 }))
  console.info('seed 42001', result)
  expect(result).toMatchObject({ untyped: [], off: 0, torn: 0 })
  expect(result.cuts).toBeGreaterThanOrEqual(CUTS)
  expect(result.slowestMs).toBeLessThan(10_000)
})

test(`STORE-16 ${CRASHES} servers ended at once under 4 to 16 writers lose nothing that was acknowledged`, async () => {
  const result = await withServer([], (server) =>
    crashTrial(server, { crashes: CRASHES, writers: [4, 16], acknowledged: ACKNOWLEDGED, seed: 42002 }),
  )
  console.info('seed 42002', result)
  expect(result.lost).toBe(0)
  expect(result.acknowledged).toBeGreaterThan(0.9 * ACKNOWLEDGED * CRASHES)
})

test('the control on a server that answers before it flushes loses some', async () => {
  const result = await withServer(['synchronous_commit=off', 'wal_writer_delay=10s'], (server) =>
    crashTrial(server, { crashes: 10, writers: [4, 16], acknowledged: 90, seed: 42003, unsafe: true }),
  )
  console.info('seed 42003, control', result)
  expect(result.lost).toBeGreaterThan(0)
})
