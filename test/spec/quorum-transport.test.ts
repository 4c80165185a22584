/** Questions over HTTPS: what the server reads, whom both ends let in, how they end (SPEC §13.7). @module */
import { once } from 'node:events'
import { request as ask, createServer as httpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:tls'
import {
  certificatePin,
  type HolderEvent,
  type HolderServer,
  type HttpsPeerOptions,
  httpsPeer,
  selfSignedCertificate,
  serveHolder,
} from 'guise/node'
import type { QuorumPeer } from 'guise/quorum'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { decodeReply, encodeRequest } from '../../src/quorum/messages.ts'
import { hex } from '../reference/bytes.ts'
import { codeOf, generation, type QuorumWorld, quorumWorld, RECORD } from '../support/quorum.ts'
import { holderOf, ID, realm, receiptOf, seenBy } from '../support/quorum-asking.ts'

const server = selfSignedCertificate('localhost', 1)
const vault = selfSignedCertificate('vault', 1)
const stranger = selfSignedCertificate('vault', 1)
const TYPE = { 'content-type': 'application/cbor' }

let world: QuorumWorld
let served: HolderServer
let asked = 0
const events: HolderEvent[] = []
const open: (() => void | Promise<void>)[] = []

beforeAll(async () => {
  world = await quorumWorld(2, 3)
  const holder: QuorumPeer = {
    handle: (message, options) => {
      asked += 1
      return world.holders[0]?.handle(message, options) as Promise<Uint8Array>
    },
  }
  served = await serve(holder, (event) => events.push(event))
})
afterAll(() => served.close())
afterEach(async () => {
  for (const close of open.splice(0)) await close()
})

function serve(holder: QuorumPeer, onEvent: (event: HolderEvent) => void = () => undefined) {
  const clients = { pins: [vault.pin] }
  return serveHolder({
    holder,
    identity: server,
    clients,
    host: '127.0.0.1',
    port: 0,
    drainMs: 2000,
    onEvent,
  })
}

function peerAt(port: number, change: Partial<HttpsPeerOptions> = {}) {
  const peer = httpsPeer({
    url: `https://127.0.0.1:${port}`,
    identity: vault,
    server: { pins: [server.pin] },
    ...change,
  })
  open.push(() => peer.close())
  return peer
}

async function question(): Promise<Uint8Array> {
  const seen = await seenBy(holderOf(world))
  const receipt = await receiptOf(world, await world.log.open(), seen)
  const named = { realm, record: RECORD, generation: generation(1), epoch: 1, refresh: 0, index: 1, id: ID }
  return encodeRequest({ ...named, receipt })
}

interface Sent {
  readonly method?: string
  readonly path?: string
  readonly headers?: Record<string, string | number>
  readonly body?: Uint8Array
}

/** The status of what a client by hand gets; the body must be empty unless it is 200. */
function status({ method = 'POST', path = '/v1/request', headers = TYPE, body }: Sent): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = ask({
      host: '127.0.0.1',
      port: served.port,
      method,
      path,
      headers: body === undefined ? headers : { 'content-length': body.length, ...headers },
      key: vault.key,
      cert: vault.certificate,
      rejectUnauthorized: false,
      agent: false,
    })
    sent.on('error', reject)
    sent.on('response', (response) => {
      let length = 0
      response.on('data', (chunk: Uint8Array) => {
        length += chunk.length
      })
      response.on('end', () => {
        if (response.statusCode !== 200 && length > 0) reject(new Error('a body'))
        else resolve(response.statusCode ?? 0)
      })
    })
    if (body === undefined) sent.end()
    else sent.end(body)
  })
}

describe('messages', () => {
  test('QUORUM-17 answers and refusals alike are 200, with the bytes of the holder', async () => {
    const message = await question()
    const peer = peerAt(served.port)
    const answer = decodeReply(await peer.handle(message))
    expect(answer).toMatchObject({ kind: 'answer', index: 1 })
    const refusal = decodeReply(await peer.handle(message))
    expect(refusal).toMatchObject({ kind: 'refusal', code: 'ERR_QUORUM_REPLAY' })
    expect(events.slice(-2)).toMatchObject([
      { event: 'answered', kind: 'request', outcome: 'answer' },
      { event: 'answered', kind: 'request', outcome: 'ERR_QUORUM_REPLAY' },
    ])
  })

  test.each<[string, number, () => Promise<Sent>]>([
    ['another path', 404, async () => ({ path: '/v1/other', body: await question() })],
    ['a path with a query', 404, async () => ({ path: '/v1/request?x', body: await question() })],
    ['another method', 405, async () => ({ method: 'GET' })],
    [
      'another type',
      415,
      async () => ({ headers: { 'content-type': 'text/plain' }, body: await question() }),
    ],
    ['a parameter', 415, async () => ({ headers: { 'content-type': 'application/cbor; a=b' }, body: ID })],
    ['an encoding', 415, async () => ({ headers: { ...TYPE, 'content-encoding': 'gzip' }, body: ID })],
    ['no length', 411, async () => ({ headers: { ...TYPE, 'transfer-encoding': 'chunked' } })],
    ['65,537 bytes', 413, async () => ({ headers: { ...TYPE, 'content-length': 65_537 } })],
    ['a length of many digits', 413, async () => ({ headers: { ...TYPE, 'content-length': '9999999999' } })],
    ['no CBOR', 400, async () => ({ body: new Uint8Array(40).fill(255) })],
    ['an empty body', 400, async () => ({ body: new Uint8Array(0) })],
    ['a byte too many', 400, async () => ({ body: Uint8Array.of(...(await question()), 0) })],
    ['a message of the other path', 400, async () => ({ path: '/v1/revocation', body: await question() })],
  ])('QUORUM-17 %s is %i, and the holder hears nothing', async (_, expected, make) => {
    const before = [asked, world.anchors[0]?.kept?.size]
    expect(await status(await make())).toBe(expected)
    expect([asked, world.anchors[0]?.kept?.size]).toEqual(before)
    expect(events.at(-1)).toEqual({ event: 'refused', status: expected })
  })

  test('QUORUM-17 65,536 bytes are read', async () => {
    expect(await status({ body: new Uint8Array(65_536) })).toBe(400)
  })
})

describe('who may', () => {
  test('QUORUM-18 a client with another certificate, or with none, is not read', async () => {
    const before = asked
    const message = await question()
    for (const identity of [stranger, server])
      expect(await codeOf(() => peerAt(served.port, { identity }).handle(message))).toBe(
        'ERR_QUORUM_UNAVAILABLE',
      )
    expect(events.at(-1)).toEqual({ event: 'stranger' })
    const bare = connect({ host: '127.0.0.1', port: served.port, rejectUnauthorized: false })
    bare.on('error', () => undefined)
    bare.on('secureConnect', () =>
      bare.write('POST /v1/request HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n'),
    )
    let heard = 0
    bare.on('data', () => {
      heard += 1
    })
    await once(bare, 'close')
    expect([heard, asked]).toEqual([0, before])
  })

  test('QUORUM-18 a client sends nothing to a server with another key', async () => {
    let heard = 0
    const impostor = httpsServer(
      { key: stranger.key, cert: stranger.certificate, requestCert: true, rejectUnauthorized: false },
      (_, response) => {
        heard += 1
        response.end()
      },
    )
    impostor.listen(0, '127.0.0.1')
    await once(impostor, 'listening')
    open.push(() => void impostor.close())
    const peer = peerAt((impostor.address() as AddressInfo).port)
    expect(await codeOf(async () => peer.handle(await question()))).toBe('ERR_QUORUM_UNAVAILABLE')
    expect(heard).toBe(0)
  })

  test('QUORUM-18 neither end speaks TLS 1.2', async () => {
    const old = connect({
      host: '127.0.0.1',
      port: served.port,
      maxVersion: 'TLSv1.2',
      key: vault.key,
      cert: vault.certificate,
      rejectUnauthorized: false,
    })
    const [error] = (await once(old, 'error')) as [NodeJS.ErrnoException]
    expect(error.code).toMatch(/ALERT_PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/)
    const only12 = httpsServer({ key: server.key, cert: server.certificate, maxVersion: 'TLSv1.2' })
    only12.listen(0, '127.0.0.1')
    await once(only12, 'listening')
    open.push(() => void only12.close())
    const peer = peerAt((only12.address() as AddressInfo).port)
    expect(await codeOf(async () => peer.handle(await question()))).toBe('ERR_QUORUM_UNAVAILABLE')
  })

  test('QUORUM-18 under an authority the certificate must be signed by it, and name the server', async () => {
    const own = await serveHolder({
      holder: world.holders[0] as QuorumPeer,
      identity: server,
      clients: { authority: vault.certificate },
      host: '127.0.0.1',
      port: 0,
    })
    open.push(() => own.close())
    const authority = { server: { authority: server.certificate } }
    const url = `https://localhost:${own.port}`
    const named = peerAt(own.port, { url, ...authority })
    expect(decodeReply(await named.handle(await question())).kind).toBe('answer')
    const message = await question()
    for (const change of [
      authority,
      { url, ...authority, identity: stranger },
      { url, server: { authority: vault.certificate } },
    ])
      expect(await codeOf(() => peerAt(own.port, change).handle(message))).toBe('ERR_QUORUM_UNAVAILABLE')
  })

  test('QUORUM-18 what an end is given is checked', async () => {
    const good = { url: 'https://a.example', identity: vault, server: { pins: [server.pin] } }
    expect(certificatePin(server.certificate)).toBe(server.pin)
    for (const wrong of [
      { url: 'http://a.example' },
      { url: 'https://a.example/b' },
      { url: 'https://u@a.example' },
      { url: 'a' },
      { identity: { key: server.key, certificate: vault.certificate } },
      { identity: { key: 'no', certificate: vault.certificate } },
      { identity: { key: vault.key, certificate: 'no' } },
      { server: { pins: [] } },
      { server: { pins: [server.pin.toUpperCase()] } },
      { server: {} },
      { server: { pins: [server.pin], authority: server.certificate } },
      { server: { authority: 'no' } },
      { timeoutMs: 0 },
    ])
      expect(await codeOf(() => httpsPeer({ ...good, ...wrong } as HttpsPeerOptions))).toBe(
        'ERR_QUORUM_INPUT',
      )
    expect(await codeOf(() => certificatePin('no'))).toBe('ERR_QUORUM_INPUT')
    expect(await codeOf(() => selfSignedCertificate('a b', 1))).toBe('ERR_QUORUM_INPUT')
    for (const name of ['::1', '2001:db8::7', '127.0.0.1', 'a-1.example'])
      expect(certificatePin(selfSignedCertificate(name, 20_000).certificate)).toHaveLength(64)
  })
})

describe('replies', () => {
  type Reply = (response: import('node:http').ServerResponse) => void
  async function answering(reply: Reply) {
    const other = httpsServer(
      { key: server.key, cert: server.certificate, requestCert: true, rejectUnauthorized: false },
      (request, response) => {
        request.resume()
        reply(response)
      },
    )
    other.listen(0, '127.0.0.1')
    await once(other, 'listening')
    open.push(() => {
      other.closeAllConnections()
      other.close()
    })
    return (other.address() as AddressInfo).port
  }
  const body = new Uint8Array(3)

  test.each<[string, Reply]>([
    ['a redirect', (response) => void response.writeHead(307, { location: '/v1/other' }).end()],
    ['another status', (response) => void response.writeHead(201, TYPE).end(body)],
    ['another type', (response) => void response.writeHead(200, { 'content-length': 3 }).end(body)],
    ['no length', (response) => void response.writeHead(200, TYPE).end(body)],
    [
      'too long a reply',
      (r) => void r.writeHead(200, { ...TYPE, 'content-length': 65_537 }).end(new Uint8Array(65_537)),
    ],
    [
      'half a reply',
      (response) =>
        void response.writeHead(200, { ...TYPE, 'content-length': 9 }).write(body, () => response.destroy()),
    ],
    ['no reply', () => undefined],
  ])('QUORUM-19 %s is silence', async (_, reply) => {
    const port = await answering(reply)
    const peer = peerAt(port, { timeoutMs: 400 })
    await expect(peer.handle(await question())).rejects.toMatchObject({
      code: 'ERR_QUORUM_UNAVAILABLE',
      retryable: true,
    })
  })

  test('QUORUM-19 a signal ends a question with its reason, and a closed peer asks nobody', async () => {
    const peer = peerAt(await answering(() => undefined))
    const controller = new AbortController()
    const asking = peer.handle(await question(), { signal: controller.signal })
    setTimeout(() => controller.abort(new Error('enough')), 50)
    await expect(asking).rejects.toThrow('enough')
    await expect(peer.handle(await question(), { signal: controller.signal })).rejects.toThrow('enough')
    peer.close()
    expect(await codeOf(async () => peer.handle(await question()))).toBe('ERR_QUORUM_UNAVAILABLE')
    expect(await codeOf(() => peer.handle(new Uint8Array(3)))).toBe('ERR_QUORUM_FORMAT')
  })

  test('QUORUM-19 a kept connection that was lost is replaced', async () => {
    const first = await serve(world.holders[0] as QuorumPeer)
    const peer = peerAt(first.port)
    expect(decodeReply(await peer.handle(await question())).kind).toBe('answer')
    await first.close()
    const again = await serveHolder({
      holder: world.holders[0] as QuorumPeer,
      identity: server,
      clients: { pins: [vault.pin] },
      host: '127.0.0.1',
      port: first.port,
    })
    open.push(() => again.close())
    expect(decodeReply(await peer.handle(await question())).kind).toBe('answer')
  })
})

test('QUORUM-20 told to end, the server ends what it began and takes nothing new', async () => {
  const order: string[] = []
  let begun: () => void = () => undefined
  const beginning = new Promise<void>((resolve) => {
    begun = resolve
  })
  const own = await serve({
    handle: async (message, options) => {
      begun()
      await new Promise((resolve) => setTimeout(resolve, 200))
      order.push('answered')
      return (world.holders[0] as QuorumPeer).handle(message, options)
    },
  })
  const peer = peerAt(own.port)
  const asking = peer.handle(await question())
  await beginning
  const closing = own.close().then(() => order.push('closed'))
  expect(await codeOf(async () => peerAt(own.port).handle(await question()))).toBe('ERR_QUORUM_UNAVAILABLE')
  expect(decodeReply(await asking).kind).toBe('answer')
  await closing
  expect(order).toEqual(['answered', 'closed'])
})

test('QUORUM-20 a header that does not come to its end is not waited for', async () => {
  const slow = connect({
    host: '127.0.0.1',
    port: served.port,
    key: vault.key,
    cert: vault.certificate,
    rejectUnauthorized: false,
  })
  slow.on('error', () => undefined)
  slow.on('data', () => undefined)
  await once(slow, 'secureConnect')
  slow.write('POST /v1/request HTTP/1.1\r\n')
  await once(slow, 'close')
}, 12_000)

test('QUORUM-21 events say how a question ended, not whom it was about', async () => {
  await peerAt(served.port).handle(await question())
  const text = JSON.stringify(events)
  for (const name of [hex(RECORD), hex(generation(1)), hex(ID), realm]) expect(text).not.toContain(name)
  const names = new Set(events.flatMap((event) => Object.keys(event)))
  expect([...names].sort()).toEqual(['event', 'kind', 'ms', 'outcome', 'status'])
})
