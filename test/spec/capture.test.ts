import { type AcceptedLiveness, type CapturePolicy, captureDesk, isAttestedCapture } from 'guise/capture'
import { describe, expect, test } from 'vitest'
import {
  ANN,
  authenticator,
  CONDITIONS,
  captureWorld,
  freshVector,
  LIVENESS,
  LOGIN,
  MODEL,
  ORIGIN,
  outcome,
  REALM,
  rowsOf,
  sealedCapture,
  type TestWorld,
  vectorOf,
} from '../support/capture.ts'

const ask = ({ desk, device }: TestWorld, scope: Parameters<typeof desk.openCapture>[1] = ANN) =>
  desk.challenge({ ...scope, device: device.id })

describe('challenges', () => {
  test('CAPTURE-1 a challenge is durable, and ends on its millisecond', async () => {
    const world = await captureWorld()
    const challenge = await ask(world)
    expect(challenge.expiresAt).toBe(world.clock.nowMs() + 60_000)
    expect((await rowsOf(world.store))[1]).toBe(1)
    const sealed = await sealedCapture(world, { challenge: challenge.bytes })
    world.clock.advance(60_000)
    expect(await outcome(world.desk, sealed)).toBe('challenge')
    const next = await sealedCapture(world)
    world.clock.advance(59_999)
    expect(await outcome(world.desk, next)).toBe('accepted')
  })

  test('CAPTURE-1 a row of another key, or in another place, is no challenge', async () => {
    const world = await captureWorld()
    const sealed = [await sealedCapture(world), await sealedCapture(world)]
    const found: { key: Uint8Array; bytes: Uint8Array; version: string }[] = []
    for await (const row of world.store.scan('challenges', new Uint8Array(0)))
      if (row.key[1 + REALM.length] === 1) found.push(row)
    const [first, second] = found
    if (first === undefined || second === undefined) throw new Error('two challenges')
    const put = (row: typeof first, bytes: Uint8Array) =>
      world.store.commit([{ step: 'put', table: 'challenges', key: row.key, bytes, expected: row.version }])
    await put(first, second.bytes)
    await put(second, Uint8Array.of(0x80))
    for (const capture of sealed) expect(await outcome(world.desk, capture)).toBe('challenge')
  })

  test.each(['ES256', 'EdDSA'] as const)(
    'CAPTURE-2 a capture under %s is accepted once',
    async (algorithm) => {
      for (const webAuthnDevice of [false, true]) {
        const world = await captureWorld({ algorithm, webAuthnDevice })
        const vector = freshVector()
        const sealed = await sealedCapture(world, { vector })
        using capture = await world.desk.openCapture(sealed, ANN)
        expect(isAttestedCapture(capture)).toBe(true)
        const norm = Math.hypot(...vector)
        const unit = vectorOf(capture)
        expect(Array.from(unit, (value) => Math.fround(value * 8))).toEqual(
          Array.from(vector, (value) => Math.fround((value / norm) * 8)),
        )
        expect(capture).toMatchObject({
          ...ANN,
          realm: REALM,
          model: MODEL.id,
          device: world.device.id,
          family: 'phone-9',
          capturedAt: world.clock.nowMs(),
          conditions: CONDITIONS,
          liveness: LIVENESS,
          claims: [],
          probeClass: 'any',
          tripwire: 7500,
        })
        expect(await outcome(world.desk, sealed)).toBe('challenge')
      }
    },
  )

  test('CAPTURE-2 a statement that was refused for its content spends its challenge', async () => {
    const world = await captureWorld()
    const challenge = (await ask(world)).bytes
    const first = await sealedCapture(world, { challenge, intent: false })
    expect(await outcome(world.desk, first)).toBe('policy')
    expect(await outcome(world.desk, await sealedCapture(world, { challenge }))).toBe('challenge')
  })

  test('CAPTURE-3 a challenge is for its subject, purpose and device, and others do not spend it', async () => {
    const world = await captureWorld({ policies: [LOGIN, { ...LOGIN, purpose: 'payment' }] })
    const sealed = await sealedCapture(world)
    expect(await outcome(world.desk, sealed, { subject: 'bob', purpose: 'login' })).toBe('binding')
    expect(await outcome(world.desk, sealed, { search: true, purpose: 'login' })).toBe('binding')
    expect(await outcome(world.desk, sealed, { subject: 'ann', purpose: 'payment' })).toBe('binding')
    expect(await outcome(world.desk, sealed)).toBe('accepted')
    const search = { search: true, purpose: 'login' } as const
    const found = await sealedCapture(world, { challenge: (await ask(world, search)).bytes })
    expect(await outcome(world.desk, found)).toBe('binding')
    using capture = await world.desk.openCapture(found, search)
    expect(capture.subject).toBeUndefined()
  })

  test('CAPTURE-3 another realm neither opens a capture nor spends its challenge', async () => {
    const world = await captureWorld()
    const other = await captureWorld({ store: world.store, realm: 'others' })
    const sealed = await sealedCapture(world)
    expect(await outcome(other.desk, sealed)).toBe('recipient')
    expect(await outcome(world.desk, sealed)).toBe('accepted')
  })

  test('CAPTURE-4 however many are issued in a moment, what has expired does not pile up', async () => {
    const world = await captureWorld()
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 256; i++) await ask(world)
      world.clock.advance(9999)
    }
    world.clock.advance(60_000)
    for (let i = 0; i < 256; i++) await ask(world)
    expect((await rowsOf(world.store))[1]).toBeLessThanOrEqual(256)
  })

  test('CAPTURE-4 expired challenges are swept while others are issued, and no other row', async () => {
    const world = await captureWorld()
    for (let i = 0; i < 300; i++) await ask(world)
    world.clock.advance(59_000)
    const young = await sealedCapture(world)
    world.clock.advance(1000)
    await world.desk.sweep()
    expect((await rowsOf(world.store))[1]).toBe(1)
    world.clock.advance(10_000)
    await ask(world)
    expect((await rowsOf(world.store))[1]).toBe(2)
    expect(await outcome(world.desk, young)).toBe('accepted')
    expect(await rowsOf(world.store)).toEqual([undefined, 1, 1, 1, undefined, 1].map((count) => count))
  })
})

describe('statements', () => {
  test('CAPTURE-7 a key is used with its own carrier', async () => {
    const world = await captureWorld({ algorithm: 'EdDSA' })
    const { privateKey, signer } = authenticator('EdDSA')
    const id = await world.devices.enroll({ ...signer.key, carrier: 'token', family: 'phone-9' })
    const { bytes } = await world.desk.challenge({ ...ANN, device: id })
    const device = { id, privateKey, signer }
    expect(await outcome(world.desk, await sealedCapture({ ...world, device }, { challenge: bytes }))).toBe(
      'signature',
    )
  })

  test.each([
    ['another relying party', { rpId: 'example.com' }, 'signature'],
    ['no user present', { flags: 0x04 }, 'signature'],
    ['no user verified', { flags: 0x01 }, 'signature'],
    ['attested data', { flags: 0x45 }, 'signature'],
    ['extensions', { flags: 0x85 }, 'signature'],
    ['backup flags', { flags: 0x1d }, 'accepted'],
    [
      'another origin',
      { clientData: (c: string) => data(c, { origin: 'https://evil.example' }) },
      'signature',
    ],
    ['another type', { clientData: (c: string) => data(c, { type: 'webauthn.create' }) }, 'signature'],
    ['another challenge', { clientData: (c: string) => data(`A${c.slice(1)}`, {}) }, 'signature'],
    [
      'a frame in another origin',
      { clientData: (c: string) => data(c, { end: ',"topOrigin":"https://a.b"}' }) },
      'signature',
    ],
    ['a later member', { clientData: (c: string) => data(c, { end: ',"other":1}' }) }, 'accepted'],
    ['no end', { clientData: (c: string) => data(c, { end: '' }) }, 'signature'],
    ['something behind its end', { clientData: (c: string) => data(c, { end: '}}' }) }, 'signature'],
  ])('CAPTURE-6 an assertion with %s', async (_, parts, wanted) => {
    const world = await captureWorld()
    const { privateKey, signer } = authenticator('ES256', parts)
    const id = await world.devices.enroll({ ...signer.key, carrier: 'assertion', family: 'browser' })
    const { bytes } = await world.desk.challenge({ ...ANN, device: id })
    const sealed = await sealedCapture({ ...world, device: { id, privateKey, signer } }, { challenge: bytes })
    expect(await outcome(world.desk, sealed)).toBe(wanted)
  })

  test('CAPTURE-6 a desk for no relying party takes no assertion; one may waive the verified user', async () => {
    const { webAuthn: _, ...rest } = { webAuthn: undefined, webAuthnDevice: true }
    const without = await captureWorld({ ...rest })
    const deaf = captureDesk({
      store: without.store,
      realm: REALM,
      secret: without.secret,
      clock: without.clock,
      devices: without.devices,
      model: MODEL,
      policies: [LOGIN],
      refusalMs: 0,
    })
    expect(await outcome(deaf, await sealedCapture(without))).toBe('signature')
    const waived = await captureWorld({
      webAuthn: { rpId: 'example.org', origins: [ORIGIN], userVerification: false },
    })
    const { privateKey, signer } = authenticator('EdDSA', { flags: 1 })
    const id = await waived.devices.enroll({ ...signer.key, carrier: 'assertion', family: 'browser' })
    const { bytes } = await waived.desk.challenge({ ...ANN, device: id })
    const sealed = await sealedCapture(
      { ...waived, device: { id, privateKey, signer } },
      { challenge: bytes },
    )
    expect(await outcome(waived.desk, sealed)).toBe('accepted')
  })

  test.each<[string, CapturePolicy['liveness'], Parameters<typeof sealedCapture>[1], string]>([
    ['a live claim', accepted({}), { liveness: LIVENESS }, 'accepted'],
    [
      'its level and method',
      accepted({ level: '2', method: 'active-flash' }),
      { liveness: LIVENESS },
      'accepted',
    ],
    ['another level', accepted({ level: '3' }), { liveness: LIVENESS }, 'policy'],
    ['another method', accepted({ method: 'passive' }), { liveness: LIVENESS }, 'policy'],
    ['another issuer', accepted({ issuer: 'someone' }), { liveness: LIVENESS }, 'policy'],
    ['another standard', accepted({ standard: 'CEN/TS 18099' }), { liveness: LIVENESS }, 'policy'],
    ['an undecided one', accepted({}), { liveness: { ...LIVENESS, verdict: 'undecided' } }, 'policy'],
    [
      'an undecided one where none is needed',
      'not-needed',
      { liveness: { ...LIVENESS, verdict: 'undecided' } },
      'accepted',
    ],
    [
      'an attack where none is needed',
      'not-needed',
      { liveness: { ...LIVENESS, verdict: 'attack' } },
      'policy',
    ],
  ])('CAPTURE-9 liveness: %s', async (_, liveness, changes, wanted) => {
    const world = await captureWorld({ policies: [{ purpose: 'login', liveness }] })
    expect(await outcome(world.desk, await sealedCapture(world, changes))).toBe(wanted)
  })

  test('CAPTURE-9 without a claim nothing is live', async () => {
    for (const [liveness, wanted] of [
      ['not-needed', 'accepted'],
      [accepted({}), 'policy'],
    ] as const) {
      const world = await captureWorld({ policies: [{ purpose: 'login', liveness }] })
      const { liveness: claim, ...rest } = { liveness: LIVENESS, vector: freshVector() }
      expect(claim.verdict).toBe('live')
      const { sealCapture } = await import('guise/capture')
      const challenge = (await ask(world)).bytes
      const sealed = await sealCapture({
        ...rest,
        challenge,
        model: MODEL,
        conditions: CONDITIONS,
        intent: true,
        signer: world.device.signer,
        capturedAtMs: world.clock.nowMs(),
      })
      expect(await outcome(world.desk, sealed)).toBe(wanted)
    }
  })
})

describe('policies', () => {
  test('CAPTURE-16 time is measured from the question to now, by the device as far as the policy trusts it', async () => {
    const policies = [{ ...LOGIN, maxAgeMs: 10_000, clockSkewMs: 2000 }]
    for (const [at, later, wanted] of [
      [-2000, 0, 'accepted'],
      [-2001, 0, 'time'],
      [2000, 0, 'accepted'],
      [3000, 0, 'time'],
      [0, 10_999, 'accepted'],
      [0, 11_000, 'time'],
    ] as const) {
      const world = await captureWorld({ policies })
      const capturedAtMs = world.clock.nowMs() + at
      const sealed = await sealedCapture(world, { capturedAtMs })
      world.clock.advance(later)
      expect([at, later, await outcome(world.desk, sealed)]).toEqual([at, later, wanted])
    }
  })

  test('CAPTURE-15 a purpose without a policy is refused, and a policy says what it takes for live', async () => {
    const world = await captureWorld()
    await expect(ask(world, { subject: 'ann', purpose: 'search' })).rejects.toMatchObject({
      code: 'ERR_CAPTURE_POLICY',
    })
    const sealed = await sealedCapture(world)
    expect(await outcome(world.desk, sealed, { subject: 'ann', purpose: 'search' })).toBe(
      'ERR_CAPTURE_POLICY',
    )
    const liveness = undefined as unknown as CapturePolicy['liveness']
    await expect(captureWorld({ policies: [{ purpose: 'login', liveness }] })).rejects.toMatchObject({
      code: 'ERR_CAPTURE_POLICY',
    })
  })

  test('masked captures are compared in their own class, or not at all', async () => {
    const masked = { conditions: { ...CONDITIONS, masked: true } }
    const plain = await captureWorld()
    expect(await outcome(plain.desk, await sealedCapture(plain, masked))).toBe('policy')
    const world = await captureWorld({
      policies: [{ ...LOGIN, probeClass: { plain: 'face', masked: 'mask' } }],
    })
    using capture = await world.desk.openCapture(await sealedCapture(world, masked), ANN)
    using other = await world.desk.openCapture(await sealedCapture(world), ANN)
    expect([capture.probeClass, other.probeClass]).toEqual(['mask', 'face'])
  })

  test('CAPTURE-20 the tripwire is the policy’s, within its bounds, and cannot be changed', async () => {
    for (const tripwire of [4999, 10_001, 8200.5])
      await expect(captureWorld({ policies: [{ ...LOGIN, tripwire }] })).rejects.toMatchObject({
        code: 'ERR_CAPTURE_POLICY',
      })
    const world = await captureWorld({ policies: [{ ...LOGIN, tripwire: 9000 }] })
    using capture = await world.desk.openCapture(await sealedCapture(world), ANN)
    expect(capture.tripwire).toBe(9000)
    expect(Reflect.set(capture, 'tripwire', 10_000)).toBe(false)
    expect(Reflect.set(capture.conditions, 'masked', true)).toBe(false)
  })
})

function accepted(change: Partial<AcceptedLiveness>): readonly AcceptedLiveness[] {
  return [{ issuer: 'camera-app', standard: 'ISO/IEC 30107-3', ...change }]
}

function data(
  challenge: string,
  { type = 'webauthn.get', origin = ORIGIN, end = '}' }: { type?: string; origin?: string; end?: string },
): string {
  return `{"type":"${type}","challenge":"${challenge}","origin":"${origin}","crossOrigin":false${end}`
}
