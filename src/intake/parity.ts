/** Parity: the decisions of a plain cosine threshold and of a vault's operating point, on the same pairs. @module */

import { checkInteger } from '../base/check.ts'
import type { Dataset } from '../dataset/dataset.ts'
import type { Model } from '../embedding/model.ts'
import { choosePairs } from '../evaluate/pairs.ts'
import { loadPeople } from '../evaluate/people.ts'
import { scoreCosines, scorePairs } from '../evaluate/scores.ts'
import type { OperatingPoint } from '../policy/operating-point.ts'
import { checkSuite } from '../transform/suite.ts'
import { rejectIntake } from './errors.ts'

export interface ParityOptions {
  readonly model: Model
  /** The threshold that was in force before, a cosine from 0 to 1. */
  readonly cosineThreshold: number
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

/** Compares every mated pair and a sample of non-mated ones, each under a record key of its own. */
export async function parityReport(dataset: Dataset, options: ParityOptions): Promise<ParityReport> {
  const { model, operatingPoint, cosineThreshold } = options
  if (!(cosineThreshold > 0 && cosineThreshold <= 1))
    throw rejectIntake('cosineThreshold must be above 0 and at most 1')
  const impostors = checkInteger(options.impostors ?? 100_000, 'impostors', [1, 50_000_000], rejectIntake)
  const seed = options.seed ?? 'parity'
  const task = {
    ...(options.signal && { signal: options.signal }),
    ...(options.onProgress && { onProgress: options.onProgress }),
  }
  const people = await loadPeople(dataset, { model, ...task })
  try {
    const pairs = await choosePairs(people, { impostors, seed })
    const before = await scoreCosines(people, pairs, task)
    const suite = checkSuite(operatingPoint.suite)
    const [after] = await scorePairs(people, pairs, { suite, bits: [operatingPoint.bits], seed, ...task })
    const limits = { before: Math.ceil(cosineThreshold * SCALE), after: operatingPoint.threshold }
    return {
      mated: countPairs(before.mated, after?.mated ?? before.mated, limits),
      nonMated: countPairs(before.nonMated, after?.nonMated ?? before.nonMated, limits),
    }
  } finally {
    people.dispose()
  }
}

function countPairs(
  before: ArrayLike<number>,
  after: ArrayLike<number>,
  limits: { readonly before: number; readonly after: number },
): ParityCounts {
  const counts = [0, 0, 0, 0]
  for (let i = 0; i < before.length; i++) {
    const was = (before[i] as number) >= limits.before
    const is = (after[i] as number) >= limits.after
    const cell = (was ? 2 : 0) + (is ? 1 : 0)
    counts[cell] = (counts[cell] ?? 0) + 1
  }
  const [bothReject = 0, onlyAfter = 0, onlyBefore = 0, bothAccept = 0] = counts
  return { pairs: before.length, bothAccept, bothReject, onlyBefore, onlyAfter }
}
