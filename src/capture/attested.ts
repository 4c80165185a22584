/** A capture whose origin was proved (SPEC §20.6, §20.7). @module */

import type { Millis, ModelId, Realm } from '../base/brand.ts'
import type { Embedding } from '../embedding/embedding.ts'
import type { Instant } from '../policy/attempts.ts'
import { CaptureError } from './errors.ts'
import type { CaptureConditions, LivenessClaim } from './statement.ts'

/** What a capture says of itself once it was accepted. */
export interface CaptureFacts {
  readonly realm: Realm
  /** Whom it was asked of; none for a search. */
  readonly subject: string | undefined
  readonly purpose: string
  readonly model: ModelId
  /** The device's id, 64 hexadecimal digits, and its family. */
  readonly device: string
  readonly family: string
  readonly capturedAt: Millis
  readonly conditions: CaptureConditions
  /** As it was claimed: guise does not judge it. */
  readonly liveness: LivenessClaim | undefined
  /** True when the policy names liveness claims that it accepts, and this one is among them. */
  readonly livenessAccepted: boolean
  /** Names of platform claims that the realm's hook verified. */
  readonly claims: readonly string[]
  /** Which operating point it is compared at. */
  readonly probeClass: string
  /** Similarity in ten-thousandths from which a match needs a second factor. */
  readonly tripwire: number
}

declare const attested: unique symbol

/**
 * A probe that came from an enrolled device, in answer to a question that was asked once. Only a desk makes one. Prints as
 * `[AttestedCapture]`, refuses JSON, is wiped on dispose and by the verb that takes it.
 */
export interface AttestedCapture extends CaptureFacts, Disposable {
  readonly [attested]: true
  /** `[AttestedCapture]`. */
  toString(): string
}

/** What a verb takes out of a capture. */
export interface TakenCapture {
  /** Borrowed: disposed of with the capture. */
  readonly embedding: Embedding
  /** When the desk accepted it. */
  readonly opened: Instant
}

/** Takes ownership of the embedding. */
export function attest(facts: CaptureFacts, embedding: Embedding, opened: Instant): AttestedCapture {
  return new Attested(facts, embedding, opened) as CaptureFacts as AttestedCapture
}

/** True for what a desk made; a look-alike is none. */
export function isAttestedCapture(value: unknown): value is AttestedCapture {
  return Attested.is(value)
}

/** The embedding, borrowed: disposed of with the capture. Throws `ERR_CAPTURE_DISPOSED`, and `ERR_CAPTURE_INPUT` for what is none. */
export function captureEmbedding(capture: AttestedCapture): Embedding {
  return Attested.embeddingOf(capture)
}

/**
 * Takes a capture for the one verb that it is good for. Throws `ERR_CAPTURE_USED` from the second time on, `ERR_CAPTURE_DISPOSED`, and
 * `ERR_CAPTURE_INPUT` for what is none.
 */
export function takeCapture(capture: unknown): TakenCapture {
  return Attested.take(capture)
}

/** Captures that entered a verb. */
const TAKEN = new WeakSet<object>()

class Attested implements CaptureFacts, Disposable {
  static {
    // Node's inspector asks this symbol first, and would show a subject.
    const inspect = Symbol.for('nodejs.util.inspect.custom')
    Object.defineProperty(Attested.prototype, inspect, { value: () => '[AttestedCapture]' })
  }

  readonly realm: Realm
  readonly subject: string | undefined
  readonly purpose: string
  readonly model: ModelId
  readonly device: string
  readonly family: string
  readonly capturedAt: Millis
  readonly conditions: CaptureConditions
  readonly liveness: LivenessClaim | undefined
  readonly livenessAccepted: boolean
  readonly claims: readonly string[]
  readonly probeClass: string
  readonly tripwire: number
  readonly #embedding: Embedding
  readonly #opened: Instant
  #disposed = false

  constructor(facts: CaptureFacts, embedding: Embedding, opened: Instant) {
    this.realm = facts.realm
    this.subject = facts.subject
    this.purpose = facts.purpose
    this.model = facts.model
    this.device = facts.device
    this.family = facts.family
    this.capturedAt = facts.capturedAt
    this.conditions = Object.freeze({ ...facts.conditions })
    this.liveness = facts.liveness && Object.freeze({ ...facts.liveness })
    this.livenessAccepted = facts.livenessAccepted
    this.claims = Object.freeze([...facts.claims])
    this.probeClass = facts.probeClass
    this.tripwire = facts.tripwire
    this.#embedding = embedding
    this.#opened = opened
    Object.freeze(this)
  }

  static is(value: unknown): value is AttestedCapture {
    return typeof value === 'object' && value !== null && #embedding in value
  }

  static embeddingOf(value: unknown): Embedding {
    if (typeof value !== 'object' || value === null || !(#embedding in value))
      throw new CaptureError('ERR_CAPTURE_INPUT', 'a capture must come from a desk')
    if (value.#disposed) throw new CaptureError('ERR_CAPTURE_DISPOSED', 'the capture was disposed of')
    return value.#embedding
  }

  static take(value: unknown): TakenCapture {
    if (typeof value !== 'object' || value === null || !(#embedding in value))
      throw new CaptureError('ERR_CAPTURE_INPUT', 'a capture must come from a desk')
    if (TAKEN.has(value)) throw new CaptureError('ERR_CAPTURE_USED', 'the capture was used already')
    const embedding = Attested.embeddingOf(value)
    TAKEN.add(value)
    return { embedding, opened: value.#opened }
  }

  /** Wipes the embedding. A second call does nothing. */
  [Symbol.dispose](): void {
    this.#disposed = true
    this.#embedding[Symbol.dispose]()
  }

  toString(): string {
    return '[AttestedCapture]'
  }

  toJSON(): never {
    throw new CaptureError('ERR_CAPTURE_EXPORT', 'a capture has no JSON form')
  }
}
