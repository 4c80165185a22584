/** A server on this machine whose answers a test plans: delays, dropped connections, failures (KEYS-2). @module */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What a request asks. */
export interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: Readonly<Record<string, unknown>>
}

/** What a server answers; no body for an empty one. */
export interface Answered {
  readonly status: number
  readonly body?: unknown
  /** Sends the caller elsewhere. */
  readonly location?: string
}

/** Instead of the answer: another one, silence until the caller leaves, or the end of the connection. */
export type Outage = Answered | 'silence' | 'drop'

/** A server that is listening. */
export interface Loopback {
  readonly address: string
  /** Every request so far. */
  readonly asked: Asked[]
  /** Asked before each request; `undefined` lets the server answer. */
  outage: (asked: Asked) => Outage | undefined
  /** Callers that hung up before they had an answer. */
  left: number
  close(): Promise<void>
}

export async function loopback(contentType: string, answer: (asked: Asked) => Answered): Promise<Loopback> {
  const server = createServer((request, response) => {
    void serve(request, response).catch((error: unknown) => response.destroy(error as Error))
  })
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Uint8Array[] = []
    for await (const chunk of request) chunks.push(chunk as Uint8Array)
    const text = Buffer.concat(chunks).toString('utf8')
    const { method = '', url = '', headers } = request
    const body = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)
    const asked = { method, path: url, headers, body }
    loop.asked.push(asked)
    const planned = loop.outage(asked)
    if (planned === 'drop') {
      request.socket.destroy()
      return
    }
    if (planned === 'silence') {
      response.on('close', () => loop.left++)
      return
    }
    const { status, body: said, location } = planned ?? answer(asked)
    response.writeHead(status, {
      'content-type': contentType,
      ...(location === undefined ? {} : { location }),
    })
    response.end(said === undefined ? undefined : JSON.stringify(said))
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const loop: Loopback = {
    address: `http://127.0.0.1:${port}`,
    asked: [],
    outage: () => undefined,
    left: 0,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return loop
}
