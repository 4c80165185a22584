/** Which samples a linker compares: mated and non-mated pairs, within either half of the people (SPEC §15.5). @module */

import { EvaluateError } from './errors.ts'
import { choosePairs, type PairList } from './pairs.ts'
import type { People } from './people.ts'
import { SeededRandom } from './random.ts'

/** Pairs of samples, the mated first. Both subjects of a pair are of one half: one half to learn from, the other to be tested on. */
export interface LinkagePairs {
  readonly count: number
  readonly mated: number
  /** Samples. */
  readonly first: Uint32Array
  readonly second: Uint32Array
  /** `LEARN` or `TEST`. */
  readonly half: Uint8Array
}

export const LEARN = 0
export const TEST = 1

/** For each mated one: the more of them, the less remains of D↔sys by chance. */
const NON_MATED = 2

/**
 * At most `most` mated pairs, drawn by seed from all there are; and in each half twice as many non-mated ones, drawn with
 * replacement: first a sample of the half, then one of the half's other subjects.
 */
export async function chooseLinkagePairs(
  people: People,
  { most, seed }: { readonly most: number; readonly seed: string },
): Promise<LinkagePairs> {
  const { mated: all } = await choosePairs(people, { impostors: 1, seed })
  const chosen = drawSome(all.references.length, most, new SeededRandom(seed, 'linkage-mated'))
  const halfOf = drawHalves(people.subjects, new SeededRandom(seed, 'linkage-halves'))
  const mated = chosen.length
  const count = mated * (1 + NON_MATED)
  const pairs = {
    count,
    mated,
    first: new Uint32Array(count),
    second: new Uint32Array(count),
    half: new Uint8Array(count),
  }
  placeMated(people, all, chosen, halfOf, pairs)
  placeNonMated(people, halfOf, pairs, new SeededRandom(seed, 'linkage-non-mated'))
  return pairs
}

function placeMated(
  people: People,
  all: PairList,
  chosen: Uint32Array,
  halfOf: Uint8Array,
  pairs: LinkagePairs,
): void {
  for (const [place, pair] of chosen.entries()) {
    pairs.first[place] = at(all.references, pair)
    pairs.second[place] = at(all.probes, pair)
    pairs.half[place] = at(halfOf, at(people.subjectOf, at(all.references, pair)))
  }
}

/** Fills the places behind the mated pairs: those of the first half, then those of the other. */
function placeNonMated(people: People, halfOf: Uint8Array, pairs: LinkagePairs, random: SeededRandom): void {
  const { subjectOf } = people
  let place = pairs.mated
  for (const half of [LEARN, TEST]) {
    const matedPairs = pairs.half.subarray(0, pairs.mated).filter((one) => one === half).length
    const samples = Uint32Array.from(subjectOf.keys()).filter((i) => at(halfOf, at(subjectOf, i)) === half)
    const others = samples.some((sample) => at(subjectOf, sample) !== at(subjectOf, at(samples, 0)))
    if (matedPairs === 0 || !others) {
      throw new EvaluateError('ERR_EVALUATE_TOO_FEW', 'either half needs mated pairs, and two subjects')
    }
    for (const end = place + NON_MATED * matedPairs; place < end; place++) {
      const first = at(samples, random.below(samples.length))
      let second = first
      while (at(subjectOf, second) === at(subjectOf, first)) {
        second = at(samples, random.below(samples.length))
      }
      pairs.first[place] = first
      pairs.second[place] = second
      pairs.half[place] = half
    }
  }
}

/** `most` of the numbers below `count`, ascending; all of them where there are no more. */
function drawSome(count: number, most: number, random: SeededRandom): Uint32Array {
  const numbers = Uint32Array.from({ length: count }, (_, i) => i)
  if (count <= most) return numbers
  shuffle(numbers, most, random)
  return numbers.slice(0, most).sort()
}

/** Every other one of the subjects in drawn order. */
function drawHalves(subjects: number, random: SeededRandom): Uint8Array {
  const order = Uint32Array.from({ length: subjects }, (_, i) => i)
  shuffle(order, subjects, random)
  const halfOf = new Uint8Array(subjects)
  for (const [place, subject] of order.entries()) halfOf[subject] = place % 2 === 0 ? TEST : LEARN
  return halfOf
}

/** Fisher and Yates, as far as the first `most` places. */
function shuffle(numbers: Uint32Array, most: number, random: SeededRandom): void {
  for (let i = 0; i < most; i++) {
    const other = i + random.below(numbers.length - i)
    const kept = at(numbers, i)
    numbers[i] = at(numbers, other)
    numbers[other] = kept
  }
}

function at(values: ArrayLike<number>, index: number): number {
  return values[index] as number
}
