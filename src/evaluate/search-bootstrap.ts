/** How sure a difference of two ways to search is: people drawn anew, both ways alike (ISO/IEC 19795-1). @module */

import { MAX_GRADE } from './accuracy.ts'
import { type Difference, differenceOf } from './bootstrap.ts'
import { WAYS, type Way } from './gallery-trial.ts'
import { Pace, type TaskOptions } from './pace.ts'
import { SeededRandom } from './random.ts'
import { ruleOfThree } from './rates.ts'
import { type AllSearches, type SearchResults, searchThreshold, shareAt } from './search-results.ts'

export interface CompareOptions extends TaskOptions {
  /** Of the whole data set. */
  readonly subjects: number
  readonly replicates: number
  readonly seed: string
}

/** Share of searches for people who are not enrolled that end with a candidate. */
export type SearchTarget = '1e-2' | '1e-3'

/** A way less the cosine, as fractions, with intervals over subjects. */
export interface WayDifference {
  readonly rank1: Difference
  readonly falseNegativeRate: Readonly<Record<SearchTarget, Difference | null>>
}

type Protected = Exclude<Way, 'cosine'>

/** Grades of one way, once for all replicates. */
interface Grades {
  readonly firsts: Uint16Array
  readonly found: Uint16Array
  readonly calibration: Uint16Array
}

/**
 * A replicate draws as many subjects as there are, with replacement; a search counts as often as its subject was drawn, and the
 * thresholds are set anew on the calibration so weighted. Who is in the galleries stays.
 */
export async function compareWays(
  { mated, calibration }: AllSearches,
  targets: readonly (readonly [SearchTarget, number])[],
  options: CompareOptions,
): Promise<Readonly<Record<Protected, WayDifference>>> {
  const shown = targets.filter(([, target]) => target >= ruleOfThree(calibration.count))
  const grades = new Map<Way, Grades>(WAYS.map((way) => [way, gradesOf(mated, calibration, way)]))
  const figures = (way: Way, weights?: Uint32Array): readonly number[] => {
    const { firsts, found, calibration: others } = grades.get(way) as Grades
    return [
      shareAt(firsts, 1, mated.subjects, weights),
      ...shown.map(([, target]) => {
        const threshold = searchThreshold(others, target, calibration.subjects, weights)
        return 1 - shareAt(found, threshold, mated.subjects, weights)
      }),
    ]
  }
  const ways = WAYS.filter((way) => way !== 'cosine')
  const samples = ways.map(() => [0, ...shown].map(() => new Float64Array(options.replicates)))
  const random = new SeededRandom(options.seed, 'search-bootstrap')
  const pace = new Pace(options.replicates, options)
  for (let replicate = 0; replicate < options.replicates; replicate++) {
    const weights = drawSubjects(options.subjects, random, mated.subjects)
    const base = figures('cosine', weights)
    ways.forEach((way, i) => {
      figures(way, weights).forEach((value, k) => {
        const column = samples[i]?.[k] as Float64Array
        column[replicate] = value - (base[k] as number)
      })
    })
    await pace.step(1)
  }
  const base = figures('cosine')
  const differences = ways.map((way, i): [Protected, WayDifference] => {
    const own = figures(way).map((value, k) =>
      differenceOf(value - (base[k] as number), samples[i]?.[k] as Float64Array),
    )
    const named = targets.map(([name], k): [SearchTarget, Difference | null] => [name, own[k + 1] ?? null])
    return [
      way,
      {
        rank1: own[0] as Difference,
        falseNegativeRate: Object.fromEntries(named) as WayDifference['falseNegativeRate'],
      },
    ]
  })
  return Object.fromEntries(differences) as Record<Protected, WayDifference>
}

function gradesOf(mated: SearchResults, calibration: SearchResults, way: Way): Grades {
  return {
    firsts: Uint16Array.from(mated.firsts(way), (first) => first * MAX_GRADE),
    found: mated.foundGrades(way),
    calibration: calibration.grades(way),
  }
}

/** How often each subject was drawn; what leaves no search is drawn again. */
function drawSubjects(count: number, random: SeededRandom, needed: readonly number[]): Uint32Array {
  for (;;) {
    const weights = random.replicate(count)
    if (needed.some((subject) => (weights[subject] as number) > 0)) return weights
  }
}
