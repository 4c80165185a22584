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
  /** `count` × `dimensions`: the integers of SPEC §3. */
  readonly integers: Int32Array
  /** `count` × `dimensions`: the unit vectors, for the cosine. */
  readonly units: Float32Array
  dispose(): void
}

export interface PeopleOptions extends TaskOptions {
  /** Its mean, if it has one, must come from people who are not in the data set. */
  readonly model: Model
  /** Only the first samples of a subject are kept, so that no one outweighs the others. Default 10. */
  readonly samplesPerSubject?: number
  /** Refuses larger sets: a sample takes 8 bytes a dimension. Default 200,000 samples. */
  readonly maxSamples?: number
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
  const bySubject = new Map<string, Sample[]>()
  try {
    const count = await collect(dataset, bySubject, { ...options, samplesPerSubject, maxSamples })
    return assemble(dataset, checked, bySubject, count)
  } finally {
    for (const samples of bySubject.values()) for (const { integers, units } of samples) wipe(integers, units)
  }
}

async function collect(
  dataset: Dataset,
  bySubject: Map<string, Sample[]>,
  options: PeopleOptions & { readonly samplesPerSubject: number; readonly maxSamples: number },
): Promise<number> {
  const pace = new Pace(dataset.rows ?? 0, options)
  const { signal } = options
  let count = 0
  for await (const labelled of dataset.read(signal === undefined ? {} : { signal })) {
    await pace.step(1)
    let samples = bySubject.get(labelled.subject)
    if (samples === undefined) {
      samples = []
      bySubject.set(labelled.subject, samples)
    }
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
  bySubject: ReadonlyMap<string, readonly Sample[]>,
  count: number,
): People {
  const { dimensions } = model
  const integers = new Int32Array(count * dimensions)
  const units = new Float32Array(count * dimensions)
  const subjectOf = new Uint32Array(count)
  let subject = 0
  let index = 0
  for (const samples of bySubject.values()) {
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
    integers,
    units,
    dispose,
    [Symbol.dispose]: dispose,
  }
}
