/** SPEC §20.6: what a refusal shows, what is known again, what is left behind. @module */
import { createSign } from 'node:crypto'
import { inspect } from 'node:util'
import { memoryStore } from 'guise'
import { CaptureError, captureReason, isAttestedCapture } from 'guise/capture'
import { describe, expect, test } from 'vitest'
import type { Realm } from '../../src/base/brand.ts'
import { joinBytes } from '../../src/base/bytes.ts'
import { areaKey, CHALLENGES, REPEATS, TABLE } from '../../src/capture/rows.ts'
import { otherSignature } from '../reference/cose.ts'
import {
  ANN,
  captureWorld,
  freshVector,
  outcome,
  REALM,
  rowsOf,
  sealedCapture,
  vectorOf,
} from '../support/capture.ts'
import { overwrite } from '../support/rows.ts'

describe('refusals', () => {
  test('CAPTURE-17 look the same, take their time, and tell the reason to the symbol alone', async () => {
    const world = await captureWorld({ refusalMs: 60 })
    const sealed = await sealedCapture(world)
    const cut = sealed.slice(0, 40)
    const kinds = [
      cut,
      sealed.map((byte, i) => (i === sealed.length - 1 ? byte ^ 1 : byte)),
      await sealedCapture(world, { intent: false }),
    ]
    const seen: { error: CaptureError; ms: number }[] = []
    for (const bytes of kinds) {
      const from = performance.now()
      const error = await world.desk.openCapture(bytes, ANN).then(
        () => new Error('accepted'),
        (thrown: unknown) => thrown,
      )
      if (!(error instanceof CaptureError)) throw error
      seen.push({ error, ms: performance.now() - from })
    }
    for (const { error, ms } of seen) {
      expect(ms).toBeGreaterThanOrEqual(59)
      expect([error.code, error.message]).toEqual(['ERR_CAPTURE_REFUSED', 'the capture was refused'])
      expect(inspect(error, { depth: 9 })).not.toMatch(/format|sealed'|policy/)
      expect(JSON.stringify(error)).not.toMatch(/format|policy/)
    }
    const reasons = seen.map(({ error }) => (error as { [captureReason]?: string })[captureReason])
    expect(reasons).toEqual(['format', 'sealed', 'policy'])
  })

  test('CAPTURE-8 another signature, or another seal, does not make a capture another', async () => {
    const world = await captureWorld()
    const { privateKey } = world.device
    const tokens: Uint8Array[] = []
    const key = world.device.signer.key
    const challenge = (await world.desk.challenge({ ...ANN, device: world.device.id })).bytes
    const vector = freshVector()
    for (const change of [(bytes: Uint8Array) => bytes, otherSignature]) {
      const sign = async (message: Uint8Array): Promise<Uint8Array> => {
        const signature =
          tokens[0] ??
          createSign('sha256').update(message).sign({ key: privateKey, dsaEncoding: 'ieee-p1363' })
        tokens.push(change(Uint8Array.from(signature)))
        return tokens.at(-1) as Uint8Array
      }
      const sealed = await sealedCapture(world, { challenge, vector, signer: { key, sign } })
      expect(await outcome(world.desk, sealed)).toBe(tokens.length === 1 ? 'accepted' : 'challenge')
    }
    expect(tokens[0]).not.toEqual(tokens[1])
  })

  test('CAPTURE-18 an accepted probe is known again, for one to two periods', async () => {
    const day = 86_400_000
    const world = await captureWorld({ retentionMs: day })
    const vector = freshVector()
    expect(await outcome(world.desk, await sealedCapture(world, { vector }))).toBe('accepted')
    const scaled = vector.map((value) => value * 4)
    for (const again of [vector, scaled])
      expect(await outcome(world.desk, await sealedCapture(world, { vector: again }))).toBe('repeated')
    world.clock.advance(day)
    await world.desk.sweep()
    expect(await outcome(world.desk, await sealedCapture(world, { vector }))).toBe('repeated')
    world.clock.advance(day)
    await world.desk.sweep()
    expect((await rowsOf(world.store))[2]).toBeUndefined()
    expect(await outcome(world.desk, await sealedCapture(world, { vector }))).toBe('accepted')
  })

  test('CAPTURE-18 a row whose key is nobody’s keeps no sweep from what lies behind it', async () => {
    const day = 86_400_000
    const world = await captureWorld({ retentionMs: day })
    expect(await outcome(world.desk, await sealedCapture(world))).toBe('accepted')
    for (const area of [CHALLENGES, REPEATS]) {
      const key = joinBytes(areaKey(REALM as Realm, area), new Uint8Array(3))
      await overwrite(world.store, TABLE, key, new Uint8Array(9))
    }
    const before = await rowsOf(world.store)
    expect([before[CHALLENGES], before[REPEATS]]).toEqual([1, 2])
    world.clock.advance(2 * day)
    await world.desk.sweep()
    const after = await rowsOf(world.store)
    expect([after[CHALLENGES], after[REPEATS]]).toEqual([undefined, undefined])
  })

  test('CAPTURE-19 what was returned is wiped when it is disposed, and prints nothing', async () => {
    const world = await captureWorld()
    const capture = await world.desk.openCapture(await sealedCapture(world), ANN)
    const values = vectorOf(capture)
    expect(values.some((value) => value !== 0)).toBe(true)
    expect([String(capture), inspect(capture)]).toEqual(['[AttestedCapture]', '[AttestedCapture]'])
    expect(() => JSON.stringify(capture)).toThrow(CaptureError)
    capture[Symbol.dispose]()
    expect(values.every((value) => value === 0)).toBe(true)
    expect(() => vectorOf(capture)).toThrow(expect.objectContaining({ code: 'ERR_CAPTURE_DISPOSED' }))
    const look = { ...capture } as typeof capture
    expect(isAttestedCapture(look)).toBe(false)
    expect(() => vectorOf(look)).toThrow(expect.objectContaining({ code: 'ERR_CAPTURE_INPUT' }))
    expect(() => vectorOf(null as never)).toThrow(expect.objectContaining({ code: 'ERR_CAPTURE_INPUT' }))
  })

  test('a fault of the store is a fault, not a refusal', async () => {
    const store = memoryStore()
    const world = await captureWorld({ store })
    const sealed = await sealedCapture(world)
    await store.close()
    expect(await outcome(world.desk, sealed)).toBe('ERR_STORE_CLOSED')
  })
})
