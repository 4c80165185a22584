/** B01, B05, B15, B16 and B25: what guessing finds, with and without keys (SPEC §15.7). @module */

import { score, similarity } from '../../../src/compare/score.ts'
import { falseMatchRate, falseNonMatchRate } from '../../../src/evaluate/accuracy.ts'
import { linkability } from '../../../src/evaluate/linkability.ts'
import type { PairList } from '../../../src/evaluate/pairs.ts'
import type { People } from '../../../src/evaluate/people.ts'
import { stealTemplates } from '../../../src/evaluate/preimage.ts'
import { seededKey } from '../../../src/evaluate/random.ts'
import { scorePairs } from '../../../src/evaluate/scores.ts'
import type { Bits } from '../../../src/policy/operating-point.ts'
import { encodeProbe, encodeReference } from '../../../src/template/template.ts'
import { combine, dot, type Matrix, matrix, row } from '../matrix.ts'
import { cosine, integersOf, setSigns } from './faces.ts'
import { enrolledFaces, type Halves, halvesOf, integersAt, spread, type Target } from './halves.ts'
import { type Figure, meanOf, plain, type Scenario, shareOf, type Tier } from './measure.ts'
import { hadamard } from './rounds.ts'
import { opens } from './stolen.ts'

const SUITE = 'B4'

export const withoutKeys: Scenario = {
  attack: 'B01',
  title: 'stolen rows, no key: what codes tell of each other, and what a preimage by a guessed key opens',
  ofPeople: true,
  run: async (circumstances) => {
    const { seed, tier } = circumstances
    const halves = await halvesOf(circumstances)
    const { people } = halves
    const bits = largest(halves)
    const mated = matedPairs(halves.targets)
    const threshold = halves.of(bits)['1e-3']
    const targets = tier === 'smoke' ? 2000 : 10_000
    let opened = 0
    let trials = 0
    for (let draw = 0; trials < targets; draw++) {
      const stolen = await stealTemplates(people, mated, { bits, threshold, seed: `${seed} ${draw}` })
      opened += Math.round(stolen.withoutKey.value * stolen.targets)
      trials += stolen.targets
    }
    return [
      shareOf('a preimage by the wrong key, at FMR 1e-3', opened, trials),
      ...(await linkers(people, halves, bits, seed)),
    ]
  },
}

/** Every linkage function sees the same codes. */
const LINKERS: Readonly<Record<string, (a: Float64Array, b: Float64Array) => number>> = {
  'Hamming distance': (a, b) => dot(a, b),
  spectrum: (a, b) => cosine(powers(a), powers(b)),
  weight: (a, b) => -Math.abs(weight(a) - weight(b)),
}

async function linkers(people: People, halves: Halves, bits: Bits, seed: string): Promise<readonly Figure[]> {
  const pairs = 5000
  const scores = Object.keys(LINKERS).map(() => ({ mated: [] as number[], nonMated: [] as number[] }))
  const distances: number[] = []
  for (let pair = 0; pair < pairs; pair++) {
    const target = halves.targets[pair % halves.targets.length] as Target
    const stranger = strangerTo(halves, target, pair + 1 + (pair % 97))
    const codeOf = (sample: number, use: number): Float64Array => {
      const signs = new Float64Array(bits)
      setSigns(encodeReference(integersAt(people, sample), SUITE, bits, seededKey(seed, 1, use, pair)), signs)
      return signs
    }
    const one = codeOf(target.enrolled, 1)
    const same = codeOf(target.enrolled, 2)
    const [alone, other] = [codeOf(target.enrolled, 4), codeOf(stranger.enrolled, 3)]
    distances.push((1 - dot(one, same) / bits) / 2)
    for (const [index, link] of Object.values(LINKERS).entries()) {
      scores[index]?.mated.push(link(one, same))
      // No template is in two pairs, so that scores are independent (EVALUATE-30).
      scores[index]?.nonMated.push(link(alone, other))
    }
  }
  const mean = distances.reduce((sum, value) => sum + value, 0) / pairs
  const variance = distances.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (pairs - 1)
  const figures = [
    meanOf('two keys, one face: Hamming distance', distances),
    plain('two keys, one face: deviation × 2√m', Math.sqrt(variance) * 2 * Math.sqrt(bits), pairs),
  ]
  for (const [index, name] of Object.keys(LINKERS).entries()) {
    const { system, chance } = await linkability(scores[index] as (typeof scores)[number], { seed })
    figures.push(plain(`${name}: D_sys less its 95 % quantile by chance`, system - chance.quantile95, pairs))
  }
  return figures
}

export const accuracy: Scenario = {
  attack: 'B05',
  title: 'accuracy with the right key at FMR 1e-4 of the known half, and scores with a wrong one',
  ofPeople: true,
  run: async (circumstances) => {
    const { seed } = circumstances
    const halves = await halvesOf(circumstances)
    const { people } = halves
    const nonMated = guessPairs(halves.targets, halves.known, 400)
    const pairs = { mated: matedPairs(halves.targets), nonMated, nonMatedAvailable: nonMated.probes.length }
    const all = await scorePairs(people, pairs, { bits: halves.bits, seed })
    return halves.bits.flatMap((bits, index) => {
      const threshold = halves.of(bits)['1e-4']
      const scores = all[index] as (typeof all)[number]
      const missed = falseNonMatchRate(scores, threshold)
      const wrong: number[] = []
      for (const [i, { enrolled }] of spread(halves.targets, 400).entries()) {
        for (let draw = 0; draw < 5; draw++) {
          const code = encodeReference(integersAt(people, enrolled), SUITE, bits, seededKey(seed, 5, i))
          const probe = encodeProbe(integersAt(people, enrolled), SUITE, bits, seededKey(seed, 6, i, draw))
          const { sum, energy } = score(code, probe)
          wrong.push(similarity(sum, energy, bits) ** 2 * bits)
        }
      }
      return [
        rateOf(`m = ${bits}: FNMR`, missed, pairs.mated.probes.length),
        rateOf(
          `m = ${bits}: FMR on the other half`,
          falseMatchRate(scores, threshold),
          nonMated.probes.length,
        ),
        meanOf(`m = ${bits}: variance of the similarity under a wrong key × m`, wrong),
      ]
    })
  },
}

export const dictionary: Scenario = {
  attack: 'B15 B16 B25',
  title: 'a dictionary of faces against codes with their keys: guesses, untargeted guesses, wolves',
  ofPeople: true,
  run: async (circumstances) => {
    const { seed, tier } = circumstances
    const halves = await halvesOf(circumstances)
    const { people } = halves
    const bits = largest(halves)
    const targets = oneEach(people, halves.targets)
    const guesses = halves.known.slice(0, tier === 'smoke' ? 1000 : 4000)
    const nonMated = guessPairs(targets, guesses, guesses.length)
    const none: PairList = { references: new Uint32Array(0), probes: new Uint32Array(0) }
    const [scores] = await scorePairs(
      people,
      { mated: none, nonMated, nonMatedAvailable: nonMated.probes.length },
      { bits: [bits], seed },
    )
    const grades = scores?.nonMated ?? new Uint16Array(0)
    const hits = (threshold: number): Hits => hitsOf(grades, targets.length, guesses.length, threshold)
    const thresholds = halves.of(bits)
    return [
      ...guessed('1e-3', hits(thresholds['1e-3'])),
      ...guessed('1e-4', hits(thresholds['1e-4'])),
      ...zoo(hits(thresholds['1e-3'])),
      ...wolves(people, halves, bits, seed, tier),
    ]
  },
}

/** Which guess opens which target. */
interface Hits {
  readonly targets: number
  readonly guesses: number
  readonly rate: number
  /** The first guess that opens each target; infinite when none does. */
  readonly first: readonly number[]
  readonly ofTarget: readonly number[]
  readonly ofGuess: readonly number[]
  /** Guesses that open one of the first n targets. */
  readonly anyOf: (n: number) => number
}

function hitsOf(grades: Uint16Array, targets: number, guesses: number, threshold: number): Hits {
  const hit = (target: number, guess: number): boolean =>
    (grades[target * guesses + guess] as number) >= threshold
  const first = Array.from({ length: targets }, () => Number.POSITIVE_INFINITY)
  const ofTarget = Array.from({ length: targets }, () => 0)
  const ofGuess = Array.from({ length: guesses }, () => 0)
  for (let target = 0; target < targets; target++) {
    for (let guess = 0; guess < guesses; guess++) {
      if (!hit(target, guess)) continue
      first[target] = Math.min(first[target] as number, guess + 1)
      ofTarget[target] = (ofTarget[target] as number) + 1
      ofGuess[guess] = (ofGuess[guess] as number) + 1
    }
  }
  return {
    targets,
    guesses,
    rate: ofTarget.reduce((sum, count) => sum + count, 0) / (targets * guesses),
    first,
    ofTarget,
    ofGuess,
    anyOf: (n) => {
      let any = 0
      for (let guess = 0; guess < guesses; guess++) {
        let found = false
        for (let target = 0; target < n && !found; target++) found = hit(target, guess)
        any += Number(found)
      }
      return any
    },
  }
}

function guessed(name: string, hits: Hits): readonly Figure[] {
  const { targets, guesses, rate, first } = hits
  const opened = [100, 900, 2700]
    .filter((count) => count <= guesses)
    .map((count) => {
      const found = first.filter((guess) => guess <= count).length
      return shareOf(`FMR ${name}: targets opened by ${count} guesses`, found, targets)
    })
  const gallery = Math.min(400, targets)
  const any = hits.anyOf(gallery)
  return [
    shareOf(`FMR ${name}: pooled rate of a guess`, Math.round(rate * targets * guesses), targets * guesses),
    ...opened,
    shareOf(`FMR ${name}: a guess opens one of ${gallery}`, any, guesses),
    plain(
      `FMR ${name}: the same over 1 − (1 − FMR)^${gallery}`,
      any / guesses / (1 - (1 - rate) ** gallery),
      guesses,
    ),
  ]
}

/** How unequal targets and guesses are, at 1e-3, as multiples of the pooled rate. */
function zoo({ ofTarget, ofGuess, guesses, targets, rate }: Hits): readonly Figure[] {
  const quantile = (counts: readonly number[], share: number): number =>
    [...counts].sort((a, b) => a - b)[
      Math.min(counts.length - 1, Math.floor(share * counts.length))
    ] as number
  return [
    plain('median target’s rate over the pooled one', quantile(ofTarget, 0.5) / guesses / rate, targets),
    plain('99 % target’s rate over the pooled one', quantile(ofTarget, 0.99) / guesses / rate, targets),
    plain('best guess of the gallery over the pooled rate', quantile(ofGuess, 1) / targets / rate, guesses),
  ]
}

/** Probes that no camera took: the mean face and both ends of the main axes, against everybody under own keys. */
function wolves(people: People, halves: Halves, bits: Bits, seed: string, tier: Tier): readonly Figure[] {
  const targets = spread(oneEach(people, halves.targets), tier === 'smoke' ? 200 : 1000)
  const threshold = halves.of(bits)['1e-3']
  const probes = [...axes(halves.moments(), 3)].flatMap((axis) => [axis, axis.map((value) => -value)])
  const faces = enrolledFaces(people, targets)
  const mean = combine(faces, new Float64Array(faces.rows).fill(1))
  return [
    { name: 'mean face', tries: [mean] },
    { name: 'best end of three main axes', tries: probes },
  ].map(({ name, tries }) => {
    const counts = tries.map((vector) => {
      const z = integersOf(vector)
      return targets.filter(({ enrolled }, i) => {
        const key = seededKey(seed, 25, i)
        return opens(z, encodeReference(integersAt(people, enrolled), SUITE, bits, key), key, bits, threshold)
      }).length
    })
    return shareOf(`wolf, ${name}, at FMR 1e-3`, Math.max(...counts), targets.length)
  })
}

/** Leading eigenvectors, one after the other. */
export function axes(symmetric: Matrix, count: number): readonly Float64Array[] {
  const n = symmetric.rows
  const found: Float64Array[] = []
  for (let index = 0; index < count; index++) {
    let now: Float64Array = Float64Array.from({ length: n }, (_, i) => Math.cos(index + 1 + 2.399963 * i))
    for (let step = 0; step < 200; step++) {
      for (const other of found) {
        const product = dot(now, other)
        now = now.map((value, i) => value - product * (other[i] as number))
      }
      const next = Float64Array.from({ length: n }, (_, i) => dot(row(symmetric, i), now))
      const length = Math.sqrt(dot(next, next))
      now = next.map((value) => value / length)
    }
    found.push(now)
  }
  return found
}

function largest({ bits }: Halves): Bits {
  return bits.at(-1) as Bits
}

function matedPairs(targets: readonly Target[]): PairList {
  return {
    references: Uint32Array.from(targets, ({ enrolled }) => enrolled),
    probes: Uint32Array.from(targets, ({ other }) => other),
  }
}

/** Every target with the first so many guesses, target by target. */
function guessPairs(targets: readonly Target[], guesses: readonly number[], most: number): PairList {
  const used = guesses.slice(0, most)
  const pairs = matrix(2, targets.length * used.length)
  for (const [i, { enrolled }] of targets.entries()) {
    for (const [j, guess] of used.entries()) {
      pairs.data[i * used.length + j] = enrolled
      pairs.data[pairs.columns + i * used.length + j] = guess
    }
  }
  return { references: Uint32Array.from(row(pairs, 0)), probes: Uint32Array.from(row(pairs, 1)) }
}

function oneEach(people: People, targets: readonly Target[]): readonly Target[] {
  return [...new Map(targets.map((target) => [people.subjectOf[target.enrolled], target])).values()]
}

function rateOf(
  name: string,
  { value, low, high }: { value: number; low: number; high: number },
  n: number,
): Figure {
  return { name, value, n, low, high }
}

/** Somebody else, from a place on: captures of one person lie side by side. */
function strangerTo({ people, targets }: Halves, { enrolled }: Target, from: number): Target {
  const subject = people.subjectOf[enrolled]
  for (let step = 0; step < targets.length; step++) {
    const other = targets[(from + step) % targets.length] as Target
    if (people.subjectOf[other.enrolled] !== subject) return other
  }
  throw new RangeError('there is nobody else')
}

function powers(signs: Float64Array): Float64Array {
  const turned = signs.slice()
  hadamard(turned)
  return turned.map((value) => value * value - 1)
}

function weight(signs: Float64Array): number {
  return signs.reduce((sum, value) => sum + value, 0)
}
