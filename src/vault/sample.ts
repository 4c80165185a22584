/** Samples at the vault's door: admitted, fused, turned into integers, wiped. @module */

import { equalBytes, wipe } from '../base/bytes.ts'
import { checkText } from '../base/check.ts'
import { type Embedding, embeddingModel, fuse, isEmbedding, toIntegers } from '../embedding/embedding.ts'
import { readFields, readList } from '../policy/fields.ts'
import type { OperatingPoint } from '../policy/operating-point.ts'
import type { VaultSettings } from './context.ts'
import { rejectInput } from './errors.ts'
import { allowUnattestedCapture } from './symbols.ts'

const MOST_SAMPLES = 32
/** Of a list that is too long, so many embeddings are looked for. */
const MOST_DISPOSED = 4096
/** What `withSample` needs of a request. */
export const SAMPLE_FIELDS: readonly ['embedding', 'probeClass', typeof allowUnattestedCapture] = [
  'embedding',
  'probeClass',
  allowUnattestedCapture,
]

/** What a request says of its samples, each field read once. */
export interface RequestSamples {
  readonly embedding: unknown
  readonly more?: unknown
  readonly probeClass: unknown
  readonly [allowUnattestedCapture]: unknown
}

interface Sample {
  readonly embedding: unknown
  readonly [allowUnattestedCapture]: unknown
}

/**
 * Takes the samples of a request: checks all, disposes of all their embeddings whatever happens, and lends the integers of
 * the fused embedding to `use`.
 */
export async function withSample<Result>(
  settings: VaultSettings,
  request: RequestSamples,
  use: (integers: Int32Array, point: OperatingPoint) => Promise<Result>,
): Promise<Result> {
  const samples: Sample[] = [request]
  let integers: Int32Array | undefined
  try {
    for (const sample of moreSamples(request.more)) {
      samples.push(readSample(sample))
    }
    const embeddings = samples.map((sample) => checkSample(settings, sample))
    const point = operatingPoint(settings, request.probeClass)
    integers = fusedIntegers(embeddings)
    dispose(samples)
    return await use(integers, point)
  } catch (error) {
    disposeReachable(request)
    throw error
  } finally {
    dispose(samples)
    wipe(integers)
  }
}

/** The fields of a request with samples, each read once; when one cannot be read the embeddings go nevertheless. */
export function readRequest<const Name extends PropertyKey>(
  request: unknown,
  names: readonly Name[],
): Readonly<Record<Name, unknown>> {
  try {
    return readFields(request, 'the request', names, rejectInput)
  } catch (error) {
    disposeReachable(request)
    throw error
  }
}

/** Disposes of every embedding of a refused request that can be reached, whatever else is wrong with it. */
export function disposeReachable(request: unknown): void {
  disposeOf(request)
  try {
    const { more, also } = request as { readonly more?: unknown; readonly also?: unknown }
    disposeOf(also)
    if (!Array.isArray(more)) return
    for (let i = 0; i < Math.min(more.length, MOST_DISPOSED); i++) disposeOf(more[i])
  } catch {
    // Out of reach.
  }
}

function disposeOf(sample: unknown): void {
  try {
    const { embedding } = sample as { readonly embedding?: unknown }
    if (isEmbedding(embedding)) embedding[Symbol.dispose]()
  } catch {
    // Out of reach.
  }
}

/** Wipes what a caller gave, also when the call was refused; a second time does nothing. */
function dispose(samples: readonly Sample[]): void {
  for (const { embedding } of samples) if (isEmbedding(embedding)) embedding[Symbol.dispose]()
}

/** One that cannot be read has no embedding, and is refused once the others are known and can be wiped. */
function readSample(sample: unknown): Sample {
  try {
    return readFields(sample, 'a sample', SAMPLE_FIELDS, rejectInput)
  } catch {
    return { embedding: undefined, [allowUnattestedCapture]: undefined }
  }
}

function moreSamples(more: unknown): readonly unknown[] {
  return more === undefined ? [] : readList(more, 'more', MOST_SAMPLES - 1, rejectInput)
}

function checkSample(settings: VaultSettings, sample: Sample): Embedding {
  const { embedding } = sample
  if (!isEmbedding(embedding)) throw rejectInput('embedding must come from embedding()')
  if (sample[allowUnattestedCapture] !== true) {
    throw rejectInput('a sample without an attested capture needs [allowUnattestedCapture]: true')
  }
  const { id, dimensions, meanHash } = embeddingModel(embedding)
  const { profile } = settings
  if (id !== profile.model || dimensions !== profile.dimensions || !equalBytes(meanHash, profile.meanHash)) {
    throw rejectInput('the embedding is of another model or mean than the vault')
  }
  return embedding
}

function operatingPoint(settings: VaultSettings, probeClass: unknown): OperatingPoint {
  const name =
    probeClass === undefined ? 'any' : checkText(probeClass, 'probeClass', { maxBytes: 64 }, rejectInput)
  const point = settings.points.get(name)
  if (point === undefined) throw rejectInput('the vault has no operating point for this probe class')
  return point
}

function fusedIntegers(embeddings: readonly Embedding[]): Int32Array {
  const [only] = embeddings
  if (embeddings.length === 1 && only !== undefined) return toIntegers(only)
  const fused = fuse(embeddings)
  try {
    return toIntegers(fused)
  } finally {
    fused[Symbol.dispose]()
  }
}
