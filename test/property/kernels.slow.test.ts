/** A million random inputs to the kernels, and every planted fault is seen (SPEC §5, §6). @module */
import { describe, expect, test } from 'vitest'
import { startModule } from '../../src/transform/assembly.ts'
import { builtKernel, compileWith } from '../support/kernels.ts'
import { compareKernels, FAULTS } from './kernels.ts'

const INPUTS = Number(process.env['GUISE_KERNEL_INPUTS'] ?? 1_000_000)

test(`${INPUTS} random inputs, one in 500 by the reference`, () => {
  const { differing, referenced, seen } = compareKernels(builtKernel(), {
    inputs: INPUTS,
    first: 1_000_000,
    referenceEvery: 500,
  })
  console.info(`${INPUTS} inputs, ${referenced} by the reference, ${seen.size} combinations`)
  expect(differing).toBe(0)
  // 7 sizes, 2 suites, 6 kinds of values, 3 of streams, in the workspace or not.
  expect(seen.size).toBe(7 * 2 * 6 * 3 * 2)
})

describe('faults in the source are seen', () => {
  test.each(FAULTS)('%s', (_, text, replacement) => {
    const faulty = startModule(compileWith(text, replacement))
    const { differing } = compareKernels(faulty, { inputs: 2000, first: 0, referenceEvery: 2000 })
    expect(differing).toBeGreaterThan(0)
  })
})
