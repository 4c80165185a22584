/** SPEC §20.3 to §20.5: seals, transport keys, devices, attestation. @module */
import { generateKeyPairSync } from 'node:crypto'
import { memoryStore } from 'guise'
import {
  captureDesk,
  type DeviceKey,
  deviceId,
  deviceRegistry,
  memoryDevices,
  platformSigner,
  type SealCaptureOptions,
  sealCapture,
} from 'guise/capture'
import { describe, expect, test } from 'vitest'
import { decode, encode, type Value } from '../reference/cbor.ts'
import {
  ANN,
  captureWorld,
  LOGIN,
  MODEL,
  outcome,
  REALM,
  sealedCapture,
  seen,
  tokenDevice,
} from '../support/capture.ts'
import { codeOf } from '../support/vault.ts'

const changed = (bytes: Uint8Array, at: number, value: Value): Uint8Array =>
  encode((decode(bytes, 65_536) as readonly Value[]).map((item, i) => (i === at ? value : item)))

describe('seals', () => {
  test('CAPTURE-10 another suite is refused', async () => {
    const world = await captureWorld()
    const sealed = await sealedCapture(world)
    for (const suite of [[0, 0x20, 0, 1, 0, 1], [0, 0x10, 0, 1, 0, 2], [0, 0x10, 0, 1, 0, 1, 0], []])
      expect(await outcome(world.desk, changed(sealed, 2, Uint8Array.from(suite)))).toBe('suite')
    const short = changed(sealed, 2, Uint8Array.of(0, 0x20, 0, 1, 0, 1))
    expect(await outcome(world.desk, changed(short, 4, new Uint8Array(32)))).toBe('suite')
    expect(await outcome(world.desk, changed(sealed, 4, new Uint8Array(32)))).toBe('sealed')
    expect(await outcome(world.desk, changed(sealed, 5, new Uint8Array(15)))).toBe('sealed')
    expect(await outcome(world.desk, changed(sealed, 3, new Uint8Array(31)))).toBe('format')
    expect(await outcome(world.desk, sealed)).toBe('accepted')
  })

  test('CAPTURE-11 a device seals to a key with the right id, and to none that it was not told to trust', async () => {
    const world = await captureWorld()
    const { bytes } = await world.desk.challenge({ ...ANN, device: world.device.id })
    const [, , , , , id, publicKey] = decode(bytes, 512) as readonly Uint8Array[]
    if (id === undefined || publicKey === undefined) throw new Error('a recipient')
    const bad: Partial<SealCaptureOptions>[] = [
      { challenge: changed(bytes, 5, new Uint8Array(32)) },
      {
        challenge: changed(
          bytes,
          6,
          publicKey.map((byte, i) => (i === 9 ? byte ^ 1 : byte)),
        ),
      },
      { challenge: changed(bytes, 1, 67) },
      { challenge: changed(bytes, 2, 'No Realm') },
      { challenge: bytes, recipients: [] },
      { challenge: bytes, recipients: [new Uint8Array(32)] },
    ]
    for (const changes of bad)
      expect(await codeOf(sealedCapture(world, changes))).toBe('ERR_CAPTURE_CHALLENGE')
    const sealed = await sealedCapture(world, { challenge: bytes, recipients: [new Uint8Array(32), id] })
    expect(await outcome(world.desk, sealed)).toBe('accepted')
  })

  test('what a device states is checked before it is signed', async () => {
    const world = await captureWorld()
    const options = await seen(world)
    const bad: readonly [object, string][] = [
      [{ challenge: new Uint8Array(0) }, 'ERR_CAPTURE_INPUT'],
      [{ challenge: new Uint8Array(600) }, 'ERR_CAPTURE_INPUT'],
      [{ challenge: Uint8Array.of(0x80) }, 'ERR_CAPTURE_CHALLENGE'],
      [{ vector: new Float32Array(63) }, 'ERR_EMBEDDING_LENGTH'],
      [{ model: { ...MODEL, id: 'x' } }, 'ERR_EMBEDDING_MODEL'],
      [{ conditions: { masked: false, glasses: false, quality: 101 } }, 'ERR_CAPTURE_INPUT'],
      [{ conditions: undefined }, 'ERR_CAPTURE_INPUT'],
      [{ liveness: { ...options.liveness, issuer: '' } }, 'ERR_CAPTURE_INPUT'],
      [{ liveness: { ...options.liveness, verdict: 'yes' } }, 'ERR_CAPTURE_INPUT'],
      [{ intent: 1 }, 'ERR_CAPTURE_INPUT'],
      [{ attestation: new Uint8Array(0) }, 'ERR_CAPTURE_INPUT'],
      [{ capturedAtMs: -1 }, 'ERR_CAPTURE_INPUT'],
      [{ recipients: 'all' }, 'ERR_CAPTURE_INPUT'],
      [{ signer: undefined }, 'ERR_CAPTURE_DEVICE'],
    ]
    for (const [change, code] of bad)
      expect([change, await codeOf(sealCapture({ ...options, ...change }))]).toEqual([change, code])
    const { capturedAtMs: _, ...rest } = options
    expect((await sealCapture(rest)).length).toBeGreaterThan(256)
  })

  test('a signer that answers with no signature is refused', async () => {
    const world = await captureWorld()
    const ec = tokenDevice('ES256').signer.key
    const ed = tokenDevice('EdDSA').signer.key
    const sequence = (...bytes: number[]): Uint8Array => Uint8Array.of(0x30, bytes.length, ...bytes)
    const long = Array.from({ length: 33 }, () => 1)
    const bad: readonly [DeviceKey, unknown][] = [
      [ec, 'text'],
      [ec, new Uint8Array(63)],
      [ec, new Uint8Array(73)],
      [ec, Uint8Array.of(0x31, 6, 2, 1, 1, 2, 1, 1)],
      [ec, Uint8Array.of(0x30, 7, 2, 1, 1, 2, 1, 1)],
      [ec, sequence(3, 1, 1, 2, 1, 1)],
      [ec, sequence(2, 0, 2, 1, 1)],
      [ec, sequence(2, 1, 1, 2, 9, 1)],
      [ec, sequence(2, 1, 1, 2, 1, 1, 0)],
      [ec, sequence(2, 1, 1)],
      [ec, sequence(2, 33, ...long, 2, 1, 1)],
      [ed, sequence(2, 1, 1, 2, 1, 1)],
    ]
    for (const [key, answer] of bad) {
      const signer = { key, sign: async () => answer as Uint8Array }
      expect(await codeOf(sealedCapture(world, { signer }))).toBe('ERR_CAPTURE_SIGNER')
    }
    for (const answer of [
      undefined,
      {},
      { authenticatorData: new Uint8Array(37), clientDataJSON: new Uint8Array(0) },
    ]) {
      const signer = { key: ec, assert: async () => answer as never }
      expect(await codeOf(sealedCapture(world, { signer }))).toBe('ERR_CAPTURE_SIGNER')
    }
  })

  test('a key of the platform signs', async () => {
    const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, [
      'sign',
      'verify',
    ])
    const signer = await platformSigner(pair)
    const world = await captureWorld()
    const id = await world.devices.enroll({ ...signer.key, carrier: 'token', family: 'browser' })
    expect(id).toBe(deviceId(signer.key))
    const challenge = (await world.desk.challenge({ ...ANN, device: id })).bytes
    expect(await outcome(world.desk, await sealedCapture(world, { challenge, signer }))).toBe('accepted')
    const other = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-384' }, false, [
      'sign',
      'verify',
    ])
    expect(await codeOf(platformSigner(other))).toBe('ERR_CAPTURE_INPUT')
  })
})

describe('transport keys', () => {
  test('CAPTURE-12 a former key opens until its end, and a challenge names the current one', async () => {
    const world = await captureWorld()
    const sealed = [await sealedCapture(world), await sealedCapture(world)] as const
    const next = await world.desk.rotateTransportKey({ overlapMs: 120_000 })
    const { bytes } = await world.desk.challenge({ ...ANN, device: world.device.id })
    expect((decode(bytes, 512) as readonly Value[])[5]).toEqual(next.id)
    expect(await outcome(world.desk, sealed[0])).toBe('accepted')
    world.clock.advance(119_999)
    expect(await outcome(world.desk, sealed[1])).toBe('challenge')
    world.clock.advance(1)
    expect(await outcome(world.desk, sealed[1])).toBe('recipient')
    await world.desk.sweep()
    expect(await outcome(world.desk, sealed[1])).toBe('recipient')
    expect(await outcome(world.desk, await sealedCapture(world))).toBe('accepted')
  })

  test('CAPTURE-12 one of several rotations wins, and so does one of several first keys', async () => {
    const world = await captureWorld()
    const first = await Promise.all(
      Array.from({ length: 8 }, () => world.desk.challenge({ ...ANN, device: world.device.id })),
    )
    const ids = new Set(
      first.map(({ bytes }) => String((decode(bytes, 512) as readonly Value[])[5] as Uint8Array)),
    )
    expect(ids.size).toBe(1)
    const codes = await Promise.all(Array.from({ length: 8 }, () => codeOf(world.desk.rotateTransportKey())))
    expect(codes.filter((code) => code === 'resolved').length).toBe(1)
    expect(new Set(codes)).toEqual(new Set(['resolved', 'ERR_STORE_CONFLICT']))
    for (let i = 0; i < 6; i++) await world.desk.rotateTransportKey()
    expect(await codeOf(world.desk.rotateTransportKey())).toBe('ERR_CAPTURE_INPUT')
    expect(await codeOf(world.desk.rotateTransportKey({ overlapMs: 119_999 }))).toBe('ERR_CAPTURE_INPUT')
  })

  test('a ring of another secret is not read', async () => {
    const world = await captureWorld()
    const sealed = await sealedCapture(world)
    const other = await captureWorld({ store: world.store, secret: new Uint8Array(32) })
    expect(await outcome(other.desk, sealed)).toBe('ERR_CAPTURE_ROW')
  })
})

describe('devices', () => {
  test('CAPTURE-13 a revocation that was first wins, also against a capture under way', async () => {
    for (const how of ['device', 'family'] as const) {
      const store = memoryStore()
      let between = async (): Promise<void> => undefined
      const world = await captureWorld({
        store,
        // The hook runs between the look at the device and the commit.
        attestation: async () => {
          await between()
          return []
        },
      })
      const revoke = (): Promise<void> =>
        how === 'device' ? world.devices.revoke(world.device.id) : world.devices.revokeFamily('phone-9')
      const attestation = Uint8Array.of(1)
      const sealed = [
        await sealedCapture(world, { attestation }),
        await sealedCapture(world, { attestation }),
      ] as const
      between = revoke
      expect(await outcome(world.desk, sealed[0])).toBe('device')
      expect(await outcome(world.desk, sealed[1])).toBe('device')
      expect(await outcome(world.desk, sealed[0])).toBe('device')
      await revoke()
      const again = { ...world.device.signer.key, carrier: 'token', family: 'phone-9' } as const
      expect(await codeOf(world.devices.enroll(again))).toBe('ERR_CAPTURE_DEVICE')
    }
  })

  test('CAPTURE-13 a device row that was written again and is still good does not stop a capture', async () => {
    let between = async (): Promise<void> => undefined
    const world = await captureWorld({
      attestation: async () => {
        await between()
        return []
      },
    })
    const sealed = await sealedCapture(world, { attestation: Uint8Array.of(1) })
    between = async () => {
      for await (const { key, bytes, version } of world.store.scan('challenges', new Uint8Array(0)))
        if (key[1 + REALM.length] === 3)
          await world.store.commit([{ step: 'put', table: 'challenges', key, bytes, expected: version }])
    }
    expect(await outcome(world.desk, sealed)).toBe('accepted')
  })

  test('keys that are none are not enrolled; unknown ones are not revoked', async () => {
    const devices = memoryDevices()
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })
    const point = Uint8Array.from(
      Buffer.concat([Buffer.of(4), Buffer.from(`${ec.x}`, 'base64url'), Buffer.from(`${ec.y}`, 'base64url')]),
    )
    const right = { algorithm: 'ES256', publicKey: point, carrier: 'token', family: 'a' } as const
    const bad = [
      { ...right, publicKey: point.map((byte, i) => (i === 64 ? byte ^ 1 : byte)) },
      { ...right, publicKey: point.map((byte, i) => (i === 0 ? 3 : byte)) },
      { ...right, publicKey: point.slice(1) },
      { ...right, algorithm: 'RS256' },
      { ...right, carrier: 'paper' },
      { ...right, family: '' },
    ]
    for (const device of bad)
      expect(await codeOf(devices.enroll(device as typeof right))).toBe('ERR_CAPTURE_DEVICE')
    const id = await devices.enroll(right)
    expect(await codeOf(devices.enroll(right))).toBe('ERR_CAPTURE_DEVICE')
    for (const device of ['00'.repeat(32), 'zz', 7 as never])
      expect(await codeOf(devices.revoke(device))).toBe('ERR_CAPTURE_DEVICE')
    await Promise.all([devices.revoke(id), devices.revoke(id), devices.revoke(id)])
    expect(await devices.find(Uint8Array.from(Buffer.from(id, 'hex')))).toBeUndefined()
    expect(() => deviceRegistry({ store: memoryStore(), realm: 'A', secret: new Uint8Array(32) })).toThrow(
      expect.objectContaining({ code: 'ERR_CAPTURE_INPUT' }),
    )
  })

  test('a device row of another key, or in another place, trusts nobody and is not revoked', async () => {
    const world = await captureWorld()
    const other = await captureWorld({ store: world.store, secret: new Uint8Array(32) })
    expect(await world.devices.find(Buffer.from(other.device.id, 'hex'))).toBeUndefined()
    expect(await codeOf(world.devices.revoke(other.device.id))).toBe('ERR_CAPTURE_ROW')
    const rows: { key: Uint8Array; bytes: Uint8Array; version: string }[] = []
    for await (const row of world.store.scan('challenges', new Uint8Array(0)))
      if (row.key[1 + REALM.length] === 3) rows.push(row)
    const mine = rows.find(({ key }) => Buffer.from(key).toString('hex').endsWith(world.device.id))
    const its = rows.find((row) => row !== mine)
    if (mine === undefined || its === undefined) throw new Error('two devices')
    await world.store.commit([
      { step: 'put', table: 'challenges', key: its.key, bytes: mine.bytes, expected: its.version },
    ])
    expect(await world.devices.find(Buffer.from(other.device.id, 'hex'))).toBeUndefined()
  })

  test('devices may lie elsewhere: a desk asks a port', async () => {
    const devices = memoryDevices()
    const world = await captureWorld()
    const { key } = world.device.signer
    await devices.enroll({ ...key, carrier: 'token', family: 'phone-9' })
    const desk = captureDesk({
      store: world.store,
      realm: REALM,
      secret: world.secret,
      clock: world.clock,
      model: MODEL,
      policies: [LOGIN],
      refusalMs: 0,
      devices,
    })
    expect(await outcome(desk, await sealedCapture(world))).toBe('accepted')
  })
})

describe('attestation', () => {
  const chain = Uint8Array.of(9, 8, 7)
  const policies = [{ ...LOGIN, claims: ['strongbox'] }]

  test('CAPTURE-14 claims come from the hook, for the very device', async () => {
    const asked: unknown[] = []
    const world = await captureWorld({
      policies,
      attestation: async (bytes, device) => {
        asked.push([...bytes], device.id, device.family)
        return ['strongbox', 'app-integrity']
      },
    })
    using capture = await world.desk.openCapture(await sealedCapture(world, { attestation: chain }), ANN)
    expect(capture.claims).toEqual(['strongbox', 'app-integrity'])
    expect(asked).toEqual([[9, 8, 7], world.device.id, 'phone-9'])
    expect(await outcome(world.desk, await sealedCapture(world))).toBe('policy')
  })

  test.each([
    ['refuses', async () => undefined, 'attestation'],
    ['answers with something else', async () => 'strongbox' as never, 'attestation'],
    ['verifies something else', async () => ['tee', 7 as never], 'policy'],
  ])('CAPTURE-14 a hook that %s', async (_, attestation, wanted) => {
    const world = await captureWorld({ policies, attestation })
    expect(await outcome(world.desk, await sealedCapture(world, { attestation: chain }))).toBe(wanted)
  })

  test('CAPTURE-1 a hook that takes longer than the challenge lives gives nothing', async () => {
    const world = await captureWorld({
      attestation: async () => {
        world.clock.advance(61_000)
        return []
      },
    })
    expect(await outcome(world.desk, await sealedCapture(world, { attestation: chain }))).toBe('challenge')
  })

  test('CAPTURE-19 a desk that is disposed of keeps its keys for the calls that are under way', async () => {
    const world = await captureWorld({
      attestation: async () => {
        world.desk[Symbol.dispose]()
        return []
      },
    })
    const sealed = await sealedCapture(world, { attestation: chain })
    using capture = await world.desk.openCapture(sealed, ANN)
    expect(capture.purpose).toBe('login')
    expect(await codeOf(world.desk.sweep())).toBe('ERR_CAPTURE_DISPOSED')
  })

  test('CAPTURE-14 without a hook a chain proves nothing; a fault of the hook is a fault', async () => {
    const without = await captureWorld({ policies })
    expect(await outcome(without.desk, await sealedCapture(without, { attestation: chain }))).toBe('policy')
    const world = await captureWorld({
      policies,
      attestation: () => Promise.reject(Object.assign(new Error('no answer'), { code: 'ERR_MINE' })),
    })
    expect(await outcome(world.desk, await sealedCapture(world, { attestation: chain }))).toBe('ERR_MINE')
  })
})
