/** Counts of grades that need no list of pairs, and the highest comparisons kept whole (SPEC §15.3). @module */

import { type GradeCounts, MAX_GRADE, totalOf } from './accuracy.ts'
import type { GradeMoments } from './information.ts'

/** Non-mated comparisons of the highest grades: whose they are, and how high. */
export interface Kept {
  readonly references: Uint32Array
  readonly probes: Uint32Array
  readonly grades: Uint16Array
}

/** Non-mated comparisons of one thread. Every grade is counted; the highest are kept with their two subjects. */
export class Tally {
  readonly counts: GradeCounts = new Float64Array(MAX_GRADE + 1)
  readonly #keep: number
  #references: Uint32Array
  #probes: Uint32Array
  #grades: Uint16Array
  #length = 0
  #cut = 1
  #sum = 0
  #squares = 0

  /** @param keep comparisons that are kept at least, when there are as many and no two are equal */
  constructor(keep: number) {
    this.#keep = keep
    const room = Math.min(2 * keep, 4096)
    this.#references = new Uint32Array(room)
    this.#probes = new Uint32Array(room)
    this.#grades = new Uint16Array(room)
  }

  /** @param signed the grade, or minus the grade of the negated similarity */
  add(signed: number, reference: number, probe: number): void {
    const grade = Math.max(0, signed)
    this.#sum += signed
    this.#squares += signed * signed
    this.counts[grade] = (this.counts[grade] as number) + 1
    if (grade < this.#cut) return
    if (this.#length === this.#grades.length) this.#makeRoom()
    if (grade < this.#cut) return
    this.#references[this.#length] = reference
    this.#probes[this.#length] = probe
    this.#grades[this.#length++] = grade
  }

  get found(): Found {
    return { counts: this.counts, moments: { sum: this.#sum, squares: this.#squares }, kept: this.#kept }
  }

  get #kept(): Kept {
    const end = this.#length
    return {
      references: this.#references.subarray(0, end),
      probes: this.#probes.subarray(0, end),
      grades: this.#grades.subarray(0, end),
    }
  }

  /**
   * Grows to twice what is to be kept, then forgets the lowest. What other threads count can only raise the grade that is
   * forgotten in the end, so nothing is missing from the union.
   */
  #makeRoom(): void {
    const length = Math.min(2 * this.#keep, 2 * this.#grades.length)
    if (length > this.#grades.length) {
      this.#references = grown(this.#references, new Uint32Array(length))
      this.#probes = grown(this.#probes, new Uint32Array(length))
      this.#grades = grown(this.#grades, new Uint16Array(length))
      return
    }
    this.#cut = Math.max(this.#cut + 1, cutOf(this.counts, this.#keep))
    let end = 0
    for (let i = 0; i < this.#length; i++) {
      const grade = this.#grades[i] as number
      if (grade < this.#cut) continue
      this.#references[end] = this.#references[i] as number
      this.#probes[end] = this.#probes[i] as number
      this.#grades[end++] = grade
    }
    this.#length = end
  }
}

/** What one thread found. */
export interface Found {
  readonly counts: GradeCounts
  readonly moments: Omit<GradeMoments, 'count'>
  readonly kept: Kept
}

/** What all threads found together: the same for every number of them. */
export interface Tallied {
  readonly counts: GradeCounts
  readonly moments: GradeMoments
  /** Comparisons of this grade or a higher one are in `kept`, and no others. */
  readonly cut: number
  readonly kept: Kept
}

/** The smallest grade, at least 1, that at most `keep` comparisons reach. */
export function cutOf(counts: GradeCounts, keep: number): number {
  let above = 0
  for (let grade = MAX_GRADE; grade > 0; grade--) {
    above += counts[grade] as number
    if (above > keep) return grade + 1
  }
  return 1
}

export function mergeTallies(parts: readonly Found[], keep: number): Tallied {
  const counts = new Float64Array(MAX_GRADE + 1)
  for (const part of parts)
    for (let grade = 0; grade <= MAX_GRADE; grade++)
      counts[grade] = (counts[grade] as number) + (part.counts[grade] as number)
  const cut = cutOf(counts, keep)
  let total = 0
  for (let grade = cut; grade <= MAX_GRADE; grade++) total += counts[grade] as number
  const kept = {
    references: new Uint32Array(total),
    probes: new Uint32Array(total),
    grades: new Uint16Array(total),
  }
  let at = 0
  for (const { kept: from } of parts) {
    for (let i = 0; i < from.grades.length; i++) {
      if ((from.grades[i] as number) < cut) continue
      kept.references[at] = from.references[i] as number
      kept.probes[at] = from.probes[i] as number
      kept.grades[at++] = from.grades[i] as number
    }
  }
  const moments = parts.reduce(
    (all, part) => ({
      count: all.count,
      sum: all.sum + part.moments.sum,
      squares: all.squares + part.moments.squares,
    }),
    { count: totalOf(counts), sum: 0, squares: 0 },
  )
  return { counts, moments, cut, kept }
}

function grown<Values extends Uint32Array | Uint16Array>(from: Values, to: Values): Values {
  to.set(from)
  return to
}
