/** What was taken back and must not count: whole stores, single rows (I-21, I-22); counts differ by tier. @module */
import { describe, expect, test, vi } from 'vitest'
import { Ledger } from '../../src/audit/ledger.ts'
import { poolOf, testServer } from '../support/postgres.ts'
import { putStoresBack, type RollbackTally } from './rollback.ts'
import { type ErasureTally, eraseAndDestroy } from './rollback-erasure.ts'
import { postgresPlaces } from './rollback-places.ts'
import { putRowsBack } from './rollback-rows.ts'

export interface Counts {
  readonly stores: number
  /** Of a store on PostgreSQL. */
  readonly dumps: number
  readonly rows: number
  /** Backups of 30 people each. */
  readonly backups: number
}

export function rollbackTests(counts: Counts, timeout: number): void {
  describe('whole stores', () => {
    test(`${counts.stores} old copies put back are refused, or refuse whoever was revoked since`, {
      timeout,
    }, async () => {
      const seed = 21_001
      judge(seed, counts.stores, await putStoresBack(counts.stores, seed))
    })

    test(`${counts.dumps} old dumps put back on PostgreSQL are refused, or refuse whoever was revoked since`, {
      timeout,
    }, async () => {
      const seed = 21_002
      const server = await testServer()
      const pool = poolOf(server.url, 16)
      try {
        judge(seed, counts.dumps, await putStoresBack(counts.dumps, seed, postgresPlaces(pool)))
      } finally {
        await pool.end()
        await server.stop()
      }
    })
  })

  describe('single rows', () => {
    test(`${counts.rows} old rows put back are refused at the next verify, in three vaults`, {
      timeout,
    }, async () => {
      const seed = 22_001
      const { missed, codes, ...tally } = await putRowsBack(counts.rows, seed)
      console.info(`seed ${seed}: ${JSON.stringify({ ...tally, codes: Object.fromEntries(codes) })}`)
      expect(missed).toEqual([])
      expect(tally.trials).toBe(counts.rows)
      for (const kind of Object.values(tally.byKind)) expect(kind).toBeGreaterThan(counts.rows / 10)
      expect(tally.unwritten).toBeGreaterThan(0)
    })

    test('the control that takes every row for the newest misses them', { timeout }, async () => {
      const last = vi.spyOn(Ledger.prototype, 'isLast').mockReturnValue(true)
      const ring = vi.spyOn(Ledger.prototype, 'isLastRing').mockReturnValue(true)
      try {
        const { missed } = await putRowsBack(40, 22_002, false)
        console.info(`seed 22002, control: ${missed.length} missed in 40 trials`)
        expect(missed.length).toBeGreaterThan(5)
      } finally {
        last.mockRestore()
        ring.mockRestore()
      }
    })
  })

  describe('the erased in backups', () => {
    const { backups } = counts
    test(`${30 * backups} templates in ${backups} backups open before the destruction, none after it`, {
      timeout,
    }, async () => {
      const tally = await eraseAndDestroy(backups, 23_001)
      console.info(`seed 23001: ${JSON.stringify(tally)}`)
      const openings = 30 * backups
      expect(tally).toEqual<ErasureTally>({
        backups,
        openings,
        openedBefore: openings,
        openedAfter: 0,
        promised: 30,
        confirmedBefore: 0,
        confirmedAfter: 30,
        stays: 1,
      })
    })
  })
}

function judge(seed: number, trials: number, { faults, ...tally }: RollbackTally): void {
  console.info(`seed ${seed}: ${JSON.stringify(tally)}`)
  expect(faults).toEqual([])
  expect(tally).toMatchObject({ trials, unsaid: 0 })
  expect(tally.refused).toBeGreaterThan(trials / 2)
  // The control: with the anchor of that day people match that were revoked since.
  expect(tally.revived).toBeGreaterThan(trials / 10)
}
