/** The scan in WebAssembly finds what the portable one and the reference find (SPEC §16.5). @module */
import { expect, test } from 'vitest'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { startModule } from '../../src/gallery/assembly.ts'
import { compileWith } from '../support/kernels.ts'
import { compareScans, FAULTS } from './scan.ts'

const SEARCHES = Number(process.env['GUISE_SCAN_SEARCHES_SMOKE'] ?? 1500)

test(`GALLERY-13 ${SEARCHES} searches of random galleries, a few of them by the reference`, async () => {
  await cryptoReady()
  const searched = await compareScans({ searches: SEARCHES, first: 0, referenceEvery: 100 })
  expect(searched.differing).toBe(0)
  expect(searched.comparisons).toBeGreaterThan(30 * SEARCHES)
  expect(searched.hits).toBeGreaterThan(5 * SEARCHES)
  expect(searched.seen.size).toBeGreaterThan(150)
}, 120_000)

test('a fault in the source is seen: a plane of the wrong weight', { timeout: 120_000 }, async () => {
  const [, part, text, replacement] = FAULTS[0] as (typeof FAULTS)[number]
  const module = compileWith(text, replacement, 'src/gallery/scan.as', part)
  const { differing } = await compareScans({ searches: 100, first: 0, referenceEvery: 1000 }, () =>
    startModule(module),
  )
  expect(differing).toBeGreaterThan(20)
})
