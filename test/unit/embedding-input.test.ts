/** Vectors at the door: what is accepted, and every way of being refused. @module */
import { beforeAll, describe, expect, test } from 'vitest'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { embedding, unitVector } from '../../src/embedding/embedding.ts'
import { EmbeddingError, type EmbeddingErrorCode } from '../../src/embedding/errors.ts'
import { readVector, type VectorInput } from '../../src/embedding/input.ts'
import type { Model } from '../../src/embedding/model.ts'
import { viewOf } from '../../src/embedding/views.ts'
import { faceOf } from '../faces.ts'

const model: Model = { id: 'test-net@1', dimensions: 64, metric: 'cosine' }
let face: Float32Array<ArrayBuffer>

beforeAll(async () => {
  await cryptoReady()
  face = faceOf('input', 64) as Float32Array<ArrayBuffer>
})

function codeOf(input: unknown, of: Model = model): EmbeddingErrorCode | 'accepted' | 'untyped' {
  try {
    embedding(input as VectorInput, of)
    return 'accepted'
  } catch (error) {
    return error instanceof EmbeddingError ? error.code : 'untyped'
  }
}

function bytesOfFace(vector: Float32Array = face): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * vector.length))
  vector.forEach((value, i) => {
    view.setFloat32(4 * i, value, true)
  })
  return new Uint8Array(view.buffer)
}

const base64Of = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes))

/** The face with one value replaced. */
function withValue(value: number): Float64Array {
  const vector = Float64Array.from(face)
  vector[17] = value
  return vector
}

const HALF_VALUES: readonly (readonly [bits: number, value: number])[] = [
  [0x0000, 0],
  [0x8000, -0],
  [0x0001, 2 ** -24],
  [0x83ff, -1023 * 2 ** -24],
  [0x0400, 2 ** -14],
  [0x3c00, 1],
  [0xc000, -2],
  [0x3555, 1365 / 4096],
  [0x7bff, 65504],
]

interface NpyParts {
  readonly header?: string
  readonly version?: readonly [number, number]
  readonly data?: Uint8Array
  readonly magic?: number
  readonly headerLength?: number
}

/** A .npy file as NumPy writes it, with faults where asked for. */
function npyOf(parts: NpyParts = {}): Uint8Array {
  const version = parts.version ?? [1, 0]
  const start = version[0] === 1 ? 10 : 12
  const text = parts.header ?? "{'descr': '<f4', 'fortran_order': False, 'shape': (64,), }"
  const header = `${text.padEnd(128 - start - 1)}\n`
  const data = parts.data ?? bytesOfFace()
  const out = new Uint8Array(start + header.length + data.length)
  out.set([parts.magic ?? 0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, ...version])
  const view = new DataView(out.buffer)
  if (start === 10) view.setUint16(8, parts.headerLength ?? header.length, true)
  else view.setUint32(8, parts.headerLength ?? header.length, true)
  out.set(new TextEncoder().encode(header), start)
  out.set(data, start + header.length)
  return out
}

describe('accepted forms', () => {
  test('all forms of one vector give the same embedding', () => {
    const expected = unitVector(embedding(face, model))
    const standard = base64Of(bytesOfFace())
    const doubles = new Uint8Array(Float64Array.from(face).buffer)
    const forms: readonly VectorInput[] = [
      Float64Array.from(face),
      Array.from(face),
      { f32le: bytesOfFace() },
      { base64: standard },
      { base64: standard.replaceAll('=', '') },
      { base64: standard.replaceAll('+', '-').replaceAll('/', '_') },
      { npy: npyOf() },
      { npy: npyOf({ version: [2, 0] }) },
      { npy: npyOf({ header: "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 64), }" }) },
      { npy: npyOf({ header: "{'descr': '<f8', 'fortran_order': False, 'shape': (64,), }", data: doubles }) },
    ]
    for (const form of forms) expect(unitVector(embedding(form, model))).toEqual(expected)
  })

  test('half-precision values are read exactly', () => {
    const data = new Uint8Array(128)
    const view = new DataView(data.buffer)
    HALF_VALUES.forEach(([bits], i) => {
      view.setUint16(2 * i, bits, true)
    })
    const header = "{'descr': '<f2', 'fortran_order': False, 'shape': (64,), }"
    const read = readVector({ npy: npyOf({ header, data }) }, 64)
    HALF_VALUES.forEach(([, value], i) => {
      expect(read[i]).toBe(value)
    })
  })

  test('half-precision infinities and NaN are out of range', () => {
    const header = "{'descr': '<f2', 'fortran_order': False, 'shape': (64,), }"
    for (const bits of [0x7c00, 0xfc00, 0x7e00]) {
      const data = new Uint8Array(128)
      new DataView(data.buffer).setUint16(4, bits, true)
      expect(codeOf({ npy: npyOf({ header, data }) })).toBe('ERR_EMBEDDING_RANGE')
    }
  })

  test('a view into a larger buffer is read at its place', () => {
    const larger = new Float32Array(100)
    larger.set(face, 20)
    expect(unitVector(embedding(larger.subarray(20, 84), model))).toEqual(unitVector(embedding(face, model)))
    const bytes = new Uint8Array(300)
    bytes.set(bytesOfFace(), 7)
    const framed = { f32le: bytes.subarray(7, 7 + 256) }
    expect(unitVector(embedding(framed, model))).toEqual(unitVector(embedding(face, model)))
  })

  test('values at the bounds are accepted', () => {
    const vector = new Float64Array(64)
    vector[3] = -(2 ** 60)
    expect(codeOf(vector)).toBe('accepted')
    vector[4] = 2 ** 60
    expect(codeOf(vector)).toBe('ERR_EMBEDDING_NORM')
    vector.fill(0)[3] = 2 ** -20
    expect(codeOf(vector)).toBe('accepted')
    vector[3] = 2 ** -20 - 2 ** -73
    expect(codeOf(vector)).toBe('ERR_EMBEDDING_NORM')
  })
})

describe('refused types', () => {
  class Lying extends Float32Array<ArrayBuffer> {
    override get length(): number {
      return 64
    }
    override get buffer(): ArrayBuffer {
      return new ArrayBuffer(256)
    }
    override [Symbol.iterator](): ArrayIterator<number> {
      return Array.from({ length: 64 }, () => 1)[Symbol.iterator]()
    }
  }

  const refused: readonly (readonly [name: string, make: () => unknown])[] = [
    ['undefined', () => undefined],
    ['null', () => null],
    ['a number', () => 1],
    ['a string', () => base64Of(bytesOfFace())],
    ['a function', () => () => face],
    ['a symbol', () => Symbol('face')],
    ['a boolean', () => true],
    ['a bigint', () => 1n],
    ['an empty object', () => ({})],
    ['an array-like', () => Object.assign({ length: 64 }, Array.from(face))],
    ['a set', () => new Set(face)],
    ['an iterator', () => face.values()],
    ['a map', () => new Map(face.entries())],
    ['a date', () => new Date(0)],
    ['an ArrayBuffer', () => face.buffer],
    ['a DataView', () => new DataView(face.buffer)],
    ['a Uint8Array', () => new Uint8Array(64)],
    ['an Int32Array', () => new Int32Array(64).fill(1)],
    ['a BigInt64Array', () => new BigInt64Array(64).fill(1n)],
    ['a Uint8ClampedArray', () => new Uint8ClampedArray(64).fill(1)],
    ['a promise', () => Promise.resolve(face)],
    ['a typed array in shared memory', () => new Float32Array(new SharedArrayBuffer(256)).fill(1)],
    ['a typed array in resizable memory', () => new Float32Array(resizable(256)).fill(1)],
    ['a proxy of a typed array', () => new Proxy(face, {})],
    ['a proxy of a revoked array', () => revoked()],
    ['an object that inherits from a typed array', () => Object.create(face)],
    ['an array of strings', () => Array.from(face, String)],
    ['an array of boxed numbers', () => Array.from(face, Object)],
    ['an array of bigints', () => Array.from(face, () => 1n)],
    ['an array with null', () => [...Array.from(face).slice(1), null]],
    ['an array with undefined', () => [...Array.from(face).slice(1), undefined]],
    ['a sparse array', () => withHole()],
    ['an array of arrays', () => Array.from(face, (value) => [value])],
    ['an array with a getter that throws', () => withThrowingIndex()],
    ['a proxy that throws', () => throwingProxy(Array.from(face))],
    ['an object whose proxy throws', () => throwingProxy({ base64: '' })],
    ['base64 that is bytes', () => ({ base64: bytesOfFace() })],
    ['base64 behind a getter that throws', () => withThrowingGetter('base64')],
    ['npy behind a getter that throws', () => withThrowingGetter('npy')],
    ['base64 that is inherited', () => Object.create({ base64: base64Of(bytesOfFace()) })],
    ['npy that is text', () => ({ npy: 'NUMPY' })],
    ['npy that is an array', () => ({ npy: Array.from(npyOf()) })],
    ['npy in shared memory', () => ({ npy: new Uint8Array(new SharedArrayBuffer(384)) })],
    ['f32le that is a Float32Array', () => ({ f32le: face })],
    ['f32le in resizable memory', () => ({ f32le: new Uint8Array(resizable(256)) })],
    ['f32le that is a proxy', () => ({ f32le: new Proxy(bytesOfFace(), {}) })],
    ['two encodings at once', () => ({ base64: base64Of(bytesOfFace()), f32le: bytesOfFace() })],
    ['__proto__ as encoding', () => JSON.parse('{"__proto__":{"base64":"AAAA"}}')],
  ]

  test.each(refused)('%s', (_, make) => {
    expect(codeOf(make())).toBe('ERR_EMBEDDING_TYPE')
  })

  test('a subclass cannot lie about its length', () => {
    expect(codeOf(new Lying(new ArrayBuffer(128)))).toBe('ERR_EMBEDDING_LENGTH')
    const honest = new Lying(face.buffer.slice(0))
    expect(unitVector(embedding(honest, model))).toEqual(unitVector(embedding(face, model)))
  })

  test('an own property cannot shadow the length', () => {
    const short = Object.defineProperty(new Float32Array(32), 'length', { value: 64 })
    expect(codeOf(short)).toBe('ERR_EMBEDDING_LENGTH')
  })

  test('a hole stays a hole when a prototype fills it', () => {
    class Filled extends Array<number> {}
    Object.defineProperty(Filled.prototype, '5', { value: 0.5 })
    const vector = Filled.from(face)
    expect(Reflect.deleteProperty(vector, 5)).toBe(true)
    expect(vector[5]).toBe(0.5)
    expect(codeOf(vector)).toBe('ERR_EMBEDDING_TYPE')
  })

  test('a proxy of an array that changes between two reads is read once', () => {
    const reads = new Map<PropertyKey, number>()
    const changing = new Proxy(Array.from(face), {
      get(target, key, receiver) {
        const seen = (reads.get(key) ?? 0) + 1
        reads.set(key, seen)
        return key === 'length' || seen === 1 ? Reflect.get(target, key, receiver) : Number.NaN
      },
    })
    expect(unitVector(embedding(changing, model))).toEqual(unitVector(embedding(face, model)))
    expect(Math.max(...reads.values())).toBe(1)
  })

  test('the engine says what a typed array is', () => {
    expect(viewOf(face)).toEqual({ kind: 'Float32Array', length: 64 })
    expect(viewOf({})).toBeUndefined()
    expect(viewOf(new Int8Array(1))).toBeUndefined()
  })

  function resizable(length: number): ArrayBuffer {
    const Resizable = ArrayBuffer as unknown as new (
      length: number,
      options: { maxByteLength: number },
    ) => ArrayBuffer
    return new Resizable(length, { maxByteLength: 2 * length })
  }

  function revoked(): unknown {
    const { proxy, revoke } = Proxy.revocable(Array.from(face), {})
    revoke()
    return proxy
  }

  function withHole(): number[] {
    const vector = Array.from(face)
    Reflect.deleteProperty(vector, 9)
    return vector
  }

  function withThrowingIndex(): number[] {
    return Object.defineProperty(Array.from(face), 3, { get: fail })
  }

  function withThrowingGetter(name: string): object {
    return Object.defineProperty({}, name, { get: fail, enumerable: true })
  }

  function throwingProxy(target: object): object {
    return new Proxy(target, { get: fail, getOwnPropertyDescriptor: fail, has: fail, ownKeys: fail })
  }

  function fail(): never {
    throw new Error('0.25 is a value of the vector')
  }
})

describe('refused lengths, ranges, norms and formats', () => {
  test.each([0, 1, 63, 65, 128])('%i values', (length) => {
    expect(codeOf(new Float32Array(length).fill(1))).toBe('ERR_EMBEDDING_LENGTH')
    expect(codeOf(new Array<number>(length).fill(1))).toBe('ERR_EMBEDDING_LENGTH')
    expect(codeOf({ f32le: new Uint8Array(4 * length) })).toBe('ERR_EMBEDDING_LENGTH')
    expect(codeOf({ base64: base64Of(new Uint8Array(4 * length)) })).toBe('ERR_EMBEDDING_LENGTH')
  })

  test('a detached vector', () => {
    const gone = face.slice()
    structuredClone(gone, { transfer: [gone.buffer] })
    expect(codeOf(gone)).toBe('ERR_EMBEDDING_LENGTH')
  })

  test('a huge array is refused before it is read', () => {
    let reads = 0
    const huge = new Proxy(new Array<number>(4_000_000_000), {
      get: (target, key) => {
        reads++
        return key === 'length' ? target.length : 1
      },
    })
    expect(codeOf(huge)).toBe('ERR_EMBEDDING_LENGTH')
    expect(reads).toBe(1)
  })

  test('base64 of one byte too many in the same number of digits', () => {
    const text = base64Of(new Uint8Array(257)).replaceAll('=', '')
    expect(codeOf({ base64: text })).toBe('ERR_EMBEDDING_LENGTH')
  })

  test.each([
    ['NaN', Number.NaN],
    ['infinity', Number.POSITIVE_INFINITY],
    ['minus infinity', Number.NEGATIVE_INFINITY],
    ['the first double above 2^60', 2 ** 60 + 256],
    ['the largest double', -Number.MAX_VALUE],
  ])('%s', (_, value) => {
    expect(codeOf(withValue(value))).toBe('ERR_EMBEDDING_RANGE')
    expect(codeOf(Array.from(withValue(value)))).toBe('ERR_EMBEDDING_RANGE')
    expect(codeOf({ f32le: bytesOfFace(Float32Array.from(withValue(value * 1.001))) })).toBe(
      'ERR_EMBEDDING_RANGE',
    )
  })

  test.each([
    ['zeros', 0],
    ['minus zeros', -0],
    ['denormals', Number.MIN_VALUE],
    ['values whose squares vanish', 1e-200],
    ['values just below the least norm', 2 ** -24],
    ['values of a huge norm', 2 ** 59],
  ])('%s have no direction', (_, value) => {
    expect(codeOf(new Float64Array(64).fill(value))).toBe('ERR_EMBEDDING_NORM')
  })

  test.each([
    ['a foreign letter', `${'A'.repeat(341)}!`],
    ['white space', ` ${'A'.repeat(341)}`],
    ['padding in the middle', `AA==${'A'.repeat(338)}`],
    ['both alphabets', `+-${'A'.repeat(340)}`],
    ['unused bits that are set', `${'A'.repeat(341)}B`],
    ['incomplete padding', `${'A'.repeat(342)}=`],
  ])('base64 with %s', (_, base64) => {
    expect(codeOf({ base64 })).toBe('ERR_EMBEDDING_FORMAT')
  })

  const header = (descr: string, order: string, shape: string): string =>
    `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }`

  test.each<readonly [string, NpyParts]>([
    ['another magic', { magic: 0x92 }],
    ['version 0', { version: [0, 0] }],
    ['version 1.1', { version: [1, 1] }],
    ['version 3', { version: [3, 0] }],
    ['a header longer than the file', { headerLength: 800 }],
    ['a header longer than allowed', { headerLength: 65_535 }],
    ['a header of 4 GB', { version: [2, 0], headerLength: 0xffff_ffff }],
    ['an empty header', { headerLength: 0 }],
    ['big-endian values', { header: header('>f4', 'False', '(64,)') }],
    ['integers', { header: header('<i4', 'False', '(64,)') }],
    ['objects', { header: header('|O', 'False', '(64,)') }],
    ['Fortran order', { header: header('<f4', 'True', '(64,)') }],
    ['two rows', { header: header('<f4', 'False', '(2, 32)') }],
    ['a column', { header: header('<f4', 'False', '(64, 1)') }],
    ['three axes', { header: header('<f4', 'False', '(1, 1, 64)') }],
    ['no axis', { header: header('<f4', 'False', '()') }],
    ['a count with a leading zero', { header: header('<f4', 'False', '(064,)') }],
    ['a count that is no number', { header: header('<f4', 'False', '(1e2,)') }],
    ['an additional key', { header: "{'descr': '<f4', 'fortran_order': False, 'shape': (64,), 'x': 1, }" }],
    ['a byte too many', { data: new Uint8Array(257) }],
    ['a byte too few', { data: new Uint8Array(255) }],
    ['values of another width', { header: header('<f8', 'False', '(64,)') }],
  ])('.npy with %s', (_, parts) => {
    expect(codeOf({ npy: npyOf(parts) })).toBe('ERR_EMBEDDING_FORMAT')
  })

  test('.npy that ends early, is too long or has another count', () => {
    for (const length of [0, 5, 9, 11]) {
      expect(codeOf({ npy: npyOf().subarray(0, length) })).toBe('ERR_EMBEDDING_FORMAT')
    }
    expect(codeOf({ npy: new Uint8Array(1024 + 8 * 64 + 1) })).toBe('ERR_EMBEDDING_LENGTH')
    expect(codeOf({ npy: npyOf({ header: header('<f4', 'False', '(63,)') }) })).toBe('ERR_EMBEDDING_LENGTH')
    expect(codeOf({ npy: npyOf({ header: header('<f4', 'False', '(999999999,)') }) })).toBe(
      'ERR_EMBEDDING_LENGTH',
    )
  })
})
