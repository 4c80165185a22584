/** A realm's handle never touches another realm on PostgreSQL (I-58); counts differ by tier. @module */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestServer, testServer } from '../support/postgres.ts'
import { tenantModel } from './tenants.ts'

const CONTROL_STEPS = 40

export function tenantTests(steps: number, timeout: number): void {
  let server: TestServer

  beforeAll(async () => {
    server = await testServer(['max_connections=60'])
  }, 120_000)

  afterAll(async () => {
    await server?.stop()
  }, 60_000)

  test(`in ${steps} steps of five realms in one database no handle asks for, writes or tells of what is another’s`, {
    timeout,
  }, async () => {
    const { violations, ...tally } = await tenantModel(server.url, { steps, seed: 58_001 })
    console.info(`seed 58001: ${JSON.stringify(tally)}`)
    expect(violations).toEqual([])
    expect(tally.keysAsked).toBeGreaterThan(10 * steps)
    expect(tally.rowsWritten).toBeGreaterThan(2 * steps)
  })

  test.each(['reads', 'writes'] as const)(
    'the control that %s a row of another realm is caught',
    {
      timeout,
    },
    async (leaky) => {
      const { violations } = await tenantModel(server.url, { steps: CONTROL_STEPS, seed: 58_002, leaky })
      console.info(`seed 58002, ${leaky}: ${violations.length} violations`)
      expect(violations.length).toBeGreaterThan(0)
    },
  )
}
