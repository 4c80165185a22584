/** What a theft is worth: cosine, decisions about other photos, acceptance after a reissue (SPEC §15.8). @module */

import { wipe } from '../base/bytes.ts'
import { accepts } from '../compare/decide.ts'
import { score, similarity } from '../compare/score.ts'
import { embedding, toIntegers, unitVector } from '../embedding/embedding.ts'
import type { Model } from '../embedding/model.ts'
import type { AcceptedAt, DrillReport, TheftFigures } from '../evaluate/figures.ts'
import { linearPreimage } from '../evaluate/preimage.ts'
import { SeededRandom } from '../evaluate/random.ts'
import { shareRate } from '../evaluate/rates.ts'
import type { Bits } from '../policy/operating-point.ts'
import { encodeProbe } from '../template/template.ts'
import type { Suite } from '../transform/suite.ts'
import type { Cast } from './demo-cast.ts'
import type { Gain, Opened } from './drill-thefts.ts'
import { cosine, guessFrom } from './thief.ts'

/** A sample, centred and of unit length, and its integers. */
export interface Face {
  readonly unit: Float64Array
  readonly integers: Int32Array
}

/** What thefts are measured on. Holds faces: `wipeTrial` wipes them. */
export interface Trial {
  readonly suite: Suite
  readonly bits: Bits
  readonly seed: string
  readonly thresholds: DrillReport['thresholds']
  /** Of each person: what was enrolled, and what the thief has a photo of. */
  readonly enrolled: readonly Face[]
  readonly photos: readonly Face[]
  /** Everybody's template of after the reissue. */
  readonly fresh: readonly Opened[]
}

const IMPOSTORS = 20
const REPLICATES = 400

export function impostorsOf(people: number): number {
  return Math.min(IMPOSTORS, people - 1)
}

/** Sample number `which` of everybody. */
export function facesOf({ people, model }: Cast, which: 0 | 1): readonly Face[] {
  return people.map(({ samples }) => faceOf(samples[which], model))
}

export function wipeTrial({ enrolled, photos, fresh }: Trial): void {
  for (const { unit, integers } of [...enrolled, ...photos]) wipe(unit, integers)
  wipeOpened(fresh)
}

export function wipeOpened(templates: readonly (Opened | undefined)[]): void {
  for (const template of templates) wipe(template?.code, template?.rotationKey)
}

/** The figures of a theft, of all templates, opened or not. */
export function measureTheft(
  trial: Trial,
  gains: readonly Gain[],
): Pick<TheftFigures, 'auc' | 'cosine' | 'prar' | 'opened' | 'templates'> {
  const preimages = gains.map((gain, index) => bestGuess(trial, gain, index))
  const cosines = preimages.map((preimage, index) => cosine(preimage, (trial.enrolled[index] as Face).unit))
  // What was made of a code lies in the space after centring.
  const model: Model = { id: 'preimage@1', dimensions: dimensionsOf(trial), metric: 'cosine' }
  const faces = preimages.map((preimage) => faceOf(preimage, model))
  const result = {
    templates: gains.length,
    opened: gains.filter(({ opened }) => opened !== undefined).length,
    cosine: cosines.reduce((sum, value) => sum + value, 0) / cosines.length,
    prar: acceptedBy(trial, faces),
    auc: areaOf(trial, gains, faces),
  }
  wipe(...preimages, ...faces.flatMap(({ unit, integers }) => [unit, integers]))
  return result
}

/** Shares of faces that the new templates of their people accept at both thresholds. */
export function acceptedBy(trial: Trial, faces: readonly Face[]): AcceptedAt {
  const scores = trial.fresh.map((template, index) => scoreOf(trial, template, faces[index] as Face))
  const at = (threshold: number | null): AcceptedAt['1e-3'] =>
    threshold === null
      ? null
      : shareRate(
          scores.filter(({ sum, energy }) => accepts(sum, energy, trial.bits, threshold)).length,
          scores.length,
        )
  return { '1e-3': at(trial.thresholds['1e-3']), '1e-4': at(trial.thresholds['1e-4']) }
}

function bestGuess(trial: Trial, { opened, sealed }: Gain, index: number): Float64Array {
  const dimensions = (trial.enrolled[index] as Face).unit.length
  if (opened === undefined) return guessFrom(sealed, dimensions)
  return linearPreimage(opened.code, opened.rotationKey, { suite: trial.suite, dimensions })
}

/**
 * Area under the ROC: the share of pairs of a genuine and another photo, compared with any two stolen templates, that the thief ranks
 * rightly, ties half. The interval is a bootstrap over people: both templates of a pair are drawn again together.
 */
function areaOf(trial: Trial, gains: readonly Gain[], guesses: readonly Face[]): TheftFigures['auc'] {
  const n = gains.length
  const others = impostorsOf(n)
  const compare = (target: number, photo: number): number => {
    const { opened } = gains[target] as Gain
    const face = trial.photos[photo % n] as Face
    if (opened === undefined) return cosine((guesses[target] as Face).unit, face.unit)
    const { sum, energy } = scoreOf(trial, opened, face)
    return similarity(sum, energy, trial.bits)
  }
  const genuine = Array.from({ length: n }, (_, i) => compare(i, i))
  const wrong = Array.from({ length: n }, (_, i) =>
    Array.from({ length: others }, (_unused, k) => compare(i, i + 1 + k)),
  )
  const ranked = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    const own = genuine[i] as number
    for (let j = 0; j < n; j++) {
      let right = 0
      for (const other of wrong[j] as number[]) right += own > other ? 1 : own === other ? 0.5 : 0
      ranked[i * n + j] = right / others
    }
  }
  const all = Array.from({ length: n }, (_, i) => i)
  const random = new SeededRandom(trial.seed, 'drill-auc')
  const values = Float64Array.from({ length: REPLICATES }, () =>
    meanOf(
      ranked,
      all.map(() => random.below(n)),
    ),
  ).sort()
  return {
    value: meanOf(ranked, all),
    low: values[Math.floor(0.025 * REPLICATES)] as number,
    high: values[Math.ceil(0.975 * REPLICATES) - 1] as number,
    replicates: REPLICATES,
  }
}

function meanOf(ranked: Float64Array, people: readonly number[]): number {
  const n = people.length
  let sum = 0
  for (const i of people) for (const j of people) sum += ranked[i * n + j] as number
  return sum / (n * n)
}

function scoreOf(
  { suite, bits }: Trial,
  { code, rotationKey }: Opened,
  { integers }: Face,
): { readonly sum: number; readonly energy: number } {
  const probe = encodeProbe(integers, suite, bits, rotationKey)
  try {
    return score(code, probe)
  } finally {
    probe.wipe()
  }
}

function faceOf(vector: Float32Array | Float64Array, model: Model): Face {
  const held = embedding(vector, model)
  try {
    return { unit: Float64Array.from(unitVector(held)), integers: toIntegers(held) }
  } finally {
    held[Symbol.dispose]()
  }
}

function dimensionsOf({ enrolled }: Trial): number {
  return enrolled[0]?.unit.length ?? 0
}
