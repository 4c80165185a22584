/** B08 and B09: pairs of face and code under one key are known, and the code of a fresh face (SPEC §15.7). @module */

import { SeededRandom, seededKey } from '../../../src/evaluate/random.ts'
import type { Suite } from '../../../src/transform/suite.ts'
import { type Matrix, matrix, row, timesTransposed } from '../matrix.ts'
import { codesOf, cosine, normals, roundFaces } from './faces.ts'
import { type Inverter, type LinearEstimate, linearEstimate, procrustesInverter } from './key-estimates.ts'
import {
  agreement,
  firstExchanges,
  inverterOf,
  oneRound,
  permutedRound,
  signatures,
  threeRounds,
  trueFirstExchanges,
  twoRounds,
} from './key-structure.ts'
import { type Figure, meanOf, plain, type Scenario, shareOf, type Tier } from './measure.ts'
import { drawRounds, type Permutation, rotationMatrix, roundsOf, signsOf } from './rounds.ts'

const DIMENSIONS = 512
const TARGETS = 100
const SUITES: readonly Suite[] = ['B4', 'B6']

/** One key with its known pairs and targets. */
interface Instance {
  readonly faces: Matrix
  readonly codes: Matrix
  readonly targets: Matrix
  readonly targetCodes: Matrix
}

type Codes = (faces: Matrix) => Matrix

function instance(seed: string, pairs: number, codes: Codes): Instance {
  const faces = roundFaces(`${seed} known ${pairs}`, pairs, DIMENSIONS)
  const targets = roundFaces(`${seed} targets ${pairs}`, TARGETS, DIMENSIONS)
  return { faces, codes: codes(faces), targets, targetCodes: codes(targets) }
}

/** Codes that the library makes, under one key for all. */
function libraryCodes(suite: Suite, seed: string, draw: number, unmasked = false): Codes {
  const key = seededKey(seed, draw)
  return (faces) => codesOf(faces, () => key, { suite, bits: DIMENSIONS, unmasked })
}

function weakCodes(rounds: number, permutation: Permutation, seed: string): Codes {
  const key = drawRounds(DIMENSIONS, rounds, permutation, new SeededRandom(seed, permutation, rounds))
  return (faces) => signsOf(key, faces)
}

/** Rows of a random orthogonal matrix: Gram and Schmidt over normal numbers. */
function denseCodes(seed: string): Codes {
  const rotation = { ...matrix(DIMENSIONS, DIMENSIONS), data: normals(`${seed} dense`, DIMENSIONS ** 2) }
  for (let i = 0; i < DIMENSIONS; i++) {
    const mine = row(rotation, i)
    for (let k = 0; k < i; k++) {
      const other = row(rotation, k)
      let product = 0
      for (let j = 0; j < DIMENSIONS; j++) product += (mine[j] as number) * (other[j] as number)
      for (let j = 0; j < DIMENSIONS; j++) mine[j] = (mine[j] as number) - product * (other[j] as number)
    }
    const length = Math.sqrt(mine.reduce((sum, value) => sum + value * value, 0))
    for (let j = 0; j < DIMENSIONS; j++) mine[j] = (mine[j] as number) / length
  }
  return (faces) => {
    const codes = timesTransposed(faces, rotation)
    return { ...codes, data: codes.data.map((value) => (value >= 0 ? 1 : -1)) }
  }
}

function gain(name: string, invert: Inverter, { targets, targetCodes }: Instance): Figure {
  const cosines = Array.from({ length: targets.rows }, (_, i) =>
    cosine(invert(row(targetCodes, i)), row(targets, i)),
  )
  return meanOf(name, cosines)
}

export const sharedKey: Scenario = {
  attack: 'B08',
  title: 'one key for all, known pairs, an estimate that knows no structure: d = m = 512, round faces',
  ofPeople: false,
  run: async ({ seed, tier }) => {
    const figures: Figure[] = []
    for (const suite of SUITES) {
      const codes = libraryCodes(suite, seed, 8)
      for (const pairs of tier === 'smoke'
        ? [64, 128, 256]
        : [1, 7, 15, 31, 63, 64, 127, 128, 256, 512, 1024]) {
        const known = instance(`${seed} ${suite}`, pairs, codes)
        figures.push(
          gain(`${suite}, ${pairs} pairs, ridge`, linearEstimate(known.faces, known.codes).ridge, known),
        )
        if (pairs !== 64 && (pairs !== 256 || tier === 'smoke')) continue
        const turned = procrustesInverter(known.faces, known.codes)
        figures.push(gain(`${suite}, ${pairs} pairs, Procrustes`, turned, known))
      }
    }
    const dense = instance(`${seed} dense`, 256, denseCodes(seed))
    figures.push(gain('dense key, 256 pairs, ridge', linearEstimate(dense.faces, dense.codes).ridge, dense))
    return figures
  },
}

export const structure: Scenario = {
  attack: 'B09',
  title: 'one key for all, known pairs, searches of rank one for the signs: d = m = 512, round faces',
  ofPeople: false,
  run: async ({ seed, tier }) => [
    ...likeTheLibrary(seed),
    ...withoutPermutations(seed),
    ...rankOne(seed, tier),
  ],
}

export const halvesOfColumns: Scenario = {
  attack: 'B09',
  title: 'one key for all, known pairs, the Gram matrix of both halves of the rows: d = m = 512, round faces',
  ofPeople: false,
  run: async ({ seed, tier }) => gramOfHalves(seed, tier),
}

export const exactMatrix: Scenario = {
  attack: 'B09',
  title: 'signatures of a rotation that is known whole: d = m = 512',
  ofPeople: false,
  run: async ({ seed }) => signaturesOf(seed),
}

/** The control of the weak relatives: with the library's rounds and stream they give the library's bits. */
function likeTheLibrary(seed: string): readonly Figure[] {
  const faces = roundFaces(`${seed} control`, 40, DIMENSIONS)
  return SUITES.map((suite) => {
    const key = seededKey(seed, 9, 1)
    const own = signsOf(roundsOf(suite, key, DIMENSIONS, DIMENSIONS), faces)
    const library = codesOf(faces, () => key, { suite, bits: DIMENSIONS, unmasked: true })
    const equal = own.data.reduce((count, bit, i) => count + Number(bit === library.data[i]), 0)
    return shareOf(
      `${suite}: bits of the re-implementation like the library’s`,
      equal,
      DIMENSIONS * faces.rows,
    )
  })
}

function withoutPermutations(seed: string): readonly Figure[] {
  const figures: Figure[] = []
  for (const [rounds, pairs] of [
    [1, 1],
    [1, 4],
    [2, 4],
    [2, 8],
  ] as const) {
    const name = `R = ${rounds}, no permutation, ${pairs} pairs`
    const shares: number[] = []
    for (let draw = 0; draw < 5; draw++) {
      const random = new SeededRandom(seed, 'none', rounds, pairs, draw)
      const key = drawRounds(DIMENSIONS, rounds, 'none', random)
      const faces = roundFaces(`${seed} ${name} ${draw}`, pairs, DIMENSIONS)
      const codes = signsOf(key, faces)
      const found = rounds === 1 ? oneRound(faces, codes) : twoRounds(faces, codes)
      shares.push(
        agreement(
          found.map(({ signs }) => signs),
          key.map(({ signs }) => signs),
        ),
      )
    }
    figures.push(meanOf(`${name}: key bits`, shares))
  }
  return figures
}

/** The attacks that need no permutations, on keys with and without; and on the library, above its linear baseline. */
function rankOne(seed: string, tier: Tier): readonly Figure[] {
  const figures: Figure[] = []
  const single = instance(`${seed} single`, 64, weakCodes(1, 'butterfly', seed))
  const one = permutedRound(linearEstimate(single.faces, single.codes).rotation())
  figures.push(gain('R = 1, butterfly, 64 pairs, matched', inverterOf(one), single))
  for (const permutation of ['none', 'butterfly', 'fisher-yates'] as const) {
    const name = `R = 3, ${permutation}, 128 pairs`
    const known = instance(`${seed} ${name}`, 128, weakCodes(3, permutation, seed))
    const found = threeRounds(linearEstimate(known.faces, known.codes).rotation())
    figures.push(gain(`${name}, rank one`, inverterOf(found), known))
  }
  for (const suite of SUITES) {
    const codes = libraryCodes(suite, seed, 9, true)
    for (const pairs of tier === 'smoke' ? [128] : [1, 8, 32, 64, 128, 256, 512, 1024]) {
      figures.push(...libraryUnderAttack(suite, instance(`${seed} ${suite} structure`, pairs, codes)))
    }
  }
  return figures
}

function libraryUnderAttack(suite: Suite, known: Instance): readonly Figure[] {
  const { faces, codes } = known
  const pairs = faces.rows
  const linear: LinearEstimate = linearEstimate(faces, codes)
  const baseline = gain(`${suite}, ${pairs} pairs, ridge`, linear.ridge, known)
  // Whoever tries keeps what does best; the baseline is what nobody can be kept from.
  const attacks = [
    gain('one round', inverterOf(oneRound(faces, codes)), known),
    gain('permuted round', inverterOf(permutedRound(linear.rotation())), known),
    gain('two rounds', inverterOf(twoRounds(faces, codes)), known),
    gain('three rounds', inverterOf(threeRounds(linear.rotation())), known),
  ]
  const [best] = attacks.sort((a, b) => b.value - a.value) as [Figure]
  return [
    { ...best, name: `${suite}, ${pairs} pairs: best structured attack` },
    {
      name: `${suite}, ${pairs} pairs: above the linear baseline`,
      value: best.value - baseline.value,
      n: TARGETS,
      low: best.low - baseline.high,
      high: best.high - baseline.low,
    },
  ]
}

function gramOfHalves(seed: string, tier: Tier): readonly Figure[] {
  const all: readonly (readonly [number, Permutation, number])[] = [
    [2, 'butterfly', 256],
    [2, 'butterfly', 512],
    [2, 'butterfly', 1024],
    [2, 'fisher-yates', 1024],
    [3, 'butterfly', 512],
    [3, 'butterfly', 1024],
    [4, 'butterfly', 1024],
  ]
  const figures = all
    .filter(([, , pairs]) => tier === 'slow' || pairs === 512)
    .map(([rounds, permutation, pairs]) => {
      const random = new SeededRandom(seed, 'gram', rounds, pairs)
      const key = drawRounds(DIMENSIONS, rounds, permutation, random)
      const faces = roundFaces(`${seed} gram ${rounds} ${pairs}`, pairs, DIMENSIONS)
      const found = firstExchanges(linearEstimate(faces, signsOf(key, faces)).rotation())
      const share = agreement([found], [trueFirstExchanges(key)])
      return shareOf(
        `R = ${rounds}, ${permutation}, ${pairs} pairs: first exchanges`,
        Math.round(256 * share),
        256,
      )
    })
  for (const suite of SUITES) {
    const key = seededKey(seed, 9, 2)
    const pairs = tier === 'slow' ? 1024 : 512
    const faces = roundFaces(`${seed} gram ${suite}`, pairs, DIMENSIONS)
    const codes = codesOf(faces, () => key, { suite, bits: DIMENSIONS, unmasked: true })
    const found = firstExchanges(linearEstimate(faces, codes).rotation())
    const truth = trueFirstExchanges(roundsOf(suite, key, DIMENSIONS, DIMENSIONS))
    const equal = Math.round(256 * agreement([found], [truth]))
    figures.push(shareOf(`${suite}, ${pairs} pairs: first exchanges`, equal, 256))
  }
  return figures
}

function signaturesOf(seed: string): readonly Figure[] {
  const weak = (
    [
      [2, 'butterfly'],
      [2, 'fisher-yates'],
      [3, 'butterfly'],
    ] as const
  ).map(([rounds, permutation]) => ({
    name: `R = ${rounds}, ${permutation}`,
    key: drawRounds(DIMENSIONS, rounds, permutation, new SeededRandom(seed, 'exact', rounds)),
  }))
  const library = SUITES.map((suite) => ({
    name: suite,
    key: roundsOf(suite, seededKey(seed, 9, 3), DIMENSIONS, DIMENSIONS),
  }))
  return [...weak, ...library].flatMap(({ name, key }) => {
    const rotation = rotationMatrix(key)
    const { kurtosis, covariation } = signatures(rotation)
    const share = agreement([firstExchanges(rotation)], [trueFirstExchanges(key)])
    return [
      plain(`${name}, exact matrix: kurtosis`, kurtosis, 256 * 255 * 2),
      plain(`${name}, exact matrix: energy covariation`, covariation, 256 * 255),
      shareOf(`${name}, exact matrix: first exchanges`, Math.round(256 * share), 256),
    ]
  })
}
