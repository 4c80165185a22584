/** What holds for every vector (SPEC §3). @module */
import * as fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { embedding, fuse, toIntegers, unitVector } from '../../src/embedding/embedding.ts'
import { EmbeddingError } from '../../src/embedding/errors.ts'
import type { VectorInput } from '../../src/embedding/input.ts'
import type { Model } from '../../src/embedding/model.ts'
import * as reference from '../reference/embedding.ts'

beforeAll(() => cryptoReady())

const model: Model = { id: 'test-net@1', dimensions: 64, metric: 'cosine' }
const values = fc.double({ min: -(2 ** 50), max: 2 ** 50, noNaN: true })
const vectors = fc
  .array(values, { minLength: 64, maxLength: 64 })
  .filter((vector) => Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0)) >= 2 ** -10)
const means = fc.array(fc.float({ min: -1, max: 1, noNaN: true }), { minLength: 64, maxLength: 64 })

test('unit, mean and integers agree with the reference, bit for bit', () => {
  fc.assert(
    fc.property(vectors, fc.option(means, { nil: undefined }), (vector, mean) => {
      const given: Model = mean === undefined ? model : { ...model, mean: Float32Array.from(mean) }
      const face = embedding(vector, given)
      const { u } = reference.unit(vector, 64, mean)
      expect(Array.from(unitVector(face))).toEqual(u)
      expect(Array.from(toIntegers(face))).toEqual(reference.integers(u).map((value) => value + 0))
    }),
  )
})

test('fusion agrees with the reference, bit for bit', () => {
  fc.assert(
    fc.property(fc.array(vectors, { minLength: 1, maxLength: 5 }), (samples) => {
      const faces = samples.map((sample) => embedding(sample, model))
      const units = samples.map((sample) => reference.unit(sample, 64).u)
      let expected: readonly number[] | undefined
      try {
        expected = reference.fuse(units)
      } catch {
        expected = undefined
      }
      if (expected === undefined) expect(() => fuse(faces)).toThrow(EmbeddingError)
      else expect(Array.from(unitVector(fuse(faces)))).toEqual(expected)
    }),
  )
})

test('the scale of a vector by powers of two does not matter', () => {
  fc.assert(
    fc.property(vectors, fc.integer({ min: -8, max: 3 }), (vector, exponent) => {
      const scaled = vector.map((value) => value * 2 ** exponent)
      fc.pre(scaled.every((value, i) => value / 2 ** exponent === vector[i]))
      const u = Array.from(unitVector(embedding(vector, model)))
      const v = Array.from(unitVector(embedding(scaled, model)))
      // Squares of tiny values may vanish on one side only; they are too small to be seen.
      for (const [i, value] of u.entries()) expect(Math.abs(value - (v[i] ?? 0))).toBeLessThan(1e-15)
    }),
  )
})

test('whatever is given, an embedding or a typed error comes back', () => {
  const anything = fc.oneof(
    fc.anything({
      withTypedArray: true,
      withSparseArray: true,
      withMap: true,
      withDate: true,
      withBigInt: true,
    }),
    fc.array(fc.anything(), { minLength: 64, maxLength: 64 }),
    fc.record({ base64: fc.string() }),
    fc.record({ npy: fc.uint8Array({ maxLength: 700 }) }),
    fc.record({ f32le: fc.uint8Array({ minLength: 256, maxLength: 256 }) }),
    fc.float32Array({ minLength: 64, maxLength: 64 }),
    fc.float64Array({ minLength: 64, maxLength: 64 }),
  )
  fc.assert(
    fc.property(anything, (input) => {
      try {
        const u = unitVector(embedding(input as VectorInput, model))
        const norm = Math.sqrt(u.reduce((sum, value) => sum + value * value, 0))
        expect(Math.abs(norm - 1)).toBeLessThan(1e-12)
      } catch (error) {
        expect(error).toBeInstanceOf(EmbeddingError)
      }
    }),
    { numRuns: 1000 },
  )
})

test('whatever model is given, it is accepted or refused with a typed error', () => {
  fc.assert(
    fc.property(fc.anything({ withTypedArray: true }), fc.object(), (whole, parts) => {
      for (const candidate of [whole, parts, { ...model, ...parts }]) {
        try {
          embedding(new Float32Array(64).fill(1), candidate as Model)
        } catch (error) {
          expect(error).toBeInstanceOf(EmbeddingError)
        }
      }
    }),
  )
})
