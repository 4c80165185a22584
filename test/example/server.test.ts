/** The example's server before callers who mean it no good (SPEC §20). @module */
import { connect } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RunningExample, startExample } from './running.ts'

let example: RunningExample
beforeAll(async () => {
  example = await startExample()
}, 60_000)
afterAll(async () => {
  expect(await example?.stop()).toBe(0)
})

async function post(path: string, body: Uint8Array<ArrayBuffer> = new Uint8Array(0)): Promise<number> {
  const { origin } = new URL(example.address)
  const response = await fetch(new URL(path, origin), { method: 'POST', headers: { origin }, body })
  expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
  return response.status
}

test('what a call refuses has an answer, and the server goes on', async () => {
  const who = 'subject=ann&purpose=login'
  for (const path of [
    '/api/challenge',
    `/api/challenge?${who}&device=00`,
    `/api/challenge?subject=ann&purpose=none&device=${'00'.repeat(32)}`,
    '/api/verify?subject=&purpose=login',
    '/api/enroll?subject=ann&purpose=none',
  ])
    expect([path, await post(path)]).toEqual([path, 400])
  expect(await post(`/api/verify?${who}`, new Uint8Array(40_961))).toBe(413)
  expect(await post(`/api/verify?${who}`, new Uint8Array(40_960))).toBe(200)
  expect(await post('/api/challenge')).toBe(400)
  expect((await fetch(example.address)).status).toBe(200)
})

test('who hangs up in the middle, or sends no address, ends nothing', async () => {
  const { host, port } = new URL(example.address)
  const lines = [`Host: ${host}`, `Origin: http://${host}`, 'Content-Length: 1000', '', 'half']
  for (const request of [
    `POST /api/verify HTTP/1.1\r\n${lines.join('\r\n')}`,
    `GET // HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
  ]) {
    await new Promise<void>((resolve, reject) => {
      const socket = connect(Number(port), '127.0.0.1', () =>
        socket.write(request, () => setTimeout(() => socket.destroy(), 50)),
      )
      socket.on('error', reject).on('close', () => resolve())
    })
  }
  expect((await fetch(example.address)).status).toBe(200)
})
