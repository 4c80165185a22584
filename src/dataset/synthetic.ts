/** Synthetic people: seeded vectors with the spectrum of a face population, of nobody (SPEC §16). @module */

import { concatBytes, labelBytes, u32be, utf8, wipe } from '../base/bytes.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import { turboshake128 } from '../crypto/xof.ts'
import { checkDimensions, checkFrom, type Dataset, type LabelledVector, type ReadOptions } from './dataset.ts'
import { DatasetError } from './errors.ts'

export interface SyntheticOptions {
  /** Equal seeds give equal people, on every engine. */
  readonly seed: string
  readonly subjects: number
  /** Vectors a subject. */
  readonly samples: number
  readonly dimensions: number
}

const LABEL = labelBytes('guise/synthetic/v1')
const MAX_SUBJECTS = 10_000_000
const MAX_SAMPLES = 1000

/** Each sample lies at this cosine from its person: two samples of one person then lie at 0.68 ± 0.09. */
const NEARNESS = { mean: 0.8246, deviation: 0.0772, lowest: 0.3, highest: 0.98 }

/** A sum of eight bytes has this mean and this standard deviation, √(8 · (256² − 1) / 12). */
const SUM_MEAN = 1020
const SUM_DEVIATION = 209.0231

/**
 * Unit vectors of people who do not exist: a person is drawn from a normal distribution whose variances fall as
 * i^−0.66, as those of face embeddings do, and a sample is g·person + √(1 − g²)·noise with noise from the same
 * distribution. The generator uses + − × ÷ √ and integers only, so that every engine draws the same people.
 *
 * Synthetic people show that code works. They are no evidence about the accuracy of a model on real faces.
 *
 * @param options `samples` vectors for each of `subjects` people, person after person; subjects are named
 * `synthetic-0`, `synthetic-1` …
 */
export function syntheticPeople(options: SyntheticOptions): Dataset {
  const { subjects, samples } = options
  const seed = utf8(options.seed)
  if (seed === undefined) throw new DatasetError('ERR_DATASET_OPTIONS', 'the seed must be well-formed text')
  checkCount(subjects, MAX_SUBJECTS, 'subjects')
  checkCount(samples, MAX_SAMPLES, 'samples')
  const dimensions = checkDimensions(options.dimensions, {})
  const prefix = concatBytes(LABEL, u32be(dimensions), u32be(seed.length), seed)
  const deviations = spectrum(dimensions)
  return {
    name: 'synthetic people',
    dimensions,
    rows: subjects * samples,
    synthetic: true,
    read: (readOptions = {}) => readPeople(prefix, deviations, subjects, samples, readOptions),
  }
}

async function* readPeople(
  prefix: Uint8Array,
  deviations: Float64Array,
  subjects: number,
  samples: number,
  options: ReadOptions,
): AsyncGenerator<LabelledVector> {
  const from = checkFrom(options)
  await cryptoReady()
  for (let subject = Math.floor(from / samples); subject < subjects; subject++) {
    options.signal?.throwIfAborted()
    const person = draw(prefix, deviations, subject, 0)
    for (let sample = 0; sample < samples; sample++) {
      const row = subject * samples + sample
      if (row < from) continue
      yield {
        row,
        subject: `synthetic-${subject}`,
        vector: sampleOf(person, prefix, deviations, subject, sample + 1),
      }
    }
    wipe(person)
  }
}

/** A unit vector at a cosine of g from `person`, g near 0.82. */
function sampleOf(
  person: Float64Array,
  prefix: Uint8Array,
  deviations: Float64Array,
  subject: number,
  index: number,
): Float32Array {
  const noise = draw(prefix, deviations, subject, index)
  const { mean, deviation, lowest, highest } = NEARNESS
  const bytes = stream(prefix, subject, index, 0x02, 8)
  const near = Math.min(highest, Math.max(lowest, mean + deviation * normal(bytes, 0)))
  const along = dot(noise, person)
  for (let i = 0; i < noise.length; i++) noise[i] = at(noise, i) - along * at(person, i)
  normalise(noise)
  const far = Math.sqrt(1 - near * near)
  const vector = new Float32Array(new ArrayBuffer(4 * person.length))
  for (let i = 0; i < vector.length; i++) vector[i] = near * at(person, i) + far * at(noise, i)
  wipe(noise)
  return vector
}

/** A unit vector of the population. */
function draw(prefix: Uint8Array, deviations: Float64Array, subject: number, index: number): Float64Array {
  const bytes = stream(prefix, subject, index, 0x01, 8 * deviations.length)
  const vector = new Float64Array(new ArrayBuffer(8 * deviations.length))
  for (let i = 0; i < vector.length; i++) vector[i] = at(deviations, i) * normal(bytes, 8 * i)
  wipe(bytes)
  normalise(vector)
  return vector
}

function stream(
  prefix: Uint8Array,
  subject: number,
  index: number,
  use: number,
  lengthBytes: number,
): Uint8Array {
  return turboshake128(concatBytes(prefix, u32be(subject), u32be(index), Uint8Array.of(use)), lengthBytes)
}

/** Near enough to a standard normal: it never leaves ±4.9. */
function normal(bytes: Uint8Array, offset: number): number {
  let sum = 0
  for (let i = offset; i < offset + 8; i++) sum += bytes[i] as number
  return (sum - SUM_MEAN) / SUM_DEVIATION
}

/** Square roots of the variances i^−0.66; the exponent 0.33 is taken as 169/512, by square roots alone. */
function spectrum(dimensions: number): Float64Array {
  const deviations = new Float64Array(dimensions)
  for (let i = 0; i < dimensions; i++) {
    let root = i + 1
    let power = 1
    for (let bit = 256; bit >= 1; bit >>= 1) {
      root = Math.sqrt(root)
      if ((169 & bit) !== 0) power *= root
    }
    deviations[i] = 1 / power
  }
  return deviations
}

function normalise(vector: Float64Array): void {
  const norm = Math.sqrt(dot(vector, vector))
  for (let i = 0; i < vector.length; i++) vector[i] = at(vector, i) / norm
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += at(a, i) * at(b, i)
  return sum
}

function at(vector: Float64Array, index: number): number {
  return vector[index] as number
}

function checkCount(value: number, max: number, name: string): void {
  if (Number.isInteger(value) && value >= 1 && value <= max) return
  throw new DatasetError('ERR_DATASET_OPTIONS', `${name} must be between 1 and ${max}`)
}
