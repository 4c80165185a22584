/** B11: the thief knows all members of a shard but one, face and code, and the code of that one (SPEC §16.2). @module */

import type { People } from '../../src/evaluate/people.ts'
import { SeededRandom, seededKey } from '../../src/evaluate/random.ts'
import { wilson } from '../../src/evaluate/rates.ts'
import { GALLERY_SUITE } from '../../src/gallery/declaration.ts'
import type { Bits } from '../../src/policy/operating-point.ts'
import { encodeReference } from '../../src/template/template.ts'
import { dot, type Matrix, matrix, row } from './matrix.ts'
import { type Preimages, shardAttack } from './shard-estimators.ts'
import { type Population, populationsOf, priorsFor, unitAt, unitOf } from './shard-population.ts'

export interface ShardTrial {
  readonly bits: Bits
  /** Pairs of face and code that the thief knows. */
  readonly known: number
  readonly targets: number
  readonly seed: string
  /** Priors to try: how much of the covariance is taken for round, from 0 to 1. */
  readonly shrinkages: readonly number[]
  /** One key for all instead of one for each target: then the known pairs are the same for so many parts of the people. */
  readonly oneKeyGroups?: number
}

export interface Share {
  readonly value: number
  readonly low: number
  readonly high: number
}

/** What one estimator gains. */
export interface Gain {
  /** Mean cosine between the preimage and the face behind the code. */
  readonly cosine: number
  /** SAR-III: an unprotected system with another capture of the person accepts the preimage, by false match rate. */
  readonly accepted: Readonly<Record<'1e-3' | '1e-4', Share>>
  /** The other capture is the nearest to the preimage among one capture of everybody of that half. */
  readonly named: Share
}

export interface ShardFigures {
  /** The fewest pairs known of any target. */
  readonly known: number
  readonly targets: number
  readonly people: number
  /** Non-mated comparisons behind the thresholds of each half. */
  readonly comparisons: readonly number[]
  readonly among: readonly number[]
  readonly gains: ReadonlyMap<string, Gain>
  /** The estimator with the most accepted at 1 in 10,000, chosen after the fact: in favour of the thief. */
  readonly best: string
}
const CONTROLS = ['mean face', 'the face itself'] as const

/** What the best estimator gains. */
export function gainOf({ gains, best }: ShardFigures): Gain {
  return gains.get(best) as Gain
}

/** The figures for people to read: a line an estimator, the best one marked. */
export function tableOf({ known, targets, people, comparisons, among, gains, best }: ShardFigures): string {
  const share = ({ value, low, high }: Share): string =>
    `${value.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`
  const lines = [...gains].map(
    ([name, { cosine, accepted, named }]) =>
      `${name === best ? '*' : ' '} ${name.padEnd(21)} cosine ${cosine.toFixed(3)}, SAR-III at 1e-3 ${share(accepted['1e-3'])}, at 1e-4 ${share(accepted['1e-4'])}, named ${share(named)}`,
  )
  const head = `${known} pairs known, ${targets} targets of ${people} people; ${comparisons.join(' and ')} non-mated comparisons; named among ${among.join(' and ')}`
  return [head, ...lines].join('\n')
}

/** One half of the people: targets and members; prior and thresholds come from the other half. */
interface Half {
  readonly targets: readonly number[]
  readonly members: readonly number[]
  readonly populations: ReadonlyMap<string, Population>
  readonly thresholds: { readonly '1e-3': number; readonly '1e-4': number }
  readonly comparisons: number
  /** One capture of each subject, other than the first. */
  readonly gallery: readonly number[]
}

/** Attacks so many targets, spread over both halves of the people. */
export function attackShards(people: People, trial: ShardTrial): ShardFigures {
  const halves = splitHalves(people, trial.seed, trial.shrinkages)
  const tally = new Tally()
  halves.forEach((half, side) => {
    const wanted = Math.floor((trial.targets + side) / 2)
    const count = Math.min(wanted, half.targets.length)
    const targets = Array.from(
      { length: count },
      (_, i) => half.targets[Math.floor((i * half.targets.length) / count)] as number,
    )
    const report: Report = (target, preimages, known) => tally.add(people, half, target, preimages, known)
    if (trial.oneKeyGroups === undefined) shardsAttack(people, half, targets, trial, side, report)
    else oneKeyAttack(people, targets, trial, side, report)
  })
  return tally.figures(halves)
}

type Report = (target: number, preimages: Preimages, known: number) => void

/** Each target in a shard of its own: random members, a fresh key. */
function shardsAttack(
  people: People,
  half: Half,
  targets: readonly number[],
  trial: ShardTrial,
  side: number,
  report: Report,
): void {
  for (const target of targets) {
    const random = new SeededRandom(trial.seed, 'shard', side, target)
    const members = drawMembers(
      people,
      half.members,
      [people.subjectOf[target] as number],
      trial.known,
      random,
    )
    const key = seededKey(trial.seed, side, target)
    const faces = matrix(members.length, people.dimensions, (i, j) => unitAt(people, members[i] as number, j))
    const attack = shardAttack(
      faces,
      codesOf(people, members, trial.bits, key),
      priorsFor(people, half.populations, members),
    )
    report(target, attack(row(codesOf(people, [target], trial.bits, key), 0)), members.length)
  }
}

/** Everybody under one key: the subjects of a tenth are attacked with pairs of the others. */
function oneKeyAttack(
  people: People,
  targets: readonly number[],
  trial: ShardTrial,
  side: number,
  report: Report,
): void {
  const all = Array.from({ length: people.count }, (_, sample) => sample)
  const key = seededKey(trial.seed, side)
  const groups = trial.oneKeyGroups ?? 1
  for (let group = 0; group < groups; group++) {
    const mine = targets.filter((target) => (people.subjectOf[target] as number) % groups === group)
    if (mine.length === 0) continue
    const outside = mine.map((target) => people.subjectOf[target] as number)
    const random = new SeededRandom(trial.seed, 'one-key', side, group)
    const members = drawMembers(people, all, outside, trial.known, random)
    const faces = matrix(members.length, people.dimensions, (i, j) => unitAt(people, members[i] as number, j))
    // So many pairs know more than a prior.
    const attack = shardAttack(faces, codesOf(people, members, trial.bits, key), new Map())
    for (const target of mine)
      report(target, attack(row(codesOf(people, [target], trial.bits, key), 0)), members.length)
  }
}

/** Different people first; where there are too few, more samples of the same ones. */
function drawMembers(
  people: People,
  from: readonly number[],
  without: readonly number[],
  count: number,
  random: SeededRandom,
): readonly number[] {
  const left = new Map<number, number[]>()
  const excluded = new Set(without)
  for (const sample of from) {
    const subject = people.subjectOf[sample] as number
    if (excluded.has(subject)) continue
    const samples = left.get(subject) ?? []
    left.set(subject, [...samples, sample])
  }
  const members: number[] = []
  while (members.length < count && left.size > 0) {
    const order = shuffle([...left.keys()], random)
    for (const subject of order.slice(0, count - members.length)) {
      const samples = left.get(subject) as number[]
      members.push(...samples.splice(random.below(samples.length), 1))
      if (samples.length === 0) left.delete(subject)
    }
  }
  return members
}

function codesOf(people: People, samples: readonly number[], bits: Bits, key: Uint8Array): Matrix {
  const { dimensions, integers } = people
  const codes = samples.map((sample) =>
    encodeReference(
      integers.subarray(sample * dimensions, (sample + 1) * dimensions),
      GALLERY_SUITE,
      bits,
      key,
    ),
  )
  return matrix(
    samples.length,
    bits,
    (i, bit) => ((((codes[i] as Uint8Array)[bit >> 3] as number) >> (bit & 7)) & 1) * 2 - 1,
  )
}

function splitHalves(people: People, seed: string, shrinkages: readonly number[]): readonly Half[] {
  const order = shuffle(
    Array.from({ length: people.subjects }, (_, subject) => subject),
    new SeededRandom(seed, 'halves'),
  )
  const first = new Set(order.slice(0, order.length >> 1))
  const samples: readonly [number[], number[]] = [[], []]
  people.subjectOf.forEach((subject, sample) => samples[first.has(subject) ? 0 : 1].push(sample))
  return [0, 1].map((side): Half => {
    const members = samples[side as 0 | 1]
    const others = samples[(1 - side) as 0 | 1]
    const { thresholds, comparisons } = thresholdsOf(people, others)
    const targets = members.filter((sample) => other(people, sample) !== undefined)
    const gallery = [
      ...new Map(members.map((sample) => [people.subjectOf[sample] as number, sample])).values(),
    ]
    return {
      targets,
      members,
      populations: populationsOf(people, others, shrinkages),
      thresholds,
      comparisons,
      gallery,
    }
  })
}

/** Cosines that 1 in 1,000 and 1 in 10,000 comparisons of different people exceed. */
function thresholdsOf(people: People, samples: readonly number[]): Pick<Half, 'thresholds' | 'comparisons'> {
  const STEPS = 100_000
  const bins = new Float64Array(STEPS + 1)
  let comparisons = 0
  samples.forEach((a, i) => {
    for (const b of samples.slice(i + 1)) {
      if (people.subjectOf[a] === people.subjectOf[b]) continue
      comparisons++
      const bin = Math.max(0, Math.min(STEPS, Math.ceil(cosine(people, a, b) * STEPS)))
      bins[bin] = (bins[bin] as number) + 1
    }
  })
  const at = (rate: number): number => {
    let above = 0
    for (let bin = STEPS; bin > 0; bin--) {
      above += bins[bin] as number
      if (above > rate * comparisons) return bin / STEPS
    }
    return 0
  }
  return { thresholds: { '1e-3': at(1e-3), '1e-4': at(1e-4) }, comparisons }
}

/** Sums over the targets, estimator by estimator. */
class Tally {
  #targets = 0
  #known = Number.POSITIVE_INFINITY
  readonly #subjects = new Set<number>()
  readonly #sums = new Map<string, { cosine: number; '1e-3': number; '1e-4': number; named: number }>()

  add(people: People, half: Half, target: number, preimages: Preimages, known: number): void {
    this.#targets++
    this.#known = Math.min(this.#known, known)
    const subject = people.subjectOf[target] as number
    this.#subjects.add(subject)
    const [population] = half.populations.values()
    const [none, all] = CONTROLS
    const controls = new Map<string, Float64Array>([
      ...(population === undefined ? [] : [[none, population.mean] as const]),
      [all, Float64Array.from(unitOf(people, target))],
    ])
    const again = other(people, target) as number
    for (const [name, preimage] of [...preimages, ...controls]) {
      const sums = this.#sums.get(name) ?? { cosine: 0, '1e-3': 0, '1e-4': 0, named: 0 }
      this.#sums.set(name, sums)
      const length = Math.sqrt(dot(preimage, preimage))
      const near = (sample: number): number => dot(preimage, unitOf(people, sample)) / length
      const found = near(again)
      sums.cosine += near(target)
      sums['1e-3'] += Number(found > half.thresholds['1e-3'])
      sums['1e-4'] += Number(found > half.thresholds['1e-4'])
      sums.named += Number(
        half.gallery.every((sample) => people.subjectOf[sample] === subject || near(sample) < found),
      )
    }
  }

  figures(halves: readonly Half[]): ShardFigures {
    const targets = this.#targets
    const share = (count: number): Share => ({ value: count / targets, ...wilson(count, targets) })
    const gains = new Map(
      [...this.#sums].map(([name, sums]): [string, Gain] => [
        name,
        {
          cosine: sums.cosine / targets,
          accepted: { '1e-3': share(sums['1e-3']), '1e-4': share(sums['1e-4']) },
          named: share(sums.named),
        },
      ]),
    )
    const ranked = [...gains]
      .filter(([name]) => !(CONTROLS as readonly string[]).includes(name))
      .sort(([, a], [, b]) => b.accepted['1e-4'].value - a.accepted['1e-4'].value || b.cosine - a.cosine)
    return {
      known: this.#known,
      targets,
      people: this.#subjects.size,
      comparisons: halves.map(({ comparisons }) => comparisons),
      among: halves.map(({ gallery }) => gallery.length),
      gains,
      best: ranked[0]?.[0] ?? '',
    }
  }
}

/** Another sample of the same person: the next one, after the last the first. */
function other({ subjectOf, count }: People, sample: number): number | undefined {
  const subject = subjectOf[sample]
  if (sample + 1 < count && subjectOf[sample + 1] === subject) return sample + 1
  let first = sample
  while (first > 0 && subjectOf[first - 1] === subject) first--
  return first === sample ? undefined : first
}

function shuffle(list: readonly number[], random: SeededRandom): number[] {
  const order = [...list]
  for (let i = order.length - 1; i > 0; i--) {
    const j = random.below(i + 1)
    const held = order[i] as number
    order[i] = order[j] as number
    order[j] = held
  }
  return order
}

function cosine(people: People, a: number, b: number): number {
  return dot(unitOf(people, a), unitOf(people, b))
}
