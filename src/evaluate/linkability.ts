/** Whether templates of one person under different keys can be told from those of different people (SPEC §15.1). @module */

import { checkInteger, checkObject, checkText } from '../base/check.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import { EvaluateError, inputError } from './errors.ts'
import { Pace, type TaskOptions } from './pace.ts'
import { SeededRandom } from './random.ts'

/** Linkage scores: of pairs of one subject under different keys, and of pairs of different subjects. Any scale. */
export interface LinkageScores {
  readonly mated: ArrayLike<number>
  readonly nonMated: ArrayLike<number>
}

/**
 * `priorOdds`: how much more likely a pair is mated than not before it is looked at, ω > 0 (default 1). `bins`: 1 to 10,000
 * (default a tenth of the mated scores, at most 100). `permutations`: 200 to 100,000 (default 200).
 */
export interface LinkabilityOptions extends TaskOptions {
  readonly seed: string
  readonly priorOdds?: number
  readonly bins?: number
  readonly permutations?: number
}

/** One bin of scores. Shares of all mated and of all non-mated scores; `local` is D↔ there, 0 to 1. */
export interface LinkabilityBin {
  readonly from: number
  readonly to: number
  readonly mated: number
  readonly nonMated: number
  readonly local: number
}

/** `system` is D↔sys, `maximal` the maximal linkability in bits, both 0 to 1; `chance` says what D↔sys is among equals. */
export interface Linkability {
  readonly system: number
  readonly maximal: number
  readonly chance: {
    readonly mean: number
    readonly quantile95: number
    readonly permutations: number
    /** How likely chance gives a D↔sys as high: (1 + as many dealings as do) ÷ (1 + dealings). */
    readonly p: number
  }
  /** `undefined`: fewer mated scores than such a claim needs. */
  readonly unlinkable: boolean | undefined
  readonly priorOdds: number
  readonly mated: number
  readonly nonMated: number
  readonly bins: readonly LinkabilityBin[]
}

const LEAST_MATED = 5000
const MOST_SCORES = 2 ** 26
/** Sums of the same terms in another order differ by less. */
const TIE = 1e-12

/**
 * Global and local linkability after Gomez-Barrero et al. (IEEE TIFS 13(6), 2018), by probability mass, and maximal linkability after
 * Otroshi Shahreza et al. (IEEE TIFS, 2023). Of finitely many scores D↔sys is never quite zero: beside it stands what remains
 * when the labels are dealt at random. A figure holds for one linkage function: run several.
 *
 * @throws {EvaluateError} `ERR_EVALUATE_INPUT`; `ERR_EVALUATE_TOO_FEW` without scores of both kinds.
 * @example
 * const { system, chance } = await linkability({ mated, nonMated }, { seed: 'report' })
 * console.log(system <= chance.quantile95)
 */
export async function linkability(scores: LinkageScores, options: LinkabilityOptions): Promise<Linkability> {
  const given = checkObject(options, 'options', inputError)
  const seed = checkText(given['seed'], 'seed', { maxBytes: 256 }, inputError)
  const permutations = checkInteger(given['permutations'] ?? 200, 'permutations', [200, 100_000], inputError)
  const odds = given['priorOdds'] ?? 1
  if (typeof odds !== 'number' || !(odds > 0 && odds < Number.POSITIVE_INFINITY)) {
    throw inputError('priorOdds must be a positive number')
  }
  const mated = checkScores(scores.mated, 'mated')
  const nonMated = checkScores(scores.nonMated, 'nonMated')
  const usual = Math.max(1, Math.min(100, Math.floor(mated.length / 10)))
  const bins = checkInteger(given['bins'] ?? usual, 'bins', [1, 10_000], inputError)
  await cryptoReady()
  const pool = binned(mated, nonMated, bins)
  const counts = pool.count(mated.length)
  const system = systemOf(counts, odds)
  const pace = new Pace(permutations, options)
  const chance = await chanceOf(pool, { mated: mated.length, odds, permutations, seed, system, pace })
  return {
    system,
    maximal: maximalOf(counts),
    chance,
    unlinkable: mated.length < LEAST_MATED ? undefined : system <= chance.quantile95,
    priorOdds: odds,
    mated: mated.length,
    nonMated: nonMated.length,
    bins: Array.from({ length: bins }, (_, bin) => ({
      from: pool.low + bin * pool.width,
      to: pool.low + (bin + 1) * pool.width,
      mated: (counts.mated[bin] as number) / mated.length,
      nonMated: (counts.nonMated[bin] as number) / nonMated.length,
      local: localOf(counts, bin, odds),
    })),
  }
}

/** How many scores of either kind lie in each bin. */
interface Counts {
  readonly mated: Float64Array
  readonly nonMated: Float64Array
  readonly of: { readonly mated: number; readonly nonMated: number }
}

/** The bins of all scores, the mated first. */
class Pool {
  readonly low: number
  readonly width: number
  readonly places: Uint16Array
  readonly #bins: number
  /** Mated and non-mated together: dealing moves none to another bin. */
  readonly #all: Float64Array

  constructor(low: number, width: number, places: Uint16Array, bins: number) {
    this.low = low
    this.width = width
    this.places = places
    this.#bins = bins
    this.#all = new Float64Array(bins)
    for (const bin of places) this.#all[bin] = (this.#all[bin] as number) + 1
  }

  /** Counts with the first `mated` places taken for the mated ones. */
  count(mated: number): Counts {
    const counts = { mated: new Float64Array(this.#bins), nonMated: this.#all.slice() }
    for (let i = 0; i < mated; i++) {
      const bin = this.places[i] as number
      counts.mated[bin] = (counts.mated[bin] as number) + 1
      counts.nonMated[bin] = (counts.nonMated[bin] as number) - 1
    }
    return { ...counts, of: { mated, nonMated: this.places.length - mated } }
  }
}

function binned(mated: Float64Array, nonMated: Float64Array, bins: number): Pool {
  let low = Number.POSITIVE_INFINITY
  let high = Number.NEGATIVE_INFINITY
  for (const scores of [mated, nonMated]) {
    for (const score of scores) {
      low = Math.min(low, score)
      high = Math.max(high, score)
    }
  }
  const width = (high - low) / bins
  const places = new Uint16Array(mated.length + nonMated.length)
  const placeOf = (score: number): number =>
    width > 0 ? Math.min(bins - 1, Math.floor((score - low) / width)) : 0
  mated.forEach((score, i) => {
    places[i] = placeOf(score)
  })
  nonMated.forEach((score, i) => {
    places[mated.length + i] = placeOf(score)
  })
  return new Pool(low, width, places, bins)
}

function localOf({ mated, nonMated, of }: Counts, bin: number, odds: number): number {
  const p = (mated[bin] as number) / of.mated
  const q = (nonMated[bin] as number) / of.nonMated
  if (q === 0) return p > 0 ? 1 : 0
  const ratio = (odds * p) / q
  return ratio > 1 ? (ratio - 1) / (ratio + 1) : 0
}

function systemOf(counts: Counts, odds: number): number {
  let system = 0
  for (const [bin, count] of counts.mated.entries()) {
    system += (count / counts.of.mated) * localOf(counts, bin, odds)
  }
  return system
}

function maximalOf({ mated, nonMated, of }: Counts): number {
  let sum = 0
  for (const [bin, count] of mated.entries()) {
    sum += Math.max(count / of.mated, (nonMated[bin] as number) / of.nonMated)
  }
  return Math.log2(sum)
}

/** D↔sys of the same scores when which of them are mated is drawn at random. */
async function chanceOf(
  pool: Pool,
  {
    mated,
    odds,
    permutations,
    seed,
    system,
    pace,
  }: {
    readonly mated: number
    readonly odds: number
    readonly permutations: number
    readonly seed: string
    readonly system: number
    readonly pace: Pace
  },
): Promise<Linkability['chance']> {
  const random = new SeededRandom(seed, 'linkability')
  const { places } = pool
  const values = new Float64Array(permutations)
  for (let round = 0; round < permutations; round++) {
    for (let i = 0; i < mated; i++) {
      const other = i + random.below(places.length - i)
      const kept = places[i] as number
      places[i] = places[other] as number
      places[other] = kept
    }
    values[round] = systemOf(pool.count(mated), odds)
    await pace.step(1)
  }
  const mean = values.reduce((sum, value) => sum + value, 0) / permutations
  const asHigh = values.filter((value) => value >= system * (1 - TIE)).length
  const quantile95 = values.sort()[Math.ceil(0.95 * permutations) - 1] as number
  return { mean, quantile95, permutations, p: (1 + asHigh) / (1 + permutations) }
}

function checkScores(values: ArrayLike<number>, name: string): Float64Array {
  if (typeof values !== 'object' || values === null) throw inputError(`${name} must be an array of numbers`)
  const length = checkInteger(values.length, `${name}.length`, [0, MOST_SCORES], inputError)
  if (length === 0)
    throw new EvaluateError('ERR_EVALUATE_TOO_FEW', 'mated and non-mated scores are both needed')
  const scores = Float64Array.from(values)
  if (!scores.every(Number.isFinite)) throw inputError(`${name} must have finite numbers`)
  return scores
}
