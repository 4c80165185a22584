/** The realm's desk for captures: asks, opens, sweeps (SPEC §20). @module */

import type { Millis } from '../base/brand.ts'
import { fromHex, wipe } from '../base/bytes.ts'
import { checkFunction, checkInteger, checkObject } from '../base/check.ts'
import { type Clock, systemClock } from '../base/clock.ts'
import type { CallOptions } from '../base/errors.ts'
import { checkPurpose, checkRealm, checkSubjectText } from '../base/identifier.ts'
import { verifyEd25519Strict } from '../crypto/verify.ts'
import { checkModel, type Model } from '../embedding/model.ts'
import { copyBytes, readFields } from '../policy/fields.ts'
import type { Store } from '../store/store.ts'
import { checkWebAuthn, type WebAuthnOptions } from './assertion.ts'
import type { AttestedCapture } from './attested.ts'
import { type ChallengeScope, issueChallenge, writeQuestion } from './challenge.ts'
import type { DeviceTrust } from './devices.ts'
import { CaptureError, rejectInput, rejectPolicy } from './errors.ts'
import { type AttestationHook, type DeskParts, openSealed } from './opening.ts'
import { type CapturePolicy, checkPolicies, MAX_AGE_MS } from './policy.ts'
import { captureKeys, HASH_BYTES, SECRET_BYTES } from './rows.ts'
import { sweepRows } from './sweep.ts'
import { TransportKeys } from './transport-keys.ts'

export interface CaptureDeskOptions {
  readonly store: Store
  readonly realm: string
  /** The capture secret of the realm: 32 random bytes, the same in every process, kept as its keys are. Copied. */
  readonly secret: Uint8Array
  readonly model: Model
  readonly devices: DeviceTrust
  readonly policies: readonly CapturePolicy[]
  /** Whose assertions are accepted; without it none are. */
  readonly webAuthn?: WebAuthnOptions
  readonly attestation?: AttestationHook
  /** How long a challenge is good for, 1,000 to 60,000. Default 60,000. */
  readonly challengeMs?: number
  /** Before this time a refusal does not leave, 0 to 10,000. Default 100. */
  readonly refusalMs?: number
  /** How long an accepted probe is known again, a day to 10 years; the same for all desks of a realm. Default 30 days. */
  readonly retentionMs?: number
  readonly clock?: Clock
}

/** Whom a capture is of: one subject, or nobody yet. */
export type CaptureScope =
  | { readonly subject: string; readonly search?: never; readonly purpose: string }
  | { readonly search: true; readonly subject?: never; readonly purpose: string }

/** `device`: its id, 64 hexadecimal digits or 32 bytes. */
export type ChallengeRequest = CaptureScope & { readonly device: string | Uint8Array }

/** What a device is asked: `bytes` go to it as they are. */
export interface CaptureChallenge {
  readonly bytes: Uint8Array
  readonly expiresAt: Millis
}

/** Disposing wipes the keys; later calls throw `ERR_CAPTURE_DISPOSED`. */
export interface CaptureDesk extends Disposable {
  /** A challenge for one capture. Throws `ERR_CAPTURE_INPUT`, `ERR_CAPTURE_POLICY` for a purpose without a policy. */
  challenge(request: ChallengeRequest, options?: CallOptions): Promise<CaptureChallenge>
  /**
   * Opens what a device sealed: for this subject or a search, for this purpose. Throws `ERR_CAPTURE_REFUSED` for whatever is wrong
   * with it, `ERR_CAPTURE_INPUT` for the caller's own mistakes, and `StoreError`.
   */
  openCapture(sealed: Uint8Array, scope: CaptureScope, options?: CallOptions): Promise<AttestedCapture>
  /** A new transport key; the former opens for `overlapMs` more, 120,000 to a day, 600,000 unless said. */
  rotateTransportKey(
    options?: CallOptions & { readonly overlapMs?: number },
  ): Promise<{ readonly id: Uint8Array; readonly publicKey: Uint8Array }>
  /** Removes what has expired; challenges do so by themselves while they are issued. */
  sweep(options?: CallOptions): Promise<void>
}

const DAY_MS = 86_400_000
const SWEEP_EVERY_MS = 10_000
const SWEEP_EVERY_ISSUED = 256
const OPTIONS = [
  'store',
  'realm',
  'secret',
  'model',
  'devices',
  'policies',
  'webAuthn',
  'attestation',
  'challengeMs',
  'refusalMs',
  'retentionMs',
  'clock',
] as const

/**
 * A desk over a store. Several processes may run one each, over one store and with one secret.
 *
 * @throws {CaptureError} `ERR_CAPTURE_INPUT`, `ERR_CAPTURE_POLICY`; `EmbeddingError` for a model that is refused
 */
export function captureDesk(options: CaptureDeskOptions): CaptureDesk {
  return deskWith(options)
}

/** A desk that tells somebody why it refuses, and the refusal waits for that; with a verification of its host's. */
export function deskWith(options: CaptureDeskOptions, host: DeskHost = NOBODY): CaptureDesk {
  return new Desk({ ...checkOptions(options), ...host })
}

type DeskHost = Pick<DeskParts, 'refused' | 'verifyEd25519'>

const NOBODY: DeskHost = { refused: undefined, verifyEd25519: verifyEd25519Strict }

function checkOptions(options: unknown): Omit<OpenParts, keyof DeskHost> {
  const given = readFields(options, 'options', OPTIONS, rejectInput)
  const realm = checkRealm(given.realm, rejectInput)
  const store = checkObject(given.store, 'store', rejectInput) as unknown as Store
  const devices = checkObject(given.devices, 'devices', rejectInput) as unknown as DeviceTrust
  const { id, dimensions, mean, meanHash } = checkModel(given.model)
  const model = { id, dimensions, metric: 'cosine', ...(mean && { mean }) } as const
  const policies = checkPolicies(given.policies)
  const webAuthn = given.webAuthn === undefined ? undefined : checkWebAuthn(given.webAuthn)
  const attestation =
    given.attestation === undefined
      ? undefined
      : (checkFunction(given.attestation, 'attestation', rejectInput) as unknown as AttestationHook)
  const clock = (given.clock as Clock | undefined) ?? systemClock
  const challengeMs = timeOr(given.challengeMs, 'challengeMs', [1000, MAX_AGE_MS], MAX_AGE_MS)
  const refusalMs = timeOr(given.refusalMs, 'refusalMs', [0, 10_000], 100)
  const retentionMs = timeOr(given.retentionMs, 'retentionMs', [DAY_MS, 3653 * DAY_MS], 30 * DAY_MS)
  const secret = copyBytes(given.secret, 'secret', SECRET_BYTES, rejectInput)
  const keys = captureKeys(secret, realm)
  wipe(secret)
  const transport = new TransportKeys(store, realm, keys.transport, clock)
  const times = { challengeMs, refusalMs, retentionMs }
  return {
    store,
    realm,
    keys,
    model,
    meanHash,
    devices,
    policies,
    webAuthn,
    attestation,
    clock,
    transport,
    ...times,
  }
}

function timeOr(value: unknown, name: string, range: readonly [number, number], otherwise: number): number {
  return value === undefined ? otherwise : checkInteger(value, name, range, rejectInput)
}

interface OpenParts extends DeskParts {
  readonly challengeMs: number
}

class Desk implements CaptureDesk {
  readonly #parts: OpenParts
  #sweptMs: number
  #issued = 0
  #disposed = false
  #running = 0

  constructor(parts: OpenParts) {
    this.#parts = parts
    this.#sweptMs = parts.clock.steady().ms
  }

  challenge(request: ChallengeRequest, options: CallOptions = {}): Promise<CaptureChallenge> {
    return this.#during((parts) => this.#challenge(parts, request, options))
  }

  async #challenge(
    parts: OpenParts,
    request: ChallengeRequest,
    options: CallOptions,
  ): Promise<CaptureChallenge> {
    const { store, realm, keys, clock, transport, policies, challengeMs } = parts
    const given = readFields(request, 'the request', ['device', 'subject', 'search', 'purpose'], rejectInput)
    const scope = checkScope(given)
    const device = checkDevice(given.device)
    if (!policies.has(scope.purpose)) throw rejectPolicy('the purpose has no policy')
    await this.#sweepAtTimes(options)
    const recipient = await transport.current(options)
    const nowMs = clock.nowMs()
    const expiresMs = nowMs + challengeMs
    const place = { store, realm, key: keys.challenge }
    const nonce = await issueChallenge(place, scope, device, [nowMs, expiresMs], options)
    const { purpose } = scope
    return {
      bytes: writeQuestion({ realm, purpose, nonce, recipient }),
      expiresAt: expiresMs as Millis,
    }
  }

  openCapture(sealed: Uint8Array, scope: CaptureScope, options: CallOptions = {}): Promise<AttestedCapture> {
    return this.#during((parts) => this.#openCapture(parts, sealed, scope, options))
  }

  async #openCapture(
    parts: DeskParts,
    sealed: Uint8Array,
    scope: CaptureScope,
    options: CallOptions,
  ): Promise<AttestedCapture> {
    const given = readFields(scope, 'the scope', ['subject', 'search', 'purpose'], rejectInput)
    const wanted = checkScope(given)
    const policy = parts.policies.get(wanted.purpose)
    if (policy === undefined) throw rejectPolicy('the purpose has no policy')
    if (!(sealed instanceof Uint8Array)) throw rejectInput('sealed must be a Uint8Array')
    return openSealed(parts, policy, sealed, wanted, options)
  }

  rotateTransportKey(
    options: CallOptions & { readonly overlapMs?: number } = {},
  ): Promise<{ readonly id: Uint8Array; readonly publicKey: Uint8Array }> {
    return this.#during(({ transport }) => transport.rotate(options.overlapMs, options))
  }

  sweep(options: CallOptions = {}): Promise<void> {
    return this.#during((parts) => this.#sweep(parts, options))
  }

  async #sweep(
    { store, realm, clock, transport, retentionMs }: DeskParts,
    options: CallOptions,
  ): Promise<void> {
    await sweepRows(store, realm, clock.nowMs(), retentionMs, options)
    await transport.sweep(options)
  }

  [Symbol.dispose](): void {
    this.#disposed = true
    if (this.#running === 0) this.#parts.keys.wipe()
  }

  /** Keys stay as long as calls that began with them: zeros would sign and wrap as well. */
  async #during<Result>(task: (parts: OpenParts) => Promise<Result>): Promise<Result> {
    const parts = this.#use()
    this.#running += 1
    try {
      return await task(parts)
    } finally {
      this.#running -= 1
      if (this.#disposed && this.#running === 0) parts.keys.wipe()
    }
  }

  /** More is removed than is issued, so that what has expired does not pile up. */
  async #sweepAtTimes(options: CallOptions): Promise<void> {
    const { ms } = this.#parts.clock.steady()
    this.#issued += 1
    if (ms - this.#sweptMs < SWEEP_EVERY_MS && this.#issued < SWEEP_EVERY_ISSUED) return
    this.#sweptMs = ms
    this.#issued = 0
    await this.#sweep(this.#parts, options)
  }

  #use(): OpenParts {
    if (this.#disposed) throw new CaptureError('ERR_CAPTURE_DISPOSED', 'the desk was disposed of')
    return this.#parts
  }
}

function checkScope(given: {
  readonly subject: unknown
  readonly search: unknown
  readonly purpose: unknown
}): ChallengeScope {
  const { subject, search } = given
  const purpose = checkPurpose(given.purpose, rejectInput)
  if ((search === true) === (subject !== undefined) || (search !== true && search !== undefined))
    throw rejectInput('a capture is of a subject, or for a search')
  return { purpose, subject: subject === undefined ? undefined : checkSubjectText(subject, rejectInput) }
}

function checkDevice(value: unknown): Uint8Array {
  if (typeof value !== 'string') return copyBytes(value, 'device', HASH_BYTES, rejectInput)
  const bytes = fromHex(value)
  if (bytes?.length !== HASH_BYTES) throw rejectInput('a device id has 64 hexadecimal digits')
  return bytes
}
