/** Requirements of SPEC §3, one test each and more. @module */
import { type Embedding, EmbeddingError, embedding, type Model, type VectorInput } from 'guise'
import { afterEach, beforeAll, expect, test, vi } from 'vitest'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { embeddingModel, fuse, toIntegers, unitVector } from '../../src/embedding/embedding.ts'
import { captureOf, faceOf } from '../faces.ts'
import * as reference from '../reference/embedding.ts'

beforeAll(() => cryptoReady())
afterEach(() => {
  vi.restoreAllMocks()
})

const modelOf = (dimensions: number): Model => ({ id: 'test-net@1', dimensions, metric: 'cosine' })

function codeOf(action: () => unknown): string {
  try {
    action()
    return 'accepted'
  } catch (error) {
    return error instanceof EmbeddingError ? error.code : 'untyped'
  }
}

test('EMBEDDING-1 accepts 64 to 4096 dimensions and the length of the model only', () => {
  for (const d of [64, 65, 127, 512, 4095, 4096]) {
    expect(embedding(faceOf('a', d), modelOf(d)).dimensions).toBe(d)
    for (const other of [d - 1, d + 1, 0]) {
      expect(codeOf(() => embedding(new Float32Array(other).fill(1), modelOf(d)))).toBe(
        'ERR_EMBEDDING_LENGTH',
      )
    }
  }
  for (const d of [0, 1, 63, 4097, 65_536]) {
    expect(codeOf(() => embedding(new Float32Array(d).fill(1), modelOf(d)))).toBe('ERR_EMBEDDING_MODEL')
  }
})

test('EMBEDDING-2 refuses what is not finite, above 2^60, or without a direction, and repairs nothing', () => {
  const at = (value: number): Float64Array => Float64Array.from(faceOf('a', 64)).fill(value, 63)
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2 ** 61, -(2 ** 61)]) {
    expect(codeOf(() => embedding(at(value), modelOf(64)))).toBe('ERR_EMBEDDING_RANGE')
  }
  for (const value of [0, -0, Number.MIN_VALUE, 2 ** -24, 2 ** 59]) {
    expect(codeOf(() => embedding(new Float64Array(64).fill(value), modelOf(64)))).toBe('ERR_EMBEDDING_NORM')
  }
  // 64 values of 2^-23 have the norm 2^-20 exactly, 64 of 2^57 the norm 2^60.
  for (const value of [2 ** -23, 2 ** 57]) {
    expect(codeOf(() => embedding(new Float64Array(64).fill(value), modelOf(64)))).toBe('accepted')
  }
})

test('EMBEDDING-2 refuses a vector that is the mean', () => {
  const mean = faceOf('mean', 64)
  expect(codeOf(() => embedding(mean.slice(), { ...modelOf(64), mean }))).toBe('ERR_EMBEDDING_NORM')
})

test('EMBEDDING-3 computes unit, fuse and integers as written', () => {
  const mean = faceOf('mean', 512)
  const model: Model = { ...modelOf(512), mean }
  const samples = ['1', '2', '3', '4'].map((name) => captureOf('a', 512, name, 0.4))
  const units = samples.map((sample) => reference.unit(Array.from(sample), 512, Array.from(mean)).u)
  for (let count = 1; count <= samples.length; count++) {
    const fused = fuse(samples.slice(0, count).map((sample) => embedding(sample, model)))
    const expected = reference.fuse(units.slice(0, count))
    expect(Array.from(unitVector(fused))).toEqual(expected)
    expect(Array.from(toIntegers(fused))).toEqual(reference.integers(expected).map((value) => value + 0))
  }
  expect(embeddingModel(embedding(samples[0] ?? [], model)).meanHash).toEqual(
    reference.meanHash(512, Array.from(mean)),
  )
})

test('EMBEDDING-3 rounds halves away from zero', () => {
  // Integers whose squares add up to 2^42: the norm is 2^21 exactly, and an odd integer becomes a half.
  const parts = [1, -1, 3, -3, 5, -5]
  let rest = 2 ** 42 - 70
  while (rest > 0) {
    const root = Math.floor(Math.sqrt(rest))
    parts.push(root)
    rest -= root * root
  }
  const vector = new Float64Array(64)
  vector.set(parts)
  const z = toIntegers(embedding(vector, modelOf(64)))
  expect(Array.from(z.slice(0, 6))).toEqual([1, -1, 2, -2, 3, -3])
})

test('EMBEDDING-4 refuses other metrics and models whose norms carry meaning', () => {
  for (const metric of ['euclidean', 'l2', 'dot', 'Cosine', '', undefined]) {
    const model = { ...modelOf(128), metric } as unknown as Model
    expect(codeOf(() => embedding(faceOf('a', 128), model))).toBe('ERR_EMBEDDING_MODEL')
  }
  for (const id of [
    'dlib@1',
    'dlib-resnet@19',
    'face-api@1',
    'face-api.js@0.22',
    'faceres@1',
    'human-faceres@3',
  ]) {
    expect(codeOf(() => embedding(faceOf('a', 128), { ...modelOf(128), id }))).toBe('ERR_EMBEDDING_MODEL')
  }
})

test('EMBEDDING-5 takes one copy and uses only the copy', () => {
  const face = faceOf('a', 64)
  const expected = unitVector(embedding(face, modelOf(64)))
  const vector = Array.from(face)
  let reads = 0
  const changing = vector.map((_, i) => i)
  for (const [i, value] of vector.entries()) {
    Object.defineProperty(changing, i, {
      get: () => {
        reads++
        vector.fill(Number.NaN, 0, i) // what was read before is spoiled now
        return value
      },
    })
  }
  expect(unitVector(embedding(changing, modelOf(64)))).toEqual(expected)
  expect(reads).toBe(64)
})

test('EMBEDDING-5 wipes the copy when the vector is refused, and the vector when it is disposed of', () => {
  const copies: Float64Array[] = []
  const set = Float64Array.prototype.set
  vi.spyOn(Float64Array.prototype, 'set').mockImplementation(function (this: Float64Array, ...args) {
    copies.push(this)
    set.apply(this, args)
  })
  const face = faceOf('a', 64)
  const spoiled = face.slice()
  spoiled[63] = Number.NaN
  expect(codeOf(() => embedding(spoiled, modelOf(64)))).toBe('ERR_EMBEDDING_RANGE')
  expect(codeOf(() => embedding(face, { ...modelOf(64), mean: face }))).toBe('ERR_EMBEDDING_NORM')
  const opposite = embedding(
    face.map((value) => -value),
    modelOf(64),
  )
  const kept = embedding(face, modelOf(64))
  expect(codeOf(() => fuse([kept, opposite]))).toBe('ERR_EMBEDDING_NORM')
  expect(copies.length).toBe(5)
  const wiped = copies.map((copy) => copy.every((value) => value === 0))
  expect(wiped).toEqual([true, true, false, false, true])
  for (const owned of [kept, opposite]) owned[Symbol.dispose]()
  expect(copies.every((copy) => copy.every((value) => value === 0))).toBe(true)
  expect(codeOf(() => toIntegers(kept))).toBe('ERR_EMBEDDING_DISPOSED')
})

test('EMBEDDING-6 refuses to fuse embeddings of different models or means', () => {
  const face = embedding(faceOf('a', 64), modelOf(64))
  const mean = new Float32Array(64)
  mean[63] = 2 ** -30
  const others: readonly Embedding[] = [
    embedding(faceOf('b', 64), { ...modelOf(64), id: 'test-net@2' }),
    embedding(faceOf('b', 64), { ...modelOf(64), mean }),
    embedding(faceOf('b', 65), modelOf(65)),
  ]
  for (const other of others) {
    expect(codeOf(() => fuse([face, other]))).toBe('ERR_EMBEDDING_MISMATCH')
    expect(codeOf(() => fuse([other, face]))).toBe('ERR_EMBEDDING_MISMATCH')
    expect(codeOf(() => fuse([face, face, other]))).toBe('ERR_EMBEDDING_MISMATCH')
  }
})

test('EMBEDDING-7 accepts no image in any form', () => {
  const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)
  const jpeg = Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0x00, 0x10, 0x4a, 0x46, 0x49, 0x46)
  const images: readonly unknown[] = [
    png,
    jpeg,
    new Blob([png], { type: 'image/png' }),
    { data: new Uint8ClampedArray(64), width: 4, height: 4, colorSpace: 'srgb' },
    'data:image/png;base64,iVBORw0KGgo=',
    { image: png },
    { npy: png },
    { npy: jpeg },
    { f32le: png },
    { base64: 'iVBORw0KGgo=' },
  ]
  for (const image of images) {
    expect(codeOf(() => embedding(image as VectorInput, modelOf(64)))).toMatch(
      /^ERR_EMBEDDING_(?:TYPE|LENGTH|FORMAT)$/,
    )
  }
})
