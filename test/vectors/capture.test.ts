/** Captures against their vectors (SPEC §20). @module */
import { memoryStore } from 'guise'
import {
  type CaptureDesk,
  type CaptureRefusal,
  captureDesk,
  captureReason,
  deviceId,
  deviceRegistry,
} from 'guise/capture'
import { describe, expect, test } from 'vitest'
import type { Realm } from '../../src/base/brand.ts'
import { manualClock } from '../../src/base/manual-clock.ts'
import { captureKeys } from '../../src/capture/rows.ts'
import { readPayload, signedBytes, writeHeader, writePayload } from '../../src/capture/statement.ts'
import file from './capture.json' with { type: 'json' }
import { hex, unhex } from './read.ts'

interface DeskVector {
  readonly secret: string
  readonly realm: string
  readonly now: number
  readonly subject: string
  readonly purpose: string
  readonly model: string
  readonly dimensions: number
  readonly rpId: string
  readonly origin: string
  readonly keys: Readonly<Record<'challenge' | 'repeat' | 'device' | 'transport', string>>
  readonly rows: readonly (readonly [key: string, bytes: string])[]
}
interface CaptureVector {
  readonly name: string
  readonly device: string
  readonly algorithm: 'ES256' | 'EdDSA'
  readonly header: string
  readonly payload: string
  readonly signed: string
  readonly sealed: string
}
type Thumbprint = Readonly<Record<'name' | 'publicKey' | 'thumbprint', string>> &
  Pick<CaptureVector, 'algorithm'>

const ofKind = <Vector>(kind: string): Vector[] =>
  (file.positive as readonly { readonly kind: string }[]).filter(
    (one) => one.kind === kind,
  ) as unknown as Vector[]
const [desk] = ofKind<DeskVector>('desk')
if (desk === undefined) throw new Error('a desk')

/** The desk on a fresh copy of its rows. */
async function open(sealed: Uint8Array): ReturnType<CaptureDesk['openCapture']> {
  const { realm, subject, purpose } = desk as DeskVector
  const [store, secret, clock] = [memoryStore(), unhex(desk?.secret ?? ''), manualClock(desk?.now ?? 0)]
  for (const [key, bytes] of desk?.rows ?? [])
    await store.commit([
      { step: 'put', table: 'challenges', key: unhex(key), bytes: unhex(bytes), expected: null },
    ])
  const opener = captureDesk({
    store,
    realm,
    secret,
    clock,
    devices: deviceRegistry({ store, realm, secret, clock }),
    model: { id: desk?.model ?? '', dimensions: desk?.dimensions ?? 0, metric: 'cosine' },
    policies: [
      { purpose, liveness: [{ issuer: 'camera-app', standard: 'ISO/IEC 30107-3' }], leastQuality: 30 },
    ],
    webAuthn: { rpId: desk?.rpId ?? '', origins: [desk?.origin ?? ''] },
    attestation: async () => [],
    refusalMs: 0,
  })
  return opener.openCapture(sealed, { subject, purpose })
}

test('the keys of a realm', () => {
  const keys = captureKeys(unhex(desk.secret), desk.realm as Realm)
  for (const name of ['challenge', 'repeat', 'device', 'transport'] as const)
    expect(hex(keys[name])).toBe(desk.keys[name])
})

test.each(ofKind<Thumbprint>('thumbprint'))('the id of $name', ({ algorithm, publicKey, thumbprint }) => {
  expect(deviceId({ algorithm, publicKey: unhex(publicKey) })).toBe(thumbprint)
})

describe('captures', () => {
  test.each(ofKind<CaptureVector>('capture'))('$name', async (vector) => {
    const payload = unhex(vector.payload)
    const statement = readPayload(payload, (why) => new Error(why))
    expect(hex(writePayload(statement))).toBe(vector.payload)
    const header = writeHeader(vector.algorithm, unhex(vector.device))
    expect([hex(header), hex(signedBytes({ header, payload }))]).toEqual([vector.header, vector.signed])
    using capture = await open(unhex(vector.sealed))
    expect([capture.device, capture.capturedAt]).toEqual([vector.device, statement.capturedSeconds * 1000])
  })

  test.each(file.negative)('refused as $reason: $name', async ({ sealed, code, reason }) => {
    const thrown = await open(unhex(sealed)).then(
      () => new Error('accepted'),
      (error: unknown) => error,
    )
    expect([(thrown as CaptureRefusal).code, (thrown as CaptureRefusal)[captureReason]]).toEqual([
      code,
      reason,
    ])
  })
})
