/** Opening a capture: the checks in their order, and the one commit that spends its challenge (SPEC §20.6). @module */

import type { Millis, Realm } from '../base/brand.ts'
import { concatBytes, equalBytes, labelBytes, toHex, wipe } from '../base/bytes.ts'
import { type Clock, processMs } from '../base/clock.ts'
import type { CallOptions } from '../base/errors.ts'
import { sha256 } from '../crypto/hash.ts'
import { type Embedding, embedding, toIntegers } from '../embedding/embedding.ts'
import type { Model } from '../embedding/model.ts'
import type { Store, StoreStep } from '../store/store.ts'
import { assertedBytes, type CheckedWebAuthn, fitsAssertion } from './assertion.ts'
import { type AttestedCapture, attest } from './attested.ts'
import { type ChallengeScope, findChallenge, type IssuedChallenge, isBound } from './challenge.ts'
import { type VerifyEd25519, verifySignature } from './device-key.ts'
import type { DeviceTrust, TrustedDevice } from './devices.ts'
import { CaptureError, type CaptureReason, type CaptureRefusal, captureReason, refusal } from './errors.ts'
import { acceptsLiveness, admit, type CheckedPolicy, isTimely } from './policy.ts'
import { type CaptureKeys, repeatRowKey, TABLE, tagOf } from './rows.ts'
import { type Plain, readPlain, readSealed, unseal } from './sealed.ts'
import { FLOAT_BYTES, probeHash, readHeader, readPayload, type Statement, signedBytes } from './statement.ts'
import { periodOf } from './sweep.ts'
import { ignoreConflict, type TransportKeys } from './transport-keys.ts'

/**
 * Verifies a platform's attestation chain for a device, and answers with the names of what it verified; `undefined` refuses. The chain
 * is as the device sent it: the hook believes nothing that it has not checked, the device's key above all, and answers `undefined` for
 * what it cannot read. What it throws is a fault, which the caller of the desk gets at once.
 */
export type AttestationHook = (
  chain: Uint8Array,
  device: { readonly id: string; readonly family: string; readonly publicKey: Uint8Array },
  options: CallOptions,
) => Promise<readonly string[] | undefined>

/** What a desk works with. */
export interface DeskParts {
  readonly store: Store
  readonly realm: Realm
  readonly keys: CaptureKeys
  readonly model: Model
  readonly meanHash: Uint8Array
  readonly devices: DeviceTrust
  readonly policies: ReadonlyMap<string, CheckedPolicy>
  readonly webAuthn: CheckedWebAuthn | undefined
  readonly attestation: AttestationHook | undefined
  readonly clock: Clock
  readonly transport: TransportKeys
  readonly refusalMs: number
  readonly retentionMs: number
  /** Told why a capture was refused. */
  readonly refused: ((reason: CaptureReason) => Promise<void>) | undefined
  /** The strict rule of §14.3; one that is sooner where libsodium runs. */
  readonly verifyEd25519: VerifyEd25519
}

/** Who said what: steps 5 to 9 are behind it. */
interface Proved {
  readonly statement: Statement
  readonly device: Uint8Array
  readonly trusted: TrustedDevice
  readonly chain: Uint8Array | undefined
}

const ATTEMPTS = 8
const MOST_CLAIMS = 64
const NOTHING = new Uint8Array(0)

/** Opens a capture, or throws the one refusal, not before its time. */
export async function openSealed(
  parts: DeskParts,
  policy: CheckedPolicy,
  sealed: Uint8Array,
  scope: ChallengeScope,
  options: CallOptions,
): Promise<AttestedCapture> {
  const startedMs = processMs()
  try {
    return await open(parts, policy, sealed, scope, options)
  } catch (error) {
    if (error instanceof CaptureError && error.code === 'ERR_CAPTURE_REFUSED') {
      await parts.refused?.((error as CaptureRefusal)[captureReason])
      await until(startedMs + parts.refusalMs)
    }
    throw error
  }
}

async function open(
  parts: DeskParts,
  policy: CheckedPolicy,
  bytes: Uint8Array,
  scope: ChallengeScope,
  options: CallOptions,
): Promise<AttestedCapture> {
  options.signal?.throwIfAborted()
  const { realm, transport } = parts
  const sealed = readSealed(bytes)
  const key = await transport.find(sealed.recipient, options)
  if (key === undefined) throw refusal('recipient')
  const opened = await unseal(sealed, key, realm)
  let vector: Uint8Array | undefined
  let face: Embedding | undefined
  let accepted = false
  try {
    const plain = readPlain(opened)
    vector = plain.vector
    const proved = await prove(parts, plain, sealed.recipient, options)
    face = embeddingOf(parts, proved.statement, vector)
    const capture = await spend(parts, policy, proved, face, scope, options)
    accepted = true
    return capture
  } finally {
    wipe(opened, vector)
    if (!accepted) face?.[Symbol.dispose]()
  }
}

/** Steps 5 to 8. */
async function prove(
  parts: DeskParts,
  plain: Plain,
  recipient: Uint8Array,
  options: CallOptions,
): Promise<Proved> {
  const reject = (): Error => refusal('statement')
  const { algorithm, device } = readHeader(plain.header, reject)
  const statement = readPayload(plain.payload, reject)
  const trusted = await parts.devices.find(device, options)
  if (trusted === undefined) throw refusal('device')
  const signed = signedBytes(plain)
  const { assertion, carrier, signature } = plain
  if (trusted.algorithm !== algorithm || trusted.carrier !== carrier) throw refusal('signature')
  const { webAuthn } = parts
  if (assertion && (webAuthn === undefined || !fitsAssertion(assertion, signed, webAuthn)))
    throw refusal('signature')
  const message = assertion ? assertedBytes(assertion) : signed
  if (!(await verifySignature(trusted, message, signature, parts.verifyEd25519))) throw refusal('signature')
  if (statement.realm !== parts.realm || !equalBytes(statement.recipient, recipient))
    throw refusal('redirected')
  return { statement, device, trusted, chain: plain.chain }
}

/** Step 9. */
function embeddingOf({ model }: DeskParts, statement: Statement, vector: Uint8Array): Embedding {
  const fits =
    statement.model === model.id &&
    vector.length === FLOAT_BYTES * model.dimensions &&
    equalBytes(probeHash(statement.model, vector), statement.probe)
  if (!fits) throw refusal('probe')
  try {
    return embedding({ f32le: vector }, model)
  } catch {
    throw refusal('probe')
  }
}

/** Steps 10 to 15. */
async function spend(
  parts: DeskParts,
  policy: CheckedPolicy,
  proved: Proved,
  face: Embedding,
  scope: ChallengeScope,
  options: CallOptions,
): Promise<AttestedCapture> {
  const { store, realm, keys, clock } = parts
  const { statement, device, trusted } = proved
  const place = { store, realm, key: keys.challenge }
  const challenge = await findChallenge(place, statement.nonce, clock.nowMs(), options)
  if (!isBound(challenge, keys.challenge, scope, device) || statement.purpose !== challenge.purpose)
    throw refusal('binding')
  // From here on a device has answered this very question: it is not asked again, whatever the answer.
  const judged = await judge(parts, policy, proved, challenge, options)
  if (judged.reason !== undefined) return await spendOnly(parts, challenge, judged.reason, options)
  // The realm's hook may have taken its time.
  const nowMs = clock.nowMs()
  if (nowMs >= challenge.expiresMs) throw refusal('challenge')
  if (!isTimely(policy, statement.capturedSeconds, challenge.issuedMs, nowMs))
    return await spendOnly(parts, challenge, 'time', options)
  await accept(parts, challenge, proved, face, options)
  const { origin, ms: steadyMs } = clock.steady()
  return attest(
    {
      realm,
      subject: scope.subject,
      purpose: scope.purpose,
      model: face.model,
      device: toHex(device),
      family: trusted.family,
      capturedAt: (statement.capturedSeconds * 1000) as Millis,
      conditions: statement.conditions,
      liveness: statement.liveness,
      livenessAccepted: acceptsLiveness(policy, statement.liveness),
      claims: judged.claims,
      probeClass: judged.probeClass,
      tripwire: policy.tripwire,
    },
    face,
    { nowMs: clock.nowMs(), origin, steadyMs },
  )
}

type Judged =
  | { readonly reason: CaptureReason }
  | { readonly reason?: undefined; readonly claims: readonly string[]; readonly probeClass: string }

/** Steps 12 to 14. */
async function judge(
  parts: DeskParts,
  policy: CheckedPolicy,
  proved: Proved,
  challenge: IssuedChallenge,
  options: CallOptions,
): Promise<Judged> {
  const { statement } = proved
  if (!isTimely(policy, statement.capturedSeconds, challenge.issuedMs, parts.clock.nowMs()))
    return { reason: 'time' }
  const claims = await attestedClaims(parts, proved, options)
  if (claims === undefined) return { reason: 'attestation' }
  const probeClass = admit(policy, statement, claims)
  return probeClass === undefined ? { reason: 'policy' } : { claims, probeClass }
}

/** Step 13: what the realm's hook verified; `undefined` when the chain is not the stated one, or is refused. */
async function attestedClaims(
  { attestation }: DeskParts,
  { statement, device, trusted, chain }: Proved,
  options: CallOptions,
): Promise<readonly string[] | undefined> {
  const stated = statement.attestation
  if (chain === undefined || stated === undefined) return chain === undefined && !stated ? [] : undefined
  if (!equalBytes(sha256(chain), stated)) return undefined
  if (attestation === undefined) return []
  const { family, publicKey } = trusted
  const about = { id: toHex(device), family, publicKey: Uint8Array.from(publicKey) }
  const claims: unknown = await attestation(chain, about, options)
  if (!Array.isArray(claims)) return undefined
  return claims.slice(0, MOST_CLAIMS).filter((claim): claim is string => typeof claim === 'string')
}

/** Step 15: one commit. When something changed meanwhile, what it was decides. */
async function accept(
  parts: DeskParts,
  challenge: IssuedChallenge,
  { statement, device, trusted }: Proved,
  face: Embedding,
  options: CallOptions,
): Promise<void> {
  const { store, realm, keys, clock, retentionMs } = parts
  const tag = repeatTag(parts, face)
  const period = periodOf(clock.nowMs(), retentionMs)
  const current = repeatRowKey(realm, period, tag)
  const former = repeatRowKey(realm, period - 1, tag)
  // The clock of another process may be ahead, in the next period already.
  const later = repeatRowKey(realm, period + 1, tag)
  let checks = trusted.checks ?? []
  for (let left = ATTEMPTS; ; left--) {
    const steps: readonly StoreStep[] = [
      { step: 'delete', table: TABLE, key: challenge.key, expected: challenge.rowVersion },
      { step: 'put', table: TABLE, key: current, bytes: NOTHING, expected: null },
      { step: 'check', table: TABLE, key: former, expected: null },
      { step: 'check', table: TABLE, key: later, expected: null },
      ...checks,
    ]
    try {
      await store.commit(steps, options)
      return
    } catch (error) {
      ignoreConflict(error)
      if (left === 1) throw error
    }
    const place = { store, realm, key: keys.challenge }
    await findChallenge(place, statement.nonce, clock.nowMs(), options)
    const rows = await Promise.all([current, former, later].map((key) => store.get(TABLE, key, options)))
    if (rows.some((row) => row !== undefined)) await spendOnly(parts, challenge, 'repeated', options)
    const still = await parts.devices.find(device, options)
    if (still === undefined) await spendOnly(parts, challenge, 'device', options)
    else checks = still.checks ?? []
  }
}

/** Spends a challenge for nothing, and refuses. */
async function spendOnly(
  { store }: DeskParts,
  { key, rowVersion }: IssuedChallenge,
  reason: CaptureReason,
  options: CallOptions,
): Promise<never> {
  const step: StoreStep = { step: 'delete', table: TABLE, key, expected: rowVersion }
  // Somebody else spent it: the reason stays what was found.
  await store.commit([step], options).catch(ignoreConflict)
  throw refusal(reason)
}

/** What an accepted probe is known by: its integers. */
function repeatTag({ keys, model, meanHash }: DeskParts, face: Embedding): Uint8Array {
  const integers = toIntegers(face)
  const bytes = concatBytes(new Uint8Array(4 * integers.length))
  const view = new DataView(bytes.buffer)
  for (let i = 0; i < integers.length; i++) view.setInt32(4 * i, integers[i] as number, true)
  try {
    return tagOf(keys.repeat, 'guise/v1/capture-repeat', labelBytes(model.id), meanHash, bytes)
  } finally {
    wipe(integers, bytes)
  }
}

/** The time that a refusal takes is not the time of the step that refused. */
async function until(deadlineMs: number): Promise<void> {
  for (let restMs = deadlineMs - processMs(); restMs > 0; restMs = deadlineMs - processMs())
    await new Promise((resolve) => setTimeout(resolve, restMs))
}
