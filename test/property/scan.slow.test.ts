/** A million comparisons of a probe with a code by the scan in WebAssembly and by the portable one; faults in its source are seen (SPEC §16.5). @module */
import { beforeAll, describe, expect, test } from 'vitest'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { startModule } from '../../src/gallery/assembly.ts'
import { compileWith } from '../support/kernels.ts'
import { compareScans, FAULTS } from './scan.ts'

const COMPARISONS = Number(process.env['GUISE_SCAN_COMPARISONS'] ?? 1_000_000)
const SEARCHES = 2000

beforeAll(cryptoReady)

test(`GALLERY-13 ${COMPARISONS} comparisons`, { timeout: 1_800_000 }, async () => {
  let comparisons = 0
  for (let first = 10_000; comparisons < COMPARISONS; first += SEARCHES) {
    const searched = await compareScans({ searches: SEARCHES, first, referenceEvery: 200 })
    expect(searched.differing).toBe(0)
    comparisons += searched.comparisons
  }
})

describe('faults in the source', () => {
  test.each(FAULTS)('%s', { timeout: 300_000 }, async (_, part, text, replacement) => {
    const module = compileWith(text, replacement, 'src/gallery/scan.as', part)
    const { differing } = await compareScans({ searches: 600, first: 0, referenceEvery: 10_000 }, () =>
      startModule(module),
    )
    expect(differing).toBeGreaterThan(0)
  })
})
