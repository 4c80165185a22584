/** Who knows what in an inversion: halves of the subjects, targets, and thresholds of the half that is known (SPEC §15.6). @module */

import type { Bits } from '../policy/operating-point.ts'
import type { Suite } from '../transform/suite.ts'
import { thresholdAt } from './accuracy.ts'
import { EvaluateError } from './errors.ts'
import type { TaskOptions } from './pace.ts'
import { choosePairs } from './pairs.ts'
import type { People } from './people.ts'
import { SeededRandom } from './random.ts'
import { ruleOfThree } from './rates.ts'
import { scoreCosines, scorePairs } from './scores.ts'

/** Targets of SPEC §15.6: the rates at which acceptance is told. */
export const RATES = [
  ['1e-3', 1e-3],
  ['1e-4', 1e-4],
] as const

/** A sample whose template is stolen, and another one of the person. Indices into `People`. */
export interface Target {
  readonly sample: number
  readonly other: number
}

/** By rate, as in `RATES`; `undefined` where the comparisons cannot show it. */
export type ThresholdPair = readonly (number | undefined)[]

export interface Thresholds {
  readonly cosine: ThresholdPair
  readonly byBits: ReadonlyMap<Bits, ThresholdPair>
  readonly pairs: number
  readonly draws: number
}

const MOST_COMPARISONS = 600_000
const MOST_DRAWS = 8

/** Subjects in an order drawn by seed: the first half, rounded up, is known to the thief, the other is attacked. */
export function halveSubjects(
  people: People,
  seed: string,
): { readonly known: Uint32Array; readonly attacked: Uint32Array } {
  const order = Uint32Array.from({ length: people.subjects }, (_, subject) => subject)
  const random = new SeededRandom(seed, 'inversion-halves')
  for (let i = order.length - 1; i > 0; i--) {
    const j = random.below(i + 1)
    const kept = order[i] as number
    order[i] = order[j] as number
    order[j] = kept
  }
  const middle = Math.ceil(order.length / 2)
  return { known: order.subarray(0, middle), attacked: order.subarray(middle) }
}

/** A copy of the samples of some subjects, in the order of `people`; the caller disposes of it. */
export function selectSubjects(people: People, subjects: Uint32Array): People {
  const chosen = new Set(subjects)
  const { dimensions } = people
  const samples = [...people.subjectOf.keys()].filter((i) => chosen.has(people.subjectOf[i] as number))
  const integers = new Int32Array(samples.length * dimensions)
  const units = new Float32Array(samples.length * dimensions)
  const subjectOf = new Uint32Array(samples.length)
  let last = -1
  let number = -1
  samples.forEach((sample, i) => {
    const from = sample * dimensions
    integers.set(people.integers.subarray(from, from + dimensions), i * dimensions)
    units.set(people.units.subarray(from, from + dimensions), i * dimensions)
    if (people.subjectOf[sample] !== last) number++
    last = people.subjectOf[sample] as number
    subjectOf[i] = number
  })
  const dispose = (): void => {
    integers.fill(0)
    units.fill(0)
  }
  return {
    ...people,
    subjects: number + 1,
    count: samples.length,
    subjectOf,
    integers,
    units,
    dispose,
    [Symbol.dispose]: dispose,
  }
}

/** Samples of the given subjects that have at least `least`, each subject's own side by side. */
export function samplesOf(
  people: People,
  subjects: Uint32Array,
  least: number,
): readonly (readonly number[])[] {
  const bySubject = new Map<number, number[]>([...subjects].map((subject) => [subject, []]))
  people.subjectOf.forEach((subject, sample) => bySubject.get(subject)?.push(sample))
  return [...bySubject.values()].filter((samples) => samples.length >= least)
}

/** The first sample of each subject, then the second of each that has it …; `other` is the one that follows, in a circle. */
export function chooseTargets(subjects: readonly (readonly number[])[], most: number): readonly Target[] {
  const targets: Target[] = []
  const longest = Math.max(0, ...subjects.map((samples) => samples.length))
  for (let turn = 0; turn < longest; turn++) {
    for (const samples of subjects) {
      if (turn >= samples.length || targets.length === most) continue
      targets.push({
        sample: samples[turn] as number,
        other: samples[(turn + 1) % samples.length] as number,
      })
    }
  }
  return targets
}

/** Thresholds of the known half: right-key, zero-effort comparisons, repeated under further keys while they are few. */
export async function chooseThresholds(
  known: People,
  {
    suite,
    bits,
    seed,
    impostors,
    ...task
  }: TaskOptions & {
    readonly suite: Suite
    readonly bits: readonly Bits[]
    readonly seed: string
    readonly impostors: number
  },
): Promise<Thresholds> {
  const { nonMated } = await choosePairs(known, { impostors, seed })
  const none = { references: new Uint32Array(0), probes: new Uint32Array(0) }
  const pairs = { mated: none, nonMated, nonMatedAvailable: nonMated.references.length }
  const count = nonMated.references.length
  const draws = Math.max(1, Math.min(MOST_DRAWS, Math.floor(MOST_COMPARISONS / count)))
  const pools = bits.map(() => new Uint16Array(count * draws))
  for (let draw = 0; draw < draws; draw++) {
    const sets = await scorePairs(known, pairs, { suite, bits, seed, draw, ...task })
    sets.forEach((scores, i) => pools[i]?.set(scores.nonMated, draw * count))
  }
  const at = (grades: Uint16Array): ThresholdPair =>
    RATES.map(([, rate]) => (rate < ruleOfThree(count) ? undefined : thresholdAt(grades, rate)))
  const cosines = await scoreCosines(known, pairs, task)
  return {
    cosine: at(cosines.nonMated),
    byBits: new Map(bits.map((m, i) => [m, at(pools[i] as Uint16Array)])),
    pairs: count,
    draws,
  }
}

/** Mean cosine of two samples of one person; `undefined` when nobody has two. */
export function meanMatedCosine(
  people: People,
  subjects: readonly (readonly number[])[],
): number | undefined {
  const { dimensions, units } = people
  let sum = 0
  let count = 0
  for (const samples of subjects) {
    for (const [i, a] of samples.entries()) {
      for (const b of samples.slice(i + 1)) {
        for (let k = 0; k < dimensions; k++) {
          sum += (units[a * dimensions + k] as number) * (units[b * dimensions + k] as number)
        }
        count++
      }
    }
  }
  return count === 0 ? undefined : sum / count
}

export function tooFew(message: string): EvaluateError {
  return new EvaluateError('ERR_EVALUATE_TOO_FEW', message)
}
