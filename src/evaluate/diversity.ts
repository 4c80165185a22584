/** Whether templates reissued from one face are as far apart as random codes (ISO/IEC 24745 renewability, SPEC §15.5). @module */

import { wipe } from '../base/bytes.ts'
import type { Bits } from '../policy/operating-point.ts'
import type { DiversityFigures } from './figures.ts'
import { type LinkageScheme, REISSUES } from './linkage-scheme.ts'
import { distance } from './linkers.ts'
import type { Pace } from './pace.ts'

/** The distances' variance may be off by this share, and their mean by this many standard errors. */
const VARIANCE = 0.05
const ERRORS = 4
const LEAST_P = 0.01

/**
 * Encodes one embedding under `reissues` fresh keys and holds the distances of the codes against Binomial(m, ½): mean and variance over
 * all pairs, which are independent two by two when codes are; the shape, by Kolmogorov and Smirnov, over neighbours,
 * which are independent all together.
 */
export async function measureDiversity(
  z: Int32Array,
  scheme: LinkageScheme,
  { bits, reissues, pace }: { readonly bits: Bits; readonly reissues: number; readonly pace: Pace },
): Promise<DiversityFigures> {
  const codes: Uint8Array[] = []
  try {
    for (let pair = 0; pair < reissues; pair++) {
      const key = scheme.keyOf({ setting: REISSUES, pair, side: 0, subject: 0 })
      codes.push(scheme.encode(z, key))
      wipe(key)
      await pace.step(1)
    }
    const { counts, neighbours } = await countDistances(codes, bits, pace)
    return figuresOf(counts, neighbours, bits)
  } finally {
    wipe(...codes)
  }
}

/** How many pairs, and how many neighbours, are at each distance from 0 to m. */
async function countDistances(
  codes: readonly Uint8Array[],
  bits: Bits,
  pace: Pace,
): Promise<{ readonly counts: Float64Array; readonly neighbours: Float64Array }> {
  const counts = new Float64Array(bits + 1)
  const neighbours = new Float64Array(bits + 1)
  for (const [i, code] of codes.entries()) {
    for (const [j, other] of codes.entries()) {
      if (j <= i) continue
      const apart = distance(code, other)
      counts[apart] = (counts[apart] as number) + 1
      if (j === i + 1) neighbours[apart] = (neighbours[apart] as number) + 1
    }
    await pace.step(0)
  }
  return { counts, neighbours }
}

function figuresOf(counts: Float64Array, neighbours: Float64Array, bits: Bits): DiversityFigures {
  const pairs = sumOf(counts)
  const mean = counts.reduce((sum, count, apart) => sum + count * apart, 0) / pairs
  const squares = counts.reduce((sum, count, apart) => sum + count * (apart - bits / 2) ** 2, 0)
  const varianceRatio = squares / pairs / (bits / 4)
  const tolerance = (ERRORS * Math.sqrt(bits / 4)) / Math.sqrt(pairs)
  const shape = kolmogorov(neighbours, bits)
  return {
    reissues: sumOf(neighbours) + 1,
    pairs,
    nearest: counts.findIndex((count) => count > 0),
    mean,
    expected: bits / 2,
    tolerance,
    varianceRatio,
    shape,
    diverse:
      Math.abs(mean - bits / 2) <= tolerance && Math.abs(varianceRatio - 1) <= VARIANCE && shape.p > LEAST_P,
  }
}

/** The largest difference from the distribution function of Binomial(m, ½), and how often chance gives one as large, at most. */
function kolmogorov(counts: Float64Array, bits: Bits): DiversityFigures['shape'] {
  const pairs = sumOf(counts)
  const masses = binomialMasses(bits)
  let [seen, expected, statistic] = [0, 0, 0]
  for (let apart = 0; apart <= bits; apart++) {
    seen += (counts[apart] as number) / pairs
    expected += masses[apart] as number
    statistic = Math.max(statistic, Math.abs(seen - expected))
  }
  const root = Math.sqrt(pairs)
  return { pairs, statistic, p: kolmogorovTail((root + 0.12 + 0.11 / root) * statistic) }
}

/** P(K > x) for the limit distribution; of distances, which are integers, the truth is less. */
function kolmogorovTail(x: number): number {
  // Below this the tail is 1 to ten digits, and the series does not converge.
  if (x < 0.2) return 1
  let tail = 0
  for (let k = 1; k <= 100; k++) tail += (k % 2 === 1 ? 2 : -2) * Math.exp(-2 * k * k * x * x)
  return Math.min(1, Math.max(0, tail))
}

/** Masses of Binomial(m, ½), from the middle outwards: 2^−m itself is below the least double. */
function binomialMasses(m: number): Float64Array {
  const masses = new Float64Array(m + 1)
  masses[m / 2] = 1
  for (let k = m / 2; k < m; k++) masses[k + 1] = ((masses[k] as number) * (m - k)) / (k + 1)
  for (let k = 0; k < m / 2; k++) masses[k] = masses[m - k] as number
  const all = sumOf(masses)
  return masses.map((mass) => mass / all)
}

function sumOf(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0)
}
