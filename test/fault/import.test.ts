/** An import that is killed five times neither loses nor doubles anybody; 100,000 rows are in the slow run. @module */

import { expect, test } from 'vitest'
import { killImport } from './import-kill.ts'

test('600 rows, killed five times: no duplicate, no loss', { timeout: 240_000 }, async () => {
  const subjects = 300
  const result = await killImport({ subjects, kills: 5, seed: 41_001 })
  expect(result).toMatchObject({ killed: 5, failed: [], lost: [], strangers: [], ahead: [] })
  expect(result.tables).toEqual({
    index: subjects,
    states: subjects,
    references: subjects,
    secrets: subjects,
    attempts: subjects,
  })
})
