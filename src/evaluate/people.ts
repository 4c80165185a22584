/** Labelled embeddings of several people, checked and ready to be compared in pairs (SPEC §3). @module */

import type { ModelId } from '../base/brand.ts'
import { wipe } from '../base/bytes.ts'
import { checkInteger } from '../base/check.ts'
import { GuiseError } from '../base/errors.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import type { Dataset, LabelledVector } from '../dataset/dataset.ts'
import { DatasetError } from '../dataset/errors.ts'
import { embedding, toIntegers, unitVector } from '../embedding/embedding.ts'
import { checkModel, type Model } from '../embedding/model.ts'
import { EvaluateError, inputError } from './errors.ts'
import { Pace, type TaskOptions } from './pace.ts'

/** Samples in memory, those of one subject side by side. Holds faces: `dispose` wipes them. */
export interface People extends Disposable {
  readonly name: string
  readonly synthetic: boolean
  readonly model: ModelId
  readonly meanHash: Uint8Array
  readonly dimensions: number
  /** Number of subjects and of samples kept. */
  readonly subjects: number
  readonly count: number
  /** Subject of each sample: 0, 0, 0, 1, 1, 2 …, ascending. */
  readonly subjectOf: Uint32Array
  /** Group of each subject, an index into `groups`; `NO_GROUP` for people without one. */
  readonly groupOf: Uint32Array
  /** Names of groups, in the order of the data. */
  readonly groups: readonly string[]
  /** `count` × `dimensions`: the integers of SPEC §3. */
  readonly integers: Int32Array
  /** `count` × `dimensions`: the unit vectors, for the cosine. */
  readonly units: Float32Array
  dispose(): void
}

/** Stands for no group in `People.groupOf`. */
export const NO_GROUP = 0xffff_ffff

export interface PeopleOptions extends TaskOptions {
  /** Its mean, if it has one, must come from people who are not in the data set. */
  readonly model: Model
  /** Only the first samples of a subject are kept, so that no one outweighs the others. Default 10. */
  readonly samplesPerSubject?: number
  /** Refuses larger sets: a sample takes 8 bytes a dimension. Default 200,000 samples. */
  readonly maxSamples?: number
}

/** Samples of one subject, whose rows are all of one group or all of none. */
interface Person {
  readonly group: string | undefined
  readonly samples: Sample[]
}

interface Sample {
  readonly integers: Int32Array
  readonly units: Float32Array
}

/** Reads a data set to its end. A vector that is no embedding of the model is `ERR_DATASET_VALUE` with its row. */
export async function loadPeople(dataset: Dataset, options: PeopleOptions): Promise<People> {
  const { model, samplesPerSubject = 10, maxSamples = 200_000 } = options
  checkInteger(samplesPerSubject, 'samplesPerSubject', [1, 100_000], inputError)
  checkInteger(maxSamples, 'maxSamples', [1, 10_000_000], inputError)
  await cryptoReady()
  const checked = checkModel(model)
  if (dataset.dimensions !== checked.dimensions) {
    throw inputError('the data set has another number of dimensions than the model')
  }
  const bySubject = new Map<string, Person>()
  try {
    const count = await collect(dataset, bySubject, { ...options, samplesPerSubject, maxSamples })
    return assemble(dataset, checked, bySubject, count)
  } finally {
    for (const { samples } of bySubject.values())
      for (const sample of samples) wipe(sample.integers, sample.units)
  }
}

async function collect(
  dataset: Dataset,
  bySubject: Map<string, Person>,
  options: PeopleOptions & { readonly samplesPerSubject: number; readonly maxSamples: number },
): Promise<number> {
  const pace = new Pace(dataset.rows ?? 0, options)
  const { signal } = options
  let count = 0
  for await (const labelled of dataset.read(signal === undefined ? {} : { signal })) {
    await pace.step(1)
    const { samples } = personOf(bySubject, labelled)
    if (samples.length === options.samplesPerSubject) {
      wipe(labelled.vector)
      continue
    }
    if (count === options.maxSamples)
      throw new EvaluateError('ERR_EVALUATE_INPUT', 'the data set is larger than maxSamples')
    samples.push(toSample(labelled, options.model))
    count++
  }
  return count
}

function personOf(bySubject: Map<string, Person>, { row, subject, group, vector }: LabelledVector): Person {
  const known = bySubject.get(subject)
  if (known === undefined) {
    const person = { group, samples: [] }
    bySubject.set(subject, person)
    return person
  }
  if (known.group === group) return known
  wipe(vector)
  throw new DatasetError('ERR_DATASET_GROUP', 'the subject has another group, or none, in an earlier row', {
    row,
  })
}

/** Takes over the vector and wipes it. */
function toSample({ row, vector }: LabelledVector, model: Model): Sample {
  try {
    const checked = embedding(vector, model)
    try {
      return { integers: toIntegers(checked), units: Float32Array.from(unitVector(checked)) }
    } finally {
      checked[Symbol.dispose]()
    }
  } catch (cause) {
    if (!(cause instanceof GuiseError)) throw cause
    throw new DatasetError('ERR_DATASET_VALUE', 'this is no embedding of the model', { row, cause })
  } finally {
    wipe(vector)
  }
}

function assemble(
  dataset: Dataset,
  model: { readonly id: ModelId; readonly dimensions: number; readonly meanHash: Uint8Array },
  bySubject: ReadonlyMap<string, Person>,
  count: number,
): People {
  const { dimensions } = model
  const integers = new Int32Array(count * dimensions)
  const units = new Float32Array(count * dimensions)
  const subjectOf = new Uint32Array(count)
  const groupOf = new Uint32Array(bySubject.size).fill(NO_GROUP)
  const groups = new Map<string, number>()
  let subject = 0
  let index = 0
  for (const { group, samples } of bySubject.values()) {
    if (group !== undefined) {
      if (!groups.has(group)) groups.set(group, groups.size)
      groupOf[subject] = groups.get(group) as number
    }
    for (const sample of samples) {
      integers.set(sample.integers, index * dimensions)
      units.set(sample.units, index * dimensions)
      subjectOf[index++] = subject
    }
    subject++
  }
  const dispose = (): void => wipe(integers, units)
  return {
    name: dataset.name,
    synthetic: dataset.synthetic,
    model: model.id,
    meanHash: model.meanHash,
    dimensions,
    subjects: subject,
    count,
    subjectOf,
    groupOf,
    groups: [...groups.keys()],
    integers,
    units,
    dispose,
    [Symbol.dispose]: dispose,
  }
}
