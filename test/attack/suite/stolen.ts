/** B02 to B04, B06 and B07: code and key are stolen together (SPEC §15.7). @module */

import { accepts } from '../../../src/compare/decide.ts'
import { score, similarity } from '../../../src/compare/score.ts'
import { DoubleRotation } from '../../../src/evaluate/double-rotation.ts'
import { InformedThief } from '../../../src/evaluate/informed-preimage.ts'
import { linkability } from '../../../src/evaluate/linkability.ts'
import type { People } from '../../../src/evaluate/people.ts'
import type { Population } from '../../../src/evaluate/population.ts'
import { linearPreimage, unmask } from '../../../src/evaluate/preimage.ts'
import { seededKey } from '../../../src/evaluate/random.ts'
import type { Bits } from '../../../src/policy/operating-point.ts'
import { encodeProbe, encodeReference } from '../../../src/template/template.ts'
import { rotationSize } from '../../../src/transform/suite.ts'
import { row } from '../matrix.ts'
import { cosine, facesOf, integersOf, roundFaces } from './faces.ts'
import { type Halves, halvesOf, integersAt, spread, type Target } from './halves.ts'
import { type Figure, meanOf, plain, type Scenario, shareOf } from './measure.ts'

const SUITE = 'B4'
const ROUND = 512

export const linear: Scenario = {
  attack: 'B02',
  title: 'code and key, no prior: Wᵀb of round faces, d = 512',
  ofPeople: false,
  run: async ({ seed }) => {
    const faces = roundFaces(`${seed} preimage`, 100, ROUND)
    return ([128, 256, 512, 1024] as const).flatMap((bits) => {
      const cosines: number[] = []
      let equal = 0
      for (let target = 0; target < faces.rows; target++) {
        const key = seededKey(seed, 2, bits, target)
        const code = encodeReference(integersOf(row(faces, target)), SUITE, bits, key)
        const preimage = linearPreimage(code, key, { suite: SUITE, dimensions: ROUND })
        cosines.push(cosine(preimage, row(faces, target)))
        equal += agreeing(code, encodeReference(integersOf(preimage), SUITE, bits, key))
      }
      const figures = [meanOf(`m = ${bits}: cosine`, cosines)]
      if (bits <= ROUND)
        figures.push(shareOf(`m = ${bits}: bits of h(x̂) as stored`, equal, bits * faces.rows))
      return figures
    })
  },
}

/** Counts of one kind of preimage at one number of bits. */
interface Tally {
  readonly cosines: number[]
  I: number
  II: number
  III: number
}

export const accepted: Scenario = {
  attack: 'B03 B04',
  title:
    'code and key: preimages with and without a prior, and who accepts them at FMR 1e-4; own key for every record',
  ofPeople: true,
  run: async (circumstances) => {
    const { seed, tier } = circumstances
    const halves = await halvesOf(circumstances)
    const { people } = halves
    const targets = spread(halves.targets, tier === 'smoke' ? 40 : 400)
    return halves.bits.flatMap((bits) => {
      const tallies = { linear: emptyTally(), prior: emptyTally() }
      let genuine = 0
      for (const [index, target] of targets.entries()) {
        const key = seededKey(seed, 3, bits, index)
        const code = encodeReference(integersAt(people, target.enrolled), SUITE, bits, key)
        const options = { suite: SUITE, bits, dimensions: people.dimensions } as const
        const trial = { people, halves, bits, target, code, key, fresh: seededKey(seed, 4, bits, index) }
        count(tallies.linear, linearPreimage(code, key, options), trial)
        count(tallies.prior, informedPreimage(code, key, halves.population(), bits), trial)
        genuine += Number(opens(integersAt(people, target.other), code, key, bits, halves.of(bits)['1e-4']))
      }
      return [
        ...Object.entries(tallies).flatMap(([name, { cosines, I, II, III }]) => [
          meanOf(`m = ${bits}, ${name}: cosine`, cosines),
          shareOf(`m = ${bits}, ${name}: SAR-I`, I, targets.length),
          shareOf(`m = ${bits}, ${name}: SAR-II`, II, targets.length),
          shareOf(`m = ${bits}, ${name}: SAR-III`, III, targets.length),
        ]),
        shareOf(`m = ${bits}: a genuine other capture`, genuine, targets.length),
      ]
    })
  },
}

export const linkedByKeys: Scenario = {
  attack: 'B06',
  title: 'two codes and both keys: the linear preimage of one, presented to the other',
  ofPeople: true,
  run: async (circumstances) => {
    const { seed, tier } = circumstances
    const halves = await halvesOf(circumstances)
    const { people } = halves
    const pairs = tier === 'smoke' ? 1000 : 5000
    const figures: Figure[] = []
    for (const bits of halves.bits) {
      const scores = { mated: [] as number[], nonMated: [] as number[] }
      for (let pair = 0; pair < pairs; pair++) {
        const target = halves.targets[pair % halves.targets.length] as Target
        const stranger = halves.targets[(pair * 7 + 3) % halves.targets.length] as Target
        const key = seededKey(seed, 6, bits, pair)
        const code = encodeReference(integersAt(people, target.enrolled), SUITE, bits, key)
        const z = integersOf(linearPreimage(code, key, { suite: SUITE, dimensions: people.dimensions }))
        const other = seededKey(seed, 7, bits, pair)
        const probe = encodeProbe(z, SUITE, bits, other)
        const near = (sample: number): number => {
          const { sum, energy } = score(
            encodeReference(integersAt(people, sample), SUITE, bits, other),
            probe,
          )
          return similarity(sum, energy, bits)
        }
        scores.mated.push(near(target.other))
        if (people.subjectOf[stranger.other] !== people.subjectOf[target.enrolled]) {
          scores.nonMated.push(near(stranger.other))
        }
      }
      const { system } = await linkability(scores, { seed, bins: 30 })
      // Pairs share people, each of whom has one enrolled sample here.
      figures.push(plain(`m = ${bits}: D_sys`, system, Math.min(pairs, halves.targets.length)))
    }
    return figures
  },
}

export const accumulated: Scenario = {
  attack: 'B07',
  title:
    'several old codes of one face with their keys: the sum of their preimages, m = d = 512, round faces',
  ofPeople: false,
  run: async ({ seed }) => {
    const faces = roundFaces(`${seed} generations`, 100, ROUND)
    const most = 16
    const cosines = Array.from({ length: most }, (): number[] => [])
    for (let target = 0; target < faces.rows; target++) {
      const z = integersOf(row(faces, target))
      const sum = new Float64Array(ROUND)
      for (let generation = 0; generation < most; generation++) {
        const key = seededKey(seed, 8, target, generation)
        const code = encodeReference(z, SUITE, ROUND, key)
        const preimage = linearPreimage(code, key, { suite: SUITE, dimensions: ROUND })
        for (let i = 0; i < ROUND; i++) sum[i] = (sum[i] as number) + (preimage[i] as number)
        cosines[generation]?.push(cosine(sum, row(faces, target)))
      }
    }
    return [1, 2, 4, 8, 16].map((t) => meanOf(`${t} generations: cosine`, cosines[t - 1] ?? []))
  },
}

/** The evaluator's own estimate (SPEC §15.6); what it must reach is another's, of matrices alone. */
function informedPreimage(
  code: Uint8Array,
  key: Uint8Array,
  population: Population,
  bits: Bits,
): Float64Array {
  const n = rotationSize(population.dimensions, bits)
  const rotation = new DoubleRotation(SUITE, key, n)
  const thief = new InformedThief(population, rotation, [bits])
  const { face } = thief.posterior(unmask(code, key, SUITE, n))
  thief.wipe()
  rotation.wipe()
  return face
}

function count(
  tally: Tally,
  preimage: Float64Array,
  trial: {
    readonly people: People
    readonly halves: Halves
    readonly bits: Bits
    readonly target: Target
    readonly code: Uint8Array
    readonly key: Uint8Array
    readonly fresh: Uint8Array
  },
): void {
  const { people, halves, bits, target, code, key, fresh } = trial
  const threshold = halves.of(bits)['1e-4']
  const z = integersOf(preimage)
  const reissued = encodeReference(integersAt(people, target.other), SUITE, bits, fresh)
  const faces = facesOf(people, [target.enrolled, target.other])
  tally.cosines.push(cosine(preimage, row(faces, 0)))
  tally.I += Number(opens(z, code, key, bits, threshold))
  tally.II += Number(opens(z, reissued, fresh, bits, threshold))
  tally.III += Number(cosine(preimage, row(faces, 1)) * 10_000 >= halves.of('cosine')['1e-4'])
}

function emptyTally(): Tally {
  return { cosines: [], I: 0, II: 0, III: 0 }
}

/** The library's own decision. */
export function opens(
  z: Int32Array,
  code: Uint8Array,
  key: Uint8Array,
  bits: Bits,
  threshold: number,
): boolean {
  const probe = encodeProbe(z, SUITE, bits, key)
  const { sum, energy } = score(code, probe)
  probe.wipe()
  return accepts(sum, energy, bits, threshold)
}

function agreeing(a: Uint8Array, b: Uint8Array): number {
  let equal = 0
  for (let bit = 0; bit < 8 * a.length; bit++) {
    equal += 1 - ((((a[bit >> 3] as number) ^ (b[bit >> 3] as number)) >> (bit & 7)) & 1)
  }
  return equal
}
