/** operations.json against the library. @module */
import { beforeAll, describe, expect, test } from 'vitest'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { operationDigest, probeDigest, type Verb } from '../../src/vault/operation.ts'
import { integers, unit } from '../reference/embedding.ts'
import { vectorFromSeed } from '../reference/inputs.ts'
import operationFile from './operations.json' with { type: 'json' }
import { hex, unhex } from './read.ts'

beforeAll(cryptoReady)

type Vector = Readonly<Record<string, unknown>>

const text = (vector: Vector, field: string): string => String(vector[field])
const bytes = (vector: Vector, field: string): Uint8Array => unhex(text(vector, field))
const number = (vector: Vector, field: string): number => vector[field] as number

describe('operation digests', () => {
  const vectors = [...operationFile.positive, ...operationFile.negative] as unknown as Vector[]

  test.each(vectors.filter((vector) => 'digest' in vector))('$name', (vector) => {
    const keys = { requireRealmKeys: () => ({ limiter: bytes(vector, 'limiter') }), oldestVersion: 1 }
    const digest = operationDigest(
      { ring: keys } as unknown as Parameters<typeof operationDigest>[0],
      text(vector, 'verb') as Verb,
      bytes(vector, 'who'),
      { operationId: text(vector, 'operationId') },
      bytes(vector, 'bound'),
    )
    expect(digest === undefined ? undefined : hex(digest)).toBe(vector['digest'])
    expect(vector['digest']).not.toBe(vector['differsFrom'])
  })

  test.each(vectors.filter((vector) => !('digest' in vector)))('$name', (vector) => {
    const d = number(vector, 'dimensions')
    const z = integers(unit(vectorFromSeed(number(vector, 'seed'), d), d).u)
    expect(hex(probeDigest(Int32Array.from(z)))).toBe(vector['bound'])
  })
})
