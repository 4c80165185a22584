/** Requirements of SPEC §6, one test each and more. @module */
import { TemplateError } from 'guise'
import { beforeAll, expect, test } from 'vitest'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { embedding, toIntegers } from '../../src/embedding/embedding.ts'
import { checkBits, defaultBits } from '../../src/template/bits.ts'
import { encodeProbe, encodeReference } from '../../src/template/template.ts'
import { rotate } from '../../src/transform/rotate.ts'
import { keyStream, streamMask } from '../../src/transform/stream.ts'
import { bytesOf, captureOf, faceOf } from '../faces.ts'
import * as reference from '../reference/template.ts'

beforeAll(() => cryptoReady())

function integersOf(vector: Float32Array): Int32Array {
  return toIntegers(embedding(vector, { id: 'test-net@1', dimensions: vector.length, metric: 'cosine' }))
}

function codeOf(action: () => unknown): string {
  try {
    action()
    return 'accepted'
  } catch (error) {
    return error instanceof TemplateError ? error.code : 'untyped'
  }
}

const ones = (bytes: Uint8Array): number =>
  bytes.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0)
const differing = (a: Uint8Array, b: Uint8Array): number => ones(a.map((byte, i) => byte ^ (b[i] ?? 0)))

test('TEMPLATE-1 the code is the signs XOR the last m/8 bytes of the key stream', () => {
  const z = integersOf(faceOf('a', 512))
  for (const m of [64, 128, 256, 512] as const) {
    const key = bytesOf(`mask ${m}`, 32)
    const stream = keyStream('B4', key, 512, m)
    const bits = reference.signBits(Array.from(rotate(z, 'B4', 512, stream)), m)
    const mask = streamMask(stream, m)
    const code = encodeReference(z, 'B4', m, key)
    expect(code).toEqual(bits.map((byte, i) => byte ^ (mask[i] ?? 0)))
    expect(mask).toEqual(stream.slice(-m / 8))
    expect(ones(mask)).toBeGreaterThan(m / 4)
    expect(code).not.toEqual(bits)
  }
})

test('TEMPLATE-1 stored codes are uniform even for one face over and over', () => {
  const z = new Int32Array(64)
  z[0] = 2 ** 20
  const codes = Array.from({ length: 500 }, (_, i) =>
    encodeReference(z, 'B4', 64, bytesOf(`uniform ${i}`, 32)),
  )
  const counts = new Array<number>(64).fill(0)
  for (const code of codes)
    for (let j = 0; j < 64; j++) counts[j] = (counts[j] ?? 0) + (((code[j >> 3] ?? 0) >> (j & 7)) & 1)
  // 500 fair coins: within 4.5 deviations of 11.2.
  for (const count of counts) expect(Math.abs(count - 250)).toBeLessThan(50.4)
})

test('TEMPLATE-2 the default is the largest allowed number of bits that is at most min(d, 512)', () => {
  for (let d = 64; d <= 4096; d++) expect(defaultBits(d)).toBe(reference.defaultBits(d))
})

test('TEMPLATE-2 more bits than dimensions are refused unless the caller says so', () => {
  for (const [d, m] of [
    [64, 128],
    [127, 128],
    [128, 512],
    [512, 1024],
    [1023, 1024],
  ] as const) {
    expect(codeOf(() => checkBits(d, m, false))).toBe('ERR_TEMPLATE_OVERCOMPLETE')
    expect(checkBits(d, m, true)).toBe(m)
    expect(checkBits(m, m, false)).toBe(m)
  }
})

test('TEMPLATE-3 one live template never stores more bits than the embedding has dimensions', () => {
  for (let d = 64; d <= 4096; d++) {
    expect(defaultBits(d)).toBeLessThanOrEqual(d)
    for (const m of [64, 128, 256, 512, 1024]) {
      if (m > d) expect(codeOf(() => checkBits(d, m, false))).toBe('ERR_TEMPLATE_OVERCOMPLETE')
    }
  }
})

test.each([64, 100, 128, 257, 512, 1000, 4096])(
  'TEMPLATE-4 codes, masks and probes of the text, d = %i',
  (d) => {
    const z = integersOf(faceOf('a', d))
    for (const m of [64, 128, 256, 512, 1024] as const) {
      const key = bytesOf(`exact ${d} ${m}`, 32)
      const probe = encodeProbe(z, 'B4', m, key)
      const expected = reference.probeCode(Array.from(z), 'B4', m, key)
      expect(encodeReference(z, 'B4', m, key)).toEqual(reference.referenceCode(Array.from(z), 'B4', m, key))
      expect(Array.from(probe.q)).toEqual(expected.q.map((q) => q + 0))
      expect(probe.mask).toEqual(expected.mask)
    }
  },
)

test('TEMPLATE-5 codes under a new key are as far from the old ones as codes of strangers', () => {
  // 300 pairs of 512 bits: the mean within 4.5 deviations of one half, for the same capture and for a fresh one.
  for (const noise of [0, 0.4]) {
    let found = 0
    for (let i = 0; i < 300; i++) {
      const old = encodeReference(
        integersOf(captureOf(`p${i}`, 512, 'old', noise)),
        'B4',
        512,
        bytesOf(`old ${i}`, 32),
      )
      const fresh = captureOf(`p${i}`, 512, 'new', noise)
      found += differing(old, encodeReference(integersOf(fresh), 'B4', 512, bytesOf(`new ${i}`, 32)))
    }
    const coins = 300 * 512
    expect(Math.abs(found - coins / 2) / Math.sqrt(coins / 4)).toBeLessThan(4.5)
  }
})
