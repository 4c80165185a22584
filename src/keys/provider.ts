/** Key providers: the port to a KMS or HSM, and calls to it that fail in one way only (SPEC §4.1). @module */

import type { Epoch, Millis, Realm } from '../base/brand.ts'
import { secretBytes, wipe } from '../base/bytes.ts'
import { encodeCbor } from '../base/cbor.ts'
import { checkFunction, checkObject, checkText } from '../base/check.ts'
import type { CallOptions } from '../base/errors.ts'
import { badInput, KeysError } from './errors.ts'

/**
 * Port to a KMS or HSM: two methods that every KMS has, and one that makes erasure final.
 *
 * `context` names one key of the provider: it is authenticated together with the secret, and every context has
 * an independent key, so that destroying one makes exactly that secret unrecoverable (KEYS-1). Implementations
 * keep no reference to `secret`, honour `options.signal`, and may throw anything: a failure becomes a retryable
 * `ERR_KEYS_PROVIDER`, except that a `KeysError` is passed on as it is.
 */
export interface KeyProvider {
  /** 1 to 256 bytes of text; written into the ring, which opens under no other provider. */
  readonly id: string

  /** Wraps 32 bytes. Resolves with 1 to 4096 bytes. */
  wrap(secret: Uint8Array, context: Uint8Array, options?: CallOptions): Promise<Uint8Array>

  /** Resolves with the 32 bytes in a buffer of their own, which the caller wipes. */
  unwrap(wrapped: Uint8Array, context: Uint8Array, options?: CallOptions): Promise<Uint8Array>

  /**
   * Destroys the key of one context for good and resolves with the instant that the provider confirmed, which lies
   * ahead when the provider waits. A second call gives the same instant, or a later one when the provider kept no
   * note of it. A provider without this method can never make an erasure irrecoverable.
   *
   * A keyring has it unwrap something first (KEYS-27): a key that is not there is gone, and not elsewhere.
   */
  destroy?(context: Uint8Array, options?: CallOptions): Promise<{ readonly confirmedAt: Millis }>
}

export const SECRET_BYTES = 32
export const MAX_WRAPPED_BYTES = 4096

/** Tells an answer from none. */
const CUT: unique symbol = Symbol('cut')
const MAX_MILLIS = 8_640_000_000_000_000

/** The context of an epoch key. */
export function epochContext(realm: Realm, epoch: number): Uint8Array {
  return encodeCbor(['guise/v1/epoch', realm, epoch])
}

/** The context of a realm secret. */
export function realmContext(realm: Realm, version: number): Uint8Array {
  return encodeCbor(['guise/v1/realm', realm, version])
}

/** Checks the shape of a provider. */
export function checkProvider(value: unknown): KeyProvider {
  const provider = checkObject(value, 'provider', badInput)
  checkText(provider['id'], 'provider.id', { maxBytes: 256 }, badInput)
  checkFunction(provider['wrap'], 'provider.wrap', badInput)
  checkFunction(provider['unwrap'], 'provider.unwrap', badInput)
  if (provider['destroy'] !== undefined) checkFunction(provider['destroy'], 'provider.destroy', badInput)
  return value as KeyProvider
}

/**
 * A provider behind a guard: every failure is a `KeysError`, an answer of the wrong shape is a failure, and no
 * call outlasts `timeoutMs` or the caller's signal, whatever the provider does with the one it is given.
 */
export class GuardedProvider {
  readonly #provider: KeyProvider
  readonly #timeoutMs: number

  constructor(provider: KeyProvider, timeoutMs: number) {
    this.#provider = provider
    this.#timeoutMs = timeoutMs
  }

  get id(): string {
    return this.#provider.id
  }

  get canDestroy(): boolean {
    return this.#provider.destroy !== undefined
  }

  async wrap(secret: Uint8Array, context: Uint8Array, options: CallOptions = {}): Promise<Uint8Array> {
    const wrapped = await this.#call(options, (passed) => this.#provider.wrap(secret, context, passed))
    if (!(wrapped instanceof Uint8Array) || wrapped.length === 0 || wrapped.length > MAX_WRAPPED_BYTES) {
      throw failure(`the key provider must give 1 to ${MAX_WRAPPED_BYTES} wrapped bytes`)
    }
    return Uint8Array.from(wrapped)
  }

  /** The 32 bytes, off the heap; the caller wipes them. */
  async unwrap(wrapped: Uint8Array, context: Uint8Array, options: CallOptions = {}): Promise<Uint8Array> {
    const given = Uint8Array.from(wrapped)
    const secret = await this.#call(
      options,
      (passed) => this.#provider.unwrap(given, context, passed),
      wipeAny,
    )
    if (!(secret instanceof Uint8Array) || secret.length !== SECRET_BYTES) {
      wipeAny(secret)
      throw failure(`the key provider must give ${SECRET_BYTES} unwrapped bytes`)
    }
    const copy = secretBytes(SECRET_BYTES)
    copy.set(secret)
    wipe(secret)
    return copy
  }

  /** The instant that the provider confirmed; `undefined` when it cannot destroy. */
  async destroy(context: Uint8Array, options: CallOptions = {}): Promise<Millis | undefined> {
    if (!this.canDestroy) return undefined
    const answer: unknown = await this.#call(options, (passed) => this.#provider.destroy?.(context, passed))
    const confirmedAt =
      typeof answer === 'object' && answer !== null && 'confirmedAt' in answer
        ? answer.confirmedAt
        : undefined
    if (typeof confirmedAt !== 'number' || !Number.isInteger(confirmedAt)) throw noInstant()
    if (confirmedAt < 1 || confirmedAt > MAX_MILLIS) throw noInstant()
    return confirmedAt as Millis
  }

  /** @param discard receives an answer that came too late for anyone */
  async #call(
    options: CallOptions,
    task: (passed: CallOptions) => Promise<unknown> | undefined,
    discard?: (late: unknown) => void,
  ): Promise<unknown> {
    const { signal } = options
    signal?.throwIfAborted()
    const controller = new AbortController()
    const answer = start(() => task({ ...options, signal: controller.signal }))
    let cut = (): void => undefined
    const ended = new Promise<typeof CUT>((resolve) => {
      cut = () => resolve(CUT)
    })
    const timer = setTimeout(cut, this.#timeoutMs)
    signal?.addEventListener('abort', cut, { once: true })
    try {
      const first = await Promise.race([answer, ended])
      if (first !== CUT) return first
      // Nobody awaits the answer any more: its failure is nobody's, its secret is wiped.
      void answer.then(discard, () => undefined)
      controller.abort(signal?.reason)
      signal?.throwIfAborted()
      throw failure('the key provider gave no answer in time')
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', cut)
    }
  }
}

/** Brands a plain number that the ring has vouched for. */
export function asEpoch(epoch: number): Epoch {
  return epoch as Epoch
}

/** Runs a call of the provider; even what it throws before its first await is a failure. */
async function start(task: () => Promise<unknown> | undefined): Promise<unknown> {
  try {
    return await task()
  } catch (cause) {
    if (cause instanceof KeysError) throw cause
    throw failure('the key provider failed', cause)
  }
}

function failure(message: string, cause?: unknown): KeysError {
  return new KeysError('ERR_KEYS_PROVIDER', message, { cause })
}

function noInstant(): KeysError {
  return failure('the key provider must confirm a destruction with its instant')
}

function wipeAny(value: unknown): void {
  if (value instanceof Uint8Array) wipe(value)
}
