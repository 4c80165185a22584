/** The library agrees with the reference: 1,500 random inputs here, 10,000 in the slow run (SPEC §3–§9). @module */
import { beforeAll, describe, expect, test } from 'vitest'
import { accepts } from '../../src/compare/decide.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { expectAgreement, inputOf } from './agreement.ts'
import * as plain from './compare.ts'

beforeAll(cryptoReady)

const INPUTS = 1500

describe('random inputs', () => {
  test.each(Array.from({ length: 10 }, (_, i) => i))('tenth %i of 1,500', (tenth) => {
    for (let i = (INPUTS / 10) * tenth; i < (INPUTS / 10) * (tenth + 1); i++)
      expectAgreement(inputOf(i), `input ${i}`)
  })

  test('all dimensions, sizes and suites are among them', () => {
    const seen = new Set(
      Array.from({ length: INPUTS }, (_, i) => inputOf(i)).map(({ d, m, suite }) => `${d} ${m} ${suite}`),
    )
    expect(seen.size).toBe(50)
  })
})

test('the decision in doubles is that of integers of any size, at and beside the boundary', () => {
  let compared = 0
  for (const m of [64, 128, 256, 512, 1024]) {
    for (let i = 0; i < 2000; i++) {
      const energy = 1 + ((i * 7919) % (49 * m))
      const T = 1 + ((i * 104_729) % 10_000)
      const boundary = Math.floor((T * Math.sqrt(m * energy)) / 10_000)
      for (const sum of [boundary - 1, boundary, boundary + 1, -boundary]) {
        expect(accepts(sum, energy, m, T)).toBe(plain.accepts({ sum, energy }, m, T))
        compared++
      }
    }
  }
  expect(compared).toBe(40_000)
})
