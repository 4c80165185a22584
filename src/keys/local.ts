/** A directory as key provider, one random key a context, for development and small deployments (SPEC §4.6). @module */
/// <reference types="node" />

import type { Millis } from '../base/brand.ts'
import { utf8, wipe } from '../base/bytes.ts'
import { checkBytes, checkInteger, checkObject, checkText } from '../base/check.ts'
import { systemClock } from '../base/clock.ts'
import type { CallOptions } from '../base/errors.ts'
import { Secret } from '../base/secret.ts'
import type { ArgonCost } from '../crypto/argon.ts'
import {
  committingOpen,
  committingOpenPrepared,
  committingSeal,
  committingSealPrepared,
} from '../crypto/committing.ts'
import { randomBytes } from '../crypto/random.ts'
import { cryptoReady } from '../crypto/sodium.ts'
import { badInput, badRing, KeysError } from './errors.ts'
import { contextName, KeyDirectory } from './local-directory.ts'
import { openRoot } from './local-root.ts'
import type { KeyProvider } from './provider.ts'
import { packSealed, unpackSealed } from './sealed.ts'

/** Where the directory is and what seals it: a passphrase, or 32 random bytes. Secrets are copied. */
export type LocalKeyOptions = {
  /** Made when it is missing, readable by its owner only. */
  readonly path: string
} & (
  | {
      /** A text, or its UTF-8 bytes, which the caller can wipe: 1 to 1024 bytes. */
      readonly passphrase: string | Uint8Array
      /** Cost of one guess for a directory that is made now; an existing one says its own. */
      readonly argon?: ArgonCost
      readonly key?: never
    }
  | { readonly key: Uint8Array; readonly passphrase?: never; readonly argon?: never }
)

/** The local provider. `close` (or `using`) wipes its key; later calls throw `ERR_KEYS_DISPOSED`. */
export interface LocalKeyProvider extends KeyProvider, Disposable {
  destroy(context: Uint8Array, options?: CallOptions): Promise<{ readonly confirmedAt: Millis }>
  close(): void

  /** `[LocalKeyProvider]`. */
  toString(): string
}

const KEY_BYTES = 32
const MAX_PASSPHRASE_BYTES = 1024
/** RFC 9106 §4, second choice. */
const DEFAULT_COST: ArgonCost = { memoryKiB: 65_536, passes: 3 }
const MIN_COST: ArgonCost = { memoryKiB: 8, passes: 1 }
const MAX_COST: ArgonCost = { memoryKiB: 1_048_576, passes: 64 }

const KEY_LABEL = 'guise/v1/local-key'
const WRAP_LABEL = 'guise/v1/local-wrap'

/**
 * A key provider in a directory: every context has a random key in a file of its own, sealed, so that `destroy` is
 * real: the file is overwritten, removed, and the directory flushed before the destruction is confirmed. A journal,
 * a snapshot, a backup or the spare cells of a flash disk may still hold the old bytes, sealed by the passphrase or
 * key: who needs more than that needs a KMS.
 *
 * Several processes may use a directory at once. The passphrase costs about a second, once a provider, at its first
 * call; a wrong one throws `ERR_KEYS_PASSPHRASE` there. A passphrase or key belongs in a file or a file descriptor,
 * not on a command line and not in the environment (KEYS-16).
 *
 * @example
 * ```ts
 * const provider = localKeyProvider({ path: '/var/lib/app/keys', key })
 * ```
 */
export function localKeyProvider(options: LocalKeyOptions): LocalKeyProvider {
  checkObject(options, 'options', badInput)
  const path = checkText(options.path, 'path', { maxBytes: 4096 }, badInput)
  if ((options.passphrase === undefined) === (options.key === undefined)) {
    throw badInput('give a passphrase or a key, and not both')
  }
  if (options.key !== undefined) {
    const key = checkBytes(options.key, 'key', KEY_BYTES, badInput)
    return new DirectoryProvider(path, new Secret(key, closed), undefined)
  }
  const cost = checkCost(options.argon ?? DEFAULT_COST)
  const given = passphraseBytes(options.passphrase)
  try {
    return new DirectoryProvider(path, new Secret(given, closed), cost)
  } finally {
    // Bytes that the caller gave are the caller's; those of a text are ours.
    if (typeof options.passphrase === 'string') wipe(given)
  }
}

class DirectoryProvider implements LocalKeyProvider {
  readonly id = 'local'
  readonly #directory: KeyDirectory
  readonly #given: Secret
  readonly #cost: ArgonCost | undefined
  #sealing: Secret | undefined
  #opening: Promise<Secret | undefined> | undefined
  #closed = false

  /** @param cost for a passphrase; `undefined` when `given` is the key itself */
  constructor(path: string, given: Secret, cost: ArgonCost | undefined) {
    this.#directory = new KeyDirectory(path)
    this.#given = given
    this.#cost = cost
  }

  async wrap(secret: Uint8Array, context: Uint8Array, options: CallOptions = {}): Promise<Uint8Array> {
    checkBytes(secret, 'secret', KEY_BYTES, badInput)
    const sealing = await this.#open(options, true)
    const name = contextName(context)
    const key = await this.#contextKey(sealing, name, context, true)
    try {
      options.signal?.throwIfAborted()
      return packSealed(committingSeal(key, WRAP_LABEL, context, secret))
    } finally {
      wipe(key)
    }
  }

  async unwrap(wrapped: Uint8Array, context: Uint8Array, options: CallOptions = {}): Promise<Uint8Array> {
    const sealing = await this.#open(options, false)
    const key = await this.#contextKey(sealing, contextName(context), context, false)
    try {
      options.signal?.throwIfAborted()
      const secret = committingOpen(key, WRAP_LABEL, context, unpackSealed(wrapped))
      if (secret === undefined) throw badRing('a wrapped secret was altered or belongs to another context')
      return secret
    } finally {
      wipe(key)
    }
  }

  async destroy(context: Uint8Array, options: CallOptions = {}): Promise<{ readonly confirmedAt: Millis }> {
    await this.#open(options, false)
    const confirmedMs = await this.#directory.destroy(contextName(context), () => systemClock.nowMs())
    return { confirmedAt: confirmedMs as Millis }
  }

  close(): void {
    this.#closed = true
    this.#given.dispose()
    this.#sealing?.dispose()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  toString(): string {
    return '[LocalKeyProvider]'
  }

  /** The prepared sealing key. The passphrase is paid for once, however many calls wait for it. */
  async #open({ signal }: CallOptions, create: boolean): Promise<Secret> {
    signal?.throwIfAborted()
    if (this.#closed) throw closed()
    await cryptoReady()
    if (this.#sealing !== undefined) return this.#sealing
    for (;;) {
      const opening = this.#opening ?? this.#start(create)
      const sealing = await opening
      signal?.throwIfAborted()
      if (sealing !== undefined) return sealing
      // Somebody else's look found no directory; one that may make it looks again.
      if (!create) throw new KeysError('ERR_KEYS_ABSENT', 'the directory holds no local key provider')
    }
  }

  #start(create: boolean): Promise<Secret | undefined> {
    const opening = this.#unlock(create).finally(() => {
      this.#opening = undefined
    })
    this.#opening = opening
    return opening
  }

  async #unlock(create: boolean): Promise<Secret | undefined> {
    const prepared = await openRoot(this.#directory, {
      given: this.#given,
      cost: this.#cost,
      create,
      maxCost: MAX_COST,
    })
    if (prepared === undefined) return undefined
    try {
      const sealing = new Secret(prepared, closed)
      if (this.#closed) {
        sealing.dispose()
        throw closed()
      }
      this.#sealing = sealing
      // From here on the passphrase or key is needed no more.
      this.#given.dispose()
      return sealing
    } finally {
      wipe(prepared)
    }
  }

  /** The key of a context, read anew each time: once destroyed, no process still has it. The caller wipes it. */
  async #contextKey(
    sealing: Secret,
    name: string,
    context: Uint8Array,
    create: boolean,
  ): Promise<Uint8Array> {
    let file = await this.#directory.read(name)
    if (file === undefined && create) {
      const fresh = randomBytes(KEY_BYTES)
      try {
        const sealed = sealing.use((prepared) => committingSealPrepared(prepared, KEY_LABEL, context, fresh))
        await this.#directory.create(name, packSealed(sealed))
      } finally {
        wipe(fresh)
      }
      // Another process may have been first: its key counts.
      file = await this.#directory.read(name)
    }
    if (file === undefined)
      throw new KeysError('ERR_KEYS_DESTROYED', 'the provider holds no key for this context')
    const sealed = unpackSealed(file)
    const key = sealing.use((prepared) => committingOpenPrepared(prepared, KEY_LABEL, context, sealed))
    if (key === undefined) throw new KeysError('ERR_KEYS_LOCAL', 'a key file is damaged or being destroyed')
    return key
  }
}

function checkCost(cost: ArgonCost): ArgonCost {
  checkObject(cost, 'argon', badInput)
  return {
    memoryKiB: checkInteger(
      cost.memoryKiB,
      'argon.memoryKiB',
      [MIN_COST.memoryKiB, MAX_COST.memoryKiB],
      badInput,
    ),
    passes: checkInteger(cost.passes, 'argon.passes', [MIN_COST.passes, MAX_COST.passes], badInput),
  }
}

function passphraseBytes(passphrase: unknown): Uint8Array {
  const bytes = typeof passphrase === 'string' ? utf8(passphrase) : passphrase
  return checkBytes(bytes, 'passphrase', [1, MAX_PASSPHRASE_BYTES], badInput)
}

function closed(): KeysError {
  return new KeysError('ERR_KEYS_DISPOSED', 'the key provider is closed')
}
