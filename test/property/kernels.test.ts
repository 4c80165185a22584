/** The kernel in WebAssembly computes the integers of the portable one and of the reference; a million inputs in the slow run (SPEC §5, §6). @module */
import { expect, test } from 'vitest'
import { startModule } from '../../src/transform/assembly.ts'
import { builtKernel, compileWith } from '../support/kernels.ts'
import { compareKernels, FAULTS } from './kernels.ts'

const INPUTS = Number(process.env['GUISE_KERNEL_INPUTS_SMOKE'] ?? 4000)

test(`${INPUTS} random inputs over sizes, suites and extremes, a few of them by the reference`, () => {
  const { differing, referenced, seen } = compareKernels(builtKernel(), {
    inputs: INPUTS,
    first: 0,
    referenceEvery: 40,
  })
  expect(differing).toBe(0)
  expect(referenced).toBeGreaterThan(INPUTS / 100)
  expect(seen.size).toBeGreaterThan(400)
})

test('a fault in the source is seen: a shift of another round', { timeout: 120_000 }, () => {
  const [, text, replacement] = FAULTS[0] as (typeof FAULTS)[number]
  const faulty = startModule(compileWith(text, replacement))
  expect(compareKernels(faulty, { inputs: 500, first: 0, referenceEvery: 500 }).differing).toBeGreaterThan(50)
})
