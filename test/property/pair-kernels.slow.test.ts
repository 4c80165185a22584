/** A million random pairs to the kernels that score them, and every planted fault is seen (SPEC §5–§7). @module */
import { describe, expect, test } from 'vitest'
import { fromBase64 } from '../../src/base/bytes.ts'
import { pairKernel, startPairKernel } from '../../src/evaluate/pair-kernel.ts'
import { compileWith } from '../support/kernels.ts'
import { comparePairKernels, PAIR_FAULTS } from './pair-kernels.ts'

const PAIRS = Number(process.env['GUISE_PAIR_INPUTS'] ?? 1_000_000)

test(`${PAIRS} random pairs, the first of one reference in 500 by the reference implementation`, () => {
  const { differing, referenced, seen } = comparePairKernels(pairKernel, {
    references: Math.ceil(PAIRS / 4),
    probesEach: 4,
    first: 1_000_000,
    referenceEvery: 500,
  })
  console.info(`${PAIRS} pairs, ${referenced} by the reference, ${seen.size} combinations`)
  expect(differing).toBe(0)
  // 1, 2, 3, 4, 5, 5 and 5 numbers of bits for the sizes from 64 to 4096, two suites.
  expect(seen.size).toBe(50)
})

describe('faults in the source are seen', () => {
  test.each(PAIR_FAULTS)('%s', (_, text, replacement) => {
    const source = compileWith(text, replacement, 'src/evaluate/pair-kernel.as')
    const module = new WebAssembly.Module(fromBase64(source) as BufferSource)
    const { differing } = comparePairKernels((sizes) => startPairKernel(sizes, module), {
      references: 500,
      probesEach: 4,
      first: 0,
      referenceEvery: 500,
    })
    expect(differing).toBeGreaterThan(0)
  })
})
