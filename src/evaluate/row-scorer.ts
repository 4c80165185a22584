/** Scores all comparisons of one reference after the other (SPEC §5–§7, §15.3). @module */

import { keyStream } from '../transform/stream.ts'
import { suiteParameters } from '../transform/suite.ts'
import { MAX_GRADE } from './accuracy.ts'
import { type PairKernel, pairKernel, scoreAt } from './pair-kernel.ts'
import { seededKey } from './random.ts'
import { cosineGrade, gradeOf } from './scores.ts'
import {
  firstSampled,
  matedOf,
  nonMatedOf,
  type Pass,
  probeAt,
  Rows,
  type StreamPlan,
} from './stream-plan.ts'
import { Tally } from './tally.ts'

/** Signed grades of mated comparisons: for each target those of every draw, by reference and probe. May be shared by threads. */
export type MatedGrades = readonly Int16Array[]

/** Comparisons of one thread. `dispose` overwrites what came from faces and keys. */
export class RowScorer {
  readonly tallies: readonly Tally[]
  readonly #plan: StreamPlan
  readonly #mated: MatedGrades
  readonly #rows: Rows
  readonly #matedFirst: Float64Array
  readonly #kernels: Map<number, PairKernel> = new Map()
  readonly #views: readonly Int32Array[]

  constructor(plan: StreamPlan, mated: MatedGrades) {
    this.#plan = plan
    this.#mated = mated
    this.#rows = new Rows(plan)
    this.#matedFirst = matedFirst(plan, this.#rows)
    this.tallies = plan.targets.map(() => new Tally(plan.keep))
    const { probes, dimensions } = plan
    this.#views = Array.from({ length: probes.count }, (_, i) =>
      probes.integers.subarray(i * dimensions, (i + 1) * dimensions),
    )
  }

  /** Comparisons of a pass with one reference; returns how many. */
  score(pass: Pass, reference: number): number {
    const grades = pass.n === 0 ? this.#cosines(pass, reference) : this.#codes(pass, reference)
    const { references, probes } = this.#plan
    const row = this.#rows.of(reference)
    let at = (this.#matedFirst[reference] as number) + pass.draw * (this.#matedFirst.at(-1) as number)
    for (let probe = row.from; probe < row.to; probe++) {
      if (probe === row.twin) continue
      grades(probe, (target, grade) => {
        ;(this.#mated[target] as Int16Array)[at] = grade
      })
      at++
    }
    const subject = references.subjectOf[reference] as number
    const count = nonMatedOf(row)
    let other = 0
    const take = (target: number, grade: number): void => {
      ;(this.tallies[target] as Tally).add(grade, subject, other)
    }
    let done = matedOf(row)
    for (let number = firstSampled(this.#plan, pass, reference); number < count; number += pass.step) {
      const probe = probeAt(row, number)
      other = probes.subjectOf[probe] as number
      grades(probe, take)
      done++
    }
    return done
  }

  dispose(): void {
    for (const kernel of this.#kernels.values()) kernel.wipe()
  }

  #codes(pass: Pass, reference: number): Grades {
    const { suite, seed, dimensions, references, targets } = this.#plan
    const kernel = this.#kernel(pass)
    keyStream(suite, seededKey(seed, pass.draw, pass.n, reference), pass.n, 0, kernel.stream)
    kernel.turnTo(references.integers.subarray(reference * dimensions, (reference + 1) * dimensions))
    const { scores } = kernel
    const columns = pass.targets.map((target) => {
      const { way, bits } = targets[target] as StreamPlan['targets'][number]
      return { target, hamming: way === 'hamming', bits: bits as number, at: scoreAt(bits as number) }
    })
    return (probe, take) => {
      kernel.score(this.#views[probe] as Int32Array)
      for (const { target, hamming, bits, at } of columns) {
        const grade = hamming
          ? hammingGrade(scores[at + 2] as number, bits)
          : signedGrade(scores[at] as number, scores[at + 1] as number, bits)
        take(target, grade)
      }
    }
  }

  #kernel({ n, targets }: Pass): PairKernel {
    let kernel = this.#kernels.get(n)
    if (kernel === undefined) {
      const most = Math.max(...targets.map((target) => this.#plan.targets[target]?.bits ?? 0))
      kernel = pairKernel({ n, rounds: suiteParameters(this.#plan.suite).rounds, most })
      this.#kernels.set(n, kernel)
    }
    return kernel
  }

  #cosines(pass: Pass, reference: number): Grades {
    const { dimensions, references, probes } = this.#plan
    const own = references.units.subarray(reference * dimensions, (reference + 1) * dimensions)
    const { units } = probes
    return (probe, take) => {
      let cosine = 0
      for (let i = 0, j = probe * dimensions; i < dimensions; i++, j++) {
        cosine += (own[i] as number) * (units[j] as number)
      }
      const grade = cosineGrade(cosine)
      for (const target of pass.targets) take(target, grade)
    }
  }
}

type Grades = (probe: number, take: (target: number, grade: number) => void) => void

/** The grade; where the similarity is negative, minus the grade of the negated one. */
function signedGrade(sum: number, energy: number, m: number): number {
  return sum >= 0 ? gradeOf(sum, energy, m) : 0 - gradeOf(-sum, energy, m)
}

/** The same of 1 − 2·distance ÷ m: m is a power of two, so the quotient is exact before it is rounded towards 0. */
function hammingGrade(distance: number, m: number): number {
  return Math.trunc(((m - 2 * distance) * MAX_GRADE) / m)
}

/** Mated comparisons before each reference; the last element is how many there are. */
export function matedFirst(plan: StreamPlan, rows: Rows = new Rows(plan)): Float64Array {
  const first = new Float64Array(plan.references.count + 1)
  for (let i = 0; i < plan.references.count; i++) first[i + 1] = (first[i] as number) + matedOf(rows.of(i))
  return first
}
