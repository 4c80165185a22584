/** A holder's server: its questions over HTTPS, from clients with a certificate that it knows (SPEC §13.7). @module */
/// <reference types="node" />

import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { checkFunction, checkInteger, checkObject, checkText } from '../base/check.ts'
import { type Clock, systemClock } from '../base/clock.ts'
import { rejectInput } from './errors.ts'
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
import { decodeQuestion, decodeReply, MAX_MESSAGE_BYTES, type RefusalCode } from './messages.ts'

const HEADERS_MS = 5000
const REQUEST_MS = 10_000
const IDLE_MS = 60_000
const CHECK_MS = 1000
const MOST_UNDER_WAY = 256
const MOST_HEADER_BYTES = 4096
const DEFAULT_DRAIN_MS = 10_000

/** What the server did: nothing that says whom it was about (QUORUM-21). */
export type HolderEvent =
  | {
      readonly event: 'answered'
      readonly kind: keyof typeof PATHS
      readonly outcome: 'answer' | 'acknowledgement' | RefusalCode
      readonly ms: number
    }
  /** Something that is no message, or came too late. */
  | { readonly event: 'refused'; readonly status: number }
  /** A connection without a certificate that is known, or without TLS 1.3. */
  | { readonly event: 'stranger' }

export interface HolderServerOptions {
  /** Stays the caller's, who closes it after the server. */
  readonly holder: QuorumPeer
  readonly identity: TlsIdentity
  /** Whose questions are read. */
  readonly clients: TlsTrust
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** How long `close` waits for connections; 10,000 unless said. */
  readonly drainMs?: number
  readonly onEvent?: (event: HolderEvent) => void
}

/** A server that listens. */
export interface HolderServer {
  readonly host: string
  readonly port: number
  /** Takes no new question, ends those under way, and resolves when the holder is asked no more. */
  close(): Promise<void>
}

/**
 * Serves one holder over HTTPS. Throws `ERR_QUORUM_INPUT`, and the error of the system when the address cannot be had.
 *
 * @example
 * ```ts
 * const server = await serveHolder({ holder, identity, clients: { pins: [vaultPin] }, host: '::', port: 8443 })
 * ```
 */
export async function serveHolder(options: HolderServerOptions): Promise<HolderServer> {
  checkObject(options, 'options', rejectInput)
  const { holder, onEvent = (): void => undefined } = options
  checkFunction(checkObject(holder, 'holder', rejectInput)['handle'], 'handle', rejectInput)
  checkFunction(onEvent, 'onEvent', rejectInput)
  const trust = checkTls(options.identity, options.clients)
  const host = checkText(options.host, 'host', { maxBytes: 255 }, rejectInput)
  const port = checkInteger(options.port, 'port', [0, 65_535], rejectInput)
  const drainMs = checkInteger(options.drainMs ?? DEFAULT_DRAIN_MS, 'drainMs', [0, 600_000], rejectInput)
  const serving = new Serving({ holder, trust, drainMs, onEvent, clock: systemClock })
  return await serving.listen(host, port)
}

interface ServingParts {
  readonly holder: QuorumPeer
  readonly trust: CheckedTrust
  readonly drainMs: number
  readonly onEvent: (event: HolderEvent) => void
  readonly clock: Clock
}

class Serving implements HolderServer {
  readonly #parts: ServingParts
  readonly #server: Server
  /** Connections whose other end is known. */
  readonly #known = new WeakSet<Socket>()
  readonly #underWay = new Set<Promise<void>>()
  #address: AddressInfo = { address: '', family: '', port: 0 }
  #closed: Promise<void> | undefined

  constructor(parts: ServingParts) {
    this.#parts = parts
    const { trust } = parts
    this.#server = createServer(
      {
        ...ONLY_TLS_13,
        ...trust.material,
        requestCert: true,
        // Of a pinned certificate only the key counts, which the handshake has proved by then.
        rejectUnauthorized: trust.pins === undefined,
        handshakeTimeout: HANDSHAKE_MS,
        headersTimeout: HEADERS_MS,
        requestTimeout: REQUEST_MS,
        keepAliveTimeout: IDLE_MS,
        connectionsCheckingInterval: CHECK_MS,
        maxHeaderSize: MOST_HEADER_BYTES,
      } as Parameters<typeof createServer>[0],
      (request, response) => this.#take(request, response),
    )
    this.#server.maxConnections = MOST_UNDER_WAY
    this.#server.prependListener('secureConnection', (socket: TLSSocket) => this.#meet(socket))
    this.#server.on('tlsClientError', () => parts.onEvent({ event: 'stranger' }))
    this.#server.on('clientError', (_, socket) => socket.destroy())
  }

  get host(): string {
    return this.#address.address
  }

  get port(): number {
    return this.#address.port
  }

  async listen(host: string, port: number): Promise<this> {
    this.#server.listen(port, host)
    await once(this.#server, 'listening')
    this.#address = this.#server.address() as AddressInfo
    return this
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve())
    })
    this.#server.closeIdleConnections()
    const rest = setTimeout(() => this.#server.closeAllConnections(), this.#parts.drainMs)
    await closed
    clearTimeout(rest)
    // A question whose asker is gone may still be counted: the store is in use until it is.
    await Promise.allSettled(this.#underWay)
  }

  #meet(socket: TLSSocket): void {
    socket.on('error', () => socket.destroy())
    if (isTrusted(socket, this.#parts.trust)) {
      this.#known.add(socket)
      return
    }
    this.#parts.onEvent({ event: 'stranger' })
    socket.destroy()
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    if (!this.#known.has(request.socket)) {
      request.socket.destroy()
      return
    }
    response.sendDate = false
    response.on('error', () => undefined)
    const work = this.#serve(request, response).catch(() => {
      // The connection was lost, or the holder failed without a refusal: either way there is nothing to say.
      request.socket.destroy()
    })
    this.#underWay.add(work)
    void work.finally(() => this.#underWay.delete(work))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { holder, onEvent, clock } = this.#parts
    const startMs = clock.steady().ms
    const refuse = (status: number): void => {
      onEvent({ event: 'refused', status })
      const allow = status === 405 ? { allow: 'POST' } : {}
      // What stays unread of a body would be taken for the next request.
      response.writeHead(status, { ...allow, 'content-length': 0, connection: 'close' }).end()
    }
    if (this.#closed !== undefined || this.#underWay.size >= MOST_UNDER_WAY) return refuse(503)
    const kind = kindOf(request.url)
    if (kind === undefined) return refuse(404)
    const status = statusOf(request)
    if (status !== undefined) return refuse(status)
    const message = await readBody(request)
    if (!isOfKind(message, kind)) return refuse(400)
    const reply = await holder.handle(message)
    const said = decodeReply(reply)
    const outcome = said.kind === 'refusal' ? said.code : said.kind
    onEvent({ event: 'answered', kind, outcome, ms: Math.round(clock.steady().ms - startMs) })
    const closing = this.#closed === undefined ? {} : { connection: 'close' }
    response
      .writeHead(200, { 'content-type': CONTENT_TYPE, 'content-length': reply.length, ...closing })
      .end(reply)
  }
}

function kindOf(url: string | undefined): keyof typeof PATHS | undefined {
  if (url === PATHS.request) return 'request'
  return url === PATHS.revocation ? 'revocation' : undefined
}

/** What stands against reading the body; `undefined` when nothing does. */
function statusOf({ method, headers }: IncomingMessage): number | undefined {
  if (method !== 'POST') return 405
  if (headers['content-type'] !== CONTENT_TYPE || headers['content-encoding'] !== undefined) return 415
  const length = headers['content-length']
  if (length === undefined || headers['transfer-encoding'] !== undefined) return 411
  return /^\d{1,5}$/.test(length) && Number(length) <= MAX_MESSAGE_BYTES ? undefined : 413
}

/** The whole body, which the parser holds to its declared length. */
async function readBody(request: IncomingMessage): Promise<Uint8Array> {
  const body = new Uint8Array(Number(request.headers['content-length']))
  let length = 0
  for await (const chunk of request) {
    body.set(chunk as Uint8Array, length)
    length += (chunk as Uint8Array).length
  }
  return body
}

function isOfKind(message: Uint8Array, kind: keyof typeof PATHS): boolean {
  try {
    return decodeQuestion(message).kind === kind
  } catch {
    return false
  }
}
