/** Samples at the vault's door: admitted, fused, turned into integers, wiped. @module */

import { equalBytes, wipe } from '../base/bytes.ts'
import { checkText } from '../base/check.ts'
import { type AttestedCapture, isAttestedCapture, takeCapture } from '../capture/attested.ts'
import { type Embedding, embeddingModel, fuse, isEmbedding, toIntegers } from '../embedding/embedding.ts'
import type { Instant } from '../policy/attempts.ts'
import { readFields, readList } from '../policy/fields.ts'
import type { OperatingPoint } from '../policy/operating-point.ts'
import type { VaultContext, VaultSettings } from './context.ts'
import { rejectInput, VaultError } from './errors.ts'
import type { Provenance } from './provenance.ts'
import { allowUnattestedCapture } from './symbols.ts'

const MOST_SAMPLES = 32
/** Of a list that is too long, so many embeddings are looked for. */
const MOST_DISPOSED = 4096
/** So long after a desk accepted it a capture may enter a verb. */
const CAPTURE_VALID_MS = 60_000
/** The operating point of whoever names none. */
const ANY = 'any'
/** What `withSample` needs of a request. */
export const SAMPLE_FIELDS: readonly ['embedding', 'capture', 'probeClass', typeof allowUnattestedCapture] = [
  'embedding',
  'capture',
  'probeClass',
  allowUnattestedCapture,
]

interface Sample {
  readonly embedding: unknown
  readonly capture: unknown
  readonly probeClass: unknown
  readonly [allowUnattestedCapture]: unknown
}

/** What a request says of its samples, each field read once. */
export interface RequestSamples extends Sample {
  readonly more?: unknown
}

/** A sample that was let in. */
interface Admitted {
  readonly embedding: Embedding
  readonly capture: AttestedCapture | undefined
}

/** What a verb gets of its samples: integers that are wiped after it, the point they are compared at, where they came from. */
export interface Taken {
  readonly integers: Int32Array
  readonly point: OperatingPoint
  readonly provenance: Provenance
}

/**
 * Takes the samples of a request: checks all, disposes of all their embeddings and captures whatever happens, and lends the integers of
 * the fused embedding to `use`.
 *
 * @param subject of whom captures must be; `undefined` for a search
 */
export async function withSample<Result>(
  ctx: VaultContext,
  request: RequestSamples,
  subject: unknown,
  use: (taken: Taken) => Promise<Result>,
): Promise<Result> {
  const { settings } = ctx
  const samples: Sample[] = [request]
  let integers: Int32Array | undefined
  try {
    for (const sample of moreSamples(request.more)) {
      samples.push(readSample(sample))
    }
    // Nothing waits before the embeddings are gone: a capture that two verbs are given at once enters one of them.
    const admitted = samples.map((sample) => checkSample(ctx, sample, subject))
    const point = operatingPoint(settings, classOf(request, admitted))
    integers = fusedIntegers(admitted.map(({ embedding }) => embedding))
    dispose(samples)
    return await use({ integers, point, provenance: provenanceOf(admitted) })
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

/** True when the caller asserts a second factor. Throws `ERR_VAULT_INPUT`. */
export function checkFactor(value: unknown): boolean {
  if (value !== undefined && value !== true) throw rejectInput('[secondFactorConfirmed] must be true')
  return value === true
}

/** Disposes of every embedding of a refused request that can be reached, whatever else is wrong with it. */
export function disposeReachable(request: unknown): void {
  disposeOf(request)
  try {
    const { more, also, references } = request as Readonly<Record<string, unknown>>
    disposeOf(also)
    each(more, disposeOf)
    each(references, disposeReachable)
  } catch {
    // Out of reach.
  }
}

function each(list: unknown, dispose: (sample: unknown) => void): void {
  if (!Array.isArray(list)) return
  for (let i = 0; i < Math.min(list.length, MOST_DISPOSED); i++) dispose(list[i])
}

function disposeOf(sample: unknown): void {
  try {
    disposeOfBoth(sample as Partial<Sample>)
  } catch {
    // Out of reach.
  }
}

/** Wipes what a caller gave, also when the call was refused; a second time does nothing. */
function dispose(samples: readonly Sample[]): void {
  for (const sample of samples) disposeOfBoth(sample)
}

function disposeOfBoth({ embedding, capture }: Partial<Sample>): void {
  if (isEmbedding(embedding)) embedding[Symbol.dispose]()
  if (isAttestedCapture(capture)) capture[Symbol.dispose]()
}

/** One that cannot be read has no embedding, and is refused once the others are known and can be wiped. */
function readSample(sample: unknown): Sample {
  try {
    return readFields(sample, 'a sample', SAMPLE_FIELDS, rejectInput)
  } catch {
    return {
      embedding: undefined,
      capture: undefined,
      probeClass: undefined,
      [allowUnattestedCapture]: undefined,
    }
  }
}

function moreSamples(more: unknown): readonly unknown[] {
  return more === undefined ? [] : readList(more, 'more', MOST_SAMPLES - 1, rejectInput)
}

function checkSample(ctx: VaultContext, sample: Sample, subject: unknown): Admitted {
  if (sample.capture !== undefined) return checkCapture(ctx, sample, subject)
  const { embedding } = sample
  if (!isEmbedding(embedding)) throw rejectInput('embedding must come from embedding()')
  if (sample[allowUnattestedCapture] !== true) {
    throw rejectInput('a sample without an attested capture needs [allowUnattestedCapture]: true')
  }
  requireModel(ctx.settings, embedding)
  return { embedding, capture: undefined }
}

/** What came with the capture decides, never the caller (CAPTURE-23). */
function checkCapture(ctx: VaultContext, sample: Sample, subject: unknown): Admitted {
  const { capture, embedding: other, probeClass } = sample
  if (!isAttestedCapture(capture)) throw rejectInput('capture must come from a desk')
  if (other !== undefined || probeClass !== undefined || sample[allowUnattestedCapture] !== undefined) {
    throw rejectInput('a sample with an attested capture has no other fields')
  }
  const { embedding, opened } = takeCapture(capture)
  const { realm, profile } = ctx.settings
  if (capture.realm !== realm) throw rejectCapture('the capture is of another realm')
  if (capture.purpose !== profile.purpose) throw rejectCapture('the capture is for another purpose')
  if (capture.subject !== subject) throw rejectCapture('the capture is of another subject, or of none')
  if (!isFresh(opened, ctx.now())) throw rejectCapture('the capture was accepted too long ago')
  requireModel(ctx.settings, embedding)
  return { embedding, capture }
}

function isFresh(opened: Instant, now: Instant): boolean {
  const same = equalBytes(opened.origin, now.origin)
  const elapsedMs = same ? now.steadyMs - opened.steadyMs : now.nowMs - opened.nowMs
  return elapsedMs >= 0 && elapsedMs <= CAPTURE_VALID_MS
}

function rejectCapture(why: string): VaultError {
  return new VaultError('ERR_VAULT_CAPTURE', why)
}

function requireModel({ profile }: VaultSettings, embedding: Embedding): void {
  const { id, dimensions, meanHash } = embeddingModel(embedding)
  if (id !== profile.model || dimensions !== profile.dimensions || !equalBytes(meanHash, profile.meanHash)) {
    throw rejectInput('the embedding is of another model or mean than the vault')
  }
}

/** The class that the request is compared in: the first sample's. Captures agree on it. */
function classOf(request: RequestSamples, admitted: readonly Admitted[]): unknown {
  const captures = admitted.flatMap(({ capture }) => capture ?? [])
  const probeClass = admitted[0]?.capture?.probeClass ?? request.probeClass
  if (captures.some((capture) => capture.probeClass !== (probeClass ?? ANY))) {
    throw rejectInput('the captures of a request must be of one probe class')
  }
  return probeClass
}

/** The weakest sample decides. */
function provenanceOf(admitted: readonly Admitted[]): Provenance {
  const tripwires = admitted.flatMap(({ capture }) => capture?.tripwire ?? [])
  return {
    attested: admitted.every(({ capture }) => capture !== undefined),
    live: admitted.every(({ capture }) => capture?.livenessAccepted === true),
    tripwire: tripwires.length === 0 ? undefined : Math.min(...tripwires),
    moment: admitted.length === 1 ? momentOf(admitted[0]?.capture) : undefined,
  }
}

function momentOf(capture: AttestedCapture | undefined): string | undefined {
  if (capture === undefined) return undefined
  const { device, capturedAt, conditions } = capture
  const { masked, glasses, quality } = conditions
  return [device, capturedAt, masked, glasses, quality].join()
}

function operatingPoint(settings: VaultSettings, probeClass: unknown): OperatingPoint {
  const name =
    probeClass === undefined ? ANY : checkText(probeClass, 'probeClass', { maxBytes: 64 }, rejectInput)
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
