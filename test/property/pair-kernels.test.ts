/** The scores of pairs in WebAssembly are those of plain JavaScript and of the reference; a million in the slow run (SPEC §5–§7). @module */
import { expect, test, vi } from 'vitest'
import { fromBase64 } from '../../src/base/bytes.ts'
import { KERNEL } from '../../src/evaluate/pair-kernel.generated.ts'
import { pairKernel, portablePairKernel, scoreAt, startPairKernel } from '../../src/evaluate/pair-kernel.ts'
import { compileWith } from '../support/kernels.ts'
import { comparePairKernels, PAIR_FAULTS } from './pair-kernels.ts'

const SOURCE = 'src/evaluate/pair-kernel.as'
const REFERENCES = Number(process.env['GUISE_PAIR_REFERENCES_SMOKE'] ?? 400)
const sizes = { n: 512, rounds: 4, most: 512 } as const
const PORTABLE = portablePairKernel(sizes).constructor

test(`${5 * REFERENCES} random pairs over sizes, suites and extremes, some of them by the reference`, () => {
  const { differing, referenced, seen } = comparePairKernels(pairKernel, {
    references: REFERENCES,
    probesEach: 5,
    first: 0,
    referenceEvery: 20,
  })
  expect(pairKernel(sizes)).not.toBeInstanceOf(PORTABLE)
  expect(differing).toBe(0)
  expect(referenced).toBeGreaterThan(REFERENCES / 100)
  expect(seen.size).toBeGreaterThan(40)
})

test('a fault in the source is seen, and such a module is not used', { timeout: 120_000 }, () => {
  const [, text, replacement] = PAIR_FAULTS[1] as (typeof PAIR_FAULTS)[number]
  const zero = new WebAssembly.Module(bytesOf(compileWith(text, replacement, SOURCE)))
  const options = { references: 200, probesEach: 2, first: 0, referenceEvery: 200 }
  expect(comparePairKernels((size) => startPairKernel(size, zero), options).differing).toBeGreaterThan(0)
  const [, wrong, other] = PAIR_FAULTS[2] as (typeof PAIR_FAULTS)[number]
  expect(pairKernel(sizes, compileWith(wrong, other, SOURCE))).toBeInstanceOf(PORTABLE)
  expect(pairKernel(sizes)).not.toBeInstanceOf(PORTABLE)
})

test.each(['?', 'AAAA', 'AGFzbQEAAAA='])(
  'no module, or one without a memory, leaves the portable one: %s',
  (text) => {
    expect(pairKernel(sizes, text)).toBeInstanceOf(PORTABLE)
  },
)

test('so does a runtime that has no WebAssembly', () => {
  vi.stubGlobal('WebAssembly', undefined)
  try {
    expect(pairKernel(sizes, `${KERNEL} `)).toBeInstanceOf(PORTABLE)
  } finally {
    vi.unstubAllGlobals()
  }
})

test.each(['WebAssembly', 'JavaScript'])('nothing is left after wiping, in %s', (where) => {
  const kernel = where === 'JavaScript' ? portablePairKernel(sizes) : pairKernel(sizes)
  kernel.stream.fill(0x5a)
  const z = Int32Array.from({ length: 500 }, (_, i) => (i * 7919) % 90_001)
  kernel.turnTo(z)
  kernel.score(z)
  expect(kernel.scores[scoreAt(512) + 1]).toBeGreaterThan(0)
  expect(kernel.scores.length).toBe(scoreAt(512) + 3)
  kernel.wipe()
  // What lies behind 61,440 are constants of the module.
  for (const { buffer } of [kernel.stream, kernel.scores])
    expect(new Uint8Array(buffer).subarray(0, 61_440).every((byte) => byte === 0)).toBe(true)
})

function bytesOf(module: string): Uint8Array<ArrayBuffer> {
  return fromBase64(module) as Uint8Array<ArrayBuffer>
}
