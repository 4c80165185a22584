/** AWS KMS as key provider, through the caller's client: a KMS key for each context (SPEC §4.9). @module */

import type { Millis } from '../base/brand.ts'
import { concatBytes, secretBytes, toBase64Url, toHex, wipe } from '../base/bytes.ts'
import { checkBytes, checkFunction, checkInteger, checkObject, checkText } from '../base/check.ts'
import { systemClock } from '../base/clock.ts'
import type { CallOptions } from '../base/errors.ts'
import { sha256 } from '../crypto/hash.ts'
import { unlessAborted } from './abortable.ts'
import { awsFailure, disabledKey, isAwsError } from './aws-kms-errors.ts'
import { badInput, KeysError, noKey } from './errors.ts'
import type { KeyProvider } from './provider.ts'

/** What a call of the client is given besides its input. */
export interface AwsCallOptions {
  readonly abortSignal?: AbortSignal
}

/** What is known of a KMS key. */
export interface AwsKeyMetadata {
  readonly KeyId?: string | undefined
  readonly KeyState?: string | undefined
  readonly DeletionDate?: Date | undefined
}

/** The calls of AWS KMS that are used. `new KMS(…)` of the package `@aws-sdk/client-kms` has this shape. */
export interface AwsKmsClient {
  createKey(
    input: {
      Description: string
      KeyUsage: 'ENCRYPT_DECRYPT'
      KeySpec: 'SYMMETRIC_DEFAULT'
      Tags: { TagKey: string; TagValue: string }[]
    },
    options?: AwsCallOptions,
  ): Promise<{ readonly KeyMetadata?: AwsKeyMetadata | undefined }>
  createAlias(input: { AliasName: string; TargetKeyId: string }, options?: AwsCallOptions): Promise<unknown>
  describeKey(
    input: { KeyId: string },
    options?: AwsCallOptions,
  ): Promise<{ readonly KeyMetadata?: AwsKeyMetadata | undefined }>
  encrypt(
    input: { KeyId: string; Plaintext: Uint8Array; EncryptionContext: Record<string, string> },
    options?: AwsCallOptions,
  ): Promise<{ readonly CiphertextBlob?: Uint8Array | undefined }>
  decrypt(
    input: { KeyId: string; CiphertextBlob: Uint8Array; EncryptionContext: Record<string, string> },
    options?: AwsCallOptions,
  ): Promise<{ readonly Plaintext?: Uint8Array | undefined }>
  scheduleKeyDeletion(
    input: { KeyId: string; PendingWindowInDays: number },
    options?: AwsCallOptions,
  ): Promise<{ readonly DeletionDate?: Date | undefined }>
}

/** Which account and region, and how long a destroyed key waits there. */
export interface AwsKmsKeyOptions {
  /** The caller's client: it knows region, credentials, time limits, and how often to try again. */
  readonly client: AwsKmsClient
  /** Written into the ring; names account and region, as `aws-kms:eu-central-1:111122223333`. */
  readonly id: string
  /** Aliases begin with `alias/<prefix>/`: 1 to 64 letters, digits, `_` and `-`; by default `guise`. */
  readonly prefix?: string
  /** Days from `destroy` to the end of the key, 7 to 30: by default 7. */
  readonly waitingDays?: number
}

/** A provider that can destroy. */
export interface AwsKmsKeyProvider extends Required<KeyProvider> {
  /** `[AwsKmsKeyProvider]`. */
  toString(): string
}

const CONTEXT_BYTES = [1, 1024] as const
const SECRET_BYTES = 32
const MAX_WRAPPED_BYTES = 4096
const PREFIX = /^(?!aws)[A-Za-z0-9_-]+$/
const CONTEXT_NAME = 'guise:context'

/**
 * A key provider in AWS KMS. Every context has a KMS key of its own, which an alias names by a hash of the context; the
 * context is the encryption context as well, and so stands in CloudTrail: it holds a realm and a number, and no person.
 *
 * `destroy` schedules the deletion and resolves with the instant at which AWS lets it take effect, days ahead. Until
 * then the key opens nothing, and whoever may cancel the deletion can bring it back.
 *
 * @example
 * ```ts
 * const provider = awsKmsKeyProvider({ client: new KMS({ region: 'eu-central-1' }), id: 'aws-kms:eu-central-1:111122223333' })
 * ```
 */
export function awsKmsKeyProvider(options: AwsKmsKeyOptions): AwsKmsKeyProvider {
  checkObject(options, 'options', badInput)
  const client = checkObject(options.client, 'client', badInput)
  for (const call of CALLS) checkFunction(client[call], `client.${call}`, badInput)
  const id = checkText(options.id, 'id', { maxBytes: 256 }, badInput)
  const prefix = checkText(options.prefix ?? 'guise', 'prefix', { maxBytes: 64, pattern: PREFIX }, badInput)
  const waitingDays = checkInteger(options.waitingDays ?? 7, 'waitingDays', [7, 30], badInput)
  return new AwsKmsProvider(options.client, { id, prefix, waitingDays })
}

const CALLS = [
  'createKey',
  'createAlias',
  'describeKey',
  'encrypt',
  'decrypt',
  'scheduleKeyDeletion',
] as const

/** The fields of one request. */
interface Named {
  readonly alias: string
  readonly EncryptionContext: Record<string, string>
}

class AwsKmsProvider implements AwsKmsKeyProvider {
  readonly id: string
  readonly #client: AwsKmsClient
  readonly #prefix: string
  readonly #waitingDays: number
  /** Keys that were made here: an alias is known everywhere only after a while. Names, no secrets. */
  readonly #made = new Map<string, string>()

  constructor(client: AwsKmsClient, options: { id: string; prefix: string; waitingDays: number }) {
    this.id = options.id
    this.#client = client
    this.#prefix = options.prefix
    this.#waitingDays = options.waitingDays
  }

  async wrap(secret: Uint8Array, context: Uint8Array, options: CallOptions = {}): Promise<Uint8Array> {
    checkBytes(secret, 'secret', SECRET_BYTES, badInput)
    const named = this.#name(context)
    // The caller may wipe its own while the client is still at work.
    const copy = concatBytes(secret)
    const work = async (call: AwsCallOptions): Promise<Uint8Array> => {
      const { EncryptionContext } = named
      const seal = (KeyId: string): ReturnType<AwsKmsClient['encrypt']> =>
        this.#client.encrypt({ KeyId, Plaintext: copy, EncryptionContext }, call)
      const { CiphertextBlob } = await this.#with(named, call, seal, true)
      return checkAnswer(CiphertextBlob, [1, MAX_WRAPPED_BYTES])
    }
    return await run(work, options.signal).finally(() => wipe(copy))
  }

  async unwrap(wrapped: Uint8Array, context: Uint8Array, options: CallOptions = {}): Promise<Uint8Array> {
    const CiphertextBlob = concatBytes(checkBytes(wrapped, 'wrapped', [1, MAX_WRAPPED_BYTES], badInput))
    const named = this.#name(context)
    const work = async (call: AwsCallOptions): Promise<Uint8Array> => {
      const { EncryptionContext } = named
      // The key is named: a ciphertext under a key of somebody else does not open.
      const open = (KeyId: string): ReturnType<AwsKmsClient['decrypt']> =>
        this.#client.decrypt({ KeyId, CiphertextBlob, EncryptionContext }, call)
      const { Plaintext } = await this.#with(named, call, open, false)
      const secret = secretBytes(SECRET_BYTES)
      secret.set(checkAnswer(Plaintext, [SECRET_BYTES, SECRET_BYTES]))
      wipe(Plaintext)
      return secret
    }
    return await run(work, options.signal, wipe)
  }

  async destroy(context: Uint8Array, options: CallOptions = {}): Promise<{ readonly confirmedAt: Millis }> {
    const { alias } = this.#name(context)
    const work = async (call: AwsCallOptions): Promise<{ readonly confirmedAt: Millis }> => {
      const known = await this.#describe(this.#made.get(alias) ?? alias, call)
      // Keys end together with their aliases: this one was destroyed before, nobody says when.
      if (known === undefined) return { confirmedAt: systemClock.nowMs() as Millis }
      if (known.KeyState === 'PendingDeletion') return confirmed(known.DeletionDate)
      const schedule = { KeyId: known.KeyId ?? '', PendingWindowInDays: this.#waitingDays }
      try {
        return confirmed((await this.#client.scheduleKeyDeletion(schedule, call)).DeletionDate)
      } catch (error) {
        if (!isAwsError(error, 'KMSInvalidStateException')) throw error
        // Another process was first: its instant counts.
        return confirmed((await this.#describe(schedule.KeyId, call))?.DeletionDate)
      }
    }
    return await run(work, options.signal)
  }

  toString(): string {
    return '[AwsKmsKeyProvider]'
  }

  #name(context: Uint8Array): Named {
    checkBytes(context, 'context', CONTEXT_BYTES, badInput)
    return {
      alias: `alias/${this.#prefix}/${toHex(sha256(context))}`,
      EncryptionContext: { [CONTEXT_NAME]: toBase64Url(context) },
    }
  }

  /** Runs a call under the key of a context. What the state of a key means is told by the key itself. */
  async #with<Answer>(
    { alias }: Named,
    call: AwsCallOptions,
    task: (keyId: string) => Promise<Answer>,
    create: boolean,
  ): Promise<Answer> {
    const keyId = this.#made.get(alias) ?? alias
    try {
      return await task(keyId)
    } catch (error) {
      if (isAwsError(error, 'KMSInvalidStateException'))
        throw stateFailure(await this.#describe(keyId, call), error)
      if (!isAwsError(error, 'NotFoundException')) throw error
      if (!create) throw noKey(error)
    }
    return await task(await this.#create(alias, call))
  }

  async #describe(keyId: string, call: AwsCallOptions): Promise<AwsKeyMetadata | undefined> {
    try {
      return (await this.#client.describeKey({ KeyId: keyId }, call)).KeyMetadata
    } catch (error) {
      if (isAwsError(error, 'NotFoundException')) return undefined
      throw error
    }
  }

  /** The key that the alias names from now on: this one, or that of a process that was first. */
  async #create(alias: string, call: AwsCallOptions): Promise<string> {
    const made = await this.#client.createKey(
      {
        Description: `guise ${alias}`,
        KeyUsage: 'ENCRYPT_DECRYPT',
        KeySpec: 'SYMMETRIC_DEFAULT',
        Tags: [{ TagKey: 'guise', TagValue: alias }],
      },
      call,
    )
    const keyId = made.KeyMetadata?.KeyId
    if (keyId === undefined) throw new KeysError('ERR_KEYS_PROVIDER', 'AWS KMS named no key')
    try {
      await this.#client.createAlias({ AliasName: alias, TargetKeyId: keyId }, call)
    } catch (error) {
      const named = await this.#describe(alias, call).catch(() => undefined)
      // The alias was made and the answer lost: what it names is not deleted.
      if (named?.KeyId === keyId) {
        this.#made.set(alias, keyId)
        return keyId
      }
      // A key that no alias names would cost money for ever. Whether this works or not, the first failure counts.
      await this.#client.scheduleKeyDeletion({ KeyId: keyId, PendingWindowInDays: 7 }).catch(() => undefined)
      if (!isAwsError(error, 'AlreadyExistsException')) throw error
      return alias
    }
    this.#made.set(alias, keyId)
    return keyId
  }
}

/** What the client throws becomes a `KeysError`; the client is told of the signal, and left if it does not listen. */
async function run<Result>(
  task: (call: AwsCallOptions) => Promise<Result>,
  signal: AbortSignal | undefined,
  discard: (late: Result) => void = () => undefined,
): Promise<Result> {
  signal?.throwIfAborted()
  const call = signal === undefined ? {} : { abortSignal: signal }
  const work = task(call).catch((error: unknown) => {
    throw awsFailure(error)
  })
  return await unlessAborted(work, signal, discard)
}

function checkAnswer(bytes: Uint8Array | undefined, [min, max]: readonly [number, number]): Uint8Array {
  if (bytes instanceof Uint8Array && bytes.length >= min && bytes.length <= max) return bytes
  throw new KeysError('ERR_KEYS_PROVIDER', 'AWS KMS gave bytes of the wrong length')
}

function confirmed(date: Date | undefined): { readonly confirmedAt: Millis } {
  if (date === undefined)
    throw new KeysError('ERR_KEYS_PROVIDER', 'AWS KMS named no instant for the deletion')
  return { confirmedAt: date.getTime() as Millis }
}

function stateFailure(known: AwsKeyMetadata | undefined, cause: unknown): KeysError {
  if (known === undefined || known.KeyState === 'PendingDeletion') return noKey(cause)
  if (known.KeyState === 'Disabled') return disabledKey(cause)
  return new KeysError('ERR_KEYS_PROVIDER', 'AWS KMS cannot use the key at the moment', { cause })
}
