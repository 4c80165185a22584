/** Captures where WebAssembly is forbidden: made, opened, refused. @module */
import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'

const dist = new URL('../../dist/', import.meta.url)

test('a capture is sealed and opened without WebAssembly', () => {
  const script = `
    if (typeof WebAssembly !== 'undefined') throw new Error('WebAssembly is still there')
    const { memoryStore } = await import('${dist.href}store/memory.js')
    const { captureDesk, deviceRegistry, platformSigner, sealCapture } = await import('${dist.href}capture.js')
    const model = { id: 'arcface-r100@1', dimensions: 64, metric: 'cosine' }
    const [store, secret, realm] = [memoryStore(), new Uint8Array(32), 'tests']
    const devices = deviceRegistry({ store, realm, secret })
    const policies = [{ purpose: 'login', liveness: 'not-needed' }]
    const desk = captureDesk({ store, realm, secret, model, devices, policies, refusalMs: 0 })
    const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify'])
    const signer = await platformSigner(pair)
    const device = await devices.enroll({ ...signer.key, carrier: 'token', family: 'a' })
    const scope = { subject: 'ann', purpose: 'login' }
    const { bytes } = await desk.challenge({ ...scope, device })
    const vector = Float32Array.from({ length: 64 }, (_, i) => Math.sin(i * i))
    const conditions = { masked: false, glasses: false, quality: 1 }
    const sealed = await sealCapture({ challenge: bytes, vector, model, conditions, intent: true, signer })
    console.log(String(await desk.openCapture(sealed, scope)))
    await desk.openCapture(sealed, scope).catch((error) => console.log(error.code))`
  const run = spawnSync(process.execPath, ['--jitless', '--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: 30_000,
  })
  expect({ status: run.status, text: run.stdout.trim() }).toEqual({
    status: 0,
    text: '[AttestedCapture]\nERR_CAPTURE_REFUSED',
  })
}, 40_000)
