/** Parity: the decisions of a plain cosine threshold and of a vault's operating point, on the same pairs. @module */

import { checkInteger } from '../base/check.ts'
import type { Dataset } from '../dataset/dataset.ts'
import { checkModel, type Model } from '../embedding/model.ts'
import { fitOperatingPoints, type OperatingPoint } from '../policy/operating-point.ts'
import { checkSuite } from '../transform/suite.ts'
import type { Scores } from './accuracy.ts'
import { inputError } from './errors.ts'
import { choosePairs } from './pairs.ts'
import { loadPeople } from './people.ts'
import { scoreCosines, scorePairs } from './scores.ts'

export interface ParityOptions {
  /** Its mean, if any, is subtracted for both decisions. */
  readonly model: Model
  /** The threshold that was in force before: a cosine above 0, to four decimals. */
  readonly cosineThreshold: number
  /** Of the same model and mean. */
  readonly operatingPoint: OperatingPoint
  /** Non-mated pairs to compare. Default 100,000. */
  readonly impostors?: number
  readonly seed?: string
  readonly signal?: AbortSignal
  readonly onProgress?: (done: number, total: number) => void
}

/** Counts of pairs by the two decisions. */
export interface ParityCounts {
  readonly pairs: number
  readonly bothAccept: number
  readonly bothReject: number
  readonly onlyBefore: number
  readonly onlyAfter: number
}

export interface ParityReport {
  readonly mated: ParityCounts
  readonly nonMated: ParityCounts
}

const SCALE = 10_000

/**
 * Compares every mated pair and a sample of non-mated ones, each under a record key of its own. Throws
 * `ERR_POLICY_OPERATING_POINT` for a point of another model or mean.
 */
export async function parityReport(dataset: Dataset, options: ParityOptions): Promise<ParityReport> {
  const { model, operatingPoint: point, cosineThreshold, seed = 'parity', signal, onProgress } = options
  if (!(cosineThreshold > 0 && cosineThreshold <= 1))
    throw inputError('cosineThreshold must be above 0 and at most 1')
  const impostors = checkInteger(options.impostors ?? 100_000, 'impostors', [1, 100_000_000], inputError)
  const { id, meanHash } = checkModel(model)
  fitOperatingPoints([point], { model: id, meanHash, suite: point.suite, bits: point.bits }, true)
  const people = await loadPeople(dataset, { model, signal })
  try {
    const pairs = await choosePairs(people, { impostors, seed })
    const before = await scoreCosines(people, pairs, { signal })
    const task = { suite: checkSuite(point.suite), bits: [point.bits], seed, signal, onProgress }
    const [after] = (await scorePairs(people, pairs, task)) as [Scores]
    // A product such as 0.29 × 10,000 may lie a little above the whole number that was meant.
    const limits = { before: Math.ceil(cosineThreshold * SCALE - 1e-6), after: point.threshold }
    return {
      mated: countPairs(before.mated, after.mated, limits),
      nonMated: countPairs(before.nonMated, after.nonMated, limits),
    }
  } finally {
    people.dispose()
  }
}

function countPairs(
  before: Uint16Array,
  after: Uint16Array,
  limits: { readonly before: number; readonly after: number },
): ParityCounts {
  const counts = { bothAccept: 0, bothReject: 0, onlyBefore: 0, onlyAfter: 0 }
  for (let i = 0; i < before.length; i++) {
    const was = (before[i] as number) >= limits.before
    const is = (after[i] as number) >= limits.after
    counts[was ? (is ? 'bothAccept' : 'onlyBefore') : is ? 'onlyAfter' : 'bothReject']++
  }
  return { pairs: before.length, ...counts }
}
