/** The vault: the verbs of a template's whole life behind one door (SPEC §11). @module */

import type { Realm, RecordId } from '../base/brand.ts'
import type { CallOptions } from '../base/errors.ts'
import type { Basis } from '../policy/basis.ts'
import { adapt } from './adapt.ts'
import { addReference, removeReference } from './add-reference.ts'
import { renewBasis, withdraw } from './basis.ts'
import { runMany } from './bulk.ts'
import { checkCall } from './calls.ts'
import type { VaultContext } from './context.ts'
import { describe, health } from './describe.ts'
import { addDevice, removeDevice } from './devices.ts'
import { enroll } from './enroll.ts'
import { erase, renewReceipt } from './erase.ts'
import { overloaded, rejectInput, VaultError } from './errors.ts'
import { identify } from './identify.ts'
import { changeState, rebind } from './lifecycle.ts'
import { checkLoad, loadGallery } from './load-gallery.ts'
import { sideOf } from './probes.ts'
import { reissue } from './reissue.ts'
import { revoke } from './revoke.ts'
import { checkRotate, rotate } from './rotate.ts'
import { disposeReachable } from './sample.ts'
import type { Verb } from './telemetry.ts'
import type {
  AdaptDecision,
  AdaptRequest,
  AddDeviceRequest,
  AddReferenceDecision,
  AddReferenceRequest,
  BulkResult,
  Enrolled,
  EnrollRequest,
  ErasureReceipt,
  IdentifyDecision,
  IdentifyRequest,
  LoadedGallery,
  LoadGalleryOptions,
  ReissueRequest,
  RemoveDeviceRequest,
  RemoveReferenceRequest,
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
 * all. `revoke`, `withdraw`, `suspend`, `hold` and `health` are let in however many calls are under way. Expected outcomes are values;
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
  /**
   * Compares as `verify` does, and when the probe is accepted at the stricter adaptation point too, makes the next generation of the template
   * from it (ISO/IEC 2382-37: reference adaptation), or with `also` moves the subject to the next model. Needs a second factor.
   */
  adapt(request: AdaptRequest, options?: CallOptions): Promise<AdaptDecision>
  /**
   * Compares the sample as `verify` does, and when it is accepted at the stricter adaptation point of its class too, keeps it as the reference of
   * that class: probes of the class are compared with it from then on, and with no other. Needs a second factor. `ERR_VAULT_REFERENCE` when
   * the class has one, or when the bits of all would exceed the dimensions.
   */
  addReference(request: AddReferenceRequest, options?: CallOptions): Promise<AddReferenceDecision>
  /** Deletes the reference of a class. Probes of the class are compared with the primary one again. */
  removeReference(request: RemoveReferenceRequest, options?: CallOptions): Promise<void>
  /**
   * Searches the realm's gallery: ranked candidates, each confirmed under its own key, never a score. Lower assurance than `verify`:
   * this process holds the code of every member. The first search loads the index.
   */
  identify(request: IdentifyRequest, options?: CallOptions): Promise<IdentifyDecision>
  /** Loads the gallery's index, or brings it up to date, so that no search has to wait for that. */
  loadGallery(options?: LoadGalleryOptions): Promise<LoadedGallery>
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
  /**
   * The person withdraws: the template stops matching at once as after `revoke`, and is the first that `purge` erases. A record under a
   * legal hold is kept, its basis ends now.
   */
  withdraw(subject: string, options?: CallOptions): Promise<void>
  /** Puts another legal basis in the place of the present one; no face is needed. Not of a revoked record: that is reissued. */
  renewBasis(subject: string, basis: Basis, options?: CallOptions): Promise<void>
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
/** Let in however many calls are under way. */
const URGENT: ReadonlySet<Verb> = new Set(['suspend', 'hold', 'revoke', 'withdraw', 'health'])

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

  static contextOf(vault: unknown): VaultContext {
    if (typeof vault !== 'object' || vault === null || !(#ctx in vault))
      throw rejectInput('vault must come from openVault')
    if (vault.#closed) throw closed()
    return vault.#ctx
  }

  get realm(): Realm {
    return this.#ctx.realm
  }

  enroll(request: EnrollRequest, options?: CallOptions): Promise<Enrolled> {
    return this.#run('enroll', options, (ctx, call) => enroll(sideOf(ctx, request), request, call), request)
  }

  enrollMany(
    requests: Iterable<EnrollRequest> | AsyncIterable<EnrollRequest>,
    options?: CallOptions,
  ): AsyncIterable<BulkResult<Enrolled>> {
    const width = Math.min(BULK_WIDTH, this.#ctx.settings.maxInFlight)
    return runMany(requests, (request) => this.enroll(request, options), width, options)
  }

  verify(request: VerifyRequest, options?: CallOptions): Promise<VerifyDecision> {
    return this.#run('verify', options, (ctx, call) => verify(ctx, request, call), request)
  }

  adapt(request: AdaptRequest, options?: CallOptions): Promise<AdaptDecision> {
    return this.#run('adapt', options, (ctx, call) => adapt(ctx, request, call), request)
  }

  addReference(request: AddReferenceRequest, options?: CallOptions): Promise<AddReferenceDecision> {
    return this.#run('addReference', options, (ctx, call) => addReference(ctx, request, call), request)
  }

  removeReference(request: RemoveReferenceRequest, options?: CallOptions): Promise<void> {
    return this.#run('removeReference', options, (ctx, call) => removeReference(ctx, request, call))
  }

  identify(request: IdentifyRequest, options?: CallOptions): Promise<IdentifyDecision> {
    return this.#run('identify', options, (ctx) => identify(ctx, request), request)
  }

  loadGallery(options?: LoadGalleryOptions): Promise<LoadedGallery> {
    return this.#run('loadGallery', options, (ctx) => loadGallery(ctx, checkLoad(options)))
  }

  activate(subject: string, options?: CallOptions): Promise<void> {
    return this.#run('activate', options, (ctx, call) => changeState(ctx, 'activate', subject, call))
  }

  suspend(subject: string, options?: CallOptions): Promise<void> {
    return this.#run('suspend', options, (ctx, call) => changeState(ctx, 'suspend', subject, call))
  }

  resume(subject: string, options?: CallOptions): Promise<void> {
    return this.#run('resume', options, (ctx, call) => changeState(ctx, 'resume', subject, call))
  }

  hold(subject: string, options?: CallOptions): Promise<void> {
    return this.#run('hold', options, (ctx, call) => changeState(ctx, 'hold', subject, call))
  }

  release(subject: string, options?: CallOptions): Promise<void> {
    return this.#run('release', options, (ctx, call) => changeState(ctx, 'release', subject, call))
  }

  rebind(subject: string, options?: CallOptions): Promise<void> {
    return this.#run('rebind', options, (ctx, call) => rebind(ctx, subject, call))
  }

  revoke(subject: string, reason: RevocationReason, options?: CallOptions): Promise<void> {
    return this.#run('revoke', options, (ctx, call) => revoke(ctx, subject, reason, call))
  }

  withdraw(subject: string, options?: CallOptions): Promise<void> {
    return this.#run('withdraw', options, (ctx, call) => withdraw(ctx, subject, call))
  }

  renewBasis(subject: string, basis: Basis, options?: CallOptions): Promise<void> {
    return this.#run('renewBasis', options, (ctx, call) => renewBasis(ctx, subject, basis, call))
  }

  reissue(request: ReissueRequest, options?: CallOptions): Promise<Enrolled> {
    return this.#run('reissue', options, (ctx, call) => reissue(sideOf(ctx, request), request, call), request)
  }

  async *rotate(options?: RotateOptions): AsyncGenerator<BulkResult<RecordId>> {
    const end = this.#ctx.settings.meter?.begin('rotate')
    let call: RotateOptions | undefined
    let fault: { readonly error: unknown } | undefined
    try {
      call = checkRotate(options)
      this.#check('rotate')
      yield* this.#steps(rotate(this.#ctx.within(call), call))
    } catch (error) {
      fault = { error }
      throw error
    } finally {
      // Also when the consumer stops early.
      end?.(fault?.error, fault !== undefined, call?.signal)
    }
  }

  /** Only a step is under way, not the time that the consumer takes between two. */
  async *#steps<Item>(results: AsyncGenerator<Item>): AsyncGenerator<Item> {
    try {
      for (;;) {
        if (this.#closed) throw closed()
        const step = await this.#admit(results.next())
        if (step.done === true) return
        yield step.value
      }
    } finally {
      await results.return(undefined)
    }
  }

  erase(subject: string, options?: CallOptions): Promise<ErasureReceipt> {
    return this.#run('erase', options, (ctx, call) => erase(ctx, subject, call))
  }

  renewReceipt(receipt: ErasureReceipt, options?: CallOptions): Promise<ErasureReceipt> {
    return this.#run('renewReceipt', options, (ctx) => renewReceipt(ctx, receipt))
  }

  addDevice(request: AddDeviceRequest, options?: CallOptions): Promise<string> {
    return this.#run('addDevice', options, (ctx, call) => addDevice(ctx, request, call))
  }

  removeDevice(request: RemoveDeviceRequest, options?: CallOptions): Promise<void> {
    return this.#run('removeDevice', options, (ctx, call) => removeDevice(ctx, request, call))
  }

  describe(subject: string, options?: CallOptions): Promise<SubjectDescription | undefined> {
    return this.#run('describe', options, (ctx) => describe(ctx, subject))
  }

  health(options?: CallOptions): Promise<VaultHealth> {
    return this.#run('health', options, (ctx) => health(ctx, this.#running.size))
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await Promise.allSettled(this.#running)
    await this.#ctx.gallery?.dispose()
    await this.#ctx.realmLimit.flush()
    await this.#ctx.ledger.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  toString(): string {
    return '[Vault]'
  }

  /**
   * Runs a call if its options are sound and the vault is open and, unless the verb is urgent, not overloaded. Bad options
   * are no reason to leave the samples of a request behind.
   */
  async #run<Result>(
    verb: Verb,
    options: CallOptions | undefined,
    task: (ctx: VaultContext, call: CallOptions) => Promise<Result>,
    request?: unknown,
  ): Promise<Result> {
    const end = this.#ctx.settings.meter?.begin(verb)
    let call: CallOptions | undefined
    try {
      call = checkCall(options)
      this.#check(verb)
      call.signal?.throwIfAborted()
      const { signal, actor } = call
      const served = {
        ...(signal === undefined ? {} : { signal }),
        ...(actor === undefined ? {} : { actor }),
        ...(URGENT.has(verb) ? { urgent: true } : {}),
      }
      const result = await this.#admit(task(this.#ctx.within(served), call))
      end?.(result)
      return result
    } catch (error) {
      if (call === undefined) disposeReachable(request)
      end?.(error, true, call?.signal)
      throw error
    }
  }

  /** Calls that wait, for a device perhaps, must not keep anyone from ending what they wait for. */
  #check(verb: Verb): void {
    if (this.#closed) throw closed()
    if (!URGENT.has(verb) && this.#running.size >= this.#ctx.settings.maxInFlight) {
      throw overloaded()
    }
  }

  /** Counts a call as under way until it ends. */
  #admit<Result>(call: Promise<Result>): Promise<Result> {
    const { meter } = this.#ctx.settings
    this.#running.add(call)
    meter?.inFlight(1)
    return call.finally(() => {
      this.#running.delete(call)
      meter?.inFlight(-1)
    })
  }
}

/** What a vault of `openVault` works with. Throws `ERR_VAULT_INPUT` for anything else, `ERR_VAULT_CLOSED`. */
export function contextOf(vault: unknown): VaultContext {
  return OpenVault.contextOf(vault)
}

function closed(): VaultError {
  return new VaultError('ERR_VAULT_CLOSED', 'the vault is closed')
}
