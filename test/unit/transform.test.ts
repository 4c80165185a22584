/** Suites, sizes, key stream, rotation and quantiser: their edges. @module */
import { beforeAll, describe, expect, test } from 'vitest'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { TransformError } from '../../src/transform/errors.ts'
import { portableKernel, type Workspace } from '../../src/transform/kernel.ts'
import { quantize, signBits, stepOf } from '../../src/transform/quantize.ts'
import { rotate } from '../../src/transform/rotate.ts'
import { keyStream, streamMask } from '../../src/transform/stream.ts'
import {
  checkSuite,
  isBits,
  rotationBytes,
  rotationSize,
  suiteParameters,
} from '../../src/transform/suite.ts'
import { withWorkspace } from '../../src/transform/workspace.ts'
import { bytesOf } from '../faces.ts'
import * as reference from '../reference/transform.ts'

beforeAll(() => cryptoReady())

function codeOf(action: () => unknown): string {
  try {
    action()
    return 'accepted'
  } catch (error) {
    return error instanceof TransformError ? error.code : 'untyped'
  }
}

describe('suites', () => {
  test('are B4 and B6', () => {
    expect(checkSuite('B4')).toBe('B4')
    expect(checkSuite('B6')).toBe('B6')
    expect(suiteParameters('B4').rounds).toBe(4)
    expect(suiteParameters('B6').rounds).toBe(6)
  })

  test.each<readonly [unknown]>([
    ['B5'],
    ['b4'],
    [' B4'],
    [''],
    ['__proto__'],
    ['constructor'],
    ['toString'],
    ['hasOwnProperty'],
    [4],
    [null],
    [undefined],
    [['B4']],
    [{ toString: () => 'B4' }],
  ])('refuse %o', (suite) => {
    expect(codeOf(() => checkSuite(suite))).toBe('ERR_TRANSFORM_SUITE')
    expect(codeOf(() => suiteParameters(suite as 'B4'))).toBe('ERR_TRANSFORM_SUITE')
  })
})

describe('sizes', () => {
  test.each([
    [64, 64, 64],
    [65, 64, 128],
    [128, 512, 512],
    [512, 512, 512],
    [512, 64, 512],
    [513, 512, 1024],
    [64, 1024, 1024],
    [4096, 1024, 4096],
  ] as const)('d = %i and m = %i make n = %i', (d, m, n) => {
    expect(rotationSize(d, m)).toBe(n)
    expect(reference.lengthOf(d, m)).toBe(n)
  })

  test.each([
    [63, 64],
    [4097, 64],
    [100.5, 64],
    [Number.NaN, 64],
    [64, 32],
    [64, 96],
    [64, 2048],
    [64, 0],
    [64, Number.NaN],
  ])('d = %f with m = %f is refused', (d, m) => {
    expect(codeOf(() => rotationSize(d, m))).toBe('ERR_TRANSFORM_INPUT')
  })

  test('only five numbers are numbers of bits', () => {
    expect([64, 128, 256, 512, 1024].every(isBits)).toBe(true)
    expect([0, 63, 65, 2048, '64', null].some(isBits)).toBe(false)
  })
})

describe('the key stream', () => {
  test('takes 1408 bytes for B4 at n = 512, then the mask', () => {
    expect(rotationBytes('B4', 512)).toBe(1408)
    const stream = keyStream('B4', bytesOf('key', 32), 512, 256)
    expect(stream.length).toBe(1408 + 32)
    expect(streamMask(stream, 256)).toEqual(stream.slice(1408))
    expect(streamMask(stream, 256).buffer).toBe(stream.buffer)
  })

  test.each([0, 31, 33, 64])('refuses a key of %i bytes', (length) => {
    expect(codeOf(() => keyStream('B4', new Uint8Array(length), 512, 512))).toBe('ERR_TRANSFORM_INPUT')
  })

  test('leaves the key as it is', () => {
    const key = bytesOf('key', 32)
    keyStream('B6', key, 64, 64)
    expect(key).toEqual(bytesOf('key', 32))
  })
})

describe('rotation', () => {
  test('refuses sizes that do not fit together', () => {
    const stream = keyStream('B4', bytesOf('key', 32), 128, 64)
    const z = new Int32Array(100).fill(1)
    expect(codeOf(() => rotate(z, 'B4', 128, stream))).toBe('accepted')
    expect(codeOf(() => rotate(z, 'B4', 64, stream))).toBe('ERR_TRANSFORM_INPUT')
    expect(codeOf(() => rotate(z, 'B4', 100, stream))).toBe('ERR_TRANSFORM_INPUT')
    expect(codeOf(() => rotate(z, 'B4', 256, stream))).toBe('ERR_TRANSFORM_INPUT')
    expect(codeOf(() => rotate(z, 'B6', 128, stream))).toBe('ERR_TRANSFORM_INPUT')
    expect(codeOf(() => rotate(z.subarray(0, 8), 'B4', 32, stream))).toBe('ERR_TRANSFORM_INPUT')
    expect(codeOf(() => rotate(z, 'B4', 8192, new Uint8Array(60_000)))).toBe('ERR_TRANSFORM_INPUT')
  })

  test('leaves its input as it is and returns a buffer of its own', () => {
    const z = Int32Array.from({ length: 64 }, (_, i) => i * 1000 - 32_000)
    const before = z.slice()
    const stream = keyStream('B4', bytesOf('key', 32), 64, 64)
    const kept = stream.slice()
    const values = rotate(z, 'B4', 64, stream)
    expect(z).toEqual(before)
    expect(stream).toEqual(kept)
    expect(values.buffer).not.toBe(z.buffer)
  })

  test('works in the buffers that are given, with the same result', () => {
    const key = bytesOf('key', 32)
    const z = Int32Array.from({ length: 200 }, (_, i) => i * 1000 - 32_000)
    const stream = keyStream('B4', key, 256, 64)
    const expected = rotate(z, 'B4', 256, stream)
    const spaces: Workspace[] = []
    for (let turn = 0; turn < 2; turn++) {
      withWorkspace('B4', 256, 64, (space) => {
        expect(keyStream('B4', key, 256, 64, space.stream)).toBe(space.stream)
        expect(rotate(z, 'B4', 256, space.stream, space.values)).toBe(space.values)
        expect(space.stream).toEqual(stream)
        expect(space.values).toEqual(expected)
        spaces.push(space)
      })
      expect(spaces[turn]).toBe(spaces[0])
      expect(spaces[0]?.values.every((value) => value === 0)).toBe(true)
      expect(spaces[0]?.stream.every((byte) => byte === 0)).toBe(true)
    }
  })

  test('buffers are wiped after a fault, never lent twice at once, and fit their size', () => {
    const seen: Workspace[] = []
    expect(() =>
      withWorkspace('B4', 128, 64, (outer) => {
        seen.push(outer)
        withWorkspace('B4', 128, 64, (inner) => expect(inner.values.buffer).not.toBe(outer.values.buffer))
        outer.values.fill(5)
        outer.stream.fill(6)
        throw new RangeError('planted')
      }),
    ).toThrow(RangeError)
    expect(seen[0]?.values.every((value) => value === 0)).toBe(true)
    expect(seen[0]?.stream.every((byte) => byte === 0)).toBe(true)
    withWorkspace('B6', 128, 64, (space) => expect(space.stream).toHaveLength(rotationBytes('B6', 128) + 8))
    withWorkspace('B6', 64, 64, (space) => expect(space.values).toHaveLength(64))
  })

  test('a key stream of zeros leaves a scaled Walsh–Hadamard transform', () => {
    const values = new Int32Array(64)
    values[0] = 2 ** 20
    portableKernel.rotate(values, 1, new Uint8Array(1000))
    expect(values.every((value) => value === 2 ** 17)).toBe(true)
  })

  test('halves round up, negatives included', () => {
    const values = new Int32Array(64)
    values[0] = 4 // every value becomes 4, then (4 + 4) >> 3
    portableKernel.rotate(values, 1, new Uint8Array(1000))
    expect(values.every((value) => value === 1)).toBe(true)
    values.fill(0)[0] = -4
    portableKernel.rotate(values, 1, new Uint8Array(1000))
    expect(values.every((value) => value === 0)).toBe(true)
    values.fill(0)[0] = -5
    portableKernel.rotate(values, 1, new Uint8Array(1000))
    expect(values.every((value) => value === -1)).toBe(true)
  })

  test('a key stream in the middle of a buffer is read at its place', () => {
    const stream = keyStream('B4', bytesOf('key', 32), 512, 64)
    const framed = new Uint8Array(stream.length + 9)
    framed.set(stream, 3)
    const z = Int32Array.from({ length: 512 }, (_, i) => (i * 7919) % 90_001)
    expect(rotate(z, 'B4', 512, framed.subarray(3, 3 + stream.length))).toEqual(rotate(z, 'B4', 512, stream))
  })

  test('a key stream that ends early is a RangeError of the kernel', () => {
    for (const n of [64, 128, 256, 512, 1024]) {
      expect(() => portableKernel.rotate(new Int32Array(n), 4, new Uint8Array(16))).toThrow(RangeError)
    }
  })
})

describe('the quantiser', () => {
  test('steps belong to n = 64 … 4096 only', () => {
    expect([64, 128, 256, 512, 1024, 2048, 4096].map(stepOf)).toEqual([
      43_909, 31_048, 21_955, 15_524, 10_977, 7762, 5489,
    ])
    for (const n of [0, 1, 32, 100, 513, 8192]) expect(codeOf(() => stepOf(n))).toBe('ERR_TRANSFORM_INPUT')
  })

  test.each([64, 128, 256, 512, 1024, 2048, 4096])('n = %i: every boundary and its neighbours', (n) => {
    const step = stepOf(n)
    const values = new Int32Array(n)
    const expected: number[] = []
    let j = 0
    for (let k = 0; k <= 8; k++) {
      for (const offset of [-1, 0, 1]) {
        for (const sign of [1, -1]) {
          const value = sign * (Math.ceil(((2 * k - 1) * step) / 2) + offset)
          values[j++] = value
          expected.push(Math.sign(value) * Math.min(7, Math.floor((2 * Math.abs(value) + step) / (2 * step))))
        }
      }
    }
    expect(Array.from(quantize(values, 64), (q) => q + 0).slice(0, j)).toEqual(expected.map((q) => q + 0))
  })

  test('extremes and zero', () => {
    const values = new Int32Array(64)
    values.set([0, 1, -1, 2 ** 30 - 1, -(2 ** 30 - 1), 2 ** 26, -(2 ** 26)])
    expect(Array.from(quantize(values, 64).slice(0, 7))).toEqual([0, 0, 0, 7, -7, 7, -7])
  })

  test('sign bits: zero counts as positive, least significant bit first', () => {
    const values = new Int32Array(64).fill(-1)
    values[0] = 0
    values[3] = 5
    values[9] = 2 ** 31 - 1
    values[63] = -(2 ** 31)
    expect(Array.from(signBits(values, 64))).toEqual([0b0000_1001, 0b0000_0010, 0, 0, 0, 0, 0, 0])
  })

  test('results sit on buffers of their own', () => {
    expect(quantize(new Int32Array(64), 64).buffer.byteLength).toBe(64)
    expect(signBits(new Int32Array(64), 64).buffer.byteLength).toBe(8)
  })
})
