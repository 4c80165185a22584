/** SPEC §20: what a desk cannot work with, and how it ends. @module */
import { captureDesk } from 'guise/capture'
import { describe, expect, test } from 'vitest'
import { ANN, captureWorld, LOGIN, MODEL, REALM } from '../support/capture.ts'
import { codeOf } from '../support/vault.ts'

describe('a desk', () => {
  test('refuses what it cannot work with, and everything once it is disposed of', async () => {
    const bad: readonly [object, string][] = [
      [{ realm: 'A' }, 'ERR_CAPTURE_INPUT'],
      [{ secret: new Uint8Array(31) }, 'ERR_CAPTURE_INPUT'],
      [{ challengeMs: 60_001 }, 'ERR_CAPTURE_INPUT'],
      [{ refusalMs: -1 }, 'ERR_CAPTURE_INPUT'],
      [{ retentionMs: 1 }, 'ERR_CAPTURE_INPUT'],
      [{ devices: 1 }, 'ERR_CAPTURE_INPUT'],
      [{ attestation: 1 }, 'ERR_CAPTURE_INPUT'],
      [{ webAuthn: { rpId: '', origins: [] } }, 'ERR_CAPTURE_INPUT'],
      [{ webAuthn: { rpId: 'a.b', origins: ['https://a.b"'] } }, 'ERR_CAPTURE_INPUT'],
      [{ policies: [] }, 'ERR_CAPTURE_POLICY'],
      [{ policies: [LOGIN, LOGIN] }, 'ERR_CAPTURE_POLICY'],
      [{ policies: [{ ...LOGIN, liveness: [] }] }, 'ERR_CAPTURE_POLICY'],
      [{ policies: [{ ...LOGIN, maxAgeMs: 60_001 }] }, 'ERR_CAPTURE_POLICY'],
      [{ policies: [{ ...LOGIN, claims: [''] }] }, 'ERR_CAPTURE_POLICY'],
    ]
    const world = await captureWorld()
    for (const [change, code] of bad) {
      const make = () =>
        captureDesk({
          store: world.store,
          realm: REALM,
          secret: world.secret,
          model: MODEL,
          devices: world.devices,
          policies: [LOGIN],
          ...change,
        })
      expect(make).toThrow(expect.objectContaining({ code }))
    }
    const { desk, device } = world
    const requests = [
      {},
      { purpose: 'login' },
      { ...ANN, search: true },
      { purpose: 'login', search: false },
      { ...ANN, subject: '' },
    ].map((request) => ({ device: device.id, ...request }))
    for (const request of [...requests, { ...ANN, device: 'zz' }, { ...ANN, device: new Uint8Array(3) }])
      expect(await codeOf(desk.challenge(request as never))).toBe('ERR_CAPTURE_INPUT')
    expect(await codeOf(desk.openCapture('text' as never, ANN))).toBe('ERR_CAPTURE_INPUT')
    const signal = AbortSignal.abort(new Error('stop'))
    expect(await codeOf(desk.openCapture(new Uint8Array(1), ANN, { signal }))).not.toBe('resolved')
    desk[Symbol.dispose]()
    for (const call of [
      desk.challenge({ ...ANN, device: device.id }),
      desk.openCapture(new Uint8Array(1), ANN),
      desk.sweep(),
      desk.rotateTransportKey(),
    ])
      expect(await codeOf(call)).toBe('ERR_CAPTURE_DISPOSED')
  })
})
