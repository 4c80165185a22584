/** Coarse histograms of similarities, released for a thousand comparisons at once (SPEC §11.9). @module */

import { similarity } from '../compare/score.ts'

/** How the comparisons of one window are spread; small counts are hidden. */
export interface ScoreHistogram {
  /** Bounds of the bins, ascending, one more than there are counts; a bin holds its lower bound. */
  readonly edges: readonly number[]
  /** Comparisons in each bin: 0, or at least 10. */
  readonly counts: readonly number[]
  /** Comparisons in bins that are shown as 0: 0 in all, or at least 10. */
  readonly suppressed: number
  /** Comparisons in the window. */
  readonly total: number
}

/** Comparisons in a window. */
const SCORE_WINDOW = 1000
/** A count below it is not shown. */
const LEAST = 10
/** A bin of 0.05 is about the spread of strangers' similarities at 512 bits, 1 / √512: nothing finer is told apart. */
const BINS = 20
/** Below 0.05 lies one bin: no threshold in use comes near it. */
const EDGES: readonly number[] = Object.freeze(
  Array.from({ length: BINS + 1 }, (_, i) => (i ? i / BINS : -1)),
)

/** The bin of a comparison. */
export function scoreBin(sum: number, energy: number, m: number): number {
  return Math.min(BINS - 1, Math.max(0, Math.floor(similarity(sum, energy, m) * BINS)))
}

/** Counts one comparison after another; what the window was is forgotten when it is released. */
export class ScoreWindow {
  #counts: number[] = []
  #total = 0

  /** The histogram when this comparison fills the window. */
  add(bin: number): ScoreHistogram | undefined {
    this.#counts[bin] = (this.#counts[bin] ?? 0) + 1
    if (++this.#total < SCORE_WINDOW) return undefined
    const counts = Array.from({ length: BINS }, (_, i) => this.#counts[i] ?? 0)
    this.#counts = []
    this.#total = 0
    return { edges: EDGES, ...suppress(counts), total: SCORE_WINDOW }
  }
}

function suppress(all: readonly number[]): Pick<ScoreHistogram, 'counts' | 'suppressed'> {
  let least = LEAST
  const hidden = (): number => all.reduce((sum, count) => (count < least ? sum + count : sum), 0)
  // A few that are hidden alone would be known from the total: the smallest bin that is shown joins them.
  if (hidden() > 0 && hidden() < LEAST) least = Math.min(...all.filter((count) => count >= LEAST)) + 1
  return { counts: all.map((count) => (count < least ? 0 : count)), suppressed: hidden() }
}
