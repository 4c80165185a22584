/** Scores of pairs, each under its reference's own record key (SPEC §5–§7). @module */

import { accepts } from '../compare/decide.ts'
import type { Bits } from '../policy/operating-point.ts'
import { keyStream } from '../transform/stream.ts'
import { checkSuite, rotationSize, type Suite, suiteParameters } from '../transform/suite.ts'
import { MAX_GRADE, type Scores } from './accuracy.ts'
import { Pace, type TaskOptions } from './pace.ts'
import { type PairKernel, pairKernel, scoreAt } from './pair-kernel.ts'
import type { PairList, Pairs } from './pairs.ts'
import type { People } from './people.ts'
import { seededKey } from './random.ts'

export interface ScoreOptions extends TaskOptions {
  readonly suite?: Suite
  readonly bits: readonly Bits[]
  readonly seed: string
  /** Every draw gives every record another key. Default 0. */
  readonly draw?: number
}

/** Pairs between two looks at the clock. */
const CHUNK = 128

/** Numbers of bits, ascending, that share one rotation because their n is the same. */
export interface BitGroup {
  readonly n: number
  readonly bits: readonly Bits[]
}

/**
 * Grades of all pairs for each number of bits, in the order of `options.bits`. Each reference has a rotation key
 * of its own, drawn by seed (a vault draws it at random; a measurement must be repeatable), and each probe is
 * rotated under it once for all numbers of bits that share n.
 */
export async function scorePairs(
  people: People,
  pairs: Pairs,
  options: ScoreOptions,
): Promise<readonly Scores[]> {
  const { bits } = options
  const suite = checkSuite(options.suite ?? 'B4')
  const grades = new Map<Bits, Scores>(
    bits.map((m) => [m, emptyScores(pairs.mated.references.length, pairs.nonMated.references.length)]),
  )
  const groups = groupBits(people.dimensions, bits)
  const pace = new Pace(
    groups.length * (pairs.mated.references.length + pairs.nonMated.references.length),
    options,
  )
  for (const group of groups) {
    const rotation = new PairRotation(people, group, suite, options.seed, options.draw ?? 0)
    try {
      for (const kind of ['mated', 'nonMated'] as const) {
        const targets = group.bits.map((m) => (grades.get(m) as Scores)[kind])
        await rotation.score(pairs[kind], targets, pace)
      }
    } finally {
      rotation.dispose()
    }
  }
  return bits.map((m) => grades.get(m) as Scores)
}

/** Cosines of the same pairs as grades: ten-thousandths, rounded to the nearest; 0 for cosines that are not positive. */
export async function scoreCosines(people: People, pairs: Pairs, options: TaskOptions = {}): Promise<Scores> {
  const { mated, nonMated } = pairs
  const scores = emptyScores(mated.references.length, nonMated.references.length)
  const pace = new Pace(mated.references.length + nonMated.references.length, options)
  for (const [list, grades] of [
    [mated, scores.mated],
    [nonMated, scores.nonMated],
  ] as const) {
    for (let start = 0; start < grades.length; start += 1024) {
      const end = Math.min(grades.length, start + 1024)
      for (let pair = start; pair < end; pair++) {
        const cosine = cosineOf(people, list.references[pair] as number, list.probes[pair] as number)
        grades[pair] = Math.max(0, cosineGrade(cosine))
      }
      await pace.step(end - start)
    }
  }
  return scores
}

/**
 * The largest threshold that accepts a score, by the integer rule of SPEC §7. The quotient is within one of it;
 * the rule itself decides.
 */
export function gradeOf(sum: number, energy: number, m: number): number {
  if (sum <= 0) return 0
  const near = Math.floor((sum / Math.sqrt(m * energy)) * MAX_GRADE)
  const upper = Math.min(MAX_GRADE, near + 1)
  for (let threshold = upper; threshold > 0; threshold--) {
    if (accepts(sum, energy, m, threshold)) return threshold
  }
  return 0
}

/**
 * Signed grade of a cosine: its ten-thousandths, rounded to the nearest and halves away from 0. A cosine has no rule of
 * acceptance of its own that would say which way to round, and rounding down would move every mean by half a grade.
 */
export function cosineGrade(cosine: number): number {
  const size = Math.min(MAX_GRADE, Math.floor(Math.abs(cosine) * MAX_GRADE + 0.5))
  return cosine > 0 ? size : 0 - size
}

/** Scores the probes of one group under the keys of one draw, reference by reference. */
class PairRotation {
  readonly #people: People
  readonly #group: BitGroup
  readonly #suite: Suite
  readonly #seed: string
  readonly #draw: number
  readonly #kernel: PairKernel
  #reference = -1

  constructor(people: People, group: BitGroup, suite: Suite, seed: string, draw: number) {
    this.#people = people
    this.#group = group
    this.#suite = suite
    this.#seed = seed
    this.#draw = draw
    const { rounds } = suiteParameters(suite)
    this.#kernel = pairKernel({ n: group.n, rounds, most: Math.max(...group.bits) })
  }

  async score(list: PairList, targets: readonly Uint16Array[], pace: Pace): Promise<void> {
    const { length } = list.references
    for (let start = 0; start < length; start += CHUNK) {
      const end = Math.min(length, start + CHUNK)
      for (let pair = start; pair < end; pair++) {
        this.#scorePair(list.references[pair] as number, list.probes[pair] as number, targets, pair)
      }
      await pace.step(end - start)
    }
  }

  #scorePair(reference: number, probe: number, targets: readonly Uint16Array[], pair: number): void {
    if (reference !== this.#reference) this.#turnTo(reference)
    const { scores } = this.#kernel
    this.#kernel.score(this.#integersOf(probe))
    for (let k = 0; k < targets.length; k++) {
      const m = this.#group.bits[k] as Bits
      const at = scoreAt(m)
      const grades = targets[k] as Uint16Array
      grades[pair] = gradeOf(scores[at] as number, scores[at + 1] as number, m)
    }
  }

  dispose(): void {
    this.#kernel.wipe()
  }

  #turnTo(reference: number): void {
    const { n } = this.#group
    keyStream(this.#suite, seededKey(this.#seed, this.#draw, n, reference), n, 0, this.#kernel.stream)
    this.#reference = reference
    this.#kernel.turnTo(this.#integersOf(reference))
  }

  #integersOf(sample: number): Int32Array {
    const { dimensions, integers } = this.#people
    return integers.subarray(sample * dimensions, (sample + 1) * dimensions)
  }
}

export function groupBits(dimensions: number, bits: readonly Bits[]): readonly BitGroup[] {
  const groups = new Map<number, Bits[]>()
  for (const m of [...new Set(bits)].sort((a, b) => a - b)) {
    const n = rotationSize(dimensions, m)
    groups.set(n, [...(groups.get(n) ?? []), m])
  }
  return [...groups].map(([n, members]) => ({ n, bits: members }))
}

function cosineOf(people: People, a: number, b: number): number {
  const { dimensions, units } = people
  let cosine = 0
  for (let i = a * dimensions, j = b * dimensions, end = i + dimensions; i < end; i++, j++) {
    cosine += (units[i] as number) * (units[j] as number)
  }
  return cosine
}

function emptyScores(mated: number, nonMated: number): Scores {
  return { mated: new Uint16Array(mated), nonMated: new Uint16Array(nonMated) }
}
