/** The same, 10,000 times (SPEC §20). @module */
import { expect, test } from 'vitest'
import { runCaptures } from './capture-run.ts'

test('10,000 altered captures are refused in the order of the checks', async () => {
  const found = await runCaptures(10_000, 20)
  expect(found.faults).toEqual([])
  expect(Object.keys(found.byReason).length).toBe(16)
})
