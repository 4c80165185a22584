/** From raw values to medians, spreads, ratios and the smallest effect that a run could see. @module */

import type { Claim, Scenario, Series, Unit } from './scenario.ts'

/** Least, quartiles, most. */
export interface Spread {
  readonly min: number
  readonly q1: number
  readonly median: number
  readonly q3: number
  readonly max: number
  /** How many values, and how many different ones. */
  readonly n: number
  readonly distinct: number
}

/** What one process found out. */
export interface Run {
  readonly variant: string
  readonly round: number
  readonly series: readonly Series[]
  /** Processor time over wall time; well below 1 in work that never waits means that others used the machine. */
  readonly processorShare: number
}

/** One row of the table. `median` is the median of the medians of the rounds; the rest is of all values together. */
export interface Figure extends Spread {
  readonly variant: string
  readonly series: string
  readonly unit: Unit
  readonly rounds: readonly number[]
}

export interface Verdict {
  readonly claim: Claim
  readonly value: number
  /** Least and most of the rounds. */
  readonly low: number
  readonly high: number
  /** Medians of both sides; of the peer none where the claim is about ours alone. */
  readonly own: number
  readonly peer: number | undefined
  readonly unit: Unit
  readonly holds: boolean
}

export interface Result {
  readonly scenario: string
  readonly question: string
  readonly notes: readonly string[]
  readonly figures: readonly Figure[]
  readonly verdicts: readonly Verdict[]
  /**
   * The largest relative difference in any round between ours and the same code again: differences below it are noise.
   * `undefined` where nothing was repeated.
   */
  readonly smallestEffect: number | undefined
  /** The least of all processes. */
  readonly processorShare: number
}

/** The value below which `share` of sorted values lie, interpolated. */
export function quantile(sorted: readonly number[], share: number): number {
  const at = (sorted.length - 1) * share
  const low = sorted[Math.floor(at)] ?? Number.NaN
  const high = sorted[Math.ceil(at)] ?? Number.NaN
  return low + (high - low) * (at - Math.floor(at))
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const [min, q1, median, q3, max] = [0, 0.25, 0.5, 0.75, 1].map((share) => quantile(sorted, share))
  return { min, q1, median, q3, max, n: values.length, distinct: new Set(values).size } as Spread
}

/** All that the processes of a scenario found out, put together. */
export function resultOf(scenario: Scenario, runs: readonly Run[]): Result {
  const figures = scenario.variants.flatMap(({ name }) => figuresOf(name, runs))
  return {
    scenario: scenario.name,
    question: scenario.question,
    notes: scenario.notes,
    figures,
    verdicts: scenario.claims.map((claim) => verdictOf(scenario, claim, figures)),
    smallestEffect: smallestEffect(scenario, figures),
    processorShare: Math.min(...runs.map((run) => run.processorShare)),
  }
}

function figuresOf(variant: string, runs: readonly Run[]): readonly Figure[] {
  const own = runs.filter((run) => run.variant === variant).sort((a, b) => a.round - b.round)
  return (own[0]?.series ?? []).map(({ name, unit }) => {
    const rounds = own.map((run) => run.series.find((series) => series.name === name)?.values ?? [])
    const medians = rounds.map((values) => spreadOf(values).median)
    return {
      variant,
      series: name,
      unit,
      ...spreadOf(rounds.flat()),
      median: spreadOf(medians).median,
      rounds: medians,
    }
  })
}

function verdictOf(scenario: Scenario, claim: Claim, figures: readonly Figure[]): Verdict {
  const find = (variant: string, series: string): Figure | undefined =>
    figures.find((figure) => figure.variant === variant && figure.series === series)
  const ours = find(scenario.variants.find(({ role }) => role === 'ours')?.name ?? '', claim.series)
  const theirs = claim.over === undefined ? undefined : find(claim.over.variant, claim.over.series)
  const own = ours?.median ?? Number.NaN
  const peer = claim.over === undefined ? undefined : (theirs?.median ?? Number.NaN)
  const value = own / (peer ?? 1)
  // A round measures both sides one after the other.
  const rounds = (ours?.rounds ?? []).map(
    (median, round) => median / (claim.over === undefined ? 1 : (theirs?.rounds[round] ?? Number.NaN)),
  )
  return {
    claim,
    value,
    low: Math.min(...rounds),
    high: Math.max(...rounds),
    own,
    peer,
    unit: ours?.unit ?? 'µs',
    holds: 'most' in claim ? value <= claim.most : value >= claim.least,
  }
}

function smallestEffect(scenario: Scenario, figures: readonly Figure[]): number | undefined {
  const headline = (role: 'ours' | 'again'): readonly number[] => {
    const name = scenario.variants.find((variant) => variant.role === role)?.name
    return figures.find((figure) => figure.variant === name)?.rounds ?? []
  }
  const again = headline('again')
  const differences = headline('ours').flatMap((value, round) => {
    const other = again[round]
    return other === undefined ? [] : [Math.abs(Math.log(value / other))]
  })
  return differences.length === 0 ? undefined : Math.expm1(Math.max(...differences))
}
