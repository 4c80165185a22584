/** The people of the demo: synthetic ones, or half of a data set; the others calibrate. @module */

import { wipe } from '../base/bytes.ts'
import type { Dataset, LabelledVector, ReadOptions } from '../dataset/dataset.ts'
import { syntheticPeople } from '../dataset/synthetic.ts'
import type { Model } from '../embedding/model.ts'
import { HIGHEST_FALSE_MATCH_RATE } from '../policy/operating-point.ts'

/** Somebody with at least two samples. */
export interface Person {
  /** The external identifier: long enough to be found by a byte scan. */
  readonly id: string
  /** Enrolled, presented, enrolled again, presented again; people with fewer samples use some twice. */
  readonly samples: readonly [Float32Array, Float32Array, Float32Array, Float32Array]
}

export interface Cast {
  readonly synthetic: boolean
  readonly model: Model
  readonly people: readonly Person[]
  /** Other people. */
  readonly others: Dataset
  readonly othersCount: number
  /** The target of the calibration: 1 in 10,000, or what the others can show. */
  readonly falseMatchRate: number
}

export type OnStep = (label: string, done: number, total: number) => void

const SYNTHETIC_MODEL: Model = { id: 'synthetic-face@1', dimensions: 512, metric: 'cosine' }
const SAMPLES = 4
const CALIBRATION_PEOPLE = 400
const MOST_PEOPLE = 500
const FEWEST_PEOPLE = 10
/** Of a subject, as calibration takes them. */
const CALIBRATION_SAMPLES = 10

/** People who do not exist; those of the calibration are others. */
export async function syntheticCast(count: number, seed: string, onStep: OnStep): Promise<Cast> {
  const { dimensions } = SYNTHETIC_MODEL
  const dataset = syntheticPeople({ seed, subjects: count, samples: SAMPLES, dimensions })
  const people: Person[] = []
  let samples: Float32Array[] = []
  for await (const { row, vector } of dataset.read()) {
    samples.push(vector)
    if (samples.length === SAMPLES) {
      people.push({ id: identifier(people.length), samples: fourOf(samples) })
      samples = []
    }
    onStep('drawing synthetic people', row, count * SAMPLES)
  }
  return {
    synthetic: true,
    model: SYNTHETIC_MODEL,
    people,
    others: syntheticPeople({
      seed: `${seed} calibration`,
      subjects: CALIBRATION_PEOPLE,
      samples: 2,
      dimensions,
    }),
    othersCount: CALIBRATION_PEOPLE,
    falseMatchRate: HIGHEST_FALSE_MATCH_RATE,
  }
}

/**
 * Every second subject of a data set, at most `most` with two samples or more; the subjects in between calibrate. `undefined` when
 * there are too few.
 */
export async function castOf(
  dataset: Dataset,
  model: Model,
  most: number = MOST_PEOPLE,
): Promise<Cast | undefined> {
  const order = new Map<string, number>()
  const kept = new Map<string, Float32Array[]>()
  const counts = new Map<string, number>()
  for await (const { subject, vector } of dataset.read()) {
    const place = order.get(subject) ?? order.size
    order.set(subject, place)
    const samples = kept.get(subject) ?? []
    if (place % 2 === 0 && samples.length < SAMPLES) kept.set(subject, [...samples, vector])
    else wipe(vector)
    if (place % 2 === 1) counts.set(subject, Math.min((counts.get(subject) ?? 0) + 1, CALIBRATION_SAMPLES))
  }
  const able = [...kept.values()].filter((samples) => samples.length >= 2).slice(0, most)
  const comparisons = nonMated([...counts.values()])
  if (able.length < FEWEST_PEOPLE || comparisons < 30) return undefined
  return {
    synthetic: dataset.synthetic,
    model,
    people: able.map((samples, index) => ({ id: identifier(index), samples: fourOf(samples) })),
    others: only(dataset, (subject) => counts.has(subject)),
    othersCount: counts.size,
    // Below 3 / comparisons even a count of zero shows nothing.
    falseMatchRate: Math.max(HIGHEST_FALSE_MATCH_RATE, 3.001 / comparisons),
  }
}

function fourOf(samples: readonly Float32Array[]): Person['samples'] {
  const [first, second, third, fourth] = samples as readonly [
    Float32Array,
    Float32Array,
    Float32Array?,
    Float32Array?,
  ]
  return [first, second, third ?? second, fourth ?? first]
}

/** Sixteen bytes and more, different in the first sixteen. */
function identifier(person: number): string {
  return `resident-${String(person).padStart(6, '0')}@demo.example`
}

/** Pairs of samples of two people, given how many samples each has. */
function nonMated(counts: readonly number[]): number {
  const all = counts.reduce((sum, value) => sum + value, 0)
  return (all * all - counts.reduce((sum, value) => sum + value * value, 0)) / 2
}

/** The rows of some subjects. */
function only(dataset: Dataset, wanted: (subject: string) => boolean): Dataset {
  const read = async function* (options?: ReadOptions): AsyncGenerator<LabelledVector> {
    for await (const labelled of dataset.read(options)) {
      if (wanted(labelled.subject)) yield labelled
      else wipe(labelled.vector)
    }
  }
  return { ...dataset, rows: undefined, read }
}
