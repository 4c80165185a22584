/** Operating points of another kind than the vault's: none is taken (I-42). @module */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { toHex } from '../../src/base/bytes.ts'
import { GuiseError } from '../../src/base/errors.ts'
import { checkModel } from '../../src/embedding/model.ts'
import { fitOperatingPoints } from '../../src/policy/operating-point.ts'
import { MODEL, point } from '../support/vault.ts'

const OFFERS = 1000

const another = fc.oneof(
  fc.record({ model: fc.stringMatching(/^[a-z]{1,8}@[2-9]$/) }),
  fc.record({ meanHash: fc.uint8Array({ minLength: 32, maxLength: 32 }).map(toHex) }),
  fc.record({ suite: fc.constantFrom('B6', 'B2', 'b4', '') }),
  fc.record({ bits: fc.constantFrom(64, 256, 512, 1024, 129) }),
  fc.record({ threshold: fc.oneof(fc.integer({ max: 0 }), fc.integer({ min: 10_001 })) }),
  fc.record({ threshold: fc.double().filter((value) => !Number.isInteger(value)) }),
)

test(`POLICY-3 ${OFFERS} operating points of another model, mean, suite, size or threshold are refused`, () => {
  const model = checkModel(MODEL)
  const context = { model: model.id, meanHash: model.meanHash, suite: point().suite, bits: point().bits }
  const offer = (change: object): string => {
    try {
      return `${fitOperatingPoints([{ ...point(), ...change }], context, true).size} taken`
    } catch (error) {
      return error instanceof GuiseError ? error.code : 'untyped'
    }
  }
  expect(offer({})).toBe('1 taken')
  fc.assert(
    fc.property(another, (change) => {
      expect(offer(change)).toBe('ERR_POLICY_OPERATING_POINT')
    }),
    { numRuns: OFFERS, seed: 42_001 },
  )
})
