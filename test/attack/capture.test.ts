/** Captures altered in every way: refused, for the reason that the reference gives, and nothing spent twice (SPEC §20). @module */
import { memoryStore } from 'guise'
import { expect, test } from 'vitest'
import { ALTERATIONS } from './capture-alterations.ts'
import { forgetsRecipient, keepsChallenges, runCaptures } from './capture-run.ts'

const CASES = 500

test('CAPTURE-6 CAPTURE-16 altered captures are refused in the order of the checks', async () => {
  const found = await runCaptures(CASES, 1)
  expect(found.faults).toEqual([])
  expect(found.accepted).toBeGreaterThan(CASES / ALTERATIONS)
  expect(Object.keys(found.byReason).length).toBe(16)
}, 60_000)

test('CAPTURE-2 control: a nonce that serves again is noticed', async () => {
  const { faults } = await runCaptures(ALTERATIONS, 2, undefined, () => keepsChallenges(memoryStore()))
  expect(faults.some((fault) => fault.includes('spent twice'))).toBe(true)
})

test('CAPTURE-5 control: a statement without a recipient is noticed', async () => {
  const { faults } = await runCaptures(ALTERATIONS, 3, forgetsRecipient)
  expect(faults.some((fault) => fault.includes('opened elsewhere and sent on: was accepted'))).toBe(true)
})
