/** What the compiler must refuse at the door of the package, and what it must accept. Compiled as a user would. @module */
import {
  allowUnattestedCapture,
  type Embedding,
  type EnrollRequest,
  embedding,
  type KeyProvider,
  memoryStore,
  type OperatingPoint,
  type Store,
  type VaultOptions,
  type VerifyDecision,
  type VerifyRequest,
} from 'guise'
import type { AttestedCapture, CaptureFacts, CapturePolicy, CaptureScope } from 'guise/capture'
import { type Claim, claimRate } from 'guise/evaluate'

declare const face: Embedding
declare const vector: Float32Array
declare const options: VaultOptions
declare const point: OperatingPoint

// ── a raw vector never passes for an embedding ──────────────────────────────────────────────────
export const verify: VerifyRequest = { subject: 'a', embedding: face, [allowUnattestedCapture]: true }
// @ts-expect-error a vector is not an embedding
export const rawVector: VerifyRequest = { subject: 'a', embedding: vector, [allowUnattestedCapture]: true }
// @ts-expect-error numbers are not an embedding
export const rawNumbers: VerifyRequest = { subject: 'a', embedding: [0.1], [allowUnattestedCapture]: true }

// ── danger is spelled out at the call site ──────────────────────────────────────────────────────
// @ts-expect-error nobody vouches for the sample
export const unattested: VerifyRequest = { subject: 'a', embedding: face }
// @ts-expect-error the symbol says yes, and nothing else
export const halfAttested: VerifyRequest = { subject: 'a', embedding: face, [allowUnattestedCapture]: false }
// @ts-expect-error a string with the name of the symbol is not the symbol
export const named: VerifyRequest = { subject: 'a', embedding: face, allowUnattestedCapture: true }
// @ts-expect-error nobody is enrolled without a legal basis
export const baseless: EnrollRequest = { subject: 'a', embedding: face, [allowUnattestedCapture]: true }

// ── no default for a choice that decides security ───────────────────────────────────────────────
type Without<Name extends keyof VaultOptions> = Omit<VaultOptions, Name>
// @ts-expect-error a threshold means nothing without what it was measured on
export const noPoints: VaultOptions = options as Without<'operatingPoints'>
// @ts-expect-error a model names what the vectors are
export const noModel: VaultOptions = options as Without<'model'>
// @ts-expect-error who must take part is stated
export const noCustody: VaultOptions = options as Without<'custody'>
// @ts-expect-error a bare number is no operating point
export const bareThreshold: OperatingPoint = 0.4
// @ts-expect-error an odd number of bits has no transform
export const oddBits: OperatingPoint = { ...point, bits: 500 }

// ── outcomes are exhaustive, and carry no score ─────────────────────────────────────────────────
export function outcomeOf(decision: VerifyDecision): string {
  switch (decision.outcome) {
    case 'match':
      return decision.record
    case 'nonmatch':
    case 'second-factor':
      return ''
    case 'refused':
      return decision.reason ?? ''
  }
}
export function leaks(decision: VerifyDecision): unknown {
  // @ts-expect-error a decision is not a score
  return decision.score
}
export function recordOf(decision: VerifyDecision): string {
  // @ts-expect-error only a match names a record
  return decision.record
}

// ── plain values in, branded values out ─────────────────────────────────────────────────────────
export function modelOf(one: Embedding): string {
  return one.model
}
// @ts-expect-error a plain string is no branded id
export const brandless: Embedding['model'] = 'arcface-r100@1'

// ── ports are small ─────────────────────────────────────────────────────────────────────────────
export const provider: KeyProvider = {
  id: 'kms',
  wrap: async (secret, _context) => secret,
  unwrap: async (wrapped, _context) => wrapped,
}
// @ts-expect-error a provider that cannot unwrap is none
export const oneWay: KeyProvider = { id: 'kms', wrap: async (secret) => secret }
export const store: Store = memoryStore()

// ── vectors come in every shape that models write ───────────────────────────────────────────────
const model = { id: 'arcface-r100@1', dimensions: 512, metric: 'cosine' } as const
export const faces: readonly Embedding[] = [
  embedding(vector, model),
  embedding(new Float64Array(512), model),
  embedding([0.1, 0.2], model),
  embedding({ base64: '' }, model),
  embedding({ npy: new Uint8Array(0) }, model),
  embedding({ f32le: new Uint8Array(0) }, model),
]
// @ts-expect-error bytes could mean anything
export const bytes: Embedding = embedding(new Uint8Array(2048), model)
// @ts-expect-error only cosine-like models keep their ranking when normalised
export const euclid: Embedding = embedding(vector, { ...model, metric: 'euclidean' })
// @ts-expect-error a vector without a model has no meaning
export const modelless: Embedding = embedding(vector)

// ── a rate is claimed only as finely as its trials can show ─────────────────────────────────────
const counted = { count: 0, trials: 40_000, subjects: 284 }
export const claim: Claim = claimRate(1e-4, counted)
export const claimed: number = claim.target
// @ts-expect-error a number is no claim
export const bareClaim: Claim = 1e-4
// @ts-expect-error what looks like a claim was not checked
export const madeUp: Claim = { target: 1e-9, measured: claim.measured, bound: 1e-9, subjects: 284 }
// @ts-expect-error a claim with another target was not checked
export const stretched: Claim = { ...claim, target: 1e-9, bound: 1e-9 }
// @ts-expect-error a claim does not change
claim.target = 1e-9
// @ts-expect-error a claim says among how many people
export const nobody: Claim = claimRate(1e-4, { count: 0, trials: 40_000 })

// ── what a desk did not open is no attested capture; nothing about liveness is assumed ─────────
declare const facts: CaptureFacts & Disposable
declare const opened: AttestedCapture
export const aboutCapture: CaptureFacts = opened
// @ts-expect-error facts alone were not proved
export const forged: AttestedCapture = facts
// @ts-expect-error a policy says which liveness it accepts, or that it needs none
export const silent: CapturePolicy = { purpose: 'login' }
export const scope: CaptureScope = { search: true, purpose: 'login' }
// @ts-expect-error a capture is of a subject or for a search
export const bothScopes: CaptureScope = { search: true, subject: 'a', purpose: 'login' }
