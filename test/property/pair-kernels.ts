/** Random references and probes to two pair kernels, which must compute the same (SPEC §5–§7). @module */
import { type PairKernel, portablePairKernel, scoreAt } from '../../src/evaluate/pair-kernel.ts'
import { BITS, type Suite, suiteParameters } from '../../src/transform/suite.ts'
import { quantise } from '../reference/template.ts'
import { rotate } from '../reference/transform.ts'
import { equal, fillValues, KINDS, SIZES, Words } from './kernels.ts'

export interface PairComparison {
  readonly references: number
  readonly probesEach: number
  readonly first: number
  /** The first probe of one in so many references is computed by the slow reference too. */
  readonly referenceEvery: number
}

/** How many probes were scored otherwise, how many by the reference, and which combinations occurred. */
export interface ComparedPairs {
  readonly differing: number
  readonly referenced: number
  readonly seen: ReadonlySet<string>
}

type Start = (sizes: Parameters<typeof portablePairKernel>[0]) => PairKernel

export function comparePairKernels(start: Start, comparison: PairComparison): ComparedPairs {
  const { references, probesEach, first, referenceEvery } = comparison
  const seen = new Set<string>()
  const kernels = new Map<string, readonly [PairKernel, PairKernel]>()
  let differing = 0
  let referenced = 0
  for (let i = first; i < first + references; i++) {
    const words = new Words(i)
    const n = words.pick(SIZES)
    const suite: Suite = words.pick(['B4', 'B6'])
    const most = words.pick(BITS.filter((bits) => bits <= n))
    const sizes = { n, rounds: suiteParameters(suite).rounds, most }
    const name = `${n} ${suite} ${most}`
    const pair = kernels.get(name) ?? [start(sizes), portablePairKernel(sizes)]
    kernels.set(name, pair)
    const [kernel, portable] = pair
    words.fillBytes(portable.stream)
    kernel.stream.set(portable.stream)
    const z = (): Int32Array => {
      // Shorter than the rotation now and then: the rest is padding.
      const values = new Int32Array(words.pick([n, n, n - 1, n / 2 + 1]))
      fillValues(values, words.pick(KINDS), words)
      return values
    }
    const enrolled = z()
    kernel.turnTo(enrolled)
    portable.turnTo(enrolled)
    for (let probe = 0; probe < probesEach; probe++) {
      const presented = z()
      kernel.score(presented)
      portable.score(presented)
      let same = equal(kernel.scores, portable.scores) && equal(kernel.stream, portable.stream)
      if (probe === 0 && i % referenceEvery === 0 && fits(enrolled) && fits(presented)) {
        same &&= byReference(kernel, enrolled, presented, { suite, n, most })
        referenced++
      }
      if (!same) differing++
    }
    seen.add(name)
  }
  return { differing, referenced, seen }
}

/** Whether all sums of a rotation fit into 32 bits, as those of embeddings do. */
function fits(z: Int32Array): boolean {
  return z.reduce((sum, value) => sum + value * value, 0) <= 2 ** 41
}

function byReference(
  kernel: PairKernel,
  enrolled: Int32Array,
  presented: Int32Array,
  sizes: { readonly suite: Suite; readonly n: number; readonly most: number },
): boolean {
  const { suite, n, most } = sizes
  const rotated = (z: Int32Array): readonly number[] => {
    const padded = [...z, ...new Array<number>(n - z.length).fill(0)]
    return rotate(padded, suite, n, Uint8Array.from(kernel.stream)).values
  }
  const [signs, values] = [rotated(enrolled), rotated(presented)]
  const q = quantise(values, most)
  return BITS.filter((bits) => bits <= most).every((bits) => {
    let [sum, energy, differing] = [0, 0, 0]
    for (let j = 0; j < bits; j++) {
      sum += (signs[j] as number) >= 0 ? (q[j] as number) : -(q[j] as number)
      energy += (q[j] as number) ** 2
      if ((signs[j] as number) >= 0 !== (values[j] as number) >= 0) differing++
    }
    const found = kernel.scores.subarray(scoreAt(bits), scoreAt(bits) + 3)
    return found[0] === sum && found[1] === energy && found[2] === differing
  })
}

/** Faults to plant into pair-kernel.as: what it says, and what it must not say. */
export const PAIR_FAULTS: readonly (readonly [name: string, text: string, replacement: string])[] = [
  [
    'signs of another half',
    'v128.load(values, 32), v128.load(values, 48)',
    'v128.load(values, 48), v128.load(values, 32)',
  ],
  [
    'zero as a negative value',
    'i8x16.shr_s(i8x16.narrow_i16x8_s(low, high), 7)',
    'i8x16.le_s(i8x16.narrow_i16x8_s(low, high), i8x16.splat(0))',
  ],
  ['negated and one too little', 'i8x16.sub(v128.xor(q, sign), sign)', 'v128.xor(q, sign)'],
  ['energy of the lower half twice', 'i32x4.dot_i16x8_s(high, high)', 'i32x4.dot_i16x8_s(low, low)'],
  ['signs that differ, of the quantised', 'v128.xor(signsOf(values), sign)', 'v128.xor(q, sign)'],
  ['signs of the same sixteen', 'values += 64\n    i += 16\n    if', 'i += 16\n    if'],
  ['a prefix too early', 'if (i >= 64 &&', 'if (i >= 32 &&'],
  [
    'a sum of too few lanes',
    'i32x4.extract_lane(pairs, 0) + i32x4.extract_lane(pairs, 1)',
    'i32x4.extract_lane(pairs, 0) * 2',
  ],
]
