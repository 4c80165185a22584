/** A TCP proxy that breaks connections in the middle of what they carry. @module */
/// <reference types="node" />

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** Where a connection breaks: towards the server the bytes sent do not arrive, or the answer does not. */
export interface Cut {
  readonly side: 'request' | 'answer'
  /** Bytes that still pass on that side. */
  readonly afterBytes: number
  /** `reset` tells the client at once, `silence` leaves it waiting. */
  readonly how: 'reset' | 'silence'
}

export class CuttingProxy {
  readonly #server: Server
  readonly #targetPort: number
  readonly #open: Set<Socket> = new Set()
  #cut: { cut: Cut; left: number } | undefined
  cuts = 0

  private constructor(targetPort: number) {
    this.#targetPort = targetPort
    this.#server = createServer((client) => this.#serve(client))
  }

  static async start(targetPort: number): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(targetPort)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Arms the proxy: the next bytes on that side count, and the first connection to reach the end is cut. */
  arm(cut: Cut): void {
    this.#cut = { cut, left: cut.afterBytes }
  }

  disarm(): void {
    this.#cut = undefined
  }

  async close(): Promise<void> {
    for (const socket of this.#open) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #serve(client: Socket): void {
    const server = connect(this.#targetPort, '127.0.0.1')
    const pair = [client, server] as const
    for (const socket of pair) {
      socket.setNoDelay(true)
      this.#open.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        this.#open.delete(socket)
        for (const one of pair) one.destroy()
      })
    }
    client.on('data', (bytes) => this.#pass('request', bytes, server, client))
    server.on('data', (bytes) => this.#pass('answer', bytes, client, client, server))
  }

  #pass(side: Cut['side'], bytes: Buffer, to: Socket, client: Socket, server: Socket = to): void {
    const armed = this.#cut
    if (armed === undefined || armed.cut.side !== side) {
      to.write(bytes)
      return
    }
    if (bytes.length <= armed.left) {
      armed.left -= bytes.length
      to.write(bytes)
      return
    }
    const rest = bytes.subarray(0, armed.left)
    this.#cut = undefined
    this.cuts++
    to.write(rest, () => {
      // Nothing passes any more; the other end may or may not hear of it.
      client.pause()
      server.pause()
      if (armed.cut.how === 'reset') client.resetAndDestroy()
    })
  }
}
