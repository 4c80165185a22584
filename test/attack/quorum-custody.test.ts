/** Thieves of a realm under a quorum, few of them: `quorum-custody.slow.test.ts` has many. */
import { expect, test } from 'vitest'
import { putBack, stealTemplates } from './quorum-custody.ts'

test('QUORUM-35 of 50 stolen templates none opens without t shares, and with t each does', async () => {
  expect(await stealTemplates(50)).toEqual({
    templates: 50,
    alone: 0,
    withOne: 0,
    withTwo: 50,
    withAnother: 0,
  })
}, 120_000)

test('QUORUM-35 of 20 revoked generations an old backup brings none back', async () => {
  const { said, ...counts } = await putBack(20)
  expect(counts).toEqual({ revoked: 20, matched: 0, opened: 0, control: 5, forgotten: 5 })
  expect(new Set(said)).toEqual(new Set(['ERR_QUORUM_REVOKED']))
}, 120_000)
