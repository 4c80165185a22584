/** Samples at the vault's door: admitted, fused, turned into integers, wiped. @module */

import { equalBytes, wipe } from '../base/bytes.ts'
import { checkObject, checkText } from '../base/check.ts'
import { type Embedding, embeddingModel, fuse, isEmbedding, toIntegers } from '../embedding/embedding.ts'
import type { OperatingPoint } from '../policy/operating-point.ts'
import type { VaultSettings } from './context.ts'
import { rejectInput } from './errors.ts'
import { allowUnattestedCapture } from './symbols.ts'

const MOST_SAMPLES = 32

/**
 * Takes the samples of a request: checks all, disposes of all their embeddings whatever happens, and lends the integers of
 * the fused embedding to `use`.
 */
export async function withSample<Result>(
  settings: VaultSettings,
  request: object,
  use: (integers: Int32Array, point: OperatingPoint) => Promise<Result>,
): Promise<Result> {
  const embeddings: Embedding[] = []
  let integers: Int32Array | undefined
  let point: OperatingPoint
  try {
    const samples = [request, ...moreSamples(request)]
    for (const sample of samples) embeddings.push(takeEmbedding(sample))
    for (const sample of samples) checkSample(sample)
    for (const embedding of embeddings) checkModelOf(embedding, settings)
    point = operatingPoint(settings, (request as { probeClass?: unknown }).probeClass)
    integers = fusedIntegers(embeddings)
  } finally {
    for (const embedding of embeddings) embedding[Symbol.dispose]()
  }
  try {
    return await use(integers, point)
  } finally {
    wipe(integers)
  }
}

function moreSamples(request: object): readonly unknown[] {
  const more = (request as { more?: unknown }).more
  if (more === undefined) return []
  if (!Array.isArray(more) || more.length >= MOST_SAMPLES) {
    throw rejectInput(`more must be a list of at most ${MOST_SAMPLES - 1} samples`)
  }
  return more as readonly unknown[]
}

function takeEmbedding(sample: unknown): Embedding {
  const embedding = checkObject(sample, 'a sample', rejectInput)['embedding']
  if (!isEmbedding(embedding)) throw rejectInput('embedding must come from embedding()')
  return embedding
}

function checkSample(sample: unknown): void {
  if ((sample as { [allowUnattestedCapture]?: unknown })[allowUnattestedCapture] !== true) {
    throw rejectInput('a sample without an attested capture needs [allowUnattestedCapture]: true')
  }
}

function checkModelOf(embedding: Embedding, settings: VaultSettings): void {
  const { id, dimensions, meanHash } = embeddingModel(embedding)
  const { profile } = settings
  if (id !== profile.model || dimensions !== profile.dimensions || !equalBytes(meanHash, profile.meanHash)) {
    throw rejectInput('the embedding is of another model or mean than the vault')
  }
}

function operatingPoint(settings: VaultSettings, probeClass: unknown): OperatingPoint {
  const name = probeClass === undefined ? 'any' : checkText(probeClass, 'probeClass', { maxBytes: 64 }, rejectInput)
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
