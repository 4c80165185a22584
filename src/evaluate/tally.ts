/** Counts of grades that need no list of pairs, and the highest comparisons kept whole (SPEC §15.3). @module */

import { MAX_GRADE } from './accuracy.ts'

/** Grades from 0 to 10,000, one way of comparing at one number of bits. */
export type GradeBins = Float64Array<ArrayBuffer>

/** Non-mated comparisons of the highest grades: whose they are, and how high. */
export interface Kept {
  readonly references: Uint32Array
  readonly probes: Uint32Array
  readonly grades: Uint16Array
}

/** Non-mated comparisons of one thread. Every grade is counted; the highest are kept with their two subjects. */
export class Tally {
  readonly counts: GradeBins = new Float64Array(MAX_GRADE + 1)
  readonly #keep: number
  #references: Uint32Array
  #probes: Uint32Array
  #grades: Uint16Array
  #length = 0
  #cut = 1

  /** @param keep comparisons that are kept at least, when there are as many and no two are equal */
  constructor(keep: number) {
    this.#keep = keep
    const room = Math.min(2 * keep, 4096)
    this.#references = new Uint32Array(room)
    this.#probes = new Uint32Array(room)
    this.#grades = new Uint16Array(room)
  }

  add(grade: number, reference: number, probe: number): void {
    this.counts[grade] = (this.counts[grade] as number) + 1
    if (grade < this.#cut) return
    if (this.#length === this.#grades.length) this.#makeRoom()
    if (grade < this.#cut) return
    this.#references[this.#length] = reference
    this.#probes[this.#length] = probe
    this.#grades[this.#length++] = grade
  }

  get kept(): Kept {
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
    let length_ = 0
    for (let i = 0; i < this.#length; i++) {
      const grade = this.#grades[i] as number
      if (grade < this.#cut) continue
      this.#references[length_] = this.#references[i] as number
      this.#probes[length_] = this.#probes[i] as number
      this.#grades[length_++] = grade
    }
    this.#length = length_
  }
}

/** What all threads found together: the same for every number of them. */
export interface Tallied {
  readonly counts: GradeBins
  /** Comparisons of this grade or a higher one are in `kept`, and no others. */
  readonly cut: number
  readonly kept: Kept
}

/** The smallest grade, at least 1, that at most `keep` comparisons reach. */
export function cutOf(counts: GradeBins, keep: number): number {
  let above = 0
  for (let grade = MAX_GRADE; grade > 0; grade--) {
    above += counts[grade] as number
    if (above > keep) return grade + 1
  }
  return 1
}

export function mergeTallies(
  parts: readonly { readonly counts: GradeBins; readonly kept: Kept }[],
  keep: number,
): Tallied {
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
  return { counts, cut, kept }
}

function grown<Values extends Uint32Array | Uint16Array>(from: Values, to: Values): Values {
  to.set(from)
  return to
}
