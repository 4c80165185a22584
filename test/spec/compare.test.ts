/** Requirements of SPEC §7, one test each and more. @module */

import { inspect } from 'node:util'
import * as guise from 'guise'
import { beforeAll, expect, test } from 'vitest'
import { accepts } from '../../src/compare/decide.ts'
import { CompareError } from '../../src/compare/errors.ts'
import { score } from '../../src/compare/score.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { embedding, fuse, toIntegers } from '../../src/embedding/embedding.ts'
import { Probe } from '../../src/template/probe.ts'
import { encodeProbe, encodeReference } from '../../src/template/template.ts'
import { bytesOf, captureOf } from '../faces.ts'

beforeAll(() => cryptoReady())

const model = { id: 'test-net@1', dimensions: 512, metric: 'cosine' } as const
const integersOf = (label: string, capture: string): Int32Array =>
  toIntegers(embedding(captureOf(label, 512, capture, 0.4), model))

test('COMPARE-1 accepts exactly when S > 0 and S² · 10^8 >= T² · m · Q', () => {
  for (const m of [64, 128, 256, 512, 1024]) {
    for (const energy of [0, 1, m, 7 * m + 3, 20 * m + 1, 49 * m]) {
      for (const threshold of [1, 2, 1234, 2500, 3333, 5000, 9999, 10_000]) {
        const edge = Math.round((threshold * Math.sqrt(m * energy)) / 10_000)
        for (const sum of [-7 * m, -edge, -1, 0, 1, edge - 1, edge, edge + 1, 7 * m]) {
          const [S, T, Q] = [BigInt(sum), BigInt(threshold), BigInt(energy)]
          const exact = S > 0n && S * S * 100_000_000n >= T * T * BigInt(m) * Q
          expect(accepts(sum, energy, m, threshold)).toBe(exact)
        }
      }
    }
  }
})

test('COMPARE-1 accepts the same face and refuses another, and whoever has another key', () => {
  const key = bytesOf('key', 32)
  const code = encodeReference(integersOf('a', '1'), 'B4', 512, key)
  const decide = (z: Int32Array, probeKey: Uint8Array): boolean => {
    const { sum, energy } = score(code, encodeProbe(z, 'B4', 512, probeKey))
    return accepts(sum, energy, 512, 3000)
  }
  expect(decide(integersOf('a', '2'), key)).toBe(true)
  expect(decide(integersOf('b', '1'), key)).toBe(false)
  expect(decide(integersOf('a', '2'), bytesOf('other key', 32))).toBe(false)
})

test('COMPARE-2 the decision is one bit, and nothing public computes or shows a score', () => {
  expect(typeof accepts(100, 900, 64, 1)).toBe('boolean')
  for (const name of [
    'score',
    'similarity',
    'accepts',
    'encodeProbe',
    'encodeReference',
    'quantize',
    'Probe',
  ]) {
    expect(Object.keys(guise)).not.toContain(name)
  }
  const probe = encodeProbe(integersOf('a', '1'), 'B4', 64, bytesOf('key', 32))
  expect(inspect(probe)).toBe('[Probe]')
})

test('COMPARE-2 errors say the same whatever the values are', () => {
  const messages = new Set<string>()
  for (const fill of [-7, 0, 7]) {
    const probe = new Probe(new Int8Array(64).fill(fill), new Uint8Array(8).fill(fill))
    for (const action of [
      () => score(new Uint8Array(16).fill(fill), probe),
      () => accepts(fill * 1001, 12_345, 64, 20_000),
    ]) {
      try {
        action()
      } catch (error) {
        expect(error).toBeInstanceOf(CompareError)
        messages.add(`${inspect(error).split('\n')[0]}`)
      }
    }
  }
  expect(messages.size).toBe(2)
})

/** Every address that a comparison reads, in order. */
function traceOf(code: Uint8Array, q: Int8Array, mask: Uint8Array): string {
  const trace: string[] = []
  const watch = <View extends object>(view: View, name: string): View =>
    new Proxy(view, {
      get: (target, key) => {
        trace.push(`${name}${String(key)}`)
        return Reflect.get(target, key) as unknown
      },
    })
  score(watch(code, 'c'), new Probe(watch(q, 'q'), watch(mask, 'm')))
  return trace.join()
}

test('COMPARE-3 what is read does not depend on code, mask or probe', () => {
  const traces = new Set<string>()
  for (const [code, q, mask] of [
    [0, 0, 0],
    [255, 7, 0],
    [255, -7, 255],
    [0xa5, 3, 0x5a],
  ] as const) {
    traces.add(
      traceOf(new Uint8Array(64).fill(code), new Int8Array(512).fill(q), new Uint8Array(64).fill(mask)),
    )
  }
  const random = (label: string, length: number): Uint8Array => bytesOf(label, length)
  traces.add(
    traceOf(
      random('code', 64),
      Int8Array.from(random('q', 512), (byte) => (byte % 15) - 7),
      random('mask', 64),
    ),
  )
  expect(traces.size).toBe(1)
  expect([...traces][0]?.split(',').filter((entry) => /^q\d/.test(entry)).length).toBe(512)
})

test('COMPARE-4 sizes, models and means that differ are never compared or mixed', () => {
  const probe = encodeProbe(integersOf('a', '1'), 'B4', 256, bytesOf('key', 32))
  for (const m of [64, 128, 512, 1024] as const) {
    const code = encodeReference(integersOf('a', '1'), 'B4', m, bytesOf('key', 32))
    expect(() => score(code, probe)).toThrow(CompareError)
  }
  const mean = new Float32Array(512)
  mean[0] = 0.5
  const face = embedding(captureOf('a', 512, '1', 0.4), model)
  for (const other of [
    { ...model, id: 'test-net@2' },
    { ...model, mean },
  ]) {
    const foreign = embedding(captureOf('a', 512, '1', 0.4), other)
    expect(() => fuse([face, foreign])).toThrow(expect.objectContaining({ code: 'ERR_EMBEDDING_MISMATCH' }))
  }
})

test('COMPARE-4 a probe of another suite does not match', () => {
  const key = bytesOf('key', 32)
  const z = integersOf('a', '1')
  const { sum, energy } = score(encodeReference(z, 'B4', 512, key), encodeProbe(z, 'B6', 512, key))
  expect(accepts(sum, energy, 512, 3000)).toBe(false)
})
