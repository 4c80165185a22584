/** Embeddings and models: what they hold, what they refuse to show, fusion. @module */
import { inspect } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import {
  type Embedding,
  embedding,
  embeddingModel,
  fuse,
  isEmbedding,
  toIntegers,
  unitVector,
} from '../../src/embedding/embedding.ts'
import { EmbeddingError } from '../../src/embedding/errors.ts'
import { checkModel, type Model } from '../../src/embedding/model.ts'
import { captureOf, faceOf } from '../faces.ts'
import { meanHash } from '../reference/embedding.ts'

const model: Model = { id: 'test-net@1', dimensions: 128, metric: 'cosine' }

beforeAll(() => cryptoReady())

function codeOf(action: () => unknown): string {
  try {
    action()
    return 'accepted'
  } catch (error) {
    return error instanceof EmbeddingError ? error.code : 'untyped'
  }
}

describe('an embedding', () => {
  test('knows its model and dimensions', () => {
    const face = embedding(faceOf('a', 128), model)
    expect(face.model).toBe('test-net@1')
    expect(face.dimensions).toBe(128)
    expect(embeddingModel(face).meanHash).toEqual(meanHash(128, undefined))
  })

  test('shows nothing', () => {
    const face = embedding(faceOf('a', 128), model)
    expect(inspect(face)).toBe('[Embedding]')
    expect(inspect({ face }, { depth: 9, showHidden: true, getters: true })).toBe('{ face: [Embedding] }')
    expect(`${face}`).toBe('[Embedding]')
    expect(codeOf(() => JSON.stringify(face))).toBe('ERR_EMBEDDING_EXPORT')
    expect(codeOf(() => JSON.stringify({ nested: [face] }))).toBe('ERR_EMBEDDING_EXPORT')
    expect(structuredClone(face)).toEqual({})
    expect(Reflect.ownKeys(face)).toEqual([])
    expect({ ...face }).toEqual({})
  })

  test('is wiped on dispose and refuses use afterwards', () => {
    const face = embedding(faceOf('a', 128), model)
    const borrowed = unitVector(face)
    expect(borrowed.some((value) => value !== 0)).toBe(true)
    face[Symbol.dispose]()
    face[Symbol.dispose]()
    expect(borrowed.every((value) => value === 0)).toBe(true)
    for (const use of [unitVector, toIntegers, (gone: Embedding) => fuse([gone])]) {
      expect(codeOf(() => use(face))).toBe('ERR_EMBEDDING_DISPOSED')
    }
    const other = embedding(faceOf('b', 128), model)
    expect(codeOf(() => fuse([other, face]))).toBe('ERR_EMBEDDING_DISPOSED')
    expect(face.model).toBe('test-net@1')
  })

  test('sits outside the moving heap, copied from the input', () => {
    const input = faceOf('a', 128)
    const before = input.slice()
    const face = embedding(input, model)
    expect(unitVector(face).buffer).toBeInstanceOf(ArrayBuffer)
    expect(unitVector(face).buffer).not.toBe(input.buffer)
    const kept = unitVector(face).slice()
    expect(input).toEqual(before)
    input.fill(7)
    expect(unitVector(face)).toEqual(kept)
  })

  test('is known by its private fields', () => {
    const face = embedding(faceOf('a', 128), model)
    expect(isEmbedding(face)).toBe(true)
    const forged = { model: 'test-net@1', dimensions: 128, [Symbol.dispose]: () => undefined }
    const lookalikes: unknown[] = [forged, Object.create(face), new Proxy(face, {}), {}, null, undefined, 1]
    for (const lookalike of lookalikes) {
      expect(isEmbedding(lookalike)).toBe(false)
      expect(codeOf(() => toIntegers(lookalike as Embedding))).toBe('ERR_EMBEDDING_TYPE')
      expect(codeOf(() => embeddingModel(lookalike as Embedding))).toBe('ERR_EMBEDDING_TYPE')
    }
  })

  test('has integers without a negative zero', () => {
    const vector = new Float64Array(128)
    vector[0] = 1
    vector[1] = -1e-9
    vector[2] = -0
    const z = toIntegers(embedding(vector, model))
    expect(z[0]).toBe(2 ** 20)
    expect(z[1]).toBe(0)
    expect(z[2]).toBe(0)
  })

  test('messages carry no value of the vector', () => {
    const vector = Array.from(faceOf('a', 128))
    vector[4] = 1.234_567e300
    try {
      embedding(vector, model)
      expect.unreachable()
    } catch (error) {
      expect(String(error)).not.toMatch(/\d\.\d/)
      expect((error as EmbeddingError).cause).toBeUndefined()
    }
  })
})

describe('fusion', () => {
  test('of one embedding is a copy of it', () => {
    const face = embedding(faceOf('a', 128), model)
    const fused = fuse([face])
    expect(unitVector(fused)).toEqual(unitVector(face))
    face[Symbol.dispose]()
    expect(unitVector(fused).some((value) => value !== 0)).toBe(true)
  })

  test('of nothing, of opposites and of others is refused', () => {
    const face = embedding(faceOf('a', 128), model)
    const opposite = embedding(
      faceOf('a', 128).map((value) => -value),
      model,
    )
    expect(codeOf(() => fuse([]))).toBe('ERR_EMBEDDING_LENGTH')
    expect(codeOf(() => fuse([face, opposite]))).toBe('ERR_EMBEDDING_NORM')
    expect(codeOf(() => fuse([face, {} as Embedding]))).toBe('ERR_EMBEDDING_TYPE')
  })

  test('needs the same model, dimensions and mean', () => {
    const face = embedding(faceOf('a', 128), model)
    const mean = new Float32Array(128)
    mean[0] = 0.25
    const others: Model[] = [
      { ...model, id: 'test-net@2' },
      { ...model, dimensions: 64 },
      { ...model, mean },
    ]
    for (const other of others) {
      const foreign = embedding(faceOf('a', other.dimensions), other)
      expect(codeOf(() => fuse([face, foreign]))).toBe('ERR_EMBEDDING_MISMATCH')
    }
    const zeroMean = embedding(faceOf('b', 128), { ...model, mean: new Float32Array(128) })
    expect(codeOf(() => fuse([face, zeroMean]))).toBe('accepted')
  })

  test('of several captures lies nearer to a new capture than each of them', () => {
    const cosine = (a: Embedding, b: Embedding): number =>
      unitVector(a).reduce((sum, value, i) => sum + value * (unitVector(b)[i] ?? 0), 0)
    const captures = ['1', '2', '3'].map((name) => embedding(captureOf('a', 128, name, 0.8), model))
    const fresh = embedding(captureOf('a', 128, 'fresh', 0.8), model)
    const fused = fuse(captures)
    for (const capture of captures) expect(cosine(fused, fresh)).toBeGreaterThan(cosine(capture, fresh))
  })
})

describe('a model', () => {
  const hostile = { get: (): never => raise() }

  function raise(): never {
    throw new Error('no')
  }

  test.each<readonly [string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['a string', 'test-net@1'],
    ['an array', [model]],
    ['no id', { ...model, id: undefined }],
    ['an id without a version', { ...model, id: 'test-net' }],
    ['an id in capitals', { ...model, id: 'Test-net@1' }],
    ['an id with a space', { ...model, id: 'test net@1' }],
    ['an id with two versions', { ...model, id: 'test@1@2' }],
    ['an id with a line feed', { ...model, id: 'test@1\n' }],
    ['an id of another script', { ...model, id: 'tеst@1' }],
    ['an id that is too long', { ...model, id: `${'a'.repeat(64)}@1` }],
    ['an id that is an object', { ...model, id: { toString: () => 'test-net@1' } }],
    ['__proto__ as id', { ...model, id: '__proto__' }],
    ['no dimensions', { id: 'test-net@1', metric: 'cosine' }],
    ['63 dimensions', { ...model, dimensions: 63 }],
    ['4097 dimensions', { ...model, dimensions: 4097 }],
    ['half a dimension', { ...model, dimensions: 127.5 }],
    ['dimensions as text', { ...model, dimensions: '128' }],
    ['NaN dimensions', { ...model, dimensions: Number.NaN }],
    ['Euclidean distance', { ...model, metric: 'euclidean' }],
    ['no metric', { id: 'test-net@1', dimensions: 128 }],
    ['a mean that is an array', { ...model, mean: Array.from({ length: 128 }, () => 0) }],
    ['a mean of doubles', { ...model, mean: new Float64Array(128) }],
    ['a mean of another length', { ...model, mean: new Float32Array(127) }],
    ['a mean with NaN', { ...model, mean: new Float32Array(128).fill(Number.NaN) }],
    ['a mean with infinity', { ...model, mean: new Float32Array(128).fill(Number.POSITIVE_INFINITY) }],
    ['a mean above 2^60', { ...model, mean: new Float32Array(128).fill(1e19) }],
    ['a mean in shared memory', { ...model, mean: new Float32Array(new SharedArrayBuffer(512)) }],
    ['a mean that is null', { ...model, mean: null }],
    ['a getter that throws', Object.defineProperty({ ...model }, 'metric', hostile)],
    ['a proxy that throws', new Proxy({ ...model }, hostile)],
    ['dlib', { ...model, id: 'dlib@1' }],
    ['dlib with a suffix', { ...model, id: 'dlib-resnet-v1@19.24' }],
    ['dlib with a number', { ...model, id: 'dlib19@1' }],
    ['face-api', { ...model, id: 'face-api@1' }],
    ['face-api without a hyphen', { ...model, id: 'vladmandic.faceapi@1' }],
    ['faceres', { ...model, id: 'faceres@1' }],
    ['human', { ...model, id: 'vladmandic-human@3' }],
  ])('is refused: %s', (_, refused) => {
    expect(codeOf(() => checkModel(refused))).toBe('ERR_EMBEDDING_MODEL')
    expect(codeOf(() => embedding(faceOf('a', 128), refused as Model))).toBe('ERR_EMBEDDING_MODEL')
  })

  test.each([
    'arcface-r100@1',
    'superhuman@1',
    'facenet512@2018',
    'a@1',
    `${'a'.repeat(63)}@${'1'.repeat(31)}`,
  ])('is accepted: %s', (id) => {
    expect(checkModel({ ...model, id }).id).toBe(id)
  })

  test('is copied, mean included, and hashed by its content', () => {
    const mean = faceOf('mean', 128)
    const checked = checkModel({ ...model, mean })
    expect(checked.meanHash).toEqual(meanHash(128, Array.from(mean)))
    mean.fill(0)
    expect(checked.mean?.some((value) => value !== 0)).toBe(true)
    expect(checkModel({ ...model, mean }).meanHash).toEqual(meanHash(128, undefined))
  })

  test('has a hash of its own, also when the mean is absent', () => {
    const first = checkModel(model)
    first.meanHash.fill(0)
    expect(checkModel(model).meanHash).toEqual(meanHash(128, undefined))
  })

  test('is read once', () => {
    const reads: PropertyKey[] = []
    const watched = new Proxy(
      { ...model },
      {
        get(target, key, receiver) {
          reads.push(key)
          return Reflect.get(target, key, receiver)
        },
      },
    )
    embedding(faceOf('a', 128), watched)
    expect(reads).toEqual(['id', 'dimensions', 'metric', 'mean'])
  })
})
