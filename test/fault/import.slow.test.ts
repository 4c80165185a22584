/** 100,000 rows, killed five times: nobody is lost, nobody is there twice, the checkpoint is never ahead. @module */

import { expect, test } from 'vitest'
import { killImport } from './import-kill.ts'

const ROWS = Number(process.env['GUISE_IMPORT_ROWS'] ?? 100_000)

test(`${ROWS} rows, killed five times: no duplicate, no loss`, async () => {
  const subjects = ROWS / 2
  const result = await killImport({ subjects, kills: 5, seed: 41_002 })
  console.info(`seed 41002: ${result.told} outcomes told, the last run began at row ${result.lastFrom}`)
  expect(result).toMatchObject({ killed: 5, failed: [], lost: [], strangers: [], ahead: [] })
  expect(result.tables).toEqual({
    index: subjects,
    states: subjects,
    references: subjects,
    secrets: subjects,
    attempts: subjects,
  })
  expect(result.lastFrom).toBeGreaterThan(ROWS / 5)
})
