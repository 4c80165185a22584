/** Identifiers, CBOR and embeddings against the vectors (SPEC §2, §3). @module */
import { describe, expect, test } from 'vitest'
import { type CborValue, decodeCbor, encodeCbor } from '../../src/base/cbor.ts'
import { GuiseError } from '../../src/base/errors.ts'
import { checkPurpose, checkRealm, checkSubject } from '../../src/base/identifier.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import {
  type Embedding,
  embedding,
  embeddingModel,
  fuse,
  toIntegers,
  unitVector,
} from '../../src/embedding/embedding.ts'
import { checkModel, type Model } from '../../src/embedding/model.ts'
import cborFile from './cbor.json' with { type: 'json' }
import embeddingFile from './embedding.json' with { type: 'json' }
import identifierFile from './identifiers.json' with { type: 'json' }
import { expectRefused, float64Bytes, hex, int32Bytes, sampleOf, unhex } from './read.ts'

class Rejected extends GuiseError {
  readonly code = 'ERR_TEST_REJECTED'
}

const reject = (why: string): Rejected => new Rejected(why)

describe('identifiers', () => {
  const checks: Readonly<Record<string, (text: string) => unknown>> = {
    realm: (text) => [checkRealm(text, reject), checkPurpose(text, reject)],
    model: (text) => checkModel({ id: text, dimensions: 64, metric: 'cosine' }),
    subject: (text) => checkSubject(text, reject),
  }
  const textOf = (units: readonly number[]): string => String.fromCharCode(...units)

  test.each(identifierFile.positive)('$name is accepted', ({ kind, utf16 }) => {
    expect(checks[kind]?.(textOf(utf16))).toBeDefined()
  })

  test.each(identifierFile.negative)('$name is refused', ({ name, kind, utf16 }) => {
    expectRefused(() => checks[kind]?.(textOf(utf16)), null, name)
  })
})

describe('deterministic CBOR', () => {
  const fromJson = (json: unknown): CborValue => {
    if (Array.isArray(json)) return json.map(fromJson)
    if (typeof json === 'object' && json !== null) return unhex((json as { bytes: string }).bytes)
    return json as CborValue
  }

  test.each(cborFile.positive)('$name', ({ value, encoded }) => {
    expect(hex(encodeCbor(fromJson(value)))).toBe(encoded)
    expect(hex(encodeCbor(decodeCbor(unhex(encoded), 1024, reject)))).toBe(encoded)
  })

  test.each(cborFile.negative)('refuses $name', ({ name, encoded }) => {
    expectRefused(() => decodeCbor(unhex(encoded), 1024, reject), 'ERR_TEST_REJECTED', name)
  })
})

interface Case {
  readonly name: string
  readonly dimensions: number
  readonly mean: string | null
  readonly metric?: string
  readonly samples: readonly (string | readonly number[])[]
}

interface Right extends Case {
  readonly expected: {
    readonly meanHash: string
    readonly unit: string
    readonly integers: readonly number[]
    readonly integersSha256: string
  }
}

function embeddingOf({ dimensions, mean, metric = 'cosine', samples }: Case): Embedding {
  const model = {
    id: 'example@1',
    dimensions,
    metric,
    ...(mean === null ? {} : { mean: new Float32Array(unhex(mean).slice().buffer) }),
  } as Model
  return fuse(samples.map((sample) => embedding(sampleOf(sample, dimensions), model)))
}

describe('embedding', () => {
  test.each(embeddingFile.positive as unknown as Right[])('$name', (vector) => {
    const { expected, dimensions } = vector
    const face = embeddingOf(vector)
    const shown = expected.integers.length
    expect(hex(embeddingModel(face).meanHash)).toBe(expected.meanHash)
    expect(hex(float64Bytes(unitVector(face).slice(0, shown)))).toBe(expected.unit)
    const z = toIntegers(face)
    expect(z).toHaveLength(dimensions)
    expect(Array.from(z.subarray(0, shown))).toEqual(expected.integers)
    expect(hex(sha256(int32Bytes(z)))).toBe(expected.integersSha256)
  })

  test.each(embeddingFile.negative as unknown as (Case & { code: string })[])('refuses $name', (vector) => {
    expectRefused(() => embeddingOf(vector), vector.code, vector.name)
  })
})
