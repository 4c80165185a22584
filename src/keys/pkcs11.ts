/** A PKCS#11 token as key provider: an AES key for each context that never leaves it (SPEC §4.8). @module */
/// <reference types="node" />

import type { Millis } from '../base/brand.ts'
import { concatBytes, readU32be, secretBytes, toHex, u32be, utf8, wipe } from '../base/bytes.ts'
import { checkBytes, checkObject, checkOneOf, checkText } from '../base/check.ts'
import { systemClock } from '../base/clock.ts'
import type { CallOptions } from '../base/errors.ts'
import { KeyedMutex } from '../base/mutex.ts'
import { Secret } from '../base/secret.ts'
import { sha256 } from '../crypto/hash.ts'
import { randomBytes } from '../crypto/random.ts'
import { unlessAborted } from './abortable.ts'
import { badInput, badWrap, KeysError, noKey } from './errors.ts'
import { isReturned, isUnopened } from './pkcs11-errors.ts'
import type { AesGcm, Handle, Mechanism, Template } from './pkcs11-module.ts'
import { type OpenToken, Token } from './pkcs11-token.ts'
import type { KeyProvider } from './provider.ts'

/** Which token, and what opens it. */
export interface Pkcs11KeyOptions {
  /** Path of the PKCS#11 library that the token's maker gives. */
  readonly module: string
  /** Label of the token, 1 to 32 bytes. */
  readonly token: string
  /** PIN of the token's user, a text or its UTF-8 bytes, which the caller can wipe: 1 to 255 bytes. Copied. */
  readonly pin: string | Uint8Array
  /** Written into the ring; by default `pkcs11:` and the token's label. */
  readonly id?: string
  /** `token` for a token that insists on drawing the initialisation vector; by default `random`: the token's random numbers. */
  readonly iv?: 'random' | 'token'
}

/** The provider. `close` (or `using`) ends its session and wipes the PIN; later calls throw `ERR_KEYS_DISPOSED`. */
export interface Pkcs11KeyProvider extends KeyProvider, Disposable {
  destroy(context: Uint8Array, options?: CallOptions): Promise<{ readonly confirmedAt: Millis }>
  close(): void

  /** `[Pkcs11KeyProvider]`. */
  toString(): string
}

const FORMAT = 1
const IV_BYTES = 12
const TAG_BYTES = 16
const KEY_BYTES = 32
const WRAPPED_BYTES: number = 1 + IV_BYTES + KEY_BYTES + TAG_BYTES
const INSTANT_BYTES = 8
const TWO_32 = 0x1_0000_0000
const APPLICATION = 'guise'
const CONTEXT_BYTES = [1, 1024] as const
/** Two processes may make a key for the same context at once: all of them are looked at. */
const MOST_OBJECTS = 64

/**
 * A key provider in a token that speaks PKCS#11 2.40 with AES-GCM (an HSM, SoftHSM2), through the optional package
 * `pkcs11js`. Every context has an AES-256 key of its own that is made in the token, sensitive and not extractable; the
 * context is authenticated with what it wraps. `destroy` removes the key from the token, looks that it is gone, and
 * leaves a note of the instant.
 *
 * Encryption, decryption and the making of a key run beside the event loop; opening a session, the search for a key and
 * its removal are calls that block it for as long as the token takes. Calls of one provider run one after the other. A
 * wrong PIN is tried once: every later call throws the same `ERR_KEYS_DENIED`, and the token is not locked by retries.
 *
 * @example
 * ```ts
 * const provider = pkcs11KeyProvider({ module: '/usr/lib/softhsm/libsofthsm2.so', token: 'clinic', pin })
 * ```
 */
export function pkcs11KeyProvider(options: Pkcs11KeyOptions): Pkcs11KeyProvider {
  checkObject(options, 'options', badInput)
  const module = checkText(options.module, 'module', { maxBytes: 4096 }, badInput)
  const label = checkText(options.token, 'token', { maxBytes: 32 }, badInput)
  const id = checkText(options.id ?? `pkcs11:${label}`, 'id', { maxBytes: 256 }, badInput)
  const iv = checkOneOf(options.iv ?? 'random', 'iv', ['random', 'token'], badInput)
  const given = typeof options.pin === 'string' ? utf8(options.pin) : options.pin
  const pin = new Secret(checkBytes(given, 'pin', [1, 255], badInput), closed)
  if (typeof options.pin === 'string') wipe(given)
  return new TokenProvider(id, { module, label, pin }, iv)
}

class TokenProvider implements Pkcs11KeyProvider {
  readonly id: string
  readonly #token: Token
  readonly #pin: Secret
  readonly #iv: 'random' | 'token'
  readonly #turns = new KeyedMutex()
  #closed = false

  constructor(id: string, place: { module: string; label: string; pin: Secret }, iv: 'random' | 'token') {
    this.id = id
    this.#token = new Token(place)
    this.#pin = place.pin
    this.#iv = iv
  }

  async wrap(secret: Uint8Array, context: Uint8Array, options: CallOptions = {}): Promise<Uint8Array> {
    checkBytes(secret, 'secret', KEY_BYTES, badInput)
    const name = keyName(context)
    // The caller may wipe its own as soon as it has given up.
    const copy = concatBytes(secret)
    const task = async (token: OpenToken): Promise<Uint8Array> => {
      const key = await ensureKey(token, name)
      return await encrypt(token, key, { secret: copy, context, iv: this.#iv })
    }
    const [discard, done] = [() => undefined, () => wipe(copy)]
    return await this.#run(options.signal, task, discard, done)
  }

  async unwrap(wrapped: Uint8Array, context: Uint8Array, options: CallOptions = {}): Promise<Uint8Array> {
    checkBytes(wrapped, 'wrapped', [1, 4096], badInput)
    const copy = concatBytes(wrapped)
    const name = keyName(context)
    return await this.#run(
      options.signal,
      async (token) => {
        const keys = find(token, ownTemplate(token, name))
        if (keys.length === 0) throw noKey()
        return await decryptByAny(token, keys, copy, context)
      },
      wipe,
    )
  }

  async destroy(context: Uint8Array, options: CallOptions = {}): Promise<{ readonly confirmedAt: Millis }> {
    const name = keyName(context)
    return await this.#run(options.signal, async (token) => {
      const anyOfName = [
        { type: token.constants.CKA_CLASS, value: token.constants.CKO_SECRET_KEY },
        { type: token.constants.CKA_ID, value: buffer(name) },
      ]
      for (const key of find(token, anyOfName)) removeObject(token, key)
      if (find(token, anyOfName).length > 0) {
        throw new KeysError('ERR_KEYS_PROVIDER', 'the token still holds the key that it was to destroy')
      }
      return { confirmedAt: noteInstant(token, name) as Millis }
    })
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#pin.dispose()
    // A call that is under way ends first: its session is not taken from under it.
    void this.#turns.run('', async () => this.#token.close())
  }

  [Symbol.dispose](): void {
    this.close()
  }

  toString(): string {
    return '[Pkcs11KeyProvider]'
  }

  async #run<Result>(
    signal: AbortSignal | undefined,
    task: (token: OpenToken) => Promise<Result>,
    discard: (late: Result) => void = () => undefined,
    done: () => void = () => undefined,
  ): Promise<Result> {
    const work = async (): Promise<Result> => {
      if (this.#closed) throw closed()
      return await this.#token.run(task)
    }
    return await unlessAborted(this.#turns.run('', work, signal).finally(done), signal, discard)
  }
}

/** What the key of a context is called in the token. */
function keyName(context: Uint8Array): Uint8Array {
  return sha256(checkBytes(context, 'context', CONTEXT_BYTES, badInput))
}

/** Only keys that nobody can read out of the token are keys of this provider. */
function keyTemplate({ constants: c }: OpenToken, name: Uint8Array): Template {
  return [
    { type: c.CKA_CLASS, value: c.CKO_SECRET_KEY },
    { type: c.CKA_KEY_TYPE, value: c.CKK_AES },
    { type: c.CKA_ID, value: buffer(name) },
    { type: c.CKA_TOKEN, value: true },
    { type: c.CKA_PRIVATE, value: true },
    { type: c.CKA_SENSITIVE, value: true },
    { type: c.CKA_EXTRACTABLE, value: false },
  ]
}

/** What tokens say of keys that they made themselves and never gave away: one that somebody brought in is not used. */
function ownTemplate(token: OpenToken, name: Uint8Array): Template {
  const { constants: c } = token
  return [
    ...keyTemplate(token, name),
    { type: c.CKA_VALUE_LEN, value: KEY_BYTES },
    { type: c.CKA_LOCAL, value: true },
    { type: c.CKA_NEVER_EXTRACTABLE, value: true },
  ]
}

async function ensureKey(token: OpenToken, name: Uint8Array): Promise<Handle> {
  const { api, constants: c, session } = token
  const template = keyTemplate(token, name)
  const [found] = find(token, ownTemplate(token, name))
  if (found !== undefined) return found
  if (readInstant(token, name) !== undefined) {
    throw new KeysError('ERR_KEYS_DESTROYED', 'the key of this context has been destroyed')
  }
  return await api.C_GenerateKeyAsync(session, { mechanism: c.CKM_AES_KEY_GEN }, [
    ...template,
    { type: c.CKA_VALUE_LEN, value: KEY_BYTES },
    { type: c.CKA_LABEL, value: `${APPLICATION} ${toHex(name).slice(0, 16)}` },
    { type: c.CKA_ENCRYPT, value: true },
    { type: c.CKA_DECRYPT, value: true },
    { type: c.CKA_WRAP, value: false },
    { type: c.CKA_UNWRAP, value: false },
    { type: c.CKA_SIGN, value: false },
    { type: c.CKA_VERIFY, value: false },
    { type: c.CKA_DERIVE, value: false },
    { type: c.CKA_MODIFIABLE, value: false },
  ])
}

async function encrypt(
  token: OpenToken,
  key: Handle,
  what: { readonly secret: Uint8Array; readonly context: Uint8Array; readonly iv: 'random' | 'token' },
): Promise<Uint8Array> {
  const { api, session } = token
  const iv = Buffer.alloc(IV_BYTES)
  if (what.iv === 'random') drawRandom(token, iv)
  api.C_EncryptInit(session, gcm(token, iv, what.context), key)
  const sealed = await api.C_EncryptAsync(session, buffer(what.secret), Buffer.alloc(KEY_BYTES + TAG_BYTES))
  // A token that draws the vector has written it where it was to read it.
  if (iv.every((byte) => byte === 0)) {
    throw new KeysError('ERR_KEYS_PROVIDER', 'the token gave no initialisation vector')
  }
  return concatBytes(Uint8Array.of(FORMAT), iv, sealed)
}

async function decryptByAny(
  token: OpenToken,
  keys: readonly Handle[],
  wrapped: Uint8Array,
  context: Uint8Array,
): Promise<Uint8Array> {
  if (wrapped.length !== WRAPPED_BYTES || wrapped[0] !== FORMAT) throw badWrap()
  for (const key of keys) {
    try {
      return await decrypt(token, key, wrapped, context)
    } catch (error) {
      if (!isUnopened(error)) throw error
      // SoftHSM2 says the same of a tag that does not fit and of a failure of its own.
      if (isReturned(error, 'CKR_GENERAL_ERROR')) await proveWorking(token, key, context)
    }
  }
  throw badWrap()
}

async function decrypt(
  token: OpenToken,
  key: Handle,
  wrapped: Uint8Array,
  context: Uint8Array,
): Promise<Uint8Array> {
  const { api, session } = token
  const iv = buffer(wrapped.subarray(1, 1 + IV_BYTES))
  const secret = secretBytes(KEY_BYTES + TAG_BYTES)
  try {
    api.C_DecryptInit(session, gcm(token, iv, context), key)
    await api.C_DecryptAsync(session, buffer(wrapped.subarray(1 + IV_BYTES)), buffer(secret))
    return concatBytes(secret.subarray(0, KEY_BYTES))
  } finally {
    wipe(secret)
  }
}

/** A key that opens what it sealed just now works: what it did not open was not its own. Throws what the token throws. */
async function proveWorking(token: OpenToken, key: Handle, context: Uint8Array): Promise<void> {
  const secret = randomBytes(KEY_BYTES)
  const sealed = await encrypt(token, key, { secret, context, iv: 'random' })
  wipe(await decrypt(token, key, sealed, context))
}

function gcm({ constants: c }: OpenToken, iv: Buffer, context: Uint8Array): Mechanism {
  const parameter: AesGcm = {
    type: c.CK_PARAMS_AES_GCM_v240,
    iv,
    ivBits: 8 * IV_BYTES,
    aad: buffer(context),
    tagBits: 8 * TAG_BYTES,
  }
  return { mechanism: c.CKM_AES_GCM, parameter }
}

function drawRandom({ api, session }: OpenToken, into: Buffer): void {
  try {
    api.C_GenerateRandom(session, into)
  } catch (error) {
    if (!isReturned(error, 'CKR_RANDOM_NO_RNG') && !isReturned(error, 'CKR_FUNCTION_NOT_SUPPORTED'))
      throw error
    into.set(randomBytes(into.length))
  }
}

function find({ api, session }: OpenToken, template: Template): readonly Handle[] {
  api.C_FindObjectsInit(session, template)
  try {
    return api.C_FindObjects(session, MOST_OBJECTS)
  } finally {
    api.C_FindObjectsFinal(session)
  }
}

function removeObject({ api, session }: OpenToken, object: Handle): void {
  try {
    api.C_DestroyObject(session, object)
  } catch (error) {
    // Another process at the same work was first.
    if (!isReturned(error, 'CKR_OBJECT_HANDLE_INVALID')) throw error
  }
}

function noteTemplate({ constants: c }: OpenToken, name: Uint8Array): Template {
  return [
    { type: c.CKA_CLASS, value: c.CKO_DATA },
    { type: c.CKA_TOKEN, value: true },
    { type: c.CKA_PRIVATE, value: true },
    { type: c.CKA_APPLICATION, value: APPLICATION },
    { type: c.CKA_LABEL, value: `destroyed ${toHex(name)}` },
  ]
}

/** The instant at which the key of a context was seen to be gone: the earliest that processes have noted. */
function readInstant(token: OpenToken, name: Uint8Array): number | undefined {
  const { api, constants: c, session } = token
  const instants = find(token, noteTemplate(token, name)).flatMap((note) => {
    const [attribute] = api.C_GetAttributeValue(session, note, [{ type: c.CKA_VALUE }])
    const value = attribute?.value
    return Buffer.isBuffer(value) && value.length === INSTANT_BYTES
      ? [readU32be(value) * TWO_32 + readU32be(value, 4)]
      : []
  })
  return instants.length === 0 ? undefined : Math.min(...instants)
}

function noteInstant(token: OpenToken, name: Uint8Array): number {
  const known = readInstant(token, name)
  if (known !== undefined) return known
  const { api, constants: c, session } = token
  const nowMs = systemClock.nowMs()
  const value = concatBytes(u32be(Math.floor(nowMs / TWO_32)), u32be(nowMs % TWO_32))
  api.C_CreateObject(session, [
    ...noteTemplate(token, name),
    { type: c.CKA_VALUE, value: buffer(value) },
    { type: c.CKA_MODIFIABLE, value: false },
  ])
  return readInstant(token, name) ?? nowMs
}

/** The same memory: `pkcs11js` takes nothing else. */
function buffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

function closed(): KeysError {
  return new KeysError('ERR_KEYS_DISPOSED', 'the key provider is closed')
}
