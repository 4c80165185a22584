/** Accuracy of templates beside the unprotected cosine, on the same pairs (ISO/IEC 19795-1, 30136). @module */

import { checkInteger } from '../base/check.ts'
import type { Dataset } from '../dataset/dataset.ts'
import type { Model } from '../embedding/model.ts'
import type { Bits } from '../policy/operating-point.ts'
import { BITS, type Suite } from '../transform/suite.ts'
import { equalErrorRate, figuresAt, needBoth, type Scores, thresholdAt } from './accuracy.ts'
import { type EqualErrorDifference, equalErrorDifference } from './bootstrap.ts'
import { inputError } from './errors.ts'
import type { TargetName } from './figures.ts'
import type { OnProgress, TaskOptions } from './pace.ts'
import { choosePairs, type Pairs } from './pairs.ts'
import { loadPeople, type People } from './people.ts'
import { type StolenFigures, stealTemplates } from './preimage.ts'
import { ruleOfThree } from './rates.ts'
import { scoreCosines, scorePairs } from './scores.ts'

export interface AccuracyOptions extends TaskOptions {
  readonly model: Model
  /** Draws of record keys: every draw gives every reference another key. Default 5. */
  readonly keys?: number
  /** Default `accuracy`. */
  readonly seed?: string
  /** Default 600,000, or all where there are fewer. */
  readonly impostors?: number | 'all'
  /** Default 10. */
  readonly samplesPerSubject?: number
  /** Default `B4`. */
  readonly suite?: Suite
  /** Of the bootstrap; at least 200. Default 200. */
  readonly replicates?: number
}

/** Rates as fractions, means over the draws of keys. */
export interface AccuracyFigures {
  readonly eer: number
  /** True match rate at a false match rate of at most the key; `null` where the comparisons are too few to tell. */
  readonly tmr: Readonly<Record<TargetName, number | null>>
  /** Mated and non-mated comparisons, each made once in every draw. */
  readonly genuine: number
  readonly impostor: number
  /** Draws of record keys; 0 for the cosine, which has none. */
  readonly keys: number
}

export type TemplateName = `m${Bits}`

export interface AccuracyReport {
  readonly dataset: string
  readonly synthetic: boolean
  readonly model: string
  readonly dimensions: number
  readonly subjects: number
  readonly samples: number
  readonly suite: Suite
  readonly seed: string
  /** How the figures came about, in a sentence or two. */
  readonly protocol: string
  readonly accuracy: Readonly<Record<'cosine' | TemplateName, AccuracyFigures>>
  /** Lowest and highest equal error rate among the draws. */
  readonly range: Readonly<Record<TemplateName, { readonly low: number; readonly high: number }>>
  /** Equal error rate at m = 512 less that of the cosine, with the paired interval. */
  readonly delta: EqualErrorDifference & { readonly bits: 512 }
  /** What a thief of code and key gains at a false match rate of 1 in 1,000, beside the accuracy it pays for. */
  readonly stolen: Readonly<Record<TemplateName, StolenFigures | null>>
}

const TARGETS: readonly (readonly [TargetName, number])[] = [
  ['1e-2', 1e-2],
  ['1e-3', 1e-3],
  ['1e-4', 1e-4],
]
const USUAL_IMPOSTORS = 600_000
const DELTA_BITS = 512
const STOLEN_RATE = 1e-3

/** Figures of one draw of keys. */
interface DrawFigures {
  readonly eer: number
  readonly tmr: readonly (number | null)[]
}

/**
 * Measures cosine and templates of every allowed number of bits on the same pairs under the same centring: that of
 * `model`, whose mean, if any, must come from other people. m > d is measured too; a vault needs a symbol for it.
 */
export async function accuracyReport(dataset: Dataset, options: AccuracyOptions): Promise<AccuracyReport> {
  const { model, samplesPerSubject = 10, seed = 'accuracy', signal } = options
  const keys = checkInteger(options.keys ?? 5, 'keys', [1, 1000], inputError)
  const people = await loadPeople(dataset, { model, samplesPerSubject, signal })
  try {
    const pairs = await choosePairs(people, { impostors: options.impostors ?? USUAL_IMPOSTORS, seed })
    const measured = await measure(people, pairs, keys, { ...options, seed })
    const { suite = 'B4' } = options
    return {
      dataset: people.name,
      synthetic: people.synthetic,
      model: people.model,
      dimensions: people.dimensions,
      subjects: people.subjects,
      samples: people.count,
      suite,
      seed,
      protocol: describe(people, pairs, samplesPerSubject, model.mean !== undefined),
      ...measured,
    }
  } finally {
    people.dispose()
  }
}

async function measure(
  people: People,
  pairs: Pairs,
  keys: number,
  options: AccuracyOptions & { readonly seed: string },
): Promise<Pick<AccuracyReport, 'accuracy' | 'range' | 'delta' | 'stolen'>> {
  const { suite = 'B4', seed, signal, replicates } = options
  const part = progressParts(options.onProgress, keys)
  const baseline = await scoreCosines(people, pairs, { signal })
  needBoth(baseline)
  const draws = new Map<Bits, DrawFigures[]>(BITS.map((bits) => [bits, []]))
  const stolen = new Map<Bits, StolenFigures | null>()
  const compared: Scores[] = []
  for (let draw = 0; draw < keys; draw++) {
    const task = { onProgress: part(draw), signal }
    const sets = await scorePairs(people, pairs, { suite, bits: BITS, seed, draw, ...task })
    for (const [i, bits] of BITS.entries()) {
      const scores = sets[i] as Scores
      draws.get(bits)?.push(figuresOf(scores))
      if (bits === DELTA_BITS) compared.push(scores)
      if (draw === 0) stolen.set(bits, await steal(people, pairs, scores, { suite, bits, seed, signal }))
    }
  }
  const delta = await equalErrorDifference(
    people,
    pairs,
    { baseline, draws: compared },
    { seed, signal, onProgress: part(keys), ...(replicates !== undefined && { replicates }) },
  )
  const counts = { genuine: baseline.mated.length, impostor: baseline.nonMated.length }
  return {
    accuracy: {
      cosine: { ...meanFigures([figuresOf(baseline)]), ...counts, keys: 0 },
      ...byName((bits) => ({ ...meanFigures(draws.get(bits) ?? []), ...counts, keys })),
    },
    range: byName((bits) => {
      const rates = (draws.get(bits) ?? []).map(({ eer }) => eer)
      return { low: Math.min(...rates), high: Math.max(...rates) }
    }),
    delta: { bits: DELTA_BITS, ...delta },
    stolen: byName((bits) => stolen.get(bits) ?? null),
  }
}

function figuresOf(scores: Scores): DrawFigures {
  const tmr = TARGETS.map(([, target]) =>
    target < ruleOfThree(scores.nonMated.length) ? null : figuresAt(scores, target).trueMatchRate.value,
  )
  return { eer: equalErrorRate(scores).value, tmr }
}

function meanFigures(draws: readonly DrawFigures[]): Pick<AccuracyFigures, 'eer' | 'tmr'> {
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length
  const tmr = TARGETS.map(([name], i): [TargetName, number | null] => {
    const values = draws.map((draw) => draw.tmr[i] ?? null)
    return [name, values.includes(null) ? null : mean(values.filter((value) => value !== null))]
  })
  return {
    eer: mean(draws.map(({ eer }) => eer)),
    tmr: Object.fromEntries(tmr) as Record<TargetName, number | null>,
  }
}

/** `null` when the comparisons are too few for a threshold. */
async function steal(
  people: People,
  pairs: Pairs,
  scores: Scores,
  options: { suite: Suite; bits: Bits; seed: string; signal: AbortSignal | undefined },
): Promise<StolenFigures | null> {
  if (STOLEN_RATE < ruleOfThree(scores.nonMated.length)) return null
  const threshold = thresholdAt(scores.nonMated, STOLEN_RATE)
  return threshold === undefined ? null : stealTemplates(people, pairs.mated, { ...options, threshold })
}

function byName<Value>(make: (bits: Bits) => Value): Record<TemplateName, Value> {
  return Object.fromEntries(BITS.map((bits) => [`m${bits}`, make(bits)])) as Record<TemplateName, Value>
}

/** The draws and the bootstrap as equal parts of one task, in thousandths. */
function progressParts(onProgress: OnProgress | undefined, keys: number): (part: number) => OnProgress {
  const total = 1000 * (keys + 1)
  return (part) => (done, all) => onProgress?.(1000 * part + Math.floor((1000 * done) / all), total)
}

function describe(people: People, pairs: Pairs, samplesPerSubject: number, centred: boolean): string {
  const impostors = pairs.nonMated.references.length
  const taken =
    impostors === pairs.nonMatedAvailable
      ? 'all non-mated pairs'
      : `${impostors} of ${pairs.nonMatedAvailable} non-mated pairs, drawn by seed`
  return [
    people.synthetic ? 'Synthetic people: no evidence about real faces.' : '',
    `At most the first ${samplesPerSubject} samples of a subject; all mated pairs and ${taken}, zero effort.`,
    'Each pair under a record key of its reference alone, known to the system (stolen-key case);',
    `the same pairs and ${centred ? 'the mean of the model' : 'no centring'} on both sides;`,
    'thresholds set on the data they are scored on.',
  ]
    .filter((sentence) => sentence !== '')
    .join(' ')
}
