/** The drill: real vaults are filled and robbed, and what each stolen set yields is measured (SPEC §15.8). @module */
/// <reference types="node" />

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { toHex } from '../base/bytes.ts'
import type { Dataset } from '../dataset/dataset.ts'
import type { Model } from '../embedding/model.ts'
import type { Scores } from '../evaluate/accuracy.ts'
import { operatingPointAt } from '../evaluate/calibrate.ts'
import { EvaluateError } from '../evaluate/errors.ts'
import type { DrillReport, TheftFigures } from '../evaluate/figures.ts'
import { Pace, type TaskOptions } from '../evaluate/pace.ts'
import { choosePairs } from '../evaluate/pairs.ts'
import { loadPeople } from '../evaluate/people.ts'
import { ruleOfThree } from '../evaluate/rates.ts'
import { scorePairs } from '../evaluate/scores.ts'
import { type Bits, HIGHEST_FALSE_MATCH_RATE, type OperatingPoint } from '../policy/operating-point.ts'
import { defaultBits } from '../template/bits.ts'
import { type Cast, castOf } from './demo-cast.ts'
import {
  acceptedBy,
  facesOf,
  impostorsOf,
  measureTheft,
  type Trial,
  wipeOpened,
  wipeTrial,
} from './drill-figures.ts'
import { copyScene, eraseAll, issueAll, openScene, type Scene } from './drill-scene.ts'
import { commitTheft, type Ground, openAll, THEFTS, type Theft } from './drill-thefts.ts'
import { temporaryFolder } from './temporary-folder.ts'

export interface DrillOptions extends TaskOptions {
  readonly model: Model
  readonly seed: string
  /** Default: the bits of the operating point, or those of templates of so many dimensions. */
  readonly bits?: Bits | undefined
  /** Enrolled and robbed under each custody profile: 10 to 500. Default 100, or as many as there are. */
  readonly people?: number | undefined
  /** What the vaults decide by. Default: chosen on the people who are not enrolled. */
  readonly operatingPoint?: OperatingPoint | undefined
}

export const USUAL_PEOPLE = 100
export const MOST_PEOPLE = 500
const IMPOSTORS = 600_000
const SUITE = 'B4'

/** Who runs the vault sees what it compares. */
const STATED: TheftFigures = {
  stolen: 'process',
  says: 'the running process, for a time: every template that it compares in that time, under every custody profile (stated, not measured)',
  measured: false,
  templates: 0,
  opened: 0,
  ends: [],
  auc: null,
  cosine: null,
  prar: null,
}

/**
 * Enrols every second person of a data set in vaults on LMDB in a temporary folder, gives everybody a new template, erases everybody
 * in the end, and tries to open everything with what was copied on the way. The people in between give the thresholds.
 *
 * @throws {EvaluateError} `ERR_EVALUATE_TOO_FEW`
 */
export async function drillReport(dataset: Dataset, options: DrillOptions): Promise<DrillReport> {
  const { model, seed, people = USUAL_PEOPLE, operatingPoint } = options
  const bits = options.bits ?? operatingPoint?.bits ?? defaultBits(model.dimensions)
  const cast = await castOf(dataset, model, people)
  if (cast === undefined)
    throw new EvaluateError(
      'ERR_EVALUATE_TOO_FEW',
      'a drill needs twenty people: every second is robbed, ten or more with two samples; the others give thresholds',
    )
  const lines = await linesOf(cast, { ...options, bits })
  const point = operatingPoint ?? lines.point
  const n = cast.people.length
  const folder = temporaryFolder('guise-drill-')
  const pace = new Pace(4 * n + THEFTS.length * n, options)
  const thefts: TheftFigures[] = []
  let genuine: DrillReport['genuine'] = { '1e-3': null, '1e-4': null }
  try {
    for (const custody of ['operator', 'holder'] as const) {
      const place = join(folder.path, custody)
      mkdirSync(place)
      const scene = await openScene(place, custody, cast, point)
      try {
        const found = await robbed(scene, { bits, seed, thresholds: lines.thresholds, pace })
        thefts.push(...found.thefts)
        if (custody === 'operator') genuine = found.genuine
      } finally {
        await scene.close()
      }
    }
  } finally {
    folder.remove()
    for (const { samples } of cast.people) for (const sample of samples) sample.fill(0)
  }
  return {
    dataset: dataset.name,
    synthetic: dataset.synthetic,
    model: model.id,
    dimensions: model.dimensions,
    subjects: n,
    samples: cast.people.reduce((sum, { samples }) => sum + new Set(samples).size, 0),
    suite: SUITE,
    seed,
    protocol: protocolOf(n, lines),
    bits,
    thresholds: lines.thresholds,
    impostorsPerTemplate: impostorsOf(n),
    thefts: [...thefts, STATED],
    genuine,
  }
}

/** Fills a vault, copies it at three times, and measures every theft of its custody profile. */
async function robbed(
  scene: Scene,
  { bits, seed, thresholds, pace }: Pick<Trial, 'bits' | 'seed' | 'thresholds'> & { readonly pace: Pace },
): Promise<{ readonly thefts: readonly TheftFigures[]; readonly genuine: DrillReport['genuine'] }> {
  const { cast, ctx } = scene
  const step = (): Promise<void> => pace.step(1)
  const before = await issueAll(scene, 'enroll', step)
  const old = await copyScene(scene, 'old')
  const after = await issueAll(scene, 'reissue', step)
  const renewed = await copyScene(scene, 'new')
  const trial: Trial = {
    suite: ctx.settings.suite,
    bits,
    seed,
    thresholds,
    enrolled: facesOf(cast, 0),
    photos: facesOf(cast, 1),
    fresh: await openAll(scene, after),
  }
  try {
    await eraseAll(scene)
    const last = await copyScene(scene, 'last')
    const ground: Ground = { scene, copies: { old, new: renewed, last }, before, after }
    const thefts: TheftFigures[] = []
    for (const theft of THEFTS.filter(({ custody }) => custody === scene.custody)) {
      thefts.push(await measured(ground, theft, trial))
      await pace.step(cast.people.length)
    }
    return { thefts, genuine: acceptedBy(trial, trial.enrolled) }
  } finally {
    wipeTrial(trial)
  }
}

async function measured(ground: Ground, theft: Theft, trial: Trial): Promise<TheftFigures> {
  const { gains, ends } = await commitTheft(ground, theft)
  try {
    const { stolen, says } = theft
    const { templates, opened, ...figures } = measureTheft(trial, gains)
    return { stolen, says, measured: true, templates, opened, ends, ...figures }
  } finally {
    wipeOpened(gains.map(({ opened }) => opened))
  }
}

interface Lines {
  readonly thresholds: DrillReport['thresholds']
  readonly point: OperatingPoint
  readonly subjects: number
  readonly comparisons: number
}

/** Thresholds from the people who are not enrolled. */
async function linesOf(
  { others, model }: Cast,
  options: DrillOptions & { readonly bits: Bits },
): Promise<Lines> {
  const { bits, seed, signal } = options
  const people = await loadPeople(others, { model, signal })
  try {
    const pairs = await choosePairs(people, { impostors: IMPOSTORS, seed })
    const [scores] = await scorePairs(people, pairs, { suite: SUITE, bits: [bits], seed, signal })
    const measuredScores = scores as Scores
    const comparisons = measuredScores.nonMated.length
    const least = 1.001 * ruleOfThree(comparisons)
    const pointAt = (falseMatchRate: number): OperatingPoint =>
      operatingPointAt(measuredScores, {
        model: people.model,
        meanHash: toHex(people.meanHash),
        suite: SUITE,
        bits,
        falseMatchRate,
        source: `drill: ${people.subjects} subjects, ${comparisons} non-mated comparisons`,
      })
    const at = (rate: number): number | null => (rate < least ? null : pointAt(rate).threshold)
    return {
      thresholds: { '1e-3': at(1e-3), '1e-4': at(HIGHEST_FALSE_MATCH_RATE) },
      point: pointAt(Math.max(HIGHEST_FALSE_MATCH_RATE, least)),
      subjects: people.subjects,
      comparisons,
    }
  } finally {
    people.dispose()
  }
}

function protocolOf(people: number, { subjects, comparisons }: Lines): readonly string[] {
  return [
    `Vaults on LMDB in a temporary folder, one for each custody profile, with ${people} people: every second subject that has two samples. The first sample is enrolled, another one is reissued.`,
    `Thresholds are from ${comparisons} non-mated comparisons of ${subjects} other subjects.`,
    'The thief is told whose row is whose. From an opened code he makes the linear preimage; sealed bytes he reads as signs, since nothing better is to be had.',
    'Keys are drawn at random as in every vault: a repeated drill gives other keys, and figures within their intervals.',
    'The holder of a running process is not measured; neither are devices, key management services and processes that are broken into while they work.',
  ]
}
