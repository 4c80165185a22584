/** What holds for every comparison (SPEC §7). @module */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { accepts } from '../../src/compare/decide.ts'
import { score, similarity } from '../../src/compare/score.ts'
import { Probe } from '../../src/template/probe.ts'
import * as reference from '../reference/compare.ts'

const sizes = fc.constantFrom(64, 128, 256, 512, 1024)

const comparisons = sizes.chain((m) =>
  fc.record({
    m: fc.constant(m),
    code: fc.uint8Array({ minLength: m / 8, maxLength: m / 8 }),
    mask: fc.uint8Array({ minLength: m / 8, maxLength: m / 8 }),
    q: fc.array(fc.integer({ min: -7, max: 7 }), { minLength: m, maxLength: m }),
  }),
)

test('sum and energy are those of the reference', () => {
  fc.assert(
    fc.property(comparisons, ({ code, mask, q }) => {
      const probe = new Probe(Int8Array.from(q), Uint8Array.from(mask))
      expect(score(code, probe)).toEqual(reference.score(code, { q, mask }))
    }),
  )
})

test('the opposite code has the opposite score', () => {
  fc.assert(
    fc.property(comparisons, ({ code, mask, q }) => {
      const probe = new Probe(Int8Array.from(q), Uint8Array.from(mask))
      const inverted = score(
        code.map((byte) => byte ^ 255),
        probe,
      )
      expect(inverted.sum + score(code, probe).sum).toBe(0)
    }),
  )
})

/** Sums and energies that can occur, and sums around the boundary of a threshold. */
const decisions = sizes.chain((m) =>
  fc
    .record({ energy: fc.integer({ min: 0, max: 49 * m }), threshold: fc.integer({ min: 1, max: 10_000 }) })
    .chain(({ energy, threshold }) =>
      fc.record({
        m: fc.constant(m),
        energy: fc.constant(energy),
        threshold: fc.constant(threshold),
        sum: fc.oneof(
          fc.integer({ min: -7 * m, max: 7 * m }),
          fc
            .integer({ min: -2, max: 2 })
            .map((offset) => Math.round((threshold * Math.sqrt(m * energy)) / 10_000) + offset),
        ),
      }),
    ),
)

test('the decision is exact: it agrees with integers of any size', () => {
  fc.assert(
    fc.property(decisions, ({ sum, energy, m, threshold }) => {
      expect(accepts(sum, energy, m, threshold)).toBe(reference.accepts({ sum, energy }, m, threshold))
    }),
    { numRuns: 5000 },
  )
})

test('a higher score or a lower threshold never turns an acceptance into a refusal', () => {
  fc.assert(
    fc.property(decisions, ({ sum, energy, m, threshold }) => {
      fc.pre(accepts(sum, energy, m, threshold))
      expect(accepts(sum + 1, energy, m, threshold)).toBe(true)
      if (threshold > 1) expect(accepts(sum, energy, m, threshold - 1)).toBe(true)
    }),
  )
})

test('the similarity lies within −1 and 1 and fits the decision', () => {
  fc.assert(
    fc.property(comparisons, fc.integer({ min: 1, max: 10_000 }), ({ m, code, mask, q }, threshold) => {
      const { sum, energy } = score(code, new Probe(Int8Array.from(q), Uint8Array.from(mask)))
      const found = similarity(sum, energy, m)
      expect(Math.abs(found)).toBeLessThanOrEqual(1)
      if (Math.abs(found * 10_000 - threshold) > 1e-6) {
        expect(accepts(sum, energy, m, threshold)).toBe(found * 10_000 > threshold)
      }
    }),
  )
})
