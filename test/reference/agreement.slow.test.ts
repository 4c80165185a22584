/** The library agrees with the reference on 10,000 random inputs over d, m and both suites (SPEC §3–§7). @module */
import { beforeAll, expect, test } from 'vitest'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { expectAgreement, inputOf } from './agreement.ts'

beforeAll(cryptoReady)

const FIRST = 1_000_000
const INPUTS = 10_000

test('10,000 random inputs', () => {
  const seen = new Set<string>()
  for (let i = FIRST; i < FIRST + INPUTS; i++) {
    const input = inputOf(i)
    seen.add(`${input.d} ${input.m} ${input.suite}`)
    expectAgreement(input, `input ${i}`)
  }
  expect(seen.size).toBe(50)
})
