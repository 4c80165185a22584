/** B12 to B14: what answers tell when they are scores, and when they are decisions without a limit (SPEC §15.7). @module */

import { score, similarity } from '../../../src/compare/score.ts'
import { seededKey } from '../../../src/evaluate/random.ts'
import type { Bits } from '../../../src/policy/operating-point.ts'
import { encodeProbe, encodeReference } from '../../../src/template/template.ts'
import { dot, type Matrix, matrix, row } from '../matrix.ts'
import { codesOf, cosine, facesOf, integersOf, roundFaces } from './faces.ts'
import { directionOf, enrolledFaces, halvesOf, integersAt, spread } from './halves.ts'
import { type Figure, meanOf, type Scenario } from './measure.ts'
import { informedByProducts } from './priors.ts'
import { opens } from './stolen.ts'
import { walk } from './walk.ts'

const SUITE = 'B4'
const ROUND = 512

export const cosineOracle: Scenario = {
  attack: 'B12',
  title: 'the cosine is told (no part of the library does): faces shown, least error',
  ofPeople: true,
  run: async (circumstances) => {
    const { seed } = circumstances
    const halves = await halvesOf(circumstances)
    const round = roundFaces(`${seed} round targets`, 100, ROUND)
    const figures = [32, 128].map((count) =>
      meanOf(
        `round faces, ${count} scores: cosine`,
        byProducts(roundFaces(`${seed} queries ${count}`, count, ROUND), identity(ROUND), round),
      ),
    )
    const targets = enrolledFaces(halves.people, spread(halves.targets, 100))
    return [
      ...figures,
      ...[32, 64].map((count) => {
        const queries = facesOf(halves.people, halves.known.slice(0, count))
        return meanOf(`${count} scores: cosine`, byProducts(queries, halves.moments(), targets))
      }),
    ]
  },
}

function byProducts(queries: Matrix, moments: Matrix, targets: Matrix): number[] {
  const estimate = informedByProducts(queries, moments, 1e-6)
  return Array.from({ length: targets.rows }, (_, t) => {
    const products = Float64Array.from({ length: queries.rows }, (_, i) =>
      dot(row(queries, i), row(targets, t)),
    )
    return cosine(estimate(products), row(targets, t))
  })
}

export const scoreOracle: Scenario = {
  attack: 'B13',
  title:
    'a score under a secret key is told: the Hamming distance, or the sum that the library computes and keeps',
  ofPeople: true,
  run: async (circumstances) => {
    const { seed } = circumstances
    const halves = await halvesOf(circumstances)
    const { people } = halves
    const bits = halves.bits.at(-1) as Bits
    const targets = spread(halves.targets, 60)
    const faces = enrolledFaces(people, targets)
    const figures: Figure[] = []
    const round = roundFaces(`${seed} round targets`, 60, ROUND)
    const queries = roundFaces(`${seed} round queries`, 256, ROUND)
    figures.push(
      meanOf(
        'round faces, 256 Hamming distances: cosine',
        byScores(queries, identity(ROUND), round, { bits: 512, seed, kind: 'Hamming' }),
      ),
    )
    for (const count of [32, 128]) {
      const known = facesOf(people, halves.known.slice(0, count))
      for (const kind of ['Hamming', 'library'] as const) {
        const name = kind === 'Hamming' ? 'Hamming distances' : 'scores of the library'
        const cosines = byScores(known, halves.moments(), faces, { bits, seed, kind })
        figures.push(meanOf(`${count} ${name}: cosine`, cosines))
      }
    }
    return figures
  },
}

/** Every target under a key of its own, which the thief never sees; the mean product of bits tells an angle. */
function byScores(
  queries: Matrix,
  moments: Matrix,
  targets: Matrix,
  { bits, seed, kind }: { readonly bits: Bits; readonly seed: string; readonly kind: 'Hamming' | 'library' },
): number[] {
  // Of a sign against a normal value, and of two signs: variance of the angle’s estimate near zero.
  const noise = (kind === 'Hamming' ? (Math.PI / 2) ** 2 : Math.PI / 2) / bits
  const estimate = informedByProducts(queries, moments, noise)
  return Array.from({ length: targets.rows }, (_, t) => {
    const key = seededKey(seed, 13, t)
    const face = row(targets, t)
    const code = encodeReference(integersOf(face), SUITE, bits, key)
    const signs = codesOf({ rows: 1, columns: face.length, data: Float64Array.from(face) }, () => key, {
      suite: SUITE,
      bits,
    })
    const products = Float64Array.from({ length: queries.rows }, (_, i) => {
      const query = row(queries, i)
      if (kind === 'library') {
        const { sum, energy } = score(code, encodeProbe(integersOf(query), SUITE, bits, key))
        return similarity(sum, energy, bits) * Math.sqrt(Math.PI / 2)
      }
      const mine = codesOf({ rows: 1, columns: query.length, data: Float64Array.from(query) }, () => key, {
        suite: SUITE,
        bits,
      })
      return Math.sin(((Math.PI / 2) * dot(mine.data, signs.data)) / bits)
    })
    return cosine(estimate(products), face)
  })
}

export const decisions: Scenario = {
  attack: 'B14',
  title:
    'decisions without a limit, from an accepted capture: chords of what is accepted, along faces of others',
  ofPeople: true,
  run: async (circumstances) => {
    const { seed, tier } = circumstances
    const halves = await halvesOf(circumstances)
    const { people } = halves
    const bits = halves.bits.at(-1) as Bits
    const threshold = halves.of(bits)['1e-4']
    const budgets = tier === 'smoke' ? [100, 1000] : [100, 1000, 5000]
    const gains = budgets.map((): number[] => [])
    for (const [index, target] of spread(halves.targets, 30).entries()) {
      const key = seededKey(seed, 14, index)
      const code = encodeReference(integersAt(people, target.enrolled), SUITE, bits, key)
      const [face, start] = [0, 1].map((i) => row(facesOf(people, [target.enrolled, target.other]), i)) as [
        Float64Array,
        Float64Array,
      ]
      if (!opens(integersOf(start), code, key, bits, threshold)) continue
      const before = cosine(start, face)
      await walk(start, {
        direction: (turn) => directionOf(halves, 31 * index + turn),
        careful: false,
        ask: async (vector) => opens(integersOf(vector), code, key, bits, threshold),
        queries: budgets.at(-1) as number,
        step: (queries, at) => {
          for (const [i, budget] of budgets.entries()) {
            const list = gains[i] as number[]
            if (queries <= budget) list[index] = cosine(at, face) - before
          }
        },
      })
    }
    return budgets.map((budget, i) =>
      meanOf(
        `${budget} decisions: cosine gained`,
        (gains[i] as number[]).filter((value) => value !== undefined),
      ),
    )
  },
}

function identity(n: number): Matrix {
  return matrix(n, n, (i, j) => Number(i === j) / n)
}
