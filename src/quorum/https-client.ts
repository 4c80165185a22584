/** A holder at the end of a wire: questions over HTTPS to a server whose key is known (SPEC §13.7). @module */
/// <reference types="node" />

import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect, createSecureContext, type SecureContext } from 'node:tls'
import { checkBytes, checkInteger, checkObject, checkText } from '../base/check.ts'
import type { CallOptions } from '../base/errors.ts'
import { QuorumError, rejectInput } from './errors.ts'
import type { QuorumPeer } from './holder.ts'
import {
  type CheckedTrust,
  CONTENT_TYPE,
  checkTls,
  HANDSHAKE_MS,
  isTrusted,
  ONLY_TLS_13,
  PATHS,
  type TlsIdentity,
  type TlsTrust,
} from './https-tls.ts'
import { decodeQuestion, MAX_MESSAGE_BYTES } from './messages.ts'

const DEFAULT_TIMEOUT_MS = 5000
const DEFAULT_PORT = 443
const MOST_CONNECTIONS = 16

export interface HttpsPeerOptions {
  /** `https://host:port`, and nothing behind it. */
  readonly url: string
  readonly identity: TlsIdentity
  /** Who the holder's server is. */
  readonly server: TlsTrust
  /** For one question; 5,000 unless said. */
  readonly timeoutMs?: number
}

/** A holder that is asked over HTTPS; for `QuorumMember.peer`. */
export interface HttpsPeer extends QuorumPeer, Disposable {
  /** Closes its connections; a question after that is refused. */
  close(): void
}

/**
 * The way to a holder's server. Connects when it is first asked, and keeps connections for the next question. Throws
 * `ERR_QUORUM_INPUT`; a question that has no reply rejects with `ERR_QUORUM_UNAVAILABLE`, retryable, or with the reason of its signal.
 *
 * @example
 * ```ts
 * const peer = httpsPeer({ url: 'https://holder-1.example:8443', identity, server: { pins: [pin] } })
 * ```
 */
export function httpsPeer(options: HttpsPeerOptions): HttpsPeer {
  checkObject(options, 'options', rejectInput)
  const { host, port } = addressOf(options.url)
  const trust = checkTls(options.identity, options.server)
  const timeoutMs = checkInteger(
    options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    'timeoutMs',
    [1, 600_000],
    rejectInput,
  )
  return new Peer(host, port, trust, timeoutMs)
}

class Peer implements HttpsPeer {
  readonly #host: string
  readonly #port: number
  readonly #timeoutMs: number
  readonly #agent: Agent
  #closed = false

  constructor(host: string, port: number, trust: CheckedTrust, timeoutMs: number) {
    this.#host = host
    this.#port = port
    this.#timeoutMs = timeoutMs
    this.#agent = new TrustingAgent(host, port, trust)
  }

  async handle(message: Uint8Array, options: CallOptions = {}): Promise<Uint8Array> {
    checkBytes(message, 'message', [0, MAX_MESSAGE_BYTES], rejectInput)
    const path = PATHS[decodeQuestion(message).kind]
    options.signal?.throwIfAborted()
    const limit = AbortSignal.timeout(this.#timeoutMs)
    const signal = options.signal === undefined ? limit : AbortSignal.any([limit, options.signal])
    try {
      return await this.#ask(path, message, signal)
    } catch (error) {
      options.signal?.throwIfAborted()
      throw noReply(error)
    }
  }

  close(): void {
    this.#closed = true
    this.#agent.destroy()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  async #ask(path: string, message: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    if (this.#closed) throw noReply()
    // A server closes connections that were kept, perhaps just before it would have read the question.
    const reply = (await this.#post(path, message, signal)) ?? (await this.#post(path, message, signal))
    if (reply === undefined) throw noReply()
    return reply
  }

  /** The reply; `undefined` when a connection that had been used before was lost. */
  #post(path: string, message: Uint8Array, signal: AbortSignal): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      const asked = request({
        agent: this.#agent,
        host: this.#host,
        port: this.#port,
        method: 'POST',
        path,
        headers: { 'content-type': CONTENT_TYPE, 'content-length': message.length },
        signal,
      })
      asked.on('response', (response) => resolve(readReply(response)))
      asked.on('error', (error) => {
        if (asked.reusedSocket && !signal.aborted) resolve(undefined)
        else reject(error)
      })
      asked.end(message)
    })
  }
}

/** Hands a connection out only after the other end was found to be the one that is meant (QUORUM-18). */
class TrustingAgent extends Agent {
  readonly #host: string
  readonly #port: number
  readonly #trust: CheckedTrust
  readonly #context: SecureContext

  constructor(host: string, port: number, trust: CheckedTrust) {
    super({ keepAlive: true, maxSockets: MOST_CONNECTIONS, maxCachedSessions: 0 })
    this.#host = host
    this.#port = port
    this.#trust = trust
    this.#context = createSecureContext({ ...trust.material, ...ONLY_TLS_13 })
  }

  override createConnection(
    _: object,
    done: (error: Error | null, stream: Duplex) => void = () => undefined,
  ): undefined {
    const { pins } = this.#trust
    const socket = connect({
      ...ONLY_TLS_13,
      host: this.#host,
      port: this.#port,
      ...(isIP(this.#host) === 0 ? { servername: this.#host } : {}),
      secureContext: this.#context,
      rejectUnauthorized: pins === undefined,
    })
    const limit = setTimeout(() => socket.destroy(noReply()), HANDSHAKE_MS)
    const failed = (error: Error): void => {
      clearTimeout(limit)
      done(error, socket)
    }
    socket.once('error', failed)
    socket.once('secureConnect', () => {
      clearTimeout(limit)
      if (!isTrusted(socket, this.#trust)) {
        socket.destroy(noReply())
        return
      }
      socket.off('error', failed)
      done(null, socket)
    })
  }
}

/** The body of a reply; whatever else came ends with its connection (QUORUM-19). */
async function readReply(response: IncomingMessage): Promise<Uint8Array> {
  try {
    return await readWholeReply(response)
  } catch (error) {
    response.destroy()
    throw error
  }
}

async function readWholeReply(response: IncomingMessage): Promise<Uint8Array> {
  const { statusCode, headers } = response
  const length = headers['content-length'] ?? ''
  const isReply =
    statusCode === 200 &&
    headers['content-type'] === CONTENT_TYPE &&
    headers['content-encoding'] === undefined &&
    /^\d{1,5}$/.test(length) &&
    Number(length) <= MAX_MESSAGE_BYTES
  if (!isReply) throw noReply()
  const body = new Uint8Array(Number(length))
  let at = 0
  for await (const chunk of response) {
    body.set(chunk as Uint8Array, at)
    at += (chunk as Uint8Array).length
  }
  if (at !== body.length) throw noReply()
  return body
}

function addressOf(url: string): { readonly host: string; readonly port: number } {
  checkText(url, 'url', { maxBytes: 512 }, rejectInput)
  let parsed: URL
  try {
    parsed = new URL(url)
  } catch {
    throw rejectInput('url must be https://host:port')
  }
  const { protocol, username, password, pathname, search, hash, hostname, port } = parsed
  const isBare = username === '' && password === '' && pathname === '/' && search === '' && hash === ''
  if (protocol !== 'https:' || !isBare) throw rejectInput('url must be https://host:port')
  const host = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
  return { host, port: port === '' ? DEFAULT_PORT : Number(port) }
}

function noReply(cause?: unknown): QuorumError {
  return new QuorumError('ERR_QUORUM_UNAVAILABLE', 'the holder gave no reply', { cause, retryable: true })
}
