/** Rows of captures that verify and are wrong all the same, and captures that are right and of no use. @module */
import { memoryStore, type Store } from 'guise'
import { captureDesk } from 'guise/capture'
import { expect, test } from 'vitest'
import type { Realm } from '../../src/base/brand.ts'
import { type CborValue, encodeCbor } from '../../src/base/cbor.ts'
import { captureKeys, readRow, ringRowKey, writeRow } from '../../src/capture/rows.ts'
import { readToken } from '../../src/capture/statement.ts'
import {
  ANN,
  captureWorld,
  freshVector,
  LOGIN,
  MODEL,
  outcome,
  REALM,
  sealedCapture,
  vectorOf,
} from '../support/capture.ts'
import { codeOf } from '../support/vault.ts'

const realm = REALM as Realm
const secret = Uint8Array.from({ length: 32 }, (_, i) => i + 1)
const keys = captureKeys(secret, realm)

async function worldWithRing(
  body: readonly CborValue[],
): Promise<{ readonly code: string; readonly store: Store }> {
  const store = memoryStore()
  const bytes = writeRow(keys.transport, 'guise/v1/capture-ring', body)
  await store.commit([{ step: 'put', table: 'challenges', key: ringRowKey(realm), bytes, expected: null }])
  const { desk, device } = await captureWorld({ store, secret })
  return { code: await codeOf(desk.challenge({ ...ANN, device: device.id })), store }
}

const key = (id: number, until: number | null): CborValue => [
  new Uint8Array(32).fill(id),
  new Uint8Array(65),
  0,
  until,
  new Uint8Array(12),
  new Uint8Array(48),
]

test('rings that nobody should have written are refused', async () => {
  for (const body of [
    [1, 65, 'others', 1, [key(1, null)]],
    [1, 65, REALM, 1, 7],
    [1, 65, REALM, 1, Array.from({ length: 9 }, () => key(1, null))],
    [1, 64, REALM, 1, [key(1, null)]],
    [2, 65, REALM, 1, [key(1, null)]],
    [1, 65, REALM, 1],
  ])
    expect((await worldWithRing(body)).code).toBe('ERR_CAPTURE_ROW')
})

test('a ring without a current key gets one; a key that does not unwrap is a fault', async () => {
  expect((await worldWithRing([1, 65, REALM, 1, [key(1, 5)]])).code).toBe('resolved')
  const { store } = await worldWithRing([1, 65, REALM, 1, [key(1, null)]])
  const { desk } = await captureWorld({ store, secret })
  const sealed = encodeCbor([
    1,
    60,
    Uint8Array.of(0, 16, 0, 1, 0, 1),
    new Uint8Array(32).fill(1),
    new Uint8Array(65),
    new Uint8Array(17),
  ])
  expect(await outcome(desk, sealed)).toBe('ERR_CAPTURE_ROW')
})

test('a row of another label, or too long, is refused', () => {
  const reject = expect.objectContaining({ code: 'ERR_CAPTURE_ROW' })
  const row = writeRow(keys.device, 'guise/v1/capture-device', [1, 63])
  expect(readRow(row, keys.device, 'guise/v1/capture-device', 63, 2)).toEqual([1, 63])
  for (const [label, kind, arity] of [
    ['guise/v1/capture-family', 63, 2],
    ['guise/v1/capture-device', 64, 2],
    ['guise/v1/capture-device', 63, 3],
  ] as const)
    expect(() => readRow(row, keys.device, label, kind, arity)).toThrow(reject)
  expect(() => readRow(new Uint8Array(5000), keys.device, 'x', 63, 2)).toThrow(reject)
})

test('a vector that has no direction is refused, whoever states it', async () => {
  for (const vector of [new Float32Array(MODEL.dimensions).fill(1e-9), new Float32Array(MODEL.dimensions)]) {
    const world = await captureWorld()
    expect(await outcome(world.desk, await sealedCapture(world, { vector }))).toBe('probe')
    expect(await outcome(world.desk, await sealedCapture(world))).toBe('accepted')
  }
})

test('a token that ends early is refused', () => {
  expect(() => readToken(Uint8Array.of(0xd2, 0x84), (why) => new Error(why))).toThrow('another form')
})

test('a challenge for a key that is no point cannot be sealed to', async () => {
  const { sealCapture } = await import('guise/capture')
  const { thumbprint } = await import('../../src/capture/device-key.ts')
  const publicKey = new Uint8Array(65).fill(4)
  const id = thumbprint({ algorithm: 'ES256', publicKey })
  const world = await captureWorld()
  const challenge = encodeCbor([1, 66, REALM, 'login', new Uint8Array(32), id, publicKey])
  const { signer } = world.device
  const options = {
    challenge,
    signer,
    model: MODEL,
    intent: true,
    vector: new Float32Array(64).fill(1),
    conditions: { masked: false, glasses: false, quality: 1 },
  }
  expect(await codeOf(sealCapture(options))).toBe('ERR_CAPTURE_INPUT')
})

test('a model’s mean is subtracted, and is part of what a repetition is known by', async () => {
  const mean = Float32Array.from({ length: MODEL.dimensions }, (_, i) => i / 64)
  const plain = await captureWorld()
  const centred = await captureWorld({ store: plain.store, secret, model: { ...MODEL, mean } })
  const vector = freshVector()
  using first = await plain.desk.openCapture(await sealedCapture(plain, { vector }), ANN)
  using second = await centred.desk.openCapture(await sealedCapture(centred, { vector }), ANN)
  expect(vectorOf(first)).not.toEqual(vectorOf(second))
  expect(await outcome(centred.desk, await sealedCapture(centred, { vector }))).toBe('repeated')
})

test('a port whose checks never hold ends in a fault that may be tried again, not in a loop', async () => {
  const world = await captureWorld()
  const checks = [
    { step: 'check', table: 'challenges', key: ringRowKey(realm), expected: 'another version' },
  ] as const
  const { publicKey, algorithm } = world.device.signer.key
  const found = { publicKey, algorithm, carrier: 'token', family: 'a', checks } as const
  const desk = captureDesk({
    store: world.store,
    realm: REALM,
    secret: world.secret,
    clock: world.clock,
    model: MODEL,
    policies: [LOGIN],
    refusalMs: 0,
    devices: { find: async () => found },
  })
  const sealed = await sealedCapture(world)
  expect(await outcome(desk, sealed)).toBe('ERR_STORE_CONFLICT')
  expect(await outcome(world.desk, sealed)).toBe('accepted')
})

test('a desk whose clock is its own works too', async () => {
  const store = memoryStore()
  const { devices, device } = await captureWorld({ store, secret })
  const desk = captureDesk({ store, realm: REALM, secret, model: MODEL, devices, policies: [LOGIN] })
  const { bytes, expiresAt } = await desk.challenge({ ...ANN, device: device.id })
  expect(expiresAt - Date.now()).toBeLessThanOrEqual(60_000)
  const world = { ...(await captureWorld()), desk, device }
  const sealed = await sealedCapture(world, { challenge: bytes, capturedAtMs: Date.now() })
  expect(await outcome(desk, sealed)).toBe('accepted')
})
