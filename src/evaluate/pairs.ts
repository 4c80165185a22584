/** Which samples are compared: every mated pair, and non-mated pairs drawn by seed (ISO/IEC 19795-1). @module */

import { cryptoReady } from '../crypto/sodium.ts'
import { EvaluateError, inputError } from './errors.ts'
import type { People } from './people.ts'
import { SeededRandom } from './random.ts'

/** Indices into the samples of `People`; references ascend. */
export interface PairList {
  readonly references: Uint32Array
  readonly probes: Uint32Array
}

export interface Pairs {
  readonly mated: PairList
  readonly nonMated: PairList
  /** How many non-mated pairs there are; as many as `nonMated` holds when none was left out. */
  readonly nonMatedAvailable: number
}

export interface PairOptions {
  /** How many non-mated pairs to draw; `all` takes every one. */
  readonly impostors: number | 'all'
  readonly seed: string
}

/** Four bytes an index, two indices a pair: 800 MB. */
const MAX_PAIRS = 100_000_000

/**
 * Pairs (i, j) with i < j, in that order: i is the reference, j the probe. Mated: all pairs within a subject.
 * Non-mated: all pairs across subjects, or a sample: their list is cut into as many equal parts as pairs are
 * wanted, and one is drawn from each by seed, so that no pair comes twice and every reference has its share.
 */
export async function choosePairs(people: People, options: PairOptions): Promise<Pairs> {
  await cryptoReady()
  const { subjectOf } = people
  const ends = subjectEnds(subjectOf)
  const mated = listMated(ends)
  const available = countNonMated(ends)
  const { impostors, seed } = options
  if (impostors !== 'all' && !(Number.isInteger(impostors) && impostors > 0)) {
    throw inputError('impostors must be a number of pairs or all')
  }
  const wanted = impostors === 'all' ? available : Math.min(impostors, available)
  if (wanted === 0) throw new EvaluateError('ERR_EVALUATE_TOO_FEW', 'two subjects are needed')
  if (wanted > MAX_PAIRS || mated.references.length > MAX_PAIRS) throw inputError('there are too many pairs')
  return { mated, nonMated: listNonMated(ends, wanted, available, seed), nonMatedAvailable: available }
}

/** For each sample the index after the last sample of its subject. */
function subjectEnds(subjectOf: Uint32Array): Uint32Array {
  const ends = new Uint32Array(subjectOf.length)
  let end = subjectOf.length
  for (let i = subjectOf.length - 1; i >= 0; i--) {
    if (i + 1 < subjectOf.length && subjectOf[i] !== subjectOf[i + 1]) end = i + 1
    ends[i] = end
  }
  return ends
}

function countNonMated(ends: Uint32Array): number {
  let count = 0
  for (const end of ends) count += ends.length - end
  return count
}

function listMated(ends: Uint32Array): PairList {
  let count = 0
  ends.forEach((end, i) => {
    count += end - i - 1
  })
  const references = new Uint32Array(count)
  const probes = new Uint32Array(count)
  let at = 0
  ends.forEach((end, i) => {
    for (let j = i + 1; j < end; j++) {
      references[at] = i
      probes[at++] = j
    }
  })
  return { references, probes }
}

function listNonMated(ends: Uint32Array, wanted: number, available: number, seed: string): PairList {
  const references = new Uint32Array(wanted)
  const probes = new Uint32Array(wanted)
  const random = new SeededRandom(seed, 'pairs')
  const part = available / wanted
  // The pairs of reference i are numbered from `first`; their probes begin at `ends[i]`.
  let reference = 0
  let first = 0
  for (let pair = 0; pair < wanted; pair++) {
    const low = Math.floor(pair * part)
    const high = pair + 1 === wanted ? available : Math.floor((pair + 1) * part)
    const number = low + random.below(high - low)
    let probesOf = ends.length - (ends[reference] as number)
    while (number >= first + probesOf) {
      first += probesOf
      probesOf = ends.length - (ends[++reference] as number)
    }
    references[pair] = reference
    probes[pair] = (ends[reference] as number) + number - first
  }
  return { references, probes }
}
