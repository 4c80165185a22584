/** References, probes and numbers of bits: their edges. @module */
import { inspect } from 'node:util'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { checkBits, defaultBits } from '../../src/template/bits.ts'
import { TemplateError } from '../../src/template/errors.ts'
import { Probe } from '../../src/template/probe.ts'
import { encodeProbe, encodeReference } from '../../src/template/template.ts'
import { kernel } from '../../src/transform/rotate.ts'
import { bytesOf } from '../faces.ts'

beforeAll(() => cryptoReady())

const z = Int32Array.from({ length: 512 }, (_, i) => ((i * 7919) % 90_001) - 45_000)

function codeOf(action: () => unknown): string {
  try {
    action()
    return 'accepted'
  } catch (error) {
    return error instanceof TemplateError ? error.code : 'untyped'
  }
}

describe('bits', () => {
  test.each([
    [64, 64],
    [127, 64],
    [128, 128],
    [255, 128],
    [256, 256],
    [511, 256],
    [512, 512],
    [1024, 512],
    [4096, 512],
  ])('d = %i stores m = %i by default', (dimensions, bits) => {
    expect(defaultBits(dimensions)).toBe(bits)
  })

  test('too few dimensions have no default', () => {
    expect(codeOf(() => defaultBits(63))).toBe('ERR_TEMPLATE_BITS')
  })

  test.each<readonly [unknown]>([[0], [63], [96], [2048], ['512'], [Number.NaN], [null], [undefined]])(
    '%o is refused',
    (bits) => {
      expect(codeOf(() => checkBits(4096, bits, false))).toBe('ERR_TEMPLATE_BITS')
      expect(codeOf(() => checkBits(4096, bits, true))).toBe('ERR_TEMPLATE_BITS')
    },
  )

  test('more bits than dimensions need a word', () => {
    expect(checkBits(128, 128, false)).toBe(128)
    expect(codeOf(() => checkBits(128, 256, false))).toBe('ERR_TEMPLATE_OVERCOMPLETE')
    expect(checkBits(128, 256, true)).toBe(256)
  })
})

describe('a probe', () => {
  test('shows nothing and is wiped', () => {
    const probe = encodeProbe(z, 'B4', 512, bytesOf('key', 32))
    expect(inspect(probe)).toBe('[Probe]')
    expect(String(probe)).toBe('[Probe]')
    expect(codeOf(() => JSON.stringify(probe))).toBe('ERR_TEMPLATE_EXPORT')
    expect(probe.q.some((step) => step !== 0)).toBe(true)
    expect(probe.mask.some((byte) => byte !== 0)).toBe(true)
    probe.wipe()
    expect(probe.q.every((step) => step === 0)).toBe(true)
    expect(probe.mask.every((byte) => byte === 0)).toBe(true)
  })

  test('owns what it was made of', () => {
    const q = new Int8Array(64)
    const mask = new Uint8Array(8)
    const probe = new Probe(q, mask)
    expect(probe.q).toBe(q)
    expect(probe.mask).toBe(mask)
  })
})

describe('encoding', () => {
  test('leaves integers and key as they are', () => {
    const before = z.slice()
    const key = bytesOf('key', 32)
    encodeReference(z, 'B4', 256, key)
    encodeProbe(z, 'B4', 256, key).wipe()
    expect(z).toEqual(before)
    expect(key).toEqual(bytesOf('key', 32))
  })

  test.each([64, 256, 1024] as const)('wipes rotated values and key stream, m = %i', (m) => {
    const seen: { values: Int32Array; stream: Uint8Array }[] = []
    const real = kernel().rotate.bind(kernel())
    const spy = vi.spyOn(kernel(), 'rotate').mockImplementation((values, rounds, stream) => {
      real(values, rounds, stream)
      seen.push({ values, stream })
    })
    try {
      encodeReference(z, 'B4', m, bytesOf('key', 32))
      encodeProbe(z, 'B6', m, bytesOf('key', 32))
      spy.mockImplementation((values, _rounds, stream) => {
        values.fill(9)
        seen.push({ values, stream })
        throw new Error('a kernel that fails')
      })
      expect(() => encodeReference(z, 'B4', m, bytesOf('key', 32))).toThrow('a kernel that fails')
    } finally {
      spy.mockRestore()
    }
    expect(seen.length).toBe(3)
    for (const { stream } of seen) expect(stream.every((byte) => byte === 0)).toBe(true)
    for (const { values } of seen) expect(values.every((value) => value === 0)).toBe(true)
  })

  test('results sit on buffers of their own, so that they can be wiped alone', () => {
    const probe = encodeProbe(z, 'B4', 64, bytesOf('key', 32))
    expect(probe.q.buffer.byteLength).toBe(64 + 8)
    expect(probe.mask.buffer).toBe(probe.q.buffer)
    expect(encodeReference(z, 'B4', 64, bytesOf('key', 32)).buffer.byteLength).toBe(8)
  })
})
