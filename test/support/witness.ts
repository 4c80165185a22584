/** A C2SP tlog-witness on this machine: verifies consistency, persists before it answers. @module */
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { openCheckpoint, verifyConsistency } from 'guise/audit'
import { cosign, verifierKey } from '../reference/audit.ts'
import { equal, hex, unhex } from '../reference/bytes.ts'
import { ed25519PublicKey } from '../reference/hashes.ts'
import { seed } from './audit.ts'

export const WITNESS = 'witness.example/w1'
export const witnessKey: string = verifierKey(WITNESS, 4, ed25519PublicKey(seed(1)))

export interface TestWitness {
  readonly url: string
  /** Requests so far. */
  readonly requests: string[]
  close(): Promise<void>
}

interface Kept {
  readonly size: number
  readonly root: string
}

/** @param path where it persists what it has cosigned, so that another one can go on */
export async function startWitness(path: string, logKey: string): Promise<TestWitness> {
  const requests: string[] = []
  const server: Server = createServer((request, response) => {
    void answer(request, response, { path, logKey, requests })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/prefix/`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { path, logKey, requests }: { path: string; logKey: string; requests: string[] },
): Promise<void> {
  const chunks: Uint8Array[] = []
  for await (const chunk of request) chunks.push(chunk as Uint8Array)
  const body = Buffer.concat(chunks).toString('utf8')
  requests.push(body)
  const end = (status: number, text = '', type = 'text/plain'): void => {
    response.writeHead(status, { 'content-type': type }).end(text)
  }
  if (request.method !== 'POST' || request.url !== '/prefix/add-checkpoint') return end(404)
  const middle = body.indexOf('\n\n')
  const [oldLine = '', ...proofLines] = body.slice(0, middle).split('\n')
  const note = body.slice(middle + 2)
  const old = /^old (0|[1-9]\d*)$/.exec(oldLine)?.[1]
  if (old === undefined || proofLines.length > 63) return end(400)
  if (note.split('\n')[0] !== logKey.split('+')[0]) return end(404)
  let next: { size: number; root: Uint8Array }
  try {
    next = openCheckpoint(note, logKey)
  } catch {
    return end(403)
  }
  const kept = readKept(path)
  if (Number(old) > next.size) return end(400)
  if (Number(old) !== kept.size) return end(409, `${kept.size}\n`, 'text/x.tlog.size')
  if (kept.size === next.size && !equal(unhex(kept.root), next.root)) return end(409)
  try {
    const proof = proofLines.map((line) => Uint8Array.from(Buffer.from(line, 'base64')))
    verifyConsistency({ size: kept.size, root: unhex(kept.root) }, next, proof)
  } catch {
    return end(422)
  }
  writeFileSync(path, JSON.stringify({ size: next.size, root: hex(next.root) }))
  const text = note.slice(0, note.lastIndexOf('\n\n') + 1)
  end(
    200,
    cosign(text, 'other.example/w', seed(2), 1_700_000_000) + cosign(text, WITNESS, seed(1), 1_700_000_000),
  )
}

function readKept(path: string): Kept {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Kept
  } catch {
    return { size: 0, root: '00'.repeat(32) }
  }
}
