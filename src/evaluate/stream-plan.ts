/** Which comparisons are made: every sample with every other, each under its reference's own key (SPEC §15.3). @module */

import type { Bits } from '../policy/operating-point.ts'
import { rotationSize, type Suite } from '../transform/suite.ts'
import { inputError } from './errors.ts'
import type { Way } from './figures.ts'
import { SeededRandom } from './random.ts'

/** Samples, those of one subject side by side. */
export interface Side {
  readonly count: number
  readonly subjectOf: Uint32Array
  readonly integers: Int32Array
  readonly units: Float32Array
}

/** One way of comparing at one number of bits. */
export interface Target {
  readonly way: Way
  readonly bits: Bits | null
}

/** Comparisons of one kind: the cosine, or codes under rotations of one size and one draw of keys. */
export interface Pass {
  /** Size of the rotation; 0 for the cosine. */
  readonly n: number
  readonly draw: number
  /** Places in `targets`. */
  readonly targets: readonly number[]
  /** Every `step`-th non-mated comparison of a reference is made; 1: all. */
  readonly step: number
}

/** All that a thread needs, as plain data. */
export interface StreamPlan {
  readonly dimensions: number
  readonly references: Side
  readonly probes: Side
  /** True: the probes are the references, and each pair is compared once, the earlier sample as the reference. */
  readonly within: boolean
  /** Of a probe: the reference that is the same photograph, which it is not compared with; −1 for none. */
  readonly twinOf: Int32Array | null
  readonly suite: Suite
  readonly seed: string
  readonly targets: readonly Target[]
  readonly passes: readonly Pass[]
  readonly draws: number
  /** Non-mated comparisons of the highest grades that are kept for each target. */
  readonly keep: number
}

export interface StreamOptions {
  readonly suite: Suite
  readonly seed: string
  readonly targets: readonly Target[]
  readonly draws: number
  /** At most so many non-mated comparisons of a target, all draws together. Default and most: 10^8. */
  readonly most?: number
  /** Non-mated comparisons of codes whose rotation is larger than the smallest that is asked for; `all`: none is left out. */
  readonly sampled: number | 'all'
  /** At least this many of the highest non-mated comparisons are kept. Default 2^20. */
  readonly keep?: number
}

/** Comparisons of one target: a list of the highest of them, and the time, are sized for it. */
const MOST_NON_MATED = 100_000_000
/** Two bytes for each way and number of bits. */
const MOST_MATED = 10_000_000
const USUAL_KEEP = 2 ** 20

export function planStream(
  sides: Pick<StreamPlan, 'dimensions' | 'references' | 'probes' | 'within' | 'twinOf'>,
  options: StreamOptions,
): StreamPlan {
  const { suite, seed, targets, draws, sampled } = options
  const plan = { ...sides, suite, seed, targets, draws, passes: [], keep: options.keep ?? USUAL_KEEP }
  const { mated, nonMated } = countPairs(plan)
  if (mated * draws > MOST_MATED)
    throw inputError('there are too many mated pairs: take fewer samples of a subject')
  const most = Math.min(options.most ?? MOST_NON_MATED, MOST_NON_MATED)
  const wholeStep = primeFrom(Math.ceil((nonMated * draws) / most))
  const sampledStep = sampled === 'all' ? wholeStep : primeFrom(Math.ceil(nonMated / sampled))
  const sizes = new Map<number, number[]>()
  targets.forEach(({ bits }, target) => {
    const n = bits === null ? 0 : rotationSize(sides.dimensions, bits)
    sizes.set(n, [...(sizes.get(n) ?? []), target])
  })
  const smallest = Math.min(...[...sizes.keys()].filter((n) => n > 0))
  const passes = [...sizes].flatMap(([n, members]) =>
    Array.from(
      { length: n === 0 ? 1 : draws },
      (_, draw): Pass => ({
        n,
        draw,
        targets: members,
        step: n > smallest ? Math.max(wholeStep, sampledStep) : wholeStep,
      }),
    ),
  )
  return { ...plan, passes }
}

/** Numbers of probes of one reference: those of its subject lie from `from` to `to`, but for `twin`. */
export interface Row {
  readonly first: number
  readonly from: number
  readonly to: number
  readonly end: number
  /** −1: none. */
  readonly twin: number
}

/** What the rows of a plan have in common, found once. */
export class Rows {
  readonly #plan: Pick<StreamPlan, 'references' | 'probes' | 'within' | 'twinOf'>
  readonly #starts: Map<number, number> = new Map()
  readonly #ends: Map<number, number> = new Map()
  readonly #twins: Map<number, number> = new Map()

  constructor(plan: Pick<StreamPlan, 'references' | 'probes' | 'within' | 'twinOf'>) {
    this.#plan = plan
    plan.probes.subjectOf.forEach((subject, probe) => {
      if (!this.#starts.has(subject)) this.#starts.set(subject, probe)
      this.#ends.set(subject, probe + 1)
    })
    plan.twinOf?.forEach((reference, probe) => {
      if (reference >= 0) this.#twins.set(reference, probe)
    })
  }

  of(reference: number): Row {
    const { references, probes, within } = this.#plan
    const subject = references.subjectOf[reference] as number
    const first = within ? reference + 1 : 0
    const from = Math.max(first, this.#starts.get(subject) ?? first)
    const to = Math.max(from, this.#ends.get(subject) ?? from)
    return { first, from, to, end: probes.count, twin: this.#twins.get(reference) ?? -1 }
  }
}

export function matedOf({ from, to, twin }: Row): number {
  return to - from - (twin >= from && twin < to ? 1 : 0)
}

export function nonMatedOf({ first, from, to, end }: Row): number {
  return from - first + end - to
}

export function countPairs(plan: Pick<StreamPlan, 'references' | 'probes' | 'within' | 'twinOf'>): {
  readonly mated: number
  readonly nonMated: number
} {
  const rows = new Rows(plan)
  let mated = 0
  let nonMated = 0
  for (let reference = 0; reference < plan.references.count; reference++) {
    const row = rows.of(reference)
    mated += matedOf(row)
    nonMated += nonMatedOf(row)
  }
  return { mated, nonMated }
}

/** The number of the first non-mated probe of a row that a sample takes: 0 where none is left out. */
export function firstSampled(plan: StreamPlan, pass: Pass, reference: number): number {
  if (pass.step === 1) return 0
  return new SeededRandom(plan.seed, 'rows', pass.n, pass.draw, reference).below(pass.step)
}

/** The probe of a row by the number of its non-mated comparison. */
export function probeAt({ first, from, to }: Row, number: number): number {
  return number < from - first ? first + number : to + number - (from - first)
}

/** A prime, so that a step never falls in with the number of samples that every subject has. */
function primeFrom(value: number): number {
  if (value <= 1) return 1
  for (let candidate = value; ; candidate++) {
    let divisor = 2
    while (divisor * divisor <= candidate && candidate % divisor !== 0) divisor++
    if (divisor * divisor > candidate) return candidate
  }
}
