/** Thieves of a realm under a quorum: GUISE_STOLEN templates, GUISE_REVOKED revocations. */
import { expect, test } from 'vitest'
import { putBack, stealTemplates } from './quorum-custody.ts'

const STOLEN = Number(process.env['GUISE_STOLEN'] ?? 10_000)
const REVOKED = Number(process.env['GUISE_REVOKED'] ?? 1000)

test('QUORUM-35 no stolen template opens without t shares, and with t each does', async () => {
  expect(await stealTemplates(STOLEN)).toEqual({
    templates: STOLEN,
    alone: 0,
    withOne: 0,
    withTwo: STOLEN,
    withAnother: 0,
  })
}, 7_200_000)

test('QUORUM-35 an old backup brings no revoked generation back', async () => {
  const { said, ...counts } = await putBack(REVOKED)
  expect(counts).toEqual({ revoked: REVOKED, matched: 0, opened: 0, control: 5, forgotten: 5 })
  expect(new Set(said)).toEqual(new Set(['ERR_QUORUM_REVOKED']))
}, 7_200_000)
