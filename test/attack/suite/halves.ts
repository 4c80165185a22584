/** Two halves of the people: what a thief knows comes from one, who is attacked from the other (SPEC §15.7). @module */

import { thresholdAt } from '../../../src/evaluate/accuracy.ts'
import type { PairList } from '../../../src/evaluate/pairs.ts'
import type { People } from '../../../src/evaluate/people.ts'
import { type Population, population } from '../../../src/evaluate/population.ts'
import { SeededRandom } from '../../../src/evaluate/random.ts'
import { scoreCosines, scorePairs } from '../../../src/evaluate/scores.ts'
import type { Bits } from '../../../src/policy/operating-point.ts'
import { type Matrix, matrix } from '../matrix.ts'
import { populationsOf, type Population as Shrunk } from '../shard-population.ts'
import { facesOf } from './faces.ts'
import type { Circumstances } from './measure.ts'

const BITS: readonly Bits[] = [128, 256, 512]

/** Somebody of the second half: the sample that is enrolled, and another one. */
export interface Target {
  readonly enrolled: number
  readonly other: number
}

/** Thresholds in ten-thousandths, of the known half. */
export interface Thresholds {
  readonly '1e-3': number
  readonly '1e-4': number
}

export interface Halves {
  readonly people: People
  /** Samples that the thief knows. */
  readonly known: readonly number[]
  readonly targets: readonly Target[]
  readonly bits: readonly Bits[]
  readonly of: (bits: Bits | 'cosine') => Thresholds
  readonly comparisons: number
  /** Second moments of the faces that the thief knows, a tenth of them taken for round: Σ of a prior whose mean is zero. */
  readonly moments: () => Matrix
  /** Their mean and covariance, as the evaluator's thief takes them. */
  readonly population: () => Population
}

const MOST_COMPARISONS = 400_000
const SHRINKAGE = 0.1
const made = new WeakMap<People, Map<string, Promise<Halves>>>()

/** The same people and seed give the same halves, made once. */
export async function halvesOf({ people: open, seed, others }: Circumstances): Promise<Halves> {
  const people = await open()
  const bySeed = made.get(people) ?? new Map<string, Promise<Halves>>()
  made.set(people, bySeed)
  const halves = bySeed.get(seed) ?? makeHalves(people, await others?.(), seed)
  bySeed.set(seed, halves)
  return await halves
}

async function makeHalves(people: People, others: People | undefined, seed: string): Promise<Halves> {
  const random = new SeededRandom(seed, 'halves')
  const side = Array.from({ length: people.subjects }, () => random.below(2))
  const own: number[] = []
  const targets: Target[] = []
  people.subjectOf.forEach((subject, sample) => {
    if (side[subject] === 0) own.push(sample)
    else if (people.subjectOf[sample + 1] === subject) targets.push({ enrolled: sample, other: sample + 1 })
  })
  const nonMated = strangers(people, own, random)
  const none: PairList = { references: new Uint32Array(0), probes: new Uint32Array(0) }
  const pairs = { mated: none, nonMated, nonMatedAvailable: nonMated.references.length }
  const bits = BITS.filter((m) => m <= people.dimensions)
  const scores = await scorePairs(people, pairs, { bits, seed })
  const cosines = await scoreCosines(people, pairs)
  const thresholds = new Map<Bits | 'cosine', Thresholds>([
    ['cosine', thresholdsOf(cosines.nonMated)],
    ...scores.map(({ nonMated: grades }, i) => [bits[i] as Bits, thresholdsOf(grades)] as const),
  ])
  const known = {
    faces: others ?? people,
    samples: others === undefined ? own : [...others.subjectOf.keys()],
  }
  let moments: Matrix | undefined
  let normal: Population | undefined
  return {
    people,
    known: own,
    targets,
    bits,
    of: (way) => {
      const found = thresholds.get(way)
      if (found === undefined) throw new RangeError('no threshold of this number of bits')
      return found
    },
    comparisons: nonMated.references.length,
    moments: () => {
      moments ??= momentsOf(known.faces, known.samples)
      return moments
    },
    population: () => {
      normal ??= normalOf(known.faces, known.samples)
      return normal
    },
  }
}

/** Pairs of different people, the references ascending. */
function strangers(people: People, samples: readonly number[], random: SeededRandom): PairList {
  const total = (samples.length * (samples.length - 1)) / 2
  const keep = Math.min(1, MOST_COMPARISONS / total)
  const references: number[] = []
  const probes: number[] = []
  for (const [i, reference] of samples.entries()) {
    for (const probe of samples.slice(i + 1)) {
      if (people.subjectOf[reference] === people.subjectOf[probe]) continue
      if (keep < 1 && random.below(1_000_000) >= keep * 1_000_000) continue
      references.push(reference)
      probes.push(probe)
    }
  }
  return { references: Uint32Array.from(references), probes: Uint32Array.from(probes) }
}

/** So many targets, spread over all. */
export function spread(targets: readonly Target[], most: number): readonly Target[] {
  const count = Math.min(most, targets.length)
  return Array.from({ length: count }, (_, i) => targets[Math.floor((i * targets.length) / count)] as Target)
}

/** Faces that the thief knows, one after the other: people differ along them more than along any other direction. */
export function directionOf({ people, known }: Halves, turn: number): Float64Array {
  return facesOf(people, [known[turn % known.length] as number]).data
}

export function enrolledFaces(people: People, targets: readonly Target[]): Matrix {
  return facesOf(
    people,
    targets.map(({ enrolled }) => enrolled),
  )
}

export function integersAt({ dimensions, integers }: People, sample: number): Int32Array {
  return integers.subarray(sample * dimensions, (sample + 1) * dimensions)
}

function thresholdsOf(grades: Uint16Array): Thresholds {
  const at = (target: number): number => thresholdAt(grades, target) ?? 10_000
  return { '1e-3': at(1e-3), '1e-4': at(1e-4) }
}

function shrunkOf(people: People, known: readonly number[]): Shrunk {
  const found = populationsOf(people, known, [SHRINKAGE]).get(String(SHRINKAGE))
  if (found === undefined) throw new RangeError('no population')
  return found
}

function normalOf(people: People, known: readonly number[]): Population {
  const { mean, covariance } = shrunkOf(people, known)
  return population(mean, covariance.data)
}

function momentsOf(people: People, known: readonly number[]): Matrix {
  const { mean, covariance } = shrunkOf(people, known)
  return matrix(
    people.dimensions,
    people.dimensions,
    (i, j) =>
      (covariance.data[i * people.dimensions + j] as number) + (mean[i] as number) * (mean[j] as number),
  )
}
