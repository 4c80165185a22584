/** How far down a list of near codes the right one stands: searches by plain bits under one key (ISO/IEC 19795-1, SPEC §5, §6). @module */

import { wipe } from '../base/bytes.ts'
import { type CodeScan, codeScan } from '../compare/scan.ts'
import type { Dataset } from '../dataset/dataset.ts'
import type { Model } from '../embedding/model.ts'
import type { Bits, Rate } from '../policy/operating-point.ts'
import { defaultBits } from '../template/bits.ts'
import { signBits } from '../transform/quantize.ts'
import { rotate } from '../transform/rotate.ts'
import { keyStream } from '../transform/stream.ts'
import { checkSuite, rotationSize, type Suite } from '../transform/suite.ts'
import { EvaluateError } from './errors.ts'
import { Pace, type TaskOptions } from './pace.ts'
import { loadPeople, type People } from './people.ts'
import { seededKey } from './random.ts'
import { rate } from './rates.ts'

export interface CandidateOptions extends TaskOptions {
  readonly model: Model
  /** Default: that of templates, the largest allowed number ≤ min(dimensions, 512). */
  readonly bits?: Bits
  /** Default `B6`, for a key that many share. */
  readonly suite?: Suite
  /** Default `candidates`. Another seed gives another key. */
  readonly seed?: string
  /** Default 10. */
  readonly samplesPerSubject?: number
}

export interface CandidateReport {
  readonly dataset: string
  readonly synthetic: boolean
  readonly model: string
  readonly suite: Suite
  readonly bits: Bits
  readonly seed: string
  /** People, each enrolled with their first sample, and all other samples, each searched for once. */
  readonly enrolled: number
  readonly searches: number
  /** How often the right person is among the `most` nearest; for 1, 10, 100 and 1,000 where so many are enrolled. */
  readonly found: readonly { readonly most: number; readonly rate: Rate }[]
}

const LENGTHS: readonly number[] = [1, 10, 100, 1000]

/**
 * Measures how many candidates a search by Hamming distance has to name for the right one to be among them. All
 * codes are under one key, as those of a shard are, and unmasked: what such a search sees. A decision never rests on it:
 * each candidate is then compared under its own key.
 *
 * Closed set: everybody who is searched for is enrolled. Throws `ERR_EVALUATE_TOO_FEW` when nobody has two samples.
 */
export async function candidateReport(dataset: Dataset, options: CandidateOptions): Promise<CandidateReport> {
  const { model, seed = 'candidates', samplesPerSubject = 10, signal } = options
  const suite = checkSuite(options.suite ?? 'B6')
  const bits = options.bits ?? defaultBits(model.dimensions)
  const people = await loadPeople(dataset, { model, samplesPerSubject, signal })
  try {
    const { subjects: enrolled, count } = people
    if (count === enrolled) {
      throw new EvaluateError('ERR_EVALUATE_TOO_FEW', 'nobody has a second sample to be searched for')
    }
    const lengths = LENGTHS.filter((most) => most === 1 || most <= enrolled)
    const within = await search(people, lengths, { suite, bits, seed }, options)
    return {
      dataset: people.name,
      synthetic: people.synthetic,
      model: people.model,
      suite,
      bits,
      seed,
      enrolled,
      searches: count - enrolled,
      found: lengths.map((most, i) => ({ most, rate: rate(within[i] ?? 0, count - enrolled) })),
    }
  } finally {
    people.dispose()
  }
}

interface Coding {
  readonly suite: Suite
  readonly bits: Bits
  readonly seed: string
}

/** How many searches find their person within each length. */
async function search(
  people: People,
  lengths: readonly number[],
  coding: Coding,
  options: TaskOptions,
): Promise<readonly number[]> {
  const { subjects, count, subjectOf } = people
  const pace = new Pace(count, options)
  const coder = new Coder(people, coding)
  const scan = codeScan(subjects, coding.bits)
  const within = lengths.map(() => 0)
  try {
    for (let sample = 0; sample < count; sample++) {
      if (isFirst(people, sample))
        coder.withCode(sample, (code) => scan.write(subjectOf[sample] as number, code))
    }
    await pace.step(subjects)
    for (let sample = 0; sample < count; sample++) {
      if (isFirst(people, sample)) continue
      const place = coder.withCode(sample, (code) =>
        placeOf(scan, code, subjectOf[sample] as number, lengths),
      )
      for (const [i, most] of lengths.entries()) within[i] = (within[i] as number) + Number(place < most)
      await pace.step(1)
    }
  } finally {
    scan.wipe()
    coder.dispose()
  }
  return within
}

function isFirst({ subjectOf }: People, sample: number): boolean {
  return sample === 0 || subjectOf[sample] !== subjectOf[sample - 1]
}

/** 0 for the nearest; infinity when the person is not among as many as the longest list has. */
function placeOf(scan: CodeScan, code: Uint8Array, subject: number, lengths: readonly number[]): number {
  const list = scan.nearest(code, scan.capacity, lengths.at(-1) as number)
  const place = list.findIndex(({ row }) => row === subject)
  return place < 0 ? Number.POSITIVE_INFINITY : place
}

/** Codes of samples under the one key of a measurement, without the mask: it cancels in the distance. */
class Coder {
  readonly #people: People
  readonly #coding: Coding
  readonly #n: number
  readonly #stream: Uint8Array

  constructor(people: People, coding: Coding) {
    this.#people = people
    this.#coding = coding
    this.#n = rotationSize(people.dimensions, coding.bits)
    this.#stream = keyStream(coding.suite, seededKey(coding.seed, this.#n), this.#n, coding.bits)
  }

  /** Lends the code of a sample; it is wiped afterwards. */
  withCode<Result>(sample: number, use: (code: Uint8Array) => Result): Result {
    const { dimensions, integers } = this.#people
    const z = integers.subarray(sample * dimensions, (sample + 1) * dimensions)
    const values = rotate(z, this.#coding.suite, this.#n, this.#stream)
    const code = signBits(values, this.#coding.bits)
    try {
      return use(code)
    } finally {
      wipe(values, code)
    }
  }

  dispose(): void {
    wipe(this.#stream)
  }
}
