/** The vault: the verbs of a template's whole life behind one door (SPEC §11). @module */

import type { Realm, RecordId } from '../base/brand.ts'
import type { CallOptions } from '../base/errors.ts'
import { runMany } from './bulk.ts'
import { checkCall } from './calls.ts'
import type { VaultContext } from './context.ts'
import { describe, health } from './describe.ts'
import { addDevice, removeDevice } from './devices.ts'
import { enroll } from './enroll.ts'
import { erase, renewReceipt } from './erase.ts'
import { VaultError } from './errors.ts'
import { changeState, rebind } from './lifecycle.ts'
import { reissue } from './reissue.ts'
import { revoke } from './revoke.ts'
import { checkRotate, rotate } from './rotate.ts'
import { disposeReachable } from './sample.ts'
import type {
  AddDeviceRequest,
  BulkResult,
  Enrolled,
  EnrollRequest,
  ErasureReceipt,
  ReissueRequest,
  RemoveDeviceRequest,
  RevocationReason,
  RotateOptions,
  SubjectDescription,
  VaultHealth,
  VerifyDecision,
  VerifyRequest,
} from './types.ts'
import { verify } from './verify.ts'

/**
 * Templates of one realm, model and purpose. Every verb is durable when it resolves. Verbs that take samples dispose of
 * their embeddings, also when they fail; a call that is not let in (closed, overloaded, aborted before) does nothing at
 * all. `revoke`, `suspend`, `hold` and `health` are let in however many calls are under way. Expected outcomes are values;
 * everything else is a `GuiseError` with a stable code, or the reason of an aborted `signal`. A write that is retried with
 * the same `operationId` is not done twice.
 */
export interface Vault extends AsyncDisposable {
  readonly realm: Realm
  /** False without an anchor: then nothing outside the store notices that the whole store was put back to an earlier time. */
  readonly rollbackProtection: boolean
  /** Makes the first template of a subject. `ERR_VAULT_ENROLLED` when it has a record. */
  enroll(request: EnrollRequest, options?: CallOptions): Promise<Enrolled>
  /** Enrols many, at most 64 at a time; one result for each, as they come. */
  enrollMany(
    requests: Iterable<EnrollRequest> | AsyncIterable<EnrollRequest>,
    options?: CallOptions,
  ): AsyncIterable<BulkResult<Enrolled>>
  /**
   * Compares a probe with the subject's template. The attempt is durable before the answer. Never a score. A device that
   * gives no share, or a wrong one, is refused as an unknown subject is.
   */
  verify(request: VerifyRequest, options?: CallOptions): Promise<VerifyDecision>
  /** Lets a pending record match. */
  activate(subject: string, options?: CallOptions): Promise<void>
  /** Stops matching until `resume`. */
  suspend(subject: string, options?: CallOptions): Promise<void>
  resume(subject: string, options?: CallOptions): Promise<void>
  /** A legal hold: blocks matching, and erasure too. `release` leaves the record suspended. */
  hold(subject: string, options?: CallOptions): Promise<void>
  release(subject: string, options?: CallOptions): Promise<void>
  /** Ends a lock-out once the caller has bound the person again by other means. */
  rebind(subject: string, options?: CallOptions): Promise<void>
  /**
   * Deletes code and wraps; a tombstone stays. Copies in free pages and backups end with the epoch. `breach` marks the
   * subject as exposed, and does just that for a record that is revoked already, or held.
   */
  revoke(subject: string, reason: RevocationReason, options?: CallOptions): Promise<void>
  /** A new secret and template from a fresh sample; the former generation cannot match any more. */
  reissue(request: ReissueRequest, options?: CallOptions): Promise<Enrolled>
  /** Re-wraps every record secret under the primary epoch: no face, no person. Resumable; one result a wrap. */
  rotate(options?: RotateOptions): AsyncIterable<BulkResult<RecordId>>
  /** Deletes everything of a subject and gives a signed receipt. */
  erase(subject: string, options?: CallOptions): Promise<ErasureReceipt>
  /** The receipt as of now. `ERR_RECORD_MAC` when it was altered. */
  renewReceipt(receipt: ErasureReceipt, options?: CallOptions): Promise<ErasureReceipt>
  /** Under custody `holder`: gives another device a share. Resolves with the device's identifier. */
  addDevice(request: AddDeviceRequest, options?: CallOptions): Promise<string>
  removeDevice(request: RemoveDeviceRequest, options?: CallOptions): Promise<void>
  /** State, generation, custody, basis: never biometrics. `undefined` for an unknown subject. */
  describe(subject: string, options?: CallOptions): Promise<SubjectDescription | undefined>
  health(options?: CallOptions): Promise<VaultHealth>
  /** Waits for the calls under way. Closes neither the stores nor the keyring. */
  close(): Promise<void>
}

const BULK_WIDTH = 64

/** The one implementation; `openVault` makes it. */
export class OpenVault implements Vault {
  readonly rollbackProtection: boolean
  readonly #ctx: VaultContext
  readonly #running: Set<Promise<unknown>> = new Set()
  #closed = false

  constructor(ctx: VaultContext) {
    this.#ctx = ctx
    this.rollbackProtection = ctx.ledger.anchors
  }

  get realm(): Realm {
    return this.#ctx.realm
  }

  enroll(request: EnrollRequest, options?: CallOptions): Promise<Enrolled> {
    return this.#runSampled(request, options, (ctx, call) => enroll(ctx, request, call))
  }

  enrollMany(
    requests: Iterable<EnrollRequest> | AsyncIterable<EnrollRequest>,
    options?: CallOptions,
  ): AsyncIterable<BulkResult<Enrolled>> {
    const width = Math.min(BULK_WIDTH, this.#ctx.settings.maxInFlight)
    return runMany(requests, (request) => this.enroll(request, options), width, options)
  }

  verify(request: VerifyRequest, options?: CallOptions): Promise<VerifyDecision> {
    return this.#runSampled(request, options, (ctx, call) => verify(ctx, request, call))
  }

  activate(subject: string, options?: CallOptions): Promise<void> {
    return this.#run(options, (ctx, call) => changeState(ctx, 'activate', subject, call))
  }

  suspend(subject: string, options?: CallOptions): Promise<void> {
    return this.#run(options, (ctx, call) => changeState(ctx, 'suspend', subject, call), 'urgent')
  }

  resume(subject: string, options?: CallOptions): Promise<void> {
    return this.#run(options, (ctx, call) => changeState(ctx, 'resume', subject, call))
  }

  hold(subject: string, options?: CallOptions): Promise<void> {
    return this.#run(options, (ctx, call) => changeState(ctx, 'hold', subject, call), 'urgent')
  }

  release(subject: string, options?: CallOptions): Promise<void> {
    return this.#run(options, (ctx, call) => changeState(ctx, 'release', subject, call))
  }

  rebind(subject: string, options?: CallOptions): Promise<void> {
    return this.#run(options, (ctx, call) => rebind(ctx, subject, call))
  }

  revoke(subject: string, reason: RevocationReason, options?: CallOptions): Promise<void> {
    return this.#run(options, (ctx, call) => revoke(ctx, subject, reason, call), 'urgent')
  }

  reissue(request: ReissueRequest, options?: CallOptions): Promise<Enrolled> {
    return this.#runSampled(request, options, (ctx, call) => reissue(ctx, request, call))
  }

  async *rotate(options?: RotateOptions): AsyncGenerator<BulkResult<RecordId>> {
    const call = checkRotate(options)
    this.#check()
    const results = rotate(this.#ctx.within(call), call)
    try {
      for (;;) {
        if (this.#closed) throw closed()
        // Only a step is under way, not the time that the consumer takes between two.
        const step = await this.#admit(results.next())
        if (step.done === true) return
        yield step.value
      }
    } finally {
      await results.return(undefined)
    }
  }

  erase(subject: string, options?: CallOptions): Promise<ErasureReceipt> {
    return this.#run(options, (ctx, call) => erase(ctx, subject, call))
  }

  renewReceipt(receipt: ErasureReceipt, options?: CallOptions): Promise<ErasureReceipt> {
    return this.#run(options, (ctx) => renewReceipt(ctx, receipt))
  }

  addDevice(request: AddDeviceRequest, options?: CallOptions): Promise<string> {
    return this.#run(options, (ctx, call) => addDevice(ctx, request, call))
  }

  removeDevice(request: RemoveDeviceRequest, options?: CallOptions): Promise<void> {
    return this.#run(options, (ctx, call) => removeDevice(ctx, request, call))
  }

  describe(subject: string, options?: CallOptions): Promise<SubjectDescription | undefined> {
    return this.#run(options, (ctx) => describe(ctx, subject))
  }

  health(options?: CallOptions): Promise<VaultHealth> {
    return this.#run(options, (ctx) => health(ctx, this.#running.size), 'urgent')
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await Promise.allSettled(this.#running)
    await this.#ctx.realmLimit.flush()
    await this.#ctx.ledger.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  toString(): string {
    return '[Vault]'
  }

  /** Runs a call that takes samples: bad options are no reason to leave them behind. */
  async #runSampled<Result>(
    request: unknown,
    options: CallOptions | undefined,
    task: (ctx: VaultContext, call: CallOptions) => Promise<Result>,
  ): Promise<Result> {
    let call: CallOptions
    try {
      call = checkCall(options)
    } catch (error) {
      disposeReachable(request)
      throw error
    }
    return await this.#run(call, task)
  }

  /** Runs a call if its options are sound and the vault is open and, unless the call is urgent, not overloaded. */
  async #run<Result>(
    options: CallOptions | undefined,
    task: (ctx: VaultContext, call: CallOptions) => Promise<Result>,
    urgency?: 'urgent',
  ): Promise<Result> {
    const call = checkCall(options)
    this.#check(urgency)
    call.signal?.throwIfAborted()
    const { signal, actor } = call
    const served = {
      ...(signal === undefined ? {} : { signal }),
      ...(actor === undefined ? {} : { actor }),
      ...(urgency === undefined ? {} : { urgent: true }),
    }
    return await this.#admit(task(this.#ctx.within(served), call))
  }

  /** Calls that wait, for a device perhaps, must not keep anyone from ending what they wait for. */
  #check(urgency?: 'urgent'): void {
    if (this.#closed) throw closed()
    if (urgency === undefined && this.#running.size >= this.#ctx.settings.maxInFlight) {
      throw new VaultError('ERR_VAULT_OVERLOADED', 'too many calls are under way', { retryable: true })
    }
  }

  /** Counts a call as under way until it ends. */
  #admit<Result>(call: Promise<Result>): Promise<Result> {
    this.#running.add(call)
    return call.finally(() => this.#running.delete(call))
  }
}

function closed(): VaultError {
  return new VaultError('ERR_VAULT_CLOSED', 'the vault is closed')
}
