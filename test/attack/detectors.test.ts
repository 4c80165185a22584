/** Short attacks that a weakened build falls to: each is run against such builds by weakened.test.ts (SPEC §15.7). @module */
import { afterEach, beforeAll, expect, test, vi } from 'vitest'
import { randomBytes } from '../../src/crypto/random.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { linearPreimage } from '../../src/evaluate/preimage.ts'
import { seededKey } from '../../src/evaluate/random.ts'
import { sealCode } from '../../src/seal/code.ts'
import { encodeReference } from '../../src/template/template.ts'
import { basis, sample, testVault } from '../support/vault.ts'
import { dot, row } from './matrix.ts'
import { codesOf, cosine, integersOf, roundFaces, setSigns, withMask } from './suite/faces.ts'
import { linearEstimate } from './suite/key-estimates.ts'
import { inverterOf, permutedRound } from './suite/key-structure.ts'

const DIMENSIONS = 512

beforeAll(cryptoReady)
afterEach(() => {
  vi.restoreAllMocks()
})

test('EVALUATE-58 B02 with the rotation and without the mask a code tells nothing', () => {
  const faces = roundFaces('mask', 50, DIMENSIONS)
  const cosines = Array.from({ length: faces.rows }, (_, i) => {
    const key = seededKey('mask', i)
    const code = encodeReference(integersOf(row(faces, i)), 'B4', DIMENSIONS, key)
    // The preimage takes the mask away; put in once more, it is the rotation alone that is turned back.
    const twice = withMask(code, key, 'B4', DIMENSIONS)
    return cosine(linearPreimage(twice, key, { suite: 'B4', dimensions: DIMENSIONS }), row(faces, i))
  })
  const mean = cosines.reduce((sum, value) => sum + value, 0) / cosines.length
  // Of 50 coins of deviation .044: five deviations.
  expect(Math.abs(mean)).toBeLessThan(0.032)
})

test('EVALUATE-58 B10 codes that two records of one face are sealed with are independent', () => {
  const faces = roundFaces('records', 100, DIMENSIONS)
  let agreeing = 0
  for (let i = 0; i < faces.rows; i++) {
    const z = integersOf(row(faces, i))
    const [one, other] = [1, 2].map((use) => {
      const signs = new Float64Array(DIMENSIONS)
      sealCode(seededKey('records', use, i), new Uint8Array(8), (rotationKey) => {
        const code = encodeReference(z, 'B4', DIMENSIONS, rotationKey)
        setSigns(code, signs)
        return code
      })
      return signs
    }) as [Float64Array, Float64Array]
    agreeing += dot(one, other)
  }
  expect(Math.abs(agreeing) / Math.sqrt(DIMENSIONS * faces.rows)).toBeLessThan(5)
})

test.each(['B4', 'B6'] as const)(
  'EVALUATE-58 B09 %s is not one round: 64 known pairs and the mask do not give its key',
  (suite) => {
    const key = seededKey('rounds', 1)
    const code = { suite, bits: DIMENSIONS, unmasked: true } as const
    const known = roundFaces('rounds known', 64, DIMENSIONS)
    const targets = roundFaces('rounds targets', 50, DIMENSIONS)
    const codes = codesOf(known, () => key, code)
    const found = inverterOf(permutedRound(linearEstimate(known, codes).rotation()))
    const targetCodes = codesOf(targets, () => key, code)
    let sum = 0
    for (let i = 0; i < targets.rows; i++) sum += cosine(found(row(targetCodes, i)), row(targets, i))
    expect(sum / targets.rows).toBeLessThan(0.1)
  },
)

test('EVALUATE-58 B12 an answer holds its outcome and what names the record, for any likeness', async () => {
  const { vault } = await testVault()
  await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
  const fields = new Set<string>()
  for (const [person, index] of [
    [1, 0],
    [1, 1],
    [2, 0],
    [3, 0],
  ] as const) {
    const decision = await vault.verify({ subject: 'anna', ...sample(person, index) })
    fields.add(`${decision.outcome}: ${Object.keys(decision).sort().join(' ')}`)
  }
  expect([...fields].sort()).toEqual(['match: epoch exposed outcome record subject', 'nonmatch: outcome'])
})

test('EVALUATE-58 B01 every random byte is one that the platform’s generator gave', () => {
  vi.spyOn(globalThis.crypto, 'getRandomValues').mockImplementation((array) => {
    if (array !== null) new Uint8Array(array.buffer, array.byteOffset, array.byteLength).fill(0xa5)
    return array
  })
  // What was drawn before lies in a pool of a kibibyte.
  for (let i = 0; i < 64; i++) randomBytes(16)
  for (const length of [16, 24, 32, 256, 257, 5000]) {
    expect([...new Set(randomBytes(length))]).toEqual([0xa5])
  }
})
