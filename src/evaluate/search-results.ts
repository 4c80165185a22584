/** Standings of many searches, and the rates of ISO/IEC 19795-1 for identification, weighted by subject. @module */

import { MAX_GRADE } from './accuracy.ts'
import { type SearchOutcome, WAYS, type Way } from './gallery-trial.ts'

/** Searches for one kind of people: enrolled ones, outsiders, or those who calibrate. */
export class SearchResults {
  readonly #subjects: number[] = []
  readonly #mates = columns()
  readonly #others = columns()
  readonly #scannedMates: number[] = []
  /** How many hits of the scan lie at each grade or above it, all searches together. */
  readonly #scanned = new Float64Array(MAX_GRADE + 2)

  add(subject: number, { ways, scanned, mateScanned }: SearchOutcome): void {
    this.#subjects.push(subject)
    for (const way of WAYS) {
      this.#mates[way].push(ways[way].mate)
      this.#others[way].push(ways[way].other)
    }
    this.#scannedMates.push(mateScanned)
    for (const value of scanned) {
      const grade = gradeOfSimilarity(value)
      this.#scanned[grade] = (this.#scanned[grade] as number) + 1
    }
  }

  get count(): number {
    return this.#subjects.length
  }

  get subjects(): readonly number[] {
    return this.#subjects
  }

  /** 1 where the mate is above everybody else. Equal ones count as lost. */
  firsts(way: Way): Uint8Array {
    return Uint8Array.from(this.#mates[way], (mate, i) => Number(mate > (this.#others[way][i] as number)))
  }

  /** The largest threshold at which a search ends with a candidate, in ten-thousandths; 0 when none does. */
  grades(way: Way): Uint16Array {
    return Uint16Array.from(this.#others[way], (other, i) =>
      gradeOfSimilarity(Math.max(other, this.#mates[way][i] as number)),
    )
  }

  /** The same for the mate at rank 1. */
  foundGrades(way: Way): Uint16Array {
    const firsts = this.firsts(way)
    return Uint16Array.from(this.#mates[way], (mate, i) => (firsts[i] === 1 ? gradeOfSimilarity(mate) : 0))
  }

  /** Searches whose mate the scan finds at a threshold. */
  keptAt(scanThreshold: number): number {
    return this.#scannedMates.filter((value) => gradeOfSimilarity(value) >= scanThreshold).length
  }

  /** Members that the scan of one search leaves at a threshold, in the mean. */
  shortlistAt(scanThreshold: number): number {
    const left = this.#scanned.subarray(scanThreshold).reduce((sum, hits) => sum + hits, 0)
    return left / this.count
  }
}

/** All searches of a report. */
export interface AllSearches {
  readonly mated: SearchResults
  readonly nonMated: SearchResults
  readonly calibration: SearchResults
}

/** Weight of what lies at `threshold` or above, as a share of all weight; every weight is 1 when none are given. */
export function shareAt(
  grades: Uint16Array,
  threshold: number,
  subjects: readonly number[],
  weights?: Uint32Array,
): number {
  let above = 0
  let all = 0
  for (let i = 0; i < grades.length; i++) {
    const weight = weights === undefined ? 1 : (weights[subjects[i] as number] as number)
    all += weight
    if ((grades[i] as number) >= threshold) above += weight
  }
  return above / all
}

/** The smallest threshold that at most `target` of the weight reaches; `MAX_GRADE` + 1 when only refusing everything does. */
export function searchThreshold(
  grades: Uint16Array,
  target: number,
  subjects: readonly number[],
  weights?: Uint32Array,
): number {
  const bins = new Float64Array(MAX_GRADE + 2)
  let all = 0
  for (let i = 0; i < grades.length; i++) {
    const weight = weights === undefined ? 1 : (weights[subjects[i] as number] as number)
    const grade = grades[i] as number
    bins[grade] = (bins[grade] as number) + weight
    all += weight
  }
  let above = 0
  for (let threshold = MAX_GRADE; threshold > 0; threshold--) {
    above += bins[threshold] as number
    if (above > target * all) return threshold + 1
  }
  return 1
}

function gradeOfSimilarity(similarity: number): number {
  return similarity > 0 ? Math.min(MAX_GRADE, Math.floor(similarity * MAX_GRADE)) : 0
}

function columns(): Record<Way, number[]> {
  return { cosine: [], identify: [], scan: [], confirmation: [] }
}
