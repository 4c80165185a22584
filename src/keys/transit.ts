/** The transit engine of Vault or OpenBao as key provider, through `fetch`: a key for each context (SPEC §4.10). @module */

import type { Millis } from '../base/brand.ts'
import { concatBytes, toHex, utf8, wipe } from '../base/bytes.ts'
import { checkBytes, checkFunction, checkObject, checkText } from '../base/check.ts'
import { systemClock } from '../base/clock.ts'
import type { CallOptions } from '../base/errors.ts'
import { sha256 } from '../crypto/hash.ts'
import { unlessAborted } from './abortable.ts'
import { badInput, badWrap, KeysError } from './errors.ts'
import type { KeyProvider } from './provider.ts'
import { base64Bytes, readText, secretField } from './transit-body.ts'
import { isMissingKey, type TransitAnswer, transitFailure } from './transit-errors.ts'

/** The part of `fetch` that is used. */
export type TransitFetch = (
  url: string,
  init: {
    method: string
    headers: Record<string, string>
    body?: Uint8Array<ArrayBuffer>
    redirect: 'error'
    signal?: AbortSignal
  },
) => Promise<{ readonly status: number; arrayBuffer(): Promise<ArrayBuffer> }>

/** Where the transit engine is, and what opens it. */
export interface TransitKeyOptions {
  /** `https://host:port`, and nothing behind it; `http` to the same machine only. */
  readonly address: string
  /** The token, or what gives it anew for each call: a token that another program keeps alive. */
  readonly token: string | (() => string | Promise<string>)
  /** Where the engine is mounted; by default `transit`. */
  readonly mount?: string
  readonly namespace?: string
  /** Keys are named `<prefix>-<hash>`: 1 to 64 letters, digits, `_` and `-`; by default `guise`. */
  readonly prefix?: string
  /** Written into the ring; by default `transit:` and address, namespace and mount. */
  readonly id?: string
  /** By default the `fetch` of the platform. One that knows the server's certificate, or goes through a proxy. */
  readonly fetch?: TransitFetch
}

/** A provider that can destroy. */
export interface TransitKeyProvider extends Required<KeyProvider> {
  /** `[TransitKeyProvider]`. */
  toString(): string
}

const CONTEXT_BYTES = [1, 1024] as const
const SECRET_BYTES = 32
const MAX_WRAPPED_BYTES = 4096
const TOKEN = /^[\x21-\x7e]{1,4096}$/
const MAX_ANSWER_BYTES = 65_536
const PREFIX = /^[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?$/
const PATH = /^[A-Za-z0-9_.-]+(?:\/[A-Za-z0-9_.-]+)*$/
const ADDRESS = /^(?:https:\/\/[^/?#@\s]+|http:\/\/(?:127\.0\.0\.1|\[::1\]|localhost)(?::\d+)?)$/
const WRAPPED = /^vault:v\d+:[A-Za-z0-9+/]+={0,2}$/

/**
 * A key provider in the transit engine of HashiCorp Vault 1.9 and later, or OpenBao. Every context has a key of type
 * `aes256-gcm96` of its own that cannot be exported; the context is its associated data.
 *
 * `destroy` allows the deletion of that key, deletes it, and looks that it is gone; what it resolves with is the instant,
 * by this machine's clock, at which the server said so. Backups of the server are another matter: they hold the key.
 *
 * @example
 * ```ts
 * const provider = transitKeyProvider({ address: 'https://vault.example:8200', token: () => readFile('/run/vault/token', 'utf8') })
 * ```
 */
export function transitKeyProvider(options: TransitKeyOptions): TransitKeyProvider {
  checkObject(options, 'options', badInput)
  const address = checkText(options.address, 'address', { maxBytes: 512, pattern: ADDRESS }, badInput)
  const mount = checkText(options.mount ?? 'transit', 'mount', { maxBytes: 128, pattern: PATH }, badInput)
  const namespace =
    options.namespace === undefined
      ? undefined
      : checkText(options.namespace, 'namespace', { maxBytes: 128, pattern: PATH }, badInput)
  const prefix = checkText(options.prefix ?? 'guise', 'prefix', { maxBytes: 64, pattern: PREFIX }, badInput)
  const place = namespace === undefined ? mount : `${namespace}/${mount}`
  const id = checkText(options.id ?? `transit:${address}/${place}`, 'id', { maxBytes: 256 }, badInput)
  const token = options.token
  if (typeof token !== 'function') checkText(token, 'token', { maxBytes: 4096 }, badInput)
  const fetch = options.fetch ?? globalThis.fetch
  checkFunction(fetch, 'fetch', badInput)
  const url = `${address}/v1/${mount}`
  const ask = typeof token === 'function' ? token : (): string => token
  return new TransitProvider(id, { url, prefix, namespace, token: ask, fetch })
}

interface TransitPlace {
  readonly url: string
  readonly prefix: string
  readonly namespace: string | undefined
  readonly token: () => string | Promise<string>
  readonly fetch: TransitFetch
}

class TransitProvider implements TransitKeyProvider {
  readonly id: string
  readonly #place: TransitPlace
  /** Keys that are there, because they were used or made: the next wrap need not ask. */
  readonly #known = new Set<string>()

  constructor(id: string, place: TransitPlace) {
    this.id = id
    this.#place = place
  }

  async wrap(secret: Uint8Array, context: Uint8Array, { signal }: CallOptions = {}): Promise<Uint8Array> {
    checkBytes(secret, 'secret', SECRET_BYTES, badInput)
    const name = this.#name(context)
    // The secret never becomes a text: a text cannot be wiped.
    const secretText = base64Bytes(secret)
    const body = concatBytes(
      ascii('{"plaintext":"'),
      secretText,
      ascii('","associated_data":"'),
      base64Bytes(context),
      ascii('"}'),
    )
    wipe(secretText)
    const work = async (): Promise<Uint8Array> => {
      await this.#ensure(name, signal)
      const answer = await this.#ask('POST', `encrypt/${name}`, signal, body)
      const wrapped = answer.status === 200 ? readText(answer.bytes, 'ciphertext') : undefined
      if (wrapped === undefined) throw transitFailure(answer)
      if (!WRAPPED.test(wrapped) || wrapped.length > MAX_WRAPPED_BYTES) throw strange()
      return ascii(wrapped)
    }
    return await unlessAborted(
      work().finally(() => wipe(body)),
      signal,
      () => undefined,
    )
  }

  async unwrap(wrapped: Uint8Array, context: Uint8Array, { signal }: CallOptions = {}): Promise<Uint8Array> {
    checkBytes(wrapped, 'wrapped', [1, MAX_WRAPPED_BYTES], badInput)
    const ciphertext = new TextDecoder('latin1').decode(wrapped)
    const name = this.#name(context)
    const work = async (): Promise<Uint8Array> => {
      if (!WRAPPED.test(ciphertext)) throw badWrap()
      const body = concatBytes(
        ascii(`{"ciphertext":"${ciphertext}","associated_data":"`),
        base64Bytes(context),
        ascii('"}'),
      )
      const answer = await this.#ask('POST', `decrypt/${name}`, signal, body)
      try {
        if (answer.status !== 200) throw transitFailure(answer)
        const secret = secretField(answer.bytes, 'plaintext')
        if (secret?.length !== SECRET_BYTES) {
          wipe(secret)
          throw strange()
        }
        return secret
      } finally {
        wipe(answer.bytes)
      }
    }
    return await unlessAborted(work(), signal, wipe)
  }

  async destroy(
    context: Uint8Array,
    { signal }: CallOptions = {},
  ): Promise<{ readonly confirmedAt: Millis }> {
    const name = this.#name(context)
    const work = async (): Promise<{ readonly confirmedAt: Millis }> => {
      this.#known.delete(name)
      const allowed = await this.#ask(
        'POST',
        `keys/${name}/config`,
        signal,
        ascii('{"deletion_allowed":true}'),
      )
      if (!isMissingKey(allowed)) {
        requireDone(allowed)
        const deleted = await this.#ask('DELETE', `keys/${name}`, signal)
        if (!isMissingKey(deleted)) requireDone(deleted)
      }
      const left = await this.#ask('GET', `keys/${name}`, signal)
      if (left.status === 200)
        throw new KeysError('ERR_KEYS_PROVIDER', 'the server still holds the key that it was to destroy')
      if (left.status !== 404) throw transitFailure(left)
      return { confirmedAt: systemClock.nowMs() as Millis }
    }
    return await unlessAborted(work(), signal, () => undefined)
  }

  toString(): string {
    return '[TransitKeyProvider]'
  }

  #name(context: Uint8Array): string {
    return `${this.#place.prefix}-${toHex(sha256(checkBytes(context, 'context', CONTEXT_BYTES, badInput)))}`
  }

  /** Makes the key unless it is there, and looks what it is: to encrypt under a missing one would make another kind. */
  async #ensure(name: string, signal: AbortSignal | undefined): Promise<void> {
    if (this.#known.has(name)) return
    const kind = ascii('{"type":"aes256-gcm96","exportable":false,"allow_plaintext_backup":false}')
    requireDone(await this.#ask('POST', `keys/${name}`, signal, kind))
    const found = await this.#ask('GET', `keys/${name}`, signal)
    if (found.status !== 200) throw transitFailure(found)
    if (!isOurs(found.bytes)) {
      throw new KeysError('ERR_KEYS_INPUT', 'the key of this context is of another kind, or can be exported')
    }
    this.#known.add(name)
  }

  async #ask(
    method: string,
    path: string,
    signal: AbortSignal | undefined,
    body?: Uint8Array<ArrayBuffer>,
  ): Promise<TransitAnswer> {
    const { url, namespace, token, fetch } = this.#place
    signal?.throwIfAborted()
    try {
      const sent = (await token()).trim()
      // What is no header value `fetch` would print.
      if (!TOKEN.test(sent))
        throw new KeysError('ERR_KEYS_DENIED', 'the token of the transit server is malformed')
      const headers: Record<string, string> = {
        'X-Vault-Token': sent,
        'X-Vault-Request': 'true',
        ...(namespace === undefined ? {} : { 'X-Vault-Namespace': namespace }),
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      }
      const given = { ...(body === undefined ? {} : { body }), ...(signal === undefined ? {} : { signal }) }
      // A server that sends elsewhere would get the token sent there.
      const response = await fetch(`${url}/${path}`, { method, headers, redirect: 'error', ...given })
      const bytes = new Uint8Array(await response.arrayBuffer())
      if (bytes.length > MAX_ANSWER_BYTES) throw strange()
      return { status: response.status, bytes }
    } catch (cause) {
      signal?.throwIfAborted()
      if (cause instanceof KeysError) throw cause
      throw new KeysError('ERR_KEYS_PROVIDER', 'the transit server cannot be reached', { cause })
    }
  }
}

function requireDone(answer: TransitAnswer): void {
  if (answer.status !== 200 && answer.status !== 204) throw transitFailure(answer)
}

function isOurs(bytes: Uint8Array): boolean {
  const text = new TextDecoder().decode(bytes)
  return (
    /"type"\s*:\s*"aes256-gcm96"/.test(text) &&
    /"exportable"\s*:\s*false/.test(text) &&
    /"allow_plaintext_backup"\s*:\s*false/.test(text) &&
    /"derived"\s*:\s*false/.test(text)
  )
}

function strange(): KeysError {
  return new KeysError('ERR_KEYS_PROVIDER', 'the transit server gave an answer that cannot be right')
}

function ascii(text: string): Uint8Array<ArrayBuffer> {
  return utf8(text) as Uint8Array<ArrayBuffer>
}
