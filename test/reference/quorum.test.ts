/** The reference's group against the one that the library uses, on inputs that no vector has (SPEC §13). @module */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { lagrange } from '../../src/crypto/frost.ts'
import {
  hashToElement,
  multiplyBase,
  multiplyBlinded,
  proveWith,
  readElement,
  verifyProof,
} from '../../src/crypto/ristretto.ts'
import { hex } from './bytes.ts'
import { CONTEXT, generateProof, lagrangeAtZero } from './quorum.ts'
import { decodePoint, encodePoint, GENERATOR, hashToGroup, multiply, ORDER } from './ristretto.ts'

const scalar = fc.bigInt({ min: 1n, max: ORDER - 1n })

test('hashing, multiplication, encoding and proofs agree', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), scalar, scalar, (message, secret, nonce) => {
      const own = hashToElement(message, CONTEXT)
      const other = hashToGroup(message, CONTEXT)
      expect(hex(own.toBytes())).toBe(hex(encodePoint(other)))
      const evaluated = multiplyBlinded(own, secret)
      const product = multiply(other, secret)
      expect(hex(evaluated.toBytes())).toBe(hex(encodePoint(product)))
      const statement = { key: multiplyBase(secret), element: own, evaluated }
      const proof = generateProof(secret, [multiply(GENERATOR, secret), other, product], nonce)
      expect(hex(proveWith(nonce, secret, statement, CONTEXT))).toBe(hex(proof))
      expect(verifyProof(statement, proof, CONTEXT)).toBe(true)
    }),
    { numRuns: 20 },
  )
})

test('both read the same 32 bytes as elements, and refuse the same', () => {
  let read = 0
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.boolean(), (bytes, even) => {
      // Every other one is made to look like an encoding: even, and below the field's order.
      const tried = even
        ? bytes.map((byte, i) => (i === 0 ? byte & 254 : i === 31 ? byte & 127 : byte))
        : bytes
      const own = readElement(tried)
      const other = decodePoint(tried)
      expect(own === undefined).toBe(other === undefined)
      if (own === undefined || other === undefined) return
      read += 1
      expect(hex(encodePoint(other))).toBe(hex(own.toBytes()))
      expect(hex(own.toBytes())).toBe(hex(tried))
    }),
    { numRuns: 400 },
  )
  expect(read).toBeGreaterThan(10)
})

test('coefficients of Lagrange agree', () => {
  const places = fc.uniqueArray(fc.integer({ min: 1, max: 16 }), { minLength: 2, maxLength: 16 })
  fc.assert(
    fc.property(places, (indices) => {
      expect(lagrange(indices, 0)).toEqual(indices.map((own) => lagrangeAtZero(indices, own)))
    }),
  )
})
