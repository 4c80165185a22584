/** Histograms of similarities: whatever is compared, no released number is small (SPEC §11.9). @module */

import * as fc from 'fast-check'
import type { ScoreHistogram } from 'guise'
import { expect, test } from 'vitest'
import { ScoreWindow, scoreBin } from '../../src/vault/histogram.ts'

test('VAULT-21 every released number is 0 or at least 10, and together they are the window', () => {
  const bins = fc.array(fc.tuple(fc.nat(19), fc.integer({ min: 1, max: 400 })), {
    minLength: 1,
    maxLength: 60,
  })
  fc.assert(
    fc.property(bins, (runs) => {
      const window = new ScoreWindow()
      const all = runs.flatMap(([bin, times]) => Array.from({ length: times }, () => bin))
      const released: ScoreHistogram[] = []
      all.forEach((bin, i) => {
        const full = window.add(bin)
        expect(full !== undefined).toBe((i + 1) % 1000 === 0)
        if (full !== undefined) released.push(full)
      })
      released.forEach(({ counts, suppressed, total }, i) => {
        const truth = all.slice(1000 * i, 1000 * (i + 1))
        for (const number of [...counts, suppressed]) expect(number === 0 || number >= 10).toBe(true)
        expect(counts.reduce((sum, count) => sum + count, suppressed)).toBe(total)
        counts.forEach((count, bin) => {
          if (count > 0) expect(count).toBe(truth.filter((at) => at === bin).length)
        })
      })
    }),
    { numRuns: 100 },
  )
})

test('VAULT-21 a bin is where the similarity lies', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -7168, max: 7168 }),
      fc.integer({ min: 1, max: 50_176 }),
      fc.constantFrom(64, 128, 256, 512, 1024),
      (sum, energy, m) => {
        const bin = scoreBin(sum, energy, m)
        const similarity = sum / Math.sqrt(m * energy)
        expect(Number.isInteger(bin) && bin >= 0 && bin <= 19).toBe(true)
        if (bin > 0) expect(similarity).toBeGreaterThanOrEqual(bin / 20 - 1e-12)
        if (bin < 19) expect(similarity).toBeLessThan((bin + 1) / 20 + 1e-12)
      },
    ),
  )
})
